//go:build linux

package crashtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/badgerkv"
	"github.com/spoortrace/spoor/store/memkv"
)

const (
	firstHeight = 1000
	bound       = 6 // of reorgs
)

// trials returns how often a test repeats itself.
func trials(t *testing.T) int {
	text := os.Getenv("SPOOR_TRIALS")
	if text == "" {
		if testing.Short() {
			return 10
		}
		return 20
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SPOOR_TRIALS: want a number above 0, got %q", text)
	}
	return n
}

// engine is Badger with write buffers so small that tables are flushed and
// merged all the time.
func engine() store.Engine {
	return badgerkv.New(badgerkv.Options{MemTable: 1 << 20, Cache: 4 << 20, Reserve: 24 << 20})
}

// script is the blocks that are handed to Append, in that order: a straight run
// that goes into the base in batches, then a run with reorgs of up to bound-1
// blocks. After each block the tip is that block.
type script struct {
	chain  ledger.Chain
	target uint64 // the last height of the straight run
	blocks []*ledger.Block
	byHash map[ledger.Hash]int
}

// options are those of every Append of a script.
func (s *script) options(batch int, progress func(store.Progress)) store.AppendOptions {
	b := uint64(bound)
	return store.AppendOptions{KeepRaw: true, Target: s.target, ReorgBound: &b, BatchSize: batch, Progress: progress}
}

// writer makes a script from a seed.
type writer struct {
	*rand.Rand
	chain ledger.Chain
	seed  uint64
	made  uint64
	txs   int // of a block
}

// branch is a block with the coins that are unspent after it.
type branch struct {
	block *ledger.Block
	prev  *branch
	coins []coin
}

type coin struct {
	op  ledger.OutPoint
	out ledger.Output
}

func newScript(seed uint64, straight, reorgs, txs int) *script {
	chain := ledger.Chain("bitcoin")
	if seed%2 == 1 {
		chain = "ethereum"
	}
	w := &writer{Rand: rand.New(rand.NewPCG(seed, 0)), chain: chain, seed: seed, txs: txs}
	s := &script{chain: chain, target: firstHeight + uint64(straight) - 1 + bound, byHash: map[ledger.Hash]int{}}
	var tip *branch
	var highest uint64
	for i := range straight + reorgs {
		if i > straight+bound && w.IntN(6) == 0 {
			// What lies bound blocks below the highest tip is final.
			for back := 1 + w.IntN(bound-1); back > 0 && tip.block.Ref.Height > highest-bound; back-- {
				tip = tip.prev
			}
		}
		tip = w.next(tip)
		highest = max(highest, tip.block.Ref.Height)
		s.byHash[tip.block.Ref.Hash] = len(s.blocks)
		s.blocks = append(s.blocks, tip.block)
	}
	return s
}

func (w *writer) hash(what string) [32]byte {
	w.made++
	return sha256.Sum256(fmt.Appendf(nil, "%s %d %d", what, w.seed, w.made))
}

func (w *writer) address() ledger.Address {
	n := w.IntN(400)
	if w.IntN(3) == 0 {
		n = w.IntN(4) // a few busy ones, with sealed groups
	}
	h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	if !w.chain.UTXO() {
		return ledger.AccountAddress(w.chain, [20]byte(h[:20]))
	}
	return ledger.Address{Chain: w.chain, Kind: ledger.KindP2PKH, Payload: string(h[:20])}
}

func (w *writer) next(prev *branch) *branch {
	b := &ledger.Block{
		Ref:    ledger.BlockRef{Chain: w.chain, Height: firstHeight, Hash: w.hash("block")},
		Header: []byte("header"), Raw: bytes.Repeat([]byte{byte(w.made)}, 500+w.IntN(3000)), Source: "script",
	}
	at := &branch{block: b, prev: prev}
	if prev != nil {
		b.Ref.Height, b.Parent = prev.block.Ref.Height+1, prev.block.Ref.Hash
		at.coins = slices.Clone(prev.coins)
	}
	b.Ref.Time = int64(b.Ref.Height) * 600_000
	for i := range 1 + w.IntN(2*w.txs) {
		tx := ledger.Tx{ID: w.hash("tx"), Chain: w.chain, Pos: ledger.At(b.Ref.Height, uint32(i+1)), Time: b.Ref.Time}
		if w.chain.UTXO() {
			w.spend(at, &tx)
			w.pay(at, &tx, 1+w.IntN(3))
		} else {
			tx.Pos = ledger.At(b.Ref.Height, uint32(i))
			w.move(&tx)
		}
		b.Txs = append(b.Txs, tx)
	}
	if w.chain.UTXO() {
		coinbase := ledger.Tx{ID: w.hash("coinbase"), Chain: w.chain, Coinbase: true, Pos: ledger.At(b.Ref.Height, uint32(len(b.Txs)+1)), Time: b.Ref.Time}
		w.pay(at, &coinbase, 2)
		b.Txs = append([]ledger.Tx{coinbase}, b.Txs...)
	}
	return at
}

func (w *writer) spend(at *branch, tx *ledger.Tx) {
	for range 1 + w.IntN(2) {
		if len(at.coins) == 0 {
			tx.Inputs = append(tx.Inputs, ledger.Input{Prev: ledger.OutPoint{Tx: w.hash("elsewhere")}})
			return
		}
		i, last := w.IntN(len(at.coins)), len(at.coins)-1
		tx.Inputs = append(tx.Inputs, ledger.Input{Prev: at.coins[i].op})
		at.coins[i] = at.coins[last]
		at.coins = at.coins[:last]
	}
}

func (w *writer) pay(at *branch, tx *ledger.Tx, n int) {
	for i := range n {
		out := ledger.Output{Address: w.address(), Value: ledger.NewAmount(1 + w.Uint64N(1e9))}
		tx.Outputs = append(tx.Outputs, out)
		at.coins = append(at.coins, coin{ledger.OutPoint{Tx: tx.ID, Index: uint32(i)}, out})
	}
}

func (w *writer) move(tx *ledger.Tx) {
	for i := range 1 + w.IntN(3) {
		asset := ledger.NativeAsset(w.chain)
		if w.IntN(2) == 0 {
			asset = ledger.TokenAsset(w.address())
		}
		tx.Transfers = append(tx.Transfers, ledger.Transfer{
			Index: uint32(i), Slot: uint32(i), Kind: ledger.TransferNative, From: w.address(), To: w.address(),
			Asset: asset, Amount: ledger.NewAmount(1 + w.Uint64N(1e12)),
		})
	}
}

// digests are the digests of the tip after each block, from an index in memory
// that nothing disturbs, and its export after the last block.
func (s *script) digests(t *testing.T) (after []ledger.Hash, export [32]byte) {
	t.Helper()
	st := openStore(t, memkv.New(), t.TempDir())
	n, err := st.Create(t.Context(), s.chain)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.blocks {
		if err := n.Append(t.Context(), s.from(i, i+1), s.options(0, nil)); err != nil {
			t.Fatalf("undisturbed run, block %d: %v", i, err)
		}
		status, err := n.Status()
		if err != nil {
			t.Fatal(err)
		}
		after = append(after, status.Digest)
	}
	return after, exported(t, n)
}

// from yields the blocks [i, j).
func (s *script) from(i, j int) func(func(*ledger.Block, error) bool) {
	return func(yield func(*ledger.Block, error) bool) {
		for _, b := range s.blocks[i:j] {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func openStore(t *testing.T, e store.Engine, dir string) *store.Store {
	t.Helper()
	st, err := store.Open(dir, e, store.Options{MinFree: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return st
}

func exported(t *testing.T, n *store.Network) [32]byte {
	t.Helper()
	s, err := n.Snapshot(0)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if err := s.Export(t.Context(), n.Chain(), h); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}
