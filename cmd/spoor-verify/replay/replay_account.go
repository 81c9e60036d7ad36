package replay

import (
	"container/heap"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// purse is what an account has of an asset, with its sums beside it: there may be very many lots.
type purse struct {
	lots   lots
	sum    *big.Int
	traced *big.Int
}

func newPurse(clean *big.Int) purse {
	return purse{lots{}.with(0, clean), clean, new(big.Int)}
}

func (a *purse) take(p policy, in lots) {
	a.lots = p.hold(a.lots, in)
	a.sum, a.traced = plus(a.sum, in.sum()), plus(a.traced, in.labelled())
}

func (a *purse) pay(p policy, x *big.Int) (paid lots) {
	paid, a.lots = p.pay(a.lots, x, a.sum, a.traced)
	a.sum, a.traced = minus(a.sum, x), minus(a.traced, paid.labelled())
	return paid
}

// account is the open ledger of a holder: it has labelled units.
type account struct {
	purse
	holder   holder
	past     *past
	next     int // its next event
	hop      int // that opened it
	depth    int
	terminal terminal // of the last transfer that brought labelled units
	last     int      // that transfer's hop
	closed   bool
}

// events does what is due at one place of a network of accounts: closings, then the transfer, then what crossings lay over it.
func (p *tracing) events(at spot, due []item) error {
	payments, arrivals := sortDue(due)
	var listed []*account
	for _, i := range due {
		if i.account != nil && !i.account.closed {
			listed = append(listed, i.account)
		}
	}
	e, asset, err := p.eventAt(at, listed, payments)
	if err != nil {
		return err
	}
	for _, a := range listed {
		p.closeStated(a, at.place)
	}
	if asset != "" && e.from != e.to {
		if err := p.transfer(at, e, asset, payments); err != nil {
			return err
		}
	}
	for _, a := range listed {
		if !a.closed {
			a.next++
			p.schedule(a)
		}
	}
	for _, v := range arrivals {
		if err := p.arrive(at, v); err != nil {
			return err
		}
	}
	return nil
}

// eventAt is the transfer at a place: as histories have it, or the transaction of a payment. Without asset there is none.
func (p *tracing) eventAt(at spot, listed []*account, payments []*payment) (e event, asset string, err error) {
	for _, a := range listed {
		return a.past.events[a.next], a.holder.asset, nil
	}
	if len(payments) == 0 {
		return e, "", nil
	}
	m := p.book.txAt(at.network, at.place).transfer(at.place.Slot)
	if m == nil || m.Asset != payments[0].Asset {
		return e, "", fmt.Errorf("payment %s: no such transfer in the record", payments[0].Payment)
	}
	return m.event(at.place), m.Asset, nil
}

// closeStated closes an account where a terminal says so.
func (p *tracing) closeStated(a *account, at place) {
	key := closingKey{a.holder, at}
	t := p.closings[key]
	if t == nil {
		return
	}
	delete(p.closings, key)
	c := a.terminal
	c.ClosedAt = &at
	p.finish(t, c, a.lots, a.last)
	p.close(a)
}

func (p *tracing) close(a *account) {
	a.closed = true
	delete(p.open, a.holder)
}

// schedule makes the account's next event due.
func (p *tracing) schedule(a *account) {
	if a.next < len(a.past.events) {
		heap.Push(&p.queue, item{spot: spot{a.terminal.Network, a.past.events[a.next].at}, account: a})
	}
}

// transfer takes units from the payer, lays payments over them, and credits the payee or ends the trace.
func (p *tracing) transfer(at spot, e event, asset string, payments []*payment) error {
	payer := p.open[holder{e.from, asset}]
	units := lots{}.with(0, e.units)
	if payer != nil {
		if payer.sum.Cmp(e.units) < 0 {
			return fmt.Errorf("%s pays %s, and has %s", e.from, e.units, payer.sum)
		}
		units = payer.pay(p.policy, e.units)
	}
	h := &hop{depth: 1, network: at.network, at: at.place, from: e.from, to: e.to, asset: asset, amount: e.units}
	if payer != nil && units.labelled().Sign() > 0 {
		if h.parent = payer.hop; len(payments) == 0 {
			h.depth = payer.depth + 1
		}
	}
	units = p.lay(units, payments)
	var err error
	if h.carried = units.perLabel(); len(h.carried) == 0 {
		p.creditClean(e, asset)
	} else {
		err = p.bring(at, e, h, units)
	}
	if payer != nil && payer.traced.Sign() == 0 {
		p.close(payer)
	}
	return err
}

// creditClean matters only to an account that is open.
func (p *tracing) creditClean(e event, asset string) {
	if payee := p.open[holder{e.to, asset}]; payee != nil {
		payee.take(p.policy, lots{}.with(0, e.units))
	}
}

// bring decides what becomes of labelled units.
func (p *tracing) bring(at spot, e event, h *hop, units lots) error {
	defer h.gone()
	if e.kind == "fee" {
		p.sumsOf(h.asset).addAll(fees, units)
		return nil
	}
	t := p.book.txAt(at.network, at.place)
	if t == nil || t.transfer(at.place.Slot) == nil {
		return errors.New("its transaction is not in the record")
	}
	m := t.transfer(at.place.Slot)
	h.tx, h.index, h.time = t.Tx, indexText(at.network, m.Kind, m.Index), t.Time
	if stop := p.stop(at, h.asset, h.to); stop != nil {
		if stop.Reason != pruned {
			p.record(h)
		}
		p.end(stop, h)
		p.creditClean(e, h.asset)
		return nil
	}
	p.record(h)
	if c := p.book.crossings[spotAsset{at, h.asset}]; c != nil {
		p.creditClean(e, h.asset)
		return p.cross(c, h)
	}
	payee, err := p.openFor(h, h.at)
	if err != nil {
		return err
	}
	payee.arrived(h)
	payee.take(p.policy, units)
	return nil
}

// openFor is the payee's ledger. One that is not open opens with the balance just before a place; its events after the hop are to come.
func (p *tracing) openFor(h *hop, before place) (*account, error) {
	who := holder{h.to, h.asset}
	if a := p.open[who]; a != nil {
		return a, nil
	}
	y, err := p.pastOf(who, before)
	if err != nil {
		return nil, err
	}
	a := &account{purse: newPurse(y.before[y.next(before)]), holder: who, past: y, next: y.next(after(h.at)), hop: h.number, depth: h.depth}
	a.terminal.Network = h.network
	p.open[who] = a
	p.schedule(a)
	return a, nil
}

func (p *tracing) pastOf(who holder, before place) (*past, error) {
	y := p.book.pasts[who]
	if y == nil || before.compare(y.from) < 0 || !y.complete && y.to.compare(before) < 0 {
		return nil, fmt.Errorf("the record has no history of %s in %s at %s", who.address, who.asset, before)
	}
	return y, nil
}

// arrived notes the last transfer that brought labelled units.
func (a *account) arrived(h *hop) {
	a.last = h.number
	a.terminal = terminal{
		Network: h.network, Address: h.to, Asset: h.asset, Tx: h.tx, Index: h.index, Place: h.at, Via: h.from, ArrivedAt: h.time, Rests: true,
	}
}

// after is the place just behind another.
func after(at place) place {
	if at.Slot+1 == 0 {
		return place{at.Height, at.TxIndex + 1, 0}
	}
	return place{at.Height, at.TxIndex, at.Slot + 1}
}

// rest ends everything where it is when nothing is due any more.
func (p *tracing) rest() {
	for who, a := range p.open {
		if !a.past.complete {
			p.say("history of "+who.address+" in "+who.asset, "all that followed while labelled units were there", "it ends at "+a.past.to.String())
		}
		key := restingKey{holder: who}
		p.finish(p.resting[key], a.terminal, a.lots, a.last)
		delete(p.resting, key)
	}
	for key, one := range p.coins {
		who := restingKey{holder{one.owner, native(key.network)}, true, key.place()}
		p.finish(p.resting[who], one.terminal, one.lots, one.hop)
		delete(p.resting, who)
	}
	slices.SortFunc(p.ends, func(a, b end) int { return compareTerminals(&a.computed, &b.computed) })
}
