package server

import (
	"context"
	"fmt"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/tracer/risk"
)

// noticed raises what the ledger itself says of a watched address: that an
// issuer blocked it or no longer does, and that its money moved.
func (r *rescorer) noticed(ctx context.Context, tenant string, v *view, n *news, address string, height uint64) error {
	a, err := ledger.ParseQualified(address)
	if err != nil {
		return err
	}
	alert := screening.Alert{Address: address, Network: string(a.Chain)}
	if x, ok := n.frozen[address]; ok {
		alert.Type, alert.Level, alert.Rule = "ISSUER_FREEZE", risk.High.String(), hashText(a.Chain, x.Tx)
		alert.Message = "blocked by the issuer of " + ledger.InfoOf(x.Asset).Symbol
		if x.Kind == ledger.NoticeUnfrozen {
			alert.Level, alert.Message = risk.Low.String(), "no longer blocked by the issuer of "+ledger.InfoOf(x.Asset).Symbol
		}
		if err := r.raise(ctx, tenant, alert, &spoorv1.Alert{}, v); err != nil {
			return err
		}
	}
	if height == 0 || r.store.Own(tenant)[address] {
		return nil // an exchange's own money moves all the time
	}
	tx, moved, err := paidOut(ctx, v, a, height)
	if err != nil || !moved {
		return err
	}
	alert.Type, alert.Level, alert.Rule = "BALANCE_MOVED", risk.Low.String(), hashText(a.Chain, tx)
	alert.Message = "paid out in transaction " + alert.Rule
	return r.raise(ctx, tenant, alert, &spoorv1.Alert{}, v)
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
