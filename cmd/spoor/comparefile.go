package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// judged is one transfer of an export with the level that the other service gave it.
type judged struct {
	row     int64 // of the file, from 1; the first of its rows
	theirs  string
	request *spoorv1.RegisterTransferRequest
	refused string // why it cannot be asked for; empty: it can
}

// exportColumns are the columns of an export and the names that they go by, with
// case, blanks, - and _ left out.
func exportColumns() map[string][]string {
	return map[string][]string{
		"transfer_reference": {"transferreference", "reference"},
		"tx":                 {"tx", "txhash", "transactionhash", "transaction"},
		"output":             {"outputaddress", "index", "idx"},
		"user_id":            {"userid", "user"},
		"network":            {"network", "blockchain"},
		"asset":              {"asset", "assetid", "symbol"},
		"direction":          {"direction"},
		"timestamp":          {"timestamp", "transfertimestamp", "time", "date"},
		"amount":             {"assetamount", "amount"},
		"level":              {"level", "alertlevel", "risk", "riskrating", "rating", "severity"},
	}
}

// exportReader reads an export of transfers or alerts, one transfer at a time.
// An alerts export has a row for each alert; rows of one transfer that follow
// each other are one transfer, with the highest of their levels.
type exportReader struct {
	rows   *csv.Reader
	column map[string]int
	row    int64
	ahead  *judged // read already; nil: nothing
}

// newExportReader reads the header, which must have the columns that are needed
// besides the network, the user and the reference.
func newExportReader(r io.Reader, needs ...string) (*exportReader, error) {
	e := &exportReader{rows: csv.NewReader(r), column: map[string]int{}, row: 1}
	e.rows.ReuseRecord, e.rows.FieldsPerRecord, e.rows.LazyQuotes = true, 0, false
	header, err := e.rows.Read()
	if err != nil {
		return nil, ledger.Invalid("export", "a CSV file with a header", err.Error())
	}
	for i, name := range header {
		plain := strings.NewReplacer(" ", "", "_", "", "-", "", "\ufeff", "").Replace(strings.ToLower(name))
		for ours, names := range exportColumns() {
			if _, taken := e.column[ours]; slices.Contains(names, plain) && !taken {
				e.column[ours] = i
			}
		}
	}
	for _, needed := range append([]string{"network", "user_id"}, needs...) {
		if _, ok := e.column[needed]; !ok {
			return nil, ledger.Invalid("export", "a column "+strings.Join(exportColumns()[needed], ", or "), strings.Join(header, ","))
		}
	}
	_, reference := e.column["transfer_reference"]
	_, tx := e.column["tx"]
	if _, output := e.column["output"]; !reference && (!tx || !output) {
		return nil, ledger.Invalid("export", "a column transfer_reference, or tx beside output_address or index", strings.Join(header, ","))
	}
	return e, nil
}

// next returns the next transfer; io.EOF after the last.
func (e *exportReader) next() (*judged, error) {
	j, err := e.take()
	for err == nil {
		var after *judged
		if after, err = e.take(); err == nil {
			if !sameTransfer(j, after) {
				e.ahead = after
				return j, nil
			}
			if higher(after.theirs, j.theirs) {
				j.theirs = after.theirs
			}
		}
	}
	if errors.Is(err, io.EOF) && j != nil {
		return j, nil
	}
	return nil, err
}

// batches hands over the transfers behind the rows that are skipped, some at a time.
func (e *exportReader) batches(skip int64, do func([]*judged) error) error {
	batch := make([]*judged, 0, compareBatch)
	for {
		j, err := e.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if j != nil && j.row-1 > skip {
			batch = append(batch, j)
		}
		if len(batch) == compareBatch || err != nil {
			if err := do(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
		if err != nil {
			return nil //nolint:nilerr // the end of the file
		}
	}
}

// take returns the row that was read ahead, or the next.
func (e *exportReader) take() (*judged, error) {
	if j := e.ahead; j != nil {
		e.ahead = nil
		return j, nil
	}
	record, err := e.rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	e.row++
	if err != nil {
		return nil, ledger.Invalid(fmt.Sprintf("row %d", e.row), "a row of CSV with as many cells as the header", err.Error())
	}
	cell := func(name string) string {
		if i, ok := e.column[name]; ok {
			return strings.TrimSpace(record[i])
		}
		return ""
	}
	return judge(e.row, cell), nil
}

// judge reads a row. What cannot be asked for is said, and does not end the work.
func judge(row int64, cell func(string) string) *judged {
	j := &judged{row: row}
	var err error
	if j.theirs, err = theirLevel(cell("level")); err != nil {
		j.refused = err.Error()
	}
	at, err := exportTime(cell("timestamp"))
	if err != nil {
		j.refused = err.Error()
	}
	reference := cell("transfer_reference")
	if reference == "" {
		reference = cell("tx") + ":" + cell("output")
	}
	direction := strings.ToUpper(cell("direction"))
	if direction == "" {
		direction = "RECEIVED"
	}
	j.request = &spoorv1.RegisterTransferRequest{
		UserId: strings.Clone(cell("user_id")), Network: strings.ToLower(cell("network")), Asset: strings.Clone(cell("asset")),
		TransferReference: strings.Clone(reference), Direction: direction, TransferTimestamp: at, AssetAmount: strings.Clone(cell("amount")),
	}
	return j
}

func sameTransfer(a, b *judged) bool {
	x, y := a.request, b.request
	return a.refused == "" && b.refused == "" && x.GetTransferReference() == y.GetTransferReference() && x.GetUserId() == y.GetUserId() &&
		x.GetDirection() == y.GetDirection() && x.GetNetwork() == y.GetNetwork()
}

// higher says whether a level stands above another.
func higher(a, b string) bool {
	return slices.Index(render.Levels(), a) < slices.Index(render.Levels(), b)
}

// theirLevel reads a level; none is NONE, a transfer without an alert.
func theirLevel(text string) (string, error) {
	level := strings.ToUpper(text)
	switch level {
	case "", "NONE", "NULL", "N/A", "NO ALERT", "NO_ALERT":
		return "NONE", nil
	}
	if !slices.Contains(render.Levels(), level) {
		return "", ledger.Invalid("level", "SEVERE, HIGH, MEDIUM, LOW or none", text)
	}
	return level, nil
}

// exportTime reads ISO 8601, in UTC unless it says otherwise.
func exportTime(text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // absent
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999 MST", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return timestamppb.New(t.UTC()), nil
		}
	}
	return nil, ledger.Invalid("timestamp", "a time such as 2026-01-02T15:04:05Z", text)
}
