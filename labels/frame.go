package labels

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/spoortrace/spoor/ledger"
)

// A frame is length (4 bytes, of the body), CRC-32C over length and body (4
// bytes), both little-endian, and the body, whose first byte is its type.
const (
	frameTag     = 1
	frameCommit  = 2
	frameTagMore = 3
	frameActor   = 4
	frameEnd     = 5
	frameHead    = 8
	// maxBody bounds a frame, so that a damaged length allocates nothing large.
	maxBody = 4 << 20
)

var errFrame = errors.New("no frame")

func checksum(length, body []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(length, table), table, body)
}

// appendFrame frames a body.
func appendFrame(out, body []byte) []byte {
	var head [frameHead]byte
	binary.LittleEndian.PutUint32(head[:4], uint32(len(body)))
	binary.LittleEndian.PutUint32(head[4:], checksum(head[:4], body))
	return append(append(out, head[:]...), body...)
}

// readFrame returns the body of the next frame; io.EOF exactly at the end,
// errFrame for anything else that is no frame.
func readFrame(r io.Reader) ([]byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errFrame
		}
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:4])
	if n == 0 || n > maxBody {
		return nil, errFrame
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return nil, errFrame
		}
		return nil, err
	}
	if checksum(head[:4], body) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, errFrame
	}
	return body, nil
}

// readAt returns the body of the frame at an offset below the committed end.
func readAt(r io.ReaderAt, offset int64) ([]byte, error) {
	body, err := readFrame(io.NewSectionReader(r, offset, frameHead+maxBody))
	if errors.Is(err, errFrame) || errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("labels: record at byte %d: %w", offset, ledger.ErrCorrupt)
	}
	return body, err
}

// batch is a batch being written. Nothing of it is visible before its commit.
type batch struct {
	file    *bufio.Writer
	sum     hash.Hash
	at      int64
	head    Import
	index   *index
	tags    uint64
	pending []entry
	actors  []actorEntry
	ends    []ending
	ended   []ledger.Tag // the tags of ends, as they are from then on
	frame   []byte
}

func (b *batch) write(body []byte) error {
	if len(body) > maxBody {
		return ledger.Invalid("tag", "at most 4 MiB", "more")
	}
	b.frame = appendFrame(b.frame[:0], body)
	b.sum.Write(b.frame)
	b.at += int64(len(b.frame))
	_, err := b.file.Write(b.frame)
	return err
}

func (b *batch) tag(t ledger.Tag) error {
	t.ID, t.Recorded = b.head.FirstID+b.tags, b.head.Recorded
	b.tags++
	b.pending = append(b.pending, b.index.entry(t, b.at))
	return b.write(encodeTag(t))
}

// end writes that a tag is valid until its ValidTo and no longer.
func (b *batch) end(t ledger.Tag) error {
	b.ends, b.ended = append(b.ends, ending{id: t.ID, at: t.ValidTo}), append(b.ended, t)
	return b.write(encodeEnd(t.ID, t.ValidTo))
}

// answer is the batch as it is told to who asked for it.
func (b *batch) answer() Import {
	i := b.head
	i.Endings = b.ended
	return i
}

func (b *batch) actor(a Actor) error {
	b.actors = append(b.actors, actorEntry{id: a.ID, offset: b.at})
	return b.write(encodeActor(a))
}
