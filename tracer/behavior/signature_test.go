package behavior

import (
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// Two users pay d, and the exchange x gathers both payments in one sweep: no payment
// is carried on whole, so that only the signature shows what d is.
func TestDepositSignature(t *testing.T) {
	gathered := "label x exchange\n2 0 pay u d 5 USDT\n3 0 pay v d 6 USDT\n5 0 pay d x 11 USDT\n"
	for _, test := range []struct{ name, text, heuristic, users, gas string }{
		{"energy of the sweeper", "1 0 lend x d\n" + gathered, DepositSignature, "uv", "energy"},
		{"TRX of the sweeper", "1 0 pay x d 20 TRX\n" + gathered, DepositSignature, "uv", "TRX"},
		{"both, TRX first", "1 0 pay x d 20 TRX\n4 0 lend x d\n" + gathered, DepositSignature, "uv", "TRX"},
		{"both, energy first", "1 0 lend x d\n4 0 pay x d 20 TRX\n" + gathered, DepositSignature, "uv", "energy"},
		{"TRX of somebody else", "1 0 pay g d 20 TRX\n" + gathered, "", "", ""},
		{"TRX of another wallet of the exchange", "label x-hot exchange\n1 0 pay x-hot d 20 TRX\n" + gathered, DepositSignature, "uv", "TRX"},
		{"TRX of another exchange", "label y exchange\n1 0 pay y d 20 TRX\n" + gathered, "", "", ""},
		{"TRX after all", gathered + "6 0 pay x d 20 TRX", "", "", ""},
		{"neither", gathered, "", "", ""},
		{"dust is swept, too", "1 0 lend x d\n1 0 pay w d 0.01 USDT\n" + strings.Replace(gathered, "x 11", "x 11.01", 1), DepositSignature, "uv", "energy"},
		{"dust is left", "1 0 lend x d\n1 0 pay w d 0.01 USDT\n" + gathered, "", "", ""},
		{"some is left", "1 0 lend x d\n1 0 pay w d 7 USDT\n" + gathered, "", "", ""},
		{"half of the sweeps", "1 0 lend x d\n" + gathered + "6 0 pay u d 9 USDT\n7 0 pay d x 8 USDT", DepositSignature, "uv", "energy"},
		{"a third of them", "1 0 lend x d\n" + gathered + "6 0 pay u d 9 USDT\n7 0 pay d x 8 USDT\n8 0 pay u d 9 USDT\n9 0 pay d x 8 USDT", "", "", ""},
		{"somebody else is paid", "1 0 lend x d\n" + gathered + "6 0 pay u d 9 USDT\n7 0 pay d e 9 USDT", "", "", ""},
		{"carried on whole", "label x exchange\n1 0 lend x d\n2 0 pay u d 5 USDT\n5 0 pay d x 5 USDT", DepositReuse, "u", ""},
		{"labelled as a scam's", "label d scam.romance\n1 0 lend x d\n" + gathered, DepositSignature, "uv", "energy"},
		{"of a hundred victims", "1 0 lend x d" + crowdOf(100, "1 0 pay v%n d 5 USDT") + "\n" + strings.Replace(gathered, "x 11", "x 511", 1), DepositSignature, "uv", "energy"},
		{"labelled as seized", "label d terrorist_financing\n1 0 lend x d\n" + gathered, DepositSignature, "uv", "energy"},
		{"labelled as a service itself", "label d gambling\n1 0 lend x d\n" + gathered, "", "", ""},
	} {
		asset, _ := ledger.AssetBySymbol("tron", "USDT")
		idx := read(t, test.text).index(t, memindex.Options{})
		d, err := DepositOf(t.Context(), idx, ledger.Holder{Address: tron("d"), Asset: asset})
		if err != nil {
			t.Fatal(err)
		}
		var heuristic, users, gas string
		if d != nil {
			heuristic = d.Heuristic
			for _, name := range []string{"u", "v", "w"} {
				for _, u := range d.Users() {
					if u == tron(name) {
						users += name
					}
				}
			}
			if d.Gas != nil {
				gas = d.Gas.Kind
			}
			if d.Exchange.Label != "x" {
				t.Errorf("%s: exchange %s", test.name, d.Exchange.Label)
			}
		}
		if heuristic != test.heuristic || users != test.users || gas != test.gas {
			t.Errorf("%s: got %q, users %q, %q; want %q, %q, %q", test.name, heuristic, users, gas, test.heuristic, test.users, test.gas)
		}
	}
}

// The same shape in ether, or in native coins, is none.
func TestDepositSignatureOfUSDTAlone(t *testing.T) {
	idx := read(t, "label x exchange\n1 0 lend x d\n2 0 pay u d 500 TRX\n3 0 pay v d 600 TRX\n5 0 pay d x 1100 TRX").index(t, memindex.Options{})
	d, err := DepositOf(t.Context(), idx, ledger.Holder{Address: tron("d"), Asset: ledger.NativeAsset("tron")})
	if err != nil || d != nil {
		t.Errorf("got %+v, %v", d, err)
	}
}

// Customers of one deposit address are joined by its signature, which names the gas.
func TestSignatureJoins(t *testing.T) {
	text := "label x exchange\n1 0 lend x d\n2 0 pay a d 5 USDT\n3 0 pay b d 6 USDT\n5 0 pay d x 11 USDT"
	got, c := owner(t, read(t, text).index(t, memindex.Options{}), Question{Of: tron("a"), Tier: ledger.TierBehavior}, text)
	if strings.Join(got, "") != "ab" || len(c.Joins) != 1 || c.Joins[0].Heuristic != DepositSignature || c.Joins[0].Pos.Height() != 4 || !strings.Contains(c.Joins[0].Detail, "energy from "+tron("x").String()) {
		t.Errorf("got %v, %+v", got, c)
	}
}

// Whoever asks for a deposit address is told whose it is.
func TestClusterOfDepositAddress(t *testing.T) {
	text := "label x exchange\n1 0 lend x d\n2 0 pay a d 5 USDT\n3 0 pay b d 6 USDT\n5 0 pay d x 11 USDT"
	got, c := owner(t, read(t, text).index(t, memindex.Options{}), Question{Of: tron("d"), Tier: ledger.TierBehavior}, text)
	if strings.Join(got, "") != "d" || len(c.Limits) != 1 || !strings.Contains(c.Limits[0], "takes deposits for x (TRON deposit signature") {
		t.Errorf("got %v, %v", got, c.Limits)
	}
}

func TestBrand(t *testing.T) {
	for _, test := range []struct {
		x, y string
		same bool
	}{
		{"Binance-Hot 1", "Binance 2", true},
		{"Okex 1", "Okex 7", true},
		{"Binance", "binance: Cold Wallet 14", true},
		{"MXC", "MXC2", false},
		{"Hotbit", "Bit", false},
		{"Kucoin 3", "Okex 3", false},
		{"7", "8", false},
		{"hot 1", "hot 2", true}, // the same exchange, as far as its name says
	} {
		if got := sameExchange(ledger.Tag{Label: test.x}, ledger.Tag{Label: test.y}); got != test.same {
			t.Errorf("%q and %q: %t", test.x, test.y, got)
		}
	}
	if sameExchange(ledger.Tag{Label: "Binance", Actor: "binance"}, ledger.Tag{Label: "Binance", Actor: "binance_us"}) {
		t.Error("actors go before names")
	}
}
