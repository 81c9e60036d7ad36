//go:build linux

package crashtest

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// TestSilentRollback damages the log of a killed process before its last
// publication. Badger opens such a store without a word, as of an earlier time.
// The anchor must tell both heights; Repair and another run of the source then
// give the index of an undisturbed run.
func TestSilentRollback(t *testing.T) {
	base := t.TempDir()
	o, s, image := killedWithLog(t, base)
	after, _ := s.digests(t)
	rng := rand.New(rand.NewPCG(o.Seed, 4))
	n, repaired := trials(t), 0
	for i := range n {
		dir := filepath.Join(base, "trial")
		if err := errors.Join(os.RemoveAll(dir), copyTree(image, dir)); err != nil {
			t.Fatal(err)
		}
		damageLog(t, dir, rng)
		back := openRolledBack(t, o, dir, s)
		if want := s.blocks[len(s.blocks)-1].Ref; back.Want.Height != want.Height || back.Want.Hash != want.Hash {
			t.Fatalf("seed %d: reports that %d %s was acknowledged, it was %d %s", o.Seed, back.Want.Height, back.Want.Hash, want.Height, want.Hash)
		}
		if i%10 == 0 {
			repair(t, dir, s, after[len(after)-1])
			repaired++
		}
	}
	t.Logf("seed %d: %d damaged logs, %d rollbacks reported with both heights, %d of them repaired and caught up", o.Seed, n, n, repaired)
}

// killedWithLog kills a run whose newest log holds enough to lose. A log that
// Badger has just begun does not, and one before it may be in a table already,
// where damage to the log loses nothing.
func killedWithLog(t *testing.T, base string) (o order, s *script, image string) {
	t.Helper()
	image = filepath.Join(base, "killed")
	for range 20 {
		o = order{Seed: rand.Uint64N(1 << 32), Straight: 40, Reorgs: 30, Txs: 15, Batch: 400}
		s = o.script()
		if err := os.RemoveAll(image); err != nil {
			t.Fatal(err)
		}
		makeImage(t, o, image, len(s.blocks))
		if _, im := newestLog(t, image); len(im.pages) >= 4 {
			return o, s, image
		}
	}
	t.Fatal("none of 20 killed runs left a log of 4 pages")
	return o, s, image
}

// newestLog is the newest log with content.
func newestLog(t *testing.T, dir string) (string, *image) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "networks", "*", "gen-*", "engine", "*.mem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range slices.Backward(logs) {
		im, err := readImage(log)
		if err != nil {
			t.Fatal(err)
		}
		if len(im.pages) > 0 {
			return log, im
		}
	}
	t.Fatalf("no log with content among %v", logs)
	return "", nil
}

// damageLog damages the newest log in the first half of it.
func damageLog(t *testing.T, dir string, rng *rand.Rand) {
	t.Helper()
	log, im := newestLog(t, dir)
	pages := slices.Sorted(maps.Keys(im.pages))
	p := pages[1+rng.IntN(len(pages)/2)]
	if rng.IntN(2) == 0 {
		delete(im.pages, p)
	} else {
		im.pages[p][rng.IntN(page)] ^= 1 << rng.IntN(8)
	}
	if err := im.write(log); err != nil {
		t.Fatal(err)
	}
}

func openRolledBack(t *testing.T, o order, dir string, s *script) *store.RolledBackError {
	t.Helper()
	st, err := store.Open(dir, engine(), store.Options{MinFree: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	_, err = st.Network(t.Context(), s.chain)
	if cerr := st.Close(); cerr != nil {
		t.Fatal(cerr)
	}
	var back *store.RolledBackError
	if !errors.As(err, &back) || !errors.Is(err, ledger.ErrCorrupt) {
		t.Fatalf("seed %d: network over a damaged log: %v, want a RolledBackError", o.Seed, err)
	}
	return back
}

func repair(t *testing.T, dir string, s *script, want ledger.Hash) {
	t.Helper()
	st, err := store.Open(dir, engine(), store.Options{MinFree: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	n, err := st.Repair(t.Context(), s.chain)
	if err != nil {
		t.Fatalf("repair: %v", err)
	}
	// Siblings of the tip may be gone: the source follows its own best chain.
	if err := n.Append(t.Context(), best(s), s.options(0, nil)); err != nil {
		t.Fatalf("append after repair: %v", err)
	}
	if err := n.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if status, err := n.Status(); err != nil || status.Digest != want {
		t.Fatalf("digest after repair: %s, %v; want %s", status.Digest, err, want)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// best yields the chain of the script's last block.
func best(s *script) func(func(*ledger.Block, error) bool) {
	var chain []*ledger.Block
	for want := s.blocks[len(s.blocks)-1].Ref.Hash; ; {
		i, held := s.byHash[want]
		if !held {
			break
		}
		chain = append(chain, s.blocks[i])
		want = s.blocks[i].Parent
	}
	return func(yield func(*ledger.Block, error) bool) {
		for _, b := range slices.Backward(chain) {
			if !yield(b, nil) {
				return
			}
		}
	}
}
