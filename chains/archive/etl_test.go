package archive_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/ledger"
)

func etlFile(name string) string { return filepath.Join("testdata", "etl", name) }

func etlFiles(names ...string) []string {
	var all []string
	for _, n := range names {
		all = append(all, etlFile(n))
	}
	return all
}

func readEtl(t *testing.T, complete []string, paths ...string) *archive.EtlSet {
	t.Helper()
	s, err := archive.ReadEtl(context.Background(), archive.EtlOptions{Chain: "ethereum", Paths: paths, Complete: complete})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func blocksOf(t *testing.T, s *archive.EtlSet) []*ledger.Block {
	t.Helper()
	var all []*ledger.Block
	for b, err := range s.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// records reads a CSV file as a map of each row, independently of the package.
func records(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text := io.Reader(f)
	if strings.HasSuffix(path, ".gz") {
		text = gunzipped(t, f)
	}
	rows, err := csv.NewReader(text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		all = append(all, m)
	}
	return all
}

// mainnet is the slice that comes with the tests, or with SPOOR_DATA the whole thousand blocks.
func mainnet() (path, complete string) {
	whole := filepath.Join(os.Getenv("SPOOR_DATA"), "derived", "ship", "eth-mainnet-3300000-3300999.csv")
	if _, err := os.Stat(whole); err == nil && os.Getenv("SPOOR_DATA") != "" {
		return whole, "3300000..3301000"
	}
	return etlFile("3300000-transactions.csv.gz"), "3300000..3300100"
}

func TestEtlTransactionsAlone(t *testing.T) {
	path, complete := mainnet()
	want := map[string]string{} // hash -> payer, payee, value, place
	for _, r := range records(t, path) {
		if r["value"] != "0" {
			want[r["hash"]] = strings.Join([]string{r["from_address"], r["to_address"], r["value"], r["block_number"], r["transaction_index"], r["block_timestamp"] + "000", r["block_hash"]}, " ")
		}
		if r["to_address"] == "" {
			delete(want, r["hash"]) // the contract is derived; TestEtlCreatedContract
		}
	}
	for _, claims := range [][]string{nil, {complete}} {
		got := map[string]string{}
		s := readEtl(t, claims, path)
		for _, b := range blocksOf(t, s) {
			wantPartial := "transactions and receipts and internal transfers"
			if claims != nil {
				wantPartial = "receipts and internal transfers"
			}
			if b.Partial != wantPartial || b.Grade != ledger.GradeAttested {
				t.Fatalf("block %d: partial %q, grade %s; want %q, attested", b.Ref.Height, b.Partial, b.Grade, wantPartial)
			}
			for _, tx := range b.Txs {
				for _, x := range tx.Transfers {
					if tx.Status != ledger.StatusUnknown || x.Status != ledger.StatusUnknown || x.Grade != ledger.GradeInferred || x.Kind != ledger.TransferNative {
						t.Fatalf("%s: %+v; want an inferred native transfer of unknown outcome", tx.ID, x)
					}
					got["0x"+tx.ID.String()] = fmt.Sprintf("%s %s %s %d %d %d 0x%s", strings.ToLower(x.From.String()), strings.ToLower(x.To.String()), x.Amount, tx.Pos.Height(), tx.Pos.Index(), tx.Time, b.Ref.Hash)
				}
			}
		}
		maps.DeleteFunc(got, func(id, _ string) bool { return want[id] == "" })
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("complete %v: (-csv +blocks)\n%s", claims, d)
		}
	}
}

func TestEtlCompleteRangeHasEveryHeight(t *testing.T) {
	path, complete := mainnet()
	blocks := blocksOf(t, readEtl(t, []string{complete}, path))
	s := readEtl(t, []string{complete}, path)
	r := s.Range()
	if r.From != 3300000 || uint64(len(blocks)) != r.To-r.From || s.Len() != len(blocks) {
		t.Fatalf("%d blocks in %v", len(blocks), r)
	}
	if last := blocks[len(blocks)-1]; last.Ref.Hash == archive.NoHash(last.Ref.Height) {
		t.Errorf("the last block, %d, has no hash to go on from", last.Ref.Height)
	}
	empty := 0
	for i, b := range blocks {
		if b.Ref.Height != r.From+uint64(i) {
			t.Fatalf("block %d at place %d", b.Ref.Height, i)
		}
		if i > 0 && (b.Parent != blocks[i-1].Ref.Hash || b.Ref.Time < blocks[i-1].Ref.Time) {
			t.Errorf("block %d does not follow the one below: parent %s, %s; times %d, %d", b.Ref.Height, b.Parent, blocks[i-1].Ref.Hash, blocks[i-1].Ref.Time, b.Ref.Time)
		}
		if b.Ref.Hash == archive.NoHash(b.Ref.Height) {
			empty++
			if len(b.Txs) > 0 {
				t.Errorf("block %d has transactions and no hash", b.Ref.Height)
			}
		}
	}
	if empty != s.Report().NoHash || empty == 0 {
		t.Errorf("%d blocks without a hash, reported %d", empty, s.Report().NoHash)
	}
}

// Block 17173049 and the next have every table but traces: the fees that the
// senders paid are what the producer got and what the header says was burnt.
func TestEtlFeesReAdd(t *testing.T) {
	names := etlFiles("17173049-transactions.csv.gz", "17173049-blocks.csv.gz", "17173049-logs.csv.gz", "17173049-token_transfers.csv.gz")
	s := readEtl(t, []string{"17173049..17173051"}, names...)
	headers := map[string]map[string]string{}
	for _, h := range records(t, names[1]) {
		headers["0x"+strings.TrimPrefix(h["hash"], "0x")] = h
	}
	for _, b := range blocksOf(t, s) {
		h := headers["0x"+b.Ref.Hash.String()]
		if h == nil || b.Partial != ledger.PartialInternal || "0x"+b.Parent.String() != h["parent_hash"] {
			t.Fatalf("block %d %s: partial %q, parent %s", b.Ref.Height, b.Ref.Hash, b.Partial, b.Parent)
		}
		var fees, tips, withdrawn ledger.Amount
		last := b.Txs[len(b.Txs)-1]
		if !last.Coinbase || fmt.Sprint(len(b.Txs)-1) != h["transaction_count"] || last.ID != ledger.TxID(b.Ref.Hash) {
			t.Fatalf("block %d: %d transactions, the last %+v", b.Ref.Height, len(b.Txs), last)
		}
		for _, x := range last.Transfers {
			if strings.EqualFold(x.To.String(), h["miner"]) && x.Index == 0 {
				tips = x.Amount
			} else {
				withdrawn = withdrawn.Plus(x.Amount)
			}
		}
		for _, tx := range b.Txs {
			for _, x := range tx.Transfers {
				if x.Kind == ledger.TransferFee {
					fees = fees.Plus(x.Amount)
				}
			}
		}
		used, _ := ledger.ParseAmount(h["gas_used"])
		base, _ := ledger.ParseAmount(h["base_fee_per_gas"])
		burnt, _ := used.MulDiv(base, ledger.NewAmount(1))
		if fees != tips.Plus(burnt) || tips.IsZero() {
			t.Errorf("block %d: fees %s, tips %s, burnt %s: want fees = tips + burnt", b.Ref.Height, fees, tips, burnt)
		}
		if withdrawn != withdrawals(t, h["withdrawals"]) || withdrawn.IsZero() {
			t.Errorf("block %d: withdrawn %s, want %s", b.Ref.Height, withdrawn, withdrawals(t, h["withdrawals"]))
		}
	}
}

// withdrawals adds the amounts up by their text alone.
func withdrawals(t *testing.T, column string) ledger.Amount {
	t.Helper()
	var sum ledger.Amount
	for _, part := range strings.Split(column, `"amount":`)[1:] {
		digits, _, _ := strings.Cut(part, "}")
		a, err := ledger.ParseAmount(digits + "000000000")
		if err != nil {
			t.Fatal(err)
		}
		sum = sum.Plus(a)
	}
	return sum
}

// ethereum-etl's own transfers of the two blocks are ours, except for NFTs.
func TestEtlTokenTransfers(t *testing.T) {
	header, txs, logs, tokens := etlFile("17173049-blocks.csv.gz"), etlFile("17173049-transactions.csv.gz"), etlFile("17173049-logs.csv.gz"), etlFile("17173049-token_transfers.csv.gz")
	nft := map[string]bool{}
	for _, l := range records(t, logs) {
		if strings.Count(l["topics"], ",") == 3 {
			nft[l["block_number"]+" "+l["log_index"]] = true
		}
	}
	want := map[string]string{}
	for _, r := range records(t, tokens) {
		if key := r["block_number"] + " " + r["log_index"]; !nft[key] {
			want[key] = strings.Join([]string{r["transaction_hash"], r["token_address"], r["from_address"], r["to_address"], r["value"]}, " ")
		}
	}
	for name, files := range map[string][]string{"logs": {header, txs, logs}, "both": {tokens, header, logs, txs}} {
		if d := cmp.Diff(want, tokenTransfers(t, readEtl(t, nil, files...))); d != "" {
			t.Errorf("%s: (-ethereum-etl +ours)\n%s", name, d)
		}
	}
	if alone := tokenTransfers(t, readEtl(t, nil, header, txs, tokens)); len(alone) != len(records(t, tokens)) || len(alone) <= len(want) {
		t.Errorf("token_transfers without logs: %d transfers of %d rows, %d of them of fungible tokens", len(alone), len(records(t, tokens)), len(want))
	}
}

func tokenTransfers(t *testing.T, s *archive.EtlSet) map[string]string {
	t.Helper()
	zero := "0x" + strings.Repeat("0", 40)
	got := map[string]string{}
	for _, b := range blocksOf(t, s) {
		for _, tx := range b.Txs {
			for _, x := range tx.Transfers {
				if x.Kind != ledger.TransferToken {
					continue
				}
				from, to := zero, zero
				if !x.From.IsZero() {
					from = strings.ToLower(x.From.String())
				}
				if !x.To.IsZero() {
					to = strings.ToLower(x.To.String())
				}
				got[fmt.Sprintf("%d %d", b.Ref.Height, x.Index)] = strings.Join([]string{"0x" + tx.ID.String(), strings.ToLower(x.Asset.Contract.String()), from, to, x.Amount.String()}, " ")
			}
		}
	}
	return got
}

// Before Byzantium receipts have no status: two of block 483920's transactions
// have logs, so they succeeded; the others had gas left, which a failure takes.
// Without receipts nothing says so of these.
func TestEtlOutcomeBeforeByzantium(t *testing.T) {
	files := etlFiles("483920-blocks.csv", "483920-transactions.csv", "483920-logs.csv", "483920-token_transfers.csv")
	ok, unknown := ledger.StatusOK, ledger.StatusUnknown
	for _, c := range []struct {
		files []string
		fees  int
		want  []ledger.Status
	}{
		{append(slices.Clone(files), etlFile("483920-receipts.csv")), 4, []ledger.Status{ok, ok, ok, ok, ok}}, // the last is the producer's
		{files, 0, []ledger.Status{ok, ok, unknown, unknown}},
	} {
		var got []ledger.Status
		fees := 0
		for _, tx := range blocksOf(t, readEtl(t, nil, c.files...))[0].Txs {
			got = append(got, tx.Status)
			for _, x := range tx.Transfers {
				if x.Kind == ledger.TransferFee {
					fees++
				}
			}
		}
		if d := cmp.Diff(c.want, got); d != "" || fees != c.fees {
			t.Errorf("%d fees, want %d; outcomes (-want +got)\n%s", fees, c.fees, d)
		}
	}
}

// The same rows in any order of files, in overlapping files and twice are the same blocks.
func TestEtlOrderAndOverlap(t *testing.T) {
	dir := t.TempDir()
	rows := strings.Split(strings.TrimSpace(read(t, etlFile("17173049-token_transfers.csv.gz"))), "\n")
	a, b := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv")
	reversed := slices.Clone(rows[100:])
	slices.Reverse(reversed)
	write(t, a, strings.Join(rows[:200], "\n"))
	write(t, b, rows[0]+"\n"+strings.Join(reversed, "\n")+"\n")
	others := etlFiles("17173049-blocks.csv.gz", "17173049-transactions.csv.gz")
	once := readEtl(t, nil, append(slices.Clone(others), etlFile("17173049-token_transfers.csv.gz"))...)
	split := readEtl(t, nil, append([]string{b, others[1], a}, others[0], others[1])...)
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Source" }, cmp.Ignore())
	if d := cmp.Diff(blocksOf(t, once), blocksOf(t, split), ignore, cmp.Comparer(func(x, y ledger.Amount) bool { return x == y })); d != "" {
		t.Errorf("(-whole +overlapping)\n%s", d)
	}
	if got, want := split.Report().Duplicates, 100+298*2; got != want { // transactions and the receipts in them
		t.Errorf("%d duplicates, want %d", got, want)
	}
}

func TestEtlRefuses(t *testing.T) {
	const (
		id    = "0x0100000000000000000000000000000000000000000000000000000000000000"
		id2   = "0x0200000000000000000000000000000000000000000000000000000000000000"
		hash  = "0xaa00000000000000000000000000000000000000000000000000000000000000"
		hash2 = "0xbb00000000000000000000000000000000000000000000000000000000000000"
		a     = "0x00000000000000000000000000000000000000aa"
		b     = "0x00000000000000000000000000000000000000bb"
	)
	txs := "hash,nonce,block_hash,block_number,transaction_index,from_address,to_address,value,gas_price,block_timestamp\n"
	tx := id + ",0," + hash + ",7,0," + a + "," + b + ",5,1,1500000000\n"
	traces := "block_number,transaction_index,from_address,to_address,value,trace_type,call_type,trace_address,error,status\n"
	tokens := "token_address,from_address,to_address,value,transaction_hash,log_index,block_number\n"
	blocks := "number,hash,parent_hash,timestamp,transaction_count\n"
	receipts := "transaction_hash,block_number,gas_used,status,contract_address\n"
	for name, c := range map[string]struct {
		files    []string
		complete string
		want     string
	}{
		"not a table":           {files: []string{"hash,block\n1,2\n"}, want: "0.csv:1:1: want the columns of a table of ethereum-etl"},
		"column twice":          {files: []string{"hash," + txs + tx}, want: "0.csv:1:2: want each column once"},
		"short hash":            {files: []string{txs + "0x12,0," + hash + ",7,0," + a + "," + b + ",5,1,1500000000\n"}, want: "0.csv:2:1: want hash: 0x and 64 hex digits"},
		"no payer":              {files: []string{txs + id + ",0," + hash + ",7,0,," + b + ",5,1,1500000000\n"}, want: "0.csv:2:141: want from_address"},
		"exponent":              {files: []string{txs + strings.Replace(tx, ",5,1,", ",5e18,1,", 1)}, want: "want value: a whole number of base units, got \"5e18\""},
		"negative height":       {files: []string{txs + strings.Replace(tx, ",7,0,", ",-7,0,", 1)}, want: "want block_number"},
		"price beyond bounds":   {files: []string{txs + strings.Replace(tx, ",5,1,", ",5,"+strings.Repeat("9", 40)+",", 1)}, want: "want gas_price"},
		"year 60000":            {files: []string{txs + strings.Replace(tx, "1500000000", "1830000000000000", 1)}, want: "want block_timestamp: a time before 2200"},
		"ragged row":            {files: []string{txs + tx + "1,2\n"}, want: "0.csv:3:1: want a CSV row like the header's"},
		"two values":            {files: []string{txs + tx, txs + strings.Replace(tx, ",5,1,", ",6,1,", 1)}, want: "1.csv:2: want what 0.csv:2 says, got \"another transaction at index 0\""},
		"two places":            {files: []string{txs + tx + strings.Replace(tx, ",7,0,", ",7,1,", 1)}, want: "in block 7 and in block 7"},
		"two blocks":            {files: []string{txs + tx + strings.Replace(strings.Replace(tx, ",7,0,", ",7,1,", 1), id, id2, 1) + strings.Replace(strings.Replace(tx, hash, hash2, 1), ",7,0,", ",7,2,", 1)}, want: "0.csv:4: want block 0xaa"},
		"two times":             {files: []string{txs + tx, blocks + "7," + hash + "," + hash2 + ",1500000001,1\n"}, want: "time 1500000001 and 1500000000"},
		"foreign parent":        {files: []string{txs + tx, blocks + "8," + hash2 + "," + hash2 + ",1500000001,0\n"}, want: "the block below it"},
		"token of no tx":        {files: []string{txs + tx, tokens + a + "," + a + "," + b + ",1," + id2 + ",0,7\n"}, want: "1.csv:2: want a transaction of block 7 that a file of transactions has"},
		"token of other block":  {files: []string{txs + tx, tokens + a + "," + a + "," + b + ",1," + id + ",0,8\n"}, want: "1.csv:2: want"},
		"two tokens of one log": {files: []string{txs + tx, tokens + a + "," + a + "," + b + ",1," + id + ",0,7\n" + a + "," + a + "," + b + ",2," + id + ",0,7\n"}, want: "1.csv:3: want what 1.csv:2 says"},
		"trace of another tx":   {files: []string{txs + tx, traces + "7,1," + a + "," + b + ",5,call,call,,,1\n"}, want: "a transaction of block 7"},
		"trace of other value":  {files: []string{txs + tx, traces + "7,0," + a + "," + b + ",6,call,call,,,1\n"}, want: "another payer, payee or value"},
		"unknown trace":         {files: []string{txs + tx, traces + "7,0," + a + "," + b + ",5,gift,call,,,1\n"}, want: "want trace_type"},
		"unknown call":          {files: []string{txs + tx, traces + "7,0," + a + "," + b + ",5,call,peek,,,1\n"}, want: "want call_type"},
		"reward of a tx":        {files: []string{txs + tx, traces + "7,0,," + b + ",5,reward,,,,1\n"}, want: "want transaction_index"},
		"ok and failed":         {files: []string{txs + tx, traces + "7,0," + a + "," + b + ",5,call,call,,,1\n", receipts + id + ",7,21000,0,\n"}, want: "one says ok, the other failed"},
		"failed with logs":      {files: []string{txs + tx, receipts + id + ",7,21000,0,\n", tokens + a + "," + a + "," + b + ",1," + id + ",0,7\n"}, want: "one says ok, the other failed"},
		"status 2":              {files: []string{txs + tx, receipts + id + ",7,21000,2,\n"}, want: "want status"},
		"too many":              {files: []string{txs + tx, blocks + "7," + hash + "," + hash2 + ",1500000000,0\n"}, want: "transaction_count of block 7: 1 rows of transactions"},
		"too few":               {files: []string{txs + tx, blocks + "7," + hash + "," + hash2 + ",1500000000,2\n"}, complete: "7..8", want: "every row of block 7 in the files, got \"1 of its 2 transactions\""},
		"gap":                   {files: []string{txs + strings.Replace(tx, ",7,0,", ",7,1,", 1)}, complete: "7..8", want: "no transaction at index 0"},
		"no receipt":            {files: []string{txs + tx, receipts}, complete: "7..8", want: "no receipt of transaction"},
		"no trace":              {files: []string{txs + tx, traces}, complete: "7..8", want: "no trace of transaction"},
		"backward range":        {files: []string{txs + tx}, complete: "8..7", want: "--complete: want FROM below TO"},
		"empty range":           {files: []string{txs + tx}, complete: "7..7", want: "--complete: want FROM below TO"},
		"a range of dates":      {files: []string{txs + tx}, complete: "2020-01-01..2020-01-02", want: "--complete: want FROM..TO"},
		"a range without end":   {files: []string{txs + tx}, complete: "0..4294967296", want: "--complete: want at most"},
		"no time":               {files: []string{"hash,block_hash,block_number,transaction_index,from_address,to_address,value\n" + id + "," + hash + ",7,0," + a + "," + b + ",5\n"}, want: "want the time of its block"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := archive.EtlOptions{Chain: "ethereum"}
			for i, text := range c.files {
				path := filepath.Join(dir, fmt.Sprintf("%d.csv", i))
				write(t, path, text)
				o.Paths = append(o.Paths, path)
			}
			if c.complete != "" {
				o.Complete = []string{c.complete}
			}
			_, err := archive.ReadEtl(context.Background(), o)
			if err == nil || !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	if _, err := archive.ReadEtl(context.Background(), archive.EtlOptions{Chain: "tron"}); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("tron: %v, want ErrInvalid", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
