package tracer

import (
	"context"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Working is how the traced units of one hop came about, as replay worked it
// out: what the payer had, what the policy took of it, what seeds were laid over it.
type Working struct {
	// Held is what the payer held just before, in the policy's order (a queue for
	// fifo and lifo, one segment per label for the others); of a transaction of
	// coins its inputs in line. Empty: the payer held nothing traced, or what the
	// hop carries came through a crossing.
	Held []Segment
	// Taken is what the policy took of it for this hop, Left what the payer kept.
	// Of coins Left is empty: the other slots have the rest.
	Taken, Left []Segment
	// Slots are the outputs, then the fee, of a transaction of coins.
	Slots []ledger.Amount
	// Carried is Taken with the seeds of this payment laid over it; its traced
	// units are the hop's.
	Carried []Segment
	// Opening is the clean lot that the payer's ledger opened with, just before its
	// first traced credit, at OpenedAt; Deficit the part of it that had to be assumed.
	Opening, Deficit ledger.Amount
	OpenedAt         ledger.Point
	// Opened reports that the hop opened the payee's ledger, with the clean lot
	// PayeeOpening, of which PayeeDeficit had to be assumed.
	Opened                     bool
	PayeeOpening, PayeeDeficit ledger.Amount
	Crossed                    bool // it was paid out by a crossing: an earlier hop says by what rule

	hop Hop
}

// Traced returns the traced units of segments.
func Traced(segs []Segment) ledger.Amount { return dirtyOf(segs) }

// Total returns all units of segments.
func Total(segs []Segment) ledger.Amount { return totalOf(segs) }

// watch keeps the workings of the hops at one place. Its methods, and those of
// Working, do nothing on nil, so that replay says them at every place.
type watch struct {
	chain ledger.Chain
	point ledger.Point
	all   []*Working
}

// at begins a working where the place is the one that is watched.
func (w *watch) at(c ledger.Chain, at ledger.Point) *Working {
	if w == nil || w.chain != c || w.point != at {
		return nil
	}
	return &Working{}
}

// found keeps the working of a hop.
func (w *watch) found(a *arrival) {
	if w == nil || a.work == nil {
		return
	}
	a.work.Carried, a.work.hop = slices.Clone(a.parcel.segs), a.Hop
	w.all = append(w.all, a.work)
}

func (w *Working) before(payer *account) {
	if w == nil {
		return
	}
	w.Held, w.Opening, w.OpenedAt = slices.Clone(payer.held.segs), payer.opening, payer.openedAt
}

func (w *Working) taken(payer *account, p parcel) {
	if w == nil {
		return
	}
	w.Taken, w.Left = slices.Clone(p.segs), slices.Clone(payer.held.segs)
}

func (w *Working) opened(b ledger.Balance) {
	if w == nil {
		return
	}
	w.Opened, w.PayeeOpening, w.PayeeDeficit = true, b.Amount, b.Deficit
}

// working begins that of an output.
func (s *spending) working(w *watch, index uint32) *Working {
	work := w.at(s.tx.Chain, ledger.Point{Pos: s.tx.Pos, Slot: index})
	if work == nil {
		return nil
	}
	work.Held, work.Slots, work.Taken = s.in, s.slots, slices.Clone(s.filled[index])
	return work
}

// Explain replays a request once more and keeps the working of one hop of its
// trace, by its id there. ErrNotFound when the trace has no such hop;
// ErrCorrupt when the replay has none, so that the trace is of another request or snapshot.
func Explain(ctx context.Context, idx Index, req Request, t *Trace, id int) (*Working, error) {
	if id < 1 || id > len(t.Hops) {
		return nil, fmt.Errorf("hop %d of %d: %w", id, len(t.Hops), ledger.ErrNotFound)
	}
	hop := t.Hops[id-1]
	r, err := NewReplay(req)
	if err != nil {
		return nil, err
	}
	r.watch = &watch{chain: hop.Chain, point: hop.At}
	if err := r.Advance(ctx, idx); err != nil {
		return nil, err
	}
	// Hops of one place keep their order, however the trace numbers them.
	nth := 0
	for _, h := range t.Hops[:id-1] {
		if h.Chain == hop.Chain && h.At == hop.At {
			nth++
		}
	}
	if nth >= len(r.watch.all) || r.watch.all[nth].hop.Dirty != hop.Dirty || r.watch.all[nth].hop.To != hop.To {
		return nil, fmt.Errorf("hop %d is not in the replay: %w", id, ledger.ErrCorrupt)
	}
	w := r.watch.all[nth]
	w.Crossed = len(w.Taken) == 0 && hop.Parent != 0 && t.Hops[hop.Parent-1].Crossing != nil
	w.Deficit = r.visited[ledger.Holder{Address: hop.From, Asset: hop.Asset}].deficit
	return w, nil
}
