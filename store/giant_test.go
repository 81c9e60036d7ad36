package store_test

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/badgerkv"
	"github.com/spoortrace/spoor/store/sourcetest"
)

// peak is the greatest memory that the process has had, where the system says so.
func peak() string {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// busyBranch returns n blocks after a block, each with txs transactions that
// spend what those of the block before paid.
func busyBranch(after *ledger.Block, n, txs int, salt byte) []*ledger.Block {
	blocks := branch(after, n, salt)
	prev := after
	for _, b := range blocks {
		for i := range txs + 1 {
			b.Txs = append(b.Txs, payment(b, prev, i, txs, salt))
		}
		prev = b
	}
	return blocks
}

func payment(b, prev *ledger.Block, i, txs int, salt byte) ledger.Tx {
	id := func(height uint64, salt byte) ledger.TxID {
		return sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, height), salt, byte(i), byte(i>>8), byte(i>>16)))
	}
	tx := ledger.Tx{ID: id(b.Ref.Height, salt), Chain: b.Ref.Chain, Pos: ledger.At(b.Ref.Height, uint32(i+1)), Coinbase: i == txs}
	if i < len(prev.Txs)-1 {
		tx.Inputs = []ledger.Input{{Prev: ledger.OutPoint{Tx: prev.Txs[i].ID}}}
	}
	for j := range 2 {
		owner := sha256.Sum256(binary.BigEndian.AppendUint64([]byte{salt, byte(j)}, uint64(i)+b.Ref.Height%97*1000))
		tx.Outputs = append(tx.Outputs, ledger.Output{
			Address: ledger.Address{Chain: b.Ref.Chain, Kind: ledger.KindP2PKH, Payload: string(owner[:20])}, Value: ledger.NewAmount(uint64(1000 + i)),
		})
	}
	return tx
}

// TestDeepestReorg replaces 2,000 blocks at once, the bound being 2,000, and
// goes back: exact, within a minute and a GiB.
func TestDeepestReorg(t *testing.T) {
	t.Parallel()
	depth, txs := 2000, 3
	root := trunk("bitcoin", 10)
	a := slices.Concat(root[:10], busyBranch(root[9], depth+50, txs, 1))
	fork := len(a) - depth
	b := slices.Concat(a[:fork], busyBranch(a[fork-1], depth-7, txs, 2))
	s, n := open(t, t.TempDir(), badgerkv.New(badgerkv.Small()), "bitcoin")
	defer s.Close()
	src := sourcetest.New("bitcoin", a...)
	for i, blocks := range [][]*ledger.Block{a, b, a} {
		src.Set(blocks...)
		started := time.Now()
		var last store.FollowStatus
		o := quick(uint64(depth))
		o.Report = func(st store.FollowStatus) { last = st }
		if err := store.Follow(t.Context(), n, []store.Source{src}, o); err != nil {
			t.Fatalf("stage %d: %v", i, err)
		}
		took := time.Since(started)
		t.Logf("stage %d: %d blocks, %d replaced, %s, peak memory %s", i, last.Blocks, last.Replaced, took.Round(time.Millisecond), peak())
		if i > 0 && (took > time.Minute || last.Replaced == 0) {
			t.Errorf("stage %d: %d blocks replaced in %s, want at most a minute", i, last.Replaced, took)
		}
	}
	wantBlocks(t, n, a)
}

// TestGiantBlock follows through blocks of 111,000 outputs and of 30,000 token
// transfers: more rows than a transaction of the engine holds.
func TestGiantBlock(t *testing.T) {
	t.Parallel()
	for chain, fill := range map[ledger.Chain]func(*ledger.Block){"bitcoin": manyOutputs, "ethereum": manyTransfers} {
		t.Run(string(chain), func(t *testing.T) {
			a := trunk(chain, 12)
			b := slices.Concat(a[:10], branch(a[9], 3, 1))
			for _, block := range []*ledger.Block{a[10], b[11]} {
				fill(block)
			}
			s, n := open(t, t.TempDir(), badgerkv.New(badgerkv.Small()), chain)
			defer s.Close()
			src := sourcetest.New(chain, a...)
			c := slices.Concat(b[:13], branch(b[12], 8, 2)) // folds them
			for i, blocks := range [][]*ledger.Block{a, b, c} {
				src.Set(blocks...)
				started := time.Now()
				if err := store.Follow(t.Context(), n, []store.Source{src}, quick(5)); err != nil {
					t.Fatalf("stage %d: %v", i, err)
				}
				took := time.Since(started)
				t.Logf("stage %d: %s, peak memory %s", i, took.Round(time.Millisecond), peak())
				if took > 30*time.Second {
					t.Errorf("stage %d took %s", i, took)
				}
			}
			wantBlocks(t, n, c)
		})
	}
}

func manyOutputs(b *ledger.Block) {
	tx := ledger.Tx{ID: ledger.TxID(b.Ref.Hash), Chain: b.Ref.Chain, Pos: ledger.At(b.Ref.Height, 1), Coinbase: true}
	for i := range 111_000 {
		owner := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
		tx.Outputs = append(tx.Outputs, ledger.Output{
			Address: ledger.Address{Chain: b.Ref.Chain, Kind: ledger.KindP2PKH, Payload: string(owner[:20])}, Value: ledger.NewAmount(546),
		})
	}
	b.Txs = []ledger.Tx{tx}
}

func manyTransfers(b *ledger.Block) {
	tx := ledger.Tx{ID: ledger.TxID(b.Ref.Hash), Chain: b.Ref.Chain, Pos: ledger.At(b.Ref.Height, 0)}
	who := func(i int) ledger.Address {
		return ledger.AccountAddress(b.Ref.Chain, [20]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	for i := range 30_000 {
		tx.Transfers = append(tx.Transfers, ledger.Transfer{
			Index: uint32(i), Slot: uint32(i), From: who(i % 7), To: who(i), Asset: ledger.TokenAsset(who(1 << 20)), Amount: ledger.NewAmount(uint64(i + 1)),
		})
	}
	b.Txs = []ledger.Tx{tx}
}
