package labels

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

const (
	locky = "13NrgYhtjgMtPpGdtPpxV4WX3S7azfeD48"
	trx   = "TVXy9j3MHePgN3ydyr3D8NojB5RLD3AcRs"
)

func parse(t testing.TB, c ledger.Chain, s string) ledger.Address {
	t.Helper()
	a, err := ledger.ParseAddress(c, s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func open(t testing.TB, dir string) *Log {
	t.Helper()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // tests that reopen close it before
	return l
}

// numbered makes tags that differ by label, all of one address.
func numbered(t testing.TB, from, to int) []ledger.Tag {
	t.Helper()
	var tags []ledger.Tag
	for i := from; i < to; i++ {
		tags = append(tags, ledger.Tag{
			Address: parse(t, "tron", trx), Chain: "tron", Label: fmt.Sprint("label ", i), Source: "test", Category: "scam",
			Concepts: []string{"scam", "abuse"}, Abuse: "scam", Actor: "a", Confidence: 50, Definer: true, Context: "{}", Pack: "p",
			Creator: "c", ValidFrom: 1, ValidTo: -2, LastMod: 3,
		})
	}
	return tags
}

func source(name string, tags []ledger.Tag) Source {
	return Source{Name: name, Tags: func(yield func(ledger.Tag, error) bool) {
		for _, tag := range tags {
			if !yield(tag, nil) {
				return
			}
		}
	}}
}

// content lists all tags of the test's address in a view, ids and times included.
func content(t testing.TB, l *Log, sequence uint64) []ledger.Tag {
	t.Helper()
	v, err := l.View(sequence)
	if err != nil {
		t.Fatal(err)
	}
	tags, err := v.Tags(t.Context(), parse(t, "tron", trx))
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

func TestLog(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	want := numbered(t, 0, 3)
	if _, err := l.Import(t.Context(), source("a", want), 1000); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].ID, want[i].Recorded = uint64(i+1), 1000
	}
	if diff := cmp.Diff(want, content(t, l, 0)); diff != "" {
		t.Error(diff)
	}
	if _, err := l.Retract(2, "wrong wallet", 2000); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Retract(2, "again", 2000); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("second retraction: got %v, want ErrPrecondition", err)
	}
	if _, err := l.Retract(9, "none", 2000); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("retraction of no tag: got %v, want ErrNotFound", err)
	}
	again, err := l.Import(t.Context(), source("b", numbered(t, 1, 5)), 3000)
	if err != nil || again.Tags != 2 || again.Repeated != 2 {
		t.Errorf("import that overlaps: got %+v, %v, want 2 new and 2 repeated", again, err)
	}
	added, err := l.Add(numbered(t, 1, 2)[0], 4000)
	if err != nil || added.ID != 6 {
		t.Errorf("add: got %+v, %v, want id 6", added, err)
	}
	for reopened := range 2 {
		check := func(sequence uint64, ids ...uint64) {
			t.Helper()
			var got []uint64
			for _, tag := range content(t, l, sequence) {
				got = append(got, tag.ID)
			}
			if !slices.Equal(got, ids) {
				t.Errorf("reopened %d, sequence %d: got ids %v, want %v", reopened, sequence, got, ids)
			}
		}
		check(1, 1, 2, 3)
		check(2, 1, 3)
		check(3, 1, 3, 4, 5)
		check(4, 1, 3, 4, 5, 6)
		check(0, 1, 3, 4, 5, 6)
		if reopened == 0 {
			before := l.Imports()
			_ = l.Close()
			l = open(t, dir)
			if diff := cmp.Diff(before, l.Imports()); diff != "" || l.Cut() != 0 {
				t.Errorf("cut %d, %s", l.Cut(), diff)
			}
		}
	}
	if _, err := l.View(5); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("view above the last: got %v, want ErrNotFound", err)
	}
}

func TestNetworksAreApart(t *testing.T) {
	l := open(t, t.TempDir())
	eth := parse(t, "ethereum", "0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae")
	bnb := parse(t, "bnb", "0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae")
	if _, err := l.Add(ledger.Tag{Address: eth, Chain: "ethereum", Label: "x", Source: "y"}, 1); err != nil {
		t.Fatal(err)
	}
	v, _ := l.View(0)
	on, _ := v.Tags(t.Context(), eth)
	off, _ := v.Tags(t.Context(), bnb)
	if len(on) != 1 || len(off) != 0 {
		t.Errorf("got %d tags on ethereum, %d on bnb, want 1 and 0", len(on), len(off))
	}
	id := ledger.TxID{7}
	if _, err := l.Add(ledger.Tag{Tx: &id, Chain: "bitcoin", Label: "x", Source: "y"}, 1); err != nil {
		t.Fatal(err)
	}
	v, _ = l.View(0)
	tags, err := v.TxTags(t.Context(), "bitcoin", id)
	if err != nil || len(tags) != 1 || *tags[0].Tx != id {
		t.Errorf("got %v, %v, want the tag of the transaction", tags, err)
	}
}

// TestImportIsAtomic: a source that fails half-way leaves no trace.
func TestImportIsAtomic(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if _, err := l.Import(t.Context(), source("a", numbered(t, 0, 2)), 1); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(filepath.Join(dir, logName))
	failing := Source{Name: "bad", Tags: iter.Seq2[ledger.Tag, error](func(yield func(ledger.Tag, error) bool) {
		for _, tag := range numbered(t, 5, 3000) {
			if !yield(tag, nil) {
				return
			}
		}
		yield(ledger.Tag{}, ledger.Invalid("bad:7", "a tag", "nonsense"))
	})}
	if _, err := l.Import(t.Context(), failing, 2); !errors.Is(err, ledger.ErrInvalid) {
		t.Fatalf("got %v, want ErrInvalid", err)
	}
	after, _ := os.ReadFile(filepath.Join(dir, logName))
	if !bytes.Equal(before, after) || l.Sequence() != 1 || len(content(t, l, 0)) != 2 {
		t.Errorf("the log changed: %d -> %d bytes, sequence %d", len(before), len(after), l.Sequence())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Import(gone, source("c", numbered(t, 9, 10)), 2); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if _, err := l.Import(t.Context(), source("d", numbered(t, 9, 10)), 2); err != nil || len(content(t, l, 0)) != 3 {
		t.Errorf("import after failures: %v, %d tags, want 3", err, len(content(t, l, 0)))
	}
}

func TestSameFileTwice(t *testing.T) {
	l := open(t, t.TempDir())
	path := filepath.Join("..", "testdata", "demo", "labels", "seizure-orders.csv")
	first, err := l.ImportFile(t.Context(), path, Options{}, 1)
	if err != nil || first.Tags != 41 || first.Known {
		t.Fatalf("got %+v, %v, want 41 tags", first, err)
	}
	second, err := l.ImportFile(t.Context(), path, Options{}, 2)
	if err != nil || !second.Known || second.Sequence != first.Sequence || l.Sequence() != 1 {
		t.Errorf("got %+v, %v, want the first import", second, err)
	}
}

func TestBusy(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := Open(dir); !errors.Is(err, ledger.ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
}

// written makes a closed log of three batches and returns its two files.
func written(t testing.TB) (logBytes, head []byte) {
	t.Helper()
	dir := t.TempDir()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := l.Import(t.Context(), source(fmt.Sprint(i), numbered(t, i*4, i*4+4)), int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	_ = l.Close()
	logBytes, _ = os.ReadFile(filepath.Join(dir, logName))
	head, _ = os.ReadFile(filepath.Join(dir, headName))
	return logBytes, head
}

// reopen opens a log of the given bytes; nil head means no such file.
func reopen(t testing.TB, logBytes, head []byte) (*Log, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, logName), logBytes, 0o600); err != nil {
		t.Fatal(err)
	}
	if head != nil {
		if err := os.WriteFile(filepath.Join(dir, headName), head, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := Open(dir)
	if err == nil {
		t.Cleanup(func() { _ = l.Close() })
	}
	return l, err
}

// TestEveryBit flips bits of both files: each is found.
func TestEveryBit(t *testing.T) {
	logBytes, head := written(t)
	random := rand.New(rand.NewPCG(1, 2))
	for trial := range 600 {
		a, b := bytes.Clone(logBytes), bytes.Clone(head)
		target := a
		if trial%4 == 0 {
			target = b
		}
		bit := random.IntN(len(target) * 8)
		target[bit/8] ^= 1 << (bit % 8)
		_, err := reopen(t, a, b)
		if !errors.Is(err, ledger.ErrCorrupt) && !errors.Is(err, ledger.ErrNewer) {
			t.Fatalf("trial %d, bit %d flipped of %d bytes: got %v, want ErrCorrupt", trial, bit, len(target), err)
		}
	}
}

// TestTail: what was acknowledged is there or missed, what was not is cut off.
func TestTail(t *testing.T) {
	logBytes, head := written(t)
	for cut := 0; cut < len(logBytes); cut += 7 {
		if _, err := reopen(t, logBytes[:cut], head); !errors.Is(err, ledger.ErrCorrupt) {
			t.Fatalf("cut to %d of %d bytes: got %v, want ErrCorrupt", cut, len(logBytes), err)
		}
	}
	if _, err := reopen(t, logBytes, nil); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("without a head: got %v, want ErrCorrupt", err)
	}
	l, err := reopen(t, logBytes, head)
	if err != nil {
		t.Fatal(err)
	}
	want := content(t, l, 0)
	if _, err := l.Import(t.Context(), source("late", numbered(t, 50, 60)), 9); err != nil {
		t.Fatal(err)
	}
	longer, _ := os.ReadFile(l.file.Name())
	for end := len(logBytes); end <= len(longer); end++ { // the head is the old one: nothing of the last batch was acknowledged
		torn := longer[:end]
		if end%3 == 0 {
			torn = append(bytes.Clone(torn), bytes.Repeat([]byte{0xff}, 9)...)
		}
		l, err := reopen(t, torn, head)
		if err != nil {
			t.Fatalf("torn at %d: %v", end, err)
		}
		got := content(t, l, 0)
		if end == len(longer) {
			if len(got) != len(want)+10 {
				t.Errorf("a whole batch without its head: got %d tags, want %d", len(got), len(want)+10)
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" || l.Cut() != int64(len(torn)-len(logBytes)) {
			t.Fatalf("torn at %d: cut %d, %s", end, l.Cut(), diff)
		}
		if _, err := l.Add(numbered(t, 70, 71)[0], 10); err != nil {
			t.Fatalf("torn at %d: add: %v", end, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	logBytes, head := written(f)
	f.Add(logBytes, []byte{})
	f.Add(logBytes[:100], []byte("x"))
	f.Fuzz(func(t *testing.T, text, tail []byte) {
		for _, files := range [][2][]byte{{text, head}, {append(bytes.Clone(logBytes), tail...), head}} {
			l, err := reopen(t, files[0], files[1])
			if err != nil {
				if !errors.Is(err, ledger.ErrCorrupt) && !errors.Is(err, ledger.ErrNewer) {
					t.Errorf("got %v, want a named error", err)
				}
				continue
			}
			if n := len(content(t, l, 3)); n != 12 {
				t.Errorf("got %d tags, want 12 or an error", n)
			}
			_ = l.Close()
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, tag := range numbered(f, 0, 1) {
		f.Add(encodeTag(tag))
	}
	f.Add(encodeCommit(Import{Sequence: 1, Kind: KindImport, Report: Report{Skipped: map[string]int{"LTC": 3}, Refusals: []string{"x"}}}, [32]byte{}))
	f.Fuzz(func(t *testing.T, body []byte) {
		if tag, content, ok := decodeTag(body); ok {
			again, _, ok := decodeTag(encodeTag(tag))
			if diff := cmp.Diff(tag, again); !ok || diff != "" {
				t.Errorf("%x: %s", body, diff)
			}
			_ = content
		}
		if i, previous, ok := decodeCommit(body); ok {
			again, p, ok := decodeCommit(encodeCommit(i, previous))
			if diff := cmp.Diff(i, again); !ok || diff != "" || p != previous {
				t.Errorf("%x: %s", body, diff)
			}
		}
	})
}
