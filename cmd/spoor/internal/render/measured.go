package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spoortrace/spoor/evaluate"
	"github.com/spoortrace/spoor/rates"
)

// measuredJSON is one figure on the wire.
type measuredJSON struct {
	Heuristic   string `json:"heuristic"`
	Measure     string `json:"measure,omitempty"`
	Data        string `json:"data,omitempty"`
	Hits        int    `json:"hits"`
	N           int    `json:"n"`
	Low         string `json:"low,omitempty"`
	High        string `json:"high,omitempty"`
	SHA256      string `json:"sha256,omitempty"`
	Date        string `json:"date,omitempty"`
	Note        string `json:"note,omitempty"`
	NotMeasured string `json:"not_measured,omitempty"`
}

// Measured prints error rates. CSV has the columns of rates.csv and nothing else,
// so that it can take that file's place.
func Measured(w io.Writer, form string, all []evaluate.Measured) error {
	switch form {
	case "json":
		return measuredLines(w, all)
	case "csv":
		s := &records{header: rates.Columns()}
		for _, m := range all {
			if m.NotWhy == "" {
				s.add(m.Heuristic, m.Measure, m.Data, strconv.Itoa(m.Hits), strconv.Itoa(m.N), m.Low, m.High, m.SHA256, m.Date)
			}
		}
		return s.write(w)
	}
	p := &paper{w: w}
	if len(all) == 0 {
		p.line("Nothing was measured.")
	}
	for _, m := range all {
		if m.NotWhy != "" {
			p.line("%s: not measured: %s", m.Heuristic, m.NotWhy)
			continue
		}
		p.line("%s: %s", m.Heuristic, m.Measure)
		p.line("  %d of %d (95 %% interval %s to %s %%), %s on %s, sha256 %s", m.Hits, m.N, m.Low, m.High, m.Date, m.Data, m.SHA256)
		if m.Note != "" {
			p.line("  %s", m.Note)
		}
	}
	return p.err
}

func measuredLines(w io.Writer, all []evaluate.Measured) error {
	wire := make([]measuredJSON, 0, len(all))
	for _, m := range all {
		wire = append(wire, measuredJSON{m.Heuristic, m.Measure, m.Data, m.Hits, m.N, m.Low, m.High, m.SHA256, m.Date, m.Note, m.NotWhy})
	}
	text, err := json.MarshalIndent(wire, "", "  ")
	if err != nil {
		return fmt.Errorf("render: %w", err)
	}
	_, err = fmt.Fprintln(w, string(text))
	return err
}
