package tracer_test

import (
	"fmt"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// One network is held further than the other: what bridges pay out below what
// was replayed there must not be laid over it as if it came last.
func TestUnevenNetworks(t *testing.T) {
	from := story{chain: "ethereum", every: 60_000, lines: []string{
		"maker alice USD 30", "alice bridge USD 10, out alice USD 10 poly:1", "maker maker USD 1", "maker maker USD 1", "alice bridge USD 10, out alice USD 10 poly:2",
	}}
	to := story{chain: "bnb", every: 60_000, lines: []string{
		"maker mule USD 9", "maker mule USD 9", "bridge alice USD 10, in alice USD 10 poly:1", "maker alice USD 5", "maker maker USD 1",
		"bridge alice USD 10, in alice USD 10 poly:2", "alice bob USD 15", "bob mule USD 12",
	}}
	_, whole, req := told(t, "dirty-first", false, from, to)
	for _, c := range []struct {
		ethereum, bnb uint64
		fits          bool
	}{{3, 8, false}, {4, 3, true}} {
		part, err := memindex.New(append(from.blocks(t), to.blocks(t)...), memindex.Options{AsOf: map[ledger.Chain]uint64{"ethereum": c.ethereum, "bnb": c.bnb}})
		if err != nil {
			t.Fatal(err)
		}
		for _, req.Policy = range tracer.Policies() {
			if fits := goesOn(t, req, part, whole); fits != c.fits {
				t.Errorf("%s: a state at %d and %d fits: %t, want %t", req.Policy.Name, c.ethereum, c.bnb, fits, c.fits)
			}
		}
	}
}

// goesOn advances a state, where it fits, and wants what one replay says.
func goesOn(t *testing.T, req tracer.Request, part, whole tracer.Index) bool {
	t.Helper()
	state, err := tracer.NewReplay(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := state.Advance(t.Context(), part); err != nil {
		t.Fatal(err)
	}
	fits, err := state.Fits(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if !fits {
		return false
	}
	if err := state.Advance(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	got, err := state.Result(t.Context(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", mustRun(t, whole, req)); g != w {
		t.Errorf("%s, extended:\n%s\nstarted again:\n%s", req.Policy.Name, g, w)
	}
	return true
}
