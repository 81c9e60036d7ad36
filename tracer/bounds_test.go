package tracer_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// bounded counts what a run of draws has seen.
type bounded struct{ terminals, exact, tight, above int }

// boundLaws asks one random question under every rule that conserves: what each
// puts at a place lies within the bounds that every other's trace has for it.
func boundLaws(t *rapid.T, w *world, n *bounded) {
	idx, err := memindex.New(w.blocks, memindex.Options{Tags: w.drawTags(t)})
	if err != nil {
		t.Fatalf("index: %v", err)
	}
	boundsHold(t, idx, w.drawRequest(t, w.drawSeeds(t, 10)), n)
}

func boundsHold(t *rapid.T, idx tracer.Index, req tracer.Request, n *bounded) {
	ctx := context.Background()
	var traces []*tracer.Trace
	for _, p := range tracer.Policies() {
		if !p.Conserves {
			continue
		}
		req.Policy = p
		tr, err := tracer.Run(ctx, idx, req, nil)
		if errors.Is(err, ledger.ErrOverflow) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		traces = append(traces, tr)
	}
	for _, tr := range traces {
		if err := tracer.Bound(ctx, idx, req, tr); err != nil {
			t.Fatalf("%s: %v", tr.Policy, err)
		}
		for _, x := range tr.Terminals {
			n.terminals++
			if !x.Trivial {
				n.exact++
			}
			if !x.Trivial && x.Low == x.High {
				n.tight++
			}
			if !x.Trivial && !x.Low.IsZero() && x.Low != x.High {
				n.above++
			}
			if x.Trivial && x.High.IsZero() {
				continue // none is claimed
			}
			for _, other := range traces {
				if got := tracer.At(other, &x); got.Less(x.Low) || x.High.Less(got) {
					t.Fatalf("%s has %s at %s %s (%s), %s has bounds %s to %s (trivial: %v)", other.Policy, got, x.Address, x.At, x.Reason, tr.Policy, x.Low, x.High, x.Trivial)
				}
			}
		}
	}
}

// TestBoundCrossings draws swaps, wraps and bridges between two networks.
func TestBoundCrossings(t *testing.T) {
	t.Parallel()
	var n bounded
	rapid.Check(t, func(rt *rapid.T) {
		stories := []story{{chain: "ethereum"}, {chain: "bnb"}}
		var blocks []*ledger.Block
		for i := range stories {
			s := &stories[i]
			s.every = rapid.Int64Range(1, 3).Draw(rt, "pace") * 20_000
			s.lines = []string{"maker alice USD 30, maker bob EUR 30, maker mule COIN 30"}
			for h := range rapid.IntRange(1, 9).Draw(rt, "blocks") {
				s.lines = append(s.lines, drawTale(rt, h, "GBP"))
			}
			blocks = append(blocks, s.blocks(rt)...)
		}
		first := stories[0].blocks(rt)[0].Txs[0]
		req := tracer.Request{Hops: 64, Events: 1000, NoFloor: true, Heuristics: rapid.Bool().Draw(rt, "heuristics")}
		for _, leg := range first.Transfers[:rapid.IntRange(1, 3).Draw(rt, "seeds")] {
			req.Seeds = append(req.Seeds, tracer.Seed{
				Ref: "payment", Chain: first.Chain, Tx: first.ID, Index: leg.Index, At: ledger.Point{Pos: first.Pos, Slot: leg.Slot}, From: leg.From,
				Address: leg.To, Asset: leg.Asset, Amount: leg.Amount, Time: first.Time, Kind: leg.Kind,
			})
		}
		idx, err := memindex.New(blocks, memindex.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		boundsHold(rt, idx, req, &n)
	})
	if n.exact == 0 || n.exact == n.terminals {
		t.Errorf("%+v", n)
	}
}

// TestBoundHuge: what overflows under poison alone has no bounds, and no error.
func TestBoundHuge(t *testing.T) {
	t.Parallel()
	var n bounded
	rapid.Check(t, func(rt *rapid.T) {
		w := drawAccounts(rt)
		drawHuge(rt, w)
		idx, err := memindex.New(w.blocks, memindex.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		req := w.drawRequest(rt, w.drawSeeds(rt, 3))
		if _, err := tracer.RunAll(context.Background(), idx, req, policyNames()[:1]); errors.Is(err, ledger.ErrOverflow) {
			return
		}
		boundsHold(rt, idx, req, &n)
	})
}

func TestBoundLaws(t *testing.T) {
	t.Parallel()
	for name, draw := range map[string]func(*rapid.T) *world{"accounts": drawAccounts, "coins": drawCoins} {
		t.Run(name, func(t *testing.T) {
			var n bounded
			rapid.Check(t, func(rt *rapid.T) { boundLaws(rt, draw(rt), &n) })
			t.Logf("%+v", n)
			if n.exact < n.terminals/4 || n.tight == 0 || n.above == 0 {
				t.Errorf("few bounds are more than trivial: %+v", n)
			}
		})
	}
}

// TestMaxFlow compares greatest flows with a second algorithm on random graphs.
func TestMaxFlow(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		n := 3 + rng.IntN(8)
		var edges [][3]int
		for range rng.IntN(4 * n) {
			edges = append(edges, [3]int{1 + rng.IntN(n), 1 + rng.IntN(n), rng.IntN(12)})
		}
		got, err := tracer.MaxFlow(n, edges, 1, n)
		if want := augmented(n, edges, 1, n); err != nil || got != ledger.NewAmount(uint64(want)) {
			t.Fatalf("%v: got %s, %v, want %d", edges, got, err, want)
		}
	}
}

// augmented is the greatest flow one unit at a time.
func augmented(n int, edges [][3]int, from, to int) (flow int) {
	room := map[[2]int]int{}
	for _, e := range edges {
		room[[2]int{e[0], e[1]}] += e[2]
	}
	for {
		before := map[int]int{from: from}
		for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
			for v := 1; v <= n; v++ {
				if _, seen := before[v]; !seen && room[[2]int{queue[0], v}] > 0 {
					before[v] = queue[0]
					queue = append(queue, v)
				}
			}
		}
		if _, ok := before[to]; !ok {
			return flow
		}
		for v := to; v != from; v = before[v] {
			room[[2]int{before[v], v}]--
			room[[2]int{v, before[v]}]++
		}
		flow++
	}
}
