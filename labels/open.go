package labels

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
)

const (
	logName  = "labels.log"
	headName = "labels.head"
	// magic ends in the version of the format.
	magic      = "spoor label log\x01"
	headFormat = "spoor label head 1 %d %d %x" // length, sequence, chain hash
)

// Open opens the log in a folder, or makes one. It reads and verifies all of it:
// every checksum, the hash chain, ids and sequence numbers without gaps. What is
// left of a batch that was never acknowledged is cut off (Cut says how much).
// Errors: ledger.ErrCorrupt, ErrNewer, ErrBusy.
func Open(dir string) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, logName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	l := &Log{dir: dir, file: file, index: newIndex()}
	if err = lock(file); err == nil {
		err = l.load()
	}
	if err != nil {
		_ = file.Close() // the first error is the one to tell
		return nil, err
	}
	return l, nil
}

func (l *Log) load() error {
	info, err := l.file.Stat()
	if err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	head, err := readHead(l.dir)
	if errors.Is(err, fs.ErrNotExist) && info.Size() <= int64(len(magic)) {
		return l.create()
	}
	if err != nil {
		return err
	}
	if err := l.checkMagic(); err != nil {
		return err
	}
	if err := l.replay(head); err != nil {
		return err
	}
	return l.cutTail(head, info.Size())
}

// create makes an empty log: the magic is durable before the head says that it is there.
func (l *Log) create() error {
	l.end = int64(len(magic))
	_, err := l.file.WriteAt([]byte(magic), 0)
	if err == nil {
		err = l.file.Sync()
	}
	if err == nil {
		err = writeHead(l.dir, 0, l.end, l.chain)
	}
	if err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	return nil
}

func (l *Log) checkMagic() error {
	got := make([]byte, len(magic))
	if _, err := l.file.ReadAt(got, 0); err != nil {
		return corrupt(0, "the file is cut")
	}
	last := len(magic) - 1
	switch {
	case string(got[:last]) != magic[:last]:
		return corrupt(0, "it does not begin as a label log")
	case got[last] > magic[last]:
		return fmt.Errorf("labels: format %d: %w; this program reads %d", got[last], ledger.ErrNewer, magic[last])
	case got[last] != magic[last]:
		return corrupt(int64(last), "unknown format")
	}
	return nil
}

// replay reads batch after batch, up to the end or to what is no batch. Below
// the acknowledged length that is damage.
func (l *Log) replay(head headLine) error {
	l.end = int64(len(magic))
	r := &counted{in: bufio.NewReaderSize(io.NewSectionReader(l.file, l.end, 1<<62), 1<<20), at: l.end}
	reached := head.length == l.end && head.sequence == 0
	for {
		err := l.replayBatch(r)
		if errors.Is(err, io.EOF) || errors.Is(err, errFrame) {
			break
		}
		if err != nil {
			return err
		}
		reached = reached || (l.end == head.length && uint64(len(l.imports)) == head.sequence && l.chain == head.chain)
	}
	if l.end < head.length {
		return corrupt(r.at, "a record does not have its checksum, or is missing")
	}
	if !reached {
		return corrupt(head.length, "the hash chain does not lead to the one in "+headName)
	}
	return nil
}

// replayBatch reads frames up to a commit and takes them into the index.
func (l *Log) replayBatch(r *counted) error {
	sum := sha256.New()
	sum.Write(l.chain[:])
	r.sum = sum
	next := l.index.count() + 1
	var pending []entry
	var actors []actorEntry
	var ends []ending
	for {
		offset := r.at
		body, err := readFrame(r)
		if err != nil {
			return err
		}
		switch body[0] {
		case frameTag, frameTagMore:
			t, _, ok := decodeTag(body)
			if !ok || t.ID != next+uint64(len(pending)) {
				return errFrame
			}
			pending = append(pending, l.index.entry(t, offset))
			continue
		case frameEnd:
			e, ok := decodeEnd(body)
			if _, over := l.index.ended[e.id]; !ok || over || e.id == 0 || e.id >= next {
				return errFrame
			}
			ends = append(ends, e)
			continue
		case frameActor:
			a, ok := decodeActor(body)
			if !ok {
				return errFrame
			}
			actors = append(actors, actorEntry{id: a.ID, offset: offset})
			continue
		}
		done, previous, ok := decodeCommit(body)
		if !ok || previous != l.chain || done.Sequence != uint64(len(l.imports))+1 || done.FirstID != next || done.Tags != len(pending) || done.Actors != len(actors) || done.Ended != len(ends) {
			return errFrame
		}
		l.index.commit(done, pending, actors, ends)
		l.imports = append(l.imports, done)
		l.end, l.chain = r.at, [32]byte(sum.Sum(nil))
		return nil
	}
}

// cutTail removes what follows the last batch, and moves the head over a batch
// that was durable and not acknowledged.
func (l *Log) cutTail(head headLine, size int64) error {
	if l.cut = size - l.end; l.cut > 0 {
		if err := l.file.Truncate(l.end); err != nil {
			return fmt.Errorf("labels: %w", err)
		}
	}
	if l.cut == 0 && l.end == head.length {
		return nil
	}
	err := l.file.Sync()
	if err == nil {
		err = writeHead(l.dir, uint64(len(l.imports)), l.end, l.chain)
	}
	if err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	return nil
}

func corrupt(at int64, what string) error {
	return fmt.Errorf("labels: %s: byte %d: %s: %w", logName, at, what, ledger.ErrCorrupt)
}

// counted follows a reader with an offset and a hash.
type counted struct {
	in  io.Reader
	at  int64
	sum hash.Hash
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.at += int64(n)
	c.sum.Write(b[:n])
	return n, err
}

// headLine is what labels.head says.
type headLine struct {
	length   int64
	sequence uint64
	chain    [32]byte
}

func readHead(dir string) (headLine, error) {
	text, err := os.ReadFile(filepath.Join(dir, headName))
	if errors.Is(err, fs.ErrNotExist) {
		return headLine{}, fmt.Errorf("labels: %s is missing beside a log that is not empty: %w (%w)", headName, ledger.ErrCorrupt, err)
	}
	if err != nil {
		return headLine{}, fmt.Errorf("labels: %w", err)
	}
	var h headLine
	var chain []byte
	if _, err := fmt.Sscanf(string(text), headFormat, &h.length, &h.sequence, &chain); err != nil || len(chain) != 32 {
		return h, fmt.Errorf("labels: %s: %w", headName, ledger.ErrCorrupt)
	}
	h.chain = [32]byte(chain)
	if string(text) != h.String() {
		return h, fmt.Errorf("labels: %s: checksum: %w", headName, ledger.ErrCorrupt)
	}
	return h, nil
}

// String prints the line with its checksum.
func (h headLine) String() string {
	line := fmt.Sprintf(headFormat, h.length, h.sequence, h.chain)
	sum := crc32.Checksum([]byte(line), crc32.MakeTable(crc32.Castagnoli))
	return line + " " + hex.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}) + "\n"
}

// writeHead replaces the head: a new file, synced, renamed over the old one, the folder synced.
func writeHead(dir string, sequence uint64, length int64, chain [32]byte) error {
	name := filepath.Join(dir, headName)
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(headLine{length, sequence, chain}.String())
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
