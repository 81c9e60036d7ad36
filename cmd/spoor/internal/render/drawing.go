package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/export"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// SVG draws the trace: a column a hop, an address a box, what was paid between
// two of them in one asset a line. The same trace gives the same bytes. The error
// is an amount that is none, or of writing.
func SVG(w io.Writer, t *spoorv1.Trace) error { return draw(w, t, export.SVG) }

// GraphML writes the same graph for other programs; nothing of it is left out.
func GraphML(w io.Writer, t *spoorv1.Trace) error { return draw(w, t, export.GraphML) }

func draw(w io.Writer, t *spoorv1.Trace, format func(export.Drawing) ([]byte, error)) error {
	raw, err := format(drawing(t))
	if err != nil {
		return fmt.Errorf("drawing of the trace: %w", err)
	}
	_, err = w.Write(raw)
	return err
}

func drawing(t *spoorv1.Trace) export.Drawing {
	p := &plan{assets: map[string]bool{}, Drawing: export.Drawing{
		Title: "Trace of " + strings.Join(t.GetRequest().GetRefs(), ", ") + ", " + t.GetPolicy(), Rest: "the same trace as GraphML",
		Upstream: t.GetRequest().GetDirection() == spoorv1.Direction_DIRECTION_UPSTREAM,
		Names:    map[string]string{}, Ends: map[string][]export.End{},
	}}
	for _, h := range t.GetHops() {
		p.hop(h)
	}
	for _, end := range t.GetTerminals() {
		id := drawnID(end.GetAsset().GetNetwork(), end.GetAddress())
		p.name(id, end.GetLabels())
		p.Ends[id] = append(p.Ends[id], export.End{Reason: end.GetReason(), Asset: p.asset(end.GetAsset()), Amount: end.GetDirty(), At: end.GetAt()})
	}
	return p.Drawing
}

// plan is a drawing while it is put together.
type plan struct {
	export.Drawing
	assets map[string]bool
}

func (p *plan) hop(h *spoorv1.Hop) {
	network := h.GetAsset().GetNetwork()
	r := evidence.Row{
		ID: h.GetTx() + ":" + h.GetIndex() + "=" + h.GetDirty(), Depth: int(h.GetDepth()), Network: network, From: h.GetFrom(), To: h.GetTo(),
		Asset: p.asset(h.GetAsset()), Traced: h.GetDirty(), Grade: strings.ToLower(h.GetGrade()),
	}
	if x := h.GetCrossing(); x != nil {
		r.Crossing = &evidence.Crossing{Kind: x.GetKind(), Network: x.GetNetworkOut(), From: x.GetTo()}
	}
	p.name(drawnID(network, h.GetFrom()), h.GetFromLabels())
	p.name(drawnID(network, h.GetTo()), h.GetToLabels())
	p.Rows = append(p.Rows, r)
}

// name keeps the labels that an address was first seen with.
func (p *plan) name(id string, labels []*spoorv1.Label) {
	if text := tags(labels); text != "" && p.Names[id] == "" {
		p.Names[id] = strings.ReplaceAll(strings.Trim(text, "[]"), "] [", ", ")
	}
}

// asset names an asset, and lists it when it is first seen.
func (p *plan) asset(a *spoorv1.Asset) string {
	name := a.GetNetwork() + ":native"
	if a.GetContract() != "" {
		name = a.GetNetwork() + ":" + a.GetContract()
	}
	if a.GetTokenId() != "" {
		name += ":" + a.GetTokenId()
	}
	if !p.assets[name] {
		p.assets[name] = true
		p.Assets = append(p.Assets, evidence.Asset{Asset: name, Symbol: symbol(a), Decimals: int(a.GetDecimals()), Known: true})
	}
	return name
}

// drawnID is how a drawing knows an address.
func drawnID(network, address string) string {
	if address == "" {
		address = "nobody"
	}
	return network + ":" + address
}
