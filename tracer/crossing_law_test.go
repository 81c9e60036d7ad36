package tracer_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// drawTale makes a random transaction of a story: payments, swaps of every
// shape that the table knows and some that it does not, and legs of bridges.
func drawTale(t *rapid.T, height int, other string) string {
	who := func(label string) string {
		return rapid.SampledFrom([]string{"alice", "bob", "mule"}).Draw(t, label)
	}
	coin := func(label string) string { return rapid.SampledFrom([]string{"USD", "EUR", "COIN"}).Draw(t, label) }
	n := func(label string) int { return rapid.IntRange(1, 40).Draw(t, label) }
	a, b, x, y, p, q := who("a"), who("b"), coin("x"), coin("y"), n("p"), n("q")
	ref := fmt.Sprint("poly:", rapid.IntRange(1, 6).Draw(t, "ref"))
	switch rapid.IntRange(0, 11).Draw(t, "tale") {
	case 0:
		return fmt.Sprintf("%s pool %s %d, pool %s %s %d", a, x, p, a, y, q)
	case 1:
		return fmt.Sprintf("pool %s %s %d, %s pool %s %d", a, y, q, a, x, p)
	case 2:
		return fmt.Sprintf("%s router %s %d, router taker %s 1, router pool %s %d, pool router GBP 5, router pool2 GBP 5, pool2 %s %s %d", a, x, p+1, x, x, p, a, y, q)
	case 3:
		return fmt.Sprintf("%s pool %s %d, pool %s %s %d, %s - COIN 1 fee", a, x, p, b, y, q, a)
	case 4:
		return fmt.Sprintf("%s pool %s %d, %s pool2 %s %d, pool %s %s %d, pool2 %s %s %d", a, x, p, a, x, q, a, y, p, a, y, q)
	case 5:
		return fmt.Sprintf("%s tokenWCOIN COIN %d, - %s WCOIN %d, wrap %s WCOIN %d", a, p, a, p, a, p)
	case 6:
		return fmt.Sprintf("%s pool %s %d, pool %s %s %d, pool %s %s %d", a, x, p, a, y, q, b, y, p)
	case 7:
		return fmt.Sprintf("%s bridge %s %d, out %s %s %d %s", a, x, p, a, x, p, ref)
	case 8:
		return fmt.Sprintf("bridge %s %s %d, in %s %s %d %s", b, y, q, b, y, q, ref)
	}
	return fmt.Sprintf("%s %s %s %d", a, b, x, p) + fmt.Sprintf(", maker maker %s %d", other, height)
}

// crossingLaw: whatever crosses, every sheet re-adds, no label grows beyond what
// was seeded and converted, and extending is starting again.
func crossingLaw(t *rapid.T) {
	stories := []story{{chain: "ethereum"}, {chain: "bnb"}}
	var blocks []*ledger.Block
	for i := range stories {
		s := &stories[i]
		s.every = rapid.Int64Range(1, 3).Draw(t, "pace") * 20_000
		s.lines = []string{"maker alice USD 30, maker bob EUR 30, maker mule COIN 30"}
		for h := range rapid.IntRange(1, 9).Draw(t, "blocks") {
			s.lines = append(s.lines, drawTale(t, h, "GBP"))
		}
		blocks = append(blocks, s.blocks(t)...)
	}
	first := stories[0].blocks(t)[0].Txs[0]
	var seeds []tracer.Seed
	for _, leg := range first.Transfers[:rapid.IntRange(1, 3).Draw(t, "seeds")] {
		seeds = append(seeds, tracer.Seed{
			Ref: "payment", Chain: first.Chain, Tx: first.ID, Index: leg.Index, At: ledger.Point{Pos: first.Pos, Slot: leg.Slot}, From: leg.From, Address: leg.To,
			Asset: leg.Asset, Amount: leg.Amount, Time: first.Time, Kind: leg.Kind,
		})
	}
	req := tracer.Request{
		Seeds: seeds, Policy: rapid.SampledFrom(tracer.Policies()).Draw(t, "policy"), Hops: rapid.IntRange(1, 20).Draw(t, "hops"),
		Events: rapid.IntRange(1, 60).Draw(t, "events"), AccountEvents: 100, Heuristics: rapid.Bool().Draw(t, "heuristics"), Floors: map[ledger.Asset]ledger.Amount{},
	}
	for _, s := range stories {
		for _, name := range []string{"COIN", "USD", "EUR", "GBP", "WCOIN"} {
			req.Floors[s.asset(name)] = ledger.NewAmount(rapid.Uint64Range(0, 3).Draw(t, "floor"))
		}
	}
	whole, err := memindex.New(blocks, memindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lawful(t, req, mustRun(t, whole, req))
	readds(t, whole, req)
	cut := rapid.Uint64Range(1, 9).Draw(t, "cut")
	part, err := memindex.New(blocks, memindex.Options{AsOf: map[ledger.Chain]uint64{"ethereum": cut, "bnb": rapid.Uint64Range(1, 9).Draw(t, "other cut")}})
	if err != nil {
		t.Fatal(err)
	}
	state, err := tracer.NewReplay(req)
	if err == nil {
		err = state.Advance(t.Context(), part)
	}
	if err != nil {
		t.Fatal(err)
	}
	if fits, err := state.Fits(t.Context(), whole); err != nil {
		t.Fatal(err)
	} else if !fits {
		return
	}
	if err := state.Advance(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	got, err := state.Result(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", mustRun(t, whole, req)); g != w {
		t.Fatalf("extended:\n%s\nstarted again:\n%s", g, w)
	}
}

func TestCrossingLaw(t *testing.T) { rapid.Check(t, crossingLaw) }

func FuzzCrossingLaw(f *testing.F) { fuzz(f, crossingLaw) }
