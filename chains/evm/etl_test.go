package evm

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/ledger"
)

// A block from a node, proven, and the same block from ethereum-etl's files
// move the same: place, parties, amounts, outcomes. What a file can only attest
// is graded so, and the producer's reward is in no table but traces.
func TestSameAsEthereumEtl(t *testing.T) {
	d := newDecoder(t, "ethereum", Contracts{})
	fromNode := must[*ledger.Block](t)(d.whole("block 483920", mainnet(t, 483920)))
	logs := must[*LogReader](t)(NewLogReader("ethereum"))
	o := archive.EtlOptions{Chain: "ethereum", Logs: logs.Read}
	for _, name := range []string{"blocks", "transactions", "receipts", "logs", "token_transfers"} {
		o.Paths = append(o.Paths, filepath.Join("..", "archive", "testdata", "etl", "483920-"+name+".csv"))
	}
	set := must[*archive.EtlSet](t)(archive.ReadEtl(context.Background(), o))
	for b, err := range set.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		if b.Ref != fromNode.Ref || b.Parent != fromNode.Parent {
			t.Errorf("block %+v after %s, from a node %+v after %s", b.Ref, b.Parent, fromNode.Ref, fromNode.Parent)
		}
		n := len(b.Txs) - 1 // the last is the producer's
		if d := cmp.Diff(plain(fromNode.Txs[:n]), plain(b.Txs[:n]), cmp.Comparer(func(x, y ledger.Amount) bool { return x == y })); d != "" {
			t.Errorf("(-node +files)\n%s", d)
		}
	}
}

// plain leaves the grades away.
func plain(txs []ledger.Tx) []ledger.Tx {
	var all []ledger.Tx
	for _, tx := range txs {
		tx.Grade = 0
		tx.Transfers = append([]ledger.Transfer(nil), tx.Transfers...)
		for i := range tx.Transfers {
			tx.Transfers[i].Grade = 0
		}
		all = append(all, tx)
	}
	return all
}
