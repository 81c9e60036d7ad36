package tracer

import (
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Exchange is a swap or a wrap inside one transaction (method, Crossings): all of one
// asset that its pools took from one address, for all of another that one was paid.
// Where it is Unsure there are pools, and who was paid for what cannot be said: of the
// other fields only Gave is set.
type Exchange struct {
	Unsure bool
	From   ledger.Address
	Gave   ledger.Asset
	In     ledger.Amount
	First  uint32 // slot of the first transfer by which From paid
	To     ledger.Address
	Got    ledger.Asset
	Out    ledger.Amount
	Last   uint32 // slot of the last transfer that paid To

	pools map[ledger.Address]bool // those that take what was given
	whole bool                    // From paid nobody else of it, and got none back
}

// Exchanges are those of one transaction.
type Exchanges struct {
	table *netTable
	all   []Exchange
}

// ExchangesOf reads the net table of a transaction; nil where it moves one asset only.
func ExchangesOf(tx *ledger.Tx) *Exchanges {
	if !manyAssets(tx) {
		return nil
	}
	x := &Exchanges{table: newNetTable(tx)}
	var seen []ledger.Asset
	for i := range x.table.legs {
		asset := x.table.legs[i].Asset
		if slices.Contains(seen, asset) {
			continue
		}
		seen = append(seen, asset)
		if s := x.table.swapOf(asset); s != nil {
			x.all = append(x.all, x.table.exchange(s, asset))
		}
	}
	return x
}

func manyAssets(tx *ledger.Tx) bool {
	first := -1
	for i := range tx.Transfers {
		t := &tx.Transfers[i]
		switch {
		case t.Kind == ledger.TransferFee || t.Amount.IsZero():
		case first < 0:
			first = i
		case t.Asset != tx.Transfers[first].Asset:
			return true
		}
	}
	return false
}

func (t *netTable) exchange(s *swap, gave ledger.Asset) Exchange {
	if s.unsure {
		return Exchange{Unsure: true, Gave: gave, pools: s.pools}
	}
	e := Exchange{From: s.from, Gave: gave, In: s.in, To: s.to, Got: s.asset, Out: s.out, Last: s.leg.Slot, pools: s.pools, whole: true}
	var paid ledger.Amount
	for i := range t.legs {
		l := &t.legs[i]
		if l.Asset != gave {
			continue
		}
		if l.From == s.from {
			if paid.IsZero() {
				e.First = l.Slot
			}
			paid = paid.Plus(l.Amount)
		}
		e.whole = e.whole && l.To != s.from
	}
	e.whole = e.whole && paid == s.in
	return e
}

// Into returns the exchange that the transfer at a slot goes into; nil: none. What one
// pays to a router on its way there goes in, too.
func (x *Exchanges) Into(slot uint32) *Exchange {
	if x == nil {
		return nil
	}
	leg := x.leg(slot)
	for i := range x.all {
		e := &x.all[i]
		if leg == nil || e.Gave != leg.Asset {
			continue
		}
		if e.pools[leg.To] && !e.pools[leg.From] || e.whole && leg.From == e.From {
			return e
		}
	}
	return nil
}

// OutOf returns the exchange that the transfer at a slot came out of; nil: none.
func (x *Exchanges) OutOf(slot uint32) *Exchange {
	if x == nil {
		return nil
	}
	leg := x.leg(slot)
	if leg == nil {
		return nil
	}
	var unsure *Exchange
	for i := range x.all {
		e := &x.all[i]
		if !e.Unsure && e.Got == leg.Asset && e.To == leg.To {
			return e
		}
		if e.Unsure && e.Gave != leg.Asset && e.pools[leg.From] && x.table.lost(leg.From, leg.Asset) {
			unsure = e
		}
	}
	return unsure
}

func (x *Exchanges) leg(slot uint32) *ledger.Transfer {
	i := slices.IndexFunc(x.table.legs, func(l ledger.Transfer) bool { return l.Slot == slot })
	if i < 0 {
		return nil
	}
	return &x.table.legs[i]
}

// lost reports that an address ended with less of an asset.
func (t *netTable) lost(a ledger.Address, asset ledger.Asset) bool {
	return slices.ContainsFunc(t.nets[a], func(n net) bool { return n.asset == asset && !n.out.IsZero() })
}

// BridgeLeg returns the notice by which a transfer was left to a bridge
// (ledger.NoticeBridgeOut), or by which a bridge paid it (ledger.NoticeBridgeIn).
func BridgeLeg(tx *ledger.Tx, t *ledger.Transfer, kind ledger.NoticeKind) (ledger.Notice, bool) {
	who := t.From
	if kind == ledger.NoticeBridgeIn {
		who = t.To
	}
	var found ledger.Notice
	ok := false
	for _, n := range tx.Notices {
		if n.Kind != kind || n.Asset != t.Asset || n.Amount != t.Amount || n.Account != who {
			continue
		}
		if n.Slot == t.Slot {
			return n, true
		}
		if !ok {
			found, ok = n, true
		}
	}
	return found, ok
}
