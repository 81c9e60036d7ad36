package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/ledger"
)

const (
	frameSize = 8 // magic and length, before each record
	// minBlock is a header, a count and the smallest coinbase.
	minBlock   = bitcoin.HeaderSize + 1 + 60
	windowSize = 64 << 10
)

// scanner lists the blocks in one file by their headers.
type scanner struct {
	file    *blockFile
	network bitcoin.Network
	report  *Report
	w       window
	found   int
}

// run calls add for each block, in file order.
func (s *scanner) run(ctx context.Context, add func(h bitcoin.Header, offset int64, size uint32)) error {
	r, done, err := s.file.open()
	if err != nil {
		return err
	}
	defer done()
	s.w = window{r: r, size: s.file.size}
	framed, err := s.framed()
	if err != nil {
		return err
	}
	if !framed {
		return s.single(add)
	}
	return s.records(ctx, add)
}

// framed reports whether the file is a sequence of framed records; false for a single block.
func (s *scanner) framed() (bool, error) {
	head, err := s.w.upTo(0, bitcoin.HeaderSize)
	if err != nil || len(head) < 4 {
		return true, err
	}
	if chain, ok := bitcoin.NetworkByMagic([4]byte(head)); ok && chain != s.network.Chain {
		return false, ledger.Invalid(s.file.path, "blocks of "+string(s.network.Chain), "blocks of "+string(chain))
	}
	if s.file.number != none || [4]byte(head) == s.network.Magic {
		return true, nil
	}
	if h, err := bitcoin.ParseHeader(head); err == nil && s.network.Check(h) == nil {
		return false, nil
	}
	at, _, err := s.next(0)
	if err == nil && at == s.file.size {
		err = ledger.Invalid(s.file.path, "a block of "+string(s.network.Chain)+", or a file of them", fmt.Sprintf("%d bytes that begin %x", s.file.size, head[:4]))
	}
	return true, err
}

func (s *scanner) single(add func(bitcoin.Header, int64, uint32)) error {
	if s.file.size > bitcoin.MaxBlockSize {
		return ledger.Invalid(s.file.path, "a block of at most 4,000,000 bytes", fmt.Sprintf("%d bytes", s.file.size))
	}
	head, err := s.w.upTo(0, bitcoin.HeaderSize)
	if err != nil {
		return err
	}
	h, err := bitcoin.ParseHeader(head)
	if err != nil {
		return fmt.Errorf("%s: %w", s.file.path, err)
	}
	add(h, 0, uint32(s.file.size))
	return nil
}

// records walks from frame to frame. Where there is none it searches the next
// magic, as Bitcoin Core does when it imports a file.
func (s *scanner) records(ctx context.Context, add func(bitcoin.Header, int64, uint32)) error {
	for at, n := int64(0), 0; at < s.file.size; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		size, header, err := s.record(at)
		if err != nil {
			return err
		}
		if size > 0 {
			add(header, at+frameSize, uint32(size))
			s.found++
			at += frameSize + size
			continue
		}
		if at, err = s.skip(at); err != nil {
			return err
		}
	}
	if first, _ := s.w.upTo(0, 1); s.found == 0 && len(first) > 0 && first[0] != 0 {
		return ledger.Invalid(s.file.path, fmt.Sprintf("blocks framed with %x (a newer Bitcoin Core masks its files: keep xor.dat beside them)", s.network.Magic), "no block")
	}
	return nil
}

// record returns the length of the block framed at an offset and its header; 0
// where there is no whole block. A frame that fits its surroundings around a
// header without work is damage, not garbage: an error.
func (s *scanner) record(at int64) (int64, bitcoin.Header, error) {
	var h bitcoin.Header
	head, err := s.w.upTo(at, frameSize+bitcoin.HeaderSize)
	if err != nil || len(head) < frameSize+bitcoin.HeaderSize || [4]byte(head) != s.network.Magic {
		return 0, h, err
	}
	size := int64(binary.LittleEndian.Uint32(head[4:]))
	if size < minBlock || size > bitcoin.MaxBlockSize || at+frameSize+size > s.file.size {
		return 0, h, nil
	}
	if h, err = bitcoin.ParseHeader(head[frameSize:]); err != nil {
		return 0, h, err
	}
	if wrong := s.network.Check(h); wrong != nil {
		after, err := s.w.upTo(at+frameSize+size, 4)
		if err == nil && (len(after) < 4 || [4]byte(after) == s.network.Magic || [4]byte(after) == [4]byte{}) {
			err = fmt.Errorf("%s: %w", s.file.at(at+frameSize), wrong)
		}
		return 0, h, err
	}
	return size, h, nil
}

// skip passes over what is no block and reports it, zero padding excepted.
func (s *scanner) skip(at int64) (int64, error) {
	next, zero, err := s.next(at + 1)
	if err != nil {
		return 0, err
	}
	first, err := s.w.upTo(at, frameSize)
	if err != nil {
		return 0, err
	}
	place := Place{s.file.path, at, next - at}
	switch {
	case next == s.file.size && len(first) >= 4 && [4]byte(first) == s.network.Magic:
		s.report.Truncated = addPlace(s.report.Truncated, place)
	case !zero || first[0] != 0:
		s.report.Skipped = addPlace(s.report.Skipped, place)
	}
	return next, nil
}

// next returns the offset of the first magic at or after an offset, or the size
// of the file; zero reports that there are only zeros before.
func (s *scanner) next(at int64) (offset int64, zero bool, err error) {
	magic := s.network.Magic[:]
	zero = true
	for at < s.file.size {
		b, err := s.w.upTo(at, windowSize)
		if err != nil {
			return 0, false, err
		}
		i := bytes.Index(b, magic)
		passed := len(b)
		switch {
		case i >= 0:
			passed = i
		case at+int64(len(b)) < s.file.size:
			passed -= len(magic) - 1 // a magic may lie across the edge
		}
		zero = zero && len(bytes.TrimLeft(b[:passed], "\x00")) == 0
		at += int64(passed)
		if i >= 0 {
			return at, zero, nil
		}
	}
	return at, zero, nil
}

// window reads ahead through a file.
type window struct {
	r      io.ReaderAt
	size   int64
	buffer []byte
	start  int64
}

// upTo returns n bytes from an offset, or fewer at the end of the file. They are
// valid until the next call.
func (w *window) upTo(at int64, n int) ([]byte, error) {
	n = int(max(0, min(int64(n), w.size-at)))
	if at < w.start || at+int64(n) > w.start+int64(len(w.buffer)) {
		if w.buffer == nil {
			w.buffer = make([]byte, windowSize)
		}
		w.buffer, w.start = w.buffer[:min(windowSize, max(0, w.size-at))], at
		if _, err := w.r.ReadAt(w.buffer, at); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return w.buffer[at-w.start:][:n], nil
}

// whole returns n bytes, however many, that lie within the file. They are valid until the next call.
func (w *window) whole(at int64, n int) ([]byte, error) {
	if n <= windowSize {
		return w.upTo(at, n)
	}
	b := make([]byte, n)
	_, err := w.r.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b, err
}
