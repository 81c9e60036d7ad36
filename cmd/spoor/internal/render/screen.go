package render

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// Screenings prints the answers of a stream one by one.
type Screenings struct {
	w    io.Writer
	form string
	csv  *csv.Writer
}

// NewScreenings prints in a form: json (a line each), csv or table.
func NewScreenings(w io.Writer, form string) *Screenings {
	s := &Screenings{w: w, form: form}
	if form == "csv" {
		s.csv = csv.NewWriter(w)
	}
	return s
}

// Add prints one answer.
func (s *Screenings) Add(m *spoorv1.ScreenAddressesResponse) error {
	switch s.form {
	case "json":
		return JSON(s.w, m)
	case "csv":
		return s.record(m)
	}
	p := &paper{w: s.w}
	found := m.GetScreening()
	if e := m.GetError(); e != nil {
		p.line("%s: no score: %s", Clean(m.GetAddress()), Clean(e.GetMessage()))
		return p.err
	}
	score := "no score (" + Clean(found.GetState()) + ")"
	if found != nil && found.RiskScore != nil {
		score = Clean(found.GetRisk()) + " " + strconv.Itoa(int(found.GetRiskScore()))
	}
	p.line("%s: %s", Clean(m.GetAddress()), score)
	p.line("  %s", Clean(found.GetRiskReason()))
	for _, t := range found.GetTriggers() {
		p.line("  %s: %s", Clean(t.GetRuleId()), Clean(t.GetMessage()))
	}
	for _, l := range found.GetLimits() {
		p.line("  left out: %s", Clean(l))
	}
	return p.err
}

func (s *Screenings) record(m *spoorv1.ScreenAddressesResponse) error {
	found := m.GetScreening()
	if m.GetIndex() == 0 {
		if err := s.csv.Write([]string{"address", "risk", "risk_score", "state", "reason", "rules", "rule_version", "label_sequence", "error"}); err != nil {
			return err
		}
	}
	score, rules := "", ""
	if found != nil && found.RiskScore != nil {
		score = strconv.Itoa(int(found.GetRiskScore()))
	}
	for _, t := range found.GetTriggers() {
		rules += t.GetRuleId() + " "
	}
	row := []string{
		m.GetAddress(), found.GetRisk(), score, found.GetState(), found.GetRiskReason(), rules, found.GetRuleVersion(),
		strconv.FormatUint(found.GetLabelSequence(), 10), m.GetError().GetMessage(),
	}
	for i := range row {
		row[i] = neutral(row[i])
	}
	return s.csv.Write(row)
}

// End prints what is still held back.
func (s *Screenings) End() error {
	if s.csv == nil {
		return nil
	}
	s.csv.Flush()
	return s.csv.Error()
}

// Alerts prints alerts, the newest first.
func Alerts(w io.Writer, m *spoorv1.ListAlertsResponse, s Style) error {
	p := &paper{w: w}
	g := &grid{}
	g.add("id", "level", "status", "finality", "type", "of", "created", "why")
	for _, a := range m.GetAlerts() {
		g.add(alertCells(a, s.when(a.GetCreated()))...)
	}
	p.line("%s", plural(int64(len(m.GetAlerts())), "alert", "alerts"))
	if len(m.GetAlerts()) > 0 {
		p.print(g)
	}
	return p.err
}

func alertCells(a *spoorv1.Alert, when string) []string {
	of := a.GetAddress()
	if of == "" {
		of = a.GetExternalId()
	}
	return []string{Clean(a.GetId()), Clean(a.GetLevel()), Clean(a.GetStatus()), Clean(a.GetFinality()), Clean(a.GetType()), Clean(of), when, Clean(a.GetMessage())}
}

// AlertsCSV writes one row an alert.
func AlertsCSV(w io.Writer, m *spoorv1.ListAlertsResponse) error {
	s := &records{header: []string{"id", "level", "status", "finality", "type", "of", "created", "message"}}
	for _, a := range m.GetAlerts() {
		s.add(alertCells(a, utc(a.GetCreated()))...)
	}
	return s.write(w)
}

// Watches prints what is watched.
func Watches(w io.Writer, m *spoorv1.ListWatchesResponse, s Style) error {
	p := &paper{w: w}
	p.line("%s", plural(int64(len(m.GetWatches())), "watch", "watches"))
	g := &grid{}
	g.add("id", "what", "level", "own", "since", "told", "asked", "note")
	for _, x := range m.GetWatches() {
		g.add(Clean(x.GetId()), Clean(watched(x)), Clean(x.GetRisk()), strconv.FormatBool(x.GetOwn()), s.when(x.GetCreated()), Clean(strings.Join(x.GetNotify(), ", ")), s.when(x.GetAsked()), Clean(x.GetNote()))
	}
	if len(m.GetWatches()) > 0 {
		p.print(g)
	}
	for _, x := range m.GetWatches() {
		if x.GetTrouble() != "" {
			p.line("%s: %s", Clean(watched(x)), Clean(x.GetTrouble()))
		}
	}
	return p.err
}

// watched says in a few words what a watch is of.
func watched(x *spoorv1.Watch) string {
	switch n := len(x.GetRefs()); {
	case n == 1:
		return "trace of " + x.GetRefs()[0]
	case n > 1:
		return fmt.Sprintf("trace of %s and %d more", x.GetRefs()[0], n-1)
	}
	return x.GetAddress() + x.GetCase() + x.GetTrace()
}

// WatchesCSV writes one row a watch.
func WatchesCSV(w io.Writer, m *spoorv1.ListWatchesResponse) error {
	s := &records{header: []string{"id", "address", "risk", "own", "created", "note", "notify", "asked", "trouble"}}
	for _, x := range m.GetWatches() {
		s.add(x.GetId(), x.GetAddress()+x.GetCase()+x.GetTrace(), x.GetRisk(), strconv.FormatBool(x.GetOwn()), utc(x.GetCreated()), x.GetNote(), strings.Join(x.GetNotify(), " "), utc(x.GetAsked()), x.GetTrouble())
	}
	return s.write(w)
}

// Rules prints a rule file as it is.
func Rules(w io.Writer, m *spoorv1.RuleSet, _ Style) error {
	p := &paper{w: w}
	p.line("# version %s, %d rules, sha256 %s", Clean(m.GetVersion()), m.GetRules(), Clean(m.GetSha256()))
	if _, err := io.WriteString(w, m.GetText()); p.err == nil {
		p.err = err
	}
	return p.err
}

// RulesCSV writes its name.
func RulesCSV(w io.Writer, m *spoorv1.RuleSet) error {
	s := &records{header: []string{"version", "rules", "sha256"}}
	s.add(m.GetVersion(), strconv.Itoa(int(m.GetRules())), m.GetSha256())
	return s.write(w)
}

// RuleTest prints how many transfers have another level under other rules.
func RuleTest(w io.Writer, m *spoorv1.TestRulesResponse, _ Style) error {
	p := &paper{w: w}
	p.line("%s scored, %s of another level", plural(int64(m.GetTransfers()), "transfer", "transfers"), number(int64(m.GetChanged())))
	g := &grid{}
	g.add("level in force", "level tested", "transfers")
	for _, l := range m.GetLevels() {
		g.add(orNone(l.GetFrom()), orNone(l.GetTo()), number(int64(l.GetCount())))
	}
	p.print(g)
	for _, d := range m.GetDifferences() {
		p.line("  %s: %s, tested %s", Clean(d.GetExternalId()), orNone(d.GetFrom()), orNone(d.GetTo()))
	}
	return p.err
}

func orNone(level string) string {
	if level == "" {
		return "no score"
	}
	return Clean(level)
}

// RuleTestCSV writes one row a pair of levels.
func RuleTestCSV(w io.Writer, m *spoorv1.TestRulesResponse) error {
	s := &records{header: []string{"from", "to", "transfers"}}
	for _, l := range m.GetLevels() {
		s.add(l.GetFrom(), l.GetTo(), strconv.FormatUint(l.GetCount(), 10))
	}
	return s.write(w)
}
