package store

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
)

// finish returns the ops of the batch in the order in which a reader of live
// rows may see them come: what others point at before what points. Each section
// is in order of its keys, so that the same blocks give the same ops.
func (b *batch) finish() ([]Op, error) {
	counts, err := b.blockCounts()
	if err != nil {
		return nil, err
	}
	var buckets []Op
	for _, d := range b.buckets {
		if d.dirty {
			buckets = append(buckets, sealed(d.key, dict{keyLen: b.dicts.keyLen(d.key.partition[0])}.encode(d.bucket)))
		}
	}
	slices.SortFunc(buckets, func(x, y Op) int { return -compareOps(x, y) }) // children of a split before it
	ops := slices.Concat(sorted(b.groups), sorted(b.payeeOps()), sorted(b.listOps()), sorted(b.fixed), sorted(b.recordOps()), sorted(counts), buckets, b.homeOps())
	return ops, nil
}

func (b *batch) payeeOps() []Op {
	var ops []Op
	for ref, p := range b.payees {
		if p.dirty {
			ops = append(ops, sealed(payeesKey(ref.addr, ref.asset), p.encode()))
		}
	}
	return ops
}

func (b *batch) listOps() []Op {
	var ops []Op
	for ref, list := range b.lists {
		if list.dirty {
			ops = append(ops, sealed(listKey(ref.table, ref.row*perRow), encodeList(list.entries)))
		}
	}
	return ops
}

func (b *batch) recordOps() []Op {
	var ops []Op
	for pos, rec := range b.records {
		if rec.dirty {
			ops = append(ops, sealed(b.recordKey(pos, 0), rec.encode(pos)))
		}
	}
	for ref, part := range b.parts {
		if part.dirty {
			var e encoder
			encodeOutputs(&e, part.outputs, ref.pos)
			ops = append(ops, sealed(b.recordKey(ref.pos, ref.part), e.b))
		}
	}
	return ops
}

func (b *batch) homeOps() []Op {
	var ops []Op
	for addr, h := range b.homes {
		if h.grown && len(h.assets) > 1 {
			var e encoder
			e.uint(uint64(len(h.assets)))
			for _, id := range h.assets {
				e.uint(id)
			}
			ops = append(ops, sealed(assetsKey(addr), e.b))
		}
		for i, a := range h.accounts {
			if i > 0 && a != nil && a.dirty {
				var e encoder
				a.encode(&e)
				ops = append(ops, sealed(accountKey(addr, a.asset), e.b))
			}
		}
		if h.dirty || len(h.accounts) > 0 && h.accounts[0].dirty {
			row := home{assets: uint64(len(h.assets))}
			if row.assets > 0 {
				row.first = h.accounts[0].account
			}
			ops = append(ops, sealed(homeKey(addr), row.encode()))
		}
	}
	// The home row vouches for the others: it comes last within an address, and
	// all home rows sort first, so they are moved behind.
	slices.SortStableFunc(sorted(ops), func(x, y Op) int { return cmp.Compare(isHome(y), isHome(x)) })
	return ops
}

func isHome(op Op) int {
	if bytes.Equal(op.Sort, be64(0)) {
		return 0
	}
	return 1
}

// blockCounts raises the number of blocks of each bucket.
func (b *batch) blockCounts() ([]Op, error) {
	var ops []Op
	for bucket, more := range b.blocks {
		held, err := loadCount(b.rows, bucket)
		if err != nil {
			return nil, err
		}
		var e encoder
		e.uint(held + more)
		ops = append(ops, sealed(blocksKey(bucket), e.b))
	}
	return ops, nil
}

// loadCount returns the number of blocks in a bucket of heights.
func loadCount(r rows, bucket uint64) (uint64, error) {
	value, err := r.row(blocksKey(bucket))
	if errors.Is(err, ErrAbsent) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	in := decoder{b: value}
	n := in.uint()
	return n, in.end("block count")
}

func sealed(k key, value []byte) Op {
	return Op{Partition: k.partition, Sort: k.sort, Value: seal(k, value)}
}

func compareOps(x, y Op) int {
	return cmp.Or(bytes.Compare(x.Partition, y.Partition), bytes.Compare(x.Sort, y.Sort))
}

func sorted(ops []Op) []Op {
	slices.SortFunc(ops, compareOps)
	return ops
}
