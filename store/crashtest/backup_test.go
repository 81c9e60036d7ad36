//go:build linux

package crashtest

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/backup"
)

// TestBackupWhileAppending copies a network again and again while blocks are taken
// in, in batches, one by one and through reorgs. What is restored of a copy must
// stand at one of the states of an undisturbed run, hold under verify, take in the
// rest of the blocks, and then be equal to the undisturbed run.
func TestBackupWhileAppending(t *testing.T) {
	seed := rand.Uint64N(1 << 32)
	rng := rand.New(rand.NewPCG(seed, 2))
	moved := 0
	for i := range uint64(2) { // a chain of coins, and one of accounts
		r := newRun(t, "ingest", seed+i)
		copies := copyAppending(t, r, 300+rng.IntN(2000))
		tips := map[int]bool{}
		for j, raw := range copies {
			q := *r
			q.Dir = filepath.Join(t.TempDir(), strconv.Itoa(j))
			if err := backup.Restore(t.Context(), bytes.NewReader(raw), q.Dir, engine(), nil); err != nil {
				t.Fatalf("seed %d: copy %d: %v", r.Seed, j, err)
			}
			q.check(t, -1)
			tips[q.done] = true
			q.finish(t)
		}
		moved += len(tips)
		t.Logf("seed %d: %d copies at %d tips", r.Seed, len(copies), len(tips))
	}
	if moved < 4 {
		t.Errorf("the copies are of %d tips: nothing was taken in beside them", moved)
	}
}

// copyAppending appends the whole script and copies as it goes.
func copyAppending(t *testing.T, r *run, batch int) (copies [][]byte) {
	t.Helper()
	st, err := store.Open(r.Dir, engine(), store.Options{MinFree: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	n, err := st.Create(t.Context(), r.script.chain)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- n.Append(t.Context(), r.script.from(0, len(r.script.blocks)), r.script.options(batch, nil))
	}()
	for done := false; !done; {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
		copies = append(copies, copyOf(t, n))
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	for len(copies) > 4 { // restoring takes its time: the last, and some of the others
		at := rand.IntN(len(copies) - 1)
		copies = append(copies[:at], copies[at+1:]...)
	}
	return copies
}

func copyOf(t *testing.T, n *store.Network) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := backup.NewWriter(&b)
	if err == nil {
		_, _, err = n.Backup(t.Context(), w.Under("networks/"+string(n.Chain())))
	}
	if err == nil {
		_, _, err = w.End()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// finish takes in the rest of the script and compares.
func (r *run) finish(t *testing.T) {
	t.Helper()
	st, err := store.Open(r.Dir, engine(), store.Options{MinFree: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	n, err := st.Create(t.Context(), r.script.chain)
	if err == nil {
		err = n.Append(t.Context(), r.script.from(r.done, len(r.script.blocks)), r.script.options(1000, nil))
	}
	if err == nil {
		err = st.Close()
	}
	if err != nil {
		t.Fatalf("seed %d: the rest of the blocks after %d: %v", r.Seed, r.done, err)
	}
	r.check(t, len(r.script.blocks)-1)
}
