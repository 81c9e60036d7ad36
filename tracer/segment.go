package tracer

import (
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Label says whose money a unit is: 0 is clean, k is victim payment k in the
// order of the request.
type Label int32

// The labels that are no payment.
const (
	Clean Label = 0
	// Tainted marks value under poison, which divides nothing: the labels are a
	// set beside it, without amounts.
	Tainted Label = -1
)

// Segment is a run of units with one label.
type Segment struct {
	Label  Label
	Amount ledger.Amount
}

// parcel is value on its way or at rest. Segments stand in the policy's order:
// a queue for fifo and lifo, one segment per label for the others. Under
// poison set names the labels.
type parcel struct {
	segs []Segment
	set  []Label // ascending
}

func (p parcel) dirty() ledger.Amount { return dirtyOf(p.segs) }

func (p parcel) total() ledger.Amount { return totalOf(p.segs) }

func dirtyOf(segs []Segment) ledger.Amount {
	var d ledger.Amount
	for _, s := range segs {
		if s.Label != Clean {
			d = d.Plus(s.Amount)
		}
	}
	return d
}

func totalOf(segs []Segment) ledger.Amount {
	var t ledger.Amount
	for _, s := range segs {
		t = t.Plus(s.Amount)
	}
	return t
}

// byLabel sums the segments per label, ascending; clean first, zeros left out.
func byLabel(segs []Segment) []Segment {
	var pool []Segment
	for _, s := range segs {
		pool = addTo(pool, s)
	}
	return pool
}

// addTo adds one segment to a pool of one segment per label, ascending.
func addTo(pool []Segment, s Segment) []Segment {
	if s.Amount.IsZero() {
		return pool
	}
	i, found := slices.BinarySearchFunc(pool, s.Label, func(x Segment, l Label) int { return int(x.Label) - int(l) })
	if !found {
		return slices.Insert(pool, i, s)
	}
	pool[i].Amount = pool[i].Amount.Plus(s.Amount)
	return pool
}

// push appends a segment to a queue and joins it to an equal neighbour.
func push(queue []Segment, s Segment) []Segment {
	if s.Amount.IsZero() {
		return queue
	}
	if n := len(queue); n > 0 && queue[n-1].Label == s.Label {
		queue[n-1].Amount = queue[n-1].Amount.Plus(s.Amount)
		return queue
	}
	return append(queue, s)
}

// popFront takes x units from the front of a queue of at least x units.
func popFront(queue []Segment, x ledger.Amount) (taken, left []Segment) {
	for len(queue) > 0 && !x.IsZero() {
		n := ledger.Min(queue[0].Amount, x)
		taken = push(taken, Segment{queue[0].Label, n})
		x = x.Minus(n)
		if n == queue[0].Amount {
			queue = queue[1:]
			continue
		}
		queue[0].Amount = queue[0].Amount.Minus(n)
	}
	return taken, queue
}

// popBack takes x units from the back of a queue, the last lot first; the
// segments come in the order in which they were popped.
func popBack(queue []Segment, x ledger.Amount) (taken, left []Segment) {
	for n := len(queue) - 1; n >= 0 && !x.IsZero(); n-- {
		part := ledger.Min(queue[n].Amount, x)
		taken = push(taken, Segment{queue[n].Label, part})
		x = x.Minus(part)
		if part == queue[n].Amount {
			queue = queue[:n]
			continue
		}
		queue[n].Amount = queue[n].Amount.Minus(part)
	}
	return taken, queue
}

// mark turns the first amount clean units of a parcel into label k (the edge
// rule of seeds: first taint wins). It returns the parcel and the units marked.
func mark(segs []Segment, k Label, amount ledger.Amount) (out []Segment, marked ledger.Amount) {
	for _, s := range segs {
		if s.Label != Clean || amount.IsZero() {
			out = push(out, s)
			continue
		}
		n := ledger.Min(s.Amount, amount)
		amount, marked = amount.Minus(n), marked.Plus(n)
		out = push(out, Segment{k, n})
		out = push(out, Segment{Clean, s.Amount.Minus(n)})
	}
	return out, marked
}

// union merges two ascending sets of labels.
func union(a, b []Label) []Label {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
