package cases

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/spoortrace/spoor/ledger"
)

// SheetOptions say what a spreadsheet does not.
type SheetOptions struct {
	Encoding  string         // utf-8, utf-16le, utf-16be, windows-874, gb18030; empty: a byte order mark, else UTF-8
	Zone      *time.Location // of times without one; nil: such times are a problem
	DateOrder string         // dmy or mdy, for 3/4/2024; empty: such dates are a problem
	Mapping   *Mapping       // nil: the columns have our names
}

// Sheet is what ReadPayments made of a file. Nothing was stored.
type Sheet struct {
	Rows     []Row // that have no problem which refuses them
	Problems []Problem
}

// Problem is something in a file that is not as wanted.
type Problem struct {
	Line    int    // from 1, of the file; of its header for a column
	Column  string // as the file names it
	Want    string
	Got     string
	Refuses bool // the row is not taken
}

// Error is the problem as a sentence.
func (p Problem) Error() string {
	return ledger.Invalid(fmt.Sprintf("line %d, column %q", p.Line, p.Column), p.Want, p.Got).Error()
}

// Bounds of what is read.
const (
	maxSheet   = 64 << 20 // bytes, before and after a zip was opened
	maxColumns = 200
	maxRows    = 200_000
	maxCell    = 32_767 // characters that a cell of XLSX can have
)

// ReadPayments reads victims' payments from CSV (separated by comma, semicolon or
// TAB) or XLSX (its first sheet). A file that is none, or hostile, is
// ledger.ErrInvalid or ErrExhausted; everything else that is wrong is a Problem
// with its line, and the other rows go on.
func ReadPayments(r io.Reader, o SheetOptions) (Sheet, error) {
	sheet, err := readPayments(r, o)
	if err != nil {
		return Sheet{}, fmt.Errorf("cases: spreadsheet: %w", err)
	}
	return sheet, nil
}

func readPayments(r io.Reader, o SheetOptions) (Sheet, error) {
	grid := reader{options: o, forms: newForms(), known: columnNames, needs: []string{"victim"}, each: (*line).payment}
	if err := grid.read(r); err != nil {
		return Sheet{}, err
	}
	return grid.finish(), nil
}

// read reads a file whatever its columns are.
func (g *reader) read(r io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxSheet+1))
	if err != nil {
		return err
	}
	if len(raw) > maxSheet {
		return fmt.Errorf("a file of more than %d bytes: %w", maxSheet, ledger.ErrExhausted)
	}
	if bytes.HasPrefix(raw, []byte("PK")) {
		err = g.xlsx(raw)
	} else {
		err = g.csv(raw)
	}
	if err == nil && g.columns == nil {
		err = ledger.Invalid("file", "a header line and rows", "no line")
	}
	return err
}

// csv decodes a text and reads its records.
func (g *reader) csv(raw []byte) error {
	text, err := decodeText(raw, g.options.Encoding)
	if err != nil {
		return err
	}
	records := csv.NewReader(bufio.NewReader(strings.NewReader(text)))
	records.Comma = separator(text)
	records.FieldsPerRecord = -1
	for {
		fields, err := records.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return ledger.Invalid("file", "CSV", err.Error())
		}
		line, _ := records.FieldPos(0)
		cells := make([]cell, len(fields))
		for i, f := range fields {
			cells[i] = cell{text: f, formula: strings.HasPrefix(f, "=")}
		}
		if err := g.row(line, cells); err != nil {
			return err
		}
	}
}

// separator is that of the first line outside quotes.
func separator(text string) rune {
	count := map[rune]int{}
	quoted := false
	for _, r := range text {
		if r == '"' {
			quoted = !quoted
		}
		if r == '\n' && !quoted {
			break
		}
		if !quoted {
			count[r]++
		}
	}
	best := ','
	for _, r := range []rune{';', '\t'} {
		if count[r] > count[best] {
			best = r
		}
	}
	return best
}

// decodeText never guesses: bytes that are no UTF-8, under no byte order mark, want
// their encoding told.
func decodeText(raw []byte, name string) (string, error) {
	if name == "" {
		name = markOf(raw)
	}
	var e encoding.Encoding
	switch strings.ToLower(name) {
	case "utf-8":
		text := string(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))
		if !utf8.ValidString(text) {
			return "", ledger.Invalid("encoding", "UTF-8; else say which: utf-16le, utf-16be, windows-874, gb18030", firstBad(text))
		}
		return text, noNUL(text)
	case "utf-16le":
		e = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
		if !bytes.HasPrefix(raw, []byte("\xff\xfe")) {
			e = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
		}
	case "utf-16be":
		e = unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
		if !bytes.HasPrefix(raw, []byte("\xfe\xff")) {
			e = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
		}
	case "windows-874":
		e = charmap.Windows874
	case "gb18030":
		e = simplifiedchinese.GB18030
	default:
		return "", ledger.Invalid("encoding", "utf-8, utf-16le, utf-16be, windows-874 or gb18030", name)
	}
	text, err := e.NewDecoder().Bytes(raw)
	if err != nil {
		return "", ledger.Invalid("encoding", name, err.Error())
	}
	if at := bytes.IndexRune(text, utf8.RuneError); at >= 0 {
		return "", ledger.Invalid("encoding", name, fmt.Sprintf("bytes that it has no character for, after %d bytes of text", at))
	}
	return string(text), noNUL(string(text))
}

func markOf(raw []byte) string {
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xfe")):
		return "utf-16le"
	case bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return "utf-16be"
	}
	return "utf-8"
}

func firstBad(text string) string {
	for i, r := range text {
		if r == utf8.RuneError {
			return fmt.Sprintf("byte %#02x at %d", text[i], i)
		}
	}
	return ""
}

// noNUL finds UTF-16 that was taken for UTF-8, too.
func noNUL(text string) error {
	if at := strings.IndexByte(text, 0); at >= 0 {
		return ledger.Invalid("encoding", "a text without NUL; is it utf-16le or utf-16be?", fmt.Sprintf("NUL at byte %d", at))
	}
	return nil
}
