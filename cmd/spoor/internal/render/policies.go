package render

import (
	"io"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// Policies prints the places of a trace under several policies side by side,
// and under the columns their sheets. names picks the policies, nil all that
// the trace has. The trace must have been asked for with all_policies.
func Policies(w io.Writer, t *spoorv1.Trace, names []string, s Style) error {
	var results []*spoorv1.PolicyResult
	for _, r := range t.GetPolicyResults() {
		if names == nil || slices.Contains(names, r.GetPolicy()) {
			results = append(results, r)
		}
	}
	p := &paper{w: w}
	p.line("Side by side: the same payment under %s", plural(int64(len(results)), "rule", "rules"))
	for _, r := range results {
		if policy, err := tracer.PolicyByName(r.GetPolicy()); err == nil {
			p.line("  %-12s %s", policy.Name, policy.About)
		}
	}
	p.line("")
	sideBySide(p, results, s)
	p.line("")
	p.line("Do they add up?")
	for _, r := range results {
		for _, c := range r.GetConservation() {
			if c.GetSeed() == 0 {
				p.line("  %-12s %s: %s %s", Clean(r.GetPolicy()), symbol(c.GetAsset()), sheetText(c), verdict(c))
			}
		}
	}
	return p.err
}

// placeKey is one row of the comparison: what of an asset ends at an address, and why.
type placeKey struct{ asset, address, reason string }

type placeRow struct {
	terminal *spoorv1.Terminal
	amounts  []ledger.Amount
	most     ledger.Amount
}

// compare gathers the places of all results, most money first.
func compare(results []*spoorv1.PolicyResult) []*placeRow {
	rows := map[placeKey]*placeRow{}
	var ordered []*placeRow
	for i, r := range results {
		for _, t := range r.GetTerminals() {
			key := placeKey{assetKey(t.GetAsset()), t.GetAddress(), t.GetReason()}
			if t.GetReason() == "PRUNED" {
				key.address = ""
			}
			row := rows[key]
			if row == nil {
				row = &placeRow{terminal: t, amounts: make([]ledger.Amount, len(results))}
				rows[key] = row
				ordered = append(ordered, row)
			}
			if total, err := row.amounts[i].Add(amountOf(t.GetDirty())); err == nil {
				row.amounts[i] = total
			}
			row.most = ledger.Max(row.most, row.amounts[i])
		}
	}
	slices.SortStableFunc(ordered, func(a, b *placeRow) int { return b.most.Cmp(a.most) })
	return ordered
}

func sideBySide(p *paper, results []*spoorv1.PolicyResult, s Style) {
	g := &grid{}
	var header []string
	for _, r := range results {
		header = append(header, Clean(r.GetPolicy()))
		g.right = append(g.right, true)
	}
	g.add(append(header, "", "reason", "where")...)
	rows := compare(results)
	for i, row := range rows {
		if i == shownPlaces && !s.All {
			break
		}
		t := row.terminal
		var cells []string
		for _, a := range row.amounts {
			cells = append(cells, a.Coins(int(t.GetAsset().GetDecimals())))
		}
		where := withTags(address(t.GetAsset().GetNetwork(), t.GetAddress()), t.GetLabels())
		if t.GetReason() == "PRUNED" {
			where = "transfers below the floor"
		}
		g.add(append(cells, symbol(t.GetAsset()), Clean(t.GetReason()), where)...)
	}
	p.print(g)
	if n := len(rows); n > shownPlaces && !s.All {
		p.line("  and %s more (--all)", plural(int64(n-shownPlaces), "place", "places"))
	}
}
