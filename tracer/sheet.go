package tracer

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Row is one line of a conservation sheet: of one label, or of all together.
// Seeded - Collided + ConvertedIn = Resting + Stopped + Burnt + Fees +
// ConvertedOut + Pruned + Pending, exactly.
type Row struct {
	Label                         Label // 0: all labels
	Seeded, Collided, ConvertedIn ledger.Amount
	Resting, Stopped, Burnt, Fees ledger.Amount
	ConvertedOut, Pruned, Pending ledger.Amount
}

// Sheet accounts for every traced unit of one asset.
type Sheet struct {
	Asset     ledger.Asset
	Conserves bool  // false under poison, which multiplies taint
	Total     Row   // over all labels
	Rows      []Row // per label, ascending; under poison only what was seeded and collided
}

// Check returns an error naming the row that does not re-add.
func (s Sheet) Check() error {
	if !s.Conserves {
		return nil
	}
	for _, r := range append([]Row{s.Total}, s.Rows...) {
		in, err := r.Seeded.Add(r.ConvertedIn)
		if err != nil {
			return err
		}
		out, err := ledger.Sum(r.Resting, r.Stopped, r.Burnt, r.Fees, r.ConvertedOut, r.Pruned, r.Pending, r.Collided)
		if err != nil {
			return err
		}
		if in != out {
			return fmt.Errorf("sheet of %s, label %d: %s in, %s out: %w", s.Asset, r.Label, in, out, ledger.ErrCorrupt)
		}
	}
	return nil
}

// tally collects a sheet while replay runs.
type tally struct {
	total Row
	rows  map[Label]*Row
}

func tallyOf(tallies map[ledger.Asset]*tally, a ledger.Asset) *tally {
	if tallies[a] == nil {
		tallies[a] = &tally{}
	}
	return tallies[a]
}

func (t *tally) row(l Label) *Row {
	if t.rows == nil {
		t.rows = map[Label]*Row{}
	}
	if t.rows[l] == nil {
		t.rows[l] = &Row{Label: l}
	}
	return t.rows[l]
}

// add books a parcel's traced units: field picks the column.
func (t *tally) add(segs []Segment, field func(*Row) *ledger.Amount) error {
	for _, s := range segs {
		if s.Label == Clean {
			continue
		}
		if err := addInto(field(&t.total), s.Amount); err != nil {
			return err
		}
		if s.Label == Tainted {
			continue
		}
		if err := addInto(field(t.row(s.Label)), s.Amount); err != nil {
			return err
		}
	}
	return nil
}

func addInto(a *ledger.Amount, b ledger.Amount) (err error) {
	*a, err = a.Add(b)
	return err
}

func bucketField(b Bucket) func(*Row) *ledger.Amount {
	switch b {
	case InResting:
		return func(r *Row) *ledger.Amount { return &r.Resting }
	case InBurnt:
		return func(r *Row) *ledger.Amount { return &r.Burnt }
	case InPruned:
		return func(r *Row) *ledger.Amount { return &r.Pruned }
	case InPending:
		return func(r *Row) *ledger.Amount { return &r.Pending }
	case InStopped:
	}
	return func(r *Row) *ledger.Amount { return &r.Stopped }
}

func feesField(r *Row) *ledger.Amount { return &r.Fees }

func (t *tally) clone() *tally {
	c := &tally{total: t.total, rows: make(map[Label]*Row, len(t.rows))}
	for l, r := range t.rows {
		row := *r
		c.rows[l] = &row
	}
	return c
}

func (t *tally) sheet(a ledger.Asset, conserves bool) Sheet {
	s := Sheet{Asset: a, Conserves: conserves, Total: t.total}
	for _, l := range slices.Sorted(maps.Keys(t.rows)) {
		s.Rows = append(s.Rows, *t.rows[l])
	}
	return s
}
