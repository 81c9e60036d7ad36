package server_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

func (c *client) verified(t testing.TB, m *spoorv1.VerifyTraceRequest) *spoorv1.VerifyTraceResponse {
	t.Helper()
	got, err := c.VerifyTrace(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestVerifyTrace: every trace comes out again at its pins, also when the index
// and the labels have grown since.
func TestVerifyTrace(t *testing.T) {
	w := newWorld(t)
	c := local(t, w)
	label := func(address ledger.Address, name string) {
		t.Helper()
		if _, err := c.AddLabel(t.Context(), &spoorv1.AddLabelRequest{Label: &spoorv1.Label{Network: string(address.Chain), Address: address.String(), Label: name, Category: "exchange", Source: "test", Confidence: 90}}); err != nil {
			t.Fatal(err)
		}
	}
	label(named("tron", "shop"), "a shop")
	before := map[string]*spoorv1.Trace{}
	for name, m := range questions() {
		before[name] = c.trace(t, m)
	}
	named1 := c.started(t, &spoorv1.StartTraceRequest{Request: questions()["coins"]}).GetName()
	label(named("tron", "m"), "an exchange")
	label(named("bitcoin", "a"), "an exchange")
	blocks := coinBlocks()
	w.append(t, block(blocks[len(blocks)-1], uint64(len(blocks)), coins0+60*minute, spending("r6", nil, coin{"miner", 50}), spending("later", []ledger.OutPoint{out("on", 0)}, coin{"d", 6})))
	for name, trace := range before {
		got := c.verified(t, &spoorv1.VerifyTraceRequest{Trace: trace})
		if got.GetVerdict() != "EQUAL" || got.GetCompared() < 50 {
			t.Errorf("%s: got %v", name, got)
		}
		if after := c.trace(t, questions()[name]); name != "coins, earlier" && proto.Equal(after, trace) {
			t.Errorf("%s: nothing changed: the test shows nothing", name)
		}
	}
	if got := c.verified(t, &spoorv1.VerifyTraceRequest{Name: named1}); got.GetVerdict() != "EQUAL" {
		t.Errorf("by name: got %v", got)
	}
}

// TestVerifyFinds: what was changed in a trace is found, and pins that are not to be had are told.
func TestVerifyFinds(t *testing.T) {
	c := local(t, newWorld(t))
	coins := c.trace(t, questions()["coins"])
	account := c.trace(t, questions()["account"])
	for name, test := range map[string]struct {
		of                     *spoorv1.Trace
		change                 func(*spoorv1.Trace)
		verdict, reason, field string
		was, is                string
	}{
		"an amount":       {coins, func(m *spoorv1.Trace) { m.Hops[1].Dirty = "3" }, "DIFFERENT", "", "hops[1].dirty", "3", "2"},
		"a hop left out":  {coins, func(m *spoorv1.Trace) { m.Hops = m.Hops[:3] }, "DIFFERENT", "", "hops[3]", "", ref("bitcoin", "on", ":0") + " 2"},
		"a reason":        {coins, func(m *spoorv1.Trace) { m.Terminals[0].Reason = "SERVICE" }, "DIFFERENT", "", "terminals[0].reason", "SERVICE", "UNSPENT"},
		"a height":        {coins, func(m *spoorv1.Trace) { m.Hops[0].Height = nil }, "DIFFERENT", "", "hops[0].height", "", "2"},
		"a time":          {coins, func(m *spoorv1.Trace) { m.Hops[0].Time = &timestamppb.Timestamp{Seconds: 1} }, "DIFFERENT", "", "hops[0].time", "1970-01-01T00:00:01Z", "2011-03-13T07:26:40Z"},
		"a policy's end":  {account, func(m *spoorv1.Trace) { m.PolicyResults[0].Terminals[0].Dirty = "1" }, "DIFFERENT", "", "policy_results[0].terminals[0].dirty", "1", "50"},
		"the question":    {coins, func(m *spoorv1.Trace) { m.Policy = "lifo" }, "DIFFERENT", "", "policy", "lifo", "fifo"},
		"its name":        {coins, func(m *spoorv1.Trace) { m.Name = "traces/x" }, "EQUAL", "", "", "", ""},
		"the rules":       {coins, func(m *spoorv1.Trace) { m.Pins.RuleVersion = "1999-01" }, "NOT_COMPARABLE", `it follows the rules of version "1999-01", this program those of 2026-11`, "", "", ""},
		"the labels":      {coins, func(m *spoorv1.Trace) { m.Pins.LabelSequence = 7 }, "NOT_COMPARABLE", "its labels go up to sequence 7, the log here to 0", "", "", ""},
		"a later block":   {coins, func(m *spoorv1.Trace) { m.AsOf[0].Height = proto.Uint32(9) }, "NOT_COMPARABLE", "bitcoin is held up to block 5, not 9", "", "", ""},
		"another network": {coins, func(m *spoorv1.Trace) { m.AsOf[0].Network = "ethereum" }, "NOT_COMPARABLE", "nothing of ethereum is held up to its as-of", "", "", ""},
		"another export":  {account, func(m *spoorv1.Trace) { m.AsOf[0].BlockHash = "00" }, "NOT_COMPARABLE", "the export of tron is of another set of files", "", "", ""},
		"no height":       {coins, func(m *spoorv1.Trace) { m.AsOf[0].Height = nil }, "NOT_COMPARABLE", "bitcoin is held as blocks in one of the two and as exports in the other", "", "", ""},
	} {
		m := proto.CloneOf(test.of)
		test.change(m)
		got := c.verified(t, &spoorv1.VerifyTraceRequest{Trace: m})
		if got.GetVerdict() != test.verdict || got.GetReason() != test.reason {
			t.Errorf("%s: got %v", name, got)
			continue
		}
		if test.field == "" {
			continue
		}
		if d := got.GetDifferences(); len(d) != 1 || got.GetFound() != 1 || d[0].GetField() != test.field || d[0].GetWas() != test.was || d[0].GetIs() != test.is {
			t.Errorf("%s: got %v, want %s was %q is %q", name, d, test.field, test.was, test.is)
		}
	}
}

// TestBadVerify: what is no finished trace is refused.
func TestBadVerify(t *testing.T) {
	c := local(t, newWorld(t))
	coins := c.trace(t, questions()["coins"])
	for name, test := range map[string]struct {
		m    *spoorv1.VerifyTraceRequest
		want refusal
	}{
		"nothing":  {&spoorv1.VerifyTraceRequest{}, refusal{invalid, wrong, "trace", "a trace, or the name of one"}},
		"both":     {&spoorv1.VerifyTraceRequest{Name: "traces/t1", Trace: coins}, refusal{invalid, wrong, "trace", "a trace, or the name of one"}},
		"empty":    {&spoorv1.VerifyTraceRequest{Trace: &spoorv1.Trace{}}, refusal{invalid, wrong, "trace", "a finished trace"}},
		"unknown":  {&spoorv1.VerifyTraceRequest{Name: "traces/t99"}, refusal{codes.NotFound, "NOT_FOUND", "", "no such trace"}},
		"no name":  {&spoorv1.VerifyTraceRequest{Name: "t1"}, refusal{invalid, wrong, "name", "traces/"}},
		"no refs":  {&spoorv1.VerifyTraceRequest{Trace: &spoorv1.Trace{Request: &spoorv1.TraceRequest{}, AsOf: coins.GetAsOf(), Pins: coins.GetPins()}}, refusal{invalid, wrong, "trace.request.refs", "at least 1"}},
		"no chain": {&spoorv1.VerifyTraceRequest{Trace: &spoorv1.Trace{Request: coins.GetRequest(), AsOf: []*spoorv1.AsOf{{Network: "moon"}}, Pins: coins.GetPins()}}, refusal{invalid, wrong, "trace.as_of", "bitcoin"}},
	} {
		_, err := c.VerifyTrace(t.Context(), test.m)
		test.want.check(t, name, err)
	}
}

// TestGivenOverREST: a trace as JSON over HTTP gives it is verified and explained
// as JSON over HTTP, what is empty in it included; and paths are found there.
func TestGivenOverREST(t *testing.T) {
	c := local(t, newWorld(t))
	base := web(t, c.server, server.LocalTrust())
	for name, m := range questions() {
		trace := called(t, "GET", base+"/v1/"+c.started(t, &spoorv1.StartTraceRequest{Request: m}).GetName(), "")
		if trace.code != 200 {
			t.Fatalf("%s: %d %s", name, trace.code, trace.body)
		}
		if r := called(t, "POST", base+"/v1/traces:verify", `{"trace":`+string(trace.body)+`}`); r.code != 200 || !strings.Contains(string(r.body), `"verdict":"EQUAL"`) {
			t.Errorf("%s: verify: %d %s", name, r.code, r.body)
		}
		if strings.Contains(string(trace.body), `"hops":[]`) {
			continue // all of it is dust
		}
		if r := called(t, "POST", base+"/v1/traces:explain", `{"hop":1,"trace":`+string(trace.body)+`}`); r.code != 200 || !strings.Contains(string(r.body), `"arithmetic":"`) {
			t.Errorf("%s: explain: %d %s", name, r.code, r.body)
		}
	}
	from, to := named("tron", "victim").Qualified(), named("tron", "b").Qualified()
	if r := called(t, "GET", base+"/v1/paths:find?from="+from+"&to="+to+"&since=2022-01-01T00:00:00Z", ""); r.code != 200 || !strings.Contains(string(r.body), `"outcome":"FOUND"`) {
		t.Errorf("paths: %d %s", r.code, r.body)
	}
}
