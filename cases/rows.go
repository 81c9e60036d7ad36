package cases

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spoortrace/spoor/ledger"
)

// cell is one cell as it came.
type cell struct {
	text    string
	formula bool
	serial  bool // a bare number in a column of times is an Excel serial date
}

// reader makes rows of cells.
type reader struct {
	options  SheetOptions
	forms    forms
	known    []string    // columns that such a file has
	needs    []string    // and those without which it is none
	each     func(*line) // takes a row
	from1904 bool
	header   int
	names    []string // as the file has them
	columns  []string // ours; empty: none of ours
	lines    int
	sheet    Sheet
	refused  map[int]bool // by line
	returned []ReturnRow  // of a service's answer
}

// columnNames are those that a payment has.
var columnNames = []string{"report_ref", "victim", "status", "network", "tx", "index", "to_address", "amount", "asset", "time", "bank_leg", "note"}

// row takes one line in: the first is the header.
func (g *reader) row(line int, cells []cell) error {
	if g.lines++; g.lines > maxRows {
		return fmt.Errorf("more than %d lines: %w", maxRows, ledger.ErrExhausted)
	}
	if len(cells) > maxColumns {
		return fmt.Errorf("line %d: %d columns, at most %d: %w", line, len(cells), maxColumns, ledger.ErrExhausted)
	}
	if !slices.ContainsFunc(cells, func(c cell) bool { return strings.TrimSpace(c.text) != "" || c.formula }) {
		return nil // an empty line says nothing
	}
	if g.columns == nil {
		return g.readHeader(line, cells)
	}
	g.take(line, cells)
	return nil
}

func (g *reader) readHeader(line int, cells []cell) error {
	g.header, g.refused, g.columns = line, map[int]bool{}, []string{}
	for i, c := range cells {
		name := strings.TrimSpace(c.text)
		ours := g.options.Mapping.column(name)
		if !slices.Contains(g.known, ours) {
			ours = ""
		}
		if ours != "" && slices.Contains(g.columns, ours) {
			return ledger.Invalid(fmt.Sprintf("line %d, column %d", line, i+1), "each column once", name)
		}
		if ours == "" && name != "" {
			g.sheet.Problems = append(g.sheet.Problems, Problem{Line: line, Column: name, Want: "one of " + strings.Join(g.known, ", ") + ", or a mapping", Got: name})
		}
		g.names, g.columns = append(g.names, name), append(g.columns, ours)
	}
	if slices.Contains(g.known, "status") && !slices.Contains(g.columns, "status") && g.options.Mapping.value("status") == "" {
		g.sheet.Problems = append(g.sheet.Problems, Problem{Line: line, Column: "status", Want: "suspected or confirmed; without the column every row is suspected", Got: "no column"})
	}
	for _, name := range g.needs {
		if !slices.Contains(g.columns, name) {
			return ledger.Invalid(fmt.Sprintf("line %d", line), "a header with the column "+name+"; name others in a mapping", strings.Join(g.names, " | "))
		}
	}
	return nil
}

// line is the row that is being read.
type line struct {
	g      *reader
	number int
	cells  map[string]cell
	failed bool
}

func (l *line) problem(column, want, got string) {
	name := column
	if at := slices.Index(l.g.columns, column); at >= 0 {
		name = l.g.names[at]
	}
	l.failed = true
	l.g.sheet.Problems = append(l.g.sheet.Problems, Problem{l.number, name, want, got, true})
}

// fault takes an error of ledger over.
func (l *line) fault(column, want, got string, err error) {
	if err != nil {
		l.problem(column, want+" ("+err.Error()+")", got)
	}
}

func (l *line) text(column string) string {
	text := strings.TrimSpace(l.cells[column].text)
	if text == "" {
		text = l.g.options.Mapping.value(column)
	}
	return l.g.options.Mapping.translate(column, text)
}

// take reads the cells of a row.
func (g *reader) take(number int, cells []cell) {
	l := &line{g: g, number: number, cells: map[string]cell{}}
	for i, c := range cells {
		if i >= len(g.columns) {
			if strings.TrimSpace(c.text) != "" {
				l.problem(fmt.Sprintf("column %d", i+1), "a column that the header names", sizeOf(c.text))
			}
			continue
		}
		switch {
		case c.formula:
			l.formula(g.columns[i], c.text)
		case utf8.RuneCountInString(c.text) > maxCell:
			l.problem(g.columns[i], fmt.Sprintf("at most %d characters", maxCell), sizeOf(c.text))
		case g.columns[i] != "":
			l.cells[g.columns[i]] = c
		}
	}
	g.each(l)
	if l.failed {
		g.refused[number] = true
	}
}

// formula refuses a cell, and shows it where it cannot be a name.
func (l *line) formula(column, text string) {
	if slices.Contains([]string{"", "victim", "bank_leg", "note"}, column) {
		text = sizeOf(text)
	}
	l.problem(column, "a value, no formula", text)
}

// sizeOf stands for a text that may be personal.
func sizeOf(text string) string { return strconv.Itoa(len(text)) + " bytes" }

// payment takes a row as a victim's payment.
func (l *line) payment() {
	r := Row{Line: l.number, ReportRef: l.text("report_ref"), Victim: l.text("victim"), BankLeg: l.text("bank_leg"), Note: l.text("note")}
	if r.Victim == "" {
		l.problem("victim", "a name or a number of the victim", "")
	}
	l.status(&r)
	if l.chain(&r) {
		l.tx(&r)
		l.money(&r)
	}
	l.time(&r)
	if r.Tx == "" && !l.failed && (r.To == "" || r.Amount == "" || r.Time.IsZero()) {
		l.problem("tx", "a hash or its beginning, or else to_address, amount and time to look for it by", r.Tx)
	}
	l.g.sheet.Rows = append(l.g.sheet.Rows, r)
}

func (l *line) status(r *Row) {
	text := l.text("status")
	if text == "" && !slices.Contains(l.g.columns, "status") {
		text = string(Suspected) // who confirms says so
	}
	r.Status = Status(strings.ToLower(text))
	if r.Status != Suspected && r.Status != Confirmed {
		l.problem("status", "suspected or confirmed", text)
	}
}

func (l *line) chain(r *Row) bool {
	text := l.text("network")
	chain, err := ledger.ParseChain(strings.ToLower(text))
	l.fault("network", "a network", text, err)
	r.Network = chain
	return err == nil
}

// tx reads a hash, the beginning of one ("ab12cd34..."), or both ends ("ab12cd34…90ef").
func (l *line) tx(r *Row) {
	text := l.text("tx")
	digits := strings.ToLower(text)
	digits = strings.ReplaceAll(strings.TrimPrefix(digits, "0x"), "…", "...")
	head, tail, cut := strings.Cut(digits, "...")
	switch {
	case digits == "":
	case !isHex(head) || !isHex(tail) || len(head) > 64 || cut && len(head)+len(tail) >= 64:
		l.problem("tx", "64 hex digits, or some with ... for the rest", text)
	case len(head) < 8:
		l.problem("tx", "at least the first 8 hex digits", text)
	case !cut && len(head) < 64:
		l.problem("tx", "64 hex digits; "+strconv.Itoa(len(head))+" came: end what was cut off with ...", text)
	default:
		r.Tx, r.TxSuffix = head, tail
	}
	if index := l.text("index"); index != "" {
		n, err := strconv.ParseUint(index, 10, 32)
		l.fault("index", "a number from 0", index, err)
		r.Index = strconv.FormatUint(n, 10)
	}
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s + strings.Repeat("0", len(s)%2))
	return err == nil
}

// money reads who got how much of what. An amount without its asset has no decimals.
func (l *line) money(r *Row) {
	if to := l.text("to_address"); to != "" {
		address, err := ledger.ParseAddress(r.Network, to)
		l.fault("to_address", "an address of "+string(r.Network), to, err)
		if err == nil {
			r.To = address.String()
		}
	}
	amount, symbol := l.text("amount"), l.text("asset")
	if symbol == "" && amount == "" {
		return
	}
	asset, known := ledger.AssetBySymbol(r.Network, strings.ToUpper(symbol))
	if !known {
		contract, err := ledger.ParseAddress(r.Network, symbol)
		if asset, known = ledger.TokenAsset(contract), err == nil; !known {
			l.problem("asset", "the symbol of a coin of "+string(r.Network)+" that is known, or a contract", symbol)
			return
		}
	}
	r.Asset = asset.String()
	if amount == "" {
		return
	}
	info := ledger.InfoOf(asset)
	if !info.Known && !strings.HasSuffix(amount, "u") {
		l.problem("amount", "base units such as 25050500000u, since the decimals of the asset are not known", amount)
		return
	}
	units, err := ledger.ParseCoins(amount, info.Decimals)
	l.fault("amount", "an amount of "+info.Symbol, amount, err)
	if err == nil && units.IsZero() {
		l.problem("amount", "more than 0", amount)
	}
	r.Amount = units.String()
}

func (l *line) time(r *Row) {
	text := l.text("time")
	if text == "" {
		return
	}
	at, precision, want := l.g.readTime(text, l.cells["time"].serial)
	if want != "" {
		l.problem("time", want, text)
	}
	r.Time, r.Precision = at.UTC().Truncate(time.Millisecond), precision
}

// finish finds what is there twice and leaves out what was refused.
func (g *reader) finish() Sheet {
	g.twice()
	g.sheet.Rows = slices.DeleteFunc(g.sheet.Rows, func(r Row) bool { return g.refused[r.Line] })
	slices.SortStableFunc(g.sheet.Problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return g.sheet
}

// twice reports rows of one transfer. Those of one victim are a duplicate, and
// the first is kept; those of two victims are both refused: who paid is not for
// a program to say. A truncated hash stands for each that begins and ends so.
func (g *reader) twice() {
	rows := slices.DeleteFunc(slices.Clone(g.sheet.Rows), func(r Row) bool { return r.Tx == "" || g.refused[r.Line] })
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), cmp.Compare(a.Tx, b.Tx), cmp.Compare(a.Line, b.Line))
	})
	for i, a := range rows {
		for _, b := range rows[i+1:] {
			if a.Network != b.Network || !strings.HasPrefix(b.Tx, a.Tx) {
				break
			}
			if a.sameTransfer(b) {
				g.collide(a, b)
				break // the next is found from b on
			}
		}
	}
}

func (r Row) sameTransfer(o Row) bool {
	end := o.TxSuffix
	if !o.NeedsCandidates() {
		end = o.Tx
	}
	either := func(a, b string) bool { return a == "" || b == "" || a == b }
	return strings.HasSuffix(end, r.TxSuffix) && either(r.Index, o.Index) && either(r.To, o.To)
}

func (g *reader) collide(a, b Row) {
	first, second := a, b
	if b.Line < a.Line {
		first, second = b, a
	}
	if strings.EqualFold(first.Victim, second.Victim) {
		g.complain(second, fmt.Sprintf("a payment that line %d does not have", first.Line))
		return
	}
	g.complain(first, fmt.Sprintf("a payment of one victim; line %d claims it for another", second.Line))
	g.complain(second, fmt.Sprintf("a payment of one victim; line %d claims it for another", first.Line))
}

func (g *reader) complain(r Row, want string) {
	name := "tx"
	if at := slices.Index(g.columns, "tx"); at >= 0 {
		name = g.names[at]
	}
	g.refused[r.Line] = true
	g.sheet.Problems = append(g.sheet.Problems, Problem{r.Line, name, want, r.Tx, true})
}
