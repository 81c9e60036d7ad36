package archive_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/chains/evm"
	"github.com/spoortrace/spoor/ledger"
)

// wholeOptions are what the program reads exports with.
func wholeOptions(t *testing.T, paths ...string) archive.EtlOptions {
	t.Helper()
	logs, err := evm.NewLogReader("ethereum")
	if err != nil {
		t.Fatal(err)
	}
	bridges, err := evm.NewBridges(evm.BundledBridges())
	if err != nil {
		t.Fatal(err)
	}
	return archive.EtlOptions{Chain: "ethereum", Paths: paths, Logs: logs.Read, Notices: bridges.Notices}
}

// With the adapter's reader, two mainnet blocks have the same ERC-20 transfers
// as without, and the deposits and withdrawals of WETH beside them, each with
// its notice: nobody pays out more WETH than came in but for what was there before.
func TestEtlWithTheAdaptersReader(t *testing.T) {
	files := etlFiles("17173049-transactions.csv.gz", "17173049-blocks.csv.gz", "17173049-logs.csv.gz")
	s, err := archive.ReadEtl(context.Background(), wholeOptions(t, files...))
	if err != nil {
		t.Fatal(err)
	}
	const weth = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
	wrapped, unwrapped := 0, 0
	for _, l := range records(t, files[2]) {
		if strings.EqualFold(l["address"], weth) {
			switch l["topics"][:10] {
			case "0xe1fffcc4": // Deposit(address,uint256)
				wrapped++
			case "0x7fcf532c": // Withdrawal(address,uint256)
				unwrapped++
			}
		}
	}
	got, plain := tokenTransfers(t, s), tokenTransfers(t, readEtl(t, nil, files...))
	for key, x := range plain {
		if got[key] != x {
			t.Errorf("%s: %q, plainly %q", key, got[key], x)
		}
	}
	if len(got) != len(plain)+wrapped+unwrapped || wrapped == 0 || unwrapped == 0 {
		t.Errorf("%d transfers, %d without; %d deposits, %d withdrawals", len(got), len(plain), wrapped, unwrapped)
	}
	for _, b := range blocksOf(t, s) {
		for _, tx := range b.Txs {
			slots := map[uint32]bool{}
			for _, n := range tx.Notices {
				if slots[n.Slot] || n.Grade != ledger.GradeAttested {
					t.Errorf("%s: notice %+v", tx.ID, n)
				}
				slots[n.Slot] = true
				switch n.Kind {
				case ledger.NoticeWrapped:
					wrapped--
				case ledger.NoticeUnwrapped:
					unwrapped--
				default:
				}
			}
		}
	}
	if wrapped != 0 || unwrapped != 0 {
		t.Errorf("%d deposits and %d withdrawals without their notice", wrapped, unwrapped)
	}
}

// A bridge in logs.csv is read as one in a node's receipts.
func TestEtlBridge(t *testing.T) {
	const pool = "0x5427fefa711eff984124bfbb1ab6fbf5e3da1820"
	dir := t.TempDir()
	txs, logs := filepath.Join(dir, "transactions.csv"), filepath.Join(dir, "logs.csv")
	word := func(tail string) string { return strings.Repeat("0", 64-len(tail)) + tail }
	write(t, txs, "hash,block_hash,block_number,transaction_index,from_address,to_address,value,block_timestamp\n"+
		fmt.Sprintf("0x%s,0x%s,7,0,%s,%s,0,1640000000\n", word("1"), word("2"), addr("aa"), pool))
	transfer := fmt.Sprintf("0,0x%s,7,%s,0x%s,\"0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef,0x%s,0x%s\"\n", word("1"), addr("cc"), word("1f4"), word("aa"), word(pool[2:]))
	send := fmt.Sprintf("1,0x%s,7,%s,0x%s,0x89d8051e597ab4178a863a5190407b98abfeff406aa8db90c59af76612e58f01\n", word("1"), pool,
		strings.Repeat("be", 32)+word("aa")+word("bb")+word("cc")+word("1f4")+word("38")+word("1")+word("2"))
	write(t, logs, "log_index,transaction_hash,block_number,address,data,topics\n"+transfer+send)
	s, err := archive.ReadEtl(context.Background(), wholeOptions(t, txs, logs))
	if err != nil {
		t.Fatal(err)
	}
	tx := blocksOf(t, s)[0].Txs[0]
	if len(tx.Notices) != 1 || len(tx.Transfers) != 1 {
		t.Fatalf("%+v", tx)
	}
	n := tx.Notices[0]
	if n.Kind != ledger.NoticeBridgeOut || n.Network != "bnb" || n.Ref != "celer:"+strings.Repeat("be", 32) || n.Amount != ledger.NewAmount(500) || n.Slot != tx.Transfers[0].Slot || n.Grade != ledger.GradeAttested {
		t.Errorf("%+v", n)
	}
}

// Two payments over Multichain in mainnet blocks, as their logs tell them. One
// puts 1,036.556268 USDC into the anyToken, bound for Avalanche; one pays out
// ETH that came from Cronos: the logs name the anyToken, and as much WETH undone.
func TestEtlRealBridges(t *testing.T) {
	logs := etlFile("15000004-bridge-logs.csv")
	r := records(t, logs)[0]
	txs := filepath.Join(t.TempDir(), "transactions.csv")
	write(t, txs, "hash,block_hash,block_number,transaction_index,from_address,to_address,value,block_timestamp\n"+
		strings.Join([]string{r["transaction_hash"], r["block_hash"], r["block_number"], r["transaction_index"], addr("1"), addr("2"), "0", "1655778600"}, ",")+"\n")
	var got []string
	for _, files := range [][]string{{logs, txs}, etlFiles("17173049-transactions.csv.gz", "17173049-blocks.csv.gz", "17173049-logs.csv.gz")} {
		s, err := archive.ReadEtl(context.Background(), wholeOptions(t, files...))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocksOf(t, s) {
			for _, tx := range b.Txs {
				for _, n := range tx.Notices {
					if n.Crosses() {
						got = append(got, fmt.Sprintf("%d %s %s %s %s %s", b.Ref.Height, n.Account, n.Amount, n.Asset, n.Network, n.Ref))
					}
				}
			}
		}
	}
	want := []string{
		"15000004 0xFb16D59dEaAA209e59D2dcc43424C2fa5bFBc9a8 1036556268 ethereum:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48 evm-43114 multichain:0c78b385851ae589dd90fc52728e5b7d3273f83d77f250ef715b44c134a97aa4",
		"17173050 0x02d10f41f3A88614C63f718272C60Da7Bf37A53e 350529000000000000 ethereum:native evm-25 multichain:7f33e9eac16fe821ff43994f5285753499e9d91211605ca55e19b35394979568",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
