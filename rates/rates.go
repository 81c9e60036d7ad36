// Package rates holds the measured error rates of the heuristics, so that every
// answer can quote the figure of each heuristic that it rests on. The figures are
// measured by package evaluate (make evaluate), which also writes rates.csv.
package rates

import (
	_ "embed" // the figures
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rate is one measured share: Hits of N, with its Wilson 95 % interval.
type Rate struct {
	Heuristic string // as in answers: "co-spend", "deposit reuse", "rapid_pass_through"
	Measure   string // what the share is: "recall of WHIRLPOOL", "false positives"
	Data      string // the data set, by its name
	Hits, N   int
	Low, High string // percent with two decimals
	SHA256    string // of the data set's files, hex
	Date      string // of the measurement, 2006-01-02
}

// String prints the rate as answers quote it.
func (r Rate) String() string {
	return fmt.Sprintf("%s: %s %d of %d (95 %% interval %s to %s %%), measured %s on %s", r.Heuristic, r.Measure, r.Hits, r.N, r.Low, r.High, r.Date, r.Data)
}

//go:embed rates.csv
var published string

// Columns are those of rates.csv.
func Columns() []string {
	return []string{"heuristic", "measure", "data", "hits", "n", "low", "high", "sha256", "date"}
}

// Published returns every figure, in the order of the file.
func Published() ([]Rate, error) {
	rows, err := csv.NewReader(strings.NewReader(published)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("rates: %w", err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], Columns()) {
		return nil, fmt.Errorf("rates: want the columns %v", Columns())
	}
	var all []Rate
	for i, row := range rows[1:] {
		r := Rate{Heuristic: row[0], Measure: row[1], Data: row[2], Low: row[5], High: row[6], SHA256: row[7], Date: row[8]}
		var errs [2]error
		r.Hits, errs[0] = strconv.Atoi(row[3])
		r.N, errs[1] = strconv.Atoi(row[4])
		if errs[0] != nil || errs[1] != nil {
			return nil, fmt.Errorf("rates: row %d: want counts, got %q of %q", i+2, row[3], row[4])
		}
		all = append(all, r)
	}
	return all, nil
}

// Quote returns one sentence for each figure of a heuristic; "NAME: not measured"
// where there is none.
func Quote(heuristic string) []string {
	all, err := Published()
	var said []string
	for _, r := range all {
		if err == nil && r.Heuristic == heuristic {
			said = append(said, r.String())
		}
	}
	if len(said) == 0 {
		return []string{heuristic + ": not measured"}
	}
	return said
}
