package fetch

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// Record is one answer as it came, and where it came from.
type Record struct {
	Seq      uint64       // from 1, in the order of the log
	Source   string       // name of the source
	Pin      uint64       // number of the pin that it was asked under
	Question ask.Question // with Part and Cursor
	Request  ask.Request
	Time     int64       // Unix milliseconds
	Status   int         // of HTTP
	SHA256   ledger.Hash // of the body
	at       int64       // of its frame in the file
}

// entry names a request: the same question reads differently at each source.
type entry struct {
	source   string
	question ask.Question
	pin      uint64
}

// Folder is where the logs of answers lie in a data directory.
const Folder = "fetched"

// Log is the answers of one network in a file, appended and never changed. A
// frame that a crash cut off at the end is dropped when the log is opened. It is
// safe for concurrent use.
//
// A frame is three big-endian 32-bit numbers (length of the JSON, length of the
// gzipped body, CRC-32C of both), the JSON of a Record, the body.
type Log struct {
	mu      sync.Mutex
	file    *os.File
	end     int64
	records []Record
	last    map[entry]int // newest record of each request
}

const (
	frameHead = 12
	maxFrame  = 128 << 20
)

// OpenLog opens or makes the log of a file.
func OpenLog(name string) (*Log, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	l := &Log{file: f, last: map[entry]int{}}
	if err := l.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("fetch: %s: %w", name, err), f.Close())
	}
	return l, nil
}

// load reads every frame's JSON. What does not hold at the end was being written
// when the process died; what does not hold before it is damage.
func (l *Log) load() error {
	for {
		meta, _, next, err := l.frame(l.end)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, errTorn) {
			return l.file.Truncate(l.end)
		}
		if err != nil {
			return err
		}
		r, err := decodeRecord(meta)
		if err != nil || r.Seq != uint64(len(l.records))+1 {
			return fmt.Errorf("record %d does not read: %w", len(l.records)+1, ledger.ErrCorrupt)
		}
		r.at = l.end
		l.add(r)
		l.end = next
	}
}

func (l *Log) add(r Record) {
	l.records = append(l.records, r)
	l.last[entry{r.Source, r.Question, r.Pin}] = len(l.records) - 1
}

// errTorn is a frame that reaches to the file's end or beyond it and does not hold.
var errTorn = errors.New("a frame is cut off")

// frame reads the one at an offset; io.EOF at the file's end.
func (l *Log) frame(at int64) (meta, body []byte, next int64, err error) {
	info, err := l.file.Stat()
	if err != nil {
		return nil, nil, 0, err
	}
	if at == info.Size() {
		return nil, nil, 0, io.EOF
	}
	var head [frameHead]byte
	if info.Size()-at < frameHead {
		return nil, nil, 0, errTorn
	}
	if _, err := l.file.ReadAt(head[:], at); err != nil {
		return nil, nil, 0, err
	}
	n, m := int64(binary.BigEndian.Uint32(head[:])), int64(binary.BigEndian.Uint32(head[4:]))
	next = at + frameHead + n + m
	if n+m > maxFrame || next > info.Size() {
		return nil, nil, 0, errTorn
	}
	b := make([]byte, n+m)
	if _, err := l.file.ReadAt(b, at+frameHead); err != nil {
		return nil, nil, 0, err
	}
	if crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(head[8:]) {
		if next == info.Size() {
			return nil, nil, 0, errTorn
		}
		return nil, nil, 0, fmt.Errorf("the frame at byte %d is damaged: %w", at, ledger.ErrCorrupt)
	}
	return b[:n], b[n:], next, nil
}

// Append writes an answer behind the others; Seq, SHA256 are filled in. It is
// with the operating system when Append returns, on the disk after Sync.
func (l *Log) Append(r Record, body []byte) (Record, error) {
	r.SHA256 = sha256.Sum256(body)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(body)
	if err = errors.Join(err, z.Close()); err != nil {
		return r, fmt.Errorf("fetch: log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Seq, r.at = uint64(len(l.records))+1, l.end
	meta, err := r.encode()
	if err != nil {
		return r, fmt.Errorf("fetch: log: %w", err)
	}
	b := make([]byte, frameHead, frameHead+len(meta)+packed.Len())
	b = append(append(b, meta...), packed.Bytes()...)
	binary.BigEndian.PutUint32(b, uint32(len(meta)))
	binary.BigEndian.PutUint32(b[4:], uint32(packed.Len()))
	binary.BigEndian.PutUint32(b[8:], crc32.Checksum(b[frameHead:], crc32.MakeTable(crc32.Castagnoli)))
	if _, err := l.file.WriteAt(b, l.end); err != nil {
		return r, errors.Join(fmt.Errorf("fetch: log: %w", err), l.file.Truncate(l.end))
	}
	l.end += int64(len(b))
	l.add(r)
	return r, nil
}

// Find returns the newest answer to a request under a pin, and false when there
// is none.
func (l *Log) Find(source string, q ask.Question, pin uint64) (Record, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, ok := l.last[entry{source, q, pin}]
	if !ok {
		return Record{}, false
	}
	return l.records[i], true
}

// Body reads an answer's body and checks its hash.
func (l *Log) Body(r Record) ([]byte, error) {
	_, packed, _, err := l.frame(r.at)
	if err != nil {
		return nil, fmt.Errorf("fetch: answer %d: %w", r.Seq, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("fetch: answer %d: %w", r.Seq, ledger.ErrCorrupt)
	}
	body, err := io.ReadAll(z)
	if err != nil || sha256.Sum256(body) != r.SHA256 {
		return nil, fmt.Errorf("fetch: answer %d is not what came: %w", r.Seq, ledger.ErrCorrupt)
	}
	return body, nil
}

// Records returns all of them in order.
func (l *Log) Records() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records[:len(l.records):len(l.records)]
}

// Sync makes everything durable.
func (l *Log) Sync() error {
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("fetch: log: %w", err)
	}
	return nil
}

// Close syncs and closes the file.
func (l *Log) Close() error { return errors.Join(l.Sync(), l.file.Close()) }
