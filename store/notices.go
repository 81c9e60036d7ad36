package store

import (
	"context"
	"iter"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Notices yields what was noted of an account, or under a ref
// (ledger.RefAddress), strictly after a point, in total order.
func (s *Snapshot) Notices(ctx context.Context, subject ledger.Address, after ledger.Point) iter.Seq2[ledger.Noted, error] {
	return func(yield func(ledger.Noted, error) bool) {
		for e, err := range s.Events(ctx, ledger.Holder{Address: subject, Asset: ledger.NoticeAsset(subject.Chain)}, after) {
			var n ledger.Noted
			if err == nil {
				n, err = s.noticeAt(ctx, subject.Chain, e.At)
			}
			if !yield(n, err) || err != nil {
				return
			}
		}
	}
}

func (s *Snapshot) noticeAt(ctx context.Context, c ledger.Chain, at ledger.Point) (ledger.Noted, error) {
	tx, err := s.TxAt(ctx, c, at.Pos)
	if err != nil {
		return ledger.Noted{}, err
	}
	for _, n := range tx.Notices {
		if n.Slot == at.Slot {
			return ledger.Noted{Notice: n, Tx: tx.ID, At: at, Time: tx.Time}, nil
		}
	}
	return ledger.Noted{}, corrupt("transaction %s has no notice at slot %d", tx.ID, at.Slot)
}

// Clock returns the running maximum of block times (Unix milliseconds, never
// below 0) up to a height: it is stored with each block. 0 below the first block
// that is held.
func (s *Snapshot) Clock(_ context.Context, c ledger.Chain, height uint64) (int64, error) {
	v, err := s.of(c)
	if err != nil {
		return 0, err
	}
	if height >= v.asOf.ref.Height {
		return v.asOf.clock, nil
	}
	for _, y := range slices.Backward(v.held) {
		if y.at.ref.Height <= height {
			return y.at.clock, nil
		}
	}
	row, err := v.block(height)
	if err == nil && row == nil {
		row, err = v.blockBelow(v.reader, height)
	}
	if err != nil || row == nil {
		return 0, err
	}
	return row.clock, nil
}
