package main

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/spoortrace/spoor/internal/btcdtest"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// edge says that a transaction spends an output.
type edge struct {
	from ledger.OutPoint
	to   ledger.TxID
}

// coneEdges is where a cone ends.
const coneEdges = 300

// cone follows every output of a transaction forward, nearest first, until
// enough edges are found. outputs returns how many outputs a transaction has,
// spender who spends one of them.
func cone(start ledger.TxID, outputs func(ledger.TxID) int, spender func(ledger.OutPoint) (ledger.TxID, bool)) map[edge]bool {
	found := map[edge]bool{}
	seen := map[ledger.TxID]bool{start: true}
	for queue := []ledger.TxID{start}; len(queue) > 0; queue = queue[1:] {
		for i := range outputs(queue[0]) {
			op := ledger.OutPoint{Tx: queue[0], Index: uint32(i)}
			by, ok := spender(op)
			if !ok {
				continue
			}
			if found[edge{op, by}] = true; len(found) == coneEdges {
				return found
			}
			if !seen[by] {
				seen[by] = true
				queue = append(queue, by)
			}
		}
	}
	return found
}

// BenchmarkConePeer is the part of T3 that needs a peer: the same forward cones
// from our index, in process, and from btcd by searchrawtransactions, the only way
// that it has to find who spends an output. The edges must be equal.
//
//	SPOOR_BENCH_TXS=200000 go test ./cmd/spoor -run '^$' -bench BenchmarkConePeer -benchtime 1x -timeout 0
func BenchmarkConePeer(b *testing.B) {
	spoor, addblock := built(b, "."), built(b, "github.com/btcsuite/btcd/cmd/addblock")
	btcd, err := btcdtest.Build(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	chain, _ := simFile(b, benchTxs(b, "SPOOR_BENCH_TXS", "20000")[0])
	ours, theirs := b.TempDir(), b.TempDir()
	must := func(program string, args ...string) {
		if out, err := exec.CommandContext(b.Context(), program, args...).CombinedOutput(); err != nil {
			b.Fatalf("%s: %v\n%s", filepath.Base(program), err, out)
		}
	}
	must(spoor, "--data", ours, "ingest", "bitcoin", "--network", "bitcoin-simnet", "--blocks", chain)
	if err := os.Mkdir(filepath.Join(theirs, "data"), 0o700); err != nil {
		b.Fatal(err)
	}
	must(addblock, "--simnet", "-b", filepath.Join(theirs, "data"), "-i", chain, "-p", "0", "--txindex", "--addrindex")
	node, err := btcdtest.Start(b.Context(), btcdtest.Options{Program: btcd, Dir: theirs, Args: []string{"--txindex", "--addrindex"}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = node.Close() }()
	snap := benchSnapshot(b, ours)
	starts := coneStarts(b, snap)
	for b.Loop() {
		var mine, peers time.Duration
		edges := 0
		for _, start := range starts {
			began := time.Now()
			a := coneHere(b, snap, start)
			mine += time.Since(began)
			began = time.Now()
			p := coneThere(b, node, start)
			peers += time.Since(began)
			if !maps.Equal(a, p) {
				b.Fatalf("cone of %s: %d edges here, %d there, or others", start, len(a), len(p))
			}
			edges += len(a)
		}
		b.ReportMetric(float64(edges), "edges")
		b.ReportMetric(mine.Seconds()*1e6/float64(edges), "ms/1000-edges")
		b.ReportMetric(peers.Seconds()*1e6/float64(edges), "btcd-ms/1000-edges")
		b.ReportMetric(peers.Seconds()/mine.Seconds(), "T3-ratio")
	}
}

func benchSnapshot(b *testing.B, dir string) *store.Snapshot {
	b.Helper()
	s, err := store.Open(dir, engine, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	n, err := s.Network(b.Context(), "bitcoin-simnet")
	if err != nil {
		b.Fatal(err)
	}
	snap, err := n.Snapshot(0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := snap.Close(); err != nil {
			b.Error(err)
		}
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return snap
}

// coneStarts are transactions of the first blocks that spend.
func coneStarts(b *testing.B, snap *store.Snapshot) (starts []ledger.TxID) {
	b.Helper()
	n := 0
	for tx, err := range snap.BlockTxs(b.Context(), "bitcoin-simnet", 121) {
		if err != nil {
			b.Fatal(err)
		}
		if n++; n%400 == 2 {
			starts = append(starts, tx.ID)
		}
	}
	return starts
}

func coneHere(b *testing.B, snap *store.Snapshot, start ledger.TxID) map[edge]bool {
	b.Helper()
	ctx := context.Background()
	held := map[ledger.TxID]ledger.Tx{}
	found, err := snap.FindTx(ctx, "bitcoin-simnet", start)
	if err != nil {
		b.Fatal(err)
	}
	held[start] = found[0]
	return cone(start, func(id ledger.TxID) int { return len(held[id].Outputs) }, func(op ledger.OutPoint) (ledger.TxID, bool) {
		at := held[op.Tx].Outputs[op.Index].SpentBy
		if at == 0 {
			return ledger.TxID{}, false
		}
		tx, err := snap.TxAt(ctx, "bitcoin-simnet", at)
		if err != nil {
			b.Fatal(err)
		}
		held[tx.ID] = tx
		return tx.ID, true
	})
}

// nodeTx is what is read of a transaction of btcd.
type nodeTx struct {
	TxID string `json:"txid"`
	Vin  []struct {
		TxID string `json:"txid"`
		Vout uint32 `json:"vout"`
	} `json:"vin"`
	Vout []struct {
		ScriptPubKey struct {
			Addresses []string `json:"addresses"`
			Address   string   `json:"address"`
		} `json:"scriptPubKey"`
	} `json:"vout"`
}

func coneThere(b *testing.B, node *btcdtest.Node, start ledger.TxID) map[edge]bool {
	b.Helper()
	held := map[ledger.TxID]nodeTx{}
	var first nodeTx
	if err := node.Call(b.Context(), "getrawtransaction", &first, start.String(), 1); err != nil {
		b.Fatal(err)
	}
	held[start] = first
	return cone(start, func(id ledger.TxID) int { return len(held[id].Vout) }, func(op ledger.OutPoint) (ledger.TxID, bool) {
		to := held[op.Tx].Vout[op.Index].ScriptPubKey
		owner := to.Address
		if len(to.Addresses) > 0 {
			owner = to.Addresses[0]
		}
		var all []nodeTx
		if err := node.Call(b.Context(), "searchrawtransactions", &all, owner, 1, 0, 10_000_000); err != nil {
			b.Fatal(err)
		}
		for _, tx := range all {
			for _, in := range tx.Vin {
				if in.TxID == op.Tx.String() && in.Vout == op.Index {
					id, err := ledger.ParseTxID(tx.TxID)
					if err != nil {
						b.Fatal(err)
					}
					held[id] = tx
					return id, true
				}
			}
		}
		return ledger.TxID{}, false
	})
}
