package store_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// TestBusyAccount has an account with many groups, over several buckets of
// time, and more payees than are told apart.
func TestBusyAccount(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	asset := ledger.NativeAsset("tron")
	var rows []ledger.Transfer
	for i := range 3000 {
		tr := ledger.Transfer{From: account(1), To: account(100 + i*2/3), Asset: asset, Amount: ledger.NewAmount(1_000_000)}
		if i%2 == 0 {
			tr.From, tr.To = account(5000+i), account(1)
		}
		rows = append(rows, tr)
	}
	blocks := transfers(rows)
	for i, b := range blocks { // 35 days of milliseconds apart at the middle
		if i >= 1500 {
			b.Ref.Height += 3_000_000_000
			b.Txs[0].Pos = ledger.At(b.Ref.Height, 0)
		}
	}
	s, n := open(t, t.TempDir(), mapEngine(), "tron")
	defer s.Close()
	contents := store.Contents{Export: true, Claims: []ledger.Claim{{Range: ledger.Range{To: 1 << 43}}}}
	if err := n.Rebuild(ctx, series(blocks...), contents, store.AppendOptions{BatchSize: 700}); err != nil {
		t.Fatal(err)
	}
	if err := n.Verify(ctx, nil); err != nil {
		t.Fatal(err)
	}
	snap := pinned(t, n)
	defer snap.Close()
	want, err := memindex.New(blocks, memindex.Options{Claims: map[ledger.Chain][]ledger.Claim{"tron": contents.Claims}})
	if err != nil {
		t.Fatal(err)
	}
	h := ledger.Holder{Address: account(1), Asset: asset}
	compareHolder(t, snap, h, gather(t, want.Events(ctx, h, ledger.Point{})))
	for _, k := range []int{1, 2, 500, 1000, 1001, 1002, 1400, 1500, 1501} {
		got, ok, err := snap.PayeeAt(ctx, h, k)
		wp, wok, _ := want.PayeeAt(ctx, h, k)
		if err != nil || got != wp || ok != wok {
			t.Errorf("payee %d: got %v %v, %v, want %v %v", k, got, ok, err, wp, wok)
		}
	}
	sums, err := snap.AddressSummary(ctx, account(1))
	if err != nil || len(sums) != 1 || sums[0].Ins != 1500 || sums[0].Outs != 1500 || sums[0].First.Pos != blocks[0].Txs[0].Pos || sums[0].Last.Pos != blocks[2999].Txs[0].Pos {
		t.Errorf("summary: got %+v, %v", sums, err)
	}
}

// TestSumsBeyond256Bits moves 2^256-1 units to and fro: sums leave 256 bits,
// balances do not, until one does.
func TestSumsBeyond256Bits(t *testing.T) {
	ctx := context.Background()
	most, err := ledger.AmountFromBytes(bytes.Repeat([]byte{0xff}, 32))
	if err != nil {
		t.Fatal(err)
	}
	asset := ledger.TokenAsset(account(99))
	var rows []ledger.Transfer
	for i := range 600 {
		rows = append(rows, ledger.Transfer{From: account(1 + i%2), To: account(2 - i%2), Asset: asset, Amount: most})
	}
	for range 2 {
		rows = append(rows, ledger.Transfer{To: account(3), Asset: asset, Amount: most})
	}
	s, n := open(t, t.TempDir(), mapEngine(), "tron")
	defer s.Close()
	if err := n.Rebuild(ctx, series(transfers(rows)...), store.Contents{Export: true}, store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := n.Verify(ctx, nil); err != nil {
		t.Fatal(err)
	}
	snap := pinned(t, n)
	defer snap.Close()
	end := ledger.Point{Pos: ledger.At(1600, 0)}
	for i, want := range []ledger.Balance{{Amount: most, Deficit: most}, {}} {
		got, err := snap.Balance(ctx, ledger.Holder{Address: account(1 + i), Asset: asset}, end)
		if err != nil || got != want {
			t.Errorf("balance of account %d: got %v, %v, want %v", 1+i, got, err, want)
		}
	}
	if got, err := snap.Balance(ctx, ledger.Holder{Address: account(3), Asset: asset}, ledger.Point{Pos: ledger.At(9999, 0)}); !errors.Is(err, ledger.ErrOverflow) {
		t.Errorf("balance of 2^257-2: got %v, %v, want %v", got, err, ledger.ErrOverflow)
	}
	sums, err := snap.AddressSummary(ctx, account(3))
	if err != nil || len(sums) != 1 || !sums[0].Saturated || sums[0].Amount != most {
		t.Errorf("summary of 2^257-2: got %+v, %v, want it saturated", sums, err)
	}
}

// TestManyAssets has an address that holds more assets than its home row carries.
func TestManyAssets(t *testing.T) {
	ctx := context.Background()
	var rows []ledger.Transfer
	for i := range 400 {
		rows = append(rows, ledger.Transfer{From: account(1), To: account(2), Asset: ledger.TokenAsset(account(100 + i%200)), Amount: ledger.NewAmount(7)})
	}
	s, n := open(t, t.TempDir(), mapEngine(), "tron")
	defer s.Close()
	if err := n.Rebuild(ctx, series(transfers(rows)...), store.Contents{Export: true}, store.AppendOptions{BatchSize: 90}); err != nil {
		t.Fatal(err)
	}
	if err := n.Verify(ctx, nil); err != nil {
		t.Fatal(err)
	}
	compare(t, n, transfers(rows), memindex.Options{Claims: map[ledger.Chain][]ledger.Claim{"tron": nil}})
	snap := pinned(t, n)
	defer snap.Close()
	if sums, err := snap.AddressSummary(ctx, account(2)); err != nil || len(sums) != 200 || sums[17].Ins != 2 {
		t.Errorf("summary: got %d assets, %v, want 200", len(sums), err)
	}
}
