package paths

import (
	"cmp"
	"container/heap"
	"slices"
	"sort"

	"github.com/spoortrace/spoor/ledger"
)

// prune finds, the last edge first, how wide the ways from each on to the
// recipient are, and keeps the edges that have one. Going back in time, what was
// already seen to leave a place is what leaves it later.
func (f *flood) prune() {
	slices.SortStableFunc(f.edges, func(a, b *edge) int { return b.at.Compare(a.at) })
	best := map[place][]ledger.Amount{}
	for _, e := range f.edges {
		on := best[e.into]
		if !e.arrives && on == nil {
			continue
		}
		e.wide = make([]ledger.Amount, f.req.Hops)
		for r := range e.wide {
			switch {
			case e.arrives:
				e.wide[r] = e.amount
			case r > 0:
				e.wide[r] = ledger.Min(e.amount, on[r-1])
			}
		}
		from := best[e.from]
		if from == nil {
			from = make([]ledger.Amount, f.req.Hops)
			best[e.from] = from
		}
		for r := range from {
			from[r] = ledger.Max(from[r], e.wide[r])
		}
		f.out[e.from] = append(f.out[e.from], e)
	}
	for _, edges := range f.out {
		slices.Reverse(edges)
	}
	f.edges = nil
}

// partial is the beginning of a path. What it can become at best orders it:
// nothing that it becomes is wider, shorter or earlier.
type partial struct {
	last  *edge
	after *partial
	width ledger.Amount
	hops  int

	bound  ledger.Amount // the widest that it can become
	least  int           // the shortest
	number int           // the first that was found comes first
}

type queue []*partial

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(b.bound.Cmp(a.bound), cmp.Compare(a.least, b.least), a.last.at.Compare(b.last.at), cmp.Compare(a.number, b.number)) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*partial)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// choose takes the most promising beginning again and again. What it takes that
// has arrived is the best path that is left.
func (f *flood) choose() error {
	var q queue
	number := 0
	extend := func(p *partial, edges []*edge) {
		for _, e := range edges {
			if next := f.extend(p, e); next != nil {
				next.number = number
				number++
				heap.Push(&q, next)
			}
		}
	}
	extend(nil, f.out[place{account: f.req.From}])
	for len(q) > 0 {
		if err := f.ctx.Err(); err != nil {
			return err
		}
		p := heap.Pop(&q).(*partial)
		if p.last.arrives {
			if len(f.answer.Paths) == f.req.Limit {
				f.answer.More = true
				return nil
			}
			f.answer.Paths = append(f.answer.Paths, f.path(p))
			continue
		}
		edges := f.out[p.last.into]
		later := sort.Search(len(edges), func(i int) bool { return p.last.at.Before(edges[i].at) })
		extend(p, edges[later:])
		if number > maxPartials {
			f.answer.Spent = true
			return nil
		}
	}
	return nil
}

// extend adds an edge to the beginning of a path; nil where that leads nowhere.
func (f *flood) extend(p *partial, e *edge) *partial {
	next := &partial{last: e, after: p, width: e.amount, hops: 1}
	if p != nil {
		next.width, next.hops = ledger.Min(p.width, e.amount), p.hops+1
	}
	left := f.req.Hops - next.hops
	if left < 0 || e.wide[left].IsZero() || (!e.to.Chain.UTXO() && p.passed(e.to)) {
		return nil
	}
	next.bound = ledger.Min(next.width, e.wide[left])
	next.least = next.hops + slices.IndexFunc(e.wide, func(w ledger.Amount) bool { return !w.IsZero() })
	return next
}

func (p *partial) passed(a ledger.Address) bool {
	for ; p != nil; p = p.after {
		if p.last.to == a {
			return true
		}
	}
	return false
}

func (f *flood) path(p *partial) Path {
	path := Path{Width: p.width}
	for ; p != nil; p = p.after {
		path.Steps = append(path.Steps, Step{At: p.last.at, To: p.last.to, Amount: p.last.amount})
	}
	slices.Reverse(path.Steps)
	from := f.req.From
	for i := range path.Steps {
		path.Steps[i].From, from = from, path.Steps[i].To
	}
	return path
}
