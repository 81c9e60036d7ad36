package tracer_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

func policyNames() []string {
	var names []string
	for _, p := range tracer.Policies() {
		names = append(names, p.Name)
	}
	return names
}

// sameAsTwin asks replay and the twin the same and compares every hop, every
// resting place and every line of the sheets, to the unit.
func sameAsTwin(t *rapid.T, w *world, req tracer.Request) {
	idx, err := memindex.New(w.blocks, memindex.Options{})
	if err != nil {
		t.Fatalf("index: %v", err)
	}
	want, got := twinOf(req, w.blocks), linesOf(mustRun(t, idx, req))
	if d := differ(want, got); d != "" {
		t.Fatalf("%s, -twin +replay:\n%s", req.Policy.Name, d)
	}
}

func accountsEqualTwin(t *rapid.T) {
	w := drawAccounts(t)
	seeds := w.drawSeeds(t, 10)
	for _, name := range policyNames() {
		p, _ := tracer.PolicyByName(name)
		sameAsTwin(t, w, tracer.Request{Seeds: seeds, Policy: p, Floors: noFloor(seeds)})
	}
}

func coinsEqualTwin(t *rapid.T) {
	w := drawCoins(t)
	seeds := w.drawSeeds(t, 10)
	for _, name := range policyNames() {
		p, _ := tracer.PolicyByName(name)
		for _, fees := range []bool{false, true} {
			sameAsTwin(t, w, tracer.Request{Seeds: seeds, Policy: p, Floors: noFloor(seeds), FeesToCoinbase: fees})
		}
	}
}

func TestAccountsEqualTwin(t *testing.T) { rapid.Check(t, accountsEqualTwin) }
func TestCoinsEqualTwin(t *testing.T)    { rapid.Check(t, coinsEqualTwin) }

func FuzzAccountsEqualTwin(f *testing.F) { fuzz(f, accountsEqualTwin) }
func FuzzCoinsEqualTwin(f *testing.F)    { fuzz(f, coinsEqualTwin) }
