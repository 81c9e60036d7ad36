package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer/memindex"
	"pgregory.net/rapid"
)

// forgetful is an engine whose state can be put back, as a damaged log does.
type forgetful struct{ kvs map[string]*mapKV }

func (f forgetful) open(dir string) (store.KV, error) {
	if f.kvs[dir] == nil {
		f.kvs[dir] = &mapKV{rows: map[string][]store.Row{}}
	}
	return f.kvs[dir], nil
}

// TestRolledBack puts the engine back to an earlier state, between two ops of
// any kind, and wants it reported with both heights; Repair and another run then
// give the undisturbed index.
func TestRolledBack(t *testing.T) {
	dirs := 0
	rapid.Check(t, func(rt *rapid.T) {
		dirs++
		dir := fmt.Sprintf("%s/%d", t.TempDir(), dirs)
		g := &generator{T: rt, chain: "bitcoin"}
		tip := g.next(nil, 1)
		for range g.n("blocks", 2, 10) {
			tip = g.next(tip, 1)
		}
		rolledBack(rt, g, dir, tip.chain())
	})
}

func rolledBack(t *rapid.T, g *generator, dir string, chain []*ledger.Block) {
	ctx := context.Background()
	bound := uint64(g.n("bound", 0, 3))
	o := store.AppendOptions{ReorgBound: &bound, BatchSize: g.n("batch", 1, 30), KeepRaw: true}
	f := forgetful{map[string]*mapKV{}}
	left := 1 << 30
	s, n := open(t, dir, dying(f.open, &left), "bitcoin")
	cut := g.n("kept", 1, len(chain)-1)
	if err := n.Append(ctx, series(chain[:cut]...), o); err != nil {
		t.Fatalf("append: %v", err)
	}
	// The rows that the engine falls back to: those at a crash in the middle of
	// what follows, which the process that then went on had repaired.
	left = g.n("ops", 0, 60)
	_ = n.Append(ctx, series(chain...), o)
	left = 1 << 30
	kv := f.kvs[filepath.Join(dir, "networks/bitcoin/gen-1/engine")]
	old := maps.Clone(kv.rows)
	if err := n.Append(ctx, series(chain...), o); err != nil {
		t.Fatalf("append: %v", err)
	}
	after := string(value(kv, 'p', "head"))
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	kv.rows = old
	lost := string(value(kv, 'p', "head")) != after
	s, err := store.Open(dir, f.open, store.Options{MinFree: 1})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer s.Close()
	_, err = s.Network(ctx, "bitcoin")
	var report *store.RolledBackError
	if lost != errors.As(err, &report) {
		t.Fatalf("open of a rolled-back engine: got %v, want a RolledBackError %v", err, lost)
	}
	if !lost {
		return
	}
	if report.Want.Hash != chain[len(chain)-1].Ref.Hash || !strings.Contains(err.Error(), fmt.Sprintf("height %d ", report.Want.Height)) {
		t.Fatalf("report: got %v, want the tip %v", err, chain[len(chain)-1].Ref)
	}
	if n, err = s.Repair(ctx, "bitcoin"); err != nil {
		t.Fatalf("repair: %v", err)
	}
	if err := n.Append(ctx, series(chain...), o); err != nil {
		t.Fatalf("append after repair: %v", err)
	}
	compare(t, n, chain, memindex.Options{})
	if err := n.Verify(ctx, nil); err != nil {
		t.Fatalf("verify: %v", err)
	}
	if got, want := exported(t, n), fresh(t, dir+"-fresh", chain); got != want {
		t.Fatalf("export after repair differs")
	}
}

func value(kv *mapKV, table byte, sort string) []byte {
	v, _ := kv.view().Get([]byte{table}, []byte(sort))
	return v
}

// TestDataDirectory covers what is refused before anything is read.
func TestDataDirectory(t *testing.T) {
	ctx := context.Background()
	dir, engine := t.TempDir(), mapEngine()
	s, n := open(t, dir, engine, "bitcoin")
	if err := n.Append(ctx, series(run("bitcoin", 1, 3)...), store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir, engine, store.Options{}); !errors.Is(err, ledger.ErrBusy) || !strings.Contains(err.Error(), fmt.Sprintf("in use by pid %d", os.Getpid())) {
		t.Errorf("second open: got %v, want %v by pid %d", err, ledger.ErrBusy, os.Getpid())
	}
	if _, err := s.Network(ctx, "tron"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("missing network: got %v, want %v", err, ledger.ErrNotFound)
	}
	if chains, err := s.Chains(); err != nil || len(chains) != 1 || chains[0] != "bitcoin" {
		t.Errorf("chains: got %v, %v", chains, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	current := filepath.Join(dir, "networks/bitcoin/CURRENT")
	anchor := filepath.Join(dir, "networks/bitcoin/gen-1/anchor")
	for name, c := range map[string]struct {
		file   string
		change func(text string) string
	}{
		"CURRENT names another":  {current, func(s string) string { return strings.Replace(s, "gen-1", "gen-2", 1) }},
		"CURRENT is empty":       {current, func(string) string { return "" }},
		"anchor line changed":    {anchor, func(s string) string { return strings.Replace(s, " 3 ", " 2 ", 1) }},
		"anchor line lost":       {anchor, func(s string) string { return s[:strings.Index(s, "\n")+1] }},
		"anchor is empty":        {anchor, func(string) string { return "" }},
		"journal of another day": {filepath.Join(dir, "networks/bitcoin/gen-1/journal"), func(string) string { return "spoorJ1\nxx" }},
	} {
		before, err := os.ReadFile(c.file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.file, []byte(c.change(string(before))), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(dir, engine, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Network(ctx, "bitcoin"); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("%s: got %v, want %v", name, err, ledger.ErrCorrupt)
		}
		err = s.Close()
		if before == nil {
			err = errors.Join(err, os.Remove(c.file))
		} else {
			err = errors.Join(err, os.WriteFile(c.file, before, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s, _ = open(t, dir, engine, "bitcoin")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "networks/bitcoin"), filepath.Join(dir, "networks/bitcoin-testnet")); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(dir, moved(engine), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Network(ctx, "bitcoin-testnet"); !errors.Is(err, ledger.ErrForeign) {
		t.Errorf("index of another chain: got %v, want %v", err, ledger.ErrForeign)
	}
}

// moved opens what was made under the folder of bitcoin.
func moved(engine store.Engine) store.Engine {
	return func(dir string) (store.KV, error) {
		return engine(strings.Replace(dir, "networks/bitcoin-testnet", "networks/bitcoin", 1))
	}
}

// TestDiskNearlyFull wants a refusal before anything is written, and reads that go on.
func TestDiskNearlyFull(t *testing.T) {
	dir, engine := t.TempDir(), mapEngine()
	s, n := open(t, dir, engine, "bitcoin")
	blocks := run("bitcoin", 1, 300)
	if err := n.Append(context.Background(), series(blocks[:150]...), store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	before := exported(t, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(dir, engine, store.Options{MinFree: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n, err = s.Network(context.Background(), "bitcoin"); err != nil {
		t.Fatal(err)
	}
	for _, target := range []uint64{0, 10_000} {
		err := n.Append(context.Background(), series(blocks[150:]...), store.AppendOptions{Target: target})
		if !errors.Is(err, ledger.ErrExhausted) {
			t.Errorf("append with target %d: got %v, want %v", target, err, ledger.ErrExhausted)
		}
	}
	if got := exported(t, n); got != before {
		t.Error("the index changed")
	}
}

// TestEverythingLost empties the engine under an index that had acknowledged blocks.
func TestEverythingLost(t *testing.T) {
	ctx := context.Background()
	dir, f := t.TempDir(), forgetful{map[string]*mapKV{}}
	s, n := open(t, dir, f.open, "bitcoin")
	blocks := run("bitcoin", 1, 9)
	if err := n.Append(ctx, series(blocks...), store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	want := exported(t, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	clear(f.kvs)
	s, err := store.Open(dir, f.open, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var report *store.RolledBackError
	if _, err := s.Network(ctx, "bitcoin"); !errors.As(err, &report) || report.Want.Height != 9 {
		t.Errorf("got %v, want height 9 missed", err)
	}
	if n, err = s.Repair(ctx, "bitcoin"); err != nil {
		t.Fatal(err)
	}
	if err := n.Append(ctx, series(blocks...), store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := exported(t, n); got != want {
		t.Errorf("export:\ngot\n%s\nwant\n%s", got, want)
	}
}
