package archive

import (
	"encoding/csv"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// maxClaims bounds a list of addresses.
const maxClaims = 1 << 20

// ParseComplete reads what an import is said to be complete for
// (`--complete FILE|all|FROM..TO`), span being the import's Range:
//
//   - all: every transfer of the network from the first row to the last;
//   - FROM..TO: every transfer of the network in that time, half-open. Each end
//     is a day (2022-01-05, midnight UTC), an RFC 3339 time or Unix milliseconds;
//   - FILE: every transfer, from the first ever to the import's last row, of the
//     addresses that the file lists: a CSV with a column wallet or address, or
//     one address a line; plain or gzipped.
//
// An empty spec claims nothing. Nothing checks a claim; it is the word of
// whoever imports.
func ParseComplete(spec string, chain ledger.Chain, span ledger.Range) ([]ledger.Claim, error) {
	from, to, isRange := strings.Cut(spec, "..")
	switch {
	case spec == "":
		return nil, nil
	case spec == "all":
		return []ledger.Claim{{Range: span}}, nil
	case isRange && !strings.ContainsAny(spec, "/\\"):
		return claimTime(spec, from, to)
	}
	f, err := os.Open(spec)
	if err != nil {
		return nil, ledger.Invalid("--complete", "all, FROM..TO or a file of addresses", err.Error())
	}
	defer f.Close()
	return readClaims(spec, f, chain, span)
}

func claimTime(spec, from, to string) ([]ledger.Claim, error) {
	var ends [2]int64
	for i, text := range []string{from, to} {
		ms, want := readTime(fieldTime, text)
		if want != "" {
			ms, want = readDate(text+" 00:00:00", true)
		}
		if want != "" || ms < 0 {
			return nil, ledger.Invalid("--complete", "FROM..TO: a day, an RFC 3339 time or Unix milliseconds", text)
		}
		ends[i] = ms
	}
	if ends[0] >= ends[1] {
		return nil, ledger.Invalid("--complete", "FROM before TO", spec)
	}
	return []ledger.Claim{{Range: ledger.Range{From: uint64(ends[0]), To: uint64(ends[1])}}}, nil
}

// readClaims reads a list of addresses; the same one twice is one claim.
func readClaims(name string, r io.Reader, chain ledger.Chain, span ledger.Range) ([]ledger.Claim, error) {
	text, err := gunzip(r)
	if err != nil {
		return nil, syntax(name, err)
	}
	records := csv.NewReader(skipBOM(text))
	records.FieldsPerRecord, records.Comment = -1, '#'
	seen := map[ledger.Address]bool{}
	var claims []ledger.Claim
	column := -1
	for {
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			return claims, nil
		}
		if err != nil {
			return nil, syntax(name, err)
		}
		if column < 0 {
			if column = addressColumn(record); column >= 0 {
				continue
			}
			column = 0
		}
		line, at := records.FieldPos(0)
		if column >= len(record) {
			return nil, ledger.Invalid(place(name, line, at), "an address in column "+strconv.Itoa(column+1), strings.Join(record, ","))
		}
		a, err := ledger.ParseAddress(chain, strings.TrimSpace(record[column]))
		if err != nil {
			return nil, &ledger.InvalidError{Field: place(name, line, at), Want: "a " + string(chain) + " address", Got: record[column]}
		}
		if !seen[a] {
			seen[a] = true
			claims = append(claims, ledger.Claim{Account: a, Range: ledger.Range{To: span.To}})
		}
		if len(claims) > maxClaims {
			return nil, ledger.Invalid(name, "at most a million addresses", "more")
		}
	}
}

// addressColumn finds the address in a header, -1 when the record is none.
func addressColumn(record []string) int {
	for i, name := range record {
		if n := strings.ToLower(strings.TrimSpace(name)); n == "wallet" || n == "address" {
			return i
		}
	}
	return -1
}
