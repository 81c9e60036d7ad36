package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/store/sourcetest"
)

// TestBackfillBesideFollow fills in from below and a gap while the chain grows
// and is reorganised; Append must not wait for it.
func TestBackfillBesideFollow(t *testing.T) {
	a := trunk("bitcoin", 90)
	b := slices.Concat(a[:66], branch(a[65], 34, 1))
	s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
	defer s.Close()
	src := sourcetest.New("bitcoin", a[:30]...)
	o := quick(10)
	o.From, o.To = new(uint64(20)), new(uint64(25))
	if err := follow(t, n, o, src); err != nil {
		t.Fatal(err)
	}
	src.Set(a[:60]...)
	if err := n.Append(t.Context(), series(a[40:60]...), store.AppendOptions{ReorgBound: new(uint64(10))}); err != nil {
		t.Fatal(err)
	}
	old := sourcetest.New("bitcoin", a[:60]...)
	stage, calls := 0, 0
	old.Fail(func(_ context.Context, c sourcetest.Call) error {
		if c.Method != "Block" {
			return nil
		}
		if calls++; calls%4 == 1 {
			return ledger.Untrue(ledger.FaultBusy, "block", "later")
		}
		// The chain goes on while an old block is fetched.
		if stage++; stage <= 3 {
			src.Set([][]*ledger.Block{a[:70], a[:75], b}[stage-1]...)
			return follow(t, n, quick(10), src)
		}
		return nil
	})
	o = quick(10)
	o.Parallel = 1
	if err := store.Backfill(t.Context(), n, []store.Source{old}, o); err != nil {
		t.Fatal(err)
	}
	wantBlocks(t, n, b)
	if err := n.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	st, err := n.Status()
	if err != nil || len(st.Spans) != 1 || st.Overlay != 10 {
		t.Errorf("got spans %v, overlay %d, %v, want one span, 10", st.Spans, st.Overlay, err)
	}
	// Nothing is missing: nothing is asked.
	before := old.Calls("Block")
	if err := store.Backfill(t.Context(), n, []store.Source{old}, o); err != nil || old.Calls("Block") != before {
		t.Errorf("once more: %v, %d calls", err, old.Calls("Block")-before)
	}
}

// TestBackfillOfAnotherChain wants blocks refused that do not lead to those held.
func TestBackfillOfAnotherChain(t *testing.T) {
	a := trunk("bitcoin", 40)
	s, n := open(t, t.TempDir(), memkv.New(), "bitcoin")
	defer s.Close()
	o := quick(10)
	o.From = new(uint64(20))
	if err := follow(t, n, o, sourcetest.New("bitcoin", a...)); err != nil {
		t.Fatal(err)
	}
	o.From = nil
	for name, c := range map[string]struct {
		blocks []*ledger.Block
		want   error
	}{
		"another branch": {slices.Concat(a[:10], branch(a[9], 30, 3)), store.ErrUnlinked},
		"a short one":    {a[:10], ledger.ErrUnavailable},
	} {
		if err := store.Backfill(t.Context(), n, []store.Source{sourcetest.New("bitcoin", c.blocks...)}, o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		wantBlocks(t, n, a[20:])
	}
	if err := store.Backfill(t.Context(), n, []store.Source{sourcetest.New("bitcoin", a...)}, o); err != nil {
		t.Fatal(err)
	}
	wantBlocks(t, n, a)
}
