package entities

import (
	"context"
	"errors"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// TestMain sets how many random lives a law is held to: 60, or SPOOR_TRIALS.
func TestMain(m *testing.M) {
	trials := os.Getenv("SPOOR_TRIALS")
	if trials == "" {
		trials = "60"
	}
	for name, value := range map[string]string{"rapid.checks": trials, "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	m.Run()
}

// Clusters after random growth and reorganisations, as of the tip and as of every
// height below it, are those of a plain union-find over the blocks up to there:
// members, names, sums, and a path of joins between any two.
func TestLives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		engine, left := memkv.New(), -1
		live(t, func(dir string) (store.KV, error) {
			kv, err := engine(dir)
			return clumsy{kv, &left}, err
		}, &left)
	})
}

// clumsy is an engine whose publications fail once left has come to 0: what was
// written before stays, and was never published.
type clumsy struct {
	store.KV
	left *int // below 0: none fails
}

func (c clumsy) Publish(ctx context.Context, partition, sort, old, new []byte, epoch uint64) error {
	if *c.left == 0 {
		return errors.New("the disk is gone")
	}
	*c.left--
	return c.KV.Publish(ctx, partition, sort, old, new, epoch)
}

func live(t *rapid.T, engine store.Engine, left *int) {
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
	set, err := Open(dir+"/clusters", engine)
	if err != nil {
		t.Fatal(err)
	}
	set.flush = rapid.IntRange(1, 60).Draw(t, "flush")
	defer func() { _ = set.Close() }()
	l := &life{t: t}
	l.grow()
	for range rapid.IntRange(1, 5).Draw(t, "steps") {
		if depth := rapid.IntRange(0, bound).Draw(t, "depth"); depth > 0 && len(l.blocks) > 1 {
			before := len(l.blocks)
			l.fork(depth)
			for len(l.blocks) <= before {
				l.grow()
			}
		}
		for range rapid.IntRange(1, 4).Draw(t, "blocks") {
			l.grow()
		}
		w.follow(l)
		switch rapid.IntRange(0, 4).Draw(t, "trouble") {
		case 0: // cut off in the middle, and opened again
			w.update(t, set, rapid.IntRange(0, 30).Draw(t, "calls"))
			_ = set.Close()
			if set, err = Open(dir+"/clusters", engine); err != nil {
				t.Fatal(err)
			}
			set.flush = rapid.IntRange(1, 60).Draw(t, "flush")
		case 1: // written, and never published
			*left = rapid.IntRange(0, 3).Draw(t, "publications")
			w.update(t, set, 1<<30)
			*left = -1
		case 2:
			continue // several steps at once
		}
		w.agrees(t, set, l.blocks)
	}
	w.agrees(t, set, l.blocks)
}

// update is cut off after a number of questions to its context.
func (w *world) update(t *rapid.T, set *Set, calls int) {
	snap, err := w.store.Snapshot(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close() //nolint:errcheck // in memory
	_ = set.Update(&shortContext{context.Background(), calls}, snap)
}

// shortContext ends after it was asked a number of times.
type shortContext struct {
	context.Context
	left int
}

func (c *shortContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func (w *world) agrees(t *rapid.T, set *Set, blocks []*ledger.Block) {
	if rapid.Bool().Draw(t, "kept up to date") {
		w.update(t, set, 1<<30)
	}
	heights := []uint64{uint64(len(blocks)) - 1, uint64(rapid.IntRange(0, len(blocks)-1).Draw(t, "as of"))}
	for _, h := range heights {
		snap, err := w.store.Snapshot(context.Background(), map[ledger.Chain]uint64{"bitcoin": h})
		if err != nil {
			t.Fatal(err)
		}
		v, err := viewOf(set, snap)
		if err != nil {
			t.Fatal(err)
		}
		for _, tier := range []ledger.Tier{ledger.TierExact, ledger.TierChange} {
			p := plainOf(t, blocks[:h+1], tier)
			for n := range owners {
				agree(t, v, p, owner(n), tier)
			}
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if err := snap.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func agree(t *rapid.T, v *View, p *plain, a ledger.Address, tier ledger.Tier) {
	ctx := context.Background()
	c, err := v.Cluster(ctx, a, tier)
	if err != nil {
		t.Fatal(err)
	}
	members, name, sum := p.cluster(a)
	var got []ledger.Address
	for m, err := range v.Members(ctx, c, ledger.Address{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	var again []ledger.Address // page by page of one
	for after := (ledger.Address{}); len(again) <= len(got); {
		next := ledger.Address{}
		for m, err := range v.Members(ctx, c, after) {
			if err != nil {
				t.Fatal(err)
			}
			next = m
			break
		}
		if next.IsZero() {
			break
		}
		again, after = append(again, next), next
	}
	if !slices.Equal(again, got) {
		t.Fatalf("%s: pages of one say %v, the whole %v", a, again, got)
	}
	slices.SortFunc(got, ledger.Address.Compare)
	if d := cmp.Diff(members, got); d != "" || c.Name != name || c.Size != uint64(len(members)) || c.Tier != tier {
		t.Fatalf("%s of %s: name %s, size %d, tier %s; want %s, %d (-want +got)\n%s", a, tier, c.Name, c.Size, c.Tier, name, len(members), d)
	}
	stats, err := v.Stats(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if stats != sum {
		t.Fatalf("sums of %s: got %+v, want %+v", a, stats, sum)
	}
	for n := range owners {
		leads(t, v, p, a, owner(n), tier)
	}
}

// leads checks the path of joins between two addresses against what the chain shows.
func leads(t *rapid.T, v *View, p *plain, a, b ledger.Address, tier ledger.Tier) {
	path, err := v.Why(context.Background(), a, b, tier)
	if err != nil {
		t.Fatal(err)
	}
	if (len(path) > 0) != (a != b && p.find(a) == p.find(b)) {
		t.Fatalf("from %s to %s: %d joins", a, b, len(path))
	}
	at := a
	for _, j := range path {
		shown := slices.ContainsFunc(p.joins, func(s ledger.Join) bool {
			back := s
			back.A, back.B = s.B, s.A
			return s == j || back == j
		})
		if j.A != at || !shown {
			t.Fatalf("from %s to %s: %+v does not lead on from %s, or no transaction shows it", a, b, j, at)
		}
		at = j.B
	}
	if len(path) > 0 && at != b {
		t.Fatalf("from %s to %s: the path ends at %s", a, b, at)
	}
}
