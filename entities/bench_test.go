package entities

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// crowd is the n-th of very many addresses.
func crowd(n uint32) ledger.Address {
	payload := make([]byte, 20)
	binary.BigEndian.PutUint64(payload, uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint32(payload[8:], n)
	return ledger.Address{Chain: "bitcoin", Kind: ledger.KindP2WPKH, Payload: string(payload)}
}

// emptyForest lies on an empty store, with a snapshot that knows no address. What it
// returns last moves the rows into the store, as is done while a chain is followed.
func emptyForest(b *testing.B) (*forest, *store.Snapshot, func()) {
	b.Helper()
	s, err := store.Open(b.TempDir(), memkv.New(), store.Options{MinFree: 1})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Create(b.Context(), "bitcoin"); err != nil {
		b.Fatal(err)
	}
	snap, err := s.Snapshot(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	kv, err := memkv.New()(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	r, done := kv.View()
	b.Cleanup(func() {
		done()
		for _, close := range []func() error{kv.Close, snap.Close, s.Close} {
			if err := close(); err != nil {
				b.Error(err)
			}
		}
	})
	f := newBuilder("bitcoin", newLayer(r, 0), 0).forests[0]
	return f, snap, func() {
		if err := kv.Write(b.Context(), f.l.ops()); err != nil {
			b.Fatal(err)
		}
		done()
		f.l.base, done = kv.View()
		f.l.end, f.l.rows, f.l.count = f.height+1, map[string][]store.Row{}, 0
	}
}

// BenchmarkJoin makes unions of random pairs of ten million addresses, a thousand a
// block, with their rows: what following a chain costs besides reading it.
func BenchmarkJoin(b *testing.B) {
	f, snap, flush := emptyForest(b)
	random := rand.New(rand.NewPCG(1, 2))
	members, entered := make([]bool, 10_000_000), 0
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	for i := range b.N {
		x, y := random.Uint32N(10_000_000), random.Uint32N(10_000_000)
		j := ledger.Join{A: crowd(x), B: crowd(y), Heuristic: "co-spend", Pos: ledger.At(f.height, 1)}
		if err := f.join(context.Background(), snap, &j); err != nil {
			b.Fatal(err)
		}
		if i%1000 == 999 {
			f.finish()
			if f.l.count > flushAt {
				flush()
			}
			f.height++
		}
		for _, n := range []uint32{x, y} {
			if !members[n] {
				members[n] = true
				entered++
			}
		}
	}
	f.finish()
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(entered), "B/address")
	runtime.KeepAlive(f)
	runtime.KeepAlive(members)
}

// BenchmarkJoined joins what has one owner already: the common case of a wallet that
// spends its addresses together again and again.
func BenchmarkJoined(b *testing.B) {
	f, snap, _ := emptyForest(b)
	const wallet = 10_000
	join := func(x, y uint32) {
		j := ledger.Join{A: crowd(x), B: crowd(y), Heuristic: "co-spend", Pos: ledger.At(f.height, 1)}
		if err := f.join(context.Background(), snap, &j); err != nil {
			b.Fatal(err)
		}
	}
	for n := range uint32(wallet - 1) {
		join(n, n+1)
	}
	f.finish()
	random := rand.New(rand.NewPCG(1, 2))
	b.ResetTimer()
	for range b.N {
		join(random.Uint32N(wallet), random.Uint32N(wallet))
	}
}
