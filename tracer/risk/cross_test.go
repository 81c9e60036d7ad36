package risk

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// tale is what happened on one network, told leg by leg: "alice pool USDT 100", one
// transaction a line, a minute each; amounts are in millions of base units. A leg that
// begins with wrap, unwrap, out or in is a notice.
type tale struct {
	chain ledger.Chain
	lines []string
}

func (s tale) asset(name string) ledger.Asset {
	if name == "COIN" {
		return ledger.NativeAsset(s.chain)
	}
	if a, ok := ledger.AssetBySymbol(s.chain, name); ok {
		return a
	}
	return ledger.TokenAsset(addr(s.chain, name))
}

func (s tale) who(name string) ledger.Address {
	if name == "-" {
		return ledger.Address{}
	}
	return addr(s.chain, name)
}

func (s tale) blocks(t testing.TB) []*ledger.Block {
	t.Helper()
	var all []*ledger.Block
	for i, line := range s.lines {
		ref := ledger.BlockRef{Chain: s.chain, Height: uint64(i), Time: int64(i+1) * 60_000}
		tx := ledger.Tx{ID: sha256.Sum256(fmt.Append(nil, s.chain, i)), Chain: s.chain, Pos: ledger.At(uint64(i), 0), Time: ref.Time}
		for slot, leg := range strings.Split(line, ",") {
			if f := strings.Fields(leg); len(f) > 3 {
				s.leg(t, &tx, uint32(slot), f)
			}
		}
		all = append(all, &ledger.Block{Ref: ref, Txs: []ledger.Tx{tx}})
	}
	return all
}

func (s tale) leg(t testing.TB, tx *ledger.Tx, slot uint32, f []string) {
	t.Helper()
	amount, err := ledger.ParseCoins(f[3], 6)
	if err != nil {
		t.Fatalf("leg %q: %v", f, err)
	}
	kinds := map[string]ledger.NoticeKind{"wrap": ledger.NoticeWrapped, "unwrap": ledger.NoticeUnwrapped, "out": ledger.NoticeBridgeOut, "in": ledger.NoticeBridgeIn}
	if kind, ok := kinds[f[0]]; ok {
		n := ledger.Notice{Slot: slot, Kind: kind, Account: s.who(f[1]), Asset: s.asset(f[2]), Amount: amount}
		if len(f) > 4 {
			n.Ref = f[4]
		}
		tx.Notices = append(tx.Notices, n)
		return
	}
	leg := ledger.Transfer{Index: slot, Slot: slot, From: s.who(f[0]), To: s.who(f[1]), Asset: s.asset(f[2]), Amount: amount}
	if len(f) > 4 {
		leg.Kind = ledger.TransferFee
	}
	tx.Transfers = append(tx.Transfers, leg)
}

// tell is the world of some tales; a name is tagged on every network.
func tell(t testing.TB, tags map[string]string, tales ...tale) world {
	t.Helper()
	var blocks []*ledger.Block
	var all []ledger.Tag
	for _, s := range tales {
		blocks = append(blocks, s.blocks(t)...)
		for name, category := range tags {
			all = append(all, ledger.Tag{Address: s.who(name), Chain: s.chain, Label: name, Category: category, Confidence: 70, Source: "told"})
		}
	}
	idx, err := memindex.New(blocks, memindex.Options{Tags: all})
	if err != nil {
		t.Fatal(err)
	}
	return world{Index: idx}
}

func lines(text string) tale { return tale{"tron", strings.Split(text, "; ")} }

func labels() map[string]string { return map[string]string{"thief": "scam", "binance": "exchange"} }

// What is swapped, wrapped or bridged comes from whom it came before and goes to whom
// it goes behind: no transfer more, and nothing of those who used the same pool.
func TestCrossings(t *testing.T) {
	const (
		funds = "- thief USDT 900, - binance USDT 900, - binance COIN 900, - pool COIN 9000, - pool USDT 9000; "
		sold  = "thief m USDT 100; m pool USDT 100, pool m COIN 500; "
	)
	for _, test := range []struct{ name, text, want string }{
		{"the seller's proceeds", funds + sold + "m a COIN 500", "RECEIVED indirect scam 500 100.0000% 2-2"},
		{"another buyer", funds + sold + "binance c COIN 50; c pool COIN 50, pool c USDT 10; c a USDT 10", "RECEIVED indirect exchange 10 100.0000% 2-2"},
		{"a part of it", funds + "thief m USDT 30; binance m USDT 70; m pool USDT 50, pool m COIN 250; m a COIN 100", "RECEIVED indirect scam 30 30.0000% 2-2; RECEIVED indirect exchange 70 70.0000% 2-2"},
		{"through a router", funds + "thief m USDT 100; m router USDT 100, router pool USDT 100, pool router COIN 500, router m COIN 500; m a COIN 500", "RECEIVED indirect scam 500 100.0000% 2-2"},
		{"two pools", funds + "- pool2 X 900; thief m USDT 100; m pool2 USDT 100, pool2 pool X 7, pool m COIN 500; m a COIN 500", "RECEIVED indirect scam 500 100.0000% 2-2"},
		{"a pool that pays first", funds + "thief m USDT 100; pool m COIN 500, m pool USDT 100; m a COIN 500", "RECEIVED indirect scam 500 100.0000% 2-2"},
		{"paid by way of a pool", funds + "thief pool USDT 100, pool a COIN 500, thief - COIN 1 fee", "RECEIVED direct scam 500 100.0000% 1-1"},
		{"a wrap", funds + "- thief COIN 100; thief m COIN 100; m WRAPPED COIN 100, - m WRAPPED 100, wrap m WRAPPED 100; m n WRAPPED 100; n - WRAPPED 100, WRAPPED n COIN 100, unwrap n WRAPPED 100; n a COIN 100", "RECEIVED indirect scam 100 100.0000% 3-3"},
		{"forwards", funds + "- a USDT 100; a m USDT 100; m pool USDT 100, pool m COIN 500; m thief COIN 200; m binance COIN 300", "SENT indirect scam 40 40.0000% 2-2; SENT indirect exchange 60 60.0000% 2-2"},
		{"forwards through a wrap", funds + "- a COIN 100; a m COIN 100; m WRAPPED COIN 100, - m WRAPPED 100, wrap m WRAPPED 100; m thief WRAPPED 100", "SENT indirect scam 100 100.0000% 2-2"},
		{"forwards by way of a pool", funds + "- a USDT 100; a pool USDT 100, pool thief COIN 500, a - COIN 1 fee", "SENT direct scam 100 100.0000% 1-1"},
		// Its own exchange is no transfer: what it sold came from the thief, what it bought goes to him.
		{"its own swap", funds + "thief a USDT 100; a pool USDT 100, pool a COIN 500; a thief COIN 500", "RECEIVED direct scam 100 100.0000% 1-1; SENT direct scam 500 100.0000% 1-1"},
		{"its own swap for what is not counted", funds + "- pool X 900; - a USDT 100; a pool USDT 100, pool a X 7; a thief X 7", "SENT direct scam 100 100.0000% 1-1"},
		{"a pool that is labelled", funds + "- dex COIN 900; thief m USDT 100; m dex USDT 100, dex m COIN 500; m a COIN 500", "RECEIVED indirect scam 500 100.0000% 2-2"},
		{"undecided at a pool that is labelled", funds + "- dex COIN 900; m dex USDT 100, dex m COIN 500, dex x COIN 5; m a COIN 500", "RECEIVED indirect decentralized_exchange 500 100.0000% 2-2"},
		{"undecided", funds + "thief m USDT 100; m pool USDT 100, pool m COIN 500, pool x COIN 5; m a COIN 500", ""},
	} {
		tags := labels()
		tags["dex"] = "decentralized_exchange"
		a, err := Address(t.Context(), tell(t, tags, lines(test.text)), defaults(t), addr("tron", "a"), Options{})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		_, got, _ := strings.Cut(said(a), ": ")
		if got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.name, got, test.want)
		}
		if undecided := test.want == ""; undecided != (len(a.Limits) > 0) {
			t.Errorf("%s: limits %q", test.name, a.Limits)
		}
	}
}

// A bridge whose id has one payment in and one out is passed through in both directions,
// and where it is not, it is an exposure of its own.
func TestBridges(t *testing.T) {
	there := tale{"ethereum", []string{"- thief USDT 100, - vault USDT 900", "thief m USDT 100", "m vault USDT 100, out m USDT 100 poly:1", "- x X 1", "- x X 1", "- x X 1"}}
	here := tale{"tron", []string{"- vault USDT 900", "- x X 1", "- x X 1", "vault m USDT 99, in m USDT 99 poly:1", "m a USDT 99", "- x X 1"}}
	second := tale{"bnb", []string{"- vault USDT 900", "vault m USDT 99, in m USDT 99 poly:1"}}
	late := here
	late.lines = append(slices.Clone(here.lines), "vault m USDT 99, in m USDT 99 poly:1")
	for _, test := range []struct {
		name  string
		chain ledger.Chain
		at    string
		tales []tale
		want  string
	}{
		{"back", "tron", "a", []tale{there, here}, "RECEIVED indirect scam 99 100.0000% 2-2"},
		{"forth", "ethereum", "m", []tale{{"ethereum", there.lines}, {"tron", append(slices.Clone(here.lines[:4]), "m thief USDT 33", "m x USDT 66")}}, "RECEIVED direct scam 100 100.0000% 1-1; SENT direct scam 33.333333 33.3333% 1-1"},
		{"no first leg", "tron", "a", []tale{here}, "RECEIVED indirect bridge 99 100.0000% 2-2"},
		{"no second leg", "ethereum", "m", []tale{there}, "RECEIVED direct scam 100 100.0000% 1-1; SENT direct bridge 100 100.0000% 1-1"},
		{"two second legs", "ethereum", "m", []tale{there, late}, "RECEIVED direct scam 100 100.0000% 1-1; SENT direct bridge 100 100.0000% 1-1"},
		{"two second legs, on two networks", "tron", "a", []tale{there, here, second}, "RECEIVED indirect bridge 99 100.0000% 2-2"},
	} {
		w := tell(t, labels(), test.tales...)
		a, err := Address(t.Context(), w, defaults(t), addr(test.chain, test.at), Options{})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if _, got, _ := strings.Cut(said(a), ": "); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

// The tenant's own addresses, near or far, are no exposure and lower no share.
func TestOwnAddresses(t *testing.T) {
	s := lines("- thief USDT 100, - desk USDT 900; thief m USDT 10; desk m USDT 90; m a USDT 100; desk a USDT 50; a n USDT 150; n desk USDT 120; n thief USDT 30")
	own := Options{Own: func(a ledger.Address) bool { return a == addr("tron", "desk") }}
	a, err := Address(t.Context(), tell(t, labels(), s), defaults(t), addr("tron", "a"), own)
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(said(a), ": ")
	if want := "RECEIVED indirect scam 10 100.0000% 2-2; SENT indirect scam 30 100.0000% 2-2"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if a.ReceivedPPM != 1_000_000 || a.SentPPM != 1_000_000 {
		t.Errorf("labelled: %d of what it received, %d of what it sent", a.ReceivedPPM, a.SentPPM)
	}
}

// What goes around inside a cluster of accounts is no transfer.
func TestClusterMoves(t *testing.T) {
	s := lines("- thief USDT 100; thief b USDT 100; b m USDT 100; m a USDT 100")
	w := tell(t, labels(), s)
	w.clusters = [][]ledger.Address{{addr("tron", "a"), addr("tron", "b")}}
	a, err := Address(t.Context(), w, defaults(t), addr("tron", "a"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	// From a back to m, to b, which is a, and to the thief: two transfers.
	if got, want := said(a), "HIGH 82: RECEIVED direct scam 100 50.0000% 1-1; RECEIVED indirect scam 100 50.0000% 2-2"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// A bridge joins coins and accounts, too, from either end.
func TestBridgeOfCoins(t *testing.T) {
	blocks := coinBlocks(t, "m: -> thief:100000\np: m.0 -> x:100000\nq: p.0 -> vault:60000 x:40000\nr: -> y:1")
	native := ledger.NativeAsset("bitcoin")
	blocks[3].Txs[0].Notices = []ledger.Notice{{Kind: ledger.NoticeBridgeOut, Account: addr("bitcoin", "vault"), Asset: native, Amount: ledger.NewAmount(60000), Ref: "memo:q"}}
	there := tale{"tron", []string{"- vault USDT 900, - b USDT 1"}}
	for len(there.lines) < 60 {
		there.lines = append(there.lines, "")
	}
	there.lines = append(there.lines, "vault a USDT 30, in a USDT 30 memo:q", "a shop USDT 15")
	blocks = append(blocks, there.blocks(t)...)
	tags := []ledger.Tag{
		{Address: addr("bitcoin", "thief"), Chain: "bitcoin", Category: "scam", Confidence: 70}, {Address: addr("tron", "shop"), Chain: "tron", Category: "exchange", Confidence: 70},
	}
	idx, err := memindex.New(blocks, memindex.Options{Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		at   ledger.Address
		want string
	}{
		{addr("tron", "a"), "RECEIVED indirect scam 30 100.0000% 2-2; SENT direct exchange 15 100.0000% 1-1"},
		{addr("bitcoin", "x"), "RECEIVED direct scam 0.001 100.0000% 1-1; SENT indirect exchange 0.0003 50.0000% 2-2"},
	} {
		a, err := Address(t.Context(), world{Index: idx}, defaults(t), test.at, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, got, _ := strings.Cut(said(a), ": "); got != test.want {
			t.Errorf("got %s\nwant %s", got, test.want)
		}
	}
}

// Shares add up, however many there are: largest remainders first, ties to the first.
func TestShare(t *testing.T) {
	weights := make([]ledger.Amount, 100_000)
	for i := range weights {
		weights[i] = ledger.NewAmount(uint64(i%3 + 1))
	}
	var sum ledger.Amount
	for _, part := range share(ledger.NewAmount(99_999), weights) {
		sum = sum.Plus(part)
	}
	if sum != ledger.NewAmount(99_999) {
		t.Errorf("%s of 99999", sum)
	}
	three := []ledger.Amount{ledger.NewAmount(1), ledger.NewAmount(1), ledger.NewAmount(2)}
	if got := fmt.Sprint(share(ledger.NewAmount(6), three), share(ledger.NewAmount(5), three)); got != "[2 1 3] [1 1 3]" {
		t.Error(got)
	}
}
