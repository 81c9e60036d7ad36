package entities

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// The key table. t is the tier, k an address key (SHA-256 of the script), integers
// are big-endian. Every value ends with the checksum of store.Seal.
//
//	partition    sort         value
//	p            head         the pointer: format, last block, its digest, number of links
//	n t k[:2]    k            a member: address, first height, and its link to its parent
//	c t k        height link  a child of k: its key
//	s t k        height       what the root k knows of its cluster from that height on
const (
	tableHead  = 'p'
	tableNode  = 'n'
	tableChild = 'c'
	tableStats = 's'
)

func headRow() (partition, sort []byte) { return []byte{tableHead}, []byte("head") }

func nodeRow(t ledger.Tier, k string) (partition, sort []byte) {
	return []byte{tableNode, byte(t), k[0], k[1]}, []byte(k)
}

func childPartition(t ledger.Tier, k string) []byte {
	return append([]byte{tableChild, byte(t)}, k...)
}

func childSort(height, link uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, height), link)
}

func statsPartition(t ledger.Tier, k string) []byte {
	return append([]byte{tableStats, byte(t)}, k...)
}

func statsSort(height uint64) []byte { return binary.BigEndian.AppendUint64(nil, height) }

// layer is what is not in the store yet: rows of younger blocks on top of those of
// the store up to a height. What the store holds above it was written and never
// published: it is not there. A layer is not safe for concurrent use.
type layer struct {
	base  store.Reader
	end   uint64                 // first height that the store does not count
	rows  map[string][]store.Row // by partition, ascending
	count int
}

func newLayer(base store.Reader, end uint64) *layer {
	return &layer{base: base, end: end, rows: map[string][]store.Row{}}
}

func bySort(r store.Row, sort []byte) int { return bytes.Compare(r.Sort, sort) }

func (l *layer) put(partition, sort, value []byte) {
	row := store.Row{Sort: sort, Value: store.Seal(partition, sort, value)}
	in := l.rows[string(partition)]
	i, found := slices.BinarySearchFunc(in, sort, bySort)
	if found {
		in[i] = row
		return
	}
	l.rows[string(partition)] = slices.Insert(in, i, row)
	l.count++
}

// get returns a row's value, nil when there is none, and whether it is the layer's own.
func (l *layer) get(partition, sort []byte) (value []byte, own bool, err error) {
	in := l.rows[string(partition)]
	if i, found := slices.BinarySearchFunc(in, sort, bySort); found {
		value, err = store.Unseal(partition, sort, in[i].Value)
		return value, true, err
	}
	value, err = l.base.Get(partition, sort)
	if errors.Is(err, store.ErrAbsent) {
		return nil, false, nil
	}
	if err == nil {
		value, err = store.Unseal(partition, sort, value)
	}
	return value, false, err
}

// below cuts a scan of heights where the store's end is.
func (l *layer) below(to []byte) []byte {
	if end := statsSort(l.end); bytes.Compare(end, to) < 0 {
		return end
	}
	return to
}

// last returns the last value of a partition of heights below an end; nil when there is none.
func (l *layer) last(partition, end []byte) ([]byte, error) {
	in := l.rows[string(partition)]
	i, _ := slices.BinarySearchFunc(in, end, bySort)
	if i > 0 {
		return store.Unseal(partition, in[i-1].Sort, in[i-1].Value)
	}
	for row, err := range l.base.Scan(partition, nil, l.below(end), true) {
		if err != nil {
			return nil, err
		}
		return store.Unseal(partition, row.Sort, slices.Clone(row.Value))
	}
	return nil, nil
}

// from yields the rows of a partition of heights between two sort keys, ascending.
func (l *layer) from(partition, from, to []byte) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		in := l.rows[string(partition)]
		i, _ := slices.BinarySearchFunc(in, from, bySort)
		end, _ := slices.BinarySearchFunc(in, to, bySort)
		for row, err := range l.base.Scan(partition, from, l.below(to), false) {
			if err != nil {
				yield(store.Row{}, err)
				return
			}
			if !send(partition, row, yield) {
				return
			}
		}
		for ; i < end; i++ {
			if !send(partition, in[i], yield) {
				return
			}
		}
	}
}

func send(partition []byte, row store.Row, yield func(store.Row, error) bool) bool {
	value, err := store.Unseal(partition, row.Sort, slices.Clone(row.Value))
	return yield(store.Row{Sort: slices.Clone(row.Sort), Value: value}, err) && err == nil
}

// ops are the rows of the layer in the order of their keys.
func (l *layer) ops() []store.Op {
	var ops []store.Op
	for partition, rows := range l.rows {
		for _, r := range rows {
			ops = append(ops, store.Op{Partition: []byte(partition), Sort: r.Sort, Value: r.Value})
		}
	}
	slices.SortFunc(ops, func(a, b store.Op) int {
		if c := bytes.Compare(a.Partition, b.Partition); c != 0 {
			return c
		}
		return bytes.Compare(a.Sort, b.Sort)
	})
	return ops
}

func corrupt(what string, k string) error {
	return fmt.Errorf("entities: %s %x: %w", what, k, ledger.ErrCorrupt)
}
