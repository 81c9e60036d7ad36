package tracer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

const hash = "4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c"

func TestParseRef(t *testing.T) {
	for _, c := range []struct {
		text, chain string
		pick        tracer.Pick
		index       uint32
		address     string
	}{
		{hash, "", tracer.PickOnly, 0, ""},
		{"  " + hash + "\n", "", tracer.PickOnly, 0, ""},
		{"0x" + hash, "", tracer.PickOnly, 0, ""},
		{hash + ":7", "", tracer.PickIndex, 7, ""},
		{"bitcoin:" + hash, "bitcoin", tracer.PickOnly, 0, ""},
		{"bitcoin:" + strings.ToUpper(hash) + ":0", "bitcoin", tracer.PickIndex, 0, ""},
		{"bitcoin-testnet:" + hash + ":4294967295", "bitcoin-testnet", tracer.PickIndex, 4294967295, ""},
		{"ethereum:0x" + hash + ":n", "ethereum", tracer.PickNative, 0, ""},
		{"ethereum:0x" + hash + ":i12", "ethereum", tracer.PickInternal, 12, ""},
		{"tron:" + hash + ":TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "tron", tracer.PickAddress, 0, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"},
		{"https://mempool.space/tx/" + hash, "bitcoin", tracer.PickOnly, 0, ""},
		{"https://mempool.space/de/tx/" + hash, "bitcoin", tracer.PickOnly, 0, ""},
		{"https://mempool.space/tx/" + hash + "#vout=3", "bitcoin", tracer.PickIndex, 3, ""},
		{"https://mempool.space/tx/" + hash + ":1", "bitcoin", tracer.PickIndex, 1, ""},
		{"https://mempool.space/testnet/tx/" + hash, "bitcoin-testnet", tracer.PickOnly, 0, ""},
		{"https://mempool.space/signet/tx/" + hash, "bitcoin-signet", tracer.PickOnly, 0, ""},
		{"https://blockstream.info/tx/" + hash + "?expand", "bitcoin", tracer.PickOnly, 0, ""},
		{"https://blockstream.info/tx/" + hash + "?output:2", "bitcoin", tracer.PickIndex, 2, ""},
		{"https://blockstream.info/testnet/tx/" + hash, "bitcoin-testnet", tracer.PickOnly, 0, ""},
		{"https://blockchair.com/bitcoin/transaction/" + hash, "bitcoin", tracer.PickOnly, 0, ""},
		{"https://blockchair.com/ethereum/transaction/0x" + hash, "ethereum", tracer.PickOnly, 0, ""},
		{"https://blockchair.com/tron/transaction/" + hash, "tron", tracer.PickOnly, 0, ""},
		{"https://www.blockchain.com/explorer/transactions/btc/" + hash, "bitcoin", tracer.PickOnly, 0, ""},
		{"https://www.blockchain.com/explorer/transactions/eth/0x" + hash, "ethereum", tracer.PickOnly, 0, ""},
		{"https://etherscan.io/tx/0x" + hash, "ethereum", tracer.PickOnly, 0, ""},
		{"https://etherscan.io/tx/0x" + hash + "#eventlog", "ethereum", tracer.PickOnly, 0, ""},
		{"http://Etherscan.io/tx/0x" + hash + "/", "ethereum", tracer.PickOnly, 0, ""},
		{"https://bscscan.com/tx/0x" + hash, "bnb", tracer.PickOnly, 0, ""},
		{"https://tronscan.org/#/transaction/" + hash, "tron", tracer.PickOnly, 0, ""},
		{"https://tronscan.io/#/transaction/" + hash + "?lang=en", "tron", tracer.PickOnly, 0, ""},
		{"https://nile.tronscan.org/#/transaction/" + hash, "tron-nile", tracer.PickOnly, 0, ""},
	} {
		got, err := tracer.ParseRef(c.text)
		if err != nil || string(got.Chain) != c.chain || got.Pick != c.pick || got.Index != c.index || got.Address != c.address || got.Tx.String() != hash {
			t.Errorf("%q reads %+v, %v", c.text, got, err)
		}
	}
}

func TestParseRefRefuses(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"", "NETWORK:TX"},
		{"bitcoin", "NETWORK:TX"},
		{"bitcoin:", "NETWORK:TX"},
		{hash[1:], "64 hex digits"},
		{"tron:" + hash + "0", "64 hex digits"},
		{"tron:" + hash[:63] + "g", "64 hex digits"},
		{"litecoin:" + hash, "one of bitcoin, "},
		{"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "NETWORK:TX"},
		{"bitcoin:" + hash + ":", "after the hash"},
		{"bitcoin:" + hash + ":-1", "after the hash"},
		{"bitcoin:" + hash + ":4294967296", "after the hash"},
		{"bitcoin:" + hash + ":1:2", ""},
		{"bitcoin:" + hash + ":i", ""},
		{hash + ":i", ""},
		{"bitcoin:" + hash + ":TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "tron"},
		{"tron:" + hash + ":TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", "checksum"},
		{"https://example.org/tx/" + hash, "mempool.space"},
		{"https://mempool.space.example.org/tx/" + hash, "mempool.space"},
		{"https://mempool.space/tx/", "mempool.space"},
		{"https://mempool.space/testnet4/tx/" + hash, "testnet4"},
		{"https://mempool.space/liquid/tx/" + hash, "liquid"},
		{"https://blockchair.com/dogecoin/transaction/" + hash, "dogecoin"},
		{"https://etherscan.io/address/0xdAC17F958D2ee523a2206206994597C13D831ec7", "mempool.space"},
		{"https://sepolia.etherscan.io/tx/0x" + hash, "mempool.space"},
		{"https://mempool.space/%zz", "NETWORK:TX"},
	} {
		got, err := tracer.ParseRef(c.text)
		if !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q reads %+v, %v; want a refusal that says %q", c.text, got, err, c.says)
		}
	}
}

// FuzzParseRef: what is accepted names a transaction of a known network or of none.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{hash, "bitcoin:" + hash + ":0", "https://tronscan.org/#/transaction/" + hash, "ethereum:0x" + hash + ":i3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := tracer.ParseRef(s)
		if err != nil {
			if !errors.Is(err, ledger.ErrInvalid) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if _, known := ref.Chain.Params(); ref.Chain != "" && !known {
			t.Fatalf("%q is of network %q", s, ref.Chain)
		}
		if !strings.Contains(strings.ToLower(s), ref.Tx.String()) {
			t.Fatalf("%q names %s", s, ref.Tx)
		}
	})
}

// TestResolve asks for payments as victims do, and wrongly.
func TestResolve(t *testing.T) {
	s := newScript(t)
	s.line = "setting"
	for _, line := range []string{
		"chain tron", "asset usdt",
		"one @1 a -> b 100",
		"two @2 a -> b 100; a -> c 50",
		"noise @3 a -> b 100; a -> x 0; y -> b 0",
		"empty @4 a -> b 0",
		"failed @5 a -> b 100 failed",
		"beside @6 a -> b 100 failed; a -> b 70",
		"self @7 a -> a 100",
		"fake @8 a -> b 100 faketoken",
	} {
		s.do(strings.Fields(line))
	}
	idx := s.build()
	usdt := s.asset
	for _, c := range []struct {
		tx, pick string
		asset    bool
		want     string // payees and amounts
		is       error
		says     string
	}{
		{tx: "one", want: "b 100"},
		{tx: "one", pick: ":0", asset: true, want: "b 100"},
		{tx: "one", pick: ":1", is: ledger.ErrNotFound, says: "no such payment among 1"},
		{tx: "two", is: ledger.ErrAmbiguous, says: "tron:" + txID("two").String() + ":1 (50 of tron:TR7N"},
		{tx: "two", pick: ":1", want: "c 50"},
		{tx: "two", pick: ":" + named("tron", "c").String(), want: "c 50"},
		{tx: "two", pick: ":" + named("tron", "stranger").String(), is: ledger.ErrNotFound, says: "no such payment"},
		{tx: "noise", want: "b 100"},
		{tx: "noise", pick: ":1", is: ledger.ErrInvalid, says: "carries no value; poisoning pattern"},
		{tx: "noise", pick: ":" + named("tron", "b").String(), want: "b 100"},
		{tx: "empty", is: ledger.ErrInvalid, says: "carries no value; poisoning pattern"},
		{tx: "failed", is: ledger.ErrInvalid, says: "reverted; moved 0"},
		{tx: "beside", want: "b 70"},
		{tx: "beside", pick: ":0", is: ledger.ErrInvalid, says: "reverted; moved 0"},
		{tx: "self", is: ledger.ErrInvalid, says: "payer and payee are the same"},
		{tx: "fake", asset: true, is: ledger.ErrInvalid, says: "contract " + named("tron", "faketoken").String() + " is not asset USDT"},
		{tx: "fake", want: "b 100"},
		{tx: "nowhere", is: ledger.ErrNotFound, says: "not in the index; tron indexed to height 8"},
	} {
		ref, err := tracer.ParseRef("tron:" + txID(c.tx).String() + c.pick)
		if err != nil {
			t.Fatal(err)
		}
		var asset *ledger.Asset
		if c.asset {
			asset = &usdt
		}
		seeds, err := tracer.Resolve(context.Background(), idx, []ledger.Chain{"tron"}, ref, asset)
		var got []string
		for _, seed := range seeds {
			got = append(got, s.people[seed.Address]+" "+seed.Amount.String())
		}
		if strings.Join(got, ", ") != c.want || (c.is != nil && (!errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says))) || (c.is == nil && err != nil) {
			t.Errorf("%s%s: %v, %v; want %q, %v that says %q", c.tx, c.pick, got, err, c.want, c.is, c.says)
		}
	}
}

// TestResolveNetworks: a hash is searched in every network, and a wrong network is named.
func TestResolveNetworks(t *testing.T) {
	w := &world{blocks: []*ledger.Block{
		{Ref: ledger.BlockRef{Chain: "bitcoin", Height: 1}, Txs: []ledger.Tx{
			{ID: txID("coin"), Chain: "bitcoin", Pos: ledger.At(1, 0), Outputs: []ledger.Output{{Address: named("bitcoin", "a"), Value: ledger.NewAmount(5)}}},
			{ID: txID("both"), Chain: "bitcoin", Pos: ledger.At(1, 1), Outputs: []ledger.Output{{Address: named("bitcoin", "a"), Value: ledger.NewAmount(5)}}},
		}},
		{Ref: ledger.BlockRef{Chain: "tron", Height: 2}, Txs: []ledger.Tx{{ID: txID("both"), Chain: "tron", Pos: ledger.At(2, 0), Transfers: []ledger.Transfer{{
			From: named("tron", "a"), To: named("tron", "b"), Asset: ledger.NativeAsset("tron"), Amount: ledger.NewAmount(5),
		}}}}},
	}}
	idx := w.index(t, memindex.Options{})
	for _, c := range []struct {
		text string
		is   error
		says string
	}{
		{text: txID("coin").String()},
		{txID("both").String(), ledger.ErrAmbiguous, "in several networks: bitcoin:"},
		{text: "tron:" + txID("both").String()},
		{"tron:" + txID("coin").String(), ledger.ErrNotFound, "is not of tron, it is of bitcoin"},
		{txID("lost").String(), ledger.ErrNotFound, "bitcoin indexed to height 1, tron indexed to height 2"},
	} {
		ref, err := tracer.ParseRef(c.text)
		if err != nil {
			t.Fatal(err)
		}
		seeds, err := tracer.Resolve(context.Background(), idx, []ledger.Chain{"bitcoin", "tron"}, ref, nil)
		if (c.is == nil && (err != nil || len(seeds) != 1)) || (c.is != nil && (!errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says))) {
			t.Errorf("%s: %v, %v; want %v that says %q", c.text, seeds, err, c.is, c.says)
		}
	}
}
