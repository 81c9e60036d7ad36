package tracer

import (
	"errors"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// lay lays the seeds of one payment over its parcel and books them. Units that
// are labelled keep their label; what a seed cannot get is booked as collided.
func (r *Request) lay(p parcel, seeds []int, tallies map[ledger.Asset]*tally) (parcel, error) {
	paid := p.total()
	for _, i := range seeds {
		s, label := r.Seeds[i], Label(i+1)
		if paid.Less(s.Amount) {
			return p, fmt.Errorf("seed %s: %w", s.Ref, ledger.Invalid("amount", "at most the "+paid.String()+" that were paid", s.Amount.String()))
		}
		segs, marked := mark(p.segs, label, s.Amount)
		if !r.Policy.Conserves && !marked.IsZero() {
			segs = push(nil, Segment{Tainted, paid})
			p.set = union(p.set, []Label{label})
		}
		p.segs = segs
		t := tallyOf(tallies, s.Asset)
		for _, row := range []*Row{&t.total, t.row(label)} {
			if err := addInto(&row.Seeded, s.Amount); err != nil {
				return p, err
			}
			if err := addInto(&row.Collided, s.Amount.Minus(marked)); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// seedsLeft lists the payments that replay did not reach: the trace's budget
// was spent, or the snapshot ends before them.
func (f *finish) seedsLeft() error {
	waiting := map[spot][]int{}
	var order []spot
	for i, s := range f.r.req.Seeds {
		if f.r.seedDone[i] {
			continue
		}
		key := spot{s.Address, s.Asset, s.place()}
		if waiting[key] == nil {
			order = append(order, key)
		}
		waiting[key] = append(waiting[key], i)
	}
	for _, key := range order {
		if err := f.seedLeft(key.at, waiting[key]); err != nil {
			return err
		}
	}
	return nil
}

// seedLeft ends one payment, with all seeds that stand on it.
func (f *finish) seedLeft(at ledger.Point, seeds []int) error {
	s := f.r.req.Seeds[seeds[0]]
	paid, err := f.paid(s)
	if errors.Is(err, ledger.ErrNotFound) { // not seen yet: as much as a seed says
		for _, i := range seeds {
			paid, err = ledger.Max(paid, f.r.req.Seeds[i].Amount), nil
		}
	}
	if err != nil {
		return fmt.Errorf("seed %s: %w", s.Ref, err)
	}
	p, err := f.r.req.lay(parcel{segs: push(nil, Segment{Clean, paid})}, seeds, f.tallies)
	if err != nil {
		return err
	}
	d := p.dirty()
	return f.add(Terminal{
		Address: s.Address, Asset: s.Asset, Dirty: d, Low: d, High: d, Shares: p.shares(), Reason: Pending,
		Tx: s.Tx, Index: s.Index, At: at, Via: s.From, ArrivedAt: s.Time, LastKnown: f.r.progress[s.Chain].reached, Coin: s.Output,
	}, p)
}

// paid is the whole of the payment.
func (f *finish) paid(s Seed) (ledger.Amount, error) {
	tx, err := f.idx.TxAt(f.ctx, s.Chain, s.At.Pos)
	if err != nil {
		return ledger.Amount{}, err
	}
	if s.Output && int(s.Index) < len(tx.Outputs) {
		return tx.Outputs[s.Index].Value, nil
	}
	if t, ok := transferAt(&tx, s.At.Slot); ok && !s.Output {
		return t.Amount, nil
	}
	return ledger.Amount{}, fmt.Errorf("%s pays nothing there: %w", tx.ID, ledger.ErrCorrupt)
}

// place is where the payment stands, of outputs the slot, too.
func (s Seed) place() ledger.Point {
	if s.Output {
		return ledger.Point{Pos: s.At.Pos, Slot: s.Index}
	}
	return s.At
}
