package entities

import (
	"context"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// The order of unrelated transactions inside a block changes neither the sets of
// T0 nor their names.
func TestOrderInsideABlock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &life{t: t}
		for range rapid.IntRange(2, 10).Draw(t, "blocks") {
			l.grow()
		}
		other := &life{t: t, blocks: reversed(l.blocks)}
		listed, mirrored := clustersOf(t, l), clustersOf(t, other)
		for n := range owners {
			if a := owner(n); listed[a] != mirrored[a] {
				t.Fatalf("%s is in %v, and in %v when blocks are listed backwards", a, listed[a], mirrored[a])
			}
		}
	})
}

// reversed makes the same blocks with the payments of each in the other order.
func reversed(blocks []*ledger.Block) []*ledger.Block {
	var made []*ledger.Block
	at := map[ledger.TxID]ledger.Position{}
	for _, b := range blocks {
		txs := slices.Clone(b.Txs) // the coinbase is the last one, and sealed wants it first
		slices.Reverse(txs)
		for i := range txs {
			txs[i].Inputs = slices.Clone(txs[i].Inputs)
			for j := range txs[i].Inputs {
				in := &txs[i].Inputs[j]
				in.PrevPos = at[in.Prev.Tx]
			}
		}
		next := sealed(made, b.Ref.Height, txs)
		for i := range next.Txs {
			at[next.Txs[i].ID] = next.Txs[i].Pos
		}
		made = append(made, next)
	}
	return made
}

// named is a cluster without the block that it is as of.
type named struct {
	name ledger.Address
	size uint64
}

func clustersOf(t *rapid.T, l *life) map[ledger.Address]named {
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
	w.follow(l)
	set, err := Open(dir+"/clusters", memkv.New())
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close() //nolint:errcheck // in memory
	snap, err := w.store.Snapshot(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close() //nolint:errcheck // in memory
	v, err := viewOf(set, snap)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close() //nolint:errcheck // in memory
	found := map[ledger.Address]named{}
	for n := range owners {
		c, err := v.Cluster(context.Background(), owner(n), ledger.TierExact)
		if err != nil {
			t.Fatal(err)
		}
		found[owner(n)] = named{c.Name, c.Size}
	}
	return found
}
