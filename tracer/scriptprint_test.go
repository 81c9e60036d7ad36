package tracer_test

import (
	"fmt"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// render writes a trace as the scripts expect it.
func (s *script) render(tr *tracer.Trace, bounds bool) []string {
	var out []string
	several := len(tr.Seeds) > 1
	for _, h := range tr.Hops {
		line := fmt.Sprintf("hop %d: %s:%d %s -> %s %s of %s", h.ID, s.txs[h.Tx], h.Index, s.people[h.From], s.people[h.To], h.Dirty, h.Amount)
		for _, o := range h.FromOthers {
			line += ", also from " + s.people[o]
		}
		line += shares(h.Shares, several) + fmt.Sprintf(", depth %d", h.Depth)
		if h.Parent > 0 {
			line += fmt.Sprintf(" after hop %d", h.Parent)
		}
		if h.Grade != ledger.GradeProven {
			line += ", " + h.Grade.String()
		}
		out = append(out, line)
	}
	for _, x := range tr.Terminals {
		out = append(out, s.terminal(x, several, bounds))
	}
	for _, sheet := range tr.Sheets {
		out = append(out, "sheet: "+equation(sheet.Total, sheet.Conserves))
		for _, r := range sheet.Rows {
			if several {
				out = append(out, fmt.Sprintf("sheet %d: %s", r.Label, equation(r, sheet.Conserves)))
			}
		}
	}
	for _, o := range tr.Openings {
		out = append(out, fmt.Sprintf("opening: %s %s", s.people[o.Holder.Address], o.Deficit))
	}
	for _, in := range tr.Inputs {
		out = append(out, fmt.Sprintf("inputs: %s lower bound %s", s.txs[in.Tx], in.Assumed))
	}
	return out
}

func shares(segs []tracer.Segment, several bool) string {
	var parts []string
	for _, g := range segs {
		part := fmt.Sprint(g.Label)
		if !g.Amount.IsZero() {
			part += ":" + g.Amount.String()
		}
		parts = append(parts, part)
	}
	if !several {
		return ""
	}
	return " (" + strings.Join(parts, " ") + ")"
}

func (s *script) terminal(x tracer.Terminal, several, bounds bool) string {
	line := fmt.Sprintf("%s %s %s%s", x.Reason, s.people[x.Address], x.Dirty, shares(x.Shares, several))
	if bounds {
		line += fmt.Sprintf(" [%s..%s]", x.Low, x.High)
	}
	line += fmt.Sprintf(" by %s:%d", s.txs[x.Tx], x.Index)
	if !x.Via.IsZero() {
		line += " via " + s.people[x.Via]
	}
	line += fmt.Sprintf(", holds %s, %s", x.BalanceNow, x.Reason.Bucket())
	if holder := x.Reason.Holder(); holder != "" {
		line += ", " + holder
	}
	line += ", " + x.Reason.FreezableBy(x.Asset)
	if x.Reason == tracer.NotCovered || x.Reason == tracer.Pending {
		line += ", last " + x.LastKnown.String()
	}
	return line
}

// equation prints the columns that are not 0 as the sheet adds them up.
func equation(r tracer.Row, conserves bool) string {
	left, right := []string{}, []string{}
	for i, c := range columns(r) {
		if c.n.IsZero() {
			continue
		}
		text := c.name + " " + c.n.String()
		switch {
		case c.name == "collided" && conserves:
			left = append(left, "- "+text)
		case i < 3:
			left = append(left, text)
		default:
			right = append(right, text)
		}
	}
	if !conserves {
		return "does not conserve: " + strings.Join(append(left, right...), ", ")
	}
	if len(right) == 0 {
		right = []string{"0"}
	}
	return strings.Join(left, " ") + " = " + strings.Join(right, " + ")
}
