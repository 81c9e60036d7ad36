package cluster

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// lines reads a file of JSON objects, one a line.
func lines[T any](t *testing.T, name string) []T {
	t.Helper()
	f, err := os.Open("testdata/graphsense/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []T
	for s := bufio.NewScanner(f); s.Scan(); {
		var one T
		if err := json.Unmarshal(s.Bytes(), &one); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, one)
	}
	return all
}

type graphCoin struct {
	Address []string
	Value   uint64
}

type graphTx struct {
	Coinbase bool
	BlockID  uint64
	Inputs   []graphCoin
	Outputs  []graphCoin
}

// told is the owner of a coin: one identity also where it is a multisig of several.
func told(c graphCoin) ledger.Address {
	return ledger.Address{Chain: "bitcoin", Kind: ledger.KindScript, Payload: strings.Join(c.Address, "+")}
}

// TestGraphSense: what co-spends join is what GraphSense expects of its own ledger.
func TestGraphSense(t *testing.T) {
	parent := map[ledger.Address]ledger.Address{}
	find := func(a ledger.Address) ledger.Address {
		for {
			up, ok := parent[a]
			if !ok {
				return a
			}
			a = up
		}
	}
	shared := map[string]bool{} // keys of multisig scripts
	for i, g := range lines[graphTx](t, "txs.json") {
		tx := &ledger.Tx{Chain: "bitcoin", Coinbase: g.Coinbase, Pos: ledger.At(g.BlockID, uint32(i))}
		for _, in := range g.Inputs {
			tx.Inputs = append(tx.Inputs, ledger.Input{Known: true, Address: told(in), Value: ledger.NewAmount(in.Value)})
		}
		for _, out := range g.Outputs {
			tx.Outputs = append(tx.Outputs, ledger.Output{Address: told(out), Value: ledger.NewAmount(out.Value)})
		}
		for _, c := range append(g.Inputs, g.Outputs...) {
			for _, a := range c.Address {
				shared[a] = shared[a] || len(c.Address) > 1
			}
		}
		joins, err := Joins(tx, &past{})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range joins {
			if x, y := find(j.A), find(j.B); j.Tier == ledger.TierExact && x != y {
				parent[y] = x
			}
		}
	}
	names := map[uint64]string{}
	for _, id := range lines[struct {
		AddressID uint64
		Address   string
	}](t, "address_ids.json") {
		names[id.AddressID] = id.Address
	}
	want := map[string]uint64{}
	for _, c := range lines[struct{ AddressID, ClusterID uint64 }](t, "address_cluster_with_coinjoin.json") {
		if name := names[c.AddressID]; name != "" && !shared[name] {
			want[name] = c.ClusterID
		}
	}
	pairs, joined := 0, 0
	for a, x := range want {
		for b, y := range want {
			same := find(told(graphCoin{Address: []string{a}})) == find(told(graphCoin{Address: []string{b}}))
			if pairs++; same != (x == y) {
				t.Errorf("%s and %s: in one cluster %v, GraphSense says %v", a, b, same, x == y)
			}
			if same && a != b {
				joined++
			}
		}
	}
	if pairs < 100 || joined == 0 {
		t.Errorf("%d pairs, %d joined: nothing was compared", pairs, joined)
	}
}
