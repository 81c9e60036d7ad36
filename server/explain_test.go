package server_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (c *client) explained(t testing.TB, trace *spoorv1.Trace, hop uint32) *spoorv1.HopExplanation {
	t.Helper()
	x, err := c.ExplainHop(t.Context(), &spoorv1.ExplainHopRequest{Trace: trace, Hop: hop})
	if err != nil {
		t.Fatalf("hop %d: %v", hop, err)
	}
	return x
}

// segmentsOf writes segments as "60t 100": traced ones with a t.
func segmentsOf(all []*spoorv1.LedgerSegment) string {
	var s []string
	for _, one := range all {
		text := one.GetAmount()
		if one.GetTraced() {
			text += "t"
		}
		s = append(s, text)
	}
	return strings.Join(s, " ")
}

// TestExplainAccount: the payment of 80 to b of the worked account, worked out by hand under every policy.
func TestExplainAccount(t *testing.T) {
	c := local(t, newWorld(t))
	for policy, want := range map[string]string{
		"fifo":        "50 60t | 50 30t | 30t | the first 80 of the queue of 110 leave; traced of them: 30",
		"lifo":        "100 10t | 10t 70 | 30 | the last 80 of the stack of 110 leave; traced of them: 10",
		"dirty-first": "100 10t | 70 10t | 30 | min(traced, paid) = min(10, 80) = 10",
		"tiho":        "100 10t | 70 10t | 30 | min(traced, paid) = min(10, 80) = 10",
		"libr":        "50 60t | 50 30t | 30t | max(0, traced - (held - paid)) = max(0, 60 - (110 - 80)) = 30",
		"haircut":     "68 42t | 50 30t | 18 12t | floor(traced * paid / held) = floor(42 * 80 / 110) = 30",
		"poison":      "110t | 80t | 30t | all of the 80 that are paid, while anything is traced: 80",
	} {
		trace := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, Policy: policy, MinValue: "0"})
		for _, h := range trace.GetHops() {
			if who("tron", h.GetTo()) != "b" {
				continue
			}
			x := c.explained(t, trace, h.GetId())
			l := x.GetPayer()
			if got := strings.Join([]string{segmentsOf(l.GetHeld()), segmentsOf(l.GetTaken()), segmentsOf(l.GetLeft()), x.GetArithmetic()}, " | "); got != want {
				t.Errorf("%s:\ngot  %s\nwant %s", policy, got, want)
			}
			if l.GetKind() != "ACCOUNT" || l.GetOpening() != "100" || l.GetOpeningAssumed() != "0" || len(l.GetBrought()) != 1 || l.GetBrought()[0].GetHop() != 1 || x.GetPayee().GetOutcome() != "OPENED" {
				t.Errorf("%s: got %v, %v", policy, l, x.GetPayee())
			}
			if x.GetPolicy() != policy || x.GetRule() == "" || x.GetSource() != "rows.csv" || x.GetStatus() != "OK" || x.GetBlockHash() == "" || x.GetBounds().GetMaxHops() != 64 {
				t.Errorf("%s: got %v", policy, x)
			}
		}
	}
}

// TestExplainCoins: an output of the worked coins, from the inputs in line.
func TestExplainCoins(t *testing.T) {
	c := local(t, newWorld(t))
	for policy, want := range map[string]string{
		"fifo":    "4 3t 3 | 4 2t | output 0 of 6, after 0 in the outputs before it; traced of what falls there: 2",
		"lifo":    "4 3t 3 | 3 3t | from the last; output 0 of 6, after 0 in the outputs before it; traced of what falls there: 3",
		"haircut": "4 3t 3 | 4 2t | floor(3 * 6 / 10) = 1, and what the floors leave goes to the largest remainders: 2",
		"libr":    "4 3t 3 | 3 | the 7 clean units fill the outputs in listed order",
	} {
		trace := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("bitcoin", "pay", ":0")}, Policy: policy, MinValue: "0"})
		x := c.explained(t, trace, 2)
		parts := strings.Split(want, " | ")
		l := x.GetPayer()
		if policy == "libr" { // b gets what is left
			parts[1] = "1 2t"
		}
		if segmentsOf(l.GetHeld()) != parts[0] || segmentsOf(l.GetTaken()) != parts[1] || !strings.Contains(x.GetArithmetic(), parts[2]) {
			t.Errorf("%s: got %s | %s | %s, want %s", policy, segmentsOf(l.GetHeld()), segmentsOf(l.GetTaken()), x.GetArithmetic(), want)
		}
		if l.GetKind() != "INPUTS" || len(l.GetBrought()) != 1 || l.GetBrought()[0].GetHop() != 1 || x.GetPayee().GetOutcome() != "COIN" || x.GetSource() != "test" {
			t.Errorf("%s: got %v, %v, %q", policy, l, x.GetPayee(), x.GetSource())
		}
	}
}

// TestExplainEveryHop: the figures of every hop re-add, by name and by message.
func TestExplainEveryHop(t *testing.T) {
	c := local(t, newWorld(t))
	hops := 0
	for name, m := range questions() {
		trace := c.started(t, &spoorv1.StartTraceRequest{Request: m})
		for _, h := range trace.GetHops() {
			x, err := c.ExplainHop(t.Context(), &spoorv1.ExplainHopRequest{Name: trace.GetName(), Hop: h.GetId()})
			if err != nil {
				t.Fatalf("%s: hop %d: %v", name, h.GetId(), err)
			}
			if !proto.Equal(x, c.explained(t, trace, h.GetId())) {
				t.Errorf("%s: hop %d: by name it is another than by message", name, h.GetId())
			}
			if sum := tracedOf(t, x.GetCarried()); sum.String() != h.GetDirty() || !proto.Equal(x.GetHop(), h) {
				t.Errorf("%s: hop %d carries %s, want %s: %v", name, h.GetId(), sum, h.GetDirty(), x)
			}
			hops++
		}
	}
	if hops < 20 {
		t.Errorf("%d hops show little", hops)
	}
}

func tracedOf(t *testing.T, all []*spoorv1.LedgerSegment) (sum ledger.Amount) {
	t.Helper()
	for _, s := range all {
		n, err := ledger.ParseAmount(s.GetAmount())
		if err != nil {
			t.Fatal(err)
		}
		if s.GetTraced() {
			sum = sum.Plus(n)
		}
	}
	return sum
}

// TestExplainStops: the label that decided is named, as it was at the pins; what the user said, and a limit.
func TestExplainStops(t *testing.T) {
	c := local(t, newWorld(t))
	if _, err := c.AddLabel(t.Context(), &spoorv1.AddLabelRequest{Label: &spoorv1.Label{
		Network: "tron", Address: named("tron", "b").String(), Label: "A shop", Category: "exchange", Source: "the shop", Confidence: 70,
	}}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*spoorv1.TraceRequest)
		to     string
		want   string
	}{
		"a label":  {nil, "b", "STOPPED SERVICE by A shop"},
		"the user": {func(m *spoorv1.TraceRequest) { m.StopAt = []string{named("tron", "b").Qualified()} }, "b", "STOPPED STOPPED_BY_USER by "},
		"a limit":  {func(m *spoorv1.TraceRequest) { m.MaxHops = proto.Int32(1) }, "a", "STOPPED PENDING by "},
		"rests":    {nil, "a", "OPENED UNSPENT by "},
	} {
		m := &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, Policy: "haircut", MinValue: "0"}
		if test.change != nil {
			test.change(m)
		}
		trace, found := c.trace(t, m), false
		for _, h := range trace.GetHops() {
			if who("tron", h.GetTo()) != test.to {
				continue
			}
			found = true
			p := c.explained(t, trace, h.GetId()).GetPayee()
			if got := fmt.Sprintf("%s %s by %s", p.GetOutcome(), p.GetReason(), p.GetDecidedBy().GetLabel()); got != test.want || p.GetBecause() == "" {
				t.Errorf("%s: got %s (%s), want %s", name, got, p.GetBecause(), test.want)
			}
		}
		if !found {
			t.Errorf("%s: no hop to %s", name, test.to)
		}
	}
}

// TestBadExplain: what cannot be explained is refused with its reason.
func TestBadExplain(t *testing.T) {
	c := local(t, newWorld(t))
	coins := c.trace(t, questions()["coins"])
	changed := func(change func(*spoorv1.Trace)) *spoorv1.Trace {
		m := proto.CloneOf(coins)
		change(m)
		return m
	}
	upstream := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("bitcoin", "on", ":0")}, Direction: spoorv1.Direction_DIRECTION_UPSTREAM})
	for name, test := range map[string]struct {
		m    *spoorv1.ExplainHopRequest
		want refusal
	}{
		"no hop":      {&spoorv1.ExplainHopRequest{Trace: coins}, refusal{invalid, wrong, "hop", "1"}},
		"no such hop": {&spoorv1.ExplainHopRequest{Trace: coins, Hop: 99}, refusal{invalid, wrong, "hop", "one of the 4 hops"}},
		"no trace":    {&spoorv1.ExplainHopRequest{Hop: 1}, refusal{invalid, wrong, "trace", "a trace, or the name of one"}},
		"upstream":    {&spoorv1.ExplainHopRequest{Trace: upstream, Hop: 1}, refusal{invalid, wrong, "trace", "a downstream trace"}},
		"other rules": {
			&spoorv1.ExplainHopRequest{Trace: changed(func(m *spoorv1.Trace) { m.Pins.RuleVersion = "1999-01" }), Hop: 1},
			refusal{codes.FailedPrecondition, "FAILED_PRECONDITION", "", "the pins of the trace are not to be had"},
		},
		"another figure": {
			&spoorv1.ExplainHopRequest{Trace: changed(func(m *spoorv1.Trace) { m.Hops[0].Dirty = "1" }), Hop: 1},
			refusal{codes.FailedPrecondition, "FAILED_PRECONDITION", "", "hop 1 of the trace comes out otherwise"},
		},
	} {
		_, err := c.ExplainHop(t.Context(), test.m)
		test.want.check(t, name, err)
	}
}
