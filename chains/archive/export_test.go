package archive

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

const (
	demoExport = "../../testdata/demo/tron/tron-usdt-aso-ship.csv.gz"
	usdt       = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
	alice      = "TNcxqFUfdBRscyJyJAdj9M6hSYotVJJHvs"
	bob        = "TVXy9j3MHePgN3ydyr3D8NojB5RLD3AcRs"
	scamToken  = "TV7rB5oK44V3MNS3CKWpQBF6piyeQB6fMt" // calls itself by its own address
	someTx     = "4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c"
	ethAlice   = "0xf70da97812CB96acDF810712Aa562db8dfA3dbEF"
	ethBob     = "0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae"
	ethUSDT    = "0xdac17f958d2ee523a2206206994597c13d831ec7"
)

func demo(t testing.TB) *Export {
	t.Helper()
	f, err := os.Open(demoExport)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e, err := ReadExport(t.Context(), "tron-usdt-aso-ship.csv", f, "tron")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// read parses text that must be good.
func read(t testing.TB, name, text string, chain ledger.Chain) *Export {
	t.Helper()
	e, err := ReadExport(t.Context(), name, strings.NewReader(text), chain)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return e
}

// transfers flattens a set.
func transfers(t testing.TB, s *Set) []ledger.Tx {
	t.Helper()
	var txs []ledger.Tx
	for b, err := range s.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		txs = append(txs, b.Txs...)
	}
	return txs
}

func merged(t testing.TB, exports ...*Export) *Set {
	t.Helper()
	s, err := Merge(exports...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDemoExport(t *testing.T) {
	s := merged(t, demo(t))
	if s.Rows() != 4662 {
		t.Errorf("got %d rows, want 4662", s.Rows())
	}
	want := ledger.Range{From: 1597050381000, To: 1690533156001}
	if s.Range() != want {
		t.Errorf("got range %v, want %v", s.Range(), want)
	}
	var last ledger.Position
	found := false
	for _, tx := range transfers(t, s) {
		if tx.Pos <= last {
			t.Fatalf("position %d after %d", tx.Pos, last)
		}
		last = tx.Pos
		if tx.ID.String() != someTx {
			continue
		}
		found = true
		tr := tx.Transfers[0]
		got := []string{tr.From.String(), tr.To.String(), tr.Asset.String(), tr.Amount.String(), tx.Grade.String()}
		if diff := cmp.Diff([]string{alice, bob, "tron:" + usdt, "25050000000", "attested"}, got); diff != "" {
			t.Error(diff)
		}
		if tx.Time != 1641405312000 || tx.Pos != ledger.At(1641405312000, 0) || tr.Index != 0 || tx.Status != ledger.StatusOK {
			t.Errorf("got %+v", tx)
		}
	}
	if !found {
		t.Errorf("no transaction %s", someTx)
	}
	if n := len(s.Assets()); n != 18 {
		t.Errorf("got %d assets, want 18", n)
	}
	for _, tag := range s.Tags() {
		if tag.Category != "exchange" || tag.Confidence != 50 || tag.Address.IsZero() {
			t.Errorf("got %+v, want an exchange at confidence 50", tag)
		}
	}
}

// TestForms reads one transfer in every form that people bring.
func TestForms(t *testing.T) {
	tests := []struct {
		name, file string
		chain      ledger.Chain
		text       string
		want       string // asset, amount, time, index, status
	}{
		{"own, any order, CRLF, BOM, quotes", "a.csv", "tron", "\xef\xbb\xbftoken,\"to_address\",from_address,amount_raw,tx_id,ts_ms\r\n" + usdt + "," + bob + "," + alice + ",25050000000," + someTx + ",1641405312000\r\n", "tron:" + usdt + " 25050000000 1641405312000 0 0"},
		{"own, hex addresses, log, symbol, decimals", "a.csv", "tron", "ts_ms,tx_id,from_address,to_address,amount_raw,token,symbol,decimals,log,status\n1641405312000," + someTx + ",418ab2e7bd6fb1ca2c1b1e6b1e1f0e4fa1bdc5e9f6,0x8ab2e7bd6fb1ca2c1b1e6b1e1f0e4fa1bdc5e9f6,7," + usdt + ",USDT,6,12,failed\n", "tron:" + usdt + " 7 1641405312000 12 1"},
		{"own, native coin", "a.csv", "tron", "ts_ms,tx_id,from_address,to_address,amount_raw,token\n1641405312000," + someTx + "," + alice + "," + bob + ",5000000,\n", "tron:native 5000000 1641405312000 0 0"},
		{"Tronscan's API fields", "a.csv", "tron", "wallet,timestamp,tx_id,risk_tx,status,from_address,from_tag,to_address,to_tag,quant,token_id,token_abbr,token_name,token_decimal,token_type,token_level,contract_return\n" + bob + ",1641405312000," + someTx + ",False,2," + alice + ",," + bob + ",,25050000000," + usdt + ",USDT,Tether USD,6,trc20,2,SUCCESS\n", "tron:" + usdt + " 25050000000 1641405312000 0 0"},
		{"Tronscan's API fields, reverted", "a.csv", "tron", "transaction_id,block_ts,from_address,to_address,quant,contract_address,contractRet\n" + someTx + ",1641405312000," + alice + "," + bob + ",1," + usdt + ",OUT_OF_ENERGY\n", "tron:" + usdt + " 1 1641405312000 0 1"},
		{"Tronscan's API fields, reverted in the end", "a.csv", "tron", "transaction_id,block_ts,from_address,to_address,quant,contract_address,contractRet,finalResult,confirmed,from_address_tag\n" + someTx + ",1641405312000," + alice + "," + bob + ",1," + usdt + ",SUCCESS,REVERT,true,Okex 1\n", "tron:" + usdt + " 1 1641405312000 0 1"},
		{"Tronscan's web export", "a.csv", "tron", "Txn Hash,Block,Time(UTC),From,To,Amount/TokenID,Token\n" + someTx + ",36943204,2022-01-05 17:55:12," + alice + "," + bob + ",\"25,050\",Tether USD(" + usdt + ")\n", "tron:" + usdt + " 25050000000 1641405312000 0 0"},
		{"Etherscan ERC-20", "a.csv", "ethereum", "\"Transaction Hash\",\"Blockno\",\"UnixTimestamp\",\"DateTime (UTC)\",\"From\",\"To\",\"TokenValue\",\"USDValueDayOfTx\",\"ContractAddress\",\"TokenName\",\"TokenSymbol\"\n\"0x" + someTx + "\",\"1\",\"1641405312\",\"2022-01-05 17:55:12\",\"" + ethAlice + "\",\"" + ethBob + "\",\"1,234,567.000001\",\"$1.00\",\"" + ethUSDT + "\",\"Tether USD\",\"USDT\"\n", "ethereum:0xdAC17F958D2ee523a2206206994597C13D831ec7 1234567000001 1641405312000 0 0"},
		{"Etherscan, one token, contract in the name", "export-token-" + ethUSDT + ".csv", "ethereum", "\"Txhash\",\"Blockno\",\"UnixTimestamp\",\"DateTime (UTC)\",\"From\",\"To\",\"Quantity\",\"Method\"\n\"0x" + someTx + "\",\"80087529\",\"1641405312\",\"2022-01-05 17:55:12\",\"" + ethAlice + "\",\"" + ethBob + "\",\"10.013614\",\"Transfer\"\n", "ethereum:0xdAC17F958D2ee523a2206206994597C13D831ec7 10013614 1641405312000 0 0"},
		{"Etherscan transactions, sent, failed", "a.csv", "ethereum", "\"Txhash\",\"Blockno\",\"UnixTimestamp\",\"DateTime (UTC)\",\"From\",\"To\",\"ContractAddress\",\"Value_IN(ETH)\",\"Value_OUT(ETH)\",\"CurrentValue @ $2038.09/Eth\",\"TxnFee(ETH)\",\"TxnFee(USD)\",\"Historical $Price/Eth\",\"Status\",\"ErrCode\",\"Method\"\n\"0x" + someTx + "\",\"1\",\"1641405312\",\"2022-01-05 17:55:12\",\"" + ethAlice + "\",\"" + ethBob + "\",\"\",\"0\",\"0.5\",\"1\",\"0.001\",\"2\",\"3000\",\"Error(0)\",\"Bad\",\"Transfer\"\n", "ethereum:native 500000000000000000 1641405312000 0 1"},
		{"decimals of an unknown token", "a.csv", "tron", "ts_ms,tx_id,from_address,to_address,amount,token,symbol,decimals\n1641405312000," + someTx + "," + alice + "," + bob + ",1.50," + scamToken + ",USDT,18\n", "tron:" + scamToken + " 1500000000000000000 1641405312000 0 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := read(t, test.file, test.text, test.chain)
			tx := transfers(t, merged(t, e))[0]
			tr := tx.Transfers[0]
			got := strings.Join([]string{tr.Asset.String(), tr.Amount.String(), ledger.NewAmount(uint64(tx.Time)).String(), ledger.NewAmount(uint64(tr.Index)).String(), ledger.NewAmount(uint64(tr.Status)).String()}, " ")
			if got != test.want {
				t.Errorf("got %s, want %s\n%s", got, test.want, test.text)
			}
			if len(e.Ignored) != 0 {
				t.Errorf("columns %q are not known", e.Ignored)
			}
		})
	}
}

func TestUnknownColumnIsReported(t *testing.T) {
	e := read(t, "a.csv", "ts_ms,tx_id,from_address,to_address,amount_raw,token,Colour\n", "tron")
	if diff := cmp.Diff([]string{"Colour"}, e.Ignored); diff != "" {
		t.Error(diff)
	}
}

func TestGzipIsTransparent(t *testing.T) {
	text := "ts_ms,tx_id,from_address,to_address,amount_raw,token\n1641405312000," + someTx + "," + alice + "," + bob + ",5," + usdt + "\n"
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	e, err := ReadExport(t.Context(), "a.csv.gz", &zipped, "tron")
	if err != nil {
		t.Fatal(err)
	}
	if plain := read(t, "a.csv", text, "tron"); plain.SHA256 != e.SHA256 {
		t.Errorf("got %x zipped, %x plain", e.SHA256, plain.SHA256)
	}
}

// TestRefused lists bad files: the message names file:line:column, what was wanted and what came.
func TestRefused(t *testing.T) {
	const head = "ts_ms,tx_id,from_address,to_address,amount_raw,token,symbol,decimals,status,log\n"
	line := func(cells ...string) string {
		good := []string{"1641405312000", someTx, alice, bob, "5", usdt, "USDT", "6", "0", ""}
		for i := 0; i < len(cells); i += 2 {
			for j, name := range strings.Split(strings.TrimSpace(head), ",") {
				if name == cells[i] {
					good[j] = cells[i+1]
				}
			}
		}
		return strings.Join(good, ",") + "\n"
	}
	tests := []struct {
		name, text string
		chain      ledger.Chain
		want       []string
	}{
		{"empty", "", "tron", []string{"bad.csv", "header"}},
		{"no amount", "ts_ms,tx_id,from_address,to_address,token\n", "tron", []string{"bad.csv:1:1", "amount_raw"}},
		{"no time", "tx_id,from_address,to_address,amount_raw,token\n", "tron", []string{"ts_ms"}},
		{"no token", "ts_ms,tx_id,from_address,to_address,amount_raw\n", "tron", []string{"column token"}},
		{"column twice", "ts_ms,tx_id,tx_id,from_address,to_address,amount_raw,token\n", "tron", []string{"bad.csv:1:3", `"tx_id" is there already`}},
		{"synonym twice", "ts_ms,tx_id,Txhash,from_address,to_address,amount_raw,token\n", "tron", []string{"bad.csv:1:3", `got "Txhash"`}},
		{"short row", head + line() + "1641405312000," + someTx + "\n", "tron", []string{"bad.csv:3:1", "wrong number of fields"}},
		{"open quote", head + "\"1641405312000," + someTx + "\n", "tron", []string{"bad.csv:", "quote"}},
		{"hash of 63 digits", head + line("tx_id", someTx[1:]), "tron", []string{"bad.csv:2:15", "tx_id: 64 hex digits", someTx[1:]}},
		{"seconds for milliseconds", head + line("ts_ms", "1641405312"), "tron", []string{"bad.csv:2:1", "between 2009 and 2200"}},
		{"date for milliseconds", head + line("ts_ms", "2022-01-05"), "tron", []string{"Unix milliseconds"}},
		{"bad checksum", head + line() + line("from_address", alice[:33]+"t"), "tron", []string{"bad.csv:3:80", "from_address", "checksum", alice[:33] + "t"}},
		{"lower case", head + line("to_address", strings.ToLower(bob)), "tron", []string{"to_address"}},
		{"bitcoin address", head + line("to_address", "13NrgYhtjgMtPpGdtPpxV4WX3S7azfeD48"), "tron", []string{"another chain"}},
		{"empty payee", head + line("to_address", ""), "tron", []string{"to_address"}},
		{"negative", head + line("amount_raw", "-5"), "tron", []string{"amount_raw", `got "-5"`}},
		{"exponent", head + line("amount_raw", "5e6"), "tron", []string{"base units"}},
		{"float", head + line("amount_raw", "5.0"), "tron", []string{"base units"}},
		{"over 256 bits", head + line("amount_raw", "1"+strings.Repeat("0", 78)), "tron", []string{"2^256-1"}},
		{"symbol for contract", head + line("token", "USDT"), "tron", []string{"token: a token contract"}},
		{"TRC-10 id", head + line("token", "1002000"), "tron", []string{"TRC-10"}},
		{"no contract of a token", head + line("token", ""), "tron", []string{"the contract of USDT"}},
		{"decimals against the contract", head + line("decimals", "18"), "tron", []string{"decimals: 6 for USDT"}},
		{"decimals no number", head + line("decimals", "six"), "tron", []string{"0 to 77"}},
		{"status", head + line("status", "7"), "tron", []string{"status: ok, failed"}},
		{"log", head + line("log", "-1"), "tron", []string{"log: a whole number"}},
		{"EIP-55", "ts_ms,tx_id,from_address,to_address,amount_raw,token\n1641405312000," + someTx + ",0xF70da97812CB96acDF810712Aa562db8dfA3dbEF," + ethBob + ",1,\n", "ethereum", []string{"bad.csv:2:80", "checksum mismatch at character 3"}},
		{"unknown decimals", "ts_ms,tx_id,from_address,to_address,amount,token\n1641405312000," + someTx + "," + alice + "," + bob + ",1.5," + scamToken + "\n", "tron", []string{"bad.csv:2:150", "decimals"}},
		{"decimals that change", "ts_ms,tx_id,from_address,to_address,amount,token,decimals\n1641405312000," + someTx + "," + alice + "," + bob + ",1.5," + scamToken + ",6\n1641405312000," + someTx + "," + alice + "," + bob + ",1.5," + scamToken + ",18\n", "tron", []string{"bad.csv:3:", "same for every row"}},
		{"more decimals than the asset has", "ts_ms,tx_id,from_address,to_address,amount,token\n1641405312000," + someTx + "," + alice + "," + bob + ",1.5000001," + usdt + "\n", "tron", []string{"at most 6 decimals"}},
		{"unit in an amount", "ts_ms,tx_id,from_address,to_address,amount,token\n1641405312000," + someTx + "," + alice + "," + bob + ",15u," + usdt + "\n", "tron", []string{"whole coins"}},
		{"decimal comma", "ts_ms,tx_id,from_address,to_address,amount,token\n1641405312000," + someTx + "," + alice + "," + bob + ",\"15,5\"," + usdt + "\n", "tron", []string{"whole coins", `got "15,5"`}},
		{"time without zone", "time,tx_id,from_address,to_address,amount,token\n2022-01-05 17:55:12," + someTx + "," + alice + "," + bob + ",1," + usdt + "\n", "tron", []string{"with its zone"}},
		{"endless symbol", head + line("symbol", strings.Repeat("x", 257)), "tron", []string{"symbol: at most 256 bytes"}},
		{"a chain without accounts", head, "bitcoin", []string{"account chain"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ReadExport(t.Context(), "bad.csv", strings.NewReader(test.text), test.chain)
			if !errors.Is(err, ledger.ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid\n%s", err, test.text)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
		})
	}
}

// TestEndlessRow stops at a row without end before it fills the memory.
func TestEndlessRow(t *testing.T) {
	text := "ts_ms,tx_id,from_address,to_address,amount_raw,token\n\"" + strings.Repeat("x\n", 2<<20)
	_, err := ReadExport(t.Context(), "bad.csv", strings.NewReader(text), "tron")
	if !errors.Is(err, ledger.ErrExhausted) {
		t.Errorf("got %v, want ErrExhausted", err)
	}
}

func FuzzReadExport(f *testing.F) {
	f.Add("ts_ms,tx_id,from_address,to_address,amount_raw,token\n1641405312000,"+someTx+","+alice+","+bob+",5,"+usdt+"\n", true)
	f.Add("Txhash,UnixTimestamp,From,To,Value_IN(ETH),Value_OUT(ETH),ContractAddress\n"+someTx+",1641405312,"+ethAlice+",,\"1,000.5\",0,"+ethBob+"\n", false)
	f.Fuzz(func(t *testing.T, text string, tron bool) {
		chain := ledger.Chain("ethereum")
		if tron {
			chain = "tron"
		}
		e, err := ReadExport(t.Context(), "fuzz.csv", strings.NewReader(text), chain)
		if err != nil {
			if !errors.Is(err, ledger.ErrInvalid) && !errors.Is(err, ledger.ErrExhausted) {
				t.Errorf("%q: got %v, want a named error", text, err)
			}
			return
		}
		s, err := Merge(e, e)
		if err != nil {
			return // rows that contradict each other
		}
		if n := len(transfers(t, s)); n != s.Rows() || n > e.Rows() {
			t.Errorf("%q: %d transfers of %d rows", text, n, e.Rows())
		}
	})
}
