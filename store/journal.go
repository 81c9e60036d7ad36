package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The journal makes a batch of the base atomic on an engine that is not: the
// ops and the head that publishes them are written to a file and synced before
// the first op is written to the engine. A crash before the rename leaves the
// engine untouched; a crash after it is finished at the next open by writing
// the same ops again. So the base is always exactly what a head publishes, and
// ids, lists and spend links of a torn batch never need to be cut off.
//
// File: magic, length of the body (8 bytes, big-endian), body, CRC-32C of the
// body. Body: the old head, the new head, the number of ops, the ops.
const journalMagic = "spoorJ1\n"

type journal struct{ dir string }

func (j journal) path() string { return filepath.Join(j.dir, "journal") }

// write makes a batch durable in the journal.
func (j journal) write(old, next []byte, ops []Op) error {
	temp := j.path() + ".tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("store: journal: %w", err)
	}
	err = encodeJournal(f, old, next, ops)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = errors.Join(os.Rename(temp, j.path()), syncDir(j.dir))
	}
	if err != nil {
		return fmt.Errorf("store: journal: %w", err)
	}
	return nil
}

func encodeJournal(f io.Writer, old, next []byte, ops []Op) error {
	var e encoder
	size := 2*binary.MaxVarintLen64 + len(old) + len(next)
	for _, op := range ops {
		size += 16 + len(op.Partition) + len(op.Sort) + len(op.Value)
	}
	e.b = make([]byte, 0, size)
	e.bytes(old)
	e.bytes(next)
	e.uint(uint64(len(ops)))
	for _, op := range ops {
		e.bytes(op.Partition)
		e.bytes(op.Sort)
		e.bytes(op.Value)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	// A bufio.Writer keeps its first error for Flush.
	_, _ = w.WriteString(journalMagic)
	_, _ = w.Write(be64(uint64(len(e.b))))
	_, _ = w.Write(e.b)
	_, _ = w.Write(binary.BigEndian.AppendUint32(nil, crc32.Checksum(e.b, castagnoli)))
	return w.Flush()
}

// pending is a batch that the journal holds.
type pending struct {
	old, next []byte
	ops       []Op
}

// read returns the batch in the journal, nil when there is none.
func (j journal) read() (*pending, error) {
	raw, err := os.ReadFile(j.path())
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(raw) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: journal: %w", err)
	}
	const frame = len(journalMagic) + 8
	if len(raw) < frame+4 || string(raw[:len(journalMagic)]) != journalMagic ||
		binary.BigEndian.Uint64(raw[len(journalMagic):]) != uint64(len(raw)-frame-4) {
		return nil, corrupt("journal is damaged")
	}
	body := raw[frame : len(raw)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(raw[len(raw)-4:]) {
		return nil, corrupt("journal: checksum")
	}
	in := decoder{b: body}
	p := &pending{old: in.bytes(), next: in.bytes()}
	p.ops = make([]Op, in.count())
	for i := range p.ops {
		p.ops[i] = Op{Partition: in.bytes(), Sort: in.bytes(), Value: in.bytes()}
	}
	return p, in.end("journal")
}

// clear removes a journal whose head is published. It needs no sync: a journal
// that comes back is older than the head and is ignored.
func (j journal) clear() error {
	if err := os.Remove(j.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: journal: %w", err)
	}
	return nil
}
