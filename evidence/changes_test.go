package evidence_test

import (
	"slices"
	"testing"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/casetest"
)

// TestChanges: a package differs from itself in nothing, and each figure that
// differs is said with both values, in one order.
func TestChanges(t *testing.T) {
	before, after := casetest.Build(t, 7), casetest.Build(t, 7)
	if got := evidence.Changes(before, after); len(got) != 0 {
		t.Errorf("of itself: %q", got)
	}
	h := &after.Holdings[0]
	name := "held at " + h.Network + ":" + h.Address + " of " + h.Asset
	was := h.Traced
	h.Traced = "17"
	gone := after.Payments[len(after.Payments)-1]
	after.Payments = after.Payments[:len(after.Payments)-1]
	after.Method.Account.Name = "poison"
	p := "payment " + gone.Payment + " of " + gone.Victim + " in " + gone.Asset
	want := []string{
		name + ", traced: " + was + " -> 17", p + ", amount: " + gone.Amount + " -> none", p + ", status: " + gone.Status + " -> none",
		"rule in accounts: " + before.Method.Account.Name + " -> poison",
	}
	slices.Sort(want)
	if got := evidence.Changes(before, after); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
