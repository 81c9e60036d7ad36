package render

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// elementsOf counts the elements of a text that must be whole XML.
func elementsOf(t *testing.T, text string) map[string]int {
	t.Helper()
	count := map[string]int{}
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return count
		}
		if err != nil {
			t.Fatalf("no XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			count[e.Name.Local]++
		}
	}
}

// fan is a trace of n payments by one address, each on to an address of its own.
func fan(n int) *spoorv1.Trace {
	t := &spoorv1.Trace{Policy: "fifo"}
	for i := range uint32(n) {
		amount := strconv.Itoa(int(i) + 1)
		t.Hops = append(t.Hops, &spoorv1.Hop{
			Id: i + 1, Depth: 1 + i%5, Tx: fmt.Sprintf("%064x", i), Index: "0", From: fmt.Sprint("payer", i%5), To: fmt.Sprint("payee", i/2), Asset: usdt(), Amount: amount, Dirty: amount, Grade: "proven",
		})
		t.Terminals = append(t.Terminals, &spoorv1.Terminal{Address: fmt.Sprint("payee", i/2), Asset: usdt(), Dirty: amount, Reason: "UNSPENT", At: fmt.Sprintf("%064x:0", i)})
	}
	return t
}

// TestDrawingOfMuch: 5,000 hops are drawn as far as they can be read, the drawing
// says what it left out, and GraphML leaves out nothing.
func TestDrawingOfMuch(t *testing.T) {
	trace := fan(5000)
	svg := text(t, SVG, trace)
	if n := elementsOf(t, svg)["path"]; n != 301 { // and the arrow's tip
		t.Errorf("%d lines are drawn, want 300", n-1)
	}
	if want := "The 300 largest of 5000 connections"; !strings.Contains(svg, want) {
		t.Errorf("the drawing does not say %q", want)
	}
	graph := text(t, GraphML, trace)
	if n := elementsOf(t, graph); n["edge"] != 5000 || n["node"] != 2505 {
		t.Errorf("GraphML has %d edges and %d nodes, want 5000 and 2505", n["edge"], n["node"])
	}
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(graph, func(r rune) bool { return strings.ContainsRune(" ;<>", r) }) {
		words[w] = true
	}
	for i, h := range trace.GetHops() {
		if want := h.GetTx() + ":0=" + h.GetDirty(); !words[want] {
			t.Fatalf("GraphML lacks the hop %s", want)
		}
		if end := trace.GetTerminals()[i]; !words["UNSPENT="+end.GetDirty()] || !words[end.GetAt()] {
			t.Fatalf("GraphML lacks the place %s at %s", end.GetDirty(), end.GetAt())
		}
	}
}

// TestDrawingOfHostileLabels: markup in a label stays text, and a long one is cut.
func TestDrawingOfHostileLabels(t *testing.T) {
	trace := fan(3)
	trace.Request = &spoorv1.TraceRequest{Refs: []string{"</title><script>alert(1)</script>"}}
	for i, label := range []string{`"/><script>alert(1)</script><a b="`, "]]>\u202egnp.exe\x00", strings.Repeat("<&", 5000)} {
		trace.Hops[i].ToLabels = []*spoorv1.Label{{Label: label}}
		trace.Hops[i].To = fmt.Sprint("payee", i, "<x>")
	}
	for name, form := range map[string]func(io.Writer, *spoorv1.Trace) error{"svg": SVG, "graphml": GraphML} {
		out := text(t, form, trace)
		for tag := range elementsOf(t, out) {
			if tag == "script" || tag == "a" || tag == "x" {
				t.Errorf("%s: a label made an element %s", name, tag)
			}
		}
		if strings.ContainsAny(out, "\u202e\x00") {
			t.Errorf("%s: a control character is in it", name)
		}
	}
	if n := len(text(t, SVG, trace)); n > 30_000 {
		t.Errorf("the drawing of three hops has %d bytes", n)
	}
}

// TestDrawingUpstream: what came before is to the left, and money flows to the right.
func TestDrawingUpstream(t *testing.T) {
	trace := &spoorv1.Trace{Request: &spoorv1.TraceRequest{Direction: spoorv1.Direction_DIRECTION_UPSTREAM}, Hops: []*spoorv1.Hop{
		{Depth: 1, Tx: "aa", From: "payer", To: "payee", Asset: usdt(), Dirty: "5"},
		{Depth: 2, Tx: "bb", From: "first", To: "payer", Asset: usdt(), Dirty: "5"},
	}, Terminals: []*spoorv1.Terminal{{Address: "first", Asset: usdt(), Dirty: "5", Reason: "NOT_COVERED"}}}
	graph := text(t, GraphML, trace)
	for i, name := range []string{"first", "payer", "payee"} {
		if want := fmt.Sprintf(":%s\"><data key=\"node_name\"></data><data key=\"node_column\">%d<", name, i); !strings.Contains(graph, want) {
			t.Errorf("no %q in\n%s", want, graph)
		}
	}
	if svg := text(t, SVG, trace); !strings.Contains(svg, ">paid to<") || !strings.Contains(svg, ">hop 2 before<") {
		t.Errorf("no heads of upstream in %s", svg)
	}
}

// TestDrawingRefuses an amount that is none rather than leave its hop out.
func TestDrawingRefuses(t *testing.T) {
	trace := fan(1)
	trace.Hops[0].Dirty = "-1"
	if err := SVG(io.Discard, trace); err == nil || !strings.Contains(err.Error(), "-1") {
		t.Errorf("an amount of -1: %v", err)
	}
}
