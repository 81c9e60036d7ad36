package export

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/ledger"
)

// flow is the graph of a ledger: accounts and coins' owners, and what was paid
// between two of them in one asset.
type flow struct {
	Nodes []*node `json:"nodes"`
	Edges []*edge `json:"edges"`
}

// node is an address, drawn in the column of the least depth at which traced
// units came to it.
type node struct {
	ID      string `json:"id"` // NETWORK:ADDRESS
	Name    string `json:"name,omitempty"`
	Column  int    `json:"column"`
	Row     int    `json:"row"`
	Holding string `json:"holding,omitempty"` // H-1, where traced units are
	in      ledger.Amount
	weight  int
}

// edge sums the ledger's rows between two addresses in one asset.
type edge struct {
	From   string   `json:"from"`
	To     string   `json:"to"`
	Asset  string   `json:"asset"`
	Traced string   `json:"traced"` // base units
	Rows   []string `json:"rows"`
	sum    ledger.Amount
}

// flowOf lays the graph out: the hop is the column; within it, rows are ordered
// by the mean row of those who pay, twice over (barycentre).
func flowOf(d *evidence.Dossier) (*flow, error) {
	f := &flow{Nodes: []*node{}, Edges: []*edge{}}
	nodes, edges := map[string]*node{}, map[string]*edge{}
	at := func(id string, column int) *node {
		n := nodes[id]
		if n == nil {
			n = &node{ID: id, Column: column}
			nodes[id] = n
			f.Nodes = append(f.Nodes, n)
		}
		n.Column = min(n.Column, column)
		return n
	}
	for _, r := range d.Ledger {
		sum, err := ledger.ParseAmount(r.Traced)
		if err != nil {
			return nil, err
		}
		from, to := at(r.Network+":"+orNobody(r.From), r.Depth-1), at(r.Network+":"+orNobody(r.To), r.Depth)
		to.in = to.in.Plus(sum)
		key := from.ID + " " + to.ID + " " + r.Asset
		e := edges[key]
		if e == nil {
			e = &edge{From: from.ID, To: to.ID, Asset: r.Asset}
			edges[key] = e
			f.Edges = append(f.Edges, e)
		}
		e.sum, e.Rows = e.sum.Plus(sum), append(e.Rows, r.ID)
		e.Traced = e.sum.String()
	}
	f.name(d, nodes)
	f.rows(nodes)
	return f, nil
}

func orNobody(a string) string {
	if a == "" {
		return "nobody"
	}
	return a
}

func (f *flow) name(d *evidence.Dossier, nodes map[string]*node) {
	for _, e := range d.Entities {
		for _, a := range e.Addresses {
			if n := nodes[a]; n != nil {
				n.Name = e.Name
			}
		}
	}
	for _, h := range d.Holdings {
		if n := nodes[h.Network+":"+h.Address]; n != nil {
			n.Holding = h.ID
		}
	}
}

func (f *flow) rows(nodes map[string]*node) {
	columns := map[int][]*node{}
	last := 0
	for _, n := range f.Nodes {
		n.Row = len(columns[n.Column])
		columns[n.Column] = append(columns[n.Column], n)
		last = max(last, n.Column)
	}
	payers := map[string][]*node{}
	for _, e := range f.Edges {
		payers[e.To] = append(payers[e.To], nodes[e.From])
	}
	for range 2 {
		for c := 1; c <= last; c++ {
			for _, n := range columns[c] {
				n.weight = n.Row * 1000
				if from := payers[n.ID]; len(from) > 0 {
					sum := 0
					for _, p := range from {
						sum += p.Row * 1000
					}
					n.weight = sum / len(from)
				}
			}
			slices.SortStableFunc(columns[c], func(a, b *node) int { return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(a.ID, b.ID)) })
			for i, n := range columns[c] {
				n.Row = i
			}
		}
	}
}

func flowJSON(d *evidence.Dossier) ([]byte, error) {
	f, err := flowOf(d)
	if err != nil {
		return nil, err
	}
	return encoded(f)
}

func encoded(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// escaped is text for XML, with nothing in it that acts.
func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(Plain(s))) // a builder takes everything
	return b.String()
}

// flowGraphML writes the graph as GraphML, an edge per asset and pair.
func flowGraphML(d *evidence.Dossier) ([]byte, error) {
	f, err := flowOf(d)
	if err != nil {
		return nil, err
	}
	assets := assetsOf(d)
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
`)
	for _, k := range [][3]string{
		{"node", "name", "string"},
		{"node", "column", "int"},
		{"node", "row", "int"},
		{"node", "holding", "string"},
		{"edge", "asset", "string"},
		{"edge", "traced_base", "string"},
		{"edge", "traced", "string"},
		{"edge", "symbol", "string"},
		{"edge", "rows", "string"},
	} {
		fmt.Fprintf(&b, "<key id=\"%s_%s\" for=\"%s\" attr.name=\"%s\" attr.type=\"%s\"/>\n", k[0], k[1], k[0], k[1], k[2])
	}
	b.WriteString("<graph id=\"flow\" edgedefault=\"directed\">\n")
	for _, n := range f.Nodes {
		fmt.Fprintf(&b, "<node id=\"%s\"><data key=\"node_name\">%s</data><data key=\"node_column\">%d</data><data key=\"node_row\">%d</data><data key=\"node_holding\">%s</data></node>\n",
			escaped(n.ID), escaped(n.Name), n.Column, n.Row, n.Holding)
	}
	for i, e := range f.Edges {
		a := assets[e.Asset]
		fmt.Fprintf(&b, "<edge id=\"e%d\" source=\"%s\" target=\"%s\"><data key=\"edge_asset\">%s</data><data key=\"edge_traced_base\">%s</data><data key=\"edge_traced\">%s</data><data key=\"edge_symbol\">%s</data><data key=\"edge_rows\">%s</data></edge>\n",
			i+1, escaped(e.From), escaped(e.To), escaped(e.Asset), e.Traced, whole(e.Traced, a.Decimals), escaped(a.Symbol), strings.Join(e.Rows, " "))
	}
	b.WriteString("</graph>\n</graphml>\n")
	return b.Bytes(), nil
}

// What a drawing can show before it is no longer read.
const (
	drawnEdges = 300
	columnWide = 260
	rowHigh    = 34
)

// flowSVG draws the graph, its largest edges if there are very many.
func flowSVG(d *evidence.Dossier) ([]byte, error) {
	f, err := flowOf(d)
	if err != nil {
		return nil, err
	}
	all := len(f.Edges)
	f = f.largest()
	assets, nodes := assetsOf(d), map[string]*node{}
	wide, high := 1, 1
	for _, n := range f.Nodes {
		nodes[n.ID] = n
		wide, high = max(wide, n.Column+1), max(high, n.Row+1)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"10\">\n", wide*columnWide+20, high*rowHigh+60)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", escaped("Flow of case "+d.Cover.Number))
	for _, e := range f.Edges {
		drawEdge(&b, nodes[e.From], nodes[e.To], e, assets[e.Asset])
	}
	for _, n := range f.Nodes {
		drawNode(&b, n)
	}
	note := "Column: hops from the victims' payments. Red: traced money is there."
	if all > len(f.Edges) {
		note += fmt.Sprintf(" The %d largest of %d connections are drawn; flow.graphml has all.", len(f.Edges), all)
	}
	fmt.Fprintf(&b, "<text x=\"10\" y=\"%d\">%s</text>\n", high*rowHigh+50, escaped(note))
	if d.Cover.Demonstration != "" {
		fmt.Fprintf(&b, "<text x=\"10\" y=\"%d\" fill=\"#b00\">%s</text>\n", high*rowHigh+38, escaped("DEMONSTRATION: "+short(d.Cover.Demonstration, 160)))
	}
	b.WriteString("</svg>\n")
	return b.Bytes(), nil
}

// largest keeps the edges that carry most, within each asset, and lays them out anew.
func (f *flow) largest() *flow {
	if len(f.Edges) <= drawnEdges {
		return f
	}
	edges := slices.Clone(f.Edges)
	slices.SortStableFunc(edges, func(a, b *edge) int { return cmp.Or(b.sum.Cmp(a.sum), cmp.Compare(a.Rows[0], b.Rows[0])) })
	kept := &flow{Edges: edges[:drawnEdges]}
	named := map[string]bool{}
	for _, e := range kept.Edges {
		named[e.From], named[e.To] = true, true
	}
	nodes := map[string]*node{}
	for _, n := range f.Nodes {
		if named[n.ID] {
			kept.Nodes = append(kept.Nodes, n)
			nodes[n.ID] = n
		}
	}
	kept.rows(nodes)
	return kept
}

func (n *node) x() int { return 10 + n.Column*columnWide }
func (n *node) y() int { return 20 + n.Row*rowHigh }

const boxWide = 170

func drawNode(b *bytes.Buffer, n *node) {
	fill := "#eef2f7"
	if n.Holding != "" {
		fill = "#f7d5d5"
	}
	_, address, _ := strings.Cut(n.ID, ":")
	label := short(address, 24)
	if n.Name != "" {
		label = short(n.Name, 26)
	}
	fmt.Fprintf(b, "<g><title>%s %s %s</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"22\" rx=\"3\" fill=\"%s\" stroke=\"#445\"/><text x=\"%d\" y=\"%d\">%s</text></g>\n",
		escaped(n.ID), escaped(n.Name), n.Holding, n.x(), n.y(), boxWide, fill, n.x()+6, n.y()+15, escaped(label))
}

func drawEdge(b *bytes.Buffer, from, to *node, e *edge, a evidence.Asset) {
	x1, y1, x2, y2 := from.x()+boxWide, from.y()+11, to.x(), to.y()+11
	bend := (x2 - x1) / 2
	if x2 <= x1 {
		bend = 60
	}
	fmt.Fprintf(b, "<path d=\"M%d %d C%d %d %d %d %d %d\" fill=\"none\" stroke=\"#678\"><title>%s %s, %s</title></path>\n",
		x1, y1, x1+bend, y1, x2-bend, y2, x2, y2, whole(e.Traced, a.Decimals), escaped(a.Symbol), strings.Join(e.Rows[:min(len(e.Rows), 50)], " "))
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
