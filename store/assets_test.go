package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// rain is a chain of account blocks with transfers of a few tokens between a few
// accounts, among them dust and zeros.
func rain(t *rapid.T) []*ledger.Block {
	var blocks []*ledger.Block
	var parent ledger.Hash
	for h := range uint64(rapid.IntRange(1, 8).Draw(t, "blocks")) {
		b := plain("tron", h, parent, 7)
		b.Raw = nil
		for i := range uint32(rapid.IntRange(0, 4).Draw(t, "transactions")) {
			draw := func(label string, most int) byte { return byte(rapid.IntRange(1, most).Draw(t, label)) }
			tx := ledger.Tx{ID: ledger.TxID{byte(h), byte(i), 1}, Chain: "tron", Pos: ledger.At(h, i+1), Time: b.Ref.Time}
			tx.Transfers = []ledger.Transfer{{
				From: ledger.AccountAddress("tron", [20]byte{draw("from", 3)}), To: ledger.AccountAddress("tron", [20]byte{draw("to", 3)}),
				Asset:  ledger.TokenAsset(ledger.AccountAddress("tron", [20]byte{99, draw("token", 4)})),
				Amount: ledger.NewAmount(uint64(rapid.IntRange(0, 2).Draw(t, "amount"))),
			}}
			b.Txs = append(b.Txs, tx)
		}
		blocks, parent = append(blocks, b), b.Ref.Hash
	}
	return blocks
}

// The assets of an address come latest first, as the blocks have them, whether they
// lie in the base or above it; a limit cuts off the oldest, and says so. Transfers of
// zero are in a list of their own and in no other.
func TestLatestAssets(t *testing.T) {
	dirs := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		blocks := rain(rt)
		s, network := open(rt, fmt.Sprintf("%s/%d", dirs, n), memkv.New(), "tron")
		defer s.Close()
		bound := uint64(rapid.IntRange(0, 9).Draw(rt, "bound"))
		if err := network.Append(context.Background(), series(blocks...), store.AppendOptions{ReorgBound: &bound}); err != nil {
			rt.Fatal(err)
		}
		snap, err := s.Snapshot(context.Background(), nil)
		if err != nil {
			rt.Fatal(err)
		}
		defer snap.Close()
		for who := byte(1); who <= 3; who++ {
			agreesOn(rt, snap, blocks, ledger.AccountAddress("tron", [20]byte{who}))
		}
	})
}

func agreesOn(t *rapid.T, snap *store.Snapshot, blocks []*ledger.Block, a ledger.Address) {
	first := map[ledger.Asset]uint64{}
	var want []ledger.Asset
	zeros := 0
	for _, b := range blocks {
		for i := range b.Txs {
			move := &b.Txs[i].Transfers[0]
			if move.From != a && move.To != a {
				continue
			}
			asset := move.Asset
			if move.Amount.IsZero() {
				asset = ledger.ZeroAsset("tron")
				zeros++
			}
			if _, seen := first[asset]; !seen {
				first[asset] = b.Ref.Height
				want = append(want, asset)
			}
		}
	}
	slices.Reverse(want)
	listed := 0
	for e, err := range snap.Events(context.Background(), ledger.Holder{Address: a, Asset: ledger.ZeroAsset("tron")}, ledger.Point{}) {
		if err != nil || !e.Amount.IsZero() {
			t.Fatalf("zeros of %s: %+v, %v", a, e, err)
		}
		listed++
	}
	if listed != zeros {
		t.Fatalf("%s: %d transfers of zero are listed, want %d", a, listed, zeros)
	}
	limit := rapid.IntRange(0, 6).Draw(t, "limit")
	got, more, err := snap.LatestAssets(context.Background(), a, limit)
	if err != nil || more != (len(want) > limit) || len(got) != min(limit, len(want)) {
		t.Fatalf("%s: got %v, more %v, %v; want %d of %v", a, got, more, err, limit, want)
	}
	for i := range got {
		if !slices.Contains(want, got[i]) || i > 0 && first[got[i]] > first[got[i-1]] {
			t.Fatalf("%s: got %v, want %v", a, got, want)
		}
	}
}
