package risk

import (
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// crossings is what a replay keeps of changes of asset and network (method, Crossings).
// Forwards floor(out * value in / in) of what was received goes on; backwards the mirror
// of it.
type crossings struct {
	tx        ledger.Tx // the latest that was looked at, and its exchanges
	table     *tracer.Exchanges
	exchanged map[exchangeKey]exchanged

	clocks map[clockKey]int64
}

type exchangeKey struct {
	at     ledger.Position
	asset  ledger.Asset
	origin int
}

// exchanged is what of one exchange went through so far, so that the parts of several
// transfers add up to the floor of the whole. Money that goes in a circle through the
// screened address passes twice: it may be more than was exchanged.
type exchanged struct{ in, out ledger.Amount }

// crossing is one exchange or bridge in the direction of the replay.
type crossing struct {
	gave, got ledger.Amount // in all
	to        ledger.Holder
	index     uint32 // of the output, where to is on a UTXO chain
	at        ledger.Point
	time      int64 // of the second leg
	tx        ledger.TxID
	bridge    bool
	nearer    bool // both ends are of one owner: no transfer
}

// crossable are categories that value passes through where it is known how.
func crossable(category string) bool {
	return category == "bridge" || category == "decentralized_exchange"
}

// cross sends a transfer through the crossing that it is part of; false: it is part of
// none, or of one of a labelled pool that the net table cannot decide.
func (r *replay) cross(h ledger.Holder, v value, d depth, by *trail, who entity) (bool, error) {
	if by.step.plain {
		return false, nil
	}
	chain, at := h.Asset.Chain, by.step.At
	if err := r.look(chain, at.Pos); err != nil {
		return false, err
	}
	for i := range r.tx.Transfers {
		t := &r.tx.Transfers[i]
		if t.Slot != at.Slot || t.Asset != h.Asset {
			continue
		}
		if n, ok := tracer.BridgeLeg(&r.tx, t, r.leg()); ok {
			return true, r.bridge(n, chain, h, v, d, by, who)
		}
		return r.exchange(h, v, d, by, who)
	}
	return false, nil
}

// leg is the kind of notice by which value leaves in the direction of the replay.
func (r *replay) leg() ledger.NoticeKind {
	if r.back {
		return ledger.NoticeBridgeIn
	}
	return ledger.NoticeBridgeOut
}

// look reads a transaction; the latest is kept, since many transfers share one.
func (r *replay) look(chain ledger.Chain, pos ledger.Position) error {
	if r.tx.Chain == chain && r.tx.Pos == pos {
		return nil
	}
	tx, err := r.idx.TxAt(r.ctx, chain, pos)
	if err != nil {
		return err
	}
	r.tx, r.table = tx, tracer.ExchangesOf(&tx)
	return nil
}

func (r *replay) exchange(h ledger.Holder, v value, d depth, by *trail, who entity) (bool, error) {
	e := r.table.Into(by.step.At.Slot)
	if r.back {
		e = r.table.OutOf(by.step.At.Slot)
	}
	switch {
	case e == nil || e.Unsure && who.category != "":
		return false, nil
	case e.Unsure:
		// A pool mixes nobody's money with anybody's: what cannot be said is open.
		r.book.limit("exchanges in which it cannot be said who was paid for what are not passed through")
		r.end(r.open, h.Asset, v)
		return true, nil
	}
	c := crossing{gave: e.In, got: e.Out, to: ledger.Holder{Address: e.To, Asset: e.Got}, at: ledger.Point{Pos: r.tx.Pos, Slot: e.Last}, time: r.tx.Time, tx: r.tx.ID, nearer: e.From == e.To}
	if r.back {
		c.gave, c.got, c.to, c.at.Slot = e.Out, e.In, ledger.Holder{Address: e.From, Asset: e.Gave}, e.First
	}
	if c.at.Before(by.step.At) != r.back {
		c.at = by.step.At // a pool that pays first; the mirror of it
	}
	own, err := r.inside(c.to, by)
	if err != nil {
		return false, err
	}
	if own {
		r.end(r.aside, h.Asset, v)
		return true, nil
	}
	return true, r.convert(c, h.Asset, v, d, by)
}

// inside reports that the cluster exchanged its own for another asset that is put in,
// too: a move inside it, and no transfer.
func (r *replay) inside(to ledger.Holder, by *trail) (bool, error) {
	if !r.whole || by.from != nil || !counted(to.Asset) {
		return false, nil
	}
	return r.book.owns(r.ctx, to.Address)
}

// convert sends value on to where a crossing paid it, or was paid it.
func (r *replay) convert(c crossing, asset ledger.Asset, v value, d depth, by *trail) error {
	part, _ := c.got.MulDiv(v.units, c.gave)
	if !c.bridge {
		key := exchangeKey{by.step.At.Pos, asset, v.origin}
		x := r.exchanged[key]
		x.in = x.in.Plus(v.units)
		whole, _ := c.got.MulDiv(x.in, c.gave)
		part = whole.Minus(x.out)
		x.out = whole
		if r.exchanged == nil {
			r.exchanged = map[exchangeKey]exchanged{}
		}
		r.exchanged[key] = x
	}
	out, in := r.sheet(asset), r.sheet(c.to.Asset)
	out.out, in.in = out.out.Plus(v.units), in.in.Plus(part)
	v.units = part
	if c.bridge {
		by = &trail{Step{Chain: c.to.Asset.Chain, Tx: c.tx, Index: c.index, At: c.at, Time: c.time}, by}
	}
	return r.push(c.to.Asset.Chain, &item{at: c.at, late: true, put: func() error { return r.land(c, v, d, by) }})
}

// land gives a holder what came through a crossing. It comes just beyond the transfer
// that paid it, whose event an open account has seen.
func (r *replay) land(c crossing, v value, d depth, by *trail) error {
	h := c.to
	if v.units.IsZero() || ledger.Unfollowable(h.Asset) {
		r.end(r.open, h.Asset, v)
		return nil
	}
	if h.Asset.Chain.UTXO() {
		return r.landCoin(c, v, d, by)
	}
	if h.Address.IsZero() || h.Address.Burn() {
		r.end(r.unlabelled, h.Asset, v)
		return nil
	}
	mine, err := r.book.owns(r.ctx, h.Address)
	if err != nil {
		return err
	}
	if !mine {
		who, err := r.whose(h, by)
		if err != nil {
			return err
		}
		if who.own || who.category != "" {
			r.absorb(h, who, v, d, by)
			return nil
		}
	}
	if mine || c.nearer {
		d = d.nearer()
	}
	if a := r.ledgers[lot{h, v.origin}]; a != nil {
		a.asked, a.depth = a.asked.plus(v), a.depth.with(d)
		return nil
	}
	return r.enter(h, v, d, by, c.at, true)
}

// landCoin goes on from an output that a bridge paid; backwards from one it was paid.
func (r *replay) landCoin(c crossing, v value, d depth, by *trail) error {
	chain := c.to.Asset.Chain
	if r.back {
		return r.coin(chain, c.at.Pos, c.index, v, d, by)
	}
	tx, err := r.idx.TxAt(r.ctx, chain, c.at.Pos)
	if err != nil {
		return err
	}
	return r.pay(&tx, c.index, v, d, by)
}
