package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// recorder keeps a copy of every row of the last generation.
type recorder struct {
	mu     sync.Mutex
	dir    string
	rows   map[string]string
	loaded int
}

func (r *recorder) engine(inner store.Engine) store.Engine {
	return func(dir string) (store.KV, error) {
		kv, err := inner(dir)
		r.mu.Lock()
		defer r.mu.Unlock()
		if dir != r.dir { // one generation follows the other
			r.dir, r.rows = dir, map[string]string{}
		}
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

// chainOf makes a chain of some 400 rows.
func chainOf(c ledger.Chain, blocks int) []*ledger.Block {
	g := &generator{chain: c, rng: rand.New(rand.NewPCG(1, 2))}
	tip := g.next(nil, 1)
	for range blocks - 1 {
		tip = g.next(tip, 1)
	}
	return tip.chain()
}

func sortedOptions(chain []*ledger.Block) store.AppendOptions {
	return store.AppendOptions{
		ReorgBound: new(uint64), Target: chain[len(chain)-1].Ref.Height, KeepRaw: true,
		BatchSize: 1, Memory: 8000, Job: "files",
	}
}

// TestLoadGoesOn cuts loads off after any number of blocks: the next one of the
// same job reads only what no segment holds, and leaves the same index.
func TestLoadGoesOn(t *testing.T) {
	t.Parallel()
	chain := chainOf("bitcoin", 40)
	want := fresh(t, t.TempDir(), chain)
	for cut := 1; cut < len(chain); cut += 4 {
		dir := t.TempDir()
		s, n := open(t, dir, memkv.New(), "bitcoin")
		defer s.Close()
		cause := fmt.Errorf("the source is gone: %w", ledger.ErrUnavailable)
		failing := func(yield func(*ledger.Block, error) bool) {
			for _, b := range chain[:cut] {
				if !yield(b, nil) {
					return
				}
			}
			yield(nil, cause)
		}
		o := sortedOptions(chain)
		if err := n.Rebuild(t.Context(), failing, n.Contents(), o); !errors.Is(err, cause) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if st, err := n.Status(); err != nil || !st.Empty {
			t.Fatalf("cut at %d: %+v, %v", cut, st, err)
		}
		held, err := filepath.Glob(dir + "/networks/bitcoin/load-*/segment-*")
		if err != nil || cut > 10 && len(held) == 0 {
			t.Fatalf("cut at %d: segments %v, %v", cut, held, err)
		}
		var read uint64
		o.Progress = func(p store.Progress) {
			if p.Step == "" && read == 0 {
				read = p.Blocks // after the first block that was read again
			}
		}
		if err := n.Rebuild(t.Context(), series(chain...), n.Contents(), o); err != nil {
			t.Fatalf("again after %d: %v", cut, err)
		}
		if len(held) > 0 && read < 2 {
			t.Errorf("cut at %d, %d segments: read from block %d on", cut, len(held), read)
		}
		if got := exported(t, n); got != want {
			t.Fatalf("cut at %d: another index", cut)
		}
		if left, _ := filepath.Glob(dir + "/networks/bitcoin/load-*"); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// TestLoadDoubtsSegments: segments that are damaged, or of other blocks, are read again.
func TestLoadDoubtsSegments(t *testing.T) {
	t.Parallel()
	chain := chainOf("tron", 60)
	other := slices.Clone(chain)
	for i, b := range chain[:30] { // the same heights
		c := *b
		c.Ref.Hash[5] ^= 1
		if i > 0 {
			c.Parent = other[i-1].Ref.Hash
		}
		other[i] = &c
	}
	for name, spoil := range map[string]func(file string, data []byte) error{
		"a bit":    func(file string, data []byte) error { data[len(data)/2] ^= 4; return os.WriteFile(file, data, 0o600) },
		"cut":      func(file string, data []byte) error { return os.WriteFile(file, data[:len(data)-7], 0o600) },
		"empty":    func(file string, _ []byte) error { return os.WriteFile(file, nil, 0o600) },
		"gone":     func(file string, _ []byte) error { return os.Remove(file) },
		"of other": nil,
	} {
		dir := t.TempDir()
		s, n := open(t, dir, memkv.New(), "tron")
		defer s.Close()
		first := chain
		if spoil == nil {
			first = other
		}
		failing := func(yield func(*ledger.Block, error) bool) {
			for _, b := range first[:30] {
				if !yield(b, nil) {
					return
				}
			}
			yield(nil, ledger.ErrUnavailable)
		}
		o := sortedOptions(chain)
		if err := n.Rebuild(t.Context(), failing, n.Contents(), o); !errors.Is(err, ledger.ErrUnavailable) {
			t.Fatal(err)
		}
		held, err := filepath.Glob(dir + "/networks/tron/load-*/segment-*")
		if err != nil || len(held) < 2 {
			t.Fatalf("%s: segments %v, %v", name, held, err)
		}
		if spoil != nil {
			data, err := os.ReadFile(held[1])
			if err == nil {
				err = spoil(held[1], data)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Rebuild(t.Context(), series(chain...), n.Contents(), o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := exported(t, n); got != fresh(t, t.TempDir(), chain) {
			t.Errorf("%s: another index", name)
		}
	}
}

// TestLoadRefuses: a block that Append refuses is refused in Append's words,
// and the network is what it was.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	chain := chainOf("bitcoin", 20)
	last := *chain[19]
	spoiled := func(in ledger.Input) []*ledger.Block {
		b := last
		tx := ledger.Tx{
			ID: ledger.TxID{9}, Chain: "bitcoin", Pos: ledger.At(b.Ref.Height, 900), Inputs: []ledger.Input{in},
			Outputs: []ledger.Output{{Address: chain[0].Txs[0].Outputs[0].Address, Value: ledger.NewAmount(1)}},
		}
		b.Txs = append(slices.Clone(b.Txs), tx)
		return append(slices.Clone(chain[:19]), &b)
	}
	made := map[ledger.TxID]bool{}
	var spent ledger.Input
	for _, b := range chain[:19] {
		for i := range b.Txs {
			for _, in := range b.Txs[i].Inputs {
				if made[in.Prev.Tx] {
					spent = ledger.Input{Prev: in.Prev}
				}
			}
			made[b.Txs[i].ID] = true
		}
	}
	unlinked := slices.Clone(chain)
	b := last
	b.Parent[0] ^= 1
	unlinked[19] = &b
	cases := map[string][]*ledger.Block{
		"no such output": spoiled(ledger.Input{Prev: ledger.OutPoint{Tx: chain[19].Txs[0].ID, Index: 5000}}),
		"another value":  spoiled(ledger.Input{Prev: ledger.OutPoint{Tx: chain[19].Txs[0].ID}, Known: true, Address: chain[0].Txs[0].Outputs[0].Address, Value: ledger.NewAmount(1 << 40)}),
		"spent twice":    spoiled(spent),
		"unlinked":       unlinked,
	}
	for name, blocks := range cases {
		s, n := open(t, t.TempDir(), memkv.New(), "bitcoin")
		defer s.Close()
		want := n.Append(t.Context(), series(blocks...), store.AppendOptions{ReorgBound: new(uint64)})
		dir := t.TempDir()
		s, m := open(t, dir, memkv.New(), "bitcoin")
		defer s.Close()
		got := m.Rebuild(t.Context(), series(blocks...), m.Contents(), sortedOptions(chain))
		if want == nil || got == nil || got.Error() != want.Error() {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		if st, err := m.Status(); err != nil || !st.Empty {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
		if left, _ := filepath.Glob(dir + "/networks/bitcoin/load-*"); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}
