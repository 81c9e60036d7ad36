package store_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/sourcetest"
)

// TestFollowFinality folds what a source calls final, and only that.
func TestFollowFinality(t *testing.T) {
	a := trunk("ethereum", 60)
	s, n := open(t, t.TempDir(), mapEngine(), "ethereum")
	defer s.Close()
	src := sourcetest.New("ethereum", a[:40]...)
	o := quick(0)
	o.ReorgBound = nil
	folded := func(final *uint64) uint64 {
		t.Helper()
		src.Finalize(final)
		if err := follow(t, n, o, src); err != nil {
			t.Fatal(err)
		}
		st, err := n.Status()
		if err != nil {
			t.Fatal(err)
		}
		return st.Folded
	}
	for i, step := range []struct{ final, want uint64 }{{5, 5}, {5, 5}, {7, 7}, {39, 39}} {
		if got := folded(&step.final); got != step.want {
			t.Errorf("step %d: folded %d, want %d", i, got, step.want)
		}
	}
	src.Set(slices.Concat(a[:39], branch(a[38], 3, 5))...)
	if err := follow(t, n, o, src); !errors.Is(err, store.ErrDeepReorg) {
		t.Errorf("a final block replaced: got %v, want %v", err, store.ErrDeepReorg)
	}
	src.Set(a...)
	o.MaxOverlay = 66
	src.Set(slices.Concat(a[:60], branch(a[59], 100, 0))...)
	if err := follow(t, n, o, src); !errors.Is(err, store.ErrStalled) || !errors.Is(err, ledger.ErrExhausted) {
		t.Errorf("finality that stalls: got %v, want %v", err, store.ErrStalled)
	}
	if st, err := n.Status(); err != nil || st.Overlay != 66 {
		t.Errorf("overlay: %d blocks, %v, want 66", st.Overlay, err)
	}
	if got := folded(new(uint64(120))); got != 105 && got != 120 {
		t.Errorf("after finality went on: folded %d", got)
	}
	wantBlocks(t, n, slices.Concat(a[:60], branch(a[59], 100, 0)))
}

// TestFollowFinalityMoves lets a source contradict what it had called final,
// under a follower that heard it.
func TestFollowFinalityMoves(t *testing.T) {
	a := trunk("ethereum", 40)
	for name, c := range map[string]struct {
		then func(*sourcetest.Chain)
		also error
	}{
		"back":     {func(s *sourcetest.Chain) { s.Finalize(new(uint64(20))) }, ledger.ErrUntrue},
		"replaced": {func(s *sourcetest.Chain) { s.Set(slices.Concat(a[:25], branch(a[24], 30, 1))...) }, store.ErrDeepReorg},
	} {
		t.Run(name, func(t *testing.T) {
			s, n := open(t, t.TempDir(), mapEngine(), "ethereum")
			defer s.Close()
			src := sourcetest.New("ethereum", a...)
			src.Finalize(new(uint64(30)))
			o := quick(0)
			o.ReorgBound, o.Follow = nil, true
			o.Report = func(st store.FollowStatus) {
				if st.Tip.Height == 39 && st.Trouble == nil {
					c.then(src)
				}
			}
			err := follow(t, n, o, src)
			if f, _ := ledger.FaultOf(err); f != ledger.FaultFinality || !errors.Is(err, c.also) {
				t.Errorf("got %v, want %s", err, ledger.FaultFinality)
			}
			wantBlocks(t, n, a)
		})
	}
}
