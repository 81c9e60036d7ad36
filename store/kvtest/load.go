package kvtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// loaderOf opens a fresh store and returns it as a Loader.
func loaderOf(t *testing.T, engine store.Engine, dir string) (store.KV, store.Loader) {
	t.Helper()
	kv := openAt(t, engine, dir)
	l, ok := kv.(*closeOnce).KV.(store.Loader)
	if !ok {
		t.Skip("no Loader")
	}
	return kv, l
}

// testLoad fills a store by interleaved streams, reads it, changes it, and opens it again.
func testLoad(t *testing.T, engine store.Engine) {
	dir := filepath.Join(t.TempDir(), "kv")
	kv, l := loaderOf(t, engine, dir)
	const rows = 20_000
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }
	err := l.Load(t.Context(), func(to store.Streams) error {
		scratch := make([]byte, 300)
		for i := range rows {
			for stream := range uint32(3) {
				copy(scratch, fmt.Sprintf("%d of %d", i, stream))
				op := store.Op{Partition: []byte{'a' + byte(stream)}, Sort: key(i), Value: scratch}
				if stream == 2 {
					op.Partition = append([]byte("long"), key(i)...)
				}
				if err := to.Put(stream, op); err != nil {
					return err
				}
			}
			if i == rows/2 {
				if err := to.End(7); err != nil {
					return err
				}
			}
		}
		return errors.Join(to.End(1), to.End(0))
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(kv store.KV) {
		t.Helper()
		r, done := kv.View()
		defer done()
		n := 0
		for row, err := range r.Scan([]byte("a"), nil, nil, false) {
			if want := fmt.Sprintf("%d of 0", n); err != nil || beInt(row.Sort) != n || string(row.Value[:len(want)]) != want || len(row.Value) != 300 {
				t.Fatalf("row %d: %x = %.20q, %v", n, row.Sort, row.Value, err)
			}
			n++
		}
		if n != rows {
			t.Errorf("%d rows, want %d", n, rows)
		}
		for _, i := range []int{0, 1, rows / 3, rows - 1} {
			v, err := r.Get(append([]byte("long"), key(i)...), key(i))
			if want := fmt.Sprintf("%d of 2", i); err != nil || string(v[:len(want)]) != want {
				t.Errorf("row %d: %.20q, %v", i, v, err)
			}
		}
		if _, err := r.Get([]byte("a"), key(rows)); !errors.Is(err, store.ErrAbsent) {
			t.Errorf("a row that was not put: %v", err)
		}
	}
	check(kv)
	write(t, kv, put("a", string(key(5)), "new"), put("z", "z", "1"))
	wantRow(t, kv, "a", string(key(5)), "new")
	if err := kv.Publish(t.Context(), []byte("p"), []byte("head"), nil, []byte("1"), 1); err != nil {
		t.Fatal(err)
	}
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, engine, dir)
	wantRow(t, again, "a", string(key(5)), "new")
	wantRow(t, again, "z", "z", "1")
	wantRow(t, again, "p", "head", "1")
}

func beInt(b []byte) int { return int(binary.BigEndian.Uint32(b)) }

// testLoadRefuses: rows out of order, stores with rows, and a load that fails.
func testLoadRefuses(t *testing.T, engine store.Engine) {
	dir := filepath.Join(t.TempDir(), "kv")
	kv, l := loaderOf(t, engine, dir)
	write(t, kv, put("p", "a", "1"))
	never := func(store.Streams) error {
		t.Error("rows are asked for")
		return nil
	}
	if err := l.Load(t.Context(), never); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("a store with rows: %v", err)
	}
	wantRow(t, kv, "p", "a", "1")

	for name, second := range map[string]store.Op{
		"the same":         put("pp", "b", "2"),
		"sort before":      put("pp", "a", "2"),
		"partition before": put("po", "c", "2"),
		"shorter":          put("z", "c", "2"),
	} {
		_, l := loaderOf(t, engine, filepath.Join(t.TempDir(), "kv"))
		err := l.Load(t.Context(), func(to store.Streams) error {
			return errors.Join(to.Put(3, put("pp", "b", "1")), to.Put(3, second))
		})
		if !errors.Is(err, ledger.ErrPrecondition) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, l = loaderOf(t, engine, filepath.Join(t.TempDir(), "kv"))
	cause := errors.New("no more")
	if err := l.Load(t.Context(), func(to store.Streams) error { return errors.Join(to.Put(0, put("p", "a", "1")), cause) }); !errors.Is(err, cause) {
		t.Errorf("a load that fails: %v", err)
	}
}
