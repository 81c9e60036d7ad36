package render

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// records is a table for programs: one header, one row a thing, times in UTC.
type records struct {
	header []string
	rows   [][]string
}

func (s *records) add(cells ...string) { s.rows = append(s.rows, cells) }

func (s *records) write(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(s.header); err != nil {
		return err
	}
	for _, row := range s.rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = neutral(cell)
		}
		if err := out.Write(safe); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// neutral keeps a spreadsheet from taking a cell for a formula, and a terminal
// from obeying it.
func neutral(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		cell = "'" + cell
	}
	return Clean(cell)
}

// amountColumns are the columns that every amount in CSV has. USD stays empty
// as long as no price with a source is known.
func amountColumns() []string {
	return []string{"amount_base", "decimals", "amount", "symbol", "usd", "usd_source"}
}

func amountCells(units string, a *spoorv1.Asset, usd, source string) []string {
	whole := ""
	if n, err := ledger.ParseAmount(units); err == nil {
		whole = n.Decimal(int(a.GetDecimals()))
	}
	return []string{units, strconv.Itoa(int(a.GetDecimals())), whole, a.GetSymbol(), usd, source}
}

func utc(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339Nano)
}

func heightCell(h *uint32) string {
	if h == nil {
		return ""
	}
	return strconv.FormatUint(uint64(*h), 10)
}

func labelCell(labels []*spoorv1.Label) string {
	var names []string
	for _, l := range labels {
		names = append(names, l.GetLabel())
	}
	return strings.Join(names, "; ")
}

func shareCell(shares []*spoorv1.Share) string {
	var parts []string
	for _, s := range shares {
		parts = append(parts, strconv.Itoa(int(s.GetSeed()))+"="+s.GetDirty())
	}
	return strings.Join(parts, " ")
}

func joined(parts ...[]string) []string {
	var all []string
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// HopsCSV writes one row a hop. The amount columns are those of the traced
// part; transfer_base is the whole transfer.
func HopsCSV(w io.Writer, t *spoorv1.Trace) error {
	s := &records{header: joined([]string{"hop", "parent", "depth", "network", "tx", "index", "height", "time", "from", "from_others", "from_labels", "to", "to_labels", "contract"},
		amountColumns(), []string{"transfer_base", "shares", "grade", "tier", "heuristic", "finality"}, crossingColumns())}
	for _, h := range t.GetHops() {
		a := h.GetAsset()
		s.add(joined([]string{
			strconv.Itoa(int(h.GetId())), strconv.Itoa(int(h.GetParent())), strconv.Itoa(int(h.GetDepth())), a.GetNetwork(), h.GetTx(), h.GetIndex(),
			heightCell(h.Height), utc(h.GetTime()), h.GetFrom(), strings.Join(h.GetFromOthers(), " "), labelCell(h.GetFromLabels()), h.GetTo(), labelCell(h.GetToLabels()), a.GetContract(),
		}, amountCells(h.GetDirty(), a, h.GetUsd(), h.GetUsdSource()), []string{h.GetAmount(), shareCell(h.GetShares()), h.GetGrade(), h.GetTier(), h.GetHeuristic(), h.GetFinality()}, crossingCells(h.GetCrossing()))...)
	}
	return s.write(w)
}

// TerminalsCSV writes one row a place, under each policy of the trace if it
// was asked for all of them.
func TerminalsCSV(w io.Writer, t *spoorv1.Trace) error {
	s := &records{header: joined([]string{"policy", "network", "address", "labels", "reason", "bucket", "contract"}, amountColumns(),
		[]string{"low_base", "high_base", "shares", "at", "via", "via_labels", "holder", "freezable_by", "balance_base", "arrived_at", "hop"})}
	results := t.GetPolicyResults()
	if len(results) == 0 {
		results = []*spoorv1.PolicyResult{{Policy: t.GetPolicy(), Terminals: t.GetTerminals()}}
	}
	for _, r := range results {
		for _, t := range r.GetTerminals() {
			a := t.GetAsset()
			s.add(joined([]string{r.GetPolicy(), a.GetNetwork(), t.GetAddress(), labelCell(t.GetLabels()), t.GetReason(), t.GetBucket(), a.GetContract()},
				amountCells(t.GetDirty(), a, t.GetUsd(), t.GetUsdSource()), []string{
					t.GetLow(), t.GetHigh(), shareCell(t.GetShares()), t.GetAt(), t.GetVia(), labelCell(t.GetViaLabels()), t.GetHolder(), t.GetFreezableBy(),
					t.GetBalanceNow(), utc(t.GetArrivedAt()), strconv.Itoa(int(t.GetHop())),
				})...)
		}
	}
	return s.write(w)
}

// ConservationCSV writes the sheets, amounts in base units.
func ConservationCSV(w io.Writer, t *spoorv1.Trace) error {
	s := &records{header: []string{
		"policy", "network", "contract", "symbol", "decimals", "seed", "seeded", "collided", "converted_in",
		"resting", "stopped", "burnt", "fees", "converted_out", "pruned", "pending", "conserves",
	}}
	results := t.GetPolicyResults()
	if len(results) == 0 {
		results = []*spoorv1.PolicyResult{{Policy: t.GetPolicy(), Conservation: t.GetConservation()}}
	}
	for _, r := range results {
		for _, c := range r.GetConservation() {
			a := c.GetAsset()
			row := []string{r.GetPolicy(), c.GetNetwork(), a.GetContract(), a.GetSymbol(), strconv.Itoa(int(a.GetDecimals())), strconv.Itoa(int(c.GetSeed()))}
			for _, i := range append(came(c), went(c)...) {
				row = append(row, i.units)
			}
			s.add(append(row, strconv.FormatBool(c.GetConserves()))...)
		}
	}
	return s.write(w)
}
