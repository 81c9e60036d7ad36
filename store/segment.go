package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"os"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
)

// A segment is a run of blocks that a load has read: a synced file, so that a
// load which is cut off goes on behind its last one. Addresses have numbers of
// the segment's own, in the order of first mention.
//
// File: magic; the lengths of blocks, names and footer (8 bytes each,
// big-endian); the three; CRC-32C of all before. Blocks: header, raw reference,
// number of transactions, and of each its form in the overlay and the numbers of
// what named yields. Names: kind and payload of each. Footer: what is in segment.
const segmentMagic = "spoorL1\n"

type segment struct {
	file                 string
	tip                  ledger.BlockRef // of the last block
	blocks, txs          uint64
	ins, outs            uint64
	names                uint64
	assets               []ledger.Asset // that no segment before moved
	rawSegment, rawEnd   uint64         // where the next raw block goes
	blockBytes, nameFrom int64
}

// segmentWriter gathers a segment in memory.
type segmentWriter struct {
	segment
	body, list encoder
	numbers    map[nameKey]uint64
}

// nameKey is an address within one network.
type nameKey struct {
	kind    ledger.AddressKind
	payload string
}

// newSegmentWriter makes room for a segment of a size.
func newSegmentWriter(size int64) *segmentWriter {
	w := &segmentWriter{numbers: map[nameKey]uint64{}}
	w.body.b, w.list.b = make([]byte, 0, size), make([]byte, 0, size/4)
	return w
}

// reset begins the next segment in the same memory.
func (w *segmentWriter) reset() {
	clear(w.numbers)
	w.segment, w.body.b, w.list.b = segment{}, w.body.b[:0], w.list.b[:0]
}

// add takes a block whose transactions are in order.
func (w *segmentWriter) add(b *ledger.Block, raw rawRef) {
	encodeHeader(&w.body, b)
	raw.encode(&w.body)
	w.body.uint(uint64(len(b.Txs)))
	for i := range b.Txs {
		tx := &b.Txs[i]
		encodeTx(&w.body, tx)
		for a := range named(tx) {
			if !a.IsZero() {
				w.body.uint(w.number(a))
			}
		}
		w.ins += uint64(len(tx.Inputs))
		w.outs += uint64(len(tx.Outputs))
	}
	w.blocks++
	w.txs += uint64(len(b.Txs))
	w.tip = b.Ref
}

func (w *segmentWriter) number(a ledger.Address) uint64 {
	k := nameKey{a.Kind, a.Payload}
	n, ok := w.numbers[k]
	if !ok {
		n = w.names
		w.numbers[k] = n
		w.names++
		w.list.address(a)
	}
	return n
}

func (w *segmentWriter) size() int64 { return int64(len(w.body.b) + 2*len(w.list.b)) }

// write makes the segment durable under a name and returns it.
func (w *segmentWriter) write(name string) (*segment, error) {
	var foot encoder
	foot.string(string(w.tip.Chain))
	foot.uint(w.tip.Height)
	foot.raw(w.tip.Hash[:])
	foot.int(w.tip.Time)
	for _, v := range []uint64{w.blocks, w.txs, w.ins, w.outs, w.names, w.rawSegment, w.rawEnd, uint64(len(w.assets))} {
		foot.uint(v)
	}
	for _, a := range w.assets {
		foot.bytes(encodeAsset(a))
	}
	head := []byte(segmentMagic)
	for _, part := range [][]byte{w.body.b, w.list.b, foot.b} {
		head = binary.BigEndian.AppendUint64(head, uint64(len(part)))
	}
	f, err := os.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: load: %w", err)
	}
	var sum uint32
	for _, part := range [][]byte{head, w.body.b, w.list.b, foot.b} {
		sum = crc32.Update(sum, castagnoli, part)
		_, e := f.Write(part)
		err = errors.Join(err, e)
	}
	_, e := f.Write(binary.BigEndian.AppendUint32(nil, sum))
	if err = errors.Join(err, e, f.Sync(), f.Close()); err == nil {
		err = errors.Join(os.Rename(name+".tmp", name), syncDir(filepath.Dir(name)))
	}
	if err != nil {
		return nil, fmt.Errorf("store: load: %w", err)
	}
	s := w.segment
	s.file, s.blockBytes, s.nameFrom = name, int64(len(w.body.b)), int64(len(head)+len(w.body.b))
	return &s, nil
}

// openSegment reads the footer of a segment that is whole; ledger.ErrCorrupt else.
func openSegment(name string) (*segment, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("store: load: %w", err)
	}
	start := len(segmentMagic) + 24
	end := len(data) - 4
	if end < start || string(data[:len(segmentMagic)]) != segmentMagic || crc32.Checksum(data[:end], castagnoli) != binary.BigEndian.Uint32(data[end:]) {
		return nil, corrupt("segment %s", filepath.Base(name))
	}
	body, list := beOf(data[8:16]), beOf(data[16:24])
	in := decoder{b: data[uint64(start)+body+list : end]}
	s := &segment{file: name, blockBytes: int64(body), nameFrom: int64(start) + int64(body)}
	chain := ledger.Chain(in.string())
	s.tip = ledger.BlockRef{Chain: chain, Height: in.uint(), Hash: in.hash(), Time: in.int()}
	for _, v := range []*uint64{&s.blocks, &s.txs, &s.ins, &s.outs, &s.names, &s.rawSegment, &s.rawEnd} {
		*v = in.uint()
	}
	s.assets = make([]ledger.Asset, in.count())
	for i := range s.assets {
		if s.assets[i], err = decodeAsset(chain, in.bytes()); err != nil {
			return nil, err
		}
	}
	return s, in.end("segment footer")
}

// section reads one of the first two parts of the file.
func (s *segment) section(from, size int64) ([]byte, error) {
	f, err := os.Open(s.file)
	if err != nil {
		return nil, fmt.Errorf("store: load: %w", err)
	}
	data := make([]byte, size)
	_, err = f.ReadAt(data, from)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("store: load: %w", err)
	}
	return data, nil
}

// entries yields what encodeAddress makes of the addresses, by number.
func (s *segment) entries() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		info, err := os.Stat(s.file)
		var data []byte
		if err == nil {
			data, err = s.section(s.nameFrom, info.Size()-s.nameFrom)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		in := decoder{b: data}
		for range s.names {
			kind := in.byte()
			payload := in.bytes()
			if in.bad {
				yield(nil, corrupt("names of segment %s", filepath.Base(s.file)))
				return
			}
			if !yield(append([]byte{kind}, payload...), nil) {
				return
			}
		}
	}
}

// segmentBlock is a block as a segment has it.
type segmentBlock struct {
	*ledger.Block
	raw   rawRef
	names [][]uint64 // of each transaction: the numbers of what named yields, plus one; 0 for no address
}

// read yields the blocks of a segment.
func (s *segment) read(c ledger.Chain) iter.Seq2[*segmentBlock, error] {
	return func(yield func(*segmentBlock, error) bool) {
		data, err := s.section(int64(len(segmentMagic)+24), s.blockBytes)
		if err != nil {
			yield(nil, err)
			return
		}
		in := decoder{b: data, text: string(data)}
		for range s.blocks {
			b := decodeSegmentBlock(&in, c)
			if in.bad {
				yield(nil, corrupt("segment %s", filepath.Base(s.file)))
				return
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

func decodeSegmentBlock(in *decoder, c ledger.Chain) *segmentBlock {
	block := decodeHeader(in, c)
	b := &segmentBlock{Block: &block, raw: decodeRawRef(in)}
	n := in.count()
	block.Txs, b.names = make([]ledger.Tx, n), make([][]uint64, n)
	for i := range block.Txs {
		tx := &block.Txs[i]
		*tx = decodeTx(in, c)
		names := make([]uint64, 0, len(tx.Inputs)+len(tx.Outputs)+2*len(tx.Transfers))
		for a := range named(tx) {
			if a.IsZero() {
				names = append(names, 0)
			} else {
				names = append(names, in.uint()+1)
			}
		}
		b.names[i] = names
	}
	return b
}
