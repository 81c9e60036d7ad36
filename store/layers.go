package store

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// layers find the blocks of an overlay chain that know of something without
// asking each of them: a layer of several blocks keeps, by a hash of what they
// know, which of them that may be. The block itself decides. Eight layers of one
// size become one of the next: a lookup asks some ten layers for a hundred
// blocks, and a block's hashes are copied twice at most. Layers are never changed.
type layers []layer

type layer struct {
	blocks []*young
	where  map[uint64]uint64 // bit i: block i may know; nil: a single block
}

// The sizes of layers are 1, layerGrowth and layerMost, which is the number of bits in a mask.
const (
	layerGrowth = 8
	layerMost   = 64
)

// of returns the layers of a chain, of which a part is that of ls: some blocks
// at its beginning may have been folded, some at its end replaced.
func (ls layers) of(chain []*young) layers {
	var kept layers
	rest := chain
	for _, l := range ls {
		live := l.blocks
		for len(kept) == 0 && len(live) > 0 && len(rest) > 0 && live[0] != rest[0] {
			live = live[1:]
		}
		if len(kept) == 0 && len(live) == 0 {
			continue
		}
		if len(live) > len(rest) || !slices.Equal(live, rest[:len(live)]) {
			break
		}
		kept, rest = append(kept, l), rest[len(live):]
	}
	for _, y := range rest {
		kept = append(kept, layer{blocks: []*young{y}}).merged()
	}
	return kept
}

// merged joins the last layers for as long as there are enough of one size.
func (ls layers) merged() layers {
	for {
		n := len(ls)
		if n < layerGrowth {
			return ls
		}
		last := ls[n-layerGrowth:]
		size := len(last[0].blocks)
		if size == layerMost || slices.ContainsFunc(last, func(l layer) bool { return len(l.blocks) != size }) {
			return ls
		}
		ls = append(ls[:n-layerGrowth:n-layerGrowth], joined(last))
	}
}

func joined(ls layers) layer {
	all := layer{where: map[uint64]uint64{}}
	for _, l := range ls {
		shift := len(all.blocks)
		for k, mask := range l.where {
			all.where[k] |= mask << shift
		}
		if l.where == nil {
			l.blocks[0].keys(func(k uint64) { all.where[k] |= 1 << shift })
		}
		all.blocks = append(all.blocks, l.blocks...)
	}
	return all
}

// find yields the blocks from one height to another, both included, that may
// know of a key, ascending.
func (ls layers) find(k uint64, from, to uint64) func(yield func(*young) bool) {
	return func(yield func(*young) bool) {
		for _, l := range ls {
			if l.blocks[len(l.blocks)-1].at.ref.Height < from {
				continue
			}
			mask := uint64(1)
			if l.where != nil {
				mask = l.where[k]
			}
			for ; mask != 0; mask &= mask - 1 {
				y := l.blocks[bits.TrailingZeros64(mask)]
				if h := y.at.ref.Height; from <= h && h <= to && !yield(y) {
					return
				}
			}
		}
	}
}

// keys hands out the keys of all that a block knows; some come more than once.
func (y *young) keys(add func(uint64)) {
	for id := range y.byTx {
		add(txHint(id))
	}
	for ref := range y.spends {
		add(coinHint(ref))
	}
	for _, p := range y.parties {
		add(p.hint)
	}
}

func txHint(id ledger.TxID) uint64 { return binary.LittleEndian.Uint64(id[:]) }

func coinHint(r coinRef) uint64 { return (uint64(r.pos) ^ uint64(r.index)<<40) * fnvPrime }

// addressHint is FNV-1a of the payload.
func addressHint(a ledger.Address) uint64 {
	h := uint64(fnvOffset)
	for i := range len(a.Payload) {
		h = (h ^ uint64(a.Payload[i])) * fnvPrime
	}
	return h
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)
