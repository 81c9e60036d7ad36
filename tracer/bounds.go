package tracer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// The work that bounds may take: edges of the graph, and steps along edges.
const (
	boundEdges = 20_000
	boundSteps = 10_000_000
)

// Bound sets the least and the most that any rule which conserves can put at
// each terminal of a trace of the request (method, section 2): the greatest flow
// from the seeds to it, and what is left of the seeds when all else takes as much
// as it can. Rules differ in the order in which units leave, never in what was
// paid and held, so that every one of them is a flow.
//
// Trivial is set where that is not computed: where a budget ended, the graph is
// too large, fees are followed, or the asset was crossed into, since shares are
// rounded. Low is 0 then, and High what was seeded or came to the place, whichever
// is less; it is 0 where neither is known to be a bound.
// Low is 0, too, where seeds may have met or the limit of depth may bind.
func Bound(ctx context.Context, idx Index, req Request, t *Trace) error {
	g, seeded, err := flowOf(ctx, idx, req)
	if errors.Is(err, ledger.ErrOverflow) { // poison multiplies what rules that conserve do not
		t.Unbound()
		return nil
	}
	if err != nil {
		return fmt.Errorf("bounds: %w", err)
	}
	flow := newMaxFlow(g, boundSteps)
	for _, s := range t.Sheets {
		b := &bounding{graph: g, flow: flow, source: g.source[s.Asset], seeded: s.Total.Seeded}
		row := seeded[s.Asset]
		b.known = !g.full && !g.pending && !g.crossed[s.Asset] && !req.FeesToCoinbase
		b.low = row != nil && row.total.Collided.IsZero() && (req.Hops <= 0 || g.reach() <= req.Hops)
		if err := b.terminals(ctx, t, s.Asset); err != nil {
			return err
		}
	}
	return nil
}

// Unbound says of every place that its bounds were not computed.
func (t *Trace) Unbound() {
	for i := range t.Terminals {
		x := &t.Terminals[i]
		x.Low, x.High, x.Trivial = ledger.Amount{}, ledger.Amount{}, true
	}
}

// received is what came to a place in all: the payment that ended there, or the
// balance that rests there; 0 where neither is known.
func (t *Trace) received(x *Terminal) ledger.Amount {
	switch {
	case x.Reason == Pending || x.ClosedAt != (ledger.Point{}):
		return ledger.Amount{}
	case x.Rests:
		return x.BalanceNow
	case x.Hop > 0:
		return t.Hops[x.Hop-1].Amount
	}
	return ledger.Amount{}
}

// flowOf records what any rule can reach, and what was seeded of each asset.
func flowOf(ctx context.Context, idx Index, req Request) (*flowGraph, map[ledger.Asset]*tally, error) {
	poison, err := PolicyByName("poison")
	if err != nil {
		return nil, nil, err
	}
	req.Policy = poison
	if req.Events <= 0 || req.Events > boundEdges {
		req.Events = boundEdges
	}
	r, err := NewReplay(req)
	if err != nil {
		return nil, nil, err
	}
	r.flow = newFlowGraph(boundEdges)
	if err := r.Advance(ctx, idx); err != nil {
		return nil, nil, err
	}
	g := r.flow
	for _, h := range slices.SortedFunc(maps.Keys(r.accounts), ledger.Holder.Compare) {
		a := r.accounts[h]
		g.end(a.node, spot{address: h.Address, asset: h.Asset}, a.sum)
	}
	for _, key := range slices.SortedFunc(maps.Keys(r.coins), compareCoins) {
		c := r.coins[key]
		g.end(c.node, spot{c.owner, ledger.NativeAsset(key.chain), ledger.Point{Pos: key.pos, Slot: key.index}}, c.value)
	}
	for _, done := range r.seedDone {
		g.pending = g.pending || !done
	}
	for _, p := range r.progress {
		g.pending = g.pending || p.spent
	}
	return g, r.tallies, nil
}

// bounding is one asset.
type bounding struct {
	graph  *flowGraph
	flow   *maxFlow
	source int
	seeded ledger.Amount
	known  bool // the graph says everything
	low    bool // and all that was seeded ends in it
}

func (b *bounding) terminals(ctx context.Context, t *Trace, asset ledger.Asset) error {
	all := map[int]bool{}
	for _, node := range b.graph.ends {
		all[node] = true
	}
	for i := range t.Terminals {
		x := &t.Terminals[i]
		if x.Asset != asset {
			continue
		}
		x.Low, x.High, x.Trivial = ledger.Amount{}, t.received(x), true
		if x.Rests && b.graph.pending {
			x.High = ledger.Amount{} // what a budget closed the account with may have left since
		}
		crosses := b.graph.crossed[asset] || b.graph.full || b.graph.pending // it has, or it may
		if !crosses && (x.High.IsZero() || b.seeded.Less(x.High)) {
			x.High = b.seeded
		}
		if x.Reason == Pending {
			b.known = false // a budget of the trace itself
		}
	}
	for i := range t.Terminals {
		x := &t.Terminals[i]
		end := b.graph.ends[x.spot()]
		if x.Asset != asset || !b.known || end == 0 {
			continue
		}
		high, ok, err := b.flow.run(ctx, b.source, map[int]bool{end: true})
		if err != nil || !ok {
			return err
		}
		others := maps.Clone(all)
		delete(others, end)
		rest, ok, err := b.flow.run(ctx, b.source, others)
		if err != nil || !ok {
			return err
		}
		x.High, x.Trivial = high, false
		if b.low {
			x.Low = b.seeded.SubFloor(rest)
		}
	}
	return nil
}
