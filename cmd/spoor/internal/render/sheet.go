package render

import (
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// sheets prints each row of conservation as a sum, added up again here.
func (v *traceView) sheets(p *paper) {
	p.line("")
	p.line("Does it add up?")
	rows := 0
	for _, c := range v.GetConservation() {
		if c.GetSeed() != 0 && len(v.GetSeeds()) == 1 {
			continue // the same as the row of all payments
		}
		if rows++; rows > shownPlaces && !v.style.All {
			p.line("  and more rows (--all)")
			return
		}
		who := "all"
		if c.GetSeed() != 0 {
			who = "payment " + strconv.Itoa(int(c.GetSeed()))
		}
		if len(v.GetSeeds()) == 1 {
			who = symbol(c.GetAsset())
		} else {
			who += " " + symbol(c.GetAsset())
		}
		p.line("  %s: %s %s", who, sheetText(c), verdict(c))
	}
}

// item is one amount of a sheet.
type item struct{ name, units string }

func came(c *spoorv1.Conservation) []item {
	return []item{{"seeded", c.GetSeeded()}, {"collided", c.GetCollided()}, {"converted in", c.GetConvertedIn()}}
}

func went(c *spoorv1.Conservation) []item {
	return []item{
		{"resting", c.GetResting()},
		{"stopped", c.GetStopped()},
		{"burnt", c.GetBurnt()},
		{"fees", c.GetFees()},
		{"converted out", c.GetConvertedOut()},
		{"pruned", c.GetPruned()},
		{"pending", c.GetPending()},
	}
}

// sheetText writes "seeded 5 = resting 3 + stopped 2"; what is 0 is left out.
func sheetText(c *spoorv1.Conservation) string {
	left := "seeded " + coins(c.GetSeeded(), c.GetAsset())
	for _, i := range came(c)[1:] {
		if !amountOf(i.units).IsZero() {
			sign := map[string]string{"collided": " - ", "converted in": " + "}[i.name]
			left += sign + i.name + " " + coins(i.units, c.GetAsset())
		}
	}
	var right []string
	for _, i := range went(c) {
		if !amountOf(i.units).IsZero() {
			right = append(right, i.name+" "+coins(i.units, c.GetAsset()))
		}
	}
	if len(right) == 0 {
		right = []string{"0"}
	}
	return left + " = " + strings.Join(right, " + ")
}

// verdict adds the row up again, from what is printed.
func verdict(c *spoorv1.Conservation) string {
	if !c.GetConserves() {
		return "(this rule does not conserve: the sums need not agree)"
	}
	left, err := ledger.Sum(amountOf(c.GetSeeded()), amountOf(c.GetConvertedIn()))
	right := amountOf(c.GetCollided())
	for _, i := range went(c) {
		if err == nil {
			right, err = right.Add(amountOf(i.units))
		}
	}
	if err != nil || left.Cmp(right) != 0 {
		return "DOES NOT ADD UP: report this as a defect"
	}
	return "(exact)"
}
