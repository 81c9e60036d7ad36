package ledger_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
)

func TestPosition(t *testing.T) {
	p := ledger.At(1690000000123, 1<<20-1)
	if p.Height() != 1690000000123 || p.Index() != 1<<20-1 {
		t.Errorf("position %d is height %d, index %d", p, p.Height(), p.Index())
	}
	if ledger.EndOf(1690000000123) != p+1 {
		t.Errorf("the height ends at %d, want %d", ledger.EndOf(1690000000123), p+1)
	}
	if got := (ledger.Point{Pos: p, Slot: 7}).String(); got != "1690000000123:1048575:7" {
		t.Errorf("the point prints %s", got)
	}
}

// pointsOrder: the order of points is that of height, index, slot.
func pointsOrder(t *rapid.T) {
	draw := func(name string) (ledger.Point, [3]uint64) {
		h := rapid.Uint64Range(0, 3).Draw(t, name+" height")
		i := rapid.Uint32Range(0, 3).Draw(t, name+" index")
		s := rapid.Uint32Range(0, 3).Draw(t, name+" slot")
		return ledger.Point{Pos: ledger.At(h, i), Slot: s}, [3]uint64{h, uint64(i), uint64(s)}
	}
	p, a := draw("p")
	q, b := draw("q")
	want := 0
	for i := range a {
		if want == 0 && a[i] < b[i] {
			want = -1
		}
		if want == 0 && a[i] > b[i] {
			want = 1
		}
	}
	if p.Compare(q) != want || p.Before(q) != (want < 0) || q.Compare(p) != -want {
		t.Fatalf("%s and %s compare %d, want %d", p, q, p.Compare(q), want)
	}
}

func TestPointsOrder(t *testing.T) { rapid.Check(t, pointsOrder) }

func TestParseTxID(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for _, text := range []string{id, "0x" + id, strings.ToUpper(id), "0X" + id} {
		got, err := ledger.ParseTxID(text)
		if err != nil || got.String() != id {
			t.Errorf("%s reads %s, %v", text, got, err)
		}
	}
	for _, text := range []string{id[1:], id + "0", "", "0x", id[:63] + "g", " " + id, id[:62] + "\n0"} {
		if got, err := ledger.ParseTxID(text); !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), "64 hex digits") {
			t.Errorf("%q reads %s, %v; want a refusal that says 64 hex digits", text, got, err)
		}
	}
}

func TestTagValidAt(t *testing.T) {
	for _, c := range []struct {
		from, to, at int64
		want         bool
	}{
		{0, 0, 5, true},
		{5, 0, 4, false},
		{5, 0, 5, true},
		{0, 5, 4, true},
		{0, 5, 5, false},
		{5, 5, 5, false},
	} {
		if got := (ledger.Tag{ValidFrom: c.from, ValidTo: c.to}).ValidAt(c.at); got != c.want {
			t.Errorf("valid from %d to %d: at %d %v", c.from, c.to, c.at, got)
		}
	}
}

func TestInvalidErrorIsCut(t *testing.T) {
	err := ledger.Invalid("field", "a short text", strings.Repeat("x", 1<<20))
	if len(err.Error()) > 200 || !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("an error of %d bytes, invalid %v", len(err.Error()), errors.Is(err, ledger.ErrInvalid))
	}
	if got := ledger.Invalid("f", "w", "a\x1b[2Jb").Error(); strings.Contains(got, "\x1b") {
		t.Errorf("a control character is passed on: %q", got)
	}
}

func TestParseChain(t *testing.T) {
	for _, name := range []string{"bitcoin", "bitcoin-testnet", "bitcoin-signet", "bitcoin-regtest", "bitcoin-simnet", "ethereum", "tron", "tron-nile"} {
		c, err := ledger.ParseChain(name)
		if err != nil || string(c) != name || c.Family() == ledger.FamilyUnknown {
			t.Errorf("%s reads %s, %v", name, c, err)
		}
	}
	for _, name := range []string{"", "Bitcoin", "btc", "bitcoin "} {
		if _, err := ledger.ParseChain(name); !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), "bitcoin-testnet, ") {
			t.Errorf("%q: %v; want a refusal that lists the networks", name, err)
		}
	}
}

// TestKnownAssets checks the table: an asset is its contract, never its symbol.
func TestKnownAssets(t *testing.T) {
	usdt, ok := ledger.AssetBySymbol("tron", "USDT")
	info := ledger.InfoOf(usdt)
	if !ok || usdt.Contract.String() != "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t" || !info.Known || info.Decimals != 6 || info.Dust.String() != "1000000" {
		t.Errorf("USDT on TRON: %+v", info)
	}
	fake := ledger.TokenAsset(ledger.AccountAddress("tron", [20]byte{7}))
	if info := ledger.InfoOf(fake); info.Known || info.Symbol != "" || info.Dust.String() != "1" {
		t.Errorf("an unknown token: %+v", info)
	}
	if got := ledger.InfoOf(ledger.NativeAsset("bitcoin")); got.Dust.String() != "1000" || got.Symbol != "BTC" || got.Decimals != 8 {
		t.Errorf("bitcoin: %+v", got)
	}
	if got := ledger.InfoOf(ledger.NativeAsset("ethereum")); got.Dust.String() != "300000000000000" || got.Decimals != 18 {
		t.Errorf("ether: %+v", got)
	}
	if a, ok := ledger.AssetBySymbol("bitcoin", "USDT"); ok {
		t.Errorf("USDT on bitcoin is %s", a)
	}
}

func TestPlain(t *testing.T) {
	token, native, fee := ledger.Transfer{Kind: ledger.TransferToken}, ledger.Transfer{Kind: ledger.TransferNative}, ledger.Transfer{Kind: ledger.TransferFee}
	for _, test := range []struct {
		name string
		tx   ledger.Tx
		want bool
	}{
		{"one payment and its fee", ledger.Tx{Transfers: []ledger.Transfer{token, fee}}, true},
		{"nothing but a fee", ledger.Tx{Transfers: []ledger.Transfer{fee}}, true},
		{"two", ledger.Tx{Transfers: []ledger.Transfer{native, token}}, false},
		{"one that was noted", ledger.Tx{Transfers: []ledger.Transfer{native}, Notices: []ledger.Notice{{Kind: ledger.NoticeWrapped}}}, false},
		{"coins", ledger.Tx{Outputs: []ledger.Output{{}}}, false},
	} {
		if got := test.tx.Plain(); got != test.want {
			t.Errorf("%s: got %t, want %t", test.name, got, test.want)
		}
	}
}
