package store

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
)

// TestLayers grows, folds and replaces chains of up to some hundred blocks: each
// block is found by all that it knows, no block of another chain ever is.
func TestLayers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		made := byte(0)
		block := func(height uint64) *young {
			made++
			y := newYoung(&ledger.Block{}, mark{})
			y.at = mark{set: true, ref: ledger.BlockRef{Height: height}}
			y.byTx[ledger.TxID{rapid.ByteRange(0, 9).Draw(t, "tx")}] = 0
			y.spends[coinRef{ledger.Position(rapid.IntRange(1, 9).Draw(t, "coin")), 2}] = 7
			owner := ledger.Address{Kind: ledger.KindP2PKH, Payload: string(rapid.ByteRange(0, 9).Draw(t, "owner"))}
			y.parties = append(y.parties, party{addressHint(owner), 0})
			return y
		}
		var chain []*young
		var ls layers
		next := uint64(1)
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			chain = chain[rapid.IntRange(0, len(chain)).Draw(t, "fold"):]
			cut := rapid.IntRange(0, len(chain)).Draw(t, "replace") / 3
			chain, next = slices.Clone(chain[:len(chain)-cut]), next-uint64(cut)
			for range rapid.IntRange(0, 150).Draw(t, "grow") {
				chain = append(chain, block(next))
				next++
				if rapid.IntRange(0, 3).Draw(t, "publish") == 0 {
					ls = ls.of(chain)
				}
			}
			ls = ls.of(chain)
			foundAll(t, ls, chain)
		}
	})
}

func foundAll(t *rapid.T, ls layers, chain []*young) {
	if len(chain) == 0 {
		return
	}
	from, to := chain[0].at.ref.Height, chain[len(chain)-1].at.ref.Height
	if most := len(chain)/layerMost + 2*layerGrowth + 1; len(ls) > most {
		t.Fatalf("%d blocks in %d layers, want at most %d", len(chain), len(ls), most)
	}
	for _, y := range chain {
		y.keys(func(k uint64) {
			found := slices.Collect(ls.find(k, from, to))
			if !slices.Contains(found, y) {
				t.Fatalf("block %d is not found", y.at.ref.Height)
			}
			at := -1
			for _, f := range found {
				i := slices.Index(chain, f)
				if i <= at {
					t.Fatalf("block %d is found after block %d of the chain, at %d", f.at.ref.Height, at, i)
				}
				at = i
			}
		})
	}
}
