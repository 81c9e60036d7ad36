package render

import (
	"slices"
	"strconv"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// shownHops is how many hops are printed unless all are asked for: those with
// the most traced money, and the hops that lead to them.
const shownHops = 60

// tree prints the hops below those that first brought money to their payers.
// Of several children the one with most hops below it goes on at the same
// indent, so that a long peel chain stays within the page.
func (v *traceView) tree(p *paper) {
	if len(v.GetHops()) == 0 {
		return
	}
	t := &hopTree{view: v, children: map[uint32][]*spoorv1.Hop{}, size: map[uint32]int{}, shown: v.mainHops(), grid: &grid{right: []bool{true, true, false, true, true, true, true}}}
	for _, h := range v.GetHops() {
		t.children[h.GetParent()] = append(t.children[h.GetParent()], h)
	}
	for _, h := range slices.Backward(v.GetHops()) { // parents come before their children
		t.size[h.GetId()]++
		t.size[h.GetParent()] += t.size[h.GetId()]
	}
	p.line("")
	if n := len(t.shown); n < len(v.GetHops()) {
		p.line("%s: %d of %s, those with most money (--all prints all)", v.words().hops, n, plural(int64(len(v.GetHops())), "hop", "hops"))
	} else {
		p.line("%s: %s", v.words().hops, plural(int64(len(v.GetHops())), "hop", "hops"))
	}
	t.grid.add("hop", "prev", "time (UTC)", "after", "traced", "of", "share", "grade", "")
	for _, h := range t.children[0] {
		if t.shown[h.GetId()] {
			t.add(h, "→ ")
			t.below(h, "")
		}
	}
	p.print(t.grid)
	p.line("  %s", v.words().prev)
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
	size     map[uint32]int // a hop and all below it
	shown    map[uint32]bool
	grid     *grid
}

// below adds what follows a hop: its branches, each with what follows it, then
// the trunk, which goes on at the same indent.
func (t *hopTree) below(h *spoorv1.Hop, indent string) {
	for h != nil {
		branches, trunk, hidden := t.split(t.children[h.GetId()])
		for i, b := range branches {
			branch, deeper := "├─ → ", "│  "
			if i == len(branches)-1 && trunk == nil && hidden == 0 {
				branch, deeper = "└─ → ", "   "
			}
			t.add(b, indent+branch)
			t.below(b, indent+deeper)
		}
		if hidden > 0 {
			mark := "├─ "
			if trunk == nil {
				mark = "└─ "
			}
			t.grid.add("", "", "", "", "", "", "", "", indent+mark+plural(int64(hidden), "hop", "hops")+" more")
		}
		if trunk != nil {
			mark := "└→ "
			if len(branches)+hidden == 0 {
				mark = "→ "
			}
			t.add(trunk, indent+mark)
		}
		h = trunk
	}
}

// split tells the trunk from the branches in replay order, and counts the hops
// that are not shown. The trunk is the only child, or the one with most hops
// below it, unless that would print it after later transactions.
func (t *hopTree) split(children []*spoorv1.Hop) (branches []*spoorv1.Hop, trunk *spoorv1.Hop, hidden int) {
	for _, h := range children {
		switch {
		case !t.shown[h.GetId()]:
			hidden += t.size[h.GetId()]
		case trunk == nil || t.size[h.GetId()] > t.size[trunk.GetId()]:
			trunk = h
			fallthrough
		default:
			branches = append(branches, h)
		}
	}
	if trunk == nil || len(children) == 1 {
		return nil, trunk, hidden
	}
	if last := branches[len(branches)-1]; t.size[trunk.GetId()] == 1 || last.GetTx() != trunk.GetTx() {
		return branches, nil, hidden
	}
	return slices.DeleteFunc(branches, func(h *spoorv1.Hop) bool { return h == trunk }), trunk, hidden
}

// add adds the row of a hop; branch is drawn before its payee.
func (t *hopTree) add(h *spoorv1.Hop, branch string) {
	v, network := t.view, h.GetAsset().GetNetwork()
	payment := v.paymentOf(h.GetShares())
	of, prev := "", ""
	if h.GetAmount() != h.GetDirty() {
		of = coins(h.GetAmount(), h.GetAsset())
	}
	if h.GetParent() != 0 {
		prev = strconv.Itoa(int(h.GetParent()))
	}
	line := branch + withTags(address(network, h.GetTo()), h.GetToLabels())
	if h.GetTo() == "" {
		line = branch + "nobody"
	}
	if h.GetParent() == 0 && h.GetFrom() != "" {
		line = withTags(address(network, h.GetFrom()), h.GetFromLabels()) + " " + line
	}
	if x := h.GetCrossing(); x != nil {
		line += " " + crossingText(x)
	} else if tier := h.GetTier(); tier != "" {
		line += " (" + Clean(tier) + " " + Clean(h.GetHeuristic()) + ")"
	}
	if v.style.Wide {
		line += "  " + Clean(h.GetTx()) + ":" + Clean(h.GetIndex())
	}
	t.grid.add(strconv.Itoa(int(h.GetId())), prev, v.style.column(h.GetTime()), since(h.GetTime(), payment.GetTime()),
		money(h.GetDirty(), h.GetAsset()), of, v.share(h.GetDirty(), h.GetAsset()), Clean(h.GetGrade()), line)
}
