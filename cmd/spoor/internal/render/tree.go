package render

import (
	"cmp"
	"slices"
	"strconv"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// shownHops is how many hops are printed unless all are asked for: those with
// the most traced money, and the hops that lead to them.
const shownHops = 60

// tree prints the hops below those that first brought money to their payers.
// Only where money parts is the tree indented, so that a long peel chain stays
// within the page.
func (v *traceView) tree(p *paper) {
	if len(v.GetHops()) == 0 {
		return
	}
	t := &hopTree{view: v, children: map[uint32][]*spoorv1.Hop{}, shown: v.mainHops(), grid: &grid{right: []bool{true, false, true, true, true, true}}}
	for _, h := range v.GetHops() {
		t.children[h.GetParent()] = append(t.children[h.GetParent()], h)
	}
	p.line("")
	if n := len(t.shown); n < len(v.GetHops()) {
		p.line("Where it went: %d of %s, those with most money (--all prints all)", n, plural(int64(len(v.GetHops())), "hop", "hops"))
	} else {
		p.line("Where it went: %s", plural(int64(len(v.GetHops())), "hop", "hops"))
	}
	t.grid.add("hop", "time (UTC)", "after", "traced", "of", "share", "grade", "")
	t.walk(t.children[0], "", true)
	p.print(t.grid)
	p.line("  What a payer sends on hangs below the hop that first brought it traced money.")
	if !v.style.Wide {
		p.line("  --wide adds the transactions; -o csv and -o json have everything.")
	}
}

// mainHops picks what is printed.
func (v *traceView) mainHops() map[uint32]bool {
	hops, shown := v.GetHops(), map[uint32]bool{}
	byID := map[uint32]*spoorv1.Hop{}
	for _, h := range hops {
		byID[h.GetId()] = h
	}
	if len(hops) > shownHops && !v.style.All {
		hops = slices.Clone(hops)
		slices.SortStableFunc(hops, func(a, b *spoorv1.Hop) int {
			return amountOf(b.GetDirty()).Cmp(amountOf(a.GetDirty()))
		})
	}
	for _, h := range hops {
		if len(shown) >= shownHops && !v.style.All {
			break
		}
		for ; h != nil && !shown[h.GetId()]; h = byID[h.GetParent()] {
			shown[h.GetId()] = true
		}
	}
	return shown
}

type hopTree struct {
	view     *traceView
	children map[uint32][]*spoorv1.Hop
	shown    map[uint32]bool
	grid     *grid
}

// walk adds siblings and what follows each of them. trunk says that they start
// at the left edge.
func (t *hopTree) walk(siblings []*spoorv1.Hop, indent string, trunk bool) {
	hidden := 0
	var visible []*spoorv1.Hop
	for _, h := range siblings {
		if t.shown[h.GetId()] {
			visible = append(visible, h)
		} else {
			hidden += t.count(h)
		}
	}
	slices.SortStableFunc(visible, func(a, b *spoorv1.Hop) int { return cmp.Compare(a.GetId(), b.GetId()) })
	for i, h := range visible {
		last := i == len(visible)-1 && hidden == 0
		branch, below := indent+"├─ ", indent+"│  "
		switch {
		case trunk:
			branch, below = indent, indent
		case last:
			branch, below = indent+"└─ ", indent+"   "
		}
		t.add(h, branch)
		next := t.children[h.GetId()]
		t.walk(next, below, len(next) == 1 && t.shown[next[0].GetId()])
	}
	if hidden > 0 {
		t.grid.add("", "", "", "", "", "", "", indent+"└─ "+plural(int64(hidden), "hop", "hops")+" more")
	}
}

// count counts a hop and all below it. The hops of a peel chain nest deeply, so it does not recurse.
func (t *hopTree) count(h *spoorv1.Hop) int {
	n := 0
	for open := []*spoorv1.Hop{h}; len(open) > 0; n++ {
		last := open[len(open)-1]
		open = append(open[:len(open)-1], t.children[last.GetId()]...)
	}
	return n
}

func (t *hopTree) add(h *spoorv1.Hop, branch string) {
	v, network := t.view, h.GetAsset().GetNetwork()
	payment := v.paymentOf(h.GetShares())
	of := ""
	if h.GetAmount() != h.GetDirty() {
		of = coins(h.GetAmount(), h.GetAsset())
	}
	payee := withTags(address(network, h.GetTo()), h.GetToLabels())
	if h.GetTo() == "" {
		payee = "nobody"
	}
	line := branch + "→ " + payee
	if h.GetParent() == 0 && h.GetFrom() != "" {
		line = branch + withTags(address(network, h.GetFrom()), h.GetFromLabels()) + " → " + payee
	}
	if tier := h.GetTier(); tier != "" {
		line += " (" + Clean(tier) + " " + Clean(h.GetHeuristic()) + ")"
	}
	if v.style.Wide {
		line += "  " + Clean(h.GetTx()) + ":" + Clean(h.GetIndex())
	}
	t.grid.add(strconv.Itoa(int(h.GetId())), v.style.column(h.GetTime()), since(h.GetTime(), payment.GetTime()),
		money(h.GetDirty(), h.GetAsset()), of, v.share(h.GetDirty(), h.GetAsset()), Clean(h.GetGrade()), line)
}
