package export

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
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
	nodes map[string]*node
	edges map[string]*edge
}

// node is an address, drawn in the column of the least depth at which traced
// units came to it.
type node struct {
	ID      string `json:"id"` // NETWORK:ADDRESS
	Name    string `json:"name,omitempty"`
	Column  int    `json:"column"`
	Row     int    `json:"row"`
	Holding string `json:"holding,omitempty"` // H-1, where traced units are
	ends    []End
	weight  int
}

// edge sums the ledger's rows between two addresses in one asset.
type edge struct {
	From     string   `json:"from"`
	To       string   `json:"to"`
	Asset    string   `json:"asset"`
	Traced   string   `json:"traced"`             // base units
	Grade    string   `json:"grade"`              // the weakest of its rows
	Crossing string   `json:"crossing,omitempty"` // no transfer, but what joins the two sides of a bridge
	Rows     []string `json:"rows"`
	sum      ledger.Amount
}

// Drawing is a flow that is to be drawn: of a package, or of one answer.
type Drawing struct {
	Title   string
	Warning string // printed in red; empty: none
	Rest    string // where the connections are that a drawing has no room for
	// Upstream: the rows lead to the payments asked about, whose column is the last.
	Upstream bool
	Rows     []evidence.Row
	Assets   []evidence.Asset
	Names    map[string]string // of a NETWORK:ADDRESS
	Holdings map[string]string // H-1, by NETWORK:ADDRESS
	Ends     map[string][]End  // by NETWORK:ADDRESS; nil: the drawing shows none
}

// End is traced money that ends at an address.
type End struct {
	Reason string // UNSPENT, SERVICE, ...
	Asset  string
	Amount string // base units
	At     string // TX:INDEX
}

// drawingOf is the drawing of a package.
func drawingOf(d *evidence.Dossier) Drawing {
	g := Drawing{
		Title: "Flow of case " + d.Cover.Number, Warning: d.Cover.Demonstration, Rest: "flow.graphml and flow.json",
		Rows: d.Ledger, Assets: d.Cover.Assets, Names: map[string]string{}, Holdings: map[string]string{},
	}
	for _, e := range d.Entities {
		for _, a := range e.Addresses {
			g.Names[a] = e.Name
		}
	}
	for _, h := range d.Holdings {
		g.Holdings[h.Network+":"+h.Address] = h.ID
	}
	return g
}

// flowOf lays the graph out: the hop is the column; within it, rows are ordered
// by the mean row of those who pay, twice over (barycentre).
func flowOf(g Drawing) (*flow, error) {
	f := &flow{Nodes: []*node{}, Edges: []*edge{}, nodes: map[string]*node{}, edges: map[string]*edge{}}
	for _, r := range g.Rows {
		if err := f.take(r, g.Upstream); err != nil {
			return nil, fmt.Errorf("row %s: %w", r.ID, err)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(g.Ends)) {
		n := f.nodes[id]
		if n == nil { // nobody was paid there, as with what was pruned
			network, address, _ := strings.Cut(id, ":")
			n = f.at(network, address, f.last())
		}
		n.ends = g.Ends[id]
	}
	for _, n := range f.Nodes {
		n.Name, n.Holding = g.Names[n.ID], g.Holdings[n.ID]
	}
	if g.Upstream {
		f.mirror()
	}
	f.rows()
	return f, nil
}

// last is the greatest column.
func (f *flow) last() int {
	last := 0
	for _, n := range f.Nodes {
		last = max(last, n.Column)
	}
	return last
}

// mirror turns the columns round, so that money flows from left to right.
func (f *flow) mirror() {
	last := f.last()
	for _, n := range f.Nodes {
		n.Column = last - n.Column
	}
}

// take adds a row, and the bridge's side that pays out what the row pays in:
// without it the graph of a bridged flow falls apart.
func (f *flow) take(r evidence.Row, upstream bool) error {
	payer, payee := r.Depth-1, r.Depth
	if upstream {
		payer, payee = payee, payer
	}
	to := f.at(r.Network, r.To, payee)
	if err := f.add(edge{From: f.at(r.Network, r.From, payer).ID, To: to.ID, Asset: r.Asset, Grade: r.Grade}, r); err != nil {
		return err
	}
	if r.Crossing == nil {
		return nil
	}
	out := f.at(r.Crossing.Network, r.Crossing.From, r.Depth)
	if out == to { // as a pool of tokens is
		return nil
	}
	return f.add(edge{From: to.ID, To: out.ID, Asset: r.Asset, Grade: "inferred", Crossing: r.Crossing.Kind}, r)
}

// at is the node of an address. One that nobody signs for is an address, too.
func (f *flow) at(network, address string, column int) *node {
	if address == "" {
		address = "nobody"
	}
	id := network + ":" + address
	n := f.nodes[id]
	if n == nil {
		n = &node{ID: id, Column: column}
		f.nodes[id] = n
		f.Nodes = append(f.Nodes, n)
	}
	n.Column = min(n.Column, column)
	return n
}

// add sums a row into its edge.
func (f *flow) add(e edge, r evidence.Row) error {
	traced, err := ledger.ParseAmount(r.Traced)
	if err != nil {
		return err
	}
	key := e.From + " " + e.To + " " + e.Asset + " " + e.Crossing
	sum := f.edges[key]
	if sum == nil {
		sum = &e
		f.edges[key] = sum
		f.Edges = append(f.Edges, sum)
	}
	if sum.sum, err = sum.sum.Add(traced); err != nil {
		return err
	}
	sum.Traced, sum.Grade, sum.Rows = sum.sum.String(), weaker(sum.Grade, e.Grade), append(sum.Rows, r.ID)
	return nil
}

// weaker is the lesser of two grades; one that is not known is the least.
func weaker(a, b string) string {
	for _, g := range []string{"proven", "attested"} {
		switch g {
		case a:
			return b
		case b:
			return a
		}
	}
	return "inferred"
}

// rows gives every node its place within its column.
func (f *flow) rows() {
	columns := map[int][]*node{}
	for _, n := range f.Nodes {
		n.Row = len(columns[n.Column])
		columns[n.Column] = append(columns[n.Column], n)
	}
	payers := map[string][]*node{}
	for _, e := range f.Edges {
		payers[e.To] = append(payers[e.To], f.nodes[e.From])
	}
	for range 2 {
		for _, c := range slices.Sorted(maps.Keys(columns)) {
			order(columns[c], payers)
		}
	}
}

// order sorts a column by the mean row of each node's payers, in thousandths.
func order(column []*node, payers map[string][]*node) {
	for _, n := range column {
		n.weight = n.Row * 1000
		if from := payers[n.ID]; len(from) > 0 {
			sum := 0
			for _, p := range from {
				sum += p.Row * 1000
			}
			n.weight = sum / len(from)
		}
	}
	slices.SortStableFunc(column, func(a, b *node) int { return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(a.ID, b.ID)) })
	for i, n := range column {
		n.Row = i
	}
}

func flowJSON(d *evidence.Dossier) ([]byte, error) {
	f, err := flowOf(drawingOf(d))
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
	_ = xml.EscapeText(&b, []byte(shown(s))) // a builder takes everything
	return b.String()
}

func flowGraphML(d *evidence.Dossier) ([]byte, error) { return GraphML(drawingOf(d)) }

// GraphML writes a flow as GraphML, an edge per asset and pair. The error is a row
// whose amount is none.
func GraphML(g Drawing) ([]byte, error) {
	f, err := flowOf(g)
	if err != nil {
		return nil, err
	}
	units := unitsOf(g.Assets)
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
		{"edge", "grade", "string"},
		{"edge", "crossing", "string"},
		{"edge", "rows", "string"},
	} {
		fmt.Fprintf(&b, "<key id=\"%s_%s\" for=\"%s\" attr.name=\"%s\" attr.type=\"%s\"/>\n", k[0], k[1], k[0], k[1], k[2])
	}
	if g.Ends != nil {
		b.WriteString("<key id=\"node_ends\" for=\"node\" attr.name=\"ends\" attr.type=\"string\"/>\n")
	}
	b.WriteString("<graph id=\"flow\" edgedefault=\"directed\">\n")
	for _, n := range f.Nodes {
		fmt.Fprintf(&b, "<node id=\"%s\"><data key=\"node_name\">%s</data><data key=\"node_column\">%d</data><data key=\"node_row\">%d</data><data key=\"node_holding\">%s</data>",
			escaped(n.ID), escaped(n.Name), n.Column, n.Row, escaped(n.Holding))
		if len(n.ends) > 0 {
			fmt.Fprintf(&b, "<data key=\"node_ends\">%s</data>", escaped(endsText(n.ends)))
		}
		b.WriteString("</node>\n")
	}
	for i, e := range f.Edges {
		fmt.Fprintf(&b, "<edge id=\"e%d\" source=\"%s\" target=\"%s\"><data key=\"edge_asset\">%s</data><data key=\"edge_traced_base\">%s</data><data key=\"edge_traced\">%s</data><data key=\"edge_symbol\">%s</data><data key=\"edge_grade\">%s</data><data key=\"edge_crossing\">%s</data><data key=\"edge_rows\">%s</data></edge>\n",
			i+1, escaped(e.From), escaped(e.To), escaped(e.Asset), escaped(e.Traced), units.whole(e.Asset, e.Traced), escaped(units.symbol(e.Asset)), escaped(e.Grade), escaped(e.Crossing), escaped(strings.Join(e.Rows, " ")))
	}
	b.WriteString("</graph>\n</graphml>\n")
	return b.Bytes(), nil
}

// endsText lists what ends at an address: REASON=BASE UNITS of ASSET at TX:INDEX.
func endsText(ends []End) string {
	var texts []string
	for _, e := range ends {
		texts = append(texts, strings.TrimSuffix(e.Reason+"="+e.Amount+" of "+e.Asset+" at "+e.At, " at "))
	}
	return strings.Join(texts, "; ")
}
