package behavior

import (
	"context"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// Gas is what an exchange gives its deposit address, so that this can sweep.
type Gas struct {
	From ledger.Address
	Kind string // "energy" or "TRX"
	Tx   ledger.TxID
	Pos  ledger.Position
}

// String goes on in a sentence about the deposit address; empty for none.
func (g *Gas) String() string {
	if g == nil {
		return ""
	}
	return fmt.Sprintf(" and has its %s from %s in %s", g.Kind, g.From, g.Tx)
}

// signed looks for the deposit signature of TRON: at least half of the sweeps take
// exactly the USDT that the address holds, and before the last of those it is given
// energy or TRX by an address of the exchange that it is swept to.
func (d *Deposit) signed(ctx context.Context, idx Index, all *history) error {
	usdt, _ := ledger.AssetBySymbol(d.Address.Chain, "USDT")
	d.Pairs, d.carried = nil, 0
	if d.Address.Chain.Family() != ledger.FamilyTRON || all.of.Asset != usdt {
		return nil
	}
	pairs, exact := all.emptied()
	if len(exact) == 0 {
		return nil
	}
	gas, err := d.gas(ctx, idx, exact[len(exact)-1].At)
	if err != nil || gas == nil {
		return err
	}
	d.Heuristic, d.Gas, d.Pairs, d.carried = DepositSignature, gas, pairs, len(exact)
	return nil
}

// ExactSweeps returns how many payments of a holder there are, and how many of them
// take exactly what it is known to hold, if they all go to one exchange: the half of
// the deposit signature that transfers of USDT alone can show.
func ExactSweeps(ctx context.Context, idx Index, h ledger.Holder) (exact, of int, err error) {
	if known, err := labelled(ctx, idx, h.Address, tracer.ServesMany); err != nil || known {
		return 0, 0, err
	}
	all, _, err := past(ctx, idx, h)
	if err != nil {
		return 0, 0, err
	}
	_, swept, err := sweeps(ctx, idx, &all)
	if err != nil || swept == nil {
		return 0, 0, err
	}
	_, emptied := all.emptied()
	return len(emptied), len(swept), nil
}

// emptied returns the payments that take exactly what the holder is known to hold,
// and with each those that it was paid since the payment before it. Dust is swept, too.
func (h *history) emptied() (pairs []Pair, exact []Seen) {
	var balance ledger.Amount
	var since []Seen
	for _, s := range h.events {
		if h.in(s) {
			balance = sum(balance, s.Amount)
			if h.counts(s) && !s.From.IsZero() {
				since = append(since, s)
			}
			continue
		}
		if h.counts(s) && s.Amount == balance {
			exact = append(exact, s)
			for _, in := range since {
				pairs = append(pairs, Pair{in, s})
			}
		}
		// What is unknown of the past shows as a payment of more than there is.
		balance, since = balance.SubFloor(s.Amount), nil
	}
	return pairs, exact
}

// gas finds the first energy or TRX that an address of the exchange gave before a point.
func (d *Deposit) gas(ctx context.Context, idx Index, before ledger.Point) (*Gas, error) {
	lent, err := d.energy(ctx, idx, before)
	if err != nil {
		return nil, err
	}
	h := ledger.Holder{Address: d.Address, Asset: ledger.NativeAsset(d.Address.Chain)}
	n := 0
	for e, err := range idx.Events(ctx, h, ledger.Point{}) {
		if err != nil {
			return nil, err
		}
		if n++; n > MaxEvents || !e.At.Before(before) || lent != nil && lent.Pos <= e.At.Pos {
			break
		}
		if e.From == d.Address || e.From.IsZero() {
			continue
		}
		tx, err := idx.TxAt(ctx, d.Address.Chain, e.At.Pos)
		if err != nil {
			return nil, err
		}
		if is, err := d.of(ctx, idx, e.From, tx.Time); err != nil || is {
			return &Gas{e.From, "TRX", tx.ID, tx.Pos}, err
		}
	}
	return lent, nil
}

func (d *Deposit) energy(ctx context.Context, idx Index, before ledger.Point) (*Gas, error) {
	n := 0
	for note, err := range idx.Notices(ctx, d.Address, ledger.Point{}) {
		if err != nil {
			return nil, err
		}
		if n++; n > MaxEvents || !note.At.Before(before) {
			break
		}
		if !lends(note) || note.Peer != d.Address {
			continue
		}
		if is, err := d.of(ctx, idx, note.Account, note.Time); err != nil || is {
			return &Gas{note.Account, "energy", note.Tx, note.At.Pos}, err
		}
	}
	return nil, nil //nolint:nilnil // none
}

// of reports an address that the deposits are swept to, or of the same exchange.
func (d *Deposit) of(ctx context.Context, idx Index, a ledger.Address, at int64) (bool, error) {
	for _, s := range d.swept {
		if s.To == a {
			return true, nil
		}
	}
	tag, is, err := exchange(ctx, idx, a, at)
	return is && sameExchange(tag, d.Exchange), err
}

// lends reports energy lent. Bandwidth pays for no contract call.
func lends(n ledger.Noted) bool { return n.Kind == ledger.NoticeDelegated && n.Ref == "energy" }
