package store

import (
	"context"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// place handles a block that does not simply follow the tip.
func (w *appender) place(ctx context.Context, b *ledger.Block) error {
	s := w.current()
	held, err := w.isHeld(s, b.Ref)
	if err != nil || held {
		return err
	}
	if y := s.held[b.Ref.Hash]; y != nil {
		if chain, err := chainTo(s.held, y.at, s.head.folded); err == nil {
			return w.moveTip(ctx, s, chain)
		}
	}
	if chain, ok := s.branch(b); ok {
		if inGap(s.chain, len(chain), b) {
			return w.misplaced(s, b)
		}
		return w.addYoung(ctx, b, chain)
	}
	if b.Ref.Height > s.head.tip.ref.Height+1 {
		return w.extend(ctx, b)
	}
	return w.misplaced(s, b)
}

// branch returns the overlay blocks up to the parent of a block, none when that
// is the last block of the base; false when the parent is neither.
func (s *state) branch(b *ledger.Block) ([]*young, bool) {
	if y := s.held[b.Parent]; y != nil && y.at.ref.Height+1 == b.Ref.Height {
		chain, err := chainTo(s.held, y.at, s.head.folded)
		return chain, err == nil
	}
	f := s.head.folded
	return nil, f.set && b.Parent == f.ref.Hash && f.ref.Height+1 == b.Ref.Height
}

// inGap reports a block that replaces nothing: it lies between its parent, the
// n-th block of the chain, and one that came with a gap below it.
func inGap(chain []*young, n int, b *ledger.Block) bool {
	if n >= len(chain) || n > 0 && chain[n-1].at.ref.Hash != b.Parent || chain[0].prev.ref.Hash != b.Parent && n == 0 {
		return false
	}
	next := chain[n].block
	return next.Parent != b.Parent && next.Ref.Height > b.Ref.Height
}

// isHeld reports a block that is on the chain of the tip already.
func (w *appender) isHeld(s state, ref ledger.BlockRef) (bool, error) {
	for _, y := range s.chain {
		if y.at.ref.Height == ref.Height {
			return y.at.ref.Hash == ref.Hash, nil
		}
	}
	row, err := w.baseBlock(s, ref.Height)
	if err != nil || row == nil {
		return false, err
	}
	return row.block.Ref.Hash == ref.Hash, nil
}

func (w *appender) baseBlock(s state, height uint64) (*blockRow, error) {
	r, done := w.kv.View()
	defer done()
	return newBase(r, &s.head, ^ledger.Position(0)).block(height)
}

// misplaced says why a block cannot be taken.
func (w *appender) misplaced(s state, b *ledger.Block) error {
	row, err := w.baseBlock(s, b.Ref.Height)
	switch {
	case err != nil:
		return err
	case row != nil:
		return fmt.Errorf("store: block %s at height %d, where the index holds %s: %w", b.Ref.Hash, b.Ref.Height, row.block.Ref.Hash, ErrDeepReorg)
	case b.Ref.Height > s.head.tip.ref.Height:
		return fmt.Errorf("store: block %s at height %d has parent %s, the index holds %s: %w", b.Ref.Hash, b.Ref.Height, b.Parent, s.head.tip.ref.Hash, ErrUnlinked)
	case len(s.chain) > 0 && b.Ref.Height >= s.chain[0].at.ref.Height && !s.gapAt(b.Ref.Height):
		return fmt.Errorf("store: block %s at height %d: its parent %s is not held: %w", b.Ref.Hash, b.Ref.Height, b.Parent, ErrUnlinked)
	}
	return fmt.Errorf("store: block %s at height %d, tip %d: %w", b.Ref.Hash, b.Ref.Height, s.head.tip.ref.Height, ErrBackfill)
}

// gapAt reports a height below the tip at which no block is held.
func (s *state) gapAt(height uint64) bool {
	for _, y := range s.chain {
		if y.at.ref.Height == height {
			return false
		}
	}
	return height < s.head.tip.ref.Height
}
