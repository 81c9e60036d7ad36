package archive

import (
	"encoding/binary"
	"slices"

	"github.com/spoortrace/spoor/chains/bitcoin"
)

const (
	sumSize = 32
	// maxUndo bounds a record: a block has fewer than 25,000 inputs, whose coins
	// take a few dozen bytes each. A longer one is no record.
	maxUndo = 32 << 20
)

// undoList is where the records of one rev file lie. Records of blocks that
// spend nothing are left out.
type undoList struct {
	file    *blockFile
	records []undoRecord
	byShape map[bitcoin.Shape][]int32 // of records, in file order
	next    int32                     // after the last one found: the order is nearly that of the heights
}

type undoRecord struct {
	offset int64
	size   uint32
	sum    [sumSize]byte
}

// listUndo walks over a rev file. What is no record is passed over, as in a
// block file; its block will then lack its coins, which is reported there.
func listUndo(network bitcoin.Network, rev *blockFile) (*undoList, error) {
	r, done, err := rev.open()
	if err != nil {
		return nil, err
	}
	defer done()
	l := &undoList{file: rev, byShape: map[bitcoin.Shape][]int32{}}
	s := scanner{file: rev, network: network, w: window{r: r, size: rev.size}}
	for at := int64(0); at < rev.size; {
		size, err := l.record(&s, at)
		if err != nil {
			return nil, err
		}
		if size > 0 {
			at += frameSize + size + sumSize
		} else if at, _, err = s.next(at + 1); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// record notes the record framed at an offset and returns its length; 0 where there is none.
func (l *undoList) record(s *scanner, at int64) (int64, error) {
	head, err := s.w.upTo(at, frameSize)
	if err != nil || len(head) < frameSize || [4]byte(head) != s.network.Magic {
		return 0, err
	}
	size := int64(binary.LittleEndian.Uint32(head[4:]))
	start := at + frameSize
	if size == 0 || size > maxUndo || start+size+sumSize > s.file.size {
		return 0, nil
	}
	if size == 1 { // no transaction but the coinbase
		return size, nil
	}
	raw, err := s.w.whole(start, int(size+sumSize))
	if err != nil {
		return 0, err
	}
	undo, err := bitcoin.DecodeUndo(raw[:size])
	if err != nil {
		return 0, nil //nolint:nilerr // garbage between the records, or a damaged one: not ours to judge
	}
	shape := undo.Shape()
	l.byShape[shape] = append(l.byShape[shape], int32(len(l.records)))
	l.records = append(l.records, undoRecord{start, uint32(size), [sumSize]byte(raw[size:])})
	return size, nil
}

// find returns the record whose checksum binds it to the block's parent and
// whose shape is the block's.
func (l *undoList) find(b *bitcoin.Block) (bitcoin.Undo, bool, error) {
	same := l.byShape[b.Shape()]
	first, _ := slices.BinarySearch(same, l.next)
	for k := range same {
		i := same[(first+k)%len(same)]
		raw := make([]byte, l.records[i].size)
		if err := l.file.readAt(raw, l.records[i].offset); err != nil {
			return nil, false, err
		}
		if bitcoin.Checksum(b.Header.Parent, raw) != l.records[i].sum {
			continue
		}
		l.next = i + 1
		undo, err := bitcoin.DecodeUndo(raw)
		return undo, err == nil, err
	}
	return nil, false, nil
}
