package archive_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

func gunzipped(t *testing.T, r io.Reader) io.Reader {
	t.Helper()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func read(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := io.Reader(f)
	if strings.HasSuffix(path, ".gz") {
		r = gunzipped(t, f)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// transactionsOf writes the transactions that a file of traces traces: those of its first traces.
func transactionsOf(t *testing.T, traces string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("hash,nonce,block_hash,block_number,transaction_index,from_address,to_address,value,block_timestamp\n")
	for _, r := range records(t, traces) {
		if r["transaction_index"] == "" || r["trace_address"] != "" {
			continue
		}
		to := r["to_address"]
		if r["trace_type"] == "create" {
			to = ""
		}
		id := fmt.Sprintf("0x%063s%s", "f", r["transaction_index"])
		if r["transaction_hash"] != "" {
			id = r["transaction_hash"]
		}
		fmt.Fprintf(&b, "%s,0,0x%064s,%s,%s,%s,%s,%s,1455000000\n", id, r["block_number"], r["block_number"], r["transaction_index"], r["from_address"], to, r["value"])
	}
	path := filepath.Join(t.TempDir(), "transactions.csv")
	write(t, path, b.String())
	return path
}

// transfersOf prints what moves: place, kind, payer, payee, amount, outcome.
func transfersOf(blocks []*ledger.Block) []string {
	var all []string
	for _, b := range blocks {
		for _, tx := range b.Txs {
			for _, x := range tx.Transfers {
				kind := map[ledger.TransferKind]string{ledger.TransferNative: "n", ledger.TransferInternal: "i", ledger.TransferFee: "fee", ledger.TransferToken: "log"}[x.Kind]
				if tx.Coinbase {
					kind = "given"
				}
				outcome := map[ledger.Status]string{ledger.StatusOK: "ok", ledger.StatusFailed: "failed", ledger.StatusUnknown: "unknown"}[x.Status]
				all = append(all, fmt.Sprintf("%d:%d %s%d %.6s > %.6s %s %s", tx.Pos.Height(), tx.Pos.Index(), kind, x.Index, strings.ToLower(x.From.String()), strings.ToLower(x.To.String()), x.Amount, outcome))
			}
		}
	}
	return all
}

// Traces of ethereum-etl's own tests, as a Parity node (with hashes, rewards and
// outcomes) and a geth node (without) gave them.
func TestEtlTraces(t *testing.T) {
	for file, want := range map[string][]string{
		// a contract that destroys itself sends what it holds; a Frontier block rewards its miner
		"1011973-traces.csv": {
			"1011973:0 i0 0x474f > 0x8397 50000000000000000 ok",
			"1011973:1 given0  > 0x738d 5000000000000000000 ok",
		},
		// callcode lends code: the value stays with the caller
		"1000000-traces.csv": {
			"1000000:0 n0 0x39fa > 0xc083 100000000000000000000 ok",
			"1000000:1 n0 0x32be > 0xdf19 437194980000000000 ok",
			"1000000:2 given0  > 0x2a65 5000000000000000000 ok",
		},
		"1000000-geth_traces.csv": {
			"1000000:0 n0 0x39fa > 0xc083 100000000000000000000 ok",
			"1000000:1 n0 0x32be > 0xdf19 437194980000000000 ok",
		},
		// out of gas: nothing moved
		"1000895-traces.csv": {
			"1000895:0 n0 0xad92 > 0x627d 1000000000000000000 failed",
			"1000895:1 n0 0x9288 > 0xe05f 1100000000000000000 ok",
			"1000895:2 given0  > 0x63a9 5000000000000000000 ok",
		},
		"1000895-geth_traces.csv": {
			"1000895:0 n0 0xad92 > 0x627d 1000000000000000000 failed",
			"1000895:1 n0 0x9288 > 0xe05f 1100000000000000000 ok",
		},
		"1000690-traces.csv": {
			"1000690:0 n0 0xaf21 > 0x5b3c 64655529900000002048 ok",
			"1000690:2 given0  > 0xf8b4 5000000000000000000 ok",
		},
	} {
		got := transfersOf(blocksOf(t, readEtl(t, nil, etlFile(file), transactionsOf(t, etlFile(file)))))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", file, d)
		}
	}
}

// An old geth node does not say what a selfdestruct moved: the block lacks it.
func TestEtlTraceWithoutAddresses(t *testing.T) {
	file := etlFile("1011973-geth_traces.csv")
	blocks := blocksOf(t, readEtl(t, []string{"1011973..1011974"}, file, transactionsOf(t, file)))
	if got := blocks[0].Partial; got != "receipts and internal transfers" {
		t.Errorf("partial %q", got)
	}
}

const etlTraceHeader = "block_number,transaction_hash,transaction_index,from_address,to_address,value,trace_type,call_type,trace_address,error,status\n"

// A call that fails undoes what it called, though those calls succeeded; one
// beside it stands (the mistake of trezor/blockbook issue 1621).
func TestEtlRevertedCallsMoveNothing(t *testing.T) {
	a, b, c, d := addr("a1"), addr("b2"), addr("c3"), addr("d4")
	row := func(from, to, value, kind, path, failure string) string {
		return strings.Join([]string{"5", "", "0", from, to, value, "call", kind, `"` + path + `"`, failure, ""}, ",") + "\n"
	}
	text := etlTraceHeader + row(a, b, "100", "call", "", "") +
		row(b, c, "7", "call", "1,0", "") + // of the one that failed
		row(b, c, "9", "call", "1", "Reverted") +
		row(b, d, "11", "call", "10", "") + // beside it, though its address begins alike
		row(b, d, "13", "delegatecall", "2", "") +
		row(b, d, "17", "staticcall", "3", "") +
		row(b, d, "0", "call", "4", "")
	path := filepath.Join(t.TempDir(), "traces.csv")
	write(t, path, text)
	got := transfersOf(blocksOf(t, readEtl(t, nil, path, transactionsOf(t, path))))
	want := []string{"5:0 n0 0x0000 > 0x0000 100 ok", "5:0 i0 0x0000 > 0x0000 11 ok"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func addr(tail string) string { return "0x" + strings.Repeat("0", 40-len(tail)) + tail }

// The contract that a transaction creates is who gets its value: derived from
// payer and nonce (the example that Ethereum's own documents use), or as a trace says.
func TestEtlCreatedContract(t *testing.T) {
	text := "hash,nonce,block_hash,block_number,transaction_index,from_address,to_address,value,block_timestamp\n" +
		fmt.Sprintf("0x%064d,1,0x%064d,5,0,0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0,,3,1500000000\n", 1, 2)
	path := filepath.Join(t.TempDir(), "transactions.csv")
	write(t, path, text)
	blocks := blocksOf(t, readEtl(t, nil, path))
	if got := blocks[0].Txs[0].Transfers[0].To.String(); got != "0x343c43A37D37dfF08AE8C4A11544c718AbB4fCF8" {
		t.Errorf("created %s", got)
	}
}
