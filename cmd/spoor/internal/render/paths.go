package render

import (
	"io"
	"strconv"
	"strings"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// Paths prints how money got from one address to another.
func Paths(w io.Writer, m *spoorv1.FindPathsResponse, s Style) error {
	p := &paper{w: w}
	for i, path := range m.GetPaths() {
		p.line("%d. %s %s in %s", i+1, coins(path.GetWidth(), path.GetAsset()), symbol(path.GetAsset()), plural(int64(len(path.GetSteps())), "payment", "payments"))
		g := &grid{right: []bool{true, true}}
		for j, step := range path.GetSteps() {
			if j == 0 {
				g.add("", "", "", "", "from "+address(path.GetAsset().GetNetwork(), step.GetFrom()))
			}
			g.add("", coins(step.GetAmount(), path.GetAsset()), symbol(path.GetAsset()), s.column(step.GetTime()), "to "+withTags(address(path.GetAsset().GetNetwork(), step.GetTo()), step.GetToLabels()), Clean(step.GetRef()))
		}
		p.print(g)
	}
	switch {
	case m.GetOutcome() == "NONE_IN_INDEX":
		p.line("The index holds no such path, however long.")
	case m.GetOutcome() == "NONE_WITHIN_LIMITS":
		p.line("No path was found, and not everything was looked at.")
	case m.GetMore():
		p.line("and more (--limit)")
	}
	for _, search := range m.GetSearched() {
		p.line("Looked at   %s: %s", symbol(search.GetAsset()), searched(search))
	}
	if m.GetAssetsCut() {
		p.line("Looked at   some of the assets only (--asset names one)")
	}
	p.line("As of       %s", s.asOf(m.GetAsOf()))
	p.line("Coverage    %s", coverage(m.GetCoverage()))
	return p.err
}

// searched says what a search read and where it was cut.
func searched(m *spoorv1.PathSearch) string {
	parts := []string{plural(m.GetEvents(), "payment", "payments")}
	if n := m.GetServices(); n > 0 {
		parts = append(parts, "stopped at "+plural(n, "service", "services"))
	}
	if n := m.GetBusyAccounts(); n > 0 {
		parts = append(parts, "of "+plural(n, "busy account", "busy accounts")+" only the first payments")
	}
	if n := m.GetAtMaxHops(); n > 0 {
		parts = append(parts, "went no further at "+plural(n, "place", "places")+" (--max-hops)")
	}
	if m.GetBudgetSpent() {
		parts = append(parts, "the budget was spent (--from and --to ask for less)")
	}
	return strings.Join(parts, ", ")
}

// PathsCSV writes a row for each step.
func PathsCSV(w io.Writer, m *spoorv1.FindPathsResponse) error {
	s := &records{header: joined([]string{"path", "step", "ref", "from", "to", "to_labels", "time"}, amountColumns())}
	for i, path := range m.GetPaths() {
		for j, step := range path.GetSteps() {
			s.add(joined([]string{
				strconv.Itoa(i + 1), strconv.Itoa(j + 1), step.GetRef(), step.GetFrom(), step.GetTo(), labelCell(step.GetToLabels()), utc(step.GetTime()),
			}, amountCells(step.GetAmount(), path.GetAsset(), "", ""))...)
		}
	}
	return s.write(w)
}
