package prices_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/prices"
)

const head = "asset,time,usd,source\n"

func table(t *testing.T, text string) *prices.Table {
	t.Helper()
	p := &prices.Table{}
	if err := p.Read("p.csv", strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return p
}

func ms(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

func asset(t *testing.T, c ledger.Chain, symbol string) ledger.AssetInfo {
	t.Helper()
	a, ok := ledger.AssetBySymbol(c, symbol)
	if !ok {
		t.Fatalf("%s %s", c, symbol)
	}
	return ledger.InfoOf(a)
}

func TestValue(t *testing.T) {
	p := table(t, head+"bitcoin:native,2022-01-05T00:00:00Z,46000.125,exchange X\nbitcoin:BTC,2022-01-04T00:00:00+01:00,45000,exchange X\n"+
		"tron:USDT,2022-01-05T00:00:00Z,0.99,exchange Y\nbitcoin:native,2022-02-01T00:00:00Z,0.000000000000000001,exchange X\n")
	btc, usdt := asset(t, "bitcoin", "BTC"), asset(t, "tron", "USDT")
	for _, test := range []struct {
		info        ledger.AssetInfo
		amount      string
		at          string
		usd, source string
	}{
		{btc, "100000000", "2022-01-05T00:00:00Z", "46000.13", "exchange X"}, // half a cent goes up
		{btc, "1", "2022-01-05T10:00:00Z", "0.00", "exchange X"},
		{btc, "11", "2022-01-05T10:00:00Z", "0.01", "exchange X"},
		{btc, "100000000", "2022-01-04T23:59:59Z", "", ""}, // the last one is older than a day
		{btc, "100000000", "2022-01-04T22:00:00Z", "45000.00", "exchange X"},
		{btc, "100000000", "2021-01-01T00:00:00Z", "", ""},
		{btc, "2100000000000000", "2022-02-01T00:00:00Z", "0.00", "exchange X"},
		{usdt, "25050000000", "2022-01-05T17:00:00Z", "24799.50", "exchange Y"},
		{usdt, "25050000000", "2023-01-05T17:00:00Z", "25050.00", prices.Stablecoin},
		{asset(t, "ethereum", "USDC"), "1234567", "2023-01-05T17:00:00Z", "1.23", prices.Stablecoin},
		{asset(t, "tron", "TRX"), "1234567", "2023-01-05T17:00:00Z", "", ""},
	} {
		amount, err := ledger.ParseAmount(test.amount)
		if err != nil {
			t.Fatal(err)
		}
		usd, source, ok := p.Value(amount, test.info, ms(t, test.at))
		if usd != test.usd || source != test.source || ok != (test.usd != "") {
			t.Errorf("%s of %s at %s: got %q, %q, %v; want %q, %q", test.amount, test.info.Symbol, test.at, usd, source, ok, test.usd, test.source)
		}
	}
	var none *prices.Table
	if usd, _, ok := none.Value(ledger.NewAmount(1_000_000), usdt, 1); !ok || usd != "1.00" {
		t.Errorf("without a table: got %q, %v", usd, ok)
	}
}

// TestHugeAmounts: a token of 77 digits is multiplied without loss.
func TestHugeAmounts(t *testing.T) {
	contract := "ethereum:0x" + strings.Repeat("11", 20)
	p := table(t, head+contract+",2022-01-05T00:00:00Z,3,x\n")
	a, err := ledger.ParseAddress("ethereum", "0x"+strings.Repeat("11", 20))
	if err != nil {
		t.Fatal(err)
	}
	most, err := ledger.AmountFromBytes([]byte(strings.Repeat("\xff", 32)))
	if err != nil {
		t.Fatal(err)
	}
	usd, _, _ := p.Value(most, ledger.AssetInfo{Asset: ledger.TokenAsset(a)}, ms(t, "2022-01-05T00:00:00Z"))
	if want := "347376267711948586270712955026063723559809953996921692118372752023739388919805.00"; usd != want {
		t.Errorf("got %s, want %s", usd, want)
	}
}

func TestBadFiles(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "p.csv:1: want the header asset,time,usd,source"},
		{"asset,usd\n", "p.csv:1: want the header"},
		{head + "bitcoin:native,2022-01-05T00:00:00Z,1\n", "p.csv:2:"},
		{head + "doge:native,2022-01-05T00:00:00Z,1,x\n", `p.csv:2:1: want NETWORK:native`},
		{head + "bitcoin:USDT,2022-01-05T00:00:00Z,1,x\n", `p.csv:2:1: want NETWORK:native`},
		{head + "tron:Txyz,2022-01-05T00:00:00Z,1,x\n", `p.csv:2:1: want NETWORK:native`},
		{head + "bitcoin:native,2022-01-05,1,x\n", `p.csv:2:16: want a time with its zone`},
		{head + "bitcoin:native,2022-01-05T00:00:00Z,-1,x\n", `p.csv:2:37: want dollars`},
		{head + "bitcoin:native,2022-01-05T00:00:00Z,1e3,x\n", `want dollars`},
		{head + "bitcoin:native,2022-01-05T00:00:00Z,1.,x\n", `want dollars`},
		{head + "bitcoin:native,2022-01-05T00:00:00Z,.5,x\n", `want dollars`},
		{head + "bitcoin:native,2022-01-05T00:00:00Z,0.0000000000000000001,x\n", `want dollars`},
		{head + "bitcoin:native,2022-01-05T00:00:00Z,1, \n", `want where the price comes from`},
		{head + "bitcoin:native,2022-01-05T00:00:00Z,1,x\nbitcoin:BTC,2022-01-05T01:00:00+01:00,2,x\n", `p.csv:3: want one price of bitcoin:native at one time, got "another than p.csv:2"`},
	} {
		p := &prices.Table{}
		err := p.Read("p.csv", strings.NewReader(test.text))
		if !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %q", test.text, err, test.want)
		}
	}
}

func FuzzPrices(f *testing.F) {
	f.Add(head + "bitcoin:native,2022-01-05T00:00:00Z,46000.125,x\n")
	f.Fuzz(func(t *testing.T, text string) {
		p := &prices.Table{}
		if err := p.Read("p.csv", strings.NewReader(text)); err != nil && !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%q: got %v, want ErrInvalid", text, err)
		}
	})
}
