package cases

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/spoortrace/spoor/ledger"
)

// xlsx reads the first sheet of a workbook.
func (g *reader) xlsx(raw []byte) (err error) {
	if err := plainZip(raw); err != nil {
		return err
	}
	// The library is given hostile files and does not promise not to panic.
	defer func() {
		if r := recover(); r != nil {
			err = ledger.Invalid("file", "an XLSX workbook", fmt.Sprint(r))
		}
	}()
	book, err := excelize.OpenReader(bytes.NewReader(raw), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxSheet, UnzipXMLSizeLimit: maxSheet})
	if err != nil {
		return ledger.Invalid("file", "an XLSX workbook", err.Error())
	}
	defer book.Close()
	if props, err := book.GetWorkbookProps(); err == nil && props.Date1904 != nil {
		g.from1904 = *props.Date1904
	}
	names := book.GetSheetList()
	if len(names) == 0 {
		return ledger.Invalid("file", "a workbook with a sheet", "none")
	}
	return g.xlsxRows(book, names[0])
}

func (g *reader) xlsxRows(book *excelize.File, name string) error {
	rows, err := book.Rows(name)
	if err != nil {
		return ledger.Invalid("file", "an XLSX workbook", err.Error())
	}
	defer rows.Close()
	for line := 1; rows.Next(); line++ {
		values, err := rows.Columns()
		if err != nil {
			return ledger.Invalid(fmt.Sprintf("line %d", line), "cells", err.Error())
		}
		if len(values) > maxColumns {
			return fmt.Errorf("line %d: %d columns, at most %d: %w", line, len(values), maxColumns, ledger.ErrExhausted)
		}
		cells := make([]cell, len(values))
		for i, v := range values {
			at, err := excelize.CoordinatesToCellName(i+1, line)
			if err != nil {
				return ledger.Invalid(fmt.Sprintf("line %d", line), "cells", err.Error())
			}
			formula, err := book.GetCellFormula(name, at)
			cells[i] = cell{text: v, formula: err != nil || formula != "" || strings.HasPrefix(v, "="), serial: true}
		}
		if err := g.row(line, cells); err != nil {
			return err
		}
	}
	if err := rows.Error(); err != nil {
		return ledger.Invalid("file", "an XLSX workbook", err.Error())
	}
	return nil
}

// plainZip refuses, by what the zip says of itself, what would unpack to too
// much; the library holds it to that while it unpacks.
func plainZip(raw []byte) error {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return ledger.Invalid("file", "an XLSX workbook", err.Error())
	}
	var sum uint64
	for _, f := range z.File {
		if sum += min(f.UncompressedSize64, maxSheet+1); sum > maxSheet || len(z.File) > 1000 {
			return fmt.Errorf("a workbook of more than %d bytes or 1,000 parts: %w", maxSheet, ledger.ErrExhausted)
		}
	}
	return nil
}
