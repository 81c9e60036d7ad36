package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
)

// line is a row of the own form; everything but what a test is about stays the same.
type line struct {
	ms     int64
	tx     int
	amount int
	log    string
	status string
}

func (l line) String() string {
	return fmt.Sprintf("%d,%064x,%s,%s,%d,%s,%s,%s\n", 1641405312000+l.ms, l.tx, alice, bob, l.amount, usdt, l.log, l.status)
}

func file(t testing.TB, name string, lines ...line) *Export {
	t.Helper()
	var text strings.Builder
	text.WriteString("ts_ms,tx_id,from_address,to_address,amount_raw,token,log,status\n")
	for _, l := range lines {
		text.WriteString(l.String())
	}
	return read(t, name, text.String(), "tron")
}

// rows prints a set as tx:index:amount in order.
func rows(t testing.TB, s *Set) []string {
	t.Helper()
	var out []string
	for _, tx := range transfers(t, s) {
		out = append(out, fmt.Sprintf("%d/%d %d:%d:%s", tx.Time-1641405312000, tx.Pos.Index(), tx.ID[31], tx.Transfers[0].Index, tx.Transfers[0].Amount))
	}
	return out
}

func TestMerge(t *testing.T) {
	tests := []struct {
		name  string
		files [][]line
		want  []string
	}{
		{"time orders, not the file", [][]line{{{ms: 2, tx: 1, amount: 5}, {ms: 1, tx: 2, amount: 6}}}, []string{"1/0 2:0:6", "2/0 1:0:5"}},
		{"one millisecond keeps the file's order", [][]line{{{tx: 9, amount: 5}, {tx: 3, amount: 6}}}, []string{"0/0 9:0:5", "0/1 3:0:6"}},
		{"rows of a transaction count up", [][]line{{{tx: 1, amount: 5}, {tx: 1, amount: 6}, {tx: 1, amount: 5}}}, []string{"0/0 1:0:5", "0/1 1:1:6", "0/2 1:2:5"}},
		{"overlap counts once", [][]line{{{tx: 1, amount: 5}, {ms: 1, tx: 2, amount: 6}}, {{ms: 1, tx: 2, amount: 6}, {ms: 2, tx: 3, amount: 7}}}, []string{"0/0 1:0:5", "1/0 2:0:6", "2/0 3:0:7"}},
		{"largest multiplicity in one file", [][]line{{{tx: 1, amount: 5}}, {{tx: 1, amount: 5}, {tx: 1, amount: 5}}, {{tx: 1, amount: 5}}}, []string{"0/0 1:0:5", "0/1 1:1:5"}},
		{"log is the index, and twice the same is one", [][]line{{{tx: 1, amount: 5, log: "7"}, {tx: 1, amount: 5, log: "7"}, {tx: 1, amount: 5, log: "3"}}}, []string{"0/0 1:7:5", "0/1 1:3:5"}},
		{"logs of two files join", [][]line{{{tx: 1, amount: 5, log: "7"}}, {{tx: 1, amount: 5, log: "8"}, {tx: 1, amount: 5, log: "7"}}}, []string{"0/0 1:7:5", "0/1 1:8:5"}},
		{"a file without logs adds what the others lack", [][]line{{{tx: 1, amount: 5, log: "0"}}, {{tx: 1, amount: 5}, {tx: 1, amount: 5}}}, []string{"0/0 1:0:5", "0/1 1:1:5"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var exports []*Export
			for i, lines := range test.files {
				exports = append(exports, file(t, fmt.Sprintf("%d.csv", i), lines...))
			}
			for range exports {
				got := rows(t, merged(t, exports...))
				slices.Sort(got) // the rank of files of one first time is by hash
				if diff := cmp.Diff(test.want, got); diff != "" && !sameButOrder(test.want, got) {
					t.Error(diff)
				}
				exports = append(exports[1:], exports[0])
			}
		})
	}
}

// sameButOrder accepts any order of rows inside a millisecond, and so any index
// of rows without a log: the rank of the files decides it, which is by hash.
func sameButOrder(a, b []string) bool {
	strip := func(rows []string) []string {
		var out []string
		for _, r := range rows {
			at, what, _ := strings.Cut(r, " ")
			ms, _, _ := strings.Cut(at, "/")
			parts := strings.Split(what, ":")
			out = append(out, ms+" "+parts[0]+" "+parts[2])
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(strip(a), strip(b))
}

// TestJoinedDownloads is a file with a column wallet: a transfer between two of its wallets is in it twice and counts once.
func TestJoinedDownloads(t *testing.T) {
	head := "wallet,timestamp,tx_id,from_address,to_address,quant,token_id\n"
	row := ",1641405312000," + someTx + "," + alice + "," + bob + ",5," + usdt + "\n"
	if n := merged(t, read(t, "a.csv", head+alice+row+bob+row, "tron")).Rows(); n != 1 {
		t.Errorf("got %d rows, want 1", n)
	}
	if n := merged(t, read(t, "a.csv", head+alice+row+alice+row+bob+row, "tron")).Rows(); n != 2 {
		t.Errorf("got %d rows, want 2", n)
	}
}

func TestConflicts(t *testing.T) {
	tests := []struct {
		name string
		a, b line
		want string
	}{
		{"time", line{tx: 1, amount: 5}, line{ms: 1, tx: 1, amount: 6}, "time 1641405312000 and 1641405312001"},
		{"outcome", line{tx: 1, amount: 5}, line{tx: 1, amount: 5, status: "failed"}, "the other failed"},
		{"log", line{tx: 1, amount: 5, log: "1"}, line{tx: 1, amount: 6, log: "1"}, "two transfers with log 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Merge(file(t, "a.csv", test.a), file(t, "b.csv", line{ms: 99, tx: 2}, test.b))
			if !errors.Is(err, ledger.ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
			for _, want := range []string{"a.csv:2", "b.csv:3", test.want} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
	if _, err := Merge(file(t, "a.csv"), read(t, "b.csv", "ts_ms,tx_id,from,to,amount_raw,token\n", "ethereum")); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("two chains: got %v, want ErrInvalid", err)
	}
}

// TestLaws: any order of files, any of them twice, gives the same set; a file that is part of another adds nothing.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := rapid.Custom(func(rt *rapid.T) line {
			tx := rapid.IntRange(1, 6).Draw(rt, "tx")
			return line{ms: int64(tx / 2), tx: tx, amount: rapid.IntRange(0, 2).Draw(rt, "amount")}
		})
		whole := rapid.SliceOfN(draw, 1, 20).Draw(rt, "rows")
		part := whole[rapid.IntRange(0, len(whole)).Draw(rt, "from"):]
		other := rapid.SliceOfN(draw, 0, 10).Draw(rt, "other")
		a, b, c := file(t, "a.csv", whole...), file(t, "b.csv", part...), file(t, "c.csv", other...)

		if got, want := merged(t, a, b), merged(t, a); got.Rows() != want.Rows() || !sameButOrder(rows(t, got), rows(t, want)) {
			rt.Errorf("a part adds: got %v, want %v", rows(t, got), rows(t, want))
		}
		want := merged(t, a, b, c)
		order := rapid.Permutation([]*Export{a, b, c, a, c}).Draw(rt, "order")
		got := merged(t, order...)
		if diff := cmp.Diff(rows(t, want), rows(t, got)); diff != "" || got.Digest() != want.Digest() {
			rt.Errorf("order matters: %s", diff)
		}
	})
}

// TestDemoInPieces cuts the real export into overlapping files and gets the whole again.
func TestDemoInPieces(t *testing.T) {
	whole := demo(t)
	want := transfers(t, merged(t, whole))
	head := "ts_ms,tx_id,from_address,to_address,amount_raw,token,status\n"
	var pieces []*Export
	for from := 0; from < len(want); from += 700 {
		text := head
		for _, tx := range want[from:min(from+1000, len(want))] {
			tr := tx.Transfers[0]
			text += fmt.Sprintf("%d,%s,%s,%s,%s,%s,0\n", tx.Time, tx.ID, tr.From, tr.To, tr.Amount, tr.Asset.Contract)
		}
		pieces = append(pieces, read(t, fmt.Sprintf("%d.csv", from), text, "tron"))
	}
	slices.Reverse(pieces)
	got := transfers(t, merged(t, pieces...))
	for i := range min(len(got), len(want)) {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("row %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d rows, want %d", len(got), len(want))
	}
}

func TestParseComplete(t *testing.T) {
	span := ledger.Range{From: 1000, To: 2001}
	list := filepath.Join(t.TempDir(), "wallets.csv")
	if err := os.WriteFile(list, []byte("num,wallet\n1,"+alice+"\n2,"+alice+"\n3,"+bob+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(t.TempDir(), "list.txt")
	if err := os.WriteFile(bare, []byte("# known\n"+alice+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := func(s string) ledger.Address {
		a, err := ledger.ParseAddress("tron", s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	tests := []struct {
		spec string
		want []ledger.Claim
	}{
		{"", nil},
		{"all", []ledger.Claim{{Range: span}}},
		{"2022-01-05..2022-01-06", []ledger.Claim{{Range: ledger.Range{From: 1641340800000, To: 1641427200000}}}},
		{"1641340800000..2022-01-06T07:00:00+07:00", []ledger.Claim{{Range: ledger.Range{From: 1641340800000, To: 1641427200000}}}},
		{list, []ledger.Claim{{Account: address(alice), Range: ledger.Range{To: 2001}}, {Account: address(bob), Range: ledger.Range{To: 2001}}}},
		{bare, []ledger.Claim{{Account: address(alice), Range: ledger.Range{To: 2001}}}},
	}
	for _, test := range tests {
		got, err := ParseComplete(test.spec, "tron", span)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%q: %v %s", test.spec, err, diff)
		}
	}
	for _, bad := range []string{"2022-01-06..2022-01-05", "..", "yesterday..today", "none.csv", demoExport} {
		if got, err := ParseComplete(bad, "tron", span); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%q: got %v, %v, want ErrInvalid", bad, got, err)
		}
	}
}

// TestDemoClaims: the demo's list names the wallets that the export holds as often as the list says.
func TestDemoClaims(t *testing.T) {
	s := merged(t, demo(t))
	claims, err := ParseComplete("../../testdata/demo/tron/complete-wallets.csv", "tron", s.Range())
	if err != nil || len(claims) != 11 {
		t.Fatalf("got %d claims, %v, want 11", len(claims), err)
	}
	held := map[ledger.Address]int{}
	for _, tx := range transfers(t, s) {
		held[tx.Transfers[0].From]++
		held[tx.Transfers[0].To]++
	}
	for _, c := range claims {
		if held[c.Account] == 0 {
			t.Errorf("no transfer of %s", c.Account)
		}
	}
}

func TestTagCategory(t *testing.T) {
	tests := []struct{ tag, want string }{
		{"Binance-Hot 1", "exchange"},
		{"Nobody-Hot 12", "exchange"},
		{"Okex 7", "exchange"},
		{"MXC", "exchange"},
		{"AscendEX (Bitmax)", "exchange"},
		{"bitget", "exchange"},
		{"ChangeNOW", "instant_exchange"},
		{"Gatekeeper", ""}, // begins like Gate, is another name
		{"Fake_Phishing12", ""},
		{"Hot", ""},
		{"", ""},
	}
	for _, test := range tests {
		if got := tagCategory(test.tag); got != test.want {
			t.Errorf("%q: got %q, want %q", test.tag, got, test.want)
		}
	}
}
