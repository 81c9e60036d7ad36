package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/sourcetest"
)

// TestFollowFaults wants each lie named, and no row of it.
func TestFollowFaults(t *testing.T) {
	a := trunk("bitcoin", 20)
	for name, c := range map[string]struct {
		want ledger.Fault
		do   func(*sourcetest.Chain)
	}{
		"wrong parent": {ledger.FaultWrongParent, func(s *sourcetest.Chain) { s.Lie(mutate(func(b *ledger.Block) { b.Parent[5] ^= 1 })) }},
		"wrong height": {ledger.FaultWrongBlock, func(s *sourcetest.Chain) { s.Lie(mutate(func(b *ledger.Block) { b.Ref.Height++ })) }},
		"no block":     {ledger.FaultWrongBlock, func(s *sourcetest.Chain) { s.Lie(func(*ledger.Block) *ledger.Block { return nil }) }},
		"impossible": {ledger.FaultContents, func(s *sourcetest.Chain) {
			s.Lie(mutate(func(b *ledger.Block) { b.Txs = []ledger.Tx{{Chain: "bitcoin", Pos: 1}} }))
		}},
		"final above head": {ledger.FaultFinality, func(s *sourcetest.Chain) { s.Finalize(new(uint64(99))) }},
		"head that is not": {ledger.FaultLagging, func(s *sourcetest.Chain) { s.Brag(1000) }},
		"half open": {ledger.FaultTimeout, func(s *sourcetest.Chain) {
			s.Fail(func(ctx context.Context, _ sourcetest.Call) error { <-ctx.Done(); return ctx.Err() })
		}},
		"an error without a name": {ledger.FaultServerError, func(s *sourcetest.Chain) {
			s.Fail(func(context.Context, sourcetest.Call) error { return errors.New("surprise") })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
			defer s.Close()
			src := sourcetest.New("bitcoin", a[:10]...)
			if err := follow(t, n, quick(5), src); err != nil {
				t.Fatal(err)
			}
			src.Set(a...)
			c.do(src)
			o := quick(5)
			if name == "half open" {
				o.Timeout = 60 * time.Millisecond
			}
			err := follow(t, n, o, src)
			if fault, _ := ledger.FaultOf(err); fault != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			wantBlocks(t, n, a[:10])
			// An honest source beside it, and the lie is passed over.
			if err := follow(t, n, o, src, sourcetest.New("bitcoin", a...)); err != nil {
				t.Errorf("with an honest source: %v", err)
			}
			wantBlocks(t, n, a)
		})
	}
}

func mutate(f func(*ledger.Block)) func(*ledger.Block) *ledger.Block {
	return func(b *ledger.Block) *ledger.Block { f(b); return b }
}

// TestFollowTrouble wants a follower to outlive what passes, and to say so.
func TestFollowTrouble(t *testing.T) {
	a := trunk("bitcoin", 10)
	s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
	defer s.Close()
	src := sourcetest.New("bitcoin", a...)
	calls := 0
	src.Fail(func(_ context.Context, c sourcetest.Call) error {
		if calls++; calls < 30 {
			return ledger.Untrue(ledger.FaultBusy, c.Method, "come back")
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o := quick(5)
	o.Follow = true
	troubled := 0
	o.Report = func(st store.FollowStatus) {
		if st.Trouble != nil {
			troubled++
		}
		if st.Tip.Height == 9 {
			cancel()
		}
	}
	if err := store.Follow(ctx, n, []store.Source{src}, o); !errors.Is(err, context.Canceled) || troubled != 29 {
		t.Errorf("got %v, %d reports of trouble, want 29", err, troubled)
	}
	wantBlocks(t, n, a)
	if err := follow(t, n, quick(5), sourcetest.New("tron")); err == nil || fmt.Sprint(err) == "" {
		t.Error("a source of another network was taken")
	} else if f, _ := ledger.FaultOf(err); f != ledger.FaultWrongChain {
		t.Errorf("a source of another network: got %v, want %s", err, ledger.FaultWrongChain)
	}
}

// TestFollowBehind asks sources that all have less than the index: nothing is
// missing, and nothing is wrong.
func TestFollowBehind(t *testing.T) {
	a := trunk("bitcoin", 30)
	s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
	defer s.Close()
	if err := follow(t, n, quick(5), sourcetest.New("bitcoin", a...)); err != nil {
		t.Fatal(err)
	}
	near, far := sourcetest.New("bitcoin", a[:28]...), sourcetest.New("bitcoin", a[:3]...)
	if err := follow(t, n, quick(5), near, far); err != nil || near.Calls("Head") == 0 || far.Calls("Head") == 0 {
		t.Errorf("got %v after %d and %d questions, want both asked and no error", err, near.Calls("Head"), far.Calls("Head"))
	}
	more := slices.Concat(a, branch(a[29], 4, 0))
	if err := follow(t, n, quick(5), near, far, sourcetest.New("bitcoin", more...)); err != nil {
		t.Errorf("with one that has more: %v", err)
	}
	wantBlocks(t, n, more)
}
