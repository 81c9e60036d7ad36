package entities

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// builder adds blocks to a layer, in chain order.
type builder struct {
	chain   ledger.Chain
	forests [2]*forest
	links   uint64
}

func newBuilder(c ledger.Chain, l *layer, links uint64) *builder {
	b := &builder{chain: c, links: links}
	for t := range b.forests {
		b.forests[t] = newForest(c, ledger.Tier(t), l, &b.links)
	}
	return b
}

// block adds one block. All joins are made first, then what the block moved is
// booked, so that the order of unrelated transactions inside it changes nothing.
func (b *builder) block(ctx context.Context, snap *store.Snapshot, height uint64) error {
	var txs []ledger.Tx
	var exact, change []ledger.Join
	past := before{ctx, snap, b.chain}
	for tx, err := range snap.BlockTxs(ctx, b.chain, height) {
		if err != nil {
			return err
		}
		joins, err := cluster.Joins(&tx, past)
		if err != nil {
			return err
		}
		for _, j := range joins {
			if j.Tier == ledger.TierExact {
				exact = append(exact, j)
			} else {
				change = append(change, j)
			}
		}
		txs = append(txs, tx)
	}
	// The guard of T1 looks at sizes: by hash, the order in the block is no matter.
	slices.SortStableFunc(change, func(x, y ledger.Join) int {
		return cmp.Or(bytes.Compare(x.Tx[:], y.Tx[:]), x.B.Compare(y.B))
	})
	for t, f := range b.forests {
		f.height = height
		joins := exact
		if t > 0 {
			joins = slices.Concat(exact, change)
		}
		for i := range joins {
			if err := f.join(ctx, snap, &joins[i]); err != nil {
				return err
			}
		}
		for i := range txs {
			if err := f.bookTx(&txs[i]); err != nil {
				return err
			}
		}
		f.finish()
	}
	return nil
}

func (f *forest) bookTx(tx *ledger.Tx) error {
	for i := range tx.Inputs {
		if in := &tx.Inputs[i]; in.Known && !in.Value.IsZero() {
			if err := f.book(in.Address, false, in.Value, tx.Pos); err != nil {
				return err
			}
		}
	}
	for i := range tx.Outputs {
		if out := &tx.Outputs[i]; !out.Value.IsZero() {
			if err := f.book(out.Address, true, out.Value, tx.Pos); err != nil {
				return err
			}
		}
	}
	return nil
}

// before is the past of a transaction, as the snapshot holds it.
type before struct {
	ctx   context.Context //nolint:containedctx // of one block
	snap  *store.Snapshot
	chain ledger.Chain
}

// TxAt implements cluster.Before.
func (p before) TxAt(pos ledger.Position) (*ledger.Tx, error) {
	tx, err := p.snap.TxAt(p.ctx, p.chain, pos)
	return &tx, err
}

// Seen implements cluster.Before.
func (p before) Seen(a ledger.Address, pos ledger.Position) (bool, error) {
	for e, err := range p.snap.Events(p.ctx, ledger.Holder{Address: a, Asset: ledger.NativeAsset(p.chain)}, ledger.Point{}) {
		return err == nil && e.At.Pos < pos, err
	}
	return false, nil
}
