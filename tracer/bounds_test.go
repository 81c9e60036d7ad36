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
			if n.exact < n.terminals/10 || n.tight == 0 {
				t.Errorf("few bounds are more than trivial: %+v", n)
			}
		})
	}
}

// TestBoundWorked: an account holds 10 and is paid 60 by a victim; it pays 40.
// Of the 70, at most 40 went and at most 30 stayed: 30 to 40 of the victim's went.
func TestBoundWorked(t *testing.T) {
	t.Parallel()
	token := ledger.TokenAsset(named("tron", "token"))
	var blocks []*ledger.Block
	for i, m := range []struct {
		from, to string
		amount   uint64
	}{{"somebody", "m", 10}, {"victim", "m", 60}, {"m", "a", 40}} {
		height := uint64(i + 1)
		b := &ledger.Block{Ref: ledger.BlockRef{Chain: "tron", Height: height, Time: int64(height) * 3000}}
		b.Txs = []ledger.Tx{{
			ID: txID(m.from), Chain: "tron", Pos: ledger.At(height, 0), Time: b.Ref.Time,
			Transfers: []ledger.Transfer{{From: named("tron", m.from), To: named("tron", m.to), Asset: token, Amount: ledger.NewAmount(m.amount)}},
		}}
		blocks = append(blocks, b)
	}
	idx, err := memindex.New(blocks, memindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	paid := blocks[1].Txs[0]
	policy, err := tracer.PolicyByName("fifo")
	if err != nil {
		t.Fatal(err)
	}
	req := tracer.Request{Policy: policy, NoFloor: true, Seeds: []tracer.Seed{{
		Ref: "payment", Chain: "tron", Tx: paid.ID, At: ledger.Point{Pos: paid.Pos}, From: named("tron", "victim"), Address: named("tron", "m"),
		Asset: token, Amount: ledger.NewAmount(60), Time: paid.Time,
	}}}
	tr, err := tracer.Run(t.Context(), idx, req, nil)
	if err == nil {
		err = tracer.Bound(t.Context(), idx, req, tr)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := map[ledger.Address][2]uint64{named("tron", "a"): {30, 40}, named("tron", "m"): {20, 30}}
	for _, x := range tr.Terminals {
		if w := want[x.Address]; x.Trivial || x.Low != ledger.NewAmount(w[0]) || x.High != ledger.NewAmount(w[1]) {
			t.Errorf("%s has %s, bounds %s to %s (trivial %v), want %v", x.Address, x.Dirty, x.Low, x.High, x.Trivial, w)
		}
	}
	if len(tr.Terminals) != 2 {
		t.Errorf("%d terminals", len(tr.Terminals))
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
