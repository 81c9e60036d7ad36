package evm

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
)

// rawOf makes the consensus bytes of receipts.
func rawOf(t testing.TB, m *modern) []hexutil.Bytes {
	t.Helper()
	var raws []hexutil.Bytes
	for _, rec := range must[[]*receipt](t)(newDecoder(t, "ethereum", Contracts{}).rules.decodeReceipts("block", m.h, m.txs, m.receipts)) {
		raws = append(raws, rec.encoded)
	}
	return raws
}

// TestRawReceipts reads mainnet receipts in both forms, and with go-ethereum: all
// must say the same.
func TestRawReceipts(t *testing.T) {
	for _, m := range modernBlocks(t) {
		raws := rawOf(t, m)
		fromJSON := must[[]*receipt](t)(newDecoder(t, "ethereum", Contracts{}).rules.decodeReceipts("block", m.h, m.txs, m.receipts))
		fromBytes := must[[]*receipt](t)(decodeRaw("block", m.h, m.txs, raws, nil))
		for i, rec := range fromBytes {
			want := fromJSON[i]
			var theirs types.Receipt
			if err := theirs.UnmarshalBinary(raws[i]); err != nil {
				t.Fatal(err)
			}
			if rec.status != want.status || rec.gasUsed != want.gasUsed || rec.first != want.first || !sameLogs(rec.logs, want.logs) || !sameLogs(rec.logs, theirs.Logs) {
				t.Errorf("block %d, receipt %d: %+v, want %+v", m.h.Number, i, rec, want)
			}
		}
	}
}

func sameLogs(a, b []*types.Log) bool {
	return slices.EqualFunc(a, b, func(x, y *types.Log) bool {
		return x.Address == y.Address && slices.Equal(x.Topics, y.Topics) && bytes.Equal(x.Data, y.Data)
	})
}

// TestRawReceiptMutations flips, cuts, swaps and repeats bytes and receipts: all is refused.
func TestRawReceiptMutations(t *testing.T) {
	random, m := rand.New(rand.NewPCG(5, 6)), modernBlocks(t)[0]
	real := rawOf(t, m)
	for range trials(t) {
		raws := slices.Clone(real)
		i, j := random.IntN(len(raws)), random.IntN(len(raws))
		at := random.IntN(len(raws[i]))
		switch random.IntN(5) {
		case 0:
			raws[i] = slices.Clone(raws[i][:at])
		case 1:
			raws = slices.Delete(raws, i, i+1)
		case 2:
			raws = append(raws, raws[j])
		case 3:
			if bytes.Equal(raws[i], raws[j]) {
				continue
			}
			raws[i], raws[j] = raws[j], raws[i]
		default:
			raws[i] = slices.Clone(raws[i])
			raws[i][at] ^= 1 << random.IntN(8)
		}
		if _, err := decodeRaw("block", m.h, m.txs, raws, nil); err == nil {
			t.Fatalf("receipt %d, byte %d: a change passed", i, at)
		}
	}
}

// TestNodeRaw reads a chain on which raw receipts are of use, with and without
// them: the blocks are the same.
func TestNodeRaw(t *testing.T) {
	n := start(t, gethtest.Options{ChainID: 56})
	last := uint64(0)
	play(t, n, func(height uint64) { last = height })
	node := must[*Node](t)(dial(t, n.URL, NodeOptions{Chain: "bnb"}))
	if !node.raw {
		t.Fatal("raw receipts were not found")
	}
	for height := range last + 1 {
		node.raw = true
		a := must[*ledger.Block](t)(node.Block(t.Context(), height))
		node.raw = false
		b := must[*ledger.Block](t)(node.Block(t.Context(), height))
		if !reflect.DeepEqual(a, b) {
			t.Errorf("block %d differs by the form of its receipts", height)
		}
	}
}
