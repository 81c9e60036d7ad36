package risk

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// coins reads "name: in,in -> owner:sat owner:sat", an in being "tx.index", one
// transaction a block; without ins it is a coinbase.
func coins(t testing.TB, text string, tags map[string]string, clusters ...string) world {
	t.Helper()
	return told(t, coinBlocks(t, text), tags, clusters...)
}

func coinBlocks(t testing.TB, text string) []*ledger.Block {
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
	return blocks
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
		// Another's output of a CoinJoin is no payment, whoever has it; its own is mixed, too.
		{
			"its own CoinJoin", "m: -> a:100000\nn1: -> x1:110000\nn2: -> x2:110000\nn3: -> x3:110000\nn4: -> x4:110000\np: m.0,n1.0,n2.0,n3.0,n4.0 -> thief:100000 y1:100000 y2:100000 y3:100000 y4:100000", nil,
			"HIGH 74: RECEIVED direct mining 0.001 100.0000% 1-1; SENT direct mixing 0.001 100.0000% 1-1",
		},
		{
			"its own CoinJoin, back to itself", "m: -> a:100000\nn1: -> x1:110000\nn2: -> x2:110000\nn3: -> x3:110000\nn4: -> x4:110000\np: m.0,n1.0,n2.0,n3.0,n4.0 -> b:100000 y1:100000 y2:100000 y3:100000 y4:100000",
			[]string{"a b"},
			"HIGH 74: RECEIVED direct mixing 0.001 50.0000% 1-1; RECEIVED direct mining 0.001 50.0000% 1-1; SENT direct mixing 0.001 100.0000% 1-1",
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

// A transfer is about that money alone: where a deposit came from, where a
// withdrawal went.
func TestTransfer(t *testing.T) {
	tags := map[string]string{"thief": "ransomware", "shop": "exchange"}
	w := coins(t, "m: -> thief:100000\nn: -> shop:100000\np: m.0 -> x:100000\nq: p.0 -> a:100000\nr: n.0 -> a:100000\ns: r.0 -> x:60000 shop:40000", tags)
	for _, test := range []struct {
		tx    string
		index uint32
		at    uint64
		from  string
		d     Direction
		want  string
	}{
		{"q", 0, 4, "x", Received, "HIGH 82: RECEIVED indirect ransomware 0.001 100.0000% 2-2"},
		{"r", 0, 5, "shop", Received, "LOW 0: RECEIVED direct exchange 0.001 100.0000% 1-1"},
		{"s", 1, 6, "a", Sent, "LOW 0: SENT direct exchange 0.0004 100.0000% 1-1"},
		{"s", 0, 6, "a", Sent, "TOO_LITTLE_LABELLED: "},
	} {
		txs, err := w.FindTx(t.Context(), "bitcoin", sha256.Sum256([]byte(test.tx)))
		if err != nil {
			t.Fatal(err)
		}
		out := txs[0].Outputs[test.index]
		seed := tracer.Seed{
			Chain: "bitcoin", Tx: txs[0].ID, Index: test.index, At: ledger.Point{Pos: txs[0].Pos, Slot: test.index}, Output: true,
			From: addr("bitcoin", test.from), Address: out.Address, Asset: ledger.NativeAsset("bitcoin"), Amount: out.Value, Time: txs[0].Time,
		}
		a, err := Transfer(t.Context(), w, defaults(t), Payment{Seed: seed, Direction: test.d}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := said(a); got != test.want {
			t.Errorf("%s:%d %s\n got %s\nwant %s", test.tx, test.index, test.d, got, test.want)
		}
	}
}
