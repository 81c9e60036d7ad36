package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// The measures T3 to T6 and T10 of docs/performance.md, in process, on ledgers
// of accounts made here. SPOOR_BENCH_ROWS sets the transfers of the busy account.

const busyChain = ledger.Chain("tron")

// plainIndex is a snapshot without labels.
type plainIndex struct{ *store.Snapshot }

func (plainIndex) Tags(context.Context, ledger.Address) ([]ledger.Tag, error) { return nil, nil }

func benchAddress(i int) ledger.Address {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("owner"), uint64(i)))
	return ledger.AccountAddress(busyChain, [20]byte(h[:20]))
}

func benchAsset() ledger.Asset { return ledger.TokenAsset(benchAddress(-1)) }

// move is one transfer; owner 0 is the busy account.
type move struct{ from, to, amount int }

// busyMoves are others' payments to the busy account and back: it keeps a balance.
func busyMoves(n int) iter.Seq[move] {
	return func(yield func(move) bool) {
		for i := range n {
			m := move{1000 + i%500_000, 0, 10}
			if i%2 == 1 {
				m = move{0, 1000 + (i-1)%500_000, 5}
			}
			if !yield(m) {
				return
			}
		}
	}
}

// fanMoves are the payment of a victim to the busy account and what is done with
// it: everything goes on to a hundred owners, and from each to ten more.
func fanMoves(yield func(move) bool) {
	if !yield(move{1, 0, 1_000_000}) {
		return
	}
	for i := range 100 {
		if !yield(move{0, 10 + i, 10_000}) {
			return
		}
		for k := range 10 {
			if !yield(move{10 + i, 2_000_000 + 10*i + k, 1000}) {
				return
			}
		}
	}
}

const movesPerBlock = 500

// blocksOf packs transfers into blocks, one a transaction.
func blocksOf(from uint64, all ...iter.Seq[move]) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		var b *ledger.Block
		height, parent := from, ledger.Hash{}
		if from > 1 {
			binary.BigEndian.PutUint64(parent[:], from-1)
		}
		flush := func() bool {
			done := b
			b, parent = nil, done.Ref.Hash
			height++
			return yield(done, nil)
		}
		for _, moves := range all {
			for m := range moves {
				if b == nil {
					b = &ledger.Block{Ref: ledger.BlockRef{Chain: busyChain, Height: height, Time: int64(height) * 3000}, Parent: parent, Source: "bench"}
					binary.BigEndian.PutUint64(b.Ref.Hash[:], height)
				}
				i := uint32(len(b.Txs))
				b.Txs = append(b.Txs, ledger.Tx{
					ID: ledger.TxID(sha256.Sum256(fmt.Appendf(nil, "%d.%d", height, i))), Chain: busyChain, Pos: ledger.At(height, i), Time: b.Ref.Time, Status: ledger.StatusOK,
					Transfers: []ledger.Transfer{{
						From: benchAddress(m.from), To: benchAddress(m.to), Asset: benchAsset(), Amount: ledger.NewAmount(uint64(m.amount)), Status: ledger.StatusOK,
					}},
				})
				if len(b.Txs) == movesPerBlock && !flush() {
					return
				}
			}
			if b != nil && !flush() { // each series ends its block
				return
			}
		}
	}
}

// benchNetwork is an index of blocks on disk, all of it in the base.
func benchNetwork(b *testing.B, blocks iter.Seq2[*ledger.Block, error]) *store.Network {
	b.Helper()
	s, err := store.Open(b.TempDir(), engine, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	n, err := s.Create(b.Context(), busyChain)
	if err != nil {
		b.Fatal(err)
	}
	if err := n.Rebuild(b.Context(), blocks, store.Contents{}, store.AppendOptions{ReorgBound: new(uint64)}); err != nil {
		b.Fatal(err)
	}
	return n
}

func pinned(b *testing.B, n *store.Network) *store.Snapshot {
	b.Helper()
	snap, err := n.Snapshot(0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := snap.Close(); err != nil {
			b.Error(err)
		}
	})
	return snap
}

// BenchmarkT4Cone traces the same 1,101 payments out of an account that had ever
// more transfers before: T3 per 1,000 edges, and T4 by comparing the sizes.
func BenchmarkT4Cone(b *testing.B) {
	for _, rows := range benchTxs(b, "SPOOR_BENCH_ROWS", "100,10000") {
		b.Run(fmt.Sprintf("before=%d", rows), func(b *testing.B) {
			n := benchNetwork(b, blocksOf(1, busyMoves(rows), fanMoves))
			snap := pinned(b, n)
			victim := ledger.Holder{Address: benchAddress(1), Asset: benchAsset()}
			var paid ledger.Event
			for e, err := range snap.Events(b.Context(), victim, ledger.Point{}) {
				if err != nil {
					b.Fatal(err)
				}
				paid = e
			}
			policy, err := tracer.PolicyByName("dirty-first")
			if err != nil {
				b.Fatal(err)
			}
			tx, err := snap.TxAt(b.Context(), busyChain, paid.At.Pos)
			if err != nil {
				b.Fatal(err)
			}
			req := tracer.Request{Policy: policy, NoFloor: true, Seeds: []tracer.Seed{{
				Ref: "seed", Chain: busyChain, Tx: tx.ID, At: paid.At, From: paid.From, Address: paid.To, Asset: benchAsset(), Amount: paid.Amount,
			}}}
			edges, events := 0, 0
			for b.Loop() {
				tr, err := tracer.Run(b.Context(), plainIndex{snap}, req, nil)
				if err != nil {
					b.Fatal(err)
				}
				edges, events = len(tr.Hops), tr.Events
			}
			b.ReportMetric(float64(edges), "edges")
			b.ReportMetric(float64(events), "events")
			b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N)/float64(edges), "ms/1000-edges")
		})
	}
}

// BenchmarkT5Page reads the first page and pages from the middle of a busy
// account, a hundred rows each; BenchmarkT6Scan reads all of it.
func BenchmarkT5Page(b *testing.B) {
	rows := benchTxs(b, "SPOOR_BENCH_ROWS", "100,10000")
	snap := pinned(b, benchNetwork(b, blocksOf(1, busyMoves(rows[len(rows)-1]))))
	busy := ledger.Holder{Address: benchAddress(0), Asset: benchAsset()}
	last := uint64(rows[len(rows)-1] / movesPerBlock)
	for name, at := range map[string]func(i int) ledger.Point{
		"first": func(int) ledger.Point { return ledger.Point{} },
		"middle": func(i int) ledger.Point {
			return ledger.Point{Pos: ledger.At(1+uint64(i*7919)%max(last, 1), uint32(i%movesPerBlock))}
		},
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			i := 0
			for b.Loop() {
				began, n := time.Now(), 0
				for _, err := range snap.Events(b.Context(), busy, at(i)) {
					if err != nil {
						b.Fatal(err)
					}
					if n++; n == 100 {
						break
					}
				}
				took = append(took, time.Since(began))
				i++
			}
			percentiles(b, took)
		})
	}
}

// percentiles gives the 50th and 99th percentiles and the longest, in milliseconds.
func percentiles(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[len(took)/2]), "ms-p50")
	b.ReportMetric(ms(took[len(took)*99/100]), "ms-p99")
	b.ReportMetric(ms(took[len(took)-1]), "ms-max")
}

// BenchmarkT6Scan reads every row of a busy account.
func BenchmarkT6Scan(b *testing.B) {
	rows := benchTxs(b, "SPOOR_BENCH_ROWS", "100,10000")
	n := rows[len(rows)-1]
	snap := pinned(b, benchNetwork(b, blocksOf(1, busyMoves(n))))
	busy := ledger.Holder{Address: benchAddress(0), Asset: benchAsset()}
	for b.Loop() {
		got := 0
		for _, err := range snap.Events(b.Context(), busy, ledger.Point{}) {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		if got != n {
			b.Fatalf("%d rows, want %d", got, n)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkT10Beside asks for pages and balances while blocks are appended at the tip.
func BenchmarkT10Beside(b *testing.B) {
	rows := benchTxs(b, "SPOOR_BENCH_ROWS", "100,10000")
	total := rows[len(rows)-1]
	n := benchNetwork(b, blocksOf(1, busyMoves(total)))
	next := uint64((total+movesPerBlock-1)/movesPerBlock) + 1
	ctx, cancel := context.WithCancel(b.Context())
	var pauses []time.Duration
	ended := make(chan error, 1)
	go func() {
		began := time.Now()
		bound := uint64(19)
		o := store.AppendOptions{ReorgBound: &bound, Progress: func(store.Progress) {
			pauses = append(pauses, time.Since(began))
			began = time.Now()
		}}
		err := n.Append(ctx, blocksOf(next, func(yield func(move) bool) {
			for i := 0; ctx.Err() == nil && yield(move{1000 + i%500_000, i % 2 * (3_000_000 + i), 10}); i++ {
			}
		}), o)
		if ctx.Err() != nil {
			err = nil
		}
		ended <- err
	}()
	var took []time.Duration
	i := 0
	for b.Loop() {
		began, got := time.Now(), 0
		snap, err := n.Snapshot(0)
		if err != nil {
			b.Fatal(err)
		}
		h := ledger.Holder{Address: benchAddress(1000 + i*7919%500_000), Asset: benchAsset()}
		for _, err := range snap.Events(b.Context(), h, ledger.Point{}) {
			if err != nil {
				b.Fatal(err)
			}
			if got++; got == 100 {
				break
			}
		}
		if _, err := snap.Balance(b.Context(), h, ledger.Point{Pos: ^ledger.Position(0)}); err != nil {
			b.Fatal(err)
		}
		if err := snap.Close(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		i++
	}
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	percentiles(b, took)
	if len(pauses) == 0 {
		b.Fatal("no block came meanwhile")
	}
	b.ReportMetric(float64(len(pauses)), "blocks")
	b.ReportMetric(float64(slices.Max(pauses).Microseconds())/1000, "ms-longest-ingest-pause")
}
