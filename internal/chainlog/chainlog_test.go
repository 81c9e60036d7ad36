package chainlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/spoortrace/spoor/internal/chainlog"
	"github.com/spoortrace/spoor/ledger"
)

const origin = "a test"

func ignore(chainlog.Entry) error { return nil }

// begin opens a log in a new folder with n entries in it.
func begin(t *testing.T, n int) (*chainlog.Log, string, chainlog.Key) {
	t.Helper()
	dir := t.TempDir()
	key, err := chainlog.OpenKey(filepath.Join(dir, "sign"), "tester", true)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "a")
	l, err := chainlog.Open(name, origin, key, ignore)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := l.Append(fmt.Appendf(nil, `{"entry":%d}`, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	return l, name, key
}

// TestProofs checks every proof of a log of 20 entries with the checker of x/mod.
func TestProofs(t *testing.T) {
	l, _, key := begin(t, 20)
	last, err := chainlog.OpenCheckpoint(l.Checkpoint(), origin, key.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	roots := map[uint64]tlog.Hash{20: last.Root}
	_, short, shortKey := begin(t, 0)
	other, err := chainlog.Open(short, origin, shortKey, ignore)
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= 20; n++ {
		if err := other.Append(fmt.Appendf(nil, `{"entry":%d}`, n)); err != nil {
			t.Fatal(err)
		}
		c, err := chainlog.OpenCheckpoint(other.Checkpoint(), origin, shortKey.Verifier)
		if err != nil {
			t.Fatal(err)
		}
		roots[n] = c.Root
	}
	for n := uint64(1); n <= 20; n++ {
		proof, err := l.ProveEntry(n, 20)
		if err != nil {
			t.Fatal(err)
		}
		leaf := tlog.RecordHash(fmt.Appendf(nil, `{"entry":%d}`, n))
		if err := tlog.CheckRecord(proof, 20, last.Root, int64(n)-1, leaf); err != nil {
			t.Errorf("entry %d: %v", n, err)
		}
		if err := tlog.CheckRecord(proof, 20, last.Root, int64(n)-1, tlog.RecordHash([]byte("another"))); err == nil {
			t.Errorf("entry %d: another one is proven, too", n)
		}
		tree, err := l.ProveTree(20, n)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(tree, 20, last.Root, int64(n), roots[n]); err != nil {
			t.Errorf("tree of %d: %v", n, err)
		}
	}
}

// TestEdits makes 10,000 random single edits of the two files: all are found.
func TestEdits(t *testing.T) {
	_, name, key := begin(t, 30)
	log, checkpoint := read(t, name+".log"), read(t, name+".checkpoint")
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		file, whole := name+".log", log
		if i%5 == 0 {
			file, whole = name+".checkpoint", checkpoint
		}
		edited := edit(r, whole)
		if bytes.Equal(edited, whole) {
			continue
		}
		write(t, file, edited)
		_, err := chainlog.Verify(name, origin, key.Verifier, chainlog.Check{}, ignore)
		if !errors.Is(err, ledger.ErrCorrupt) {
			t.Fatalf("edit %d of %s: got %v, want ErrCorrupt; the file: %q", i, filepath.Base(file), err, edited)
		}
		write(t, file, whole)
	}
	if _, err := chainlog.Verify(name, origin, key.Verifier, chainlog.Check{}, ignore); err != nil {
		t.Errorf("without an edit: %v", err)
	}
}

// edit changes a byte, takes some out, puts some in, cuts the end off, or
// repeats, drops or swaps lines.
func edit(r *rand.Rand, whole []byte) []byte {
	at := r.IntN(len(whole))
	to := min(len(whole), at+1+r.IntN(200))
	lines := strings.SplitAfter(strings.TrimSuffix(string(whole), "\n"), "\n")
	a, b := r.IntN(len(lines)), r.IntN(len(lines))
	switch r.IntN(7) {
	case 0:
		edited := bytes.Clone(whole)
		edited[at] ^= 1 << r.IntN(8)
		return edited
	case 1:
		return append(bytes.Clone(whole[:at]), whole[to:]...)
	case 2:
		return append(append(bytes.Clone(whole[:at]), byte(r.Uint32())), whole[at:]...)
	case 3:
		return bytes.Clone(whole[:at])
	case 4:
		lines[a], lines[b] = lines[b], lines[a]
	case 5:
		lines[a] += lines[a]
	case 6:
		lines[a] = ""
	}
	return []byte(strings.Join(lines, "") + "\n")
}

// TestTorn cuts the file at every byte beyond the checkpoint, and before it.
func TestTorn(t *testing.T) {
	l, name, key := begin(t, 3)
	before, old := read(t, name+".log"), read(t, name+".checkpoint")
	if err := l.Append([]byte("the last")); err != nil {
		t.Fatal(err)
	}
	after := read(t, name+".log")
	for n := len(before) - 20; n <= len(after); n++ {
		write(t, name+".log", after[:n])
		write(t, name+".checkpoint", old)
		count := 0
		again, err := chainlog.Open(name, origin, key, func(chainlog.Entry) error { count++; return nil })
		switch {
		case n < len(before):
			if !errors.Is(err, ledger.ErrCorrupt) {
				t.Errorf("cut at %d of %d acknowledged: got %v", n, len(before), err)
			}
			continue
		case err != nil:
			t.Fatalf("cut at %d: %v", n, err)
		}
		want, cut, beyond := 3, int64(n-len(before)), uint64(0)
		if n == len(after) {
			want, cut, beyond = 4, 0, 1
		}
		if count != want || again.Cut() != cut || again.Beyond() != beyond {
			t.Errorf("cut at %d: %d entries, %d bytes cut, %d beyond; want %d, %d, %d", n, count, again.Cut(), again.Beyond(), want, cut, beyond)
		}
		if _, err := chainlog.Verify(name, origin, key.Verifier, chainlog.Check{}, ignore); err != nil {
			t.Errorf("cut at %d, opened: %v", n, err)
		}
	}
}

// TestEarlier finds a log that was put back, which only a kept checkpoint shows.
func TestEarlier(t *testing.T) {
	l, name, key := begin(t, 3)
	log, checkpoint := read(t, name+".log"), read(t, name+".checkpoint")
	if err := l.Append([]byte("the fourth")); err != nil {
		t.Fatal(err)
	}
	kept := l.Checkpoint()
	verify := func(earlier []byte) error {
		_, err := chainlog.Verify(name, origin, key.Verifier, chainlog.Check{Earlier: earlier}, ignore)
		return err
	}
	if err := errors.Join(verify(kept), verify(checkpoint)); err != nil {
		t.Error(err)
	}
	write(t, name+".log", log)
	write(t, name+".checkpoint", checkpoint)
	if err := verify(nil); err != nil {
		t.Errorf("put back: %v; the two files agree", err)
	}
	if err := verify(kept); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("put back, with the checkpoint that was kept: %v", err)
	}
	if _, err := chainlog.Verify(name, "another", key.Verifier, chainlog.Check{}, ignore); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("as the log of another origin: %v", err)
	}
}

// TestConcurrent appends from many goroutines.
func TestConcurrent(t *testing.T) {
	l, _, _ := begin(t, 0)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 10 {
				if err := l.Append(fmt.Appendf(nil, "%d %d", g, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	if err := l.Read(func(e chainlog.Entry) error { seen[string(e.Body)] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 80 || l.Size() != 80 {
		t.Errorf("%d entries, %d different; want 80", l.Size(), len(seen))
	}
}

// TestRefused: what is no line of its own leaves the log as it was.
func TestRefused(t *testing.T) {
	l, name, key := begin(t, 1)
	for _, body := range []string{"", "two\nlines", strings.Repeat("x", chainlog.MaxBody+1)} {
		if err := l.Append([]byte("a good one"), []byte(body)); err == nil {
			t.Errorf("%.20q was taken", body)
		}
	}
	c, err := chainlog.Verify(name, origin, key.Verifier, chainlog.Check{}, ignore)
	if err != nil || c.Size != 1 {
		t.Errorf("%d entries, %v; want 1", c.Size, err)
	}
	if _, err := chainlog.OpenKey(filepath.Join(t.TempDir(), "none"), "tester", false); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("a key that is gone: %v", err)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
