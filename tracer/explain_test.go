package tracer_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// readds holds the working of every hop of a trace against the hop: what was
// taken and laid adds up to it, and to what the payer had.
func readds(t rapid.TB, idx tracer.Index, req tracer.Request) (hops int) {
	t.Helper()
	tr := mustRun(t, idx, req)
	for _, h := range tr.Hops {
		w, err := tracer.Explain(context.Background(), idx, req, tr, h.ID)
		if err != nil {
			t.Fatalf("%s: hop %d: %v", req.Policy.Name, h.ID, err)
		}
		if got := tracer.Traced(w.Carried); got != h.Dirty {
			t.Fatalf("%s: hop %d carries %s, want %s: %+v", req.Policy.Name, h.ID, got, h.Dirty, w)
		}
		seeded := slices.ContainsFunc(req.Seeds, func(s tracer.Seed) bool {
			return s.Tx == h.Tx && s.At.Pos == h.At.Pos && s.Index == h.Index
		})
		if taken := tracer.Traced(w.Taken); !seeded && !w.Crossed && taken != h.Dirty {
			t.Fatalf("%s: hop %d: %s was taken, want %s: %+v", req.Policy.Name, h.ID, taken, h.Dirty, w)
		}
		if len(w.Slots) > 0 {
			coinsReadd(t, h, w)
		} else if len(w.Held) > 0 {
			accountReadds(t, req.Policy, h, w)
		}
	}
	return len(tr.Hops)
}

func coinsReadd(t rapid.TB, h tracer.Hop, w *tracer.Working) {
	t.Helper()
	slots, err := ledger.Sum(w.Slots...)
	if err != nil {
		t.Fatal(err)
	}
	if tracer.Total(w.Held) != slots || tracer.Total(w.Taken) != h.Amount || w.Slots[h.Index] != h.Amount {
		t.Fatalf("hop %d: %s in, slots of %s, %s taken for %s", h.ID, tracer.Total(w.Held), slots, tracer.Total(w.Taken), h.Amount)
	}
}

func accountReadds(t rapid.TB, policy tracer.Policy, h tracer.Hop, w *tracer.Working) {
	t.Helper()
	if tracer.Total(w.Taken) != h.Amount || tracer.Total(w.Held) != tracer.Total(w.Taken).Plus(tracer.Total(w.Left)) {
		t.Fatalf("%s: hop %d of %s: held %v, taken %v, left %v", policy.Name, h.ID, h.Amount, w.Held, w.Taken, w.Left)
	}
	if policy.Conserves && tracer.Traced(w.Held) != tracer.Traced(w.Taken).Plus(tracer.Traced(w.Left)) {
		t.Fatalf("%s: hop %d: traced held %v, taken %v, left %v", policy.Name, h.ID, w.Held, w.Taken, w.Left)
	}
}

// TestEveryHopReadds: under every policy, on random ledgers of accounts and coins.
func TestEveryHopReadds(t *testing.T) {
	for name, draw := range map[string]func(*rapid.T) *world{"accounts": drawAccounts, "coins": drawCoins} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hops := 0
			rapid.Check(t, func(t *rapid.T) {
				w := draw(t)
				idx, err := memindex.New(w.blocks, memindex.Options{})
				if err != nil {
					t.Fatal(err)
				}
				seeds, fees := w.drawSeeds(t, 4), rapid.Bool().Draw(t, "fees")
				for _, p := range tracer.Policies() {
					req := tracer.Request{Seeds: seeds, Policy: p, NoFloor: true, FeesToCoinbase: fees}
					hops += readds(t, idx, req)
				}
			})
			if !t.Failed() && hops < 500 {
				t.Errorf("%d hops show little", hops)
			}
			t.Logf("%d hops explained", hops)
		})
	}
}

// TestRealHopsReadd: the same on payments of the bundled export, that of the demo whole.
func TestRealHopsReadd(t *testing.T) {
	w := realExport(t)
	idx := w.index(t, memindex.Options{})
	random := rand.New(rand.NewPCG(6, 6))
	hops := 0
	for range 2 {
		seeds := w.randomSeeds(random, 2)
		for _, p := range tracer.Policies() {
			req := unlimited(t, p.Name, seeds)
			req.Hops, req.Events = 4, 300
			hops += readds(t, idx, req)
		}
	}
	demo, err := ledger.ParseTxID("4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c")
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(w.seeds, func(s tracer.Seed) bool { return s.Tx == demo })
	for _, p := range tracer.Policies() {
		hops += readds(t, idx, tracer.Request{Seeds: w.seeds[at : at+1], Policy: p, Hops: tracer.DefaultHops, ServicePayees: tracer.DefaultServicePayees, Events: 2000})
	}
	t.Logf("%d hops explained", hops)
	if hops < 100 {
		t.Errorf("%d hops show little", hops)
	}
}

// TestExplainRefuses: a hop that is not there, and a trace of another request.
func TestExplainRefuses(t *testing.T) {
	w := realExport(t)
	idx := w.index(t, memindex.Options{})
	req := unlimited(t, "fifo", w.seeds[:1])
	tr := mustRun(t, idx, req)
	for _, id := range []int{0, -1, len(tr.Hops) + 1} {
		if _, err := tracer.Explain(t.Context(), idx, req, tr, id); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("hop %d: got %v, want ErrNotFound", id, err)
		}
	}
	if _, err := tracer.Explain(t.Context(), idx, unlimited(t, "fifo", w.seeds[7:8]), tr, 1); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("another request: got %v, want ErrCorrupt", err)
	}
}
