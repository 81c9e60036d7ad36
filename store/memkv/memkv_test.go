package memkv_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/kvtest"
	"github.com/spoortrace/spoor/store/memkv"
)

func TestConformance(t *testing.T) { kvtest.Run(t, memkv.New()) }

// TestCloseForgets checks the documented power cut, on which the tests of the
// store's recovery rest.
func TestCloseForgets(t *testing.T) {
	engine, dir := memkv.New(), filepath.Join(t.TempDir(), "kv")
	kv := open(t, engine, dir)
	write(t, kv, "published", "before")
	if err := kv.Publish(t.Context(), []byte("p"), []byte("head"), nil, []byte("1"), 1); err != nil {
		t.Fatal(err)
	}
	write(t, kv, "lost", "x")
	write(t, kv, "published", "after")
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
	kv = open(t, engine, dir)
	r, done := kv.View()
	defer done()
	if v, err := r.Get([]byte("p"), []byte("published")); err != nil || string(v) != "before" {
		t.Errorf("published row: %q, %v; want before", v, err)
	}
	if _, err := r.Get([]byte("p"), []byte("lost")); !errors.Is(err, store.ErrAbsent) {
		t.Errorf("unpublished row: %v, want ErrAbsent", err)
	}
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRemovedDirectory checks that a store goes with its directory.
func TestRemovedDirectory(t *testing.T) {
	engine, dir := memkv.New(), filepath.Join(t.TempDir(), "kv")
	kv := open(t, engine, dir)
	if err := kv.Publish(t.Context(), []byte("p"), []byte("head"), nil, []byte("1"), 1); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(kv.Close(), os.RemoveAll(dir)); err != nil {
		t.Fatal(err)
	}
	kv = open(t, engine, dir)
	if err := kv.Publish(t.Context(), []byte("p"), []byte("head"), nil, []byte("1"), 1); err != nil {
		t.Errorf("first publication after removal: %v", err)
	}
	if err := kv.Close(); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, engine store.Engine, dir string) store.KV {
	t.Helper()
	kv, err := engine(dir)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func write(t *testing.T, kv store.KV, sort, value string) {
	t.Helper()
	if err := kv.Write(t.Context(), []store.Op{{Partition: []byte("p"), Sort: []byte(sort), Value: []byte(value)}}); err != nil {
		t.Fatal(err)
	}
}
