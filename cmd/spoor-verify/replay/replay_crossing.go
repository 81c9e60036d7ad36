package replay

import (
	"container/heap"
	"errors"
	"fmt"
	"math/big"
)

// txAsset is an asset in a transaction.
type txAsset struct {
	tx    txKey
	asset string
}

// exchanged is what has gone into a crossing so far, and what came out.
type exchanged struct{ in, out *big.Int }

// cross sends on the share of labelled units that is worth what the crossing pays out.
func (p *tracing) cross(x *passage, h *hop) error {
	c := x.Crossing
	if c.AmountIn.units().Sign() == 0 {
		return errors.New("a crossing of nothing")
	}
	p.sumsOf(h.asset).addAll(convertedOut, h.carried)
	so := &exchanged{new(big.Int), new(big.Int)}
	if key := (txAsset{txKey{h.network, h.at.Height, h.at.TxIndex}, h.asset}); c.Kind != "BRIDGE" && c.Kind != "DISCLOSED" {
		if p.crossed[key] == nil {
			p.crossed[key] = so
		}
		so = p.crossed[key]
	}
	traced := h.carried.sum()
	so.in = plus(so.in, traced)
	whole := new(big.Int).Mul(c.AmountOut.units(), least(so.in, c.AmountIn.units()))
	whole.Quo(whole, c.AmountIn.units())
	part := minus(whole, so.out)
	so.out = whole
	c.TracedIn, c.TracedOut = amount(traced.String()), amount(part.String())
	h.crossing = &c
	if part.Sign() == 0 {
		return nil
	}
	var units lots
	weights := make([]*big.Int, len(h.carried))
	for i, one := range h.carried {
		weights[i] = one.units
	}
	for i, n := range apportion(part, weights) {
		units = units.with(h.carried[i].label, n)
	}
	heap.Push(&p.queue, item{spot: spot{c.Network, c.Place}, arrives: &arrival{units, x, h}})
	return nil
}

// arrive lays what came out of a crossing over what the payee was paid.
func (p *tracing) arrive(at spot, v *arrival) error {
	c := v.passage.Crossing
	t := p.book.txAt(at.network, at.place)
	if t == nil || t.Tx != c.Tx {
		return fmt.Errorf("crossing to %s: %s is not in the record there", c.To, c.Tx)
	}
	who := holder{c.To, c.Asset}
	var clean *big.Int
	if payee := p.open[who]; payee != nil {
		clean = minus(payee.sum, payee.traced)
	} else {
		y, err := p.pastOf(who, after(at.place))
		if err != nil {
			return err
		}
		clean = y.before[y.next(after(at.place))]
	}
	units, _ := v.units.front(clean)
	if len(units) == 0 {
		return nil
	}
	p.sumsOf(c.Asset).addAll(convertedIn, units)
	h := p.record(&hop{
		parent: v.parent.number, depth: v.parent.depth + 1, network: at.network, tx: c.Tx, index: c.Index, at: at.place, time: t.Time, from: c.From,
		to: c.To, asset: c.Asset, amount: c.AmountOut.units(), carried: units.perLabel(),
	})
	defer h.gone()
	if stop := p.stop(at, c.Asset, c.To); stop != nil {
		p.end(stop, h)
		return nil
	}
	payee, err := p.openFor(h, after(at.place))
	if err != nil {
		return err
	}
	payee.arrived(h)
	payee.relabel(p.policy, units)
	return nil
}

// relabel lets labelled units take the place of the newest clean ones.
func (a *purse) relabel(p policy, units lots) {
	left := units.sum()
	for i := len(a.lots) - 1; i >= 0 && left.Sign() > 0; i-- {
		if a.lots[i].label == 0 {
			n := least(a.lots[i].units, left)
			left, a.lots[i].units = minus(left, n), minus(a.lots[i].units, n)
		}
	}
	a.sum = minus(a.sum, minus(units.sum(), left))
	a.lots = lots{}.join(a.lots)
	a.take(p, units)
}
