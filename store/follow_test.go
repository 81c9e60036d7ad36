package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/sourcetest"
)

// branch returns n linked blocks after a block, of another branch for each salt.
func branch(after *ledger.Block, n int, salt byte) []*ledger.Block {
	var blocks []*ledger.Block
	for range n {
		b := plain(after.Ref.Chain, after.Ref.Height+1, after.Ref.Hash, salt)
		b.Ref.Hash = ledger.Hash{byte(b.Ref.Height), byte(b.Ref.Height >> 8), salt, 7}
		blocks, after = append(blocks, b), b
	}
	return blocks
}

// trunk returns blocks from height 0 on.
func trunk(c ledger.Chain, n int) []*ledger.Block {
	genesis := plain(c, 0, ledger.Hash{}, 0)
	return append([]*ledger.Block{genesis}, branch(genesis, n-1, 0)...)
}

// quick are options for tests: everything is polled at once.
func quick(bound uint64) store.FollowOptions {
	return store.FollowOptions{Poll: 2 * time.Millisecond, ReorgBound: &bound, Timeout: 5 * time.Second}
}

func follow(t *testing.T, n *store.Network, o store.FollowOptions, sources ...store.Source) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return store.Follow(ctx, n, sources, o)
}

func wantBlocks(t *testing.T, n *store.Network, blocks []*ledger.Block) {
	t.Helper()
	if got, want := exported(t, n), fresh(t, t.TempDir(), blocks); got != want {
		t.Fatalf("export differs from that of a fresh index:\ngot\n%s\nwant\n%s", got, want)
	}
}

// TestFollowReorgs takes the source through every kind of reorg.
func TestFollowReorgs(t *testing.T) {
	a := trunk("bitcoin", 40)
	b := append(a[:30:30], branch(a[29], 15, 1)...)
	shorter := append(a[:25:25], branch(a[24], 5, 2)...)
	for name, stages := range map[string][][]*ledger.Block{
		"growing":        {a[:3], a[:20], a},
		"longer":         {a, b},
		"shorter":        {a, shorter},
		"A-B-A":          {a, b, a},
		"A-B-A shorter":  {b, shorter, b, a},
		"to the bound":   {a, append(a[:30:30], branch(a[29], 20, 3)...), append(a[:40:40], branch(a[39], 1, 0)...)},
		"same height":    {a, append(a[:39:39], branch(a[38], 1, 4)...)},
		"lag is no loss": {a, a[:10], append(a[:40:40], branch(a[39], 2, 0)...)},
	} {
		t.Run(name, func(t *testing.T) {
			s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
			defer s.Close()
			src := sourcetest.New("bitcoin")
			longest := stages[0]
			for i, blocks := range stages {
				src.Set(blocks...)
				if err := follow(t, n, quick(20), src); err != nil {
					t.Fatalf("stage %d: %v", i, err)
				}
				if longest = blocks; name == "lag is no loss" && i == 1 {
					longest = a
				}
				wantBlocks(t, n, longest)
			}
		})
	}
}

// TestFollowDeepReorg wants a halt, and nothing changed.
func TestFollowDeepReorg(t *testing.T) {
	a := trunk("bitcoin", 40)
	s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
	defer s.Close()
	src := sourcetest.New("bitcoin", a...)
	if err := follow(t, n, quick(10), src); err != nil {
		t.Fatal(err)
	}
	for name, blocks := range map[string][]*ledger.Block{
		"longer":        append(a[:28:28], branch(a[27], 20, 1)...),
		"below base":    append(a[:28:28], branch(a[27], 1, 1)...),
		"all of it":     append(a[:1:1], branch(a[0], 50, 1)...),
		"other genesis": branch(a[0], 50, 9),
	} {
		src.Set(blocks...)
		o := quick(10)
		o.Follow = true
		if err := follow(t, n, o, src); !errors.Is(err, store.ErrDeepReorg) {
			t.Errorf("%s: got %v, want %v", name, err, store.ErrDeepReorg)
		}
		wantBlocks(t, n, a)
	}
}

// TestFollowLive grows the chain under a follower and ends it by its context.
func TestFollowLive(t *testing.T) {
	a := trunk("bitcoin", 30)
	s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
	defer s.Close()
	src := sourcetest.New("bitcoin", a[:10]...)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o := quick(5)
	o.Follow = true
	var last store.FollowStatus
	o.Report = func(st store.FollowStatus) {
		last = st
		switch h := st.Tip.Height; {
		case h == 29:
			cancel()
		case h+1 == st.Head:
		case h == st.Head:
			src.Set(a[:min(h+3, 30)]...)
			src.Hint()
		}
	}
	if err := store.Follow(ctx, n, []store.Source{src}, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	if last.Blocks != 30 || last.Replaced != 0 || last.Trouble != nil {
		t.Errorf("status: got %+v, want 30 blocks", last)
	}
	wantBlocks(t, n, a)
}

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
	src.Set(append(a[:39:39], branch(a[38], 3, 5)...)...)
	if err := follow(t, n, o, src); !errors.Is(err, store.ErrDeepReorg) {
		t.Errorf("a final block replaced: got %v, want %v", err, store.ErrDeepReorg)
	}
	src.Set(a...)
	o.MaxOverlay = 66
	src.Set(append(a[:60:60], branch(a[59], 100, 0)...)...)
	if err := follow(t, n, o, src); !errors.Is(err, store.ErrStalled) || !errors.Is(err, ledger.ErrExhausted) {
		t.Errorf("finality that stalls: got %v, want %v", err, store.ErrStalled)
	}
	if st, err := n.Status(); err != nil || st.Overlay != 66 {
		t.Errorf("overlay: %d blocks, %v, want 66", st.Overlay, err)
	}
	if got := folded(new(uint64(120))); got != 105 && got != 120 {
		t.Errorf("after finality went on: folded %d", got)
	}
	wantBlocks(t, n, append(a[:60:60], branch(a[59], 100, 0)...))
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
		"replaced": {func(s *sourcetest.Chain) { s.Set(append(a[:25:25], branch(a[24], 30, 1)...)...) }, store.ErrDeepReorg},
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

// TestFollowRange reads From to To, and refuses to fill in from below.
func TestFollowRange(t *testing.T) {
	a := trunk("bitcoin", 60)
	s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
	defer s.Close()
	src := sourcetest.New("bitcoin", a...)
	o := quick(5)
	o.From, o.To, o.Follow = new(uint64(10)), new(uint64(20)), true
	if err := follow(t, n, o, src); err != nil {
		t.Fatal(err)
	}
	wantBlocks(t, n, a[10:21])
	o.From, o.To = new(uint64(9)), nil
	if err := follow(t, n, o, src); !errors.Is(err, store.ErrBackfill) {
		t.Errorf("from below: got %v, want %v", err, store.ErrBackfill)
	}
	o.From, o.To = new(uint64(15)), new(uint64(30))
	if err := follow(t, n, o, src); err != nil {
		t.Fatal(err)
	}
	wantBlocks(t, n, a[10:31])
	o.From, o.To = new(uint64(40)), nil
	o.Follow = false
	if err := follow(t, n, o, src); err != nil {
		t.Fatal(err)
	}
	wantBlocks(t, n, append(a[10:31:31], a[40:]...))
}

// TestFollowRestarts ends Follow after every number of blocks, of two branches,
// opens the index again and goes on.
func TestFollowRestarts(t *testing.T) {
	a := trunk("bitcoin", 30)
	b := append(a[:22:22], branch(a[21], 20, 1)...)
	dir, engine := t.TempDir(), mapEngine()
	for i := 1; ; i++ {
		s, n := open(t, dir, engine, "bitcoin")
		ctx, cancel := context.WithCancel(t.Context())
		src := sourcetest.New("bitcoin", a...)
		if i > 9 {
			src.Set(b...)
		}
		o := quick(10)
		o.Parallel, o.BatchSize = 1+i%5, 1
		left := i%4 + 1
		src.Fail(func(_ context.Context, c sourcetest.Call) error {
			if c.Method == "Block" {
				left--
			}
			if left < 0 {
				cancel()
			}
			return nil
		})
		o.Parallel = 1
		err := store.Follow(ctx, n, []store.Source{src}, o)
		cancel()
		if err == nil {
			wantBlocks(t, n, b)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
		if !errors.Is(err, context.Canceled) || i > 60 {
			t.Fatalf("run %d: %v", i, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOrphaned asks for a transaction of a branch that a reorg left, and again
// when the other branch has it too.
func TestOrphaned(t *testing.T) {
	a := trunk("tron", 10)
	pay := func(b *ledger.Block) *ledger.Block {
		c := *b
		c.Txs = []ledger.Tx{{ID: ledger.TxID{0xaa}, Chain: "tron", Pos: ledger.At(b.Ref.Height, 0)}}
		return &c
	}
	a[8] = pay(a[8])
	b := append(a[:7:7], branch(a[6], 5, 1)...)
	b[11] = pay(b[11])
	s, n := open(t, t.TempDir(), mapEngine(), "tron")
	defer s.Close()
	src := sourcetest.New("tron")
	for i, c := range []struct {
		blocks []*ledger.Block
		want   uint64 // height of the orphaned block; 0: none
	}{{a, 0}, {b[:10], 8}, {b, 0}, {a, 0}, {append(b[:11:11], branch(b[10], 1, 5)...), 11}} {
		src.Set(c.blocks...)
		if err := follow(t, n, quick(20), src); err != nil {
			t.Fatal(err)
		}
		snap := pinned(t, n)
		got, ok := snap.Orphaned(t.Context(), "tron", ledger.TxID{0xaa})
		if ok != (c.want > 0) || got.Height != c.want {
			t.Errorf("stage %d: got block %d %v, want %d", i, got.Height, ok, c.want)
		}
		if err := snap.Close(); err != nil {
			t.Error(err)
		}
	}
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
