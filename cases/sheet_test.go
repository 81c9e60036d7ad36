package cases_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/ledger"
)

const (
	usdt   = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
	oneTx  = "00000000000000000000000000000000000000000000000000000000000000aa"
	header = "report_ref,victim,status,network,tx,index,to_address,amount,asset,time,bank_leg,note\n"
)

func bangkok() *time.Location { return time.FixedZone("+07", 7*3600) }

// problems are their sentences, one a line.
func problems(s cases.Sheet) string {
	var b strings.Builder
	for _, p := range s.Problems {
		fmt.Fprintln(&b, p.Error())
	}
	return b.String()
}

// TestEncodings reads one text in every encoding, made by x/text and, where there
// is one, by iconv, whose authors are others.
func TestEncodings(t *testing.T) {
	for _, c := range []struct {
		name, iconv, victim string
		with                encoding.Encoding
		say                 string
	}{
		{"utf-8", "UTF-8", "สมชาย ใจดี", unicode.UTF8, ""},
		{"utf-8 with a mark", "", "สมชาย 王小明", unicode.UTF8BOM, ""},
		{"utf-16le with a mark", "", "สมชาย 王小明", unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), ""},
		{"utf-16be with a mark", "", "สมชาย 王小明", unicode.UTF16(unicode.BigEndian, unicode.UseBOM), ""},
		{"utf-16le", "UTF-16LE", "สมชาย 王小明", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16le"},
		{"utf-16be", "UTF-16BE", "สมชาย 王小明", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "utf-16be"},
		{"windows-874", "CP874", "สมชาย ใจดี", charmap.Windows874, "windows-874"},
		{"gb18030", "GB18030", "王小明 𠮷", simplifiedchinese.GB18030, "gb18030"},
	} {
		text := header + "7," + c.victim + ",confirmed,tron," + oneTx + ",,,1.5,USDT,2567-02-29 14:05,,\n"
		made, err := c.with.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		forms := []string{made}
		if c.iconv != "" {
			if program, err := exec.LookPath("iconv"); err == nil {
				cmd := exec.CommandContext(t.Context(), program, "-f", "UTF-8", "-t", c.iconv)
				cmd.Stdin = strings.NewReader(text)
				forms = append(forms, string(must(cmd.Output())(t)))
			}
		}
		for i, form := range forms {
			s, err := cases.ReadPayments(strings.NewReader(form), cases.SheetOptions{Encoding: c.say, Zone: bangkok()})
			if err != nil || len(s.Rows) != 1 || s.Rows[0].Victim != c.victim {
				t.Errorf("%s, form %d: %v, %+v, %s", c.name, i, err, s.Rows, problems(s))
				continue
			}
			if got := s.Rows[0].Time.Format(time.RFC3339); got != "2024-02-29T07:05:00Z" || s.Rows[0].Amount != "1500000" {
				t.Errorf("%s: time %s, amount %s", c.name, got, s.Rows[0].Amount)
			}
		}
	}
	thai := must(charmap.Windows874.NewEncoder().String(header + "7,สมชาย"))(t)
	for _, say := range []string{"", "utf-8", "ebcdic"} {
		if _, err := cases.ReadPayments(strings.NewReader(thai), cases.SheetOptions{Encoding: say}); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("Windows-874 read as %q: %v", say, err)
		}
	}
}

// TestTimes reads one cell at a time.
func TestTimes(t *testing.T) {
	for _, c := range []struct{ cell, order, want string }{
		{"2024-03-31T14:05:09+07:00", "", "2024-03-31T07:05:09Z second"},
		{"2024-03-31 14:05:09.123 Z", "", "2024-03-31T14:05:09Z second"},
		{"2567-03-31 14:05", "", "2024-03-31T07:05:00Z minute"},
		{"31/03/2567 14:05", "", "2024-03-31T07:05:00Z minute"},
		{"3/31/2024", "", "2024-03-30T17:00:00Z day"},
		{"3/4/2024", "dmy", "2024-04-02T17:00:00Z day"},
		{"3/4/2024", "mdy", "2024-03-03T17:00:00Z day"},
		{"3/4/2024", "", ""},
		{"31/3/2024", "mdy", ""},
		{"2566-02-29", "", ""}, // 2023 has none
		{"2024-03-31 25:00", "", ""},
		{"2300-01-01", "", ""},
		{"45382", "", ""}, // a bare number is a date in XLSX only
		{"yesterday", "", ""},
	} {
		text := "victim,status,network,tx,time\nA,confirmed,tron," + oneTx + "," + c.cell + "\n"
		s := must(cases.ReadPayments(strings.NewReader(text), cases.SheetOptions{Zone: bangkok(), DateOrder: c.order}))(t)
		got := ""
		if len(s.Rows) == 1 {
			got = s.Rows[0].Time.Format(time.RFC3339) + " " + string(s.Rows[0].Precision)
		}
		if got != c.want || c.want == "" && !strings.Contains(problems(s), `line 2, column "time"`) {
			t.Errorf("%s (%s): got %q, want %q; %s", c.cell, c.order, got, c.want, problems(s))
		}
	}
	s := must(cases.ReadPayments(strings.NewReader("victim,status,network,tx,time\nA,confirmed,tron,"+oneTx+",2024-03-31 10:00\n"), cases.SheetOptions{}))(t)
	if len(s.Rows) != 0 || !strings.Contains(problems(s), "zone") {
		t.Errorf("a time without any zone: %v %s", s.Rows, problems(s))
	}
}

// TestBadCells: each bad cell is named with its line, and the other rows go on.
func TestBadCells(t *testing.T) {
	text := strings.ReplaceAll(header, ",", ";") + strings.Join([]string{
		"1;Ann;confirmed;tron;" + oneTx + ";;" + usdt + ";1.5;USDT;;;",
		"2;;confirmed;tron;" + oneTx[1:] + "1;;;1;USDT;;;",
		"3;Bob;maybe;tron;" + oneTx[:63] + "b;;;1;USDT;;;",
		"4;Bob;suspected;dogechain9;;;;;;;;",
		"5;Bob;suspected;tron;12ab;;;1;USDT;;;",
		"6;Bob;suspected;tron;" + oneTx[:63] + ";;;1;USDT;;;",
		"7;Bob;suspected;tron;1234567890abcdef...;;;1e3;USDT;;;",
		"8;Bob;suspected;tron;1234567890abcdef...;;;1,5;USDT;;;",
		"9;Bob;suspected;tron;1234567890abcdef...;;T123;15;USDT;;;",
		"10;Bob;suspected;tron;1234567890abcdef...;-1;;15;DOGE;;;",
		"11;=HYPERLINK(1);suspected;tron;1234567890abcdef...;;;15;USDT;;;",
		"12;Bob;suspected;tron;;;" + usdt + ";15;USDT;;;",
		"13;Bob;suspected;tron;;;" + usdt + ";15;USDT;2024-01-01T00:00:00Z;;",
		"14;Bob;suspected;tron;feedface90ABcdef…beef;0;" + usdt + ";15;USDT;;;;too many",
		"15;Bob;suspected;tron;0xfeedface90ABcdef…beef;0;" + usdt + ";15;USDT;;;",
	}, "\n")
	s := must(cases.ReadPayments(strings.NewReader(text), cases.SheetOptions{}))(t)
	var lines []int
	for _, r := range s.Rows {
		lines = append(lines, r.Line)
	}
	if fmt.Sprint(lines) != "[2 14 16]" || !s.Rows[1].NeedsCandidates() || s.Rows[2].Tx != "feedface90abcdef" || s.Rows[2].TxSuffix != "beef" {
		t.Errorf("lines %v: %+v", lines, s.Rows)
	}
	for line, column := range map[int]string{3: "victim", 4: "status", 5: "network", 6: "tx", 7: "tx", 8: "amount", 9: "amount", 10: "to_address", 11: "index", 12: "victim", 13: "tx", 15: "column 13"} {
		if !strings.Contains(problems(s), fmt.Sprintf("line %d, column %q: want", line, column)) {
			t.Errorf("line %d, column %s is not named", line, column)
		}
	}
	if t.Failed() {
		t.Log(problems(s))
	}
}

// TestTwice: a duplicate keeps the first; what two victims claim is refused to both.
func TestTwice(t *testing.T) {
	long := strings.Repeat("cd", 32)
	text := "victim,status,network,tx,index\n" + strings.Join([]string{
		"Ann,confirmed,tron," + oneTx + ",0", // 2
		"ann,confirmed,tron," + oneTx + ",0", // 3: a duplicate
		"Ann,confirmed,tron," + oneTx + ",1", // 4: another output
		"Ann,confirmed,tron," + long + ",",   // 5: claimed by
		"Bob,confirmed,tron,cdcdcdcd...,",    // 6: and by
		"Bob,confirmed,tron,cdcdcdce...,",    // 7
		"Bob,confirmed,bitcoin," + long + ",",
	}, "\n")
	s := must(cases.ReadPayments(strings.NewReader(text), cases.SheetOptions{}))(t)
	var lines []int
	for _, r := range s.Rows {
		lines = append(lines, r.Line)
	}
	if fmt.Sprint(lines) != "[2 4 7 8]" {
		t.Errorf("lines %v; %s", lines, problems(s))
	}
	for _, want := range []string{"line 3, column \"tx\": want a payment that line 2 does not have", "line 5, column \"tx\": want a payment of one victim; line 6", "line 6, column \"tx\": want a payment of one victim; line 5"} {
		if !strings.Contains(problems(s), want) {
			t.Errorf("%q is not in\n%s", want, problems(s))
		}
	}
}

// TestMapping reads the columns of an office, and refuses what is no mapping.
func TestMapping(t *testing.T) {
	m := must(cases.ReadMapping(strings.NewReader("columns: {victim: [ผู้เสียหาย], tx: [Hash]}\ndefaults: {network: tron}\nvalues: {status: {ยืนยัน: confirmed}}\n")))(t)
	s := must(cases.ReadPayments(strings.NewReader("ผู้เสียหาย\thash\tStatus\tสี\nสมชาย\t"+oneTx+"\tยืนยัน\tblue\n"), cases.SheetOptions{Mapping: m}))(t)
	if len(s.Rows) != 1 || s.Rows[0].Network != "tron" || s.Rows[0].Status != cases.Confirmed || len(s.Problems) != 1 || s.Problems[0].Column != "สี" {
		t.Errorf("%+v %s", s.Rows, problems(s))
	}
	for _, bad := range []string{"colums: {}", "columns: {victim: [a], tx: [A]}", "columns: {name: [a]}", "columns: &x {victim: [a]}\ndefaults: *x", "columns: {}\ncolumns: {}", "- 1", strings.Repeat("#", 2<<20)} {
		if _, err := cases.ReadMapping(strings.NewReader(bad)); !errors.Is(err, ledger.ErrInvalid) && !errors.Is(err, ledger.ErrExhausted) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
}

// book makes a workbook with the cells of one row under a header.
func book(t testing.TB, cells ...any) *excelize.File {
	t.Helper()
	f := excelize.NewFile()
	names := []any{"victim", "status", "network", "tx", "amount", "asset", "time"}
	if err := errors.Join(f.SetSheetRow("Sheet1", "A1", &names), f.SetSheetRow("Sheet1", "A2", &cells)); err != nil {
		t.Fatal(err)
	}
	return f
}

func bytesOf(t testing.TB, f *excelize.File) []byte {
	t.Helper()
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestXLSX reads dates as Excel keeps them, in both epochs, and no formula.
func TestXLSX(t *testing.T) {
	o := cases.SheetOptions{Zone: bangkok()}
	plain := book(t, "สมชาย", "confirmed", "tron", oneTx, 25050.5, "USDT", 45382.586921296)
	s := must(cases.ReadPayments(bytes.NewReader(bytesOf(t, plain)), o))(t)
	if len(s.Rows) != 1 || s.Rows[0].Amount != "25050500000" || s.Rows[0].Time.Format(time.RFC3339) != "2024-03-31T07:05:10Z" {
		t.Errorf("%+v %s", s.Rows, problems(s))
	}
	mac := book(t, "A", "confirmed", "tron", oneTx, 1, "USDT", 45382-1462)
	yes := true
	if err := mac.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes}); err != nil {
		t.Fatal(err)
	}
	s = must(cases.ReadPayments(bytes.NewReader(bytesOf(t, mac)), o))(t)
	if len(s.Rows) != 1 || s.Rows[0].Time.Format(time.RFC3339) != "2024-03-30T17:00:00Z" {
		t.Errorf("1904: %+v %s", s.Rows, problems(s))
	}
	formula := book(t, "A", "confirmed", "tron", oneTx, 1, "USDT", 45382)
	if err := formula.SetCellFormula("Sheet1", "E2", "1+1"); err != nil {
		t.Fatal(err)
	}
	s = must(cases.ReadPayments(bytes.NewReader(bytesOf(t, formula)), o))(t)
	if len(s.Rows) != 0 || !strings.Contains(problems(s), "no formula") {
		t.Errorf("formula: %+v %s", s.Rows, problems(s))
	}
}

// TestHostile refuses what would fill the memory.
func TestHostile(t *testing.T) {
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	part := must(z.Create("xl/worksheets/sheet1.xml"))(t)
	for range 80 {
		must(part.Write(make([]byte, 1<<20)))(t)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	wide := book(t, "A")
	if err := wide.SetCellValue("Sheet1", "XFD3", "x"); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"zip bomb": bomb.Bytes(), "wide XLSX": bytesOf(t, wide), "1,000,000 columns": []byte("victim" + strings.Repeat(",", 1_000_000)),
		"no zip": []byte("PK\x03\x04 and nothing"), "empty": nil, "NUL": []byte("victim\x00"), "no victim": []byte("name,tx\n"), "a column twice": []byte("victim,Victim\n"),
		"200,001 lines": []byte("victim\n" + strings.Repeat("A\n", 200_001)), "quote": []byte("victim\n\"A"),
	} {
		if s, err := cases.ReadPayments(bytes.NewReader(file), cases.SheetOptions{}); !errors.Is(err, ledger.ErrInvalid) && !errors.Is(err, ledger.ErrExhausted) {
			t.Errorf("%s: %v, %d rows", name, err, len(s.Rows))
		}
	}
}

// FuzzReadPayments: whatever comes, there is no panic, each row that is taken is
// whole, and each line is there once.
func FuzzReadPayments(f *testing.F) {
	f.Add([]byte(header+"1,Ann,confirmed,tron,"+oneTx+",,,1.5,USDT,2567-02-29 14:05,,\n"), "")
	f.Add([]byte("\xff\xfev\x00"), "utf-16le")
	f.Add(bytesOf(f, book(f, "A", "confirmed", "tron", oneTx, 1, "USDT", 45382)), "")
	f.Fuzz(func(t *testing.T, file []byte, say string) {
		s, err := cases.ReadPayments(bytes.NewReader(file), cases.SheetOptions{Encoding: say, Zone: time.UTC})
		if err != nil {
			return
		}
		seen := map[int]bool{}
		for _, r := range s.Rows {
			if r.Victim == "" || r.Network == "" || seen[r.Line] || r.NeedsCandidates() && r.Tx == "" && r.Time.IsZero() {
				t.Errorf("row %+v", r)
			}
			seen[r.Line] = true
		}
		for _, p := range s.Problems {
			if p.Line < 1 || p.Want == "" || p.Refuses && seen[p.Line] {
				t.Errorf("problem %+v", p)
			}
		}
	})
}
