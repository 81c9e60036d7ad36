package render

import (
	"encoding/json"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// HopLine prints one hop of a trace that grows.
func HopLine(w io.Writer, h *spoorv1.Hop, s Style) error {
	p := &paper{w: w}
	network := h.GetAsset().GetNetwork()
	p.line("%-9s  %s  %s of %s", Clean(h.GetFinality()), s.when(h.GetTime()), money(h.GetDirty(), h.GetAsset()), money(h.GetAmount(), h.GetAsset()))
	p.line("           %s -> %s", withTags(address(network, h.GetFrom()), h.GetFromLabels()), withTags(address(network, h.GetTo()), h.GetToLabels()))
	p.line("           %s", Clean(h.GetKey()))
	return p.err
}

// FoundLine is a hop on one line, as it is found.
func FoundLine(h *spoorv1.Hop, s Style) string {
	network := h.GetAsset().GetNetwork()
	return fmt.Sprintf("%s  %s  %s -> %s", s.when(h.GetTime()), money(h.GetDirty(), h.GetAsset()),
		address(network, h.GetFrom()), withTags(address(network, h.GetTo()), h.GetToLabels()))
}

// Places prints where the money is as of the tip that a growing trace has reached.
func Places(w io.Writer, t *spoorv1.Trace, s Style) error {
	v := newTraceView(t, s)
	p := &paper{w: w}
	for _, a := range v.GetAsOf() {
		p.line("As of      %s", s.asOf(a))
	}
	v.places(p)
	v.sheets(p)
	p.line("")
	return p.err
}

// JSONLine writes a message on a line of its own.
func JSONLine(w io.Writer, m proto.Message) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("json: %w", err)
	}
	var compact json.RawMessage = raw // the mapping's spaces differ from run to run
	line, err := json.Marshal(compact)
	if err == nil {
		_, err = w.Write(append(line, '\n'))
	}
	return err
}
