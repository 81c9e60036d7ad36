package tron

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/spoortrace/spoor/internal/trontest"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// TestRandomReorgs replaces the newest blocks of a node at random, blocks becoming
// solidified now and then, and lets an index follow after each step: every tenth
// step its export must be that of a fresh index. 200 steps, or SPOOR_TRIALS.
func TestRandomReorgs(t *testing.T) {
	steps := 200
	if text := os.Getenv("SPOOR_TRIALS"); text != "" {
		var err error
		if steps, err = strconv.Atoi(text); err != nil {
			t.Fatalf("SPOOR_TRIALS: %v", err)
		}
	}
	s := start(t, 1)
	random := rand.New(rand.NewPCG(11, 12))
	n := dialRecorded(t, NodeOptions{Target: s.Target, Solid: s.Solid})
	followed := emptyIndex(t)
	solid, replaced := uint64(trontest.Height), 0
	for step := range steps {
		// Never below the block that is solidified, nor below the first of the index.
		depth := min(random.IntN(7), int(s.Tip()-max(solid, trontest.Height+1)))
		if depth > 0 {
			replaced++
		}
		s.Reorg(depth, byte(1+random.IntN(255)))
		if random.IntN(3) == 0 {
			solid = max(solid, s.Tip()-uint64(random.IntN(12)))
			s.Solidify(solid)
		}
		followed.once(t, n)
		if step%10 != 9 {
			continue
		}
		fresh := emptyIndex(t)
		fresh.once(t, n)
		if got, want := followed.export(t), fresh.export(t); got != want {
			t.Fatalf("step %d: the index differs from a fresh one:\n%s\n%s", step, got, want)
		}
	}
	if replaced < steps/2 {
		t.Errorf("%d reorganisations in %d steps; want at least half", replaced, steps)
	}
	t.Logf("%d steps, %d reorganisations, height %d, solidified %d", steps, replaced, s.Tip(), solid)
}

// indexed is an index of the blocks after the real one.
type indexed struct {
	store   *store.Store
	network *store.Network
}

func emptyIndex(t *testing.T) *indexed {
	t.Helper()
	s, err := store.Open(t.TempDir(), memkv.New(), store.Options{MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // memory
	network, err := s.Create(t.Context(), "tron")
	if err != nil {
		t.Fatal(err)
	}
	return &indexed{s, network}
}

func (x *indexed) once(t *testing.T, n *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	from := uint64(trontest.Height + 1)
	if err := store.Follow(ctx, x.network, []store.Source{n}, store.FollowOptions{From: &from, Poll: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
}

func (x *indexed) export(t *testing.T) string {
	t.Helper()
	snap, err := x.store.Snapshot(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close() //nolint:errcheck // of a test
	var b bytes.Buffer
	if err := snap.Export(t.Context(), "tron", &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
