package tracer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// drawRequest asks with all limits small enough to be met.
func (w *world) drawRequest(t *rapid.T, seeds []tracer.Seed) tracer.Request {
	limit := func(name string, most int) int {
		return max(0, rapid.IntRange(-most, most).Draw(t, name))
	}
	p, _ := tracer.PolicyByName(rapid.SampledFrom(policyNames()).Draw(t, "policy"))
	some := func(name string) map[ledger.Address]bool {
		set := map[ledger.Address]bool{}
		if rapid.IntRange(0, 3).Draw(t, name) == 0 {
			set[w.person(t)] = true
		}
		return set
	}
	return tracer.Request{
		Seeds: seeds, Policy: p, ServicePayees: limit("payees", 4), AccountEvents: limit("account events", 6),
		Hops: limit("hops", 5), Events: limit("events", 20), Through: some("through"), StopAt: some("stop at"),
		Floors:         map[ledger.Asset]ledger.Amount{seeds[0].Asset: ledger.NewAmount(uint64(limit("floor", 10)))},
		FeesToCoinbase: rapid.Bool().Draw(t, "fees to coinbase"),
	}
}

func (w *world) person(t *rapid.T) ledger.Address {
	return named(w.chain, fmt.Sprint("person ", rapid.IntRange(1, 5).Draw(t, "person")))
}

// drawTags labels people, now and then for a while only or without confidence.
func (w *world) drawTags(t *rapid.T) []ledger.Tag {
	categories := []string{"exchange", "mixing", "scam.romance", "ransomware", "seized_funds", "issuer_frozen", "smart_contract", "bridge", "other"}
	last := w.blocks[len(w.blocks)-1].Ref.Time
	var tags []ledger.Tag
	for range rapid.IntRange(0, 3).Draw(t, "tags") {
		tag := ledger.Tag{Address: w.person(t), Category: rapid.SampledFrom(categories).Draw(t, "category"), Confidence: rapid.IntRange(15, 60).Draw(t, "confidence")}
		if rapid.Bool().Draw(t, "for a while") {
			tag.ValidFrom = rapid.Int64Range(0, last).Draw(t, "from")
			tag.ValidTo = rapid.Int64Range(tag.ValidFrom, last+1).Draw(t, "to")
		}
		tags = append(tags, tag)
	}
	return tags
}

func dump(tr *tracer.Trace) string {
	var out string
	for _, h := range tr.Hops {
		out += fmt.Sprintf("%+v\n", h)
	}
	for _, x := range tr.Terminals {
		out += fmt.Sprintf("%+v\n", x)
	}
	return out + fmt.Sprintf("%+v %+v %+v %+v %d", tr.AsOf, tr.Sheets, tr.Openings, tr.Inputs, tr.Events)
}

// extends replays over a growing chain and compares each state with one that
// starts again; a copy that was set aside is brought up to date the same way.
func extends(t *rapid.T, w *world) {
	ctx := context.Background()
	req, tags := w.drawRequest(t, w.drawSeeds(t, 4)), w.drawTags(t)
	var state, aside *tracer.Replay
	for _, b := range w.blocks {
		if rapid.IntRange(0, 2).Draw(t, "as-of") == 0 && b != w.blocks[len(w.blocks)-1] {
			continue
		}
		idx, err := memindex.New(w.blocks, memindex.Options{Tags: tags, AsOf: map[ledger.Chain]uint64{w.chain: b.Ref.Height}})
		if err != nil {
			t.Fatalf("index: %v", err)
		}
		want := dump(mustRun(t, idx, req))
		state = advance(ctx, t, idx, state, req)
		if got := resultOf(ctx, t, idx, state); got != want {
			t.Fatalf("as of %d, started again:\n%s\nextended:\n%s", b.Ref.Height, want, got)
		}
		if aside != nil {
			if got := resultOf(ctx, t, idx, advance(ctx, t, idx, aside.Clone(), req)); got != want {
				t.Fatalf("as of %d, started again:\n%s\nfrom a copy:\n%s", b.Ref.Height, want, got)
			}
		}
		if rapid.Bool().Draw(t, "keep a copy") {
			aside = state.Clone()
		}
	}
}

func advance(ctx context.Context, t *rapid.T, idx tracer.Index, state *tracer.Replay, req tracer.Request) *tracer.Replay {
	fits := false
	var err error
	if state != nil {
		if fits, err = state.Fits(ctx, idx); err != nil {
			t.Fatalf("fits: %v", err)
		}
	}
	if !fits {
		if state, err = tracer.NewReplay(req); err != nil {
			t.Fatalf("replay: %v", err)
		}
	}
	if err := state.Advance(ctx, idx); err != nil {
		t.Fatalf("advance: %v", err)
	}
	return state
}

func resultOf(ctx context.Context, t *rapid.T, idx tracer.Index, state *tracer.Replay) string {
	tr, err := state.Result(ctx, idx)
	if err != nil {
		t.Fatalf("result: %v", err)
	}
	return dump(tr)
}

func accountsExtend(t *rapid.T) { extends(t, drawAccounts(t)) }
func coinsExtend(t *rapid.T)    { extends(t, drawCoins(t)) }

func TestAccountsExtend(t *testing.T) { rapid.Check(t, accountsExtend) }
func TestCoinsExtend(t *testing.T)    { rapid.Check(t, coinsExtend) }

func FuzzAccountsExtend(f *testing.F) { fuzz(f, accountsExtend) }
func FuzzCoinsExtend(f *testing.F)    { fuzz(f, coinsExtend) }

// TestDeficitRises: a pays 70 more than was known of it when the trace began.
// The opening was too small, so that the state does not fit and is started again.
func TestDeficitRises(t *testing.T) {
	s := newScript(t)
	for _, line := range []string{"chain tron", "asset usdt", "v1 @1 victim -> a 50", "t1 @2 a -> b 20", "t2 @3 a -> c 100"} {
		s.line = line
		s.do(strings.Fields(line))
	}
	whole := s.build()
	req, _ := s.request(whole, []string{"v1", "policy=fifo"})
	at := func(height uint64) tracer.Index {
		o := s.options
		o.AsOf = map[ledger.Chain]uint64{"tron": height}
		idx, err := memindex.New(slices.Collect(maps.Values(s.blocks)), o)
		if err != nil {
			t.Fatal(err)
		}
		return idx
	}
	state, err := tracer.NewReplay(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := state.Advance(t.Context(), at(2)); err != nil {
		t.Fatal(err)
	}
	for height, want := range map[uint64]bool{2: true, 3: false} {
		if got, err := state.Fits(t.Context(), at(height)); got != want || err != nil {
			t.Errorf("fits as of %d: %v, %v; want %v", height, got, err, want)
		}
	}
	// With 70 there before, clean units pay b and the first 50 of c's 100.
	got := mustRun(t, at(3), req)
	if len(got.Terminals) != 1 || got.Terminals[0].Address != s.person("c") || got.Openings[0].Deficit.String() != "70" {
		t.Errorf("terminals %+v, openings %+v", got.Terminals, got.Openings)
	}
	before := mustRun(t, at(2), req)
	if len(before.Terminals) != 2 || len(before.Openings) != 0 {
		t.Errorf("before: terminals %+v, openings %+v", before.Terminals, before.Openings)
	}
}

// TestForeignPast: a state is not taken to a chain on which its coin is another transaction's.
func TestForeignPast(t *testing.T) {
	build := func(name string) tracer.Index {
		s := newScript(t)
		s.line = name
		s.do([]string{"chain", "bitcoin"})
		s.do(strings.Fields(name + " @1 coinbase -> a 50"))
		return s.build()
	}
	here := build("here")
	req := unlimited(t, "fifo", []tracer.Seed{{
		Chain: "bitcoin", Tx: txID("here"), At: ledger.Point{Pos: ledger.At(1, 0)}, Output: true,
		Address: named("bitcoin", "a"), Asset: ledger.NativeAsset("bitcoin"), Amount: ledger.NewAmount(50),
	}})
	state, err := tracer.NewReplay(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := state.Advance(t.Context(), here); err != nil {
		t.Fatal(err)
	}
	if err := state.Advance(t.Context(), build("elsewhere")); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("advanced on another chain: %v, want ErrCorrupt", err)
	}
}
