package replay

import (
	"container/heap"
	"fmt"
	"math/big"
	"slices"
	"strconv"
)

// coinKey is an output by its transaction's place: ids alone are not unique (BIP 30).
type coinKey struct {
	txKey
	output uint32
}

func (k coinKey) place() place { return place{k.height, k.txIndex, k.output} }

// coin is an output that has labelled units.
type coin struct {
	lots     lots
	tx       string
	owner    string
	hop      int
	depth    int
	terminal terminal
}

// spending is a transaction with its inputs in line.
type spending struct {
	tx     *transaction
	at     spot
	line   lots
	total  *big.Int
	from   []string // owners of inputs that have labelled units, each once
	parent int
	depth  int // the least of those inputs; 0: there are none

	payments []*payment
	arrivals []*arrival
}

// transaction moves labelled units from inputs to outputs.
func (p *tracing) transaction(at spot, due []item) error {
	s := &spending{tx: p.book.txAt(at.network, at.place), at: at}
	if s.tx == nil || at.place.Slot != 0 {
		return fmt.Errorf("no transaction there in the record")
	}
	s.payments, s.arrivals = sortDue(due)
	paid := new(big.Int)
	for _, out := range s.tx.Outputs {
		paid = plus(paid, out.Value.units())
	}
	if err := p.gather(s, paid); err != nil {
		return fmt.Errorf("%s: %w", s.tx.Tx, err)
	}
	var slots []*big.Int
	for _, out := range s.tx.Outputs {
		slots = append(slots, out.Value.units())
	}
	filled := p.policy.spread(s.line, append(slots, minus(s.total, paid)))
	for i := range s.tx.Outputs {
		if err := p.output(s, uint32(i), filled[i]); err != nil {
			return err
		}
	}
	p.sumsOf(native(at.network)).addAll(fees, filled[len(slots)])
	return nil
}

// gather puts the inputs in line. Those that are not known are together one clean lot of what the outputs need beyond the others.
func (p *tracing) gather(s *spending, paid *big.Int) error {
	if s.tx.Coinbase {
		s.line, s.total = lots{}.with(0, paid), paid
		return nil
	}
	known, unknown := new(big.Int), false
	for _, in := range s.tx.Inputs {
		known = plus(known, in.Value.units())
		unknown = unknown || !in.Known
	}
	if s.total = known; known.Cmp(paid) < 0 {
		if s.total = paid; !unknown {
			return fmt.Errorf("%s in, %s out", known, paid)
		}
	}
	assumed := above(paid, known)
	for _, in := range s.tx.Inputs {
		switch {
		case in.Known:
			p.spend(s, in)
		case unknown: // the first of them
			unknown = false
			s.line = s.line.with(0, assumed)
			p.assumed = append(p.assumed, assumedForm{s.at.network, s.tx.Tx, amount(assumed.String())})
		}
	}
	return nil
}

func (p *tracing) spend(s *spending, in input) {
	key := coinKey{txKey{s.at.network, in.Height, in.TxIndex}, in.Index}
	c := p.coins[key]
	if c == nil || c.tx != in.Tx {
		s.line = s.line.with(0, in.Value.units())
		return
	}
	delete(p.coins, key)
	s.line = s.line.join(c.lots)
	if s.depth == 0 {
		s.parent, s.depth = c.hop, c.depth
	}
	s.depth = min(s.depth, c.depth)
	if c.owner != "" && !slices.Contains(s.from, c.owner) {
		s.from = append(s.from, c.owner)
	}
}

// output lays what bridges pay and payments over a slot, and makes a coin of it, or ends it.
func (p *tracing) output(s *spending, index uint32, carried lots) error {
	out := s.tx.Outputs[index]
	carried, bridged := p.bridged(s, out, carried)
	var payments []*payment
	for _, one := range s.payments {
		if outputNumber(one.Index) == index {
			payments = append(payments, one)
		}
	}
	units := p.lay(carried, payments)
	h := &hop{
		depth: 1, network: s.at.network, tx: s.tx.Tx, index: strconv.FormatUint(uint64(index), 10), at: place{s.tx.Height, s.tx.TxIndex, index},
		time: s.tx.Time, to: out.Address, asset: native(s.at.network), amount: out.Value.units(), carried: units.perLabel(),
	}
	if len(h.carried) == 0 {
		return nil
	}
	defer h.gone()
	s.describe(h, carried.labelled().Sign() > 0, len(payments) > 0)
	if bridged != nil && h.parent == 0 {
		h.parent, h.depth = bridged.parent.number, bridged.parent.depth+1
	}
	at := spot{s.at.network, h.at}
	if stop := p.stop(at, h.asset, h.to); stop != nil {
		if stop.Reason != pruned {
			p.record(h)
		}
		p.end(stop, h)
		return nil
	}
	p.record(h)
	if c := p.book.crossings[spotAsset{at, h.asset}]; c != nil {
		return p.cross(c, h)
	}
	p.keep(s, index, h, units)
	return nil
}

// describe says who paid: owners of the inputs that brought labelled units, else of the first input.
func (s *spending) describe(h *hop, brought, paid bool) {
	if len(s.tx.Inputs) > 0 {
		h.from = s.tx.Inputs[0].Address
	}
	if !brought {
		return
	}
	h.parent = s.parent
	if len(s.from) > 0 {
		h.from, h.others = s.from[0], s.from[1:]
	}
	if !paid {
		h.depth = s.depth + 1
	}
}

// keep makes a coin, and its spending due.
func (p *tracing) keep(s *spending, index uint32, h *hop, units lots) {
	out := s.tx.Outputs[index]
	p.coins[coinKey{txKey{s.at.network, s.tx.Height, s.tx.TxIndex}, index}] = &coin{
		lots: units, tx: s.tx.Tx, owner: out.Address, hop: h.number, depth: h.depth,
		terminal: terminal{
			Network: h.network, Address: h.to, Asset: h.asset, Tx: h.tx, Index: h.index, Place: h.at, Via: h.from, ArrivedAt: h.time, Coin: true, Rests: true,
		},
	}
	if out.Spent != nil {
		heap.Push(&p.queue, item{spot: spot{s.at.network, place{out.Spent.Height, out.Spent.TxIndex, 0}}})
	}
}

// bridged lays what a bridge pays out over the output that it is.
func (p *tracing) bridged(s *spending, out output, units lots) (lots, *arrival) {
	i := slices.IndexFunc(s.arrivals, func(v *arrival) bool {
		return v.passage.Crossing.To == out.Address && v.passage.Crossing.AmountOut == out.Value
	})
	if i < 0 {
		return units, nil
	}
	v := s.arrivals[i]
	s.arrivals = slices.Delete(s.arrivals, i, i+1)
	var laid lots
	for _, one := range v.units {
		var found *big.Int
		units, found = units.lay(one.label, one.units)
		laid = laid.with(one.label, found)
	}
	p.sumsOf(v.passage.Crossing.Asset).addAll(convertedIn, laid)
	return units, v
}

// outputNumber reads the index of a payment to an output.
func outputNumber(index string) uint32 {
	n, err := strconv.ParseUint(index, 10, 32)
	if err != nil {
		return ^uint32(0) // no output has it
	}
	return uint32(n)
}
