package entities

import (
	"context"
	"iter"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// inTurn hands out blocks as a source does.
func inTurn(blocks []*ledger.Block) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		for _, b := range blocks {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// Where blocks are added below those that the clusters were built from, they are
// built anew, and say what a chain that was whole from the start says. Views of
// before go on saying what they said.
func TestBackfill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // it is in a temporary folder
		w := &world{}
		if w.store, err = store.Open(dir, memkv.New(), store.Options{MinFree: 1}); err != nil {
			t.Fatal(err)
		}
		defer w.store.Close() //nolint:errcheck // in memory
		set, err := Open(dir+"/clusters", memkv.New())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = set.Close() }()
		l := &life{t: t}
		for range rapid.IntRange(3, 12).Draw(t, "blocks") {
			l.grow()
		}
		from := rapid.IntRange(1, len(l.blocks)-1).Draw(t, "from")
		n, err := w.store.Create(context.Background(), "bitcoin")
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Append(context.Background(), inTurn(l.blocks[from:]), store.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		old, close := w.view(t, set)
		before := said(t, old)
		whole := store.MergeBlocks(n.Blocks(context.Background()), inTurn(l.blocks[:from]))
		if err := n.Rebuild(context.Background(), whole, n.Contents(), store.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		w.agrees(t, set, l.blocks)
		if after := said(t, old); after != before {
			t.Fatalf("a view of before says %v, and said %v", after, before)
		}
		close()
		w.agrees(t, set, l.blocks)
	})
}

// Clusters that other rules built are built anew.
func TestOldRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // it is in a temporary folder
		w := &world{}
		if w.store, err = store.Open(dir, memkv.New(), store.Options{MinFree: 1}); err != nil {
			t.Fatal(err)
		}
		defer w.store.Close() //nolint:errcheck // in memory
		engine := memkv.New()
		kv, err := engine(dir + "/clusters/bitcoin.0")
		if err != nil {
			t.Fatal(err)
		}
		partition, sort := headRow()
		stale := head{height: 3}.encode()
		stale[0] = format - 1
		if err := kv.Publish(context.Background(), partition, sort, nil, store.Seal(partition, sort, stale), 1); err != nil {
			t.Fatal(err)
		}
		if err := kv.Close(); err != nil {
			t.Fatal(err)
		}
		l := &life{t: t}
		for range rapid.IntRange(1, 12).Draw(t, "blocks") {
			l.grow()
		}
		w.follow(l)
		set, err := Open(dir+"/clusters", engine)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close() //nolint:errcheck // in memory
		w.agrees(t, set, l.blocks)
	})
}

// view pins the clusters of the tip.
func (w *world) view(t *rapid.T, set *Set) (v *View, done func()) {
	snap, err := w.store.Snapshot(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = viewOf(set, snap); err != nil {
		t.Fatal(err)
	}
	return v, func() {
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if err := snap.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// said is the name and size of every owner's cluster at T1.
func said(t *rapid.T, v *View) (all [owners]named) {
	for i := range all {
		c, err := v.Cluster(context.Background(), owner(i), ledger.TierChange)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = named{c.Name, c.Size}
	}
	return all
}
