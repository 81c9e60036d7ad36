package store_test

import (
	"context"
	"errors"
	"slices"
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
	b := slices.Concat(a[:30], branch(a[29], 15, 1))
	shorter := slices.Concat(a[:25], branch(a[24], 5, 2))
	for name, stages := range map[string][][]*ledger.Block{
		"growing":        {a[:3], a[:20], a},
		"longer":         {a, b},
		"shorter":        {a, shorter},
		"A-B-A":          {a, b, a},
		"A-B-A shorter":  {b, shorter, b, a},
		"to the bound":   {a, slices.Concat(a[:30], branch(a[29], 20, 3)), slices.Concat(a[:40], branch(a[39], 1, 0))},
		"same height":    {a, slices.Concat(a[:39], branch(a[38], 1, 4))},
		"lag is no loss": {a, a[:10], slices.Concat(a[:40], branch(a[39], 2, 0))},
	} {
		t.Run(name, func(t *testing.T) {
			s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
			defer s.Close()
			src := sourcetest.New("bitcoin")
			var longest []*ledger.Block
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
		"longer":        slices.Concat(a[:28], branch(a[27], 20, 1)),
		"below base":    slices.Concat(a[:28], branch(a[27], 1, 1)),
		"all of it":     slices.Concat(a[:1], branch(a[0], 50, 1)),
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
	b := slices.Concat(a[:22], branch(a[21], 20, 1))
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
	b := slices.Concat(a[:7], branch(a[6], 5, 1))
	b[11] = pay(b[11])
	s, n := open(t, t.TempDir(), mapEngine(), "tron")
	defer s.Close()
	src := sourcetest.New("tron")
	for i, c := range []struct {
		blocks []*ledger.Block
		want   uint64 // height of the orphaned block; 0: none
	}{{a, 0}, {b[:10], 8}, {b, 0}, {a, 0}, {slices.Concat(b[:11], branch(b[10], 1, 5)), 11}} {
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
