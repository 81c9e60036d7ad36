package render

import (
	"encoding/json"
	"fmt"
	"io"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// TransferCounts says what became of the rows of an import.
type TransferCounts struct {
	Row        int64            `json:"rows"` // the last that was done, the header not counted
	Registered int64            `json:"registered"`
	Levels     map[string]int64 `json:"levels"` // how many have which level; "" is no score
	States     map[string]int64 `json:"states"`
	Refused    int64            `json:"refused"`
	Refusals   []Refusal        `json:"refusals"` // the first of those
}

// refusalsKept bounds what is named; all are counted.
const refusalsKept = 20

// Add counts a row, which is numbered as in the file.
func (c *TransferCounts) Add(row int64, refused string, m *spoorv1.RegisteredTransfer) {
	if c.Levels == nil {
		c.Levels, c.States = map[string]int64{}, map[string]int64{}
	}
	c.Row = row - 1
	if refused != "" {
		c.Refused++
		if len(c.Refusals) < refusalsKept {
			c.Refusals = append(c.Refusals, Refusal{Row: row, Reason: refused})
		}
		return
	}
	c.Registered++
	c.Levels[m.GetScreening().GetRisk()]++
	c.States[m.GetState()]++
}

// TransferImport prints the counts.
func TransferImport(w io.Writer, form string, c *TransferCounts) error {
	if form == "json" {
		text, err := json.MarshalIndent(c, "", "  ")
		if err == nil {
			_, err = fmt.Fprintln(w, string(text))
		}
		return err
	}
	if form == "csv" {
		s := &records{header: []string{"level", "transfers"}}
		for _, level := range append(Levels(), "") {
			if n := c.Levels[level]; n > 0 {
				s.add(level, fmt.Sprint(n))
			}
		}
		return s.write(w)
	}
	p := &paper{w: w}
	p.line("%s registered, %s could not be", plural(c.Registered, "transfer", "transfers"), grouped(uint64(c.Refused)))
	for _, level := range append(Levels(), "") {
		if n := c.Levels[level]; n > 0 {
			name := level
			if name == "" {
				name = "no score"
			}
			p.line("  %-10s %s", name, grouped(uint64(n)))
		}
	}
	for _, state := range []string{"PENDING", "EXPIRED", "MISMATCHED"} {
		if n := c.States[state]; n > 0 {
			p.line("  of which %s: %s", state, grouped(uint64(n)))
		}
	}
	for _, r := range c.Refusals {
		p.line("  row %d: %s", r.Row, Clean(r.Reason))
	}
	return p.err
}
