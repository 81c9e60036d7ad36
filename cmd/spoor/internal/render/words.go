package render

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// assetOf reads an asset's identity; false when it has none that the ledger knows.
func assetOf(a *spoorv1.Asset) (ledger.Asset, bool) {
	asset := ledger.Asset{Chain: ledger.Chain(a.GetNetwork()), TokenID: a.GetTokenId()}
	if a.GetContract() == "" {
		return asset, true
	}
	contract, err := ledger.ParseAddress(asset.Chain, a.GetContract())
	asset.Contract = contract
	return asset, err == nil
}

// symbol names an asset. A token that claims the name of another is told from
// it by its contract, which is printed with every token that is not well known.
func symbol(a *spoorv1.Asset) string {
	asset, ok := assetOf(a)
	if info := ledger.InfoOf(asset); ok && info.Known {
		return info.Symbol
	}
	if asset.Contract.Kind == ledger.KindNamed { // a service's name for what it holds is no claim of a contract's
		entity, _ := asset.Chain.Service()
		return Clean(asset.Contract.Payload + " at " + entity)
	}
	name := "units"
	if s := a.GetSymbol(); s != "" {
		name = "\"" + Clean(s) + "\""
	}
	return name + " of " + Clean(a.GetContract())
}

// coins prints base units as whole coins, without the symbol; "?" for nothing.
func coins(units string, a *spoorv1.Asset) string {
	if units == "" {
		return "?"
	}
	n, err := ledger.ParseAmount(units)
	if err != nil {
		return Clean(units)
	}
	return n.Coins(int(a.GetDecimals()))
}

func money(units string, a *spoorv1.Asset) string { return coins(units, a) + " " + symbol(a) }

// amountOf reads base units; what is no number counts nothing.
func amountOf(units string) ledger.Amount {
	n, err := ledger.ParseAmount(units)
	if err != nil {
		return ledger.Amount{}
	}
	return n
}

// percent prints part of whole, cut (not rounded) to a hundredth.
func percent(part, whole ledger.Amount) string {
	switch {
	case whole.IsZero():
		return ""
	case whole.Less(part):
		return ">100%"
	}
	q, r := part.MulDiv(ledger.NewAmount(10_000), whole)
	n, _ := q.Uint64()
	switch {
	case n == 0 && !r.IsZero():
		return "<0.01%"
	case n%100 == 0:
		return strconv.FormatUint(n/100, 10) + "%"
	}
	return fmt.Sprintf("%d.%02d%%", n/100, n%100)
}

func number(n int64) string { return ledger.NewAmount(uint64(max(n, 0))).Coins(0) }

// plural prints a count with its noun: "1 hop", "2 hops".
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// address prints an owner in full, but for scripts that no explorer shows as
// such: a pay-to-pubkey script by the address of its key, longer ones by both
// ends. JSON and CSV have them whole.
func address(network, s string) string {
	if !strings.HasPrefix(s, "script:") {
		return Clean(s)
	}
	if a, err := ledger.ParseAddress(ledger.Chain(network), s); err == nil {
		if hash, ok := a.PubKeyHashOf(); ok {
			return "P2PK of " + hash.String()
		}
	}
	if digits := strings.TrimPrefix(s, "script:"); len(digits) > 80 {
		return fmt.Sprintf("script of %d bytes %s..%s", len(digits)/2, Clean(digits[:16]), Clean(digits[len(digits)-16:]))
	}
	return Clean(s)
}

// tags prints the labels of an address in brackets, each once.
func tags(labels []*spoorv1.Label) string {
	var names []string
	seen := map[string]bool{}
	for _, l := range labels {
		name := Clean(l.GetLabel())
		if c := l.GetCategory(); c != "" && c != "none" {
			name += " (" + Clean(c) + ")"
		}
		if l.GetRetractedSequence() == 0 && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "[" + strings.Join(names, "] [") + "]"
}

func withTags(s string, labels []*spoorv1.Label) string {
	if t := tags(labels); t != "" {
		return s + " " + t
	}
	return s
}

const clock = "2006-01-02 15:04:05"

// when prints a time in UTC, and in the zone of the style beside it.
func (s Style) when(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	text := t.AsTime().Format(clock) + " UTC"
	if s.Zone != nil {
		local := t.AsTime().In(s.Zone)
		text += " (" + local.Format(clock) + " " + local.Format("-07:00") + ")"
	}
	return text
}

// since prints how long after a payment something was, in its two largest
// units: "+2h05m", "+41d02h". Block times may run backwards: "-7m00s".
func since(t, payment *timestamppb.Timestamp) string {
	if t == nil || payment == nil {
		return ""
	}
	d, sign := t.AsTime().Sub(payment.AsTime()).Truncate(time.Second), "+"
	if d < 0 {
		d, sign = -d, "-"
	}
	second := int64(d / time.Second)
	switch {
	case second < 60:
		return fmt.Sprintf("%s%ds", sign, second)
	case second < 3600:
		return fmt.Sprintf("%s%dm%02ds", sign, second/60, second%60)
	case second < 86400:
		return fmt.Sprintf("%s%dh%02dm", sign, second/3600, second/60%60)
	}
	return fmt.Sprintf("%s%dd%02dh", sign, second/86400, second/3600%24)
}

// asOf prints a data cut-off.
func (s Style) asOf(a *spoorv1.AsOf) string {
	if a.GetTime() == nil {
		return Clean(a.GetNetwork()) + ": nothing is held"
	}
	text := Clean(a.GetNetwork()) + ": "
	if a.Height != nil {
		return text + "block " + number(int64(a.GetHeight())) + " of " + s.when(a.GetTime())
	}
	return text + "last transfer " + s.when(a.GetTime())
}

func coverage(c *spoorv1.Coverage) string {
	text := Clean(c.GetNetwork()) + ": " + Clean(c.GetState())
	if d := c.GetDetail(); d != "" {
		text += ", " + Clean(d)
	}
	if m := c.GetMissing(); len(m) > 0 {
		text += "; not held: " + Clean(strings.Join(m, ", "))
	}
	return text
}

// column prints a time for a column that says UTC.
func (s Style) column(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	text := t.AsTime().Format(clock)
	if s.Zone != nil {
		text += " (" + t.AsTime().In(s.Zone).Format("01-02 15:04:05 -07:00") + ")"
	}
	return text
}
