package archive_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/ledger"
)

// GraphSense's job and this package read the same USDT transfers from the same
// logs of five mainnet blocks.
func TestEtlAgreesWithGraphSense(t *testing.T) {
	logs := etlFile("15000000-logs.csv.gz")
	var txs strings.Builder
	txs.WriteString("hash,block_hash,block_number,transaction_index,from_address,to_address,value,block_timestamp\n")
	seen := map[string]bool{}
	for _, r := range records(t, logs) {
		if !seen[r["transaction_hash"]] {
			seen[r["transaction_hash"]] = true
			fmt.Fprintf(&txs, "%s,%s,%s,%s,%s,%s,0,%d\n", r["transaction_hash"], r["block_hash"], r["block_number"], r["transaction_index"], addr("1"), r["address"], 1655778535)
		}
	}
	path := filepath.Join(t.TempDir(), "transactions.csv")
	write(t, path, txs.String())
	const usdt = "0xdac17f958d2ee523a2206206994597c13d831ec7"
	want, got := map[string]string{}, tokenTransfers(t, readEtl(t, nil, logs, path))
	for _, r := range records(t, etlFile("15000000-usdt.csv.gz")) {
		want[r["block_number"]+" "+r["log_index"]] = strings.Join([]string{r["transaction_hash"], r["token_address"], r["from_address"], r["to_address"], r["value"]}, " ")
	}
	for key, x := range got {
		if !strings.Contains(x, " "+usdt+" ") {
			delete(got, key)
		}
	}
	if d := cmp.Diff(want, got); d != "" || len(want) != 143 {
		t.Errorf("%d transfers (-graphsense +ours)\n%s", len(want), d)
	}
}

// FuzzEtl: any text is refused or becomes blocks in order whose transactions
// and transfers have places of their own; never a panic.
func FuzzEtl(f *testing.F) {
	for _, name := range []string{"483920-blocks.csv", "483920-transactions.csv", "483920-logs.csv", "483920-receipts.csv", "483920-token_transfers.csv", "1011973-traces.csv"} {
		b, err := os.ReadFile(etlFile(name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b), false)
	}
	a, err := os.ReadFile(etlFile("483920-transactions.csv"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(a), true)
	f.Fuzz(func(t *testing.T, text string, complete bool) {
		path := filepath.Join(t.TempDir(), "fuzzed.csv")
		write(t, path, text)
		o := archive.EtlOptions{Chain: "ethereum", Paths: []string{path, etlFile("483920-blocks.csv")}}
		if complete {
			o.Complete = []string{"483919..483930"}
		}
		s, err := archive.ReadEtl(context.Background(), o)
		if err != nil {
			return
		}
		last := ledger.Position(0)
		for b, err := range s.Blocks() {
			if err != nil {
				t.Fatalf("an error after ReadEtl: %v", err)
			}
			for i := range b.Txs {
				if tx := &b.Txs[i]; tx.Pos <= last || tx.Pos.Height() != b.Ref.Height {
					t.Fatalf("position %d after %d in block %d", tx.Pos, last, b.Ref.Height)
				} else {
					last = tx.Pos
				}
				for j, x := range b.Txs[i].Transfers {
					if j > 0 && x.Slot <= b.Txs[i].Transfers[j-1].Slot {
						t.Fatalf("slot %d after %d", x.Slot, b.Txs[i].Transfers[j-1].Slot)
					}
				}
			}
			last = max(last, ledger.EndOf(b.Ref.Height)-1)
		}
	})
}
