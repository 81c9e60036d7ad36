package render

import (
	"cmp"
	"io"
	"math/big"
	"strconv"
	"strings"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// diffRows is how many places, and hops, are shown without --all.
const diffRows = 40

// Diff prints in what two traces differ.
func Diff(w io.Writer, m *spoorv1.TraceDiff, s Style) error {
	p := &paper{w: w}
	for _, side := range []struct {
		name     string
		asOf     []*spoorv1.AsOf
		coverage []*spoorv1.Coverage
	}{{"Was", m.GetWasAsOf(), m.GetWasCoverage()}, {"Is", m.GetIsAsOf(), m.GetIsCoverage()}} {
		var at []string
		for _, a := range side.asOf {
			at = append(at, s.asOf(a))
		}
		p.line("%-4s as of %s", side.name, strings.Join(at, "; "))
		for _, c := range side.coverage {
			p.line("     %s", coverage(c))
		}
	}
	if a, b := m.GetWasPins().GetLabelSequence(), m.GetIsPins().GetLabelSequence(); a != b {
		p.line("Labels up to sequence %d, now %d", a, b)
	}
	p.line("")
	p.line("%s equal, %s changed; %s equal, %s changed", plural(m.GetSamePlaces(), "place", "places"), number(int64(len(m.GetPlaces()))),
		plural(m.GetSameHops(), "hop", "hops"), number(int64(len(m.GetHops()))))
	if len(m.GetSheets()) > 0 {
		g := &grid{}
		g.add("row", "was", "is", "more", "asset")
		for _, r := range m.GetSheets() {
			g.add(Clean(r.GetRow()), coins(r.GetWas(), r.GetAsset()), coins(r.GetIs(), r.GetAsset()), more(r.GetWas(), r.GetIs(), r.GetAsset()), symbol(r.GetAsset()))
		}
		p.line("")
		p.print(g)
	}
	if len(m.GetPlaces()) > 0 {
		g := &grid{}
		g.add("place", "reason", "was", "is", "more", "asset")
		for i, r := range m.GetPlaces() {
			if i == diffRows && !s.All {
				break
			}
			g.add(address(r.GetAsset().GetNetwork(), r.GetAddress()), Clean(r.GetReason()), coins(r.GetWas(), r.GetAsset()), coins(r.GetIs(), r.GetAsset()), more(r.GetWas(), r.GetIs(), r.GetAsset()), symbol(r.GetAsset()))
		}
		p.line("")
		p.print(g)
	}
	if len(m.GetHops()) > 0 {
		g := &grid{}
		g.add("hop", "from", "to", "was", "is", "asset")
		for i, h := range m.GetHops() {
			if i == diffRows && !s.All {
				break
			}
			g.add(Clean(h.GetKey()), address(h.GetAsset().GetNetwork(), h.GetFrom()), address(h.GetAsset().GetNetwork(), h.GetTo()), coins(h.GetWas(), h.GetAsset()), coins(h.GetIs(), h.GetAsset()), symbol(h.GetAsset()))
		}
		p.line("")
		p.print(g)
	}
	if n := max(len(m.GetPlaces()), len(m.GetHops())); n > diffRows && !s.All {
		p.line("and more: -o json and csv have all of it")
	}
	if !m.GetConserves() {
		p.line("NOT EVERY SHEET RE-ADDS (under poison none does).")
	}
	return p.err
}

// more is what was added, or with a minus was taken away, in coins.
func more(was, is string, a *spoorv1.Asset) string {
	x, _ := new(big.Int).SetString(was, 10)
	y, ok := new(big.Int).SetString(is, 10)
	if x == nil || !ok {
		return ""
	}
	d := y.Sub(y, x)
	if d.Sign() < 0 {
		return "-" + coins(d.Neg(d).String(), a)
	}
	return "+" + coins(d.String(), a)
}

// DiffCSV writes one row for each row of a sheet, place and hop that differs.
func DiffCSV(w io.Writer, m *spoorv1.TraceDiff) error {
	s := &records{header: []string{"kind", "what", "from", "to", "reason", "network", "asset", "decimals", "was", "is"}}
	cells := func(a *spoorv1.Asset) []string {
		return []string{a.GetNetwork(), cmp.Or(a.GetContract(), "native"), strconv.Itoa(int(a.GetDecimals()))}
	}
	for _, r := range m.GetSheets() {
		s.add(append(append([]string{"sheet", r.GetRow(), "", "", ""}, cells(r.GetAsset())...), r.GetWas(), r.GetIs())...)
	}
	for _, r := range m.GetPlaces() {
		s.add(append(append([]string{"place", r.GetAddress(), "", "", r.GetReason()}, cells(r.GetAsset())...), r.GetWas(), r.GetIs())...)
	}
	for _, h := range m.GetHops() {
		s.add(append(append([]string{"hop", h.GetKey(), h.GetFrom(), h.GetTo(), ""}, cells(h.GetAsset())...), h.GetWas(), h.GetIs())...)
	}
	return s.write(w)
}
