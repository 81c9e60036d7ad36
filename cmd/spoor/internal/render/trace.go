package render

import (
	"io"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// Trace prints a trace for people: what was asked and what it rests on, the
// tree of hops, the places where the money is, the sheet that adds it up, and
// what had to be assumed.
func Trace(w io.Writer, t *spoorv1.Trace, s Style) error {
	v := newTraceView(t, s)
	p := &paper{w: w}
	v.head(p)
	v.tree(p)
	v.places(p)
	v.sheets(p)
	v.assumptions(p)
	return p.err
}

// traceView is a trace with what its parts need of each other.
type traceView struct {
	*spoorv1.Trace
	style  Style
	seeded map[string]ledger.Amount // by assetKey, all payments
}

// phrases are how a direction is told.
type phrases struct{ hops, prev, places string }

func (v *traceView) upstream() bool {
	return v.GetRequest().GetDirection() == spoorv1.Direction_DIRECTION_UPSTREAM
}

func (v *traceView) words() phrases {
	if v.upstream() {
		return phrases{"What paid for it", "prev is the hop that a hop paid for.", "Where it came from"}
	}
	return phrases{"Where it went", "prev is the hop that first brought traced money to the payer.", "Where it is"}
}

// note says in words what a reason means where the word alone may mislead.
func (v *traceView) note(reason string) string {
	if v.upstream() && reason == "NOT_COVERED" {
		return " (what came before is not held)"
	}
	return reasonNote(reason)
}

func newTraceView(t *spoorv1.Trace, s Style) *traceView {
	v := &traceView{Trace: t, style: s, seeded: map[string]ledger.Amount{}}
	for _, c := range t.GetConservation() {
		if c.GetSeed() == 0 {
			v.seeded[assetKey(c.GetAsset())] = amountOf(c.GetSeeded())
		}
	}
	return v
}

func assetKey(a *spoorv1.Asset) string {
	return a.GetNetwork() + ":" + a.GetContract() + "#" + a.GetTokenId()
}

// share is the part of all the victims' money that an amount is.
func (v *traceView) share(units string, a *spoorv1.Asset) string {
	return percent(amountOf(units), v.seeded[assetKey(a)])
}

// paymentOf is the payment whose clock a row goes by: that of its first share.
func (v *traceView) paymentOf(shares []*spoorv1.Share) *spoorv1.Seed {
	for _, share := range shares {
		if n := int(share.GetSeed()); n >= 1 && n <= len(v.GetSeeds()) {
			return v.GetSeeds()[n-1]
		}
	}
	if len(v.GetSeeds()) > 0 {
		return v.GetSeeds()[0]
	}
	return nil
}

// shownSeeds is how many payments are listed unless all are asked for.
const shownSeeds = 20

func (v *traceView) head(p *paper) {
	for i, seed := range v.GetSeeds() {
		if i == shownSeeds && !v.style.All {
			p.line("           and %s more (--all)", plural(int64(len(v.GetSeeds())-i), "payment", "payments"))
			break
		}
		p.line("Payment %-2d %s to %s", seed.GetId(), money(seed.GetAmount(), seed.GetAsset()), address(seed.GetAsset().GetNetwork(), seed.GetAddress()))
		p.line("           %s, %s:%s:%s", v.style.when(seed.GetTime()), Clean(seed.GetAsset().GetNetwork()), Clean(seed.GetTx()), Clean(seed.GetIndex()))
	}
	about := ""
	if policy, err := tracer.PolicyByName(v.GetPolicy()); err == nil {
		about = ": " + policy.About
	}
	p.line("Policy     %s%s", Clean(v.GetPolicy()), about)
	for _, a := range v.GetAsOf() {
		p.line("As of      %s; label log entry %d; rules %s", v.style.asOf(a), v.GetPins().GetLabelSequence(), Clean(v.GetPins().GetRuleVersion()))
	}
	for _, c := range v.GetCoverage() {
		p.line("Coverage   %s", coverage(c))
	}
	b := v.GetBounds()
	for _, f := range b.GetFloors() {
		p.line("Limits     below %s pruned, %s, service above %s, %s", money(f.GetAmount(), f.GetAsset()), plural(int64(b.GetMaxHops()), "hop", "hops"),
			payees(b.GetServicePayees()), plural(b.GetMaxEvents(), "event", "events"))
	}
}

func payees(n int64) string {
	if n == 0 {
		return "any number of payees: never"
	}
	return plural(n, "payee", "payees")
}

func (v *traceView) assumptions(p *paper) {
	openings, inputs := v.GetAccountsWithAssumedOpening(), v.GetTransactionsWithAssumedInputs()
	if len(openings)+len(inputs) == 0 {
		return
	}
	p.line("")
	p.line("Assumed (each a lower bound)")
	g := &grid{right: []bool{true}}
	rest := 0
	for _, o := range openings {
		if len(g.rows) == shownSeeds && !v.style.All {
			rest++
			continue
		}
		g.add(money(o.GetOpening(), o.GetAsset()), "held before by "+address(o.GetAsset().GetNetwork(), o.GetAddress()))
	}
	for _, i := range inputs {
		if len(g.rows) == shownSeeds && !v.style.All {
			rest++
			continue
		}
		native := &spoorv1.Asset{Network: i.GetNetwork(), Decimals: nativeDecimals(i.GetNetwork())}
		g.add(money(i.GetAmount(), native), "in inputs of "+Clean(i.GetTx())+" whose coins are not held")
	}
	p.print(g)
	if rest > 0 {
		p.line("  and %d more (--all)", rest)
	}
}

func nativeDecimals(network string) uint32 {
	return uint32(ledger.InfoOf(ledger.NativeAsset(ledger.Chain(network))).Decimals)
}
