package behavior

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/memindex"
)

type world struct{ *memindex.Index }

func addr(name string) ledger.Address {
	h := sha256.Sum256([]byte(name))
	return ledger.AccountAddress("ethereum", [20]byte(h[:20]))
}

var (
	usdt, _ = ledger.AssetBySymbol("ethereum", "USDT")
	ether   = ledger.NativeAsset("ethereum")
)

// tell reads lines "height minute from to amount", whole coins of an asset. Names
// that begin with "x" are labelled exchanges ("x1.hot" and "x1.cold" of one).
func tell(t *testing.T, asset ledger.Asset, text string) world {
	t.Helper()
	var blocks []*ledger.Block
	tags := map[ledger.Address]ledger.Tag{}
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		var height uint64
		var minute int64
		var from, to, coins string
		if _, err := fmt.Sscan(line, &height, &minute, &from, &to, &coins); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		amount, err := ledger.ParseCoins(coins, ledger.InfoOf(asset).Decimals)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{from, to} {
			if label, _, _ := strings.Cut(name, "."); label[0] == 'x' {
				tags[addr(name)] = ledger.Tag{Address: addr(name), Chain: "ethereum", Label: label, Category: "exchange", Confidence: 50}
			}
		}
		tx := ledger.Tx{ID: sha256.Sum256(fmt.Append(nil, i)), Chain: "ethereum", Time: (minute + 1) * 60_000}
		var last *ledger.Block
		if len(blocks) > 0 {
			last = blocks[len(blocks)-1]
		}
		if last == nil || last.Ref.Height != height {
			last = &ledger.Block{Ref: ledger.BlockRef{Chain: "ethereum", Height: height, Time: tx.Time}}
			blocks = append(blocks, last)
		}
		tx.Pos = ledger.At(height, uint32(len(last.Txs)))
		tx.Transfers = []ledger.Transfer{{From: addr(from), To: addr(to), Asset: asset, Amount: amount, Slot: 1}}
		last.Txs = append(last.Txs, tx)
	}
	var list []ledger.Tag
	for _, tag := range tags {
		list = append(list, tag)
	}
	idx, err := memindex.New(blocks, memindex.Options{Tags: list})
	if err != nil {
		t.Fatal(err)
	}
	return world{idx}
}

func TestDepositOf(t *testing.T) {
	crowd := ""
	for i := range MaxUsers + 1 {
		crowd += fmt.Sprintf("%d 0 u%d d %d\n%d 0 d x1 %d\n", 2*i+1, i, i+10, 2*i+2, i+10)
	}
	for _, test := range []struct {
		name  string
		asset ledger.Asset
		text  string
		users int
	}{
		{"ether, less the fee", ether, "1 0 alice d 1\n5 0 d x1 0.995", 1},
		{"the very most of a fee", ether, "1 0 alice d 1\n5 0 d x1 0.99", 1},
		{"one wei more", ether, "1 0 alice d 1\n5 0 d x1 0.989999999999999999", 0},
		{"more than was paid", ether, "1 0 alice d 1\n5 0 d x1 1.000000000000000001", 0},
		{"the very last block", ether, "1 0 alice d 1\n3201 0 d x1 1", 1},
		{"a block later", ether, "1 0 alice d 1\n3202 0 d x1 1", 0},
		{"before it was paid", ether, "1 0 d x1 1\n5 0 alice d 1", 0},
		{"tokens whole", usdt, "1 0 alice d 100\n5 0 d x1 100", 1},
		{"tokens less a fee", usdt, "1 0 alice d 100\n5 0 d x1 99.99", 0},
		{"two users", usdt, "1 0 alice d 100\n2 0 bob d 50\n5 0 d x1 50\n6 0 d x1 100", 2},
		{"two wallets of one exchange", usdt, "1 0 alice d 100\n2 0 bob d 50\n5 0 d x1.hot 100\n6 0 d x1.cold 50", 2},
		{"two exchanges", usdt, "1 0 alice d 100\n2 0 bob d 50\n5 0 d x1 100\n6 0 d x2 50", 0},
		{"somebody else, too", usdt, "1 0 alice d 100\n2 0 bob d 50\n5 0 d x1 100\n6 0 d eve 50", 0},
		{"half of its sweeps", usdt, "1 0 alice d 100\n2 0 bob d 50\n5 0 d x1 100\n6 0 d x1 30", 1},
		{"a third of them", usdt, "1 0 alice d 100\n2 0 bob d 50\n5 0 d x1 100\n6 0 d x1 30\n7 0 d x1 20", 0},
		{"nobody known", usdt, "1 0 alice d 100\n5 0 d eve 100", 0},
		{"dust does not count", usdt, "1 0 alice d 0.5\n5 0 d x1 0.5", 0},
		{"too many users", usdt, crowd, 0},
	} {
		w := tell(t, test.asset, test.text)
		d, err := DepositOf(t.Context(), w, ledger.Holder{Address: addr("d"), Asset: test.asset})
		if err != nil {
			t.Fatal(err)
		}
		users := 0
		if d != nil {
			users = len(d.Users())
		}
		if users != test.users {
			t.Errorf("%s: %d users, want %d", test.name, users, test.users)
		}
	}
}

// many repeats a line for n names, a minute apart.
func many(n int, format string) string {
	var lines []string
	for i := range n {
		lines = append(lines, strings.NewReplacer("%h", fmt.Sprint(i+1), "%m", fmt.Sprint(i), "%n", fmt.Sprintf("p%d", i)).Replace(format))
	}
	return strings.Join(lines, "\n")
}

func TestPatterns(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"quiet", "1 0 b a 5\n2 600 a c 1", ""},
		{"ten payers", many(10, "%h %m %n a 5"), "fan_in"},
		{"nine payers", many(9, "%h %m %n a 5"), ""},
		{"ten payers over days", strings.ReplaceAll(many(10, "%h %m000 %n a 5"), " 0000 ", " 0 "), ""},
		{"ten payees", many(10, "%h %m a %n 5"), "fan_out equal_splits"},
		{"gathered and scattered", many(10, "%h %m %n a 7") + "\n" + many(10, "9%h 30 a q%n 5%h"), "fan_in fan_out gather_scatter"},
		{"a mule", "1 0 b a 100\n2 10 a c 95\n3 200 b a 100\n4 210 a c 95\n5 400 b a 100\n6 410 a c 95", "rapid_pass_through"},
		{"a mule, twice only", "1 0 b a 100\n2 10 a c 95\n3 200 b a 100\n4 210 a c 95", ""},
		{"just below", "1 0 b a 9500\n2 60 b a 9999\n3 120 c a 9000", "structuring"},
		{"at the threshold", "1 0 b a 9500\n2 60 b a 10000\n3 120 c a 9000", ""},
		{"three equal", "1 0 a b 7\n2 1 a c 7\n3 2 a d 7", "equal_splits"},
		{"three to one", "1 0 a b 7\n2 1 a b 7\n3 2 a b 7", ""},
		{"there and back", "1 0 a b 100\n2 600 b a 95", "round_trip"},
		{"half of it back", "1 0 a b 100\n2 600 b a 50", ""},
		{"asleep for a year", "1 0 b a 100\n2 600000 a c 5", "dormancy_break"},
		{"asleep for less", "1 0 b a 100\n2 500000 a c 5", ""},
	} {
		w := tell(t, usdt, test.text)
		found, limits, err := Patterns(t.Context(), w, ledger.Holder{Address: addr("a"), Asset: usdt})
		if err != nil || len(limits) != 0 {
			t.Fatal(limits, err)
		}
		var got []string
		for _, f := range found {
			got = append(got, f.Pattern)
			if f.Message == "" || len(f.Events) == 0 {
				t.Errorf("%s: %+v without evidence", test.name, f)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: got %v, want %s", test.name, got, test.want)
		}
	}
}

// What a sweep may cost is of its chain: a million TRX is no fee.
func TestFee(t *testing.T) {
	for asset, most := range map[ledger.Asset]string{ether: "10000000000000000", usdt: "0", ledger.NativeAsset("tron"): "2000000"} {
		if got := fee(asset).String(); got != most {
			t.Errorf("%s: got %s, want %s", asset, got, most)
		}
	}
}
