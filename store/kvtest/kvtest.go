// Package kvtest is the conformance suite of store.KV: what the store builds on
// and every engine must do. An engine's test calls Run.
package kvtest

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/store"
)

// Run holds an engine to the contract. It opens stores in directories of the test's own.
func Run(t *testing.T, engine store.Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, store.Engine)
	}{
		{"get", testGet},
		{"caller owns bytes", testOwnership},
		{"order", testOrder},
		{"bounds", testBounds},
		{"partitions apart", testPartitions},
		{"stop early", testStopEarly},
		{"overwrite and delete", testOverwrite},
		{"big values", testBigValues},
		{"many ops", testManyOps},
		{"view keeps what it saw", testViewConsistent},
		{"readers beside the writer", testConcurrent},
		{"cancelled", testCancelled},
		{"load", testLoad},
		{"load refuses", testLoadRefuses},
		{"publish compares and sets", testPublish},
		{"publish by epoch", testEpoch},
		{"durable after reopen", testReopen},
		{"one owner", testOneOwner},
		{"closed", testClosed},
		{"as a sorted map", testModel},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, engine) })
	}
}

// open opens a fresh store that is closed at the end of the test.
func open(t *testing.T, engine store.Engine) store.KV {
	t.Helper()
	return openAt(t, engine, filepath.Join(t.TempDir(), "kv"))
}

func openAt(t *testing.T, engine store.Engine, dir string) store.KV {
	t.Helper()
	kv, err := engine(dir)
	if err != nil {
		t.Fatalf("open %s: %v", filepath.Base(dir), err)
	}
	once := &closeOnce{KV: kv}
	t.Cleanup(func() {
		if err := once.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return once
}

// closeOnce lets a test close a store before its cleanup does.
type closeOnce struct {
	store.KV
	closed bool
}

func (c *closeOnce) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	return c.KV.Close()
}

func put(partition, sort, value string) store.Op {
	return store.Op{Partition: []byte(partition), Sort: []byte(sort), Value: []byte(value)}
}

func del(partition, sort string) store.Op {
	return store.Op{Partition: []byte(partition), Sort: []byte(sort), Delete: true}
}

func write(t *testing.T, kv store.KV, ops ...store.Op) {
	t.Helper()
	if err := kv.Write(t.Context(), ops); err != nil {
		t.Fatalf("write of %d ops: %v", len(ops), err)
	}
}

func view(t *testing.T, kv store.KV) store.Reader {
	t.Helper()
	r, done := kv.View()
	t.Cleanup(done)
	return r
}

// get reads one row in a view of its own; absent says that there is none.
func get(t *testing.T, kv store.KV, partition, sort string) (value string, absent bool) {
	t.Helper()
	r, done := kv.View()
	defer done()
	v, err := r.Get([]byte(partition), []byte(sort))
	if errors.Is(err, store.ErrAbsent) {
		return "", true
	}
	if err != nil {
		t.Fatalf("get %q/%q: %v", partition, sort, err)
	}
	return string(v), false
}

func wantRow(t *testing.T, kv store.KV, partition, sort, want string) {
	t.Helper()
	if got, absent := get(t, kv, partition, sort); absent || got != want {
		t.Errorf("row %q/%q: got %.40q (absent %v), want %.40q", partition, sort, got, absent, want)
	}
}

func wantAbsent(t *testing.T, kv store.KV, partition, sort string) {
	t.Helper()
	if got, absent := get(t, kv, partition, sort); !absent {
		t.Errorf("row %q/%q: got %.40q, want ErrAbsent", partition, sort, got)
	}
}

// bound turns a text bound into bytes; "-" is open.
func bound(s string) []byte {
	if s == "-" {
		return nil
	}
	return []byte(s)
}

// scan returns the rows of a span as "sort=value".
func scan(r store.Reader, partition string, from, to []byte, reverse bool) ([]string, error) {
	var rows []string
	for row, err := range r.Scan([]byte(partition), from, to, reverse) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, fmt.Sprintf("%s=%s", row.Sort, row.Value))
	}
	return rows, nil
}

func wantScan(t *testing.T, r store.Reader, partition, from, to string, reverse bool, want []string) {
	t.Helper()
	got, err := scan(r, partition, bound(from), bound(to), reverse)
	if err != nil {
		t.Fatalf("scan %q [%q, %q): %v", partition, from, to, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scan %q [%q, %q) reverse %v (-want +got):\n%s", partition, from, to, reverse, diff)
	}
}

func publish(t *testing.T, kv store.KV, old, next string, epoch uint64) error {
	t.Helper()
	var prev []byte
	if old != "-" {
		prev = []byte(old)
	}
	return kv.Publish(t.Context(), []byte("p"), []byte("head"), prev, []byte(next), epoch)
}

// filled returns n bytes that differ by seed.
func filled(seed, n int) []byte {
	return bytes.Repeat([]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 0xa5}, n/4+1)[:n]
}
