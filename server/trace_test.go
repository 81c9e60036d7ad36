package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// ends writes a trace's figures: hops as "from>to dirty/amount", terminals as
// "address dirty reason low..high", and the sheet of all seeds.
func ends(c ledger.Chain, m *spoorv1.Trace) string {
	var s []string
	for _, h := range m.GetHops() {
		s = append(s, fmt.Sprintf("%s>%s %s/%s", who(c, h.GetFrom()), who(c, h.GetTo()), h.GetDirty(), h.GetAmount()))
	}
	for _, t := range m.GetTerminals() {
		s = append(s, fmt.Sprintf("%s %s %s %s..%s", who(c, t.GetAddress()), t.GetDirty(), t.GetReason(), t.GetLow(), t.GetHigh()))
	}
	return strings.Join(append(s, sheet(m.GetConservation())), "; ")
}

// sheet writes the row of all seeds of the first sheet.
func sheet(rows []*spoorv1.Conservation) string {
	r := rows[0]
	s := "seeded " + r.GetSeeded() + " ="
	for _, f := range []struct{ name, n string }{
		{"resting", r.GetResting()},
		{"stopped", r.GetStopped()},
		{"burnt", r.GetBurnt()},
		{"fees", r.GetFees()},
		{"pruned", r.GetPruned()},
		{"pending", r.GetPending()},
		{"collided", r.GetCollided()},
	} {
		if f.n != "0" {
			s += " " + f.name + " " + f.n
		}
	}
	if !r.GetConserves() {
		s += " not conserving"
	}
	return s
}

// TestWorkedAccount: the account example of method.md, worked out by hand there, under every policy.
func TestWorkedAccount(t *testing.T) {
	c := local(t, newWorld(t))
	for policy, want := range map[string]string{
		"fifo":        "victim>m 60/60; m>b 30/80; m>c 30/30; b 30 UNSPENT 0..60; c 30 UNSPENT 0..30; seeded 60 = resting 60",
		"lifo":        "victim>m 60/60; m>a 50/50; m>b 10/80; a 50 UNSPENT 0..50; b 10 UNSPENT 0..60; seeded 60 = resting 60",
		"dirty-first": "victim>m 60/60; m>a 50/50; m>b 10/80; a 50 UNSPENT 0..50; b 10 UNSPENT 0..60; seeded 60 = resting 60",
		"tiho":        "victim>m 60/60; m>a 50/50; m>b 10/80; a 50 UNSPENT 0..50; b 10 UNSPENT 0..60; seeded 60 = resting 60",
		"libr":        "victim>m 60/60; m>b 30/80; m 30 UNSPENT 0..30; b 30 UNSPENT 0..60; seeded 60 = resting 60",
		"haircut": "victim>m 60/60; m>a 18/50; m>b 30/80; m>c 5/30; b 30 UNSPENT 0..60; a 18 UNSPENT 0..50; " +
			"m 7 UNSPENT 0..30; c 5 UNSPENT 0..30; seeded 60 = resting 60",
		"poison": "victim>m 60/60; m>a 50/50; m>b 80/80; m>c 30/30; b 80 UNSPENT 0..60; a 50 UNSPENT 0..50; " +
			"m 40 UNSPENT 0..30; c 30 UNSPENT 0..30; seeded 60 = resting 200 not conserving",
	} {
		got := ends("tron", c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, Policy: policy, MinValue: "0"}))
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", policy, got, want)
		}
	}
}

// TestWorkedCoins: the same for the coins of method.md, [4 clean][3 traced][3 clean] -> 6, 3, fee 1.
func TestWorkedCoins(t *testing.T) {
	c := local(t, newWorld(t))
	for policy, want := range map[string]string{
		"fifo":        "victim>scam 3/3; scam>a 2/6; scam>b 1/3; a>c 2/6; c 2 UNSPENT 0..3; b 1 UNSPENT 0..3; seeded 3 = resting 3",
		"haircut":     "victim>scam 3/3; scam>a 2/6; scam>b 1/3; a>c 2/6; c 2 UNSPENT 0..3; b 1 UNSPENT 0..3; seeded 3 = resting 3",
		"lifo":        "victim>scam 3/3; scam>a 3/6; a>c 3/6; c 3 UNSPENT 0..3; seeded 3 = resting 3",
		"tiho":        "victim>scam 3/3; scam>a 3/6; a>c 3/6; c 3 UNSPENT 0..3; seeded 3 = resting 3",
		"dirty-first": "victim>scam 3/3; scam>a 3/6; a>c 3/6; c 3 UNSPENT 0..3; seeded 3 = resting 3",
		"libr":        "victim>scam 3/3; scam>b 2/3; b 2 UNSPENT 0..3; seeded 3 = resting 2 fees 1",
	} {
		got := ends("bitcoin", c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("bitcoin", "pay", ":0")}, Policy: policy, MinValue: "0"}))
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", policy, got, want)
		}
	}
}

// TestFeesToCoinbase: the traced fee of 1 lies in the coinbase of block 3 instead of in the sheet's fees.
func TestFeesToCoinbase(t *testing.T) {
	c := local(t, newWorld(t))
	m := &spoorv1.TraceRequest{Refs: []string{ref("bitcoin", "pay", ":0")}, Policy: "libr", MinValue: "0", FeesToCoinbase: true}
	got := c.trace(t, m)
	want := "b 2 UNSPENT 0..3; miner 1 UNSPENT 0..3; seeded 3 = resting 3"
	if text := ends("bitcoin", got); !strings.HasSuffix(text, want) {
		t.Errorf("got %s, want it to end in %s", text, want)
	}
}

// questions is a spread of requests over both networks.
func questions() map[string]*spoorv1.TraceRequest {
	many := int64(0)
	return map[string]*spoorv1.TraceRequest{
		"account":        {Refs: []string{ref("tron", "v1", "")}, Policy: "haircut", MinValue: "0", AllPolicies: true},
		"coins":          {Refs: []string{ref("bitcoin", "pay", ":0")}, Policy: "fifo", MinValue: "0"},
		"both":           {Refs: []string{ref("tron", "v1", ""), ref("bitcoin", "pay", ""), ref("tron", "p2", "")}, Policy: "haircut", MinValue: "0", AllPolicies: true},
		"by address":     {Refs: []string{ref("tron", "twice", ":"+named("tron", "d").String())}},
		"dust":           {Refs: []string{ref("tron", "v1", "")}},
		"budget":         {Refs: []string{ref("tron", "v1", "")}, MinValue: "0", MaxEvents: proto.Int64(2)},
		"shallow":        {Refs: []string{ref("bitcoin", "pay", "")}, MinValue: "0", MaxHops: proto.Int32(1)},
		"stopped":        {Refs: []string{ref("bitcoin", "pay", "")}, MinValue: "0", StopAt: []string{named("bitcoin", "a").Qualified()}},
		"services off":   {Refs: []string{ref("tron", "v1", "")}, MinValue: "0", ServicePayees: &many},
		"coins, earlier": {Refs: []string{ref("bitcoin", "pay", "")}, MinValue: "0", AsOf: "3", AllPolicies: true},
	}
}

// TestStreamEqualsStart: both ways to ask give the same answer; the streamed
// hops come numbered in replay order, and terminals and result refer to them.
func TestStreamEqualsStart(t *testing.T) {
	c := local(t, newWorld(t))
	for name, m := range questions() {
		streamed := c.trace(t, m)
		started := c.started(t, &spoorv1.StartTraceRequest{Request: m})
		if !strings.HasPrefix(started.GetName(), "traces/") {
			t.Errorf("%s: name %q", name, started.GetName())
		}
		started.Name = ""
		if diff := cmp.Diff(started, streamed, protocmp.Transform()); diff != "" {
			t.Errorf("%s: (-started +streamed)\n%s", name, diff)
		}
		if len(streamed.GetTerminals()) == 0 || streamed.GetState() != "DONE" || !proto.Equal(streamed.GetRequest(), m) {
			t.Errorf("%s: %d terminals, state %s, request %v", name, len(streamed.GetTerminals()), streamed.GetState(), streamed.GetRequest())
		}
		checkHops(t, name, streamed)
		if again := c.trace(t, m); jsonOf(t, again) != jsonOf(t, streamed) {
			t.Errorf("%s: asked again:\n%s\nbefore\n%s", name, jsonOf(t, again), jsonOf(t, streamed))
		}
	}
}

// checkHops holds a trace to what its messages promise of each other.
func checkHops(t *testing.T, name string, m *spoorv1.Trace) {
	t.Helper()
	for i, h := range m.GetHops() {
		if h.GetId() != uint32(i+1) || h.GetParent() >= h.GetId() {
			t.Errorf("%s: hop %d is %d after %d", name, i+1, h.GetId(), h.GetParent())
		}
		if p := h.GetParent(); p > 0 && m.GetHops()[p-1].GetTo() != h.GetFrom() && !slices.Contains(h.GetFromOthers(), m.GetHops()[p-1].GetTo()) {
			t.Errorf("%s: hop %d comes from %s, its parent %d went to %s", name, h.GetId(), h.GetFrom(), p, m.GetHops()[p-1].GetTo())
		}
		if !slices.Contains([]string{"proven", "attested", "inferred"}, h.GetGrade()) {
			t.Errorf("%s: hop %d has the grade %q", name, h.GetId(), h.GetGrade())
		}
		if got := total(t, h.GetShares()); h.GetDirty() != got {
			t.Errorf("%s: hop %d: shares add up to %s, want %s", name, h.GetId(), got, h.GetDirty())
		}
	}
	for _, term := range m.GetTerminals() {
		if h := term.GetHop(); h > 0 && m.GetHops()[h-1].GetTo() != term.GetAddress() && term.GetReason() != "PRUNED" {
			t.Errorf("%s: terminal %s by hop %d, which went to %s", name, term.GetAddress(), h, m.GetHops()[h-1].GetTo())
		}
		if got := total(t, term.GetShares()); term.GetDirty() != got {
			t.Errorf("%s: terminal %s: shares add up to %s, want %s", name, term.GetAddress(), got, term.GetDirty())
		}
	}
}

func total(t *testing.T, shares []*spoorv1.Share) string {
	t.Helper()
	var sum ledger.Amount
	for _, s := range shares {
		n, err := ledger.ParseAmount(s.GetDirty())
		if err != nil {
			t.Fatal(err)
		}
		sum = sum.Plus(n)
	}
	return sum.String()
}

// TestTwoServers: the same data and questions give the same bytes on two servers, whose stores were filled apart.
func TestTwoServers(t *testing.T) {
	one, two := local(t, newWorld(t)), local(t, newWorld(t))
	for name, m := range questions() {
		if a, b := jsonOf(t, one.trace(t, m)), jsonOf(t, two.trace(t, m)); a != b {
			t.Errorf("%s:\n%s\nand\n%s", name, a, b)
		}
	}
}

// TestPolicies: all_policies has each rule's own answer, and policy_ranges the four compared ones side by side.
func TestPolicies(t *testing.T) {
	c := local(t, newWorld(t))
	m := &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0", AllPolicies: true}
	got := c.trace(t, m)
	if got.GetPolicy() != "dirty-first" {
		t.Errorf("default policy %q", got.GetPolicy())
	}
	var names []string
	for _, r := range got.GetPolicyResults() {
		names = append(names, r.GetPolicy())
		alone := c.trace(t, &spoorv1.TraceRequest{Refs: m.GetRefs(), MinValue: "0", Policy: r.GetPolicy()})
		if diff := cmp.Diff(alone.GetConservation(), r.GetConservation(), protocmp.Transform()); diff != "" {
			t.Errorf("%s: (-alone +all)\n%s", r.GetPolicy(), diff)
		}
		if a, b := places(alone.GetTerminals()), places(r.GetTerminals()); a != b {
			t.Errorf("%s: alone %s, in all %s", r.GetPolicy(), a, b)
		}
	}
	if slices.Sort(names); strings.Join(names, " ") != "dirty-first fifo haircut libr lifo poison tiho" {
		t.Errorf("policies %v", names)
	}
	var ranges []string
	for _, r := range got.GetPolicyRanges() {
		s := who("tron", r.GetAddress()) + " " + r.GetLow() + ".." + r.GetHigh()
		for _, a := range r.GetAmounts() {
			s += " " + a.GetPolicy() + " " + a.GetDirty()
		}
		ranges = append(ranges, s)
	}
	want := []string{
		"a 0..50 fifo 0 haircut 18 dirty-first 50 libr 0",
		"b 10..30 fifo 30 haircut 30 dirty-first 10 libr 30",
		"c 0..30 fifo 30 haircut 5 dirty-first 0 libr 0",
		"m 0..30 fifo 0 haircut 7 dirty-first 0 libr 30",
	}
	slices.Sort(ranges[1:]) // equal highs stand by address
	if diff := cmp.Diff(want, ranges); diff != "" {
		t.Errorf("ranges (-want +got)\n%s", diff)
	}
}

func places(terminals []*spoorv1.Terminal) string {
	var s []string
	for _, t := range terminals {
		s = append(s, t.GetAddress()+" "+t.GetDirty()+" "+t.GetReason())
	}
	return strings.Join(s, "; ")
}
