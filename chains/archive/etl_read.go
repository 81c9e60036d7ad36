package archive

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

const (
	maxEtlHeight = 1 << 40
	maxEtlRange  = 1 << 20 // blocks, each of them made though it be empty
	// maxEtlRecord bounds a row: a block of calldata is 4 MB in hex, an output of a trace more.
	maxEtlRecord = 64 << 20
)

// read takes in the rows of one file.
func (s *EtlSet) read(ctx context.Context, file int, r io.Reader) error {
	name := s.files[file]
	text, err := gunzip(r)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	in := &guard{in: text, sum: sha256.New(), limit: maxEtlRecord}
	records := csv.NewReader(skipBOM(in))
	records.ReuseRecord = true
	header, err := records.Read()
	if errors.Is(err, io.EOF) {
		return nil // ethereum-etl writes an empty file for a range without rows
	}
	if err != nil {
		return syntax(name, err)
	}
	table, err := etlTableOf(name, header)
	if err != nil {
		return err
	}
	s.tables[table] = true
	c := newEtlCells(name, int32(file), records, header)
	for n := 0; ; n++ {
		in.passed = 0
		c.record, err = records.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return syntax(name, err)
		}
		if s.take(table, c); c.err != nil {
			return c.err
		}
		if err := s.count(table, name); err != nil {
			return err
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return fmt.Errorf("%s: %w", name, ctx.Err())
		}
	}
}

func (s *EtlSet) count(t etlTable, name string) error {
	s.report.Rows[t.String()]++
	total := 0
	for _, n := range s.report.Rows {
		total += n
	}
	if total > maxRows {
		return fmt.Errorf("%s: more than %d rows in all: %w", name, maxRows, ledger.ErrExhausted)
	}
	return nil
}

// take adds one record to its height.
func (s *EtlSet) take(t etlTable, c *etlCells) {
	column := "block_number"
	if t == etlBlocks {
		column = "number"
	}
	height := c.number(column, maxEtlHeight)
	h := s.heights[height]
	if h == nil {
		h = &etlHeight{}
		s.heights[height] = h
	}
	switch t {
	case etlBlocks:
		h.blocks = append(h.blocks, placed[etlBlock]{c.at(), c.block()})
	case etlTransactions:
		h.txs = append(h.txs, placed[etlTx]{c.at(), c.tx()})
		if c.has("receipt_gas_used") || c.has("receipt_status") {
			s.tables[etlReceipts] = true
			h.receipts = append(h.receipts, placed[etlReceipt]{c.at(), c.receipt("hash", "receipt_")})
		}
	case etlReceipts:
		h.receipts = append(h.receipts, placed[etlReceipt]{c.at(), c.receipt("transaction_hash", "")})
	case etlTraces:
		h.traces = append(h.traces, placed[etlTrace]{c.at(), c.trace()})
	case etlLogs:
		h.logs = append(h.logs, placed[etlLog]{c.at(), c.log()})
	case etlTokenTransfers:
		h.tokens = append(h.tokens, placed[etlToken]{c.at(), c.token()})
	case etlTables:
	}
	if t != etlBlocks && t != etlTransactions && c.text("block_hash") != "" {
		h.hashes = append(h.hashes, placed[ledger.Hash]{c.at(), c.hash("block_hash")})
	}
}

// etlCells reads the cells of one record by name. The first that does not fit is kept in err.
type etlCells struct {
	name    string
	file    int32
	columns map[string]int
	header  []string
	where   *csv.Reader
	record  []string
	err     error
}

func newEtlCells(name string, file int32, where *csv.Reader, header []string) *etlCells {
	c := &etlCells{name: name, file: file, columns: map[string]int{}, where: where}
	for i, column := range header {
		c.columns[column] = i
		c.header = append(c.header, strings.Clone(column))
	}
	return c
}

func (c *etlCells) at() etlPlace {
	line, _ := c.where.FieldPos(0)
	return etlPlace{c.file, uint32(line)}
}

func (c *etlCells) has(column string) bool {
	_, ok := c.columns[column]
	return ok
}

// text is the cell, "" where the file has no such column.
func (c *etlCells) text(column string) string {
	if i, ok := c.columns[column]; ok {
		return strings.TrimSpace(c.record[i])
	}
	return ""
}

func (c *etlCells) wrong(column, want string) {
	if c.err != nil {
		return
	}
	i := c.columns[column]
	line, at := c.where.FieldPos(i)
	c.err = ledger.Invalid(place(c.name, line, at), column+": "+want, c.text(column))
}

// number reads a whole number up to a limit; an empty cell is an error.
func (c *etlCells) number(column string, limit uint64) uint64 {
	n, err := strconv.ParseUint(c.text(column), 10, 64)
	if err != nil || n > limit {
		c.wrong(column, "a whole number up to "+strconv.FormatUint(limit, 10))
		return 0
	}
	return n
}

// optional reads a whole number, 0 for an empty cell.
func (c *etlCells) optional(column string, limit uint64) uint64 {
	if c.text(column) == "" {
		return 0
	}
	return c.number(column, limit)
}

// amount reads base units, 0 for an empty cell.
func (c *etlCells) amount(column string) ledger.Amount {
	text := c.text(column)
	if text == "" {
		return ledger.Amount{}
	}
	a, err := ledger.ParseAmount(text)
	if err != nil {
		c.wrong(column, "a whole number of base units")
	}
	return a
}

// price reads base units that 2^62 units of gas cannot carry out of 256 bits.
func (c *etlCells) price(column string) ledger.Amount {
	a := c.amount(column)
	if len(a.Bytes()) > 16 {
		c.wrong(column, "at most 2^128 base units")
		return ledger.Amount{}
	}
	return a
}

// bytes reads hex of a given length after 0x; an empty cell gives false.
func (c *etlCells) bytes(column string, into []byte) bool {
	text := c.text(column)
	if text == "" {
		return false
	}
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok || len(digits) != 2*len(into) {
		c.wrong(column, fmt.Sprintf("0x and %d hex digits", 2*len(into)))
		return false
	}
	if _, err := hex.Decode(into, []byte(digits)); err != nil {
		c.wrong(column, fmt.Sprintf("0x and %d hex digits", 2*len(into)))
		return false
	}
	return true
}

func (c *etlCells) hash(column string) (h ledger.Hash) {
	if !c.bytes(column, h[:]) {
		c.wrong(column, "0x and 64 hex digits")
	}
	return h
}

// address reads 20 bytes; the case of letters says nothing here, ethereum-etl writes small ones.
func (c *etlCells) address(column string) (a [20]byte) {
	if !c.bytes(column, a[:]) {
		c.wrong(column, "0x and 40 hex digits")
	}
	return a
}

// time reads Unix seconds, or the date of BigQuery, in milliseconds.
func (c *etlCells) time(column string) int64 {
	ms, want := readTime(fieldTime, c.text(column))
	if want == "" && (ms < 0 || ms >= maxTime) {
		want = "a time before 2200"
	}
	if want != "" {
		c.wrong(column, want)
	}
	return ms
}
