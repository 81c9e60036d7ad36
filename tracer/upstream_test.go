package tracer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// carried is how much of a trace's units went through one payment.
func carried(tr *tracer.Trace, s tracer.Seed) (sum ledger.Amount) {
	for _, h := range tr.Hops {
		at := h.At
		if s.Output {
			at.Slot = 0
		}
		if h.Tx == s.Tx && h.Index == s.Index && at == s.At {
			sum = sum.Plus(h.Dirty)
		}
	}
	return sum
}

// dual: as many units of one payment are in another as of the other came from it.
func dual(t *rapid.T, w *world) {
	if len(w.seeds) == 0 {
		t.Skip("nothing is paid")
	}
	idx, err := memindex.New(w.blocks, memindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	first := rapid.SampledFrom(w.seeds).Draw(t, "first")
	last := rapid.SampledFrom(w.seeds).Draw(t, "last")
	for _, name := range []string{"fifo", "lifo", "haircut"} {
		down, err := tracer.Run(context.Background(), idx, endless(t, name, first), nil)
		if err != nil {
			t.Fatal(err)
		}
		req := endless(t, name, last)
		up, err := tracer.Upstream(context.Background(), idx, req, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		upLawful(t, req, up)
		want, got := carried(down, last), carried(up, first)
		off := ledger.Amount{}
		if name == "haircut" { // each hop rounds by less than a unit, either way
			off = ledger.NewAmount(uint64(len(down.Hops) + len(up.Hops)))
		}
		if off.Less(want.SubFloor(got)) || off.Less(got.SubFloor(want)) {
			t.Fatalf("%s: %s of the first are in the last; upstream says %s\ndown %+v\nup %+v", name, want, got, down.Hops, up.Hops)
		}
	}
}

// upLawful checks what every upstream answer keeps.
func upLawful(t *rapid.T, req tracer.Request, up *tracer.Trace) {
	sums := map[ledger.Asset]ledger.Amount{}
	for _, x := range up.Terminals {
		sums[x.Asset] = add(t, sums[x.Asset], x.Dirty)
		sharesAdd(t, req, seededOf(t, up), x.Dirty, x.Shares)
	}
	for _, s := range up.Sheets {
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		r := s.Total
		if req.Policy.Conserves && add(t, sums[s.Asset], r.Collided, r.ConvertedOut) != add(t, r.Seeded, r.ConvertedIn) {
			t.Fatalf("%s: sources have %s of what was asked: %+v", req.Policy.Name, sums[s.Asset], r)
		}
	}
	for i, h := range up.Hops {
		if h.ID != i+1 || h.Parent >= h.ID || h.Dirty.IsZero() || h.Amount.Less(h.Dirty) {
			t.Fatalf("hop %+v", h)
		}
		sharesAdd(t, req, seededOf(t, up), h.Dirty, h.Shares)
	}
}

func TestUpstreamAccounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { dual(t, drawAccounts(t)) })
}

func TestUpstreamCoins(t *testing.T) { rapid.Check(t, func(t *rapid.T) { dual(t, drawCoins(t)) }) }

// TestUpstreamLaws: with several payments, limits and labels, everything that was
// asked for is with the sources, under each rule that has an answer.
func TestUpstreamLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SampledFrom([]func(*rapid.T) *world{drawAccounts, drawCoins}).Draw(t, "model")(t)
		idx, err := memindex.New(w.blocks, memindex.Options{Tags: w.drawTags(t)})
		if err != nil {
			t.Fatal(err)
		}
		req := w.drawRequest(t, w.drawSeeds(t, 6))
		for _, name := range []string{"fifo", "lifo", "haircut", "poison"} {
			req.Policy = ruleOf(t, name)
			up, err := tracer.Upstream(context.Background(), idx, req, nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			upLawful(t, req, up)
		}
	})
}

// endless is a request with no floor, no services and no budget.
func endless(t *rapid.T, policy string, s tracer.Seed) tracer.Request {
	return tracer.Request{Seeds: []tracer.Seed{s}, Policy: ruleOf(t, policy), NoFloor: true}
}

func ruleOf(t *rapid.T, name string) tracer.Policy {
	p, err := tracer.PolicyByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestUpstreamRefuses the rules that have no answer, and names those that have.
func TestUpstreamRefuses(t *testing.T) {
	w := &world{chain: "tron"}
	for _, name := range []string{"dirty-first", "tiho", "libr"} {
		_, err := tracer.Upstream(t.Context(), w.index(t, memindex.Options{}), tracer.Request{Policy: policyOf(t, name)}, nil)
		if !errors.Is(err, ledger.ErrPrecondition) || !strings.Contains(err.Error(), "fifo, lifo, haircut, poison") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUpstreamCrossings: whatever crosses, everything that was asked for is with
// the sources, and extending the budget changes none of what was found.
func TestUpstreamCrossings(t *testing.T) {
	crossed := 0
	rapid.Check(t, func(t *rapid.T) {
		stories := []story{{chain: "ethereum"}, {chain: "bnb"}}
		var blocks []*ledger.Block
		w := &world{}
		for i := range stories {
			s := &stories[i]
			s.every = rapid.Int64Range(1, 3).Draw(t, "pace") * 20_000
			s.lines = []string{"maker alice USD 30, maker bob EUR 30, maker mule COIN 30"}
			for h := range rapid.IntRange(1, 9).Draw(t, "blocks") {
				s.lines = append(s.lines, drawTale(t, h, "GBP"))
			}
			told := s.blocks(t)
			blocks, w.blocks, w.chain = append(blocks, told...), told, s.chain
			for _, name := range []string{"COIN", "USD", "EUR"} {
				w.listSeeds(s.asset(name))
			}
		}
		idx, err := memindex.New(blocks, memindex.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(w.seeds) == 0 {
			t.Skip("nothing is paid")
		}
		req := tracer.Request{Seeds: w.drawSeeds(t, 3), Policy: ruleOf(t, rapid.SampledFrom([]string{"fifo", "lifo", "haircut", "poison"}).Draw(t, "policy")), NoFloor: true}
		req.Events = rapid.IntRange(0, 30).Draw(t, "events")
		up, err := tracer.Upstream(context.Background(), idx, req, nil)
		if err != nil {
			t.Fatal(err)
		}
		upLawful(t, req, up)
		for _, h := range up.Hops {
			if h.Crossing != nil {
				crossed++
			}
		}
	})
	if crossed == 0 {
		t.Error("nothing crossed")
	}
}

// TestUpstreamSwap: 20 of the 50 EUR that came out were paid for with 40 of 100 USD.
func TestUpstreamSwap(t *testing.T) {
	s := story{chain: "ethereum", lines: []string{"- victim USD 100", "victim mule USD 100", "mule pool USD 100, pool mule EUR 50, mule - COIN 1 fee", "mule shop EUR 20"}}
	blocks := s.blocks(t)
	w := &world{chain: s.chain, blocks: blocks}
	w.listSeeds(s.asset("EUR"))
	idx := w.index(t, memindex.Options{})
	up, err := tracer.Upstream(t.Context(), idx, unlimited(t, "fifo", []tracer.Seed{w.seeds[len(w.seeds)-1]}), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range up.Hops {
		line := h.Dirty.String()
		if h.Crossing != nil {
			line += " for " + h.Crossing.DirtyIn.String()
		}
		got = append(got, line)
	}
	if want := "20, 20 for 40, 40, 40, 40"; strings.Join(got, ", ") != want {
		t.Errorf("hops %s, want %s", strings.Join(got, ", "), want)
	}
	if len(up.Terminals) != 1 || up.Terminals[0].Reason != tracer.Issued || up.Terminals[0].Dirty != ledger.NewAmount(40) {
		t.Errorf("sources %+v", up.Terminals)
	}
}
