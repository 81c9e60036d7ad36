package store

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// MergeBlocks merges two series of blocks, each in order of height, into one.
// A block that both have comes once, as the one that knows more of its coins;
// different blocks at one height are an error that names both.
func MergeBlocks(a, b iter.Seq2[*ledger.Block, error]) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		nextA, stopA := iter.Pull2(a)
		defer stopA()
		nextB, stopB := iter.Pull2(b)
		defer stopB()
		x, errX, okX := nextA()
		y, errY, okY := nextB()
		for okX || okY {
			if err := errors.Join(errX, errY); err != nil {
				yield(nil, err)
				return
			}
			var out *ledger.Block
			takeX := okX && (!okY || x.Ref.Height <= y.Ref.Height)
			takeY := okY && (!okX || y.Ref.Height <= x.Ref.Height)
			switch {
			case takeX && takeY && x.Ref.Hash != y.Ref.Hash:
				yield(nil, fmt.Errorf("store: height %d: blocks %s and %s: %w", x.Ref.Height, x.Ref.Hash, y.Ref.Hash, ErrDeepReorg))
				return
			case takeX && takeY:
				out = fuller(x, y)
			case takeX:
				out = x
			default:
				out = y
			}
			if !yield(out, nil) {
				return
			}
			if takeX {
				x, errX, okX = nextA()
			}
			if takeY {
				y, errY, okY = nextB()
			}
		}
	}
}

// fuller picks between two forms of one block: fewer unknown coins, then the
// better grade, then the one whose source lacks less, then the first. A raw form
// is taken from either.
func fuller(a, b *ledger.Block) *ledger.Block {
	pick, other := a, b
	if cmp.Or(cmp.Compare(unknownInputs(b), unknownInputs(a)), cmp.Compare(b.Grade, a.Grade), cmp.Compare(lacks(b), lacks(a))) < 0 {
		pick, other = b, a
	}
	if len(pick.Raw) == 0 && len(other.Raw) > 0 {
		c := *pick
		c.Raw = other.Raw
		return &c
	}
	return pick
}

// lacks counts what the block's source could not give.
func lacks(b *ledger.Block) int {
	if b.Partial == "" {
		return 0
	}
	return 1 + strings.Count(b.Partial, " and ")
}

func unknownInputs(b *ledger.Block) (n int) {
	for i := range b.Txs {
		for j := range b.Txs[i].Inputs {
			if !b.Txs[i].Coinbase && !b.Txs[i].Inputs[j].Known {
				n++
			}
		}
	}
	return n
}
