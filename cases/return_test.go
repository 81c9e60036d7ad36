package cases_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoortrace/spoor/cases"
)

const answerHeader = "time,kind,asset,amount,network,tx,address,counterparty,got_asset,got_amount\n"

// TestReturnRows reads one row of each kind, in the order of their times.
func TestReturnRows(t *testing.T) {
	s, err := cases.ReadReturn(strings.NewReader(answerHeader+
		"2024-02-29T14:05:01Z,Withdrawal,usdt,-25.5,tron,0x"+strings.ToUpper(oneTx)+",TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t,,,\n"+
		"2024-02-29T14:05:00Z,deposit,BTC,\"1,234.00000001\",bitcoin,,,,,\n"+
		"2024-02-29T14:05:00Z,opening,THB,7,,,,,,\n"+
		"2024-02-29T14:06:00Z,transfer_in,ETH,0.000000000000000001,,,,88,,\n"+
		"2024-02-29T14:07:00Z,trade,USDT,100,,,,,BTC,0.001\n"+
		"2024-02-29T14:08:00Z,fee,USDT,5u,,,,,,\n"+
		"2024-02-29T14:09:00Z,withdrawal,THB,7,,,,Siam-Bank,,\n"), cases.SheetOptions{})
	if err != nil || len(s.Problems) > 0 {
		t.Fatal(err, s.Problems)
	}
	var got []string
	for _, r := range s.Rows {
		got = append(got, strings.Join([]string{string(r.Kind), r.Amount, r.Asset, string(r.Network), r.Tx, r.Address, r.Counterparty, r.GotAmount, r.GotAsset}, "|"))
	}
	want := []string{
		"deposit|123400000001|BTC|bitcoin|||||", "opening|700000000|THB||||||",
		"withdrawal|2550000000|USDT|tron|" + oneTx + "|TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t|||",
		"transfer_in|1|ETH||||88||", "trade|10000000000|USDT|||||100000|BTC", "fee|5|USDT||||||", "withdrawal|700000000|THB||||Siam-Bank||",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestReturnRefusals: what is wrong is said by line and column, and the row is not taken.
func TestReturnRefusals(t *testing.T) {
	for row, want := range map[string]string{
		"2024-02-29T14:05:00Z,gift,USDT,1,,,,,,":              `line 2, column "kind"`,
		",deposit,USDT,1,,,,,,":                               `line 2, column "time": want a time`,
		"2024-02-29 14:05,deposit,USDT,1,,,,,,":               `line 2, column "time"`,
		"2024-02-29T14:05:00Z,deposit,USDT,0,,,,,,":           `line 2, column "amount": want more than 0`,
		"2024-02-29T14:05:00Z,deposit,USDT,\"1,23\",,,,,,":    `line 2, column "amount"`,
		"2024-02-29T14:05:00Z,deposit,USDT,0.000000001,,,,,,": `at most 8 decimals`,
		"2024-02-29T14:05:00Z,deposit,US DT,1,,,,,,":          `line 2, column "asset"`,
		"2024-02-29T14:05:00Z,deposit,USDT,1,service-x,,,,,":  `line 2, column "network": want a network such as tron`,
		"2024-02-29T14:05:00Z,deposit,USDT,1,tron,abc,,,,":    `line 2, column "tx"`,
		"2024-02-29T14:05:00Z,deposit,USDT,1,tron,,nobody,,,": `line 2, column "address"`,
		"2024-02-29T14:05:00Z,fee,USDT,1,tron,,,,,":           `only deposits and withdrawals leave the service`,
		"2024-02-29T14:05:00Z,transfer_in,USDT,1,,,,,,":       `line 2, column "counterparty": want the other account`,
		"2024-02-29T14:05:00Z,transfer_in,USDT,1,,,,a:b,,":    `a name without a colon`,
		"2024-02-29T14:05:00Z,trade,USDT,1,,,,,USDT,1":        `another asset than USDT`,
		"2024-02-29T14:05:00Z,trade,USDT,1,,,,,,":             `line 2, column "got_asset"`,
		"2024-02-29T14:05:00Z,deposit,USDT,=1+1,,,,,,":        `a value, no formula`,
		"2024-02-29T14:05:00Z,deposit,USDT,1,,,,ผู้เสียหาย,,": `line 2, column "counterparty"`,
	} {
		s, err := cases.ReadReturn(strings.NewReader(answerHeader+row+"\n"), cases.SheetOptions{})
		if err != nil || len(s.Rows) > 0 || !slices.ContainsFunc(s.Problems, func(p cases.Problem) bool { return p.Refuses && strings.Contains(p.Error(), want) }) {
			t.Errorf("%s: %v, rows %v, problems %v; want %q", row, err, s.Rows, s.Problems, want)
		}
	}
}

// TestImportReturn: an answer is kept with its file and rows, counts as of its
// entry, is not taken twice, and gives way to one that replaces it.
func TestImportReturn(t *testing.T) {
	s, a := open(t, t.TempDir()), ann()
	id := begin(t, s, "12/2026")
	rows := []cases.ReturnRow{{Line: 2, Time: noon(), Kind: cases.Fee, Asset: "USDT", Amount: "5"}}
	r := cases.Return{Entity: "huobi", Account: "77", From: noon(), To: noon().Add(time.Hour)}
	file := cases.File{Name: "answer.csv", Content: []byte("as it came")}
	c, err := s.ImportReturn(a, id, "q-1", r, file, rows)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.ImportReturn(a, id, "q-1", r, file, rows)
	if err != nil || again.Sequence != c.Sequence || len(again.Exhibits) != 2 {
		t.Errorf("the same again: %v, %d entries, %d exhibits; want %d and 2", err, again.Sequence, len(again.Exhibits), c.Sequence)
	}
	if _, err := s.ImportReturn(a, id, "q-2", r, file, rows); err == nil || !strings.Contains(err.Error(), "say that this one replaces it") {
		t.Errorf("a second answer for the same time: %v", err)
	}
	f, err := s.At(a, id, c.Sequence)
	if err != nil || len(f.Rows[c.Returns[0].Rows]) != 1 || f.Rows[c.Returns[0].Rows][0].Amount != "5" {
		t.Fatalf("rows %v, %v", f, err)
	}
	r.Replaces = true
	rows[0].Amount = "6"
	c, err = s.ImportReturn(a, id, "q-3", r, cases.File{Name: "corrected.csv", Content: []byte("corrected")}, rows)
	if err != nil || len(c.Returns) != 2 || !c.Returns[0].Replaced || c.Returns[1].Replaced {
		t.Fatalf("%v, %+v", err, c.Returns)
	}
	if f, err = s.At(a, id, f.Case.Sequence); err != nil || f.Case.Returns[0].Replaced {
		t.Errorf("as of before: %v, %+v", err, f.Case.Returns)
	}
	for _, bad := range []cases.Return{
		{Entity: "Huobi Global", Account: "77", From: noon(), To: noon().Add(time.Hour)},
		{Entity: "huobi", Account: "7:7", From: noon(), To: noon().Add(time.Hour)},
		{Entity: "huobi", Account: "78", From: noon(), To: noon()},
	} {
		if _, err := s.ImportReturn(a, id, "", bad, file, rows); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// FuzzReadReturn: whatever comes, there is no panic, and each row that is taken is whole.
func FuzzReadReturn(f *testing.F) {
	f.Add([]byte(answerHeader + "2024-02-29T14:05:00Z,deposit,BTC,\"1,234.5\",bitcoin," + oneTx + ",,,,\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := cases.ReadReturn(strings.NewReader(string(file)), cases.SheetOptions{Zone: time.UTC})
		if err != nil {
			return
		}
		for _, r := range s.Rows {
			if r.Time.IsZero() || r.Asset == "" || r.Amount == "" || r.Amount == "0" || (r.Kind == cases.Trade) != (r.GotAsset != "") {
				t.Errorf("row %+v", r)
			}
		}
	})
}
