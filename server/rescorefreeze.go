package server

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/tracer/risk"
)

// noticed raises what the ledger itself says of a watched address: that an
// issuer blocked it or no longer does, and that its money moved.
func (r *rescorer) noticed(ctx context.Context, tenant string, v *view, n *news, w *screening.Watch, height uint64) error {
	a, err := ledger.ParseQualified(w.Address)
	if err != nil {
		return err
	}
	alert := screening.Alert{Address: w.Address, Network: string(a.Chain), Notify: w.Notify}
	if x, ok := n.frozen[w.Address]; ok {
		alert.Type, alert.Level, alert.Rule = "ISSUER_FREEZE", risk.High.String(), hashText(a.Chain, x.Tx)
		alert.Message = "blocked by the issuer of " + ledger.InfoOf(x.Asset).Symbol
		if x.Kind == ledger.NoticeUnfrozen {
			alert.Level, alert.Message = risk.Low.String(), "no longer blocked by the issuer of "+ledger.InfoOf(x.Asset).Symbol
		}
		if err := r.raise(ctx, tenant, alert, &spoorv1.Alert{}, v); err != nil {
			return err
		}
	}
	if r.store.Own(tenant)[w.Address] {
		return nil // an exchange's own money moves all the time
	}
	heights := []uint64{height}
	if extent, err := v.Extent(a.Chain); err == nil && extent.Fetched {
		if heights, err = active(ctx, v, a, w.Since[string(a.Chain)]); err != nil {
			return err
		}
	}
	for _, height := range heights {
		if height == 0 {
			continue
		}
		tx, moved, err := paidOut(ctx, v, a, height)
		if err != nil {
			return err
		}
		if !moved {
			continue
		}
		alert.Type, alert.Level, alert.Rule = "BALANCE_MOVED", risk.Low.String(), hashText(a.Chain, tx)
		alert.Message = "paid out in transaction " + alert.Rule
		if err := r.raise(ctx, tenant, alert, &spoorv1.Alert{}, v); err != nil {
			return err
		}
	}
	return nil
}

// active are the heights above one at which an address has transactions: what is
// fetched does not come block by block.
func active(ctx context.Context, v *view, a ledger.Address, since uint64) ([]uint64, error) {
	assets, _, err := v.LatestAssets(ctx, a, watchedAssets)
	if err != nil {
		return nil, err
	}
	var all []uint64
	for _, asset := range assets {
		for e, err := range v.Events(ctx, ledger.Holder{Address: a, Asset: asset}, ledger.Point{Pos: ledger.At(since+1, 0) - 1, Slot: math.MaxUint32}) {
			if err != nil {
				return nil, err
			}
			all = append(all, e.At.Pos.Height())
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// paidOut finds the first transaction of a block by which an address paid.
func paidOut(ctx context.Context, v *view, a ledger.Address, height uint64) (ledger.TxID, bool, error) {
	for tx, err := range v.BlockTxs(ctx, a.Chain, height) {
		if err != nil {
			return ledger.TxID{}, false, err
		}
		for _, in := range tx.Inputs {
			if in.Address == a {
				return tx.ID, true, nil
			}
		}
		for _, t := range tx.Transfers {
			if t.From == a && t.To != a && t.Status != ledger.StatusFailed && !t.Amount.IsZero() {
				return tx.ID, true, nil
			}
		}
	}
	return ledger.TxID{}, false, nil
}

// noted reports whether the transaction that an alert is of is still held.
func (s *screenService) noted(ctx context.Context, v *view, a ledger.Address, alert *screening.Alert) (bool, error) {
	id, err := ledger.ParseTxID(strings.TrimPrefix(alert.Rule, "0x"))
	if err != nil {
		return false, fmt.Errorf("alert %s: %w: %w", alert.ID, err, ledger.ErrCorrupt)
	}
	txs, err := v.FindTx(ctx, a.Chain, id)
	return len(txs) > 0, ignoreAbsent(err)
}
