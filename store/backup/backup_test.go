package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/backup"
	"github.com/spoortrace/spoor/store/badgerkv"
)

func engine() store.Engine { return badgerkv.New(badgerkv.Small()) }

// rowsOf are n rows in the order of an engine.
func rowsOf(n int) iter.Seq2[store.Op, error] {
	return func(yield func(store.Op, error) bool) {
		for i := range n {
			if !yield(store.Op{Partition: []byte("p"), Sort: fmt.Appendf(nil, "%06d", i), Value: bytes.Repeat([]byte{byte(i)}, i%900)}, nil) {
				return
			}
		}
	}
}

// sample is a backup of two files and an engine, in several pieces.
func sample(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := backup.NewWriter(&b)
	if err == nil {
		err = errors.Join(w.File("labels/labels.log", strings.NewReader(strings.Repeat("label\n", 300_000))), w.File("empty", strings.NewReader("")))
	}
	if err == nil {
		err = errors.Join(w.Rows("screening", rowsOf(5000)), w.Rows("none", rowsOf(0)))
	}
	if err == nil {
		_, _, err = w.End()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRestore: what was written comes back, to the byte and to the row.
func TestRestore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := backup.Restore(t.Context(), bytes.NewReader(sample(t)), dir, engine(), nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "labels", "labels.log"))
	if err != nil || string(text) != strings.Repeat("label\n", 300_000) {
		t.Errorf("the log has %d bytes, %v", len(text), err)
	}
	if info, err := os.Stat(filepath.Join(dir, "empty")); err != nil || info.Size() != 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("the empty file: %v, %v", info, err)
	}
	for name, want := range map[string]int{"screening": 5000, "none": 0} {
		if diff := cmp.Diff(collect(t, rowsOf(want)), dump(t, filepath.Join(dir, name))); diff != "" {
			t.Errorf("rows of %s: %s", name, diff)
		}
	}
	if left, _ := filepath.Glob(dir + backup.Unfinished); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func collect(t *testing.T, rows iter.Seq2[store.Op, error]) (texts []string) {
	t.Helper()
	for op, err := range rows {
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, fmt.Sprintf("%s %s %x", op.Partition, op.Sort, op.Value))
	}
	return texts
}

func dump(t *testing.T, dir string) []string {
	t.Helper()
	kv, err := engine()(dir)
	if err != nil {
		t.Fatal(err)
	}
	rows, _, done, err := store.Dump(t.Context(), kv)
	if err != nil {
		t.Fatal(err)
	}
	texts := collect(t, rows)
	done()
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	return texts
}

// TestDamage changes, cuts and lengthens a backup 240 times: each is refused with
// the part, and nothing is written.
func TestDamage(t *testing.T) {
	whole := sample(t)
	random := rand.New(rand.NewPCG(3, 4))
	dir := filepath.Join(t.TempDir(), "data")
	for i := range 240 {
		bad, at := bytes.Clone(whole), random.IntN(len(whole))
		switch i % 4 {
		case 0:
			bad[at] ^= 1 << random.IntN(8)
		case 1:
			bad = bad[:at]
		case 2:
			bad = append(bad[:at], bad[min(len(bad), at+1+random.IntN(5000)):]...)
		case 3:
			bad = append(bad, byte(i))
		}
		err := backup.Restore(t.Context(), bytes.NewReader(bad), dir, engine(), nil)
		if !errors.Is(err, ledger.ErrCorrupt) && !errors.Is(err, ledger.ErrNewer) {
			t.Fatalf("damage %d at %d of %d: %v", i, at, len(whole), err)
		}
		if named := strings.Contains(err.Error(), ", piece ") || strings.Contains(err.Error(), " line"); !named && !errors.Is(err, ledger.ErrNewer) {
			t.Fatalf("damage %d at %d: no part is named: %v", i, at, err)
		}
		if left, _ := filepath.Glob(dir + "*"); len(left) > 0 {
			t.Fatalf("damage %d: %v was written", i, left)
		}
	}
}

// TestRefused: where a restore has nothing to do.
func TestRefused(t *testing.T) {
	whole := sample(t)
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := backup.Restore(t.Context(), bytes.NewReader(whole), full, engine(), nil); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("into a folder with a file: %v", err)
	}
	newer := bytes.Replace(whole, []byte("spoor backup 1"), []byte("spoor backup 2"), 1)
	if err := backup.Check(bytes.NewReader(newer)); !errors.Is(err, ledger.ErrNewer) {
		t.Errorf("a later version: %v", err)
	}
	judged := errors.New("judged")
	dir := filepath.Join(t.TempDir(), "data")
	if err := backup.Restore(t.Context(), bytes.NewReader(whole), dir, engine(), func(string) error { return judged }); !errors.Is(err, judged) {
		t.Errorf("a look that finds something: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := backup.Restore(ctx, bytes.NewReader(whole), dir, engine(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused restore left %s: %v", dir, err)
	}
	var b bytes.Buffer
	w, err := backup.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../x", "/etc/x", "a/../../x", "", ".", "a\nb", `a\b`} {
		if err := w.File(name, strings.NewReader("")); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("a file %q: %v", name, err)
		}
	}
}

// TestInterrupted: what a killed restore left is taken over; while one works, another is refused.
func TestInterrupted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	half := filepath.Join(dir+backup.Unfinished, "screening")
	if err := errors.Join(os.MkdirAll(half, 0o700), os.WriteFile(filepath.Join(half, "000001.sst"), []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	inner := errors.New("not asked")
	err := backup.Restore(t.Context(), bytes.NewReader(sample(t)), dir, engine(), func(string) error {
		inner = backup.Restore(t.Context(), bytes.NewReader(sample(t)), dir, engine(), nil)
		return nil
	})
	if err != nil || !errors.Is(inner, ledger.ErrBusy) {
		t.Errorf("restore: %v; another one meanwhile: %v", err, inner)
	}
	if n := len(dump(t, filepath.Join(dir, "screening"))); n != 5000 {
		t.Errorf("%d rows", n)
	}
}
