package evaluate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/cluster"
)

const graphsense = "btc/graphsense-utxo"

// graphSense compares what transactions join with the clusters that GraphSense
// expects of a small made-up ledger of its own. It gives every key of a bare
// multisig output an address; here such a script is one identity, and the keys are
// left out.
func graphSense(ctx context.Context, o Options, m *meter) error {
	dir := filepath.Join(o.Data, filepath.FromSlash(graphsense))
	txs, left, err := graphTxs(filepath.Join(dir, "test_txs.json"))
	if err != nil {
		return err
	}
	want, err := graphClusters(dir, left)
	if err != nil {
		return err
	}
	past, ours := newLists(txs), newUnion()
	for _, tx := range txs {
		joins, err := cluster.Joins(tx, past)
		if err != nil {
			return err
		}
		for _, j := range joins {
			if j.Tier == ledger.TierExact {
				ours.unite(j.A, j.B)
			}
		}
	}
	same, joined := 0, 0
	for a, id := range want {
		equal, others := true, 0
		for b, other := range want {
			equal = equal && (ours.find(a) == ours.find(b)) == (id == other)
			if a != b && id == other {
				others++
			}
		}
		if equal {
			same++
		}
		if others > 0 {
			joined++
		}
	}
	m.share("co-spend", "addresses whose cluster is that of GraphSense's reference", same, len(want), fmt.Sprintf("%d of them share theirs with another; a made-up ledger", joined))
	return ctx.Err()
}

// graphTxs reads transactions, and which addresses are keys of a multisig output.
func graphTxs(name string) (txs []*ledger.Tx, keys map[string]bool, err error) {
	type coin struct {
		Address []string
		Value   uint64
	}
	keys = map[string]bool{}
	owner := func(c coin) ledger.Address {
		for _, a := range c.Address {
			keys[a] = keys[a] || len(c.Address) > 1
		}
		return graphAddress(strings.Join(c.Address, "+"))
	}
	err = eachJSON(name, func(g struct {
		Coinbase        bool
		Inputs, Outputs []coin
	},
	) {
		tx := &ledger.Tx{Chain: "bitcoin", Coinbase: g.Coinbase, ID: ledger.TxID{byte(len(txs) + 1)}}
		for _, in := range g.Inputs {
			tx.Inputs = append(tx.Inputs, ledger.Input{Known: true, Address: owner(in), Value: ledger.NewAmount(in.Value)})
		}
		for _, out := range g.Outputs {
			tx.Outputs = append(tx.Outputs, ledger.Output{Address: owner(out), Value: ledger.NewAmount(out.Value)})
		}
		txs = append(txs, tx)
	})
	return txs, keys, err
}

func graphAddress(name string) ledger.Address {
	return ledger.Address{Chain: "bitcoin", Kind: ledger.KindScript, Payload: name}
}

// graphClusters reads the number of each address's cluster.
func graphClusters(dir string, left map[string]bool) (map[ledger.Address]uint64, error) {
	names, clusters := map[uint64]string{}, map[ledger.Address]uint64{}
	err := eachJSON(filepath.Join(dir, "reference", "address_ids.json"), func(row struct {
		AddressID uint64
		Address   string
	},
	) {
		names[row.AddressID] = row.Address
	})
	if err != nil {
		return nil, err
	}
	err = eachJSON(filepath.Join(dir, "reference", "address_cluster_with_coinjoin.json"), func(row struct{ AddressID, ClusterID uint64 }) {
		if name := names[row.AddressID]; name != "" && !left[name] {
			clusters[graphAddress(name)] = row.ClusterID
		}
	})
	return clusters, err
}

// eachJSON reads a file of JSON objects one after the other.
func eachJSON[T any](name string, see func(T)) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var one T
		err := d.Decode(&one)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		see(one)
	}
}
