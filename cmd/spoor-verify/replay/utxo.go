package replay

import (
	"errors"
	"fmt"
	"math/big"
)

// spending is a UTXO transaction whose inputs, or whose outputs, carry labels.
type spending struct {
	t     *transaction
	line  []seg
	total *big.Int
	from  string // owner of the first input that brought labelled units
}

// transaction replays a UTXO transaction.
func (p *replay) transaction(m moment) error {
	t := p.d.record.txs[txAt{m.network, m.at.Height, m.at.TxIndex}]
	if t == nil {
		return errors.New("the transaction is not in the record")
	}
	s, err := p.gather(t)
	if err != nil {
		return err
	}
	paid := outputs(t)
	slots := make([]*big.Int, 0, len(t.Outputs)+1)
	for i := range t.Outputs {
		slots = append(slots, &t.Outputs[i].Value.Int)
	}
	filled := split(p.r.UTXO, s.line, append(slots, new(big.Int).Sub(s.total, paid)))
	waiting := p.waiting[m]
	delete(p.waiting, m)
	for i := range t.Outputs {
		waiting = p.output(m, s, uint32(i), filled[i], waiting)
	}
	p.book(m.network+":native", filled[len(t.Outputs)], func(r *sheetRow) *amount { return &r.Fees })
	return nil
}

func outputs(t *transaction) *big.Int {
	total := zero()
	for i := range t.Outputs {
		total.Add(total, &t.Outputs[i].Value.Int)
	}
	return total
}

// gather puts the inputs in line; unknown ones are one clean lot at the place of the first.
func (p *replay) gather(t *transaction) (*spending, error) {
	s := &spending{t: t, total: zero()}
	paid := outputs(t)
	if t.Coinbase {
		s.line, s.total = join(nil, seg{0, paid}), paid
		return s, nil
	}
	known, missing := zero(), false
	for i := range t.Inputs {
		if t.Inputs[i].Known {
			known.Add(known, &t.Inputs[i].Value.Int)
		}
	}
	for i := range t.Inputs {
		in := &t.Inputs[i]
		if !in.Known {
			if lot := new(big.Int).Sub(paid, known); !missing && lot.Sign() > 0 {
				s.line = join(s.line, seg{0, lot})
			}
			missing = true
			continue
		}
		p.input(s, in)
	}
	s.total.Set(known)
	if missing && known.Cmp(paid) < 0 {
		s.total.Set(paid)
	}
	if s.total.Cmp(paid) < 0 {
		return nil, fmt.Errorf("%s in, %s out", s.total, paid)
	}
	return s, nil
}

func (p *replay) input(s *spending, in *coinIn) {
	key := coinKey{txAt{s.t.Network, in.Height, in.TxIndex}, in.Index}
	c := p.coins[key]
	from := p.d.record.txs[key.txAt]
	if c == nil || from == nil || from.Tx != in.Tx {
		s.line = join(s.line, seg{0, &in.Value.Int})
		return
	}
	delete(p.coins, key)
	for _, x := range c.segs {
		s.line = join(s.line, x)
	}
	if s.from == "" {
		s.from = c.owner
	}
}

// output lays crossings and payments over a slot, and keeps or ends what is labelled in it.
func (p *replay) output(m moment, s *spending, index uint32, segs []seg, waiting []conversion) []conversion {
	out := &s.t.Outputs[index]
	asset := m.network + ":native"
	for i, v := range waiting {
		if v.c.To != out.Address || v.c.AmountOut.Cmp(&out.Value.Int) != 0 {
			continue
		}
		waiting = append(append([]conversion{}, waiting[:i]...), waiting[i+1:]...)
		for _, x := range v.segs {
			var marked *big.Int
			segs, marked = mark(segs, x.label, x.n)
			p.book(asset, []seg{{x.label, marked}}, func(r *sheetRow) *amount { return &r.ConvertedIn })
		}
		break
	}
	from := ""
	if len(s.t.Inputs) > 0 {
		from = s.t.Inputs[0].Address
	}
	if dirt(segs).Sign() > 0 && s.from != "" {
		from = s.from
	}
	var pays []payment
	for _, x := range p.pays[m] {
		if x.Index == decimal(uint64(index)) {
			pays = append(pays, x)
		}
	}
	segs = p.lay(segs, pays)
	labelled := shares(segs)
	if len(labelled) == 0 {
		return waiting
	}
	at := place{m.at.Height, m.at.TxIndex, index}
	key := transferAt{m.network, at, asset}
	p.hop(m.network, s.t.Tx, decimal(uint64(index)), at, from, out.Address, asset, &out.Value.Int, labelled)
	if reason, stopped := p.stops[key][out.Address]; stopped {
		e := end{m.network, out.Address, asset, at, false, reason, labelled}
		p.ends = append(p.ends, e)
		p.book(asset, labelled, func(r *sheetRow) *amount { return r.column(p.bucketOf(e)) })
		return waiting
	}
	if c := p.d.record.crossed[key]; c != nil {
		p.cross(key, c, labelled)
		return waiting
	}
	p.coins[coinKey{txAt{m.network, m.at.Height, m.at.TxIndex}, index}] = &heldCoin{segs, out.Address, at}
	if out.Spent != nil {
		p.plan(m.network, place{out.Spent.Height, out.Spent.TxIndex, 0})
	}
	return waiting
}
