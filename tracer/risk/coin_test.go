package risk

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// coins reads "name: in,in -> owner:sat owner:sat", an in being "tx.index", one
// transaction a block; without ins it is a coinbase.
func coins(t testing.TB, text string, tags map[string]string, clusters ...string) world {
	t.Helper()
	// The coin of the first block can never be spent: it is nobody's.
	blocks := []*ledger.Block{{Ref: ledger.BlockRef{Chain: "bitcoin"}}}
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		name, rest, _ := strings.Cut(line, ":")
		in, out, _ := strings.Cut(rest, "->")
		ref := ledger.BlockRef{Chain: "bitcoin", Height: uint64(i + 1), Time: int64(i+1) * 600_000}
		tx := ledger.Tx{ID: sha256.Sum256([]byte(strings.TrimSpace(name))), Chain: "bitcoin", Pos: ledger.At(ref.Height, 0), Time: ref.Time}
		for _, p := range strings.Fields(strings.ReplaceAll(in, ",", " ")) {
			prev, n, _ := strings.Cut(p, ".")
			input := ledger.Input{Prev: ledger.OutPoint{Tx: sha256.Sum256([]byte(prev))}}
			if _, err := fmt.Sscan(n, &input.Prev.Index); err != nil {
				t.Fatal(err)
			}
			tx.Inputs = append(tx.Inputs, input)
		}
		if tx.Coinbase = len(tx.Inputs) == 0; tx.Coinbase {
			tx.Pos = ledger.At(ref.Height, 1) // after all others
		}
		for _, p := range strings.Fields(out) {
			owner, sat, _ := strings.Cut(p, ":")
			var v uint64
			if _, err := fmt.Sscan(sat, &v); err != nil {
				t.Fatal(err)
			}
			tx.Outputs = append(tx.Outputs, ledger.Output{Address: addr("bitcoin", owner), Value: ledger.NewAmount(v)})
		}
		blocks = append(blocks, &ledger.Block{Ref: ref, Txs: []ledger.Tx{tx}})
	}
	return told(t, blocks, tags, clusters...)
}

func TestCoins(t *testing.T) {
	tags := map[string]string{"thief": "ransomware", "shop": "exchange"}
	for _, test := range []struct {
		name, text string
		clusters   []string
		want       string
	}{
		{"mined", "m: -> a:5000000000", nil, "LOW 0: RECEIVED direct mining 50 100.0000% 1-1"},
		{"paid by one who is known", "m: -> thief:100000\np: m.0 -> a:60000 thief:40000", nil, "SEVERE 93: RECEIVED direct ransomware 0.0006 100.0000% 1-1"},
		{
			"pro rata over the inputs", "m: -> thief:100000\nn: -> x:300000\np: m.0,n.0 -> a:200000 y:200000", nil,
			"SEVERE 93: RECEIVED direct ransomware 0.0005 25.0000% 1-1; RECEIVED indirect mining 0.0015 75.0000% 2-2",
		},
		{"two hops", "m: -> thief:100000\np: m.0 -> x:100000\nq: p.0 -> a:100000", nil, "HIGH 82: RECEIVED indirect ransomware 0.001 100.0000% 2-2"},
		{
			"change is no payment", "m: -> a:100000\np: m.0 -> shop:30000 a:70000", nil,
			"LOW 0: RECEIVED direct mining 0.001 100.0000% 1-1; SENT direct exchange 0.0003 100.0000% 1-1",
		},
		{
			"change of another address of its own", "m: -> a:100000\np: m.0 -> shop:30000 b:70000",
			[]string{"a b"},
			"LOW 0: RECEIVED direct mining 0.001 100.0000% 1-1; SENT direct exchange 0.0003 100.0000% 1-1",
		},
		{
			"sent on, and at rest", "m: -> a:100000\np: m.0 -> x:60000 y:40000\nq: p.0 -> thief:60000", nil,
			"HIGH 82: RECEIVED direct mining 0.001 100.0000% 1-1; SENT indirect ransomware 0.0006 60.0000% 2-2",
		},
		{"a label spreads to the cluster", "m: -> gang:100000\np: m.0 -> a:100000", []string{"thief gang"}, "SEVERE 93: RECEIVED direct ransomware 0.001 100.0000% 1-1"},
	} {
		w := coins(t, test.text, tags, test.clusters...)
		a, err := Address(t.Context(), w, defaults(t), addr("bitcoin", "a"), Options{})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if got := said(a); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}
