package render

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// maxSegments are shown of a payer's ledger; -o json has them all.
const maxSegments = 20

// Explained prints how one hop came about.
func Explained(w io.Writer, x *spoorv1.HopExplanation, s Style) error {
	p, h := &paper{w: w}, x.GetHop()
	network, unit := h.GetAsset().GetNetwork(), symbol(h.GetAsset())
	amount := func(units string) string { return coins(units, h.GetAsset()) + " " + unit }
	p.line("Hop %d of %s, depth %d, under %s", h.GetId(), number(x.GetHops()), h.GetDepth(), Clean(x.GetPolicy()))
	p.line("")
	p.line("Payment     %s, %s", s.when(h.GetTime()), Clean(h.GetKey()))
	held := "block " + Clean(x.GetBlockHash()) + ", from " + Clean(x.GetSource())
	if h.Height == nil {
		held = Clean(x.GetSource()) + ", of the files with the digest " + Clean(x.GetBlockHash())
	}
	p.line("Held in     %s; %s, status %s", held, Clean(h.GetGrade()), Clean(x.GetStatus()))
	p.line("From        %s", withTags(address(network, h.GetFrom()), h.GetFromLabels()))
	for _, other := range h.GetFromOthers() {
		p.line("            %s", address(network, other))
	}
	p.line("To          %s", withTags(address(network, h.GetTo()), h.GetToLabels()))
	p.line("Moved       %s, of it traced %s", amount(h.GetAmount()), amount(h.GetDirty()))
	p.line("Rule        %s: %s", Clean(x.GetPolicy()), Clean(x.GetRule()))
	p.line("Here        %s (in base units)", Clean(x.GetArithmetic()))
	payerLedger(p, x, amount)
	segments(p, "What the hop carries", x.GetCarried(), amount)
	outcome(p, x.GetPayee(), amount)
	p.line("")
	b := x.GetBounds()
	p.line("Limits      depth %d, %s, %s of one account, %s; %s were replayed", b.GetMaxHops(), plural(b.GetMaxEvents(), "event", "events"),
		number(b.GetAccountEvents()), plural(b.GetServicePayees(), "payee of a service", "payees of a service"), number(x.GetEvents()))
	for _, rate := range x.GetErrorRates() {
		p.line("Measured    %s", Clean(rate))
	}
	return p.err
}

// payerLedger prints what the payer had and what was taken of it.
func payerLedger(p *paper, x *spoorv1.HopExplanation, amount func(string) string) {
	l := x.GetPayer()
	switch l.GetKind() {
	case "CLEAN":
		return
	case "CROSSING":
		p.line("")
		p.line("It was paid out by the crossing of hop %d.", l.GetCrossingHop())
		return
	}
	title := "What the payer held just before, in the order of the rule"
	if l.GetKind() == "INPUTS" {
		title = "The inputs in line"
	}
	segments(p, title+": "+amount(l.GetTotal())+", traced "+amount(l.GetTraced()), l.GetHeld(), amount)
	if l.GetKind() == "ACCOUNT" {
		p.line("    Its ledger opened with %s that are clean: its balance before its first traced credit%s.", amount(l.GetOpening()), assumed(l.GetOpeningAssumed(), amount))
	}
	hopList(p, "    Brought by", l.GetBrought(), amount)
	hopList(p, "    Paid before by", l.GetPaidBefore(), amount)
	segments(p, "What the rule took", l.GetTaken(), amount)
	if l.GetKind() == "ACCOUNT" {
		segments(p, "What the payer kept", l.GetLeft(), amount)
	}
}

func assumed(units string, amount func(string) string) string {
	if units == "" || units == "0" {
		return ""
	}
	return " (at least " + amount(units) + " of which is not in the index: assumed, a lower bound)"
}

func segments(p *paper, title string, all []*spoorv1.LedgerSegment, amount func(string) string) {
	p.line("")
	if len(all) == 0 {
		p.line("%s: nothing", title)
		return
	}
	p.line("%s", title)
	for i, one := range all[:min(len(all), maxSegments)] {
		owner := "clean"
		switch {
		case one.GetSeed() > 0:
			owner = fmt.Sprintf("traced, of payment %d", one.GetSeed())
		case one.GetTraced():
			owner = "traced"
		}
		p.line("    %d. %s %s", i+1, amount(one.GetAmount()), owner)
	}
	if more := len(all) - maxSegments; more > 0 {
		p.line("    and %s more (-o json has all)", number(int64(more)))
	}
}

func hopList(p *paper, title string, all []*spoorv1.HopAmount, amount func(string) string) {
	var parts []string
	for _, h := range all[:min(len(all), maxSegments)] {
		parts = append(parts, "hop "+strconv.Itoa(int(h.GetHop()))+" ("+amount(h.GetDirty())+")")
	}
	if more := len(all) - maxSegments; more > 0 {
		parts = append(parts, "and "+number(int64(more))+" more")
	}
	if len(parts) > 0 {
		p.line("%s %s", title, strings.Join(parts, ", "))
	}
}

// outcome prints what became of the hop's units.
func outcome(p *paper, m *spoorv1.PayeeOutcome, amount func(string) string) {
	p.line("")
	words := map[string]string{
		"OPENED": "It opened the payee's ledger", "ADDED": "It was added to the payee's ledger", "COIN": "It is a coin", "STOPPED": "The trace ends here", "CROSSED": "It went on in another asset",
	}
	p.line("%s: %s.", words[m.GetOutcome()], Clean(m.GetBecause()))
	if l := m.GetDecidedBy(); l != nil {
		p.line("    %s: %s (%s), confidence %d, from %s", Clean(m.GetReason()), Clean(l.GetLabel()), Clean(l.GetCategory()), l.GetConfidence(), Clean(l.GetSource()))
	} else if m.GetOutcome() == "STOPPED" {
		p.line("    %s", Clean(m.GetReason()))
	}
	if m.GetOutcome() == "OPENED" {
		p.line("    The payee had %s of its own%s.", amount(m.GetOpening()), assumed(m.GetOpeningAssumed(), amount))
	}
	if n := len(m.GetWentOn()); n > 0 {
		var ids []string
		for _, id := range m.GetWentOn()[:min(n, maxSegments)] {
			ids = append(ids, strconv.Itoa(int(id)))
		}
		p.line("    First went on in %s: %s", plural(int64(n), "hop", "hops"), strings.Join(ids, ", "))
	}
	if m.GetRests() != "0" {
		p.line("    At the end of the trace %s rest there (%s).", amount(m.GetRests()), Clean(m.GetReason()))
	}
}

// ExplainedCSV writes a row for each segment of the payer's ledger and of the hop.
func ExplainedCSV(w io.Writer, x *spoorv1.HopExplanation) error {
	s := &records{header: joined([]string{"hop", "part", "place", "seed", "traced"}, amountColumns())}
	for _, part := range []struct {
		name string
		all  []*spoorv1.LedgerSegment
	}{{"held", x.GetPayer().GetHeld()}, {"taken", x.GetPayer().GetTaken()}, {"left", x.GetPayer().GetLeft()}, {"carried", x.GetCarried()}} {
		for i, one := range part.all {
			s.add(joined([]string{
				strconv.Itoa(int(x.GetHop().GetId())), part.name, strconv.Itoa(i + 1), strconv.Itoa(int(one.GetSeed())), strconv.FormatBool(one.GetTraced()),
			}, amountCells(one.GetAmount(), x.GetHop().GetAsset(), "", ""))...)
		}
	}
	return s.write(w)
}
