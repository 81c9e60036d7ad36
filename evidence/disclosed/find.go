package disclosed

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/ledger"
)

// errUnfit says that a row cannot be joined to its transaction.
var errUnfit = errors.New("it is not joined")

// find returns the one transfer of a transaction that a row is about: of its
// asset, to its address where the row has one, and of its amount. A service may
// credit less than came, and pay out less than it charged.
func (x *Index) find(ctx context.Context, m movement) (*leg, error) {
	id, err := ledger.ParseTxID(m.Tx)
	if err != nil {
		return nil, err
	}
	txs, err := x.Base.FindTx(ctx, m.Network, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, fmt.Errorf("the index does not hold %s:%s: %w", m.Network, m.Tx, errUnfit)
	}
	if err != nil {
		return nil, err
	}
	var fit, exact []leg
	for _, tx := range txs {
		for _, t := range transfers(tx) {
			if !m.about(t) {
				continue
			}
			units, err := scaled(t.Amount, ledger.InfoOf(t.Asset).Decimals, cases.ReturnDecimals(m.Asset))
			if err != nil {
				return nil, err
			}
			less, more := units, m.units
			if m.Kind == cases.Deposit {
				less, more = m.units, units
			}
			if units == m.units {
				exact = append(exact, leg{tx, t})
			} else if less.Less(more) {
				fit = append(fit, leg{tx, t})
			}
		}
	}
	if len(exact) == 0 {
		exact = fit
	}
	if len(exact) != 1 {
		return nil, fmt.Errorf("%d of the transfers of %s:%s are of its asset, address and amount: %w", len(exact), m.Network, m.Tx, errUnfit)
	}
	return &exact[0], nil
}

// transfers are what a transaction pays; of coins, each output as from and to
// its owner.
func transfers(tx ledger.Tx) []ledger.Transfer {
	if tx.Status == ledger.StatusFailed {
		return nil
	}
	all := make([]ledger.Transfer, 0, len(tx.Transfers)+len(tx.Outputs))
	for _, t := range tx.Transfers {
		if t.Status != ledger.StatusFailed && !t.Amount.IsZero() && t.Kind != ledger.TransferFee {
			all = append(all, t)
		}
	}
	for i, o := range tx.Outputs {
		all = append(all, ledger.Transfer{Index: uint32(i), Slot: uint32(i), From: o.Address, To: o.Address, Asset: ledger.NativeAsset(tx.Chain), Amount: o.Value})
	}
	return all
}

// about reports that a transfer is of the row's asset and to its address.
func (m *movement) about(t ledger.Transfer) bool {
	info := ledger.InfoOf(t.Asset)
	return info.Known && strings.EqualFold(info.Symbol, m.Asset) && (m.Address == "" || t.To.String() == m.Address)
}

// scaled writes an amount with other decimals; what would be lost is rounded down
// only where there are fewer.
func scaled(a ledger.Amount, from, to int) (ledger.Amount, error) {
	text := a.String()
	if to >= from {
		return ledger.ParseAmount(text + strings.Repeat("0", to-from))
	}
	if cut := from - to; len(text) > cut {
		return ledger.ParseAmount(text[:len(text)-cut])
	}
	return ledger.Amount{}, nil
}
