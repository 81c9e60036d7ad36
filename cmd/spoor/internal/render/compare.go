package render

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Comparison counts the levels that another service gave to transfers, against
// ours. Ours may be a state, where there is no score.
type Comparison struct {
	Transfers   int64        `json:"transfers"`
	Agreed      int64        `json:"agreed"`
	Unscored    int64        `json:"unscored"`
	Refused     int64        `json:"refused"`
	Matrix      []LevelCount `json:"matrix"`
	Reasons     []Reason     `json:"reasons"`
	Differences []Difference `json:"differences"`
	// Refusals are the first of the rows that could not be asked for.
	Refusals []Refusal `json:"refusals"`
}

// LevelCount is one cell of the matrix.
type LevelCount struct {
	Theirs    string `json:"theirs"`
	Ours      string `json:"ours"`
	Transfers int64  `json:"transfers"`
}

// Reason counts disagreements by what made our level, or kept us from one.
type Reason struct {
	Reason    string `json:"reason"`
	Transfers int64  `json:"transfers"`
}

// Difference is one transfer that both judge differently.
type Difference struct {
	Row       int64  `json:"row"`
	Network   string `json:"network"`
	Reference string `json:"transfer_reference"`
	Theirs    string `json:"theirs"`
	Ours      string `json:"ours"`
	Reason    string `json:"reason"`
	External  string `json:"external_id"`
}

// Refusal is a row that could not be asked for.
type Refusal struct {
	Row    int64  `json:"row"`
	Reason string `json:"reason"`
}

// Levels are those of the matrix, the highest first. NONE is a transfer without an alert.
func Levels() []string { return []string{"SEVERE", "HIGH", "MEDIUM", "LOW", "NONE"} }

// Compare prints the matrix, the reasons and the first disagreements.
func Compare(w io.Writer, c *Comparison) error {
	p := &paper{w: w}
	p.line("%s transfers, %s of the same level (%s), %s without a score (%s)", number(c.Transfers), number(c.Agreed), share(c.Agreed, c.Transfers),
		number(c.Unscored), share(c.Unscored, c.Transfers))
	if c.Refused > 0 {
		p.line("%s rows could not be asked for", number(c.Refused))
	}
	if len(c.Matrix) > 0 {
		p.line("")
		p.line("Theirs in rows, ours in columns:")
		p.print(c.grid())
	}
	if len(c.Reasons) > 0 {
		p.line("")
		p.line("Why ours differs:")
		g := &grid{right: []bool{true}}
		for _, r := range c.Reasons {
			g.add(number(r.Transfers), Clean(r.Reason))
		}
		p.print(g)
	}
	if len(c.Differences) > 0 {
		p.line("")
		p.line("The first of them:")
		g := &grid{right: []bool{true}}
		g.add("row", "theirs", "ours", "transfer", "why")
		for _, d := range c.Differences {
			g.add(fmt.Sprint(d.Row), d.Theirs, d.Ours, Clean(d.Network+":"+d.Reference), Clean(d.Reason))
		}
		p.print(g)
	}
	for _, r := range c.Refusals {
		p.line("row %d: %s", r.Row, Clean(r.Reason))
	}
	return p.err
}

// grid is the matrix; columns that nothing is in are left out.
func (c *Comparison) grid() *grid {
	counts, ours := map[[2]string]int64{}, []string{}
	for _, cell := range c.Matrix {
		counts[[2]string{cell.Theirs, cell.Ours}] = cell.Transfers
		if !slices.Contains(ours, cell.Ours) {
			ours = append(ours, cell.Ours)
		}
	}
	g := &grid{}
	g.add(append([]string{""}, ours...)...)
	for range len(ours) + 1 {
		g.right = append(g.right, len(g.right) > 0)
	}
	for _, theirs := range Levels() {
		row := []string{theirs}
		for _, o := range ours {
			row = append(row, number(counts[[2]string{theirs, o}]))
		}
		g.add(row...)
	}
	return g
}

// share is a part in percent with one decimal.
func share(part, all int64) string {
	if all == 0 {
		return "0.0 %"
	}
	permille := (part*2000 + all) / (2 * all)
	return fmt.Sprintf("%d.%d %%", permille/10, permille%10)
}

// CompareJSON writes a comparison as JSON.
func CompareJSON(w io.Writer, c *Comparison) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(c)
}

// Differences writes disagreements as CSV while they are found.
type Differences struct {
	w     *csv.Writer
	began bool
}

// NewDifferences writes to w.
func NewDifferences(w io.Writer) *Differences { return &Differences{w: csv.NewWriter(w)} }

// Add writes one disagreement.
func (s *Differences) Add(d Difference) error {
	if err := s.header(); err != nil {
		return err
	}
	cells := []string{fmt.Sprint(d.Row), d.Network, d.Reference, d.Theirs, d.Ours, d.Reason, d.External}
	for i := range cells {
		cells[i] = neutral(strings.TrimSpace(cells[i]))
	}
	return s.w.Write(cells)
}

func (s *Differences) header() error {
	if s.began {
		return nil
	}
	s.began = true
	return s.w.Write([]string{"row", "network", "transfer_reference", "theirs", "ours", "reason", "external_id"})
}

// Close writes what is still held.
func (s *Differences) Close() error {
	if err := s.header(); err != nil {
		return err
	}
	s.w.Flush()
	return s.w.Error()
}
