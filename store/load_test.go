package store_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// recorder keeps a copy of every row that an engine holds.
type recorder struct {
	mu     sync.Mutex
	rows   map[string]string
	loaded int
}

func (r *recorder) engine(inner store.Engine) store.Engine {
	return func(dir string) (store.KV, error) {
		kv, err := inner(dir)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.rows = map[string]string{} // one generation follows the other
		return &recordedKV{kv, r}, err
	}
}

type recordedKV struct {
	store.KV
	r *recorder
}

func (k *recordedKV) Write(ctx context.Context, ops []store.Op) error {
	k.r.mu.Lock()
	for _, op := range ops {
		if name := fmt.Sprintf("%s/%x", op.Partition, op.Sort); op.Delete {
			delete(k.r.rows, name)
		} else {
			k.r.rows[name] = string(op.Value)
		}
	}
	k.r.mu.Unlock()
	return k.KV.Write(ctx, ops)
}

func (k *recordedKV) Load(ctx context.Context, write func(to store.Streams) error) error {
	return k.KV.(store.Loader).Load(ctx, func(to store.Streams) error { return write(&recordedStreams{to, k.r}) })
}

type recordedStreams struct {
	store.Streams
	r *recorder
}

func (s *recordedStreams) Put(stream uint32, op store.Op) error {
	s.r.mu.Lock()
	s.r.loaded++
	s.r.rows[fmt.Sprintf("%s/%x", op.Partition, op.Sort)] = string(op.Value)
	s.r.mu.Unlock()
	return s.Streams.Put(stream, op)
}

// without drops table m, which an empty network does not have.
func without(rows map[string]string) map[string]string {
	rows = maps.Clone(rows)
	maps.DeleteFunc(rows, func(name, _ string) bool { return name[0] == 'm' })
	return rows
}

func differing(want, got map[string]string) string {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			fmt.Fprintf(&b, "row %q:\n got %x\nwant %x\n", name, got[name], want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			fmt.Fprintf(&b, "row %q: got %x, want none\n", name, got[name])
		}
	}
	return b.String()[:min(b.Len(), 3000)]
}

// TestLoadAsAppend: whatever the sizes of segments and buckets, a load leaves
// every row as Append does.
func TestLoadAsAppend(t *testing.T) {
	t.Parallel()
	for _, chain := range []ledger.Chain{"bitcoin", "tron"} {
		t.Run(string(chain), func(t *testing.T) {
			dirs, loads := 0, 0
			rapid.Check(t, func(rt *rapid.T) {
				dirs++
				if loadAsAppend(rt, chain, fmt.Sprintf("%s/%d", t.TempDir(), dirs)) > 0 {
					loads++
				}
			})
			if loads < dirs/4 {
				t.Errorf("%d of %d networks came by a load", loads, dirs)
			}
		})
	}
}

func loadAsAppend(t *rapid.T, c ledger.Chain, dir string) int {
	g := &generator{T: t, chain: c}
	tip := g.next(nil, 1)
	for range g.n("blocks", 1, 12) {
		tip = g.next(tip, uint64(1+g.n("gap", 0, 9)/9))
	}
	chain := tip.chain()
	bound := uint64(g.n("bound", 0, 5))
	o := store.AppendOptions{ReorgBound: &bound, Target: tip.Ref.Height, KeepRaw: g.n("raw", 0, 1) == 0, Job: "test"}
	var appended, loaded recorder
	s, n := open(t, dir+"/append", appended.engine(memkv.New()), c)
	defer s.Close()
	if err := n.Append(t.Context(), series(chain...), o); err != nil {
		t.Fatalf("append: %v", err)
	}
	s, m := open(t, dir+"/load", loaded.engine(memkv.New()), c)
	defer s.Close()
	o.BatchSize, o.Memory = 1, int64(g.n("memory", 1, 40_000))
	if err := m.Rebuild(t.Context(), series(chain...), store.Contents{}, o); err != nil {
		t.Fatalf("load: %v", err)
	}
	if text := differing(without(appended.rows), without(loaded.rows)); text != "" {
		t.Fatalf("memory %d: %s", o.Memory, text)
	}
	if want, got := exported(t, n), exported(t, m); got != want {
		t.Fatalf("export: got\n%s\nwant\n%s", got, want)
	}
	if err := m.Verify(t.Context(), nil); err != nil {
		t.Fatalf("verify: %v", err)
	}
	return loaded.loaded
}
