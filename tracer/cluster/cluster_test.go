package cluster

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

// script reads "NAME" (P2WPKH), "NAME/p2pkh" and so on, "data" (OP_RETURN).
func script(name string) ledger.Address {
	name, kind, _ := strings.Cut(name, "/")
	if name == "data" {
		return ledger.Address{Chain: "bitcoin", Kind: ledger.KindScript, Payload: "\x6a\x01x"}
	}
	kinds := map[string]ledger.AddressKind{"": ledger.KindP2WPKH, "p2pkh": ledger.KindP2PKH, "p2tr": ledger.KindP2TR}
	return ledger.Address{Chain: "bitcoin", Kind: kinds[kind], Payload: fmt.Sprintf("%-20s", name)}
}

// coins reads "NAME:VALUE NAME:VALUE ..."; "n*VALUE" are n coins of new scripts.
func coins(text, prefix string) (owners []ledger.Address, values []uint64) {
	for i, part := range strings.Fields(text) {
		name, value, _ := strings.Cut(part, ":")
		var v uint64
		if n := 0; value == "" {
			if _, err := fmt.Sscanf(part, "%d*%d", &n, &v); err != nil {
				panic(part)
			}
			for j := range n {
				owners, values = append(owners, script(fmt.Sprintf("%s%d.%d", prefix, i, j))), append(values, v)
			}
			continue
		}
		if _, err := fmt.Sscan(value, &v); err != nil {
			panic(part)
		}
		owners, values = append(owners, script(name)), append(values, v)
	}
	return owners, values
}

func transaction(in, out string) *ledger.Tx {
	tx := &ledger.Tx{Chain: "bitcoin", Pos: ledger.At(100, 1)}
	owners, values := coins(in, "i")
	for i := range owners {
		tx.Inputs = append(tx.Inputs, ledger.Input{Known: true, Address: owners[i], Value: ledger.NewAmount(values[i]), PrevPos: ledger.At(50, uint32(i))})
	}
	owners, values = coins(out, "o")
	for i := range owners {
		tx.Outputs = append(tx.Outputs, ledger.Output{Address: owners[i], Value: ledger.NewAmount(values[i])})
	}
	return tx
}

// wasabi2Outs are ten outputs in falling order, of which seven are standard.
const wasabi2Outs = "1*134217728 1*100000000 1*50000000 1*43046721 1*39123456 1*20000000 1*10000000 1*5000000 1*4000001 1*3999999"

func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		name, in, out string
		want          Verdict
	}{
		{"one script pays", "a:500000 a:600000", "b:700000 c:300000", None},
		{"two scripts pay once", "a:500000 b:600000", "c:900000 d:100000", None},
		{"a pool", "3*1000000 2*1010000", "5*1000000", Whirlpool},
		{"a pool of eight", "6*5000000 2*5110000", "8*5000000", Whirlpool},
		{"an input below the pool", "4*1000000 1*999999", "5*1000000", Possible},
		{"an input too far above", "3*1000000 2*1110001", "5*1000000", Possible},
		{"no pool's value", "3*1200000 2*1210000", "5*1200000", Possible},
		{"four", "2*1000000 2*1010000", "4*1000000", Possible},
		{"a script twice", "a:1000000 a:1000000 2*1000000 1*1010000", "5*1000000", Possible},
		{"a tx0", "a:3000000 b:3000000", "4*1010000 c:50000 d:1800000 data:0", Tx0},
		{"a tx0 of one premix", "a:1200000", "1*1010000 c:50000 data:0", Tx0},
		{"a tx0 without data", "a:3000000 b:3000000", "4*1010000 c:50000 d:1800000", Possible},
		{"three others", "a:3000000 b:3000000", "4*1010000 c:50000 d:1800000 e:77 data:0", Possible},
		{"a WabiSabi round", "20*30000000", wasabi2Outs, Wasabi2},
		{"19 inputs", "19*30000000", wasabi2Outs, None},
		{"rising outputs", "20*30000000", "1*3999999 1*5000000 1*10000000 1*20000000 1*50000000 1*100000000 1*134217728 1*4000001 1*39123456 1*43046721", None},
		{"five of ten are standard", "20*30000000", strings.NewReplacer("43046721", "43046722", "134217728", "134217729").Replace(wasabi2Outs), None},
		{"a ZeroLink round", "5*11000000", "4*10000000 1*900000 1*700000 2*400000", Wasabi1},
		{"of another denomination", "5*31000000", "4*30000000 1*900000 1*700000 2*400000", Possible},
		{"with a legacy output", "5*11000000", "4*10000000 x/p2pkh:900000 1*700000 2*400000", Possible},
		{"makers and a taker", "a:5000000 b:6000000 c:7000000", "3*4000000 1*1000000 1*1900000 1*2900000", JoinMarket},
		{"without the taker's change", "a:5000000 b:6000000 c:4001000", "3*4000000 1*1000000 1*1900000", JoinMarket},
		{"two repeated values", "a:5000000 b:5000000 c:7000000", "3*4000000 2*1000000 1*2900000", Possible},
		{"one maker's script in most inputs", "a:1500000 a:1500000 a:1500000 a:1500000 b:6000000 c:7000000", "3*4000000 1*1000000 1*1900000 1*2900000", Possible},
		{"a batch of equal payouts by one owner", "a:5000000", "6*500000 1*1900000", None},
		{"equal payouts that one of two paid alone", "a:5000000 b:1000", "2*500000 1*3900000", None},
		{"equal payouts that either could pay", "a:600000 b:600000", "2*500000 1*100000", Possible},
		{"just not", "a:494999 b:600000", "2*500000 1*90000", None},
		{"just", "a:495000 b:600000", "2*500000 1*90000", Possible},
		{"payouts of dust", "a:600000 b:600000", "2*2730 1*1000000", None},
		{"equal payouts, one to a payer", "a:600000 b:600000", "a:500000 c:500000", None},
		{"three of a kind against two", "a:300000 b:300000 c:300000 d:300000", "2*590000", Possible},
		{"no way to split", "a:400000 b:400000 c:400000", "2*590000", None},
	} {
		if got := VerdictOf(transaction(test.in, test.out)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	coinbase := transaction("a:1 b:1", "2*5000")
	coinbase.Coinbase = true
	if got := VerdictOf(coinbase); got != None {
		t.Errorf("coinbase: got %s", got)
	}
}

// Inputs that are not known lean to the veto, and are joined with nobody.
func TestUnknownInputs(t *testing.T) {
	tx := transaction("a:600000 b:1000", "2*500000")
	if got := VerdictOf(tx); got != None {
		t.Fatalf("known: got %s", got)
	}
	tx.Inputs[1] = ledger.Input{}
	if got := VerdictOf(tx); got != Possible {
		t.Errorf("unknown: got %s, want POSSIBLE", got)
	}
	tx = transaction("a:600000 b:1000 c:5", "d:600000")
	tx.Inputs[1] = ledger.Input{}
	if got := heard(t, tx, nil); got != "T0 co-spend a c" {
		t.Errorf("got %q", got)
	}
}

// past is what came before: the transactions by position, the scripts seen.
type past struct {
	txs  map[ledger.Position]*ledger.Tx
	seen string
}

func (p *past) TxAt(pos ledger.Position) (*ledger.Tx, error) {
	if tx, ok := p.txs[pos]; ok {
		return tx, nil
	}
	return &ledger.Tx{}, nil
}

func (p *past) Seen(a ledger.Address, _ ledger.Position) (bool, error) {
	return strings.Contains(p.seen, strings.TrimSpace(a.Payload)), nil
}

// heard prints joins as "TIER HEURISTIC A B; ...".
func heard(t *testing.T, tx *ledger.Tx, p *past) string {
	t.Helper()
	if p == nil {
		p = &past{}
	}
	joins, err := Joins(tx, p)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, j := range joins {
		all = append(all, fmt.Sprintf("%s %s %s %s", j.Tier, j.Heuristic, strings.TrimSpace(j.A.Payload), strings.TrimSpace(j.B.Payload)))
	}
	return strings.Join(all, "; ")
}

func TestJoins(t *testing.T) {
	for _, test := range []struct{ name, in, out, seen, want string }{
		{"two pay", "a:5 b:6 a:7", "c:9000", "", "T0 co-spend a b"},
		{"three pay", "a:5 b:6 c:7", "d:9000", "", "T0 co-spend a b; T0 co-spend a c"},
		{"vetoed", "a:600000 b:600000", "2*500000", "", ""},
		{"change by all four", "a:1000000", "shop/p2pkh:1500000 rest:123456", "shop", "T1 change a rest"},
		{"by three: an old address of the same type", "a:1000000", "shop:1500000 rest:123456", "shop", "T1 change a rest"},
		{"by two", "a:1000000", "shop:1500000 rest:123456", "shop rest", ""},
		{"two fresh ones, but the type tells", "a:1000000", "shop/p2pkh:1500000 rest:123456", "", "T1 change a rest"},
		{"two fresh ones of one type", "a:1000000", "shop:1500000 rest:123456", "", ""},
		{"back to the payer", "a:1000000", "shop/p2pkh:1500000 a:123456", "shop", ""},
		{"the only output", "a:1000000", "rest:123456", "", ""},
	} {
		if got := heard(t, transaction(test.in, test.out), &past{seen: test.seen}); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// A rest of a rest of a rest is one rule more, where each went on with the larger
// part of a single coin.
func TestPeelChain(t *testing.T) {
	for _, test := range []struct{ name, first, second, want string }{
		{"three links", "x:300000 r1:9000000", "y:200000 r2:8000000", "T1 change r2 rest"},
		{"the smaller part went on", "x:9500000 r1:9000000", "y:200000 r2:8000000", ""},
		{"a split in three", "x:300000 z:5 r1:9000000", "y:200000 r2:8000000", ""},
		{"one address takes both", "r1:300000 r1:9000000", "y:200000 r2:8000000", ""},
	} {
		first, second, third := transaction("a:9999999", test.first), transaction("r1:9000000", test.second), transaction("r2:8000000", "shop:1500000 rest:6123456")
		first.Pos, second.Pos, third.Pos = 10, 20, 30
		second.Inputs[0].PrevPos, second.Inputs[0].Prev.Index = 10, uint32(len(first.Outputs)-1)
		third.Inputs[0].PrevPos, third.Inputs[0].Prev.Index = 20, 1
		p := &past{txs: map[ledger.Position]*ledger.Tx{10: first, 20: second}, seen: "shop"}
		if got := heard(t, third, p); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// A Tx0 joins its inputs only once a mix spends what it prepared.
func TestTx0(t *testing.T) {
	tx0 := transaction("a:3000000 b:3000000", "4*1010000 c:50000 d:1800000 data:0")
	if got := heard(t, tx0, nil); got != "" {
		t.Fatalf("before: got %q", got)
	}
	mix := transaction("3*1000000 2*1010000", "5*1000000")
	p := &past{txs: map[ledger.Position]*ledger.Tx{mix.Inputs[3].PrevPos: tx0, mix.Inputs[0].PrevPos: transaction("x:1 y:2", "z:3")}}
	joins, err := Joins(mix, p)
	if err != nil {
		t.Fatal(err)
	}
	want := []ledger.Join{{
		A: script("a"), B: script("b"), Tier: ledger.TierExact, Heuristic: "tx0", Tx: tx0.ID, Pos: mix.Pos, Detail: "confirmed by the mix " + mix.ID.String(),
	}}
	if d := cmp.Diff(want, joins); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
