package kvtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/spoortrace/spoor/store"
)

func testOverwrite(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	write(t, kv, put("p", "a", "1"), put("p", "b", "1"), put("p", "c", "1"))
	write(t, kv, put("p", "a", "2"), del("p", "b"), del("p", "never"))
	wantRow(t, kv, "p", "a", "2")
	wantAbsent(t, kv, "p", "b")
	// Within one call the later op holds.
	write(t, kv, put("p", "a", "3"), del("p", "a"), put("p", "b", "4"), del("p", "c"), put("p", "c", "5"), put("p", "b", "6"))
	wantScan(t, view(t, kv), "p", "-", "-", false, []string{"b=6", "c=5"})
	// A deleted row stays deleted, also after it is written and deleted again.
	write(t, kv, del("p", "b"), del("p", "b"))
	write(t, kv, put("p", "b", "7"))
	write(t, kv, del("p", "b"))
	wantAbsent(t, kv, "p", "b")
	write(t, kv)
}

func testBigValues(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	sizes := []int{0, 1, 4096, 64 << 10, 512 << 10, 1 << 20}
	for i, n := range sizes {
		write(t, kv, store.Op{Partition: []byte("p"), Sort: []byte{byte(i)}, Value: filled(i, n)})
	}
	r := view(t, kv)
	i := 0
	for row, err := range r.Scan([]byte("p"), nil, nil, false) {
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(row.Value, filled(i, sizes[i])) {
			t.Errorf("value of %d bytes comes back as %d others", sizes[i], len(row.Value))
		}
		i++
	}
	if i != len(sizes) {
		t.Errorf("%d values, want %d", i, len(sizes))
	}
}

// manyOps is above the 104,855 keys that a transaction of Badger's defaults takes.
const manyOps = 120_000

func testManyOps(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }
	ops := make([]store.Op, manyOps)
	for i := range ops {
		ops[i] = store.Op{Partition: []byte("many"), Sort: key(i), Value: key(i * 3)}
	}
	write(t, kv, ops...)
	n := 0
	for row, err := range view(t, kv).Scan([]byte("many"), nil, nil, false) {
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(row.Sort, key(n)) || !bytes.Equal(row.Value, key(n*3)) {
			t.Fatalf("row %d is %x=%x", n, row.Sort, row.Value)
		}
		n++
	}
	if n != manyOps {
		t.Fatalf("%d rows, want %d", n, manyOps)
	}
	for i := range ops {
		ops[i] = store.Op{Partition: []byte("many"), Sort: key(i), Delete: true}
	}
	write(t, kv, ops[:manyOps-1]...)
	wantScan(t, view(t, kv), "many", "-", "-", false, []string{fmt.Sprintf("%s=%s", key(manyOps-1), key((manyOps-1)*3))})
}

func testViewConsistent(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	write(t, kv, put("p", "a", "1"), put("p", "b", "1"))
	r, done := kv.View()
	defer done()
	write(t, kv, put("p", "a", "2"), del("p", "b"), put("p", "c", "2"))
	if err := publish(t, kv, "-", "head 1", 1); err != nil {
		t.Fatal(err)
	}
	wantScan(t, r, "p", "-", "-", false, []string{"a=1", "b=1"})
	if v, err := r.Get([]byte("p"), []byte("b")); err != nil || string(v) != "1" {
		t.Errorf("deleted row in the older view: %q, %v; want 1", v, err)
	}
	if _, err := r.Get([]byte("p"), []byte("c")); !errors.Is(err, store.ErrAbsent) {
		t.Errorf("later row in the older view: %v, want ErrAbsent", err)
	}
	wantScan(t, view(t, kv), "p", "-", "-", false, []string{"a=2", "c=2", "head=head 1"})
}

// testConcurrent moves a pair of rows in step while readers watch: a view must
// never see one without the other.
func testConcurrent(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	fail := make(chan error, 4)
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if err := readPair(kv); err != nil {
					fail <- err
					return
				}
			}
		})
	}
	head := "-"
	for i := range 300 {
		v := fmt.Sprint(i)
		write(t, kv, put("p", "a"+v, v), put("q", "a"+v, v))
		if err := publish(t, kv, head, v, 1); err != nil {
			t.Fatal(err)
		}
		head = v
	}
	stop()
	readers.Wait()
	close(fail)
	for err := range fail {
		t.Error(err)
	}
}

// readPair checks that everything which the head publishes is there.
func readPair(kv store.KV) error {
	r, done := kv.View()
	defer done()
	head, err := r.Get([]byte("p"), []byte("head"))
	if errors.Is(err, store.ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, p := range []string{"p", "q"} {
		v, err := r.Get([]byte(p), append([]byte("a"), head...))
		if err != nil || !bytes.Equal(v, head) {
			return fmt.Errorf("head %s, row %s: %q, %w", head, p, v, err)
		}
	}
	return nil
}

func testCancelled(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := kv.Write(ctx, []store.Op{put("p", "a", "1")}); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v, want context.Canceled", err)
	}
	if err := kv.Publish(ctx, []byte("p"), []byte("head"), nil, []byte("1"), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("publish: %v, want context.Canceled", err)
	}
	wantAbsent(t, kv, "p", "head")
}
