package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer/memindex"
	"pgregory.net/rapid"
)

var errCrash = errors.New("the process died here")

// mortal is an engine that dies after some ops: a Write in which it dies leaves
// the ops before, a Publish nothing or everything.
type mortal struct {
	store.KV
	left *int
}

func (m mortal) Write(ctx context.Context, ops []store.Op) error {
	n := min(len(ops), max(*m.left, 0))
	*m.left -= len(ops)
	if err := m.KV.Write(ctx, ops[:n]); err != nil {
		return err
	}
	if n < len(ops) {
		return errCrash
	}
	return nil
}

func (m mortal) Publish(ctx context.Context, partition, sort, old, next []byte, epoch uint64) error {
	*m.left--
	if *m.left < 0 && *m.left%2 == 0 {
		return errCrash
	}
	err := m.KV.Publish(ctx, partition, sort, old, next, epoch)
	if *m.left < 0 {
		return errCrash
	}
	return err
}

func dying(engine store.Engine, left *int) store.Engine {
	return func(dir string) (store.KV, error) {
		kv, err := engine(dir)
		return mortal{kv, left}, err
	}
}

// TestTornWrites cuts a run of blocks off at any op, goes on in the same process
// or after reopening, and wants the index of an undisturbed run. Meanwhile a
// snapshot taken before is asked on an engine without consistent views.
func TestTornWrites(t *testing.T) {
	t.Parallel()
	for _, chain := range []ledger.Chain{"bitcoin", "tron"} {
		t.Run(string(chain), func(t *testing.T) {
			dirs := 0
			rapid.Check(t, func(rt *rapid.T) {
				dirs++
				torn(rt, chain, fmt.Sprintf("%s/%d", t.TempDir(), dirs))
			})
		})
	}
}

func torn(t *rapid.T, c ledger.Chain, dir string) {
	g := &generator{T: t, chain: c}
	bound := uint64(g.n("bound", 0, 3))
	o := store.AppendOptions{ReorgBound: &bound, BatchSize: g.n("batch", 1, 60), KeepRaw: true}
	left := 1 << 30
	engine := dying(liveEngine(), &left)
	s, n := open(t, dir, engine, c)
	defer func() { _ = s.Close() }()
	tip := g.next(nil, 1)
	for range g.n("blocks before", 0, 6) {
		tip = g.next(tip, 1)
	}
	if err := n.Append(context.Background(), series(tip.chain()...), o); err != nil {
		t.Fatalf("append: %v", err)
	}
	before := tip.chain()
	for range g.n("crashes", 1, 4) {
		for range g.n("blocks", 1, 6) {
			tip = g.next(tip, uint64(g.n("gap", 1, 8)/8+1))
		}
		snap := pinned(t, n)
		left = g.n("ops", 0, 300)
		err := n.Append(context.Background(), series(tip.chain()...), o)
		if err != nil && !errors.Is(err, errCrash) {
			t.Fatalf("append: %v", err)
		}
		left = 1 << 30
		compareSnap(t, snap, before, memindex.Options{}) // beside rows of a torn batch
		if err := snap.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		if err != nil && g.n("reopen", 0, 1) == 0 {
			if err := s.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			s, n = open(t, dir, engine, c)
		}
		if err := n.Append(context.Background(), series(tip.chain()...), o); err != nil {
			t.Fatalf("append again: %v", err)
		}
		before = tip.chain()
	}
	compare(t, n, tip.chain(), memindex.Options{})
	if err := n.Verify(context.Background(), nil); err != nil {
		t.Fatalf("verify: %v", err)
	}
	if got, want := exported(t, n), fresh(t, dir+"-fresh", tip.chain()); got != want {
		t.Fatalf("export differs from an undisturbed run")
	}
}

func pinned(t fataler, n *store.Network) *store.Snapshot {
	t.Helper()
	snap, err := n.Snapshot(0)
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	return snap
}

// refusing is an engine whose next Publish fails without effect.
type refusing struct {
	store.KV
	refuse *bool
}

func (r refusing) Publish(ctx context.Context, partition, sort, old, next []byte, epoch uint64) error {
	if *r.refuse {
		return errCrash
	}
	return r.KV.Publish(ctx, partition, sort, old, next, epoch)
}

// TestUnpublishedSibling crashes after a block is written whole and before it is
// published, takes another block in its place, whose raw form lies where the
// first one's lay, and then goes back to the first.
func TestUnpublishedSibling(t *testing.T) {
	ctx := context.Background()
	refuse := false
	inner := mapEngine()
	engine := func(dir string) (store.KV, error) {
		kv, err := inner(dir)
		return refusing{kv, &refuse}, err
	}
	dir, o := t.TempDir(), store.AppendOptions{KeepRaw: true}
	s, n := open(t, dir, engine, "bitcoin")
	blocks := run("bitcoin", 1, 5)
	first := plain("bitcoin", 6, blocks[4].Ref.Hash, 1)
	second := plain("bitcoin", 6, blocks[4].Ref.Hash, 2)
	child := plain("bitcoin", 7, first.Ref.Hash, 3)
	if err := n.Append(ctx, series(blocks...), o); err != nil {
		t.Fatal(err)
	}
	refuse = true
	if err := n.Append(ctx, series(first), o); !errors.Is(err, errCrash) {
		t.Fatalf("append: got %v, want %v", err, errCrash)
	}
	refuse = false
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, n = open(t, dir, engine, "bitcoin")
	defer s.Close()
	if err := n.Append(ctx, series(second, first, child), o); err != nil {
		t.Fatal(err)
	}
	if err := n.Verify(ctx, nil); err != nil {
		t.Error(err)
	}
	if got, want := exported(t, n), fresh(t, t.TempDir(), append(blocks, first, child)); got != want {
		t.Errorf("export:\ngot\n%s\nwant\n%s", got, want)
	}
}
