package archive

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

const (
	// maxRows bounds the memory of one set: 1.0 GB at 3 million rows of as many
	// accounts, measured.
	maxRows = 4 << 20
	// maxRecord is the longest row in bytes; an export's row has a few hundred.
	maxRecord = 1 << 20
	chunkRows = 1 << 14
)

// Export is one parsed file of transfers. Nothing in it refers to the file any more.
type Export struct {
	Name    string // as given, for messages and as the source of its tags
	Chain   ledger.Chain
	SHA256  [32]byte // of the text, after gunzip
	Ignored []string // columns whose meaning is not known, as the header writes them

	chunks   [][]row
	count    int
	accounts [][20]byte
	assets   []claimedAsset
	tags     []claimedTag
}

// row is one transfer. Accounts and asset are indices into the Export's tables.
type row struct {
	time     int64 // Unix milliseconds
	tx       ledger.TxID
	amount   ledger.Amount
	from, to uint32
	asset    uint32
	line     uint32
	log      int32  // -1: the export has none
	part     uint32 // which wallet's download, where the file joins several
	status   ledger.Status
	internal bool
}

// claimedAsset is an asset with what the file says about it.
type claimedAsset struct {
	asset    ledger.Asset
	symbol   string
	decimals int // -1: the file does not say
}

// claimedTag is a name that the file gives an account.
type claimedTag struct {
	account uint32
	label   string
}

// Rows returns the number of transfers in the file.
func (e *Export) Rows() int { return e.count }

func (e *Export) row(i uint32) *row { return &e.chunks[i/chunkRows][i%chunkRows] }

func (e *Export) add(r row) {
	if e.count%chunkRows == 0 {
		e.chunks = append(e.chunks, make([]row, 0, chunkRows))
	}
	last := len(e.chunks) - 1
	e.chunks[last] = append(e.chunks[last], r)
	e.count++
}

// address returns an account of the table in the ledger's form.
func (e *Export) address(i uint32) ledger.Address {
	return ledger.AccountAddress(e.Chain, e.accounts[i])
}

// ReadExport parses a CSV file of token or native transfers of an account
// chain, plain or gzipped. The columns are found by name (see the table in
// columns.go): our own form, and what people download from Tronscan and from
// the Etherscan family. A name is only used in messages and, where Etherscan
// puts the token's contract into it, to learn the contract.
//
// It is all or nothing: the first row that does not fit ends in an error that
// names file:line:column, what was wanted and what came (ledger.ErrInvalid),
// or in ledger.ErrExhausted above 4,194,304 rows.
func ReadExport(ctx context.Context, name string, r io.Reader, chain ledger.Chain) (*Export, error) {
	if f := chain.Family(); f != ledger.FamilyTRON && f != ledger.FamilyEVM {
		return nil, ledger.Invalid("network", "an account chain (tron, ethereum, ...) for a CSV export", string(chain))
	}
	text, err := gunzip(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	in := &guard{in: text, sum: sha256.New()}
	records := csv.NewReader(skipBOM(in))
	records.ReuseRecord = true
	header, err := records.Read()
	if err != nil {
		return nil, syntax(name, err)
	}
	p, err := newParser(name, chain, header)
	if err != nil {
		return nil, err
	}
	for {
		in.passed = 0
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, syntax(name, err)
		}
		if err := p.parse(records, record); err != nil {
			return nil, err
		}
		if p.out.count%4096 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", name, ctx.Err())
		}
	}
	copy(p.out.SHA256[:], in.sum.Sum(nil))
	return p.out, nil
}

// syntax names the place of what is no CSV.
func syntax(name string, err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return ledger.Invalid(name, "a header row", "an empty file")
	case errors.As(err, &parse):
		return &ledger.InvalidError{Field: place(name, parse.Line, parse.Column), Want: "a CSV row like the header's", Got: parse.Err.Error()}
	}
	return fmt.Errorf("%s: %w", name, err)
}

func place(name string, line, column int) string {
	return name + ":" + strconv.Itoa(line) + ":" + strconv.Itoa(column)
}

// gunzip reads plain text and gzip alike.
func gunzip(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	magic, err := buffered.Peek(2)
	if err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return buffered, nil //nolint:nilerr // a text of one byte is for the caller to judge
	}
	return gzip.NewReader(buffered)
}

// guard hashes what passes, and ends a record that grows without end (an
// opening quote that is never closed, a gzip bomb of one line).
type guard struct {
	in     io.Reader
	sum    hash.Hash
	passed int // bytes since the last record began, give or take one buffer
	limit  int // of one record; 0: maxRecord
}

func (g *guard) Read(b []byte) (int, error) {
	if limit := cmp.Or(g.limit, maxRecord); g.passed > limit {
		return 0, fmt.Errorf("a row of more than %d bytes: %w", limit, ledger.ErrExhausted)
	}
	n, err := g.in.Read(b)
	g.sum.Write(b[:n])
	g.passed += n
	return n, err
}

// skipBOM drops the mark that spreadsheets put before UTF-8.
func skipBOM(r io.Reader) io.Reader {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(3) // three bytes were just seen
	}
	return buffered
}

// contractInName finds the token in the name that Etherscan gives the export of
// one token, export-token-0x....csv: such a file has no column for it.
func contractInName(chain ledger.Chain, name string) string {
	_, rest, ok := strings.Cut(name, "export-token-")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, ".")
	if _, err := ledger.ParseAddress(chain, rest); err != nil {
		return ""
	}
	return rest
}
