package kvtest

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

func testPublish(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	for _, c := range []struct {
		old, next string
		want      error
		held      string
	}{
		{"1", "2", store.ErrConflict, "-"}, // not there yet
		{"-", "1", nil, "1"},
		{"-", "2", store.ErrConflict, "1"},
		{"0", "2", store.ErrConflict, "1"},
		{"", "2", store.ErrConflict, "1"}, // empty is not absent
		{"1", "2", nil, "2"},
		{"2", "2", nil, "2"},
		{"1", "3", store.ErrConflict, "2"},
		{"2", "", nil, ""},
		{"-", "3", store.ErrConflict, ""},
		{"", "3", nil, "3"},
	} {
		if err := publish(t, kv, c.old, c.next, 1); !errors.Is(err, c.want) {
			t.Errorf("publish %q -> %q: %v, want %v", c.old, c.next, err, c.want)
		}
		if c.held == "-" {
			wantAbsent(t, kv, "p", "head")
		} else {
			wantRow(t, kv, "p", "head", c.held)
		}
	}
}

// testEpoch: a writer that was superseded cannot publish, whatever it believes.
func testEpoch(t *testing.T, engine store.Engine) {
	dir := filepath.Join(t.TempDir(), "kv")
	kv := openAt(t, engine, dir)
	for _, c := range []struct {
		old, next string
		epoch     uint64
		want      error
	}{
		{"-", "1", 5, nil},
		{"1", "2", 4, store.ErrEpoch},
		{"9", "2", 4, store.ErrEpoch}, // the epoch is judged first
		{"1", "2", 5, nil},
		{"1", "3", 7, store.ErrConflict}, // a failed publication claims nothing
		{"2", "3", 6, nil},
		{"3", "4", 5, store.ErrEpoch},
	} {
		if err := publish(t, kv, c.old, c.next, c.epoch); !errors.Is(err, c.want) {
			t.Errorf("publish %q -> %q with epoch %d: %v, want %v", c.old, c.next, c.epoch, err, c.want)
		}
	}
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	kv = openAt(t, engine, dir)
	if err := publish(t, kv, "3", "4", 5); !errors.Is(err, store.ErrEpoch) {
		t.Errorf("older epoch after reopen: %v, want ErrEpoch", err)
	}
	if err := publish(t, kv, "3", "4", 6); err != nil {
		t.Errorf("same epoch after reopen: %v", err)
	}
	// The epoch's own bookkeeping is not a row of any partition.
	wantScan(t, view(t, kv), "p", "-", "-", false, []string{"head=4"})
	wantScan(t, view(t, kv), "", "-", "-", false, nil)
}

func testReopen(t *testing.T, engine store.Engine) {
	dir := filepath.Join(t.TempDir(), "deep", "kv")
	kv := openAt(t, engine, dir)
	write(t, kv, put("p", "a", "1"), put("p", "b", "1"), store.Op{Partition: []byte("big"), Value: filled(7, 1<<20)})
	write(t, kv, del("p", "b"))
	if err := publish(t, kv, "-", "1", 1); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		if err := kv.Close(); err != nil {
			t.Fatal(err)
		}
		kv = openAt(t, engine, dir)
		wantRow(t, kv, "p", "head", "1")
		wantRow(t, kv, "p", "a", "1")
		wantAbsent(t, kv, "p", "b")
		wantRow(t, kv, "big", "", string(filled(7, 1<<20)))
		if t.Failed() {
			t.Fatalf("after %d reopenings", round+1)
		}
	}
}

func testOneOwner(t *testing.T, engine store.Engine) {
	dir := filepath.Join(t.TempDir(), "kv")
	kv := openAt(t, engine, dir)
	if second, err := engine(dir); !errors.Is(err, ledger.ErrBusy) {
		t.Errorf("second open: %v, want ErrBusy", err)
		if err == nil {
			// Only its failure to open is under test.
			_ = second.Close()
		}
	}
	write(t, kv, put("p", "a", "1"))
	wantRow(t, kv, "p", "a", "1")
	if err := publish(t, kv, "-", "1", 1); err != nil {
		t.Fatal(err)
	}
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	wantRow(t, openAt(t, engine, dir), "p", "a", "1")
}

// testClosed: a closed store answers with errors, not with crashes or absence.
func testClosed(t *testing.T, engine store.Engine) {
	kv, err := engine(filepath.Join(t.TempDir(), "kv"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, kv, put("p", "a", "1"))
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	if err := kv.Write(t.Context(), []store.Op{put("p", "a", "2")}); err == nil {
		t.Error("write after close succeeds")
	}
	if err := publish(t, kv, "-", "1", 1); err == nil {
		t.Error("publish after close succeeds")
	}
	r, done := kv.View()
	defer done()
	if _, err := r.Get([]byte("p"), []byte("a")); err == nil || errors.Is(err, store.ErrAbsent) {
		t.Errorf("get after close: %v, want an error other than ErrAbsent", err)
	}
	if _, err := scan(r, "p", nil, nil, false); err == nil {
		t.Error("scan after close succeeds")
	}
}
