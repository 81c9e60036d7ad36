package render

import (
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// shownPlaces is how many places are printed unless all are asked for.
const shownPlaces = 20

// place is an address with all that ends there for one reason.
type place struct {
	*spoorv1.Terminal // the arrival with most money
	arrivals          []*spoorv1.Terminal
	total             ledger.Amount
}

// places prints where the money is, most of it first. What fell below the
// floor is summed up: it is many small amounts that nobody follows.
func (v *traceView) places(p *paper) {
	all := gather(v.GetTerminals())
	var listed []*place
	var rest []*spoorv1.Terminal
	for _, at := range all {
		if v.style.All || at.GetReason() != "PRUNED" && len(listed) < shownPlaces {
			listed = append(listed, at)
		} else {
			rest = append(rest, at.arrivals...)
		}
	}
	p.line("")
	p.line("%s: %s, most money first", v.words().places, plural(int64(len(all)), "place", "places"))
	for i, at := range listed {
		v.place(p, i+1, at)
	}
	for _, sum := range sumUp(rest) {
		p.line("  and %s more at other places, %s (--all)", sum.amount.Coins(int(sum.asset.GetDecimals()))+" "+symbol(sum.asset), Clean(sum.reason))
	}
}

// gather puts the arrivals at one address for one reason together.
func gather(terminals []*spoorv1.Terminal) []*place {
	var all []*place
	at := map[string]*place{}
	for _, t := range terminals {
		key := assetKey(t.GetAsset()) + "|" + t.GetAddress() + "|" + t.GetReason()
		if at[key] == nil {
			at[key] = &place{Terminal: t}
			all = append(all, at[key])
		}
		one := at[key]
		one.arrivals = append(one.arrivals, t)
		if total, err := one.total.Add(amountOf(t.GetDirty())); err == nil {
			one.total = total
		}
	}
	slices.SortStableFunc(all, func(a, b *place) int { return b.total.Cmp(a.total) })
	return all
}

func (v *traceView) place(p *paper, n int, at *place) {
	network, total := at.GetAsset().GetNetwork(), at.total.String()
	owner := withTags(address(network, at.GetAddress()), at.GetLabels())
	if at.GetAddress() == "" {
		owner = "no address"
	}
	p.line("%3d. %s  %s  %s", n, money(total, at.GetAsset()), v.share(total, at.GetAsset()), owner)
	p.line("     %s", strings.Join(v.facts(at), "; "))
	shown := len(at.arrivals)
	if shown > shownArrivals && !v.style.All {
		shown = shownArrivals
	}
	for i, t := range at.arrivals[:shown] {
		amount := ""
		if len(at.arrivals) > 1 {
			amount = money(t.GetDirty(), t.GetAsset()) + " "
		}
		payment := v.paymentOf(t.GetShares())
		p.line("     %ssince %s (%s), %s", amount, v.style.when(t.GetArrivedAt()), since(t.GetArrivedAt(), payment.GetTime()), Clean(t.GetAt()))
		last := i == shown-1 || at.arrivals[i+1].GetVia() != t.GetVia()
		if last && t.GetVia() != "" && t.GetVia() != t.GetAddress() {
			p.line("     %s%s", viaNote(t.GetReason()), withTags(address(network, t.GetVia()), t.GetViaLabels()))
		}
	}
	if rest := at.arrivals[shown:]; len(rest) > 0 {
		p.line("     and %s more in %s (--all)", money(sumUp(rest)[0].amount.String(), at.GetAsset()), plural(int64(len(rest)), "arrival", "arrivals"))
	}
}

// shownArrivals is how many arrivals at one place are printed unless all are asked for.
const shownArrivals = 5

// facts says why the money ends at a place, who holds it, and who can stop it.
func (v *traceView) facts(at *place) []string {
	facts := []string{Clean(at.GetReason()) + v.note(at.GetReason())}
	if at.GetHolder() != "" {
		facts = append(facts, "holder: "+Clean(at.GetHolder()))
	}
	if at.GetFreezableBy() != "" && !v.upstream() {
		facts = append(facts, "who can freeze it: "+Clean(at.GetFreezableBy()))
	}
	for _, r := range v.GetPolicyRanges() {
		if r.GetAddress() == at.GetAddress() && assetKey(r.GetAsset()) == assetKey(at.GetAsset()) && r.GetLow() != r.GetHigh() {
			facts = append(facts, "other rules: "+coins(r.GetLow(), r.GetAsset())+" to "+coins(r.GetHigh(), r.GetAsset()))
		}
	}
	if low, high := at.GetLow(), at.GetHigh(); len(at.arrivals) == 1 && high != "" && low != high && !at.GetBoundsTrivial() && !v.upstream() {
		facts = append(facts, "any rule: "+coins(low, at.GetAsset())+" to "+coins(high, at.GetAsset()))
	}
	if b := at.GetBalanceNow(); b != "" && at.GetReason() == "UNSPENT" && len(at.arrivals) == 1 && b != at.GetDirty() {
		facts = append(facts, "balance at the cut-off: "+money(b, at.GetAsset()))
	}
	if pos := at.GetPosition(); pos != nil && at.GetReason() == "PENDING" {
		facts = append(facts, "position reached: "+v.style.position(pos))
	}
	return facts
}

func (s Style) position(p *spoorv1.Position) string {
	switch {
	case p.Height != nil && p.GetTime() != nil:
		return "block " + number(int64(p.GetHeight())) + ", " + s.when(p.GetTime())
	case p.Height != nil:
		return "block " + number(int64(p.GetHeight()))
	}
	return s.when(p.GetTime())
}

// reasonNote says in words what a reason means where the word alone may mislead.
func reasonNote(reason string) string {
	switch reason {
	case "NOT_COVERED":
		return " (what came after is not held; it may have moved)"
	case "ISSUED":
		return " (minted, or a block's reward)"
	case "PENDING":
		return " (a limit ended the trace here)"
	case "SUSPECTED_SERVICE":
		return " (by the number of its payees, not by a label)"
	}
	return ""
}

// viaNote names the address before: at a service it often is the customer's.
func viaNote(reason string) string {
	switch reason {
	case "SERVICE", "SUSPECTED_SERVICE", "DEPOSIT_ADDRESS":
		return "paid in by (often the customer's deposit address) "
	}
	return "came from "
}

type sum struct {
	asset  *spoorv1.Asset
	reason string
	amount ledger.Amount
	n      int
}

// sumUp adds terminals by asset and reason, in the order in which they first occur.
func sumUp(terminals []*spoorv1.Terminal) []*sum {
	var sums []*sum
	at := map[string]*sum{}
	for _, t := range terminals {
		key := assetKey(t.GetAsset()) + t.GetReason()
		if at[key] == nil {
			at[key] = &sum{asset: t.GetAsset(), reason: t.GetReason()}
			sums = append(sums, at[key])
		}
		s := at[key]
		s.n++
		if total, err := s.amount.Add(amountOf(t.GetDirty())); err == nil {
			s.amount = total
		}
	}
	return sums
}
