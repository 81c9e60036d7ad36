package store

import (
	"context"
	"fmt"
	"maps"

	"github.com/spoortrace/spoor/ledger"
)

// addYoung puts a block on top of a chain of the overlay, makes it the tip and
// folds what has become final.
func (w *appender) addYoung(ctx context.Context, b *ledger.Block, chain []*young) error {
	s := w.current()
	if w.o.MaxOverlay > 0 && len(chain) >= max(w.o.MaxOverlay, int(w.bound)+1) {
		return fmt.Errorf("store: block %d: the last final block is %d, %d wait: %w", b.Ref.Height, s.head.folded.ref.Height, len(chain), ErrStalled)
	}
	prev := s.head.folded
	if len(chain) > 0 {
		prev = chain[len(chain)-1].at
	}
	raw := b.Raw
	y, err := w.young(b, s, prev, chain)
	if err != nil {
		return fmt.Errorf("store: block %d: %w", b.Ref.Height, err)
	}
	if err := w.room(uint64(len(raw))); err != nil {
		return err
	}
	if y.raw, err = w.raw.put(raw, w.o.KeepRaw); err != nil {
		return err
	}
	if err := w.raw.sync(); err != nil {
		return err
	}
	ops := y.ops()
	if err := w.room(opsSize(ops)); err != nil {
		return err
	}
	if err := w.kv.Write(ctx, ops); err != nil {
		return fmt.Errorf("store: block %d: %w", b.Ref.Height, err)
	}
	held := maps.Clone(s.held)
	if held == nil {
		held = map[ledger.Hash]*young{}
	}
	held[y.at.ref.Hash] = y
	s.held = held
	return w.moveTip(ctx, s, append(chain[:len(chain):len(chain)], y))
}

// young resolves a block against a chain of the overlay and the base below it.
func (w *appender) young(b *ledger.Block, s state, prev mark, chain []*young) (*young, error) {
	r, done := w.kv.View()
	defer done()
	y := newYoung(b, prev)
	below := newBase(r, &s.head, ^ledger.Position(0))
	below.memo = w.memoOf(&s.head)
	from := newOverlayCoins(below, s.layers.of(chain), chain, y)
	for i := range b.Txs {
		if _, err := resolve(&b.Txs[i], from); err != nil {
			return nil, err
		}
		y.index(i, &b.Txs[i])
	}
	y.close()
	return y, nil
}

// moveTip publishes the last block of a chain as the tip.
func (w *appender) moveTip(ctx context.Context, s state, chain []*young) error {
	next := s.head
	next.tip = chain[len(chain)-1].at
	next.rawSegment, next.rawEnd = w.raw.segment, w.raw.end
	if err := w.publish(ctx, next, chain, s.held); err != nil {
		return err
	}
	w.report()
	return w.fold(ctx)
}
