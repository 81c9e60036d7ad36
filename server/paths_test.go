package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// waysOf writes paths as "from>to amount" with their width.
func waysOf(c ledger.Chain, m *spoorv1.FindPathsResponse) string {
	var all []string
	for _, p := range m.GetPaths() {
		var steps []string
		for _, s := range p.GetSteps() {
			steps = append(steps, fmt.Sprintf("%s>%s %s", who(c, s.GetFrom()), who(c, s.GetTo()), s.GetAmount()))
		}
		all = append(all, strings.Join(steps, ", ")+" = "+p.GetWidth())
	}
	text := m.GetOutcome() + ": " + strings.Join(all, "; ")
	for _, s := range m.GetSearched() {
		if s.GetAtMaxHops()+s.GetServices()+s.GetBusyAccounts() > 0 || s.GetBudgetSpent() {
			text += fmt.Sprintf(" (%d deep, %d services)", s.GetAtMaxHops(), s.GetServices())
		}
	}
	return text
}

// TestFindPaths: transfers of accounts and coins, with what ends a search.
func TestFindPaths(t *testing.T) {
	c := local(t, newWorld(t))
	second := func(n int64) *timestamppb.Timestamp {
		return timestamppb.New(time.UnixMilli(export0 + n*1000))
	}
	for name, test := range map[string]struct {
		chain    ledger.Chain
		from, to string
		change   func(*spoorv1.FindPathsRequest)
		want     string
	}{
		"accounts":       {"tron", "victim", "b", nil, "FOUND: victim>m 60, m>b 80 = 60"},
		"order of time":  {"tron", "y", "b", nil, "NONE_IN_INDEX: "},
		"backwards":      {"tron", "b", "victim", nil, "NONE_IN_INDEX: "},
		"too short":      {"tron", "victim", "c", func(m *spoorv1.FindPathsRequest) { m.MaxHops = 1 }, "NONE_WITHIN_LIMITS:  (3 deep, 0 services)"},
		"too late":       {"tron", "victim", "a", func(m *spoorv1.FindPathsRequest) { m.Since = second(2) }, "NONE_IN_INDEX: "},
		"just in time":   {"tron", "victim", "a", func(m *spoorv1.FindPathsRequest) { m.Since = second(1) }, "FOUND: victim>m 60, m>a 50 = 50"},
		"cut before":     {"tron", "victim", "c", func(m *spoorv1.FindPathsRequest) { m.Before = second(5) }, "NONE_IN_INDEX: "},
		"just before":    {"tron", "victim", "c", func(m *spoorv1.FindPathsRequest) { m.Before = second(6) }, "FOUND: victim>m 60, m>c 30 = 30"},
		"several ways":   {"tron", "victim", "d", nil, "FOUND: victim>d 7 = 7; victim>d 2 = 2; victim>d 1 = 1"},
		"the widest":     {"tron", "victim", "d", func(m *spoorv1.FindPathsRequest) { m.MaxResults, m.Asset = 1, "USDT" }, "FOUND: victim>d 7 = 7"},
		"coins":          {"bitcoin", "victim", "c", nil, "FOUND: victim>scam 3, scam>a 6, a>c 6 = 3"},
		"what was put":   {"bitcoin", "scam", "a", nil, "FOUND: scam>a 3 = 3"},
		"address reused": {"bitcoin", "b", "c", nil, "NONE_IN_INDEX: "},
	} {
		m := &spoorv1.FindPathsRequest{From: named(test.chain, test.from).Qualified(), To: named(test.chain, test.to).Qualified()}
		if test.change != nil {
			test.change(m)
		}
		got, err := c.FindPaths(t.Context(), m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text := waysOf(test.chain, got); text != test.want {
			t.Errorf("%s: got %q, want %q", name, text, test.want)
		}
		if got.GetAsOf().GetNetwork() != string(test.chain) || got.GetCoverage() == nil || got.GetMore() != (name == "the widest") {
			t.Errorf("%s: as of %v, coverage %v, more %v", name, got.GetAsOf(), got.GetCoverage(), got.GetMore())
		}
	}
}

// TestPathSteps: a step names its payment by an exact REF, with place and grade.
func TestPathSteps(t *testing.T) {
	c := local(t, newWorld(t))
	got, err := c.FindPaths(t.Context(), &spoorv1.FindPathsRequest{From: named("bitcoin", "scam").Qualified(), To: named("bitcoin", "c").Qualified()})
	if err != nil {
		t.Fatal(err)
	}
	last := got.GetPaths()[0].GetSteps()[1]
	if want := ref("bitcoin", "on", ":0"); last.GetRef() != want || last.GetHeight() != 5 || last.GetGrade() != "proven" || last.GetTime().AsTime().UnixMilli() != coins0+50*minute || got.GetFollows() != "coins" {
		t.Errorf("got %v, want %s in block 5", last, want)
	}
}

// TestBadPaths: each bad input is refused by its field.
func TestBadPaths(t *testing.T) {
	c := local(t, newWorld(t))
	a, b := named("tron", "a").Qualified(), named("tron", "b").Qualified()
	for name, test := range map[string]struct {
		m    *spoorv1.FindPathsRequest
		want refusal
	}{
		"no from":        {&spoorv1.FindPathsRequest{To: b}, refusal{invalid, wrong, "from", "at least 1"}},
		"the same":       {&spoorv1.FindPathsRequest{From: a, To: a}, refusal{invalid, wrong, "to", "another address than from"}},
		"two networks":   {&spoorv1.FindPathsRequest{From: a, To: named("bitcoin", "b").Qualified()}, refusal{invalid, wrong, "to", "paths stay on one network"}},
		"too many hops":  {&spoorv1.FindPathsRequest{From: a, To: b, MaxHops: 13}, refusal{invalid, wrong, "max_hops", "12"}},
		"too many paths": {&spoorv1.FindPathsRequest{From: a, To: b, MaxResults: 101}, refusal{invalid, wrong, "max_results", "100"}},
		"no asset":       {&spoorv1.FindPathsRequest{From: a, To: b, Asset: "GOLD"}, refusal{invalid, "UNSUPPORTED_ASSET", "asset", "a known symbol"}},
		"ends before": {
			&spoorv1.FindPathsRequest{From: a, To: b, Since: timestamppb.New(time.UnixMilli(export0 + 2000)), Before: timestamppb.New(time.UnixMilli(export0 + 1000))},
			refusal{invalid, wrong, "before", "a time after since"},
		},
	} {
		_, err := c.FindPaths(t.Context(), test.m)
		test.want.check(t, name, err)
	}
}
