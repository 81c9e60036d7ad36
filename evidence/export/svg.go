package export

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/evidence"
)

// What a drawing can show before it is no longer read.
const (
	drawnEdges   = 300
	labelEdges   = 80 // up to here each connection has its amount beside it
	labelledRows = 50 // of the ledger, in the text of one connection
)

// The drawing's measures in pixels.
const (
	columnWide = 300
	rowHigh    = 46
	textHigh   = 9
	boxWide    = 170
	boxHigh    = 24
	topHigh    = 44
)

func flowSVG(d *evidence.Dossier) ([]byte, error) { return SVG(drawingOf(d)) }

// SVG draws a flow, its largest edges if there are very many. Every colour has a
// line in the legend; the full texts are titles. The error is a row whose amount
// is none.
func SVG(g Drawing) ([]byte, error) {
	f, err := flowOf(g)
	if err != nil {
		return nil, err
	}
	all, last := len(f.Edges), f.last()
	f = f.largest()
	wide, high := 2, 1
	heads := map[int]bool{}
	for _, n := range f.Nodes {
		heads[n.Column] = true
		wide, high = max(wide, n.Column+1), max(high, n.Row+1)
	}
	bottom := topHigh + high*rowHigh + 20
	units := unitsOf(g.Assets)
	var b bytes.Buffer
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"10\">\n", wide*columnWide-columnWide+boxWide+20, bottom+80)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", escaped(Plain(g.Title)))
	b.WriteString("<defs><marker id=\"tip\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L6 3L0 6z\" fill=\"#567\"/></marker></defs>\n")
	for _, c := range slices.Sorted(maps.Keys(heads)) {
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"32\" fill=\"#567\">%s</text>\n", 10+c*columnWide, g.head(c, last))
	}
	f.drawEdges(&b, units)
	for _, n := range f.Nodes {
		drawNode(&b, n, units)
	}
	drawLegend(&b, g, bottom, len(f.Edges), all)
	b.WriteString("</svg>\n")
	return b.Bytes(), nil
}

// head is the title of a column.
func (g Drawing) head(column, last int) string {
	switch {
	case g.Upstream && column == last:
		return "paid to"
	case g.Upstream:
		return fmt.Sprintf("hop %d before", last-column)
	case column == 0:
		return "paid by"
	}
	return fmt.Sprintf("hop %d", column)
}

// largest keeps the edges that carry most and lays them out anew. Amounts of two
// assets cannot be compared: the largest of each asset come first, then the next.
func (f *flow) largest() *flow {
	if len(f.Edges) <= drawnEdges {
		return f
	}
	edges, place := slices.Clone(f.Edges), map[*edge]int{}
	slices.SortStableFunc(edges, func(a, b *edge) int { return b.sum.Cmp(a.sum) })
	count := map[string]int{}
	for _, e := range edges {
		place[e] = count[e.Asset]
		count[e.Asset]++
	}
	slices.SortStableFunc(edges, func(a, b *edge) int { return cmp.Or(cmp.Compare(place[a], place[b]), cmp.Compare(a.Asset, b.Asset)) })
	kept := &flow{Edges: edges[:drawnEdges], nodes: map[string]*node{}}
	named := map[string]bool{}
	for _, e := range kept.Edges {
		named[e.From], named[e.To] = true, true
	}
	for _, n := range f.Nodes {
		if named[n.ID] {
			kept.Nodes = append(kept.Nodes, n)
			kept.nodes[n.ID] = n
		}
	}
	kept.rows()
	return kept
}

func (n *node) x() int { return 10 + n.Column*columnWide }
func (n *node) y() int { return topHigh + n.Row*rowHigh }

// color is what a drawing shows of who holds.
func (n *node) color() string {
	switch {
	case n.Holding != "" || len(n.ends) > 0:
		return "#f7d5d5"
	case n.Name != "":
		return "#dcebd7"
	}
	return "#eef2f7"
}

func drawNode(b *bytes.Buffer, n *node, u units) {
	_, address, _ := strings.Cut(n.ID, ":")
	label := short(shown(address), 24)
	if n.Name != "" {
		label = short(shown(n.Name), 24)
	}
	if n.Holding != "" {
		label = short(shown(n.Holding)+" "+short(label, 20), 26)
	}
	line := n.y() + 16
	if len(n.ends) > 0 { // room for a second line
		line = n.y() + 11
	}
	fmt.Fprintf(b, "<g><title>%s</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"3\" fill=\"%s\" stroke=\"#445\"/><text x=\"%d\" y=\"%d\">%s</text>",
		escaped(Plain(strings.TrimSpace(n.ID+" "+n.Name+" "+strings.TrimSpace(n.Holding+" "+endsText(n.ends))))), n.x(), n.y(), boxWide, boxHigh, n.color(), n.x()+6, line, escaped(label))
	if len(n.ends) > 0 {
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" font-size=\"8\" fill=\"#a33\">%s</text>", n.x()+6, n.y()+21, escaped(u.ended(n.ends)))
	}
	b.WriteString("</g>\n")
}

// ended is what a drawing has room for of what ends at an address: the first of it.
func (u units) ended(ends []End) string {
	e := ends[0]
	text := short(shown(e.Reason), 20) + " " + u.whole(e.Asset, e.Amount) + " " + short(shown(u.symbol(e.Asset)), 12)
	if more := len(ends) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

// drawEdges draws the connections, each with its amount where there is room.
func (f *flow) drawEdges(b *bytes.Buffer, u units) {
	taken := map[[2]int]bool{}
	for _, e := range f.Edges {
		path, x, y := f.curve(e)
		amount, symbol := u.whole(e.Asset, e.Traced), shown(u.symbol(e.Asset))
		rows := strings.Join(e.Rows[:min(len(e.Rows), labelledRows)], " ")
		if more := len(e.Rows) - labelledRows; more > 0 {
			rows += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(b, "<path d=\"%s\" fill=\"none\" stroke=\"#567\"%s marker-end=\"url(#tip)\"><title>%s</title></path>\n",
			path, dashes(e.Grade), escaped(Plain(amount+" "+symbol+", "+strings.TrimSpace(e.Grade+" "+e.Crossing)+", "+rows)))
		if len(f.Edges) > labelEdges {
			continue
		}
		for taken[[2]int{x, y / textHigh}] {
			y += textHigh
		}
		taken[[2]int{x, y / textHigh}] = true
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" font-size=\"8\" text-anchor=\"middle\" fill=\"#334\" stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\">%s</text>\n", x, y, escaped(strings.TrimSpace(amount+" "+short(symbol, 12))))
	}
}

// curve is the line of a connection and the middle of it: forwards from side to
// side; backwards, and within a column, from below to below.
func (f *flow) curve(e *edge) (path string, x, y int) {
	from, to := f.nodes[e.From], f.nodes[e.To]
	if from.Column < to.Column {
		x1, y1, x2, y2 := from.x()+boxWide, from.y()+boxHigh/2, to.x(), to.y()+boxHigh/2
		x = (x1 + x2) / 2
		return fmt.Sprintf("M%d %d C%d %d %d %d %d %d", x1, y1, x, y1, x, y2, x2, y2), x, (y1+y2)/2 - 3
	}
	x1, y1, x2, y2 := from.x()+boxWide/2+20, from.y()+boxHigh, to.x()+boxWide/2-20, to.y()+boxHigh
	sag := rowHigh * 2 / 3
	if e.From == e.To { // change: kept clear of the next box
		sag = rowHigh / 3
	}
	return fmt.Sprintf("M%d %d C%d %d %d %d %d %d", x1, y1, x1, y1+sag, x2, y2+sag, x2, y2), (x1 + x2) / 2, (y1+y2)/2 + sag*3/4 + textHigh
}

// dashes show a grade: a proven connection is a whole line.
func dashes(grade string) string {
	switch grade {
	case "proven":
		return ""
	case "attested":
		return " stroke-dasharray=\"7 2\""
	}
	return " stroke-dasharray=\"1 3\""
}

func drawLegend(b *bytes.Buffer, g Drawing, y, drawn, all int) {
	lines := []string{
		"Red: traced money is there. Green: a named entity. Line: proven; dashed: attested; dotted: inferred.",
		"Column: hops from the victims' payments. Titles have the texts in full.",
	}
	if all > drawn {
		lines = append(lines, fmt.Sprintf("The %d largest of %d connections are drawn, of each asset alike; %d more are in %s.", drawn, all, all-drawn, g.Rest))
	}
	if len(g.Rows) > all && g.Ends != nil {
		lines = append(lines, fmt.Sprintf("%d transfers are summed into %d connections: those between the same two addresses in one asset.", len(g.Rows), all))
	}
	for i, text := range lines {
		fmt.Fprintf(b, "<text x=\"10\" y=\"%d\">%s</text>\n", y+14+i*14, escaped(text))
	}
	if g.Warning != "" {
		fmt.Fprintf(b, "<text x=\"10\" y=\"%d\" fill=\"#b00\">%s</text>\n", y+14+len(lines)*14, escaped("DEMONSTRATION: "+short(g.Warning, 160)))
	}
}

// short cuts the middle out of a text.
func short(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	half := (most - 1) / 2
	return string(runes[:half]) + "…" + string(runes[len(runes)-half:])
}
