package tracer

import (
	"errors"

	"github.com/spoortrace/spoor/ledger"
)

func isNotHeld(err error) bool { return errors.Is(err, ledger.ErrNotFound) }

// crossed asks, where a payment came out of a bridge or an exchange, for what went
// into it. The share that is asked for stays the same. True: nothing is asked of
// the payer.
func (b *backward) crossed(tx *ledger.Tx, t *ledger.Transfer, h *Hop, want claim) (bool, error) {
	if b.req.StopAt[t.From] || b.req.Through[t.From] {
		return false, nil
	}
	if n, ok := BridgeLeg(tx, t, ledger.NoticeBridgeIn); ok {
		return true, b.overBridge(tx, n, h, want)
	}
	if tx.Chain.UTXO() {
		return false, nil
	}
	e := ExchangesOf(tx).OutOf(t.Slot)
	if e == nil || want.given { // what was given for something came from who gave it
		return false, nil
	}
	paid, ok := transferAt(tx, e.First)
	if e.Unsure || !ok || !e.whole || e.First >= t.Slot {
		return true, b.unresolved(h, Contract, want)
	}
	c := &Crossing{
		Kind: "SWAP", Rule: "net table", Tier: "T0", Grade: max(tx.Grade, paid.Grade, t.Grade), AssetIn: e.Gave, AmountIn: e.In, Chain: tx.Chain, Tx: tx.ID, Index: t.Index,
		TransferKind: t.Kind, At: h.At, From: t.From, To: t.To, AssetOut: e.Got, AmountOut: e.Out,
	}
	return true, b.through(h, c, want, spotAt{tx.Chain, ledger.Point{Pos: tx.Pos, Slot: e.First}}, paid.Amount)
}

// unresolved ends at a payer of whom it cannot be said what was given for it.
func (b *backward) unresolved(h *Hop, reason Reason, want claim) error {
	b.hop(*h)
	h.ID = len(b.trace.Hops)
	return b.source(*h, reason, want)
}

// overBridge finds the one payment into the bridge that has the same id.
func (b *backward) overBridge(tx *ledger.Tx, n ledger.Notice, h *Hop, want claim) error {
	legs, err := b.outLegs(tx.Chain, n.Ref, h.At)
	if err != nil {
		return err
	}
	if len(legs) != 1 {
		return b.unresolved(h, BridgeUnmatched, want)
	}
	out := legs[0]
	there, err := b.idx.TxAt(b.ctx, out.chain, out.At.Pos)
	if err != nil {
		return err
	}
	for _, t := range movements(&there) {
		if leg, ok := BridgeLeg(&there, &t, ledger.NoticeBridgeOut); !ok || leg.Ref != n.Ref {
			continue
		}
		c := &Crossing{
			Kind: kindOf(n.Ref), Rule: protocolOf(n.Ref), Tier: "T0", Grade: max(tx.Grade, n.Grade, out.Grade), ID: n.Ref, AssetIn: t.Asset, AmountIn: t.Amount, Chain: tx.Chain,
			Tx: tx.ID, Index: h.Index, TransferKind: h.Kind, At: h.At, From: h.From, To: h.To, AssetOut: h.Asset, AmountOut: n.Amount,
		}
		return b.through(h, c, want, spotAt{out.chain, ledger.Point{Pos: there.Pos, Slot: t.Slot}}, t.Amount)
	}
	return b.unresolved(h, BridgeUnmatched, want)
}

// movements are the transfers of a transaction, its outputs as transfers of their owners.
func movements(tx *ledger.Tx) []ledger.Transfer {
	if !tx.Chain.UTXO() {
		return tx.Transfers
	}
	var all []ledger.Transfer
	for i, o := range tx.Outputs {
		all = append(all, ledger.Transfer{Index: uint32(i), Slot: uint32(i), From: o.Address, To: o.Address, Asset: ledger.NativeAsset(tx.Chain), Amount: o.Value})
	}
	return all
}

// legOf is a notice of another network.
type legOf struct {
	ledger.Noted
	chain ledger.Chain
}

// outLegs are the payments into a bridge under an id, before a place.
func (b *backward) outLegs(chain ledger.Chain, ref string, at ledger.Point) (found []legOf, err error) {
	before, err := b.idx.Clock(b.ctx, chain, at.Pos.Height())
	if err != nil {
		return nil, err
	}
	for _, c := range b.idx.Chains() {
		if c == chain {
			continue
		}
		for n, err := range b.idx.Notices(b.ctx, ledger.RefAddress(c, ref), ledger.Point{}) {
			if err != nil {
				return nil, err
			}
			clock, err := b.idx.Clock(b.ctx, c, n.At.Pos.Height())
			if err != nil {
				return nil, err
			}
			if n.Kind == ledger.NoticeBridgeOut && comesAfter(before, chain, clock, c) {
				found = append(found, legOf{n, c})
			}
		}
	}
	return found, nil
}

// through asks for the share of what was given that was received.
func (b *backward) through(h *Hop, c *Crossing, want claim, from spotAt, whole ledger.Amount) error {
	c.DirtyOut = dirtyOf(want.segs)
	c.DirtyIn, _ = c.AmountIn.MulDiv(ledger.Min(c.DirtyOut, c.AmountOut), c.AmountOut)
	if whole.Less(c.DirtyIn) || !b.req.Policy.Conserves {
		return b.unresolved(h, Contract, want)
	}
	h.Crossing = c
	b.hop(*h)
	if err := tallyOf(b.tallies, h.Asset).add(want.segs, convertedOut); err != nil {
		return err
	}
	if c.DirtyIn.IsZero() {
		return nil
	}
	p := share(parcel{want.segs, want.set}, c.DirtyIn)
	b.wanted[from] = append(b.wanted[from], claimed{segs: p.segs, set: want.set, parent: len(b.trace.Hops), depth: h.Depth + 1, amount: c.DirtyIn})
	at := from.at
	if from.chain.UTXO() {
		at.Slot = 0
	}
	return b.push(from.chain, at)
}
