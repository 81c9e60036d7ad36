package labels

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// csvColumns are the columns of a label CSV, in any order; the first three must
// be there, unless the options of the import say what they would.
var csvColumns = []string{"network", "address", "label", "category", "source", "confidence", "actor", "abuse", "context", "valid_from", "valid_to"}

// ReadCSV yields the tags of a label CSV, plain or gzipped: network, address,
// label, category (our id, a KYT id or empty), source (the file's name when
// empty) and confidence (an id of GraphSense's scale or 0-100; unknown, 5,
// when empty), and if they are there actor, abuse, context, valid_from and
// valid_to (dates; the label holds from the one on and before the other). Any row that does not fit ends in ledger.ErrInvalid with
// file:line:column, and then nothing of the file may be used.
func ReadCSV(ctx context.Context, name string, r io.Reader, report *Report) iter.Seq2[ledger.Tag, error] {
	return readBy(ctx, name, r, report, walkCSV)
}

// walkCSV is the walk of a label CSV. The options stand for columns and cells that are not there.
func walkCSV(_ context.Context, in *input, take func(ledger.Tag) error) error {
	c := &csvReader{input: in, records: csv.NewReader(in.text)}
	c.records.ReuseRecord = true
	err := c.readHeader()
	for err == nil {
		var tag ledger.Tag
		in.text.next()
		if tag, err = c.next(); err == nil && tag.Label != "" {
			err = take(tag)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

type csvReader struct {
	*input
	records *csv.Reader
	record  []string
	at      map[string]int
}

func (c *csvReader) readHeader() error {
	header, err := c.records.Read()
	if errors.Is(err, io.EOF) {
		return ledger.Invalid(c.name, "a header "+strings.Join(csvColumns, ","), "an empty file")
	}
	if err != nil {
		return c.syntax(err)
	}
	c.at = map[string]int{}
	for i, column := range header {
		column = strings.ToLower(strings.TrimSpace(column))
		known := false
		for _, k := range csvColumns {
			known = known || k == column
		}
		if _, twice := c.at[column]; twice || !known {
			return ledger.Invalid(fmt.Sprintf("%s:1:%d", c.name, i+1), "the columns "+strings.Join(csvColumns, ", ")+", each once", column)
		}
		c.at[column] = i
	}
	given := map[string]string{"network": c.opt.Network, "label": c.opt.Label}
	for _, column := range csvColumns[:3] {
		if _, ok := c.at[column]; !ok && given[column] == "" {
			return ledger.Invalid(c.name+":1:1", "a column "+column, strings.Join(header, ","))
		}
	}
	return nil
}

func (c *csvReader) cell(column string) string {
	if i, ok := c.at[column]; ok {
		return strings.TrimSpace(c.record[i])
	}
	return ""
}

func (c *csvReader) wrong(column, want string) error {
	line, at := c.records.FieldPos(c.at[column])
	return ledger.Invalid(fmt.Sprintf("%s:%d:%d", c.name, line, at), column+": "+want, c.cell(column))
}

// next returns a tag; one without a label was a repetition.
func (c *csvReader) next() (ledger.Tag, error) {
	var err error
	if c.record, err = c.records.Read(); err != nil {
		return ledger.Tag{}, c.syntax(err)
	}
	t := ledger.Tag{Label: strings.Clone(orElse(c.cell("label"), c.opt.Label)), Source: strings.Clone(orElse(c.cell("source"), c.opt.Source)), Pack: c.name}
	t.Category, t.Confidence = c.opt.Category, c.opt.Confidence
	if t.Chain, err = c.chain(); err != nil {
		return t, err
	}
	if t.Address, err = ledger.ParseAddress(t.Chain, c.cell("address")); err != nil {
		return t, c.wrong("address", err.Error())
	}
	if t.Label == "" || strings.ContainsRune(t.Label+t.Source, 0) {
		return t, c.wrong("label", "a text without NUL")
	}
	if t.Source == "" {
		t.Source = c.name
	}
	if s := c.cell("category"); s != "" {
		category, ok := ParseCategory(s)
		if !ok {
			return t, c.wrong("category", "a category such as exchange, or a KYT id")
		}
		t.Category = category.ID
	}
	if s := c.cell("confidence"); s != "" {
		confidence, ok := ParseConfidence(s)
		if !ok {
			return t, c.wrong("confidence", "an id such as forensic, or 0 to 100")
		}
		t.Confidence = confidence
	} else if t.Confidence == 0 {
		t.Confidence = confidences["unknown"]
	}
	if err := c.rest(&t); err != nil {
		return t, err
	}
	key := uniqueKey(t)
	if c.seen[key] {
		c.report.Repeated++
		return ledger.Tag{}, nil
	}
	c.seen[key] = true
	return t, nil
}

// rest reads the columns that few files have. The times are half-open.
func (c *csvReader) rest(t *ledger.Tag) error {
	t.Actor, t.Abuse, t.Context = strings.Clone(c.cell("actor")), strings.Clone(c.cell("abuse")), strings.Clone(c.cell("context"))
	if strings.ContainsRune(t.Actor+t.Abuse+t.Context, 0) {
		return c.wrong("address", "a row without NUL")
	}
	for column, at := range map[string]*int64{"valid_from": &t.ValidFrom, "valid_to": &t.ValidTo} {
		if s := c.cell(column); s != "" {
			ms, want := readDate(s)
			if want != "" {
				return c.wrong(column, want)
			}
			*at = ms
		}
	}
	if t.ValidTo != 0 && t.ValidTo <= t.ValidFrom {
		return c.wrong("valid_to", "a time after valid_from")
	}
	return nil
}

// chain reads the row's network, else the one that was given for the file.
func (c *csvReader) chain() (ledger.Chain, error) {
	if s := c.cell("network"); s != "" || c.opt.Network == "" {
		chain, err := ledger.ParseChain(s)
		if err != nil {
			return "", c.wrong("network", err.Error())
		}
		return chain, nil
	}
	chain, ok := networkOf(c.opt.Network, c.cell("address"))
	if !ok {
		return "", ledger.Invalid("network", "a network that is indexed", c.opt.Network)
	}
	return chain, nil
}

func (c *csvReader) syntax(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return c.csvSyntax(err)
}

// skipBOM drops the mark that spreadsheets put before UTF-8.
func skipBOM(r io.Reader) io.Reader {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(3) // three bytes were just seen
	}
	return buffered
}
