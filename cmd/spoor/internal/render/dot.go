package render

import (
	"io"
	"strings"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// Dot writes the trace as a graph for Graphviz: an address a node, a hop an
// edge, and in an address where money ends how much and why. The same trace
// gives the same bytes.
func Dot(w io.Writer, t *spoorv1.Trace) error {
	v := newTraceView(t, Style{})
	p := &paper{w: w}
	p.line("digraph trace {")
	p.line("  rankdir=LR;")
	p.line("  node [shape=box, fontname=\"monospace\"];")
	p.line("  edge [fontname=\"monospace\"];")
	ends := map[string][]string{}
	for _, end := range t.GetTerminals() {
		if end.GetReason() != "PRUNED" {
			key := nodeKey(end.GetAsset(), end.GetAddress())
			ends[key] = append(ends[key], money(end.GetDirty(), end.GetAsset())+" "+Clean(end.GetReason()))
		}
	}
	drawn := map[string]bool{}
	node := func(a *spoorv1.Asset, owner string, labels []*spoorv1.Label) {
		key := nodeKey(a, owner)
		if drawn[key] {
			return
		}
		drawn[key] = true
		lines := []string{address(a.GetNetwork(), owner)}
		if owner == "" {
			lines = []string{"nobody"}
		}
		if text := tags(labels); text != "" {
			lines = append(lines, text)
		}
		extra := ""
		if len(ends[key]) > 0 {
			lines, extra = append(lines, ends[key]...), ", style=bold"
		}
		p.line("  %s [label=%s%s];", quoted(key), quoted(strings.Join(lines, "\n")), extra)
	}
	for _, seed := range t.GetSeeds() {
		node(seed.GetAsset(), seed.GetAddress(), nil)
	}
	for _, h := range t.GetHops() {
		node(h.GetAsset(), h.GetFrom(), h.GetFromLabels())
		node(h.GetAsset(), h.GetTo(), h.GetToLabels())
		text := money(h.GetDirty(), h.GetAsset()) + " (" + v.share(h.GetDirty(), h.GetAsset()) + ")\n" + v.style.when(h.GetTime())
		p.line("  %s -> %s [label=%s, tooltip=%s];", quoted(nodeKey(h.GetAsset(), h.GetFrom())), quoted(nodeKey(h.GetAsset(), h.GetTo())),
			quoted(text), quoted(Clean(h.GetTx())+":"+Clean(h.GetIndex())))
		if x := h.GetCrossing(); x != nil {
			node(x.GetAssetOut(), x.GetTo(), nil)
			p.line("  %s -> %s [label=%s, style=dashed];", quoted(nodeKey(h.GetAsset(), h.GetTo())), quoted(nodeKey(x.GetAssetOut(), x.GetTo())), quoted(crossingText(x)))
		}
	}
	p.line("}")
	return p.err
}

func nodeKey(a *spoorv1.Asset, address string) string {
	return Clean(a.GetNetwork() + ":" + address)
}

// quoted writes a string as the DOT language wants it. A line break is the only escape that is kept.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
