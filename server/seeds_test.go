package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// seedsOf writes the payments of a trace as "tx:index>payee amount".
func seedsOf(c ledger.Chain, m *spoorv1.Trace) string {
	var s []string
	for i, seed := range m.GetSeeds() {
		if seed.GetId() != uint32(i+1) {
			s = append(s, fmt.Sprintf("id %d", seed.GetId()))
		}
		s = append(s, fmt.Sprintf("%s:%s>%s %s", seed.GetTx()[:6], seed.GetIndex(), who(c, seed.GetAddress()), seed.GetAmount()))
	}
	return strings.Join(s, ", ")
}

func short(tx string) string { return txID(tx).String()[:6] }

// TestSeeds: every way to write a payment, and how much of it is the victim's.
func TestSeeds(t *testing.T) {
	c := local(t, newWorld(t))
	hash := func(tx string) string { return txID(tx).String() }
	d := named("tron", "d")
	for name, test := range map[string]struct {
		refs, amounts []string
		chain         ledger.Chain
		want          string
	}{
		"by index":          {[]string{"tron:" + hash("two") + ":1"}, nil, "tron", short("two") + ":1>e 8"},
		"by address":        {[]string{"tron:" + hash("two") + ":" + d.String()}, nil, "tron", short("two") + ":0>d 7"},
		"all to an address": {[]string{"tron:" + hash("twice") + ":" + d.String()}, nil, "tron", short("twice") + ":0>d 1, " + short("twice") + ":1>d 2"},
		"bare hash":         {[]string{hash("v1")}, nil, "tron", short("v1") + ":0>m 60"},
		"capitals, 0x":      {[]string{"0x" + strings.ToUpper(hash("v1"))}, nil, "tron", short("v1") + ":0>m 60"},
		"bare hash, index":  {[]string{hash("fund") + ":2"}, nil, "bitcoin", short("fund") + ":2>y 3"},
		"explorer":          {[]string{"https://tronscan.org/#/transaction/" + hash("v1")}, nil, "tron", short("v1") + ":0>m 60"},
		"explorer's output": {[]string{"https://mempool.space/tx/" + hash("fund") + "#vout=1"}, nil, "bitcoin", short("fund") + ":1>victim 3"},
		"part in units":     {[]string{hash("v1")}, []string{"10u"}, "tron", short("v1") + ":0>m 10"},
		"part in coins":     {[]string{hash("v1")}, []string{"0.00001"}, "tron", short("v1") + ":0>m 10"},
		"one for each":      {[]string{hash("v1"), hash("p1")}, []string{"10u"}, "tron", short("v1") + ":0>m 10, " + short("p1") + ":0>m 10"},
		"each its own":      {[]string{hash("v1"), hash("p1")}, []string{"10u", "20u"}, "tron", short("v1") + ":0>m 10, " + short("p1") + ":0>m 20"},
		"of every payment":  {[]string{hash("twice") + ":" + d.String()}, []string{"1u"}, "tron", short("twice") + ":0>d 1, " + short("twice") + ":1>d 1"},
		"by REF, not by payment": {
			[]string{hash("twice") + ":" + d.String(), hash("v1")},
			[]string{"1u", "60u"},
			"tron",
			short("twice") + ":0>d 1, " + short("twice") + ":1>d 1, " + short("v1") + ":0>m 60",
		},
	} {
		got := c.trace(t, &spoorv1.TraceRequest{Refs: test.refs, Amounts: test.amounts, MinValue: "0"})
		if text := seedsOf(test.chain, got); text != test.want {
			t.Errorf("%s: got %s, want %s", name, text, test.want)
		}
		for i, s := range got.GetSeeds() {
			if i < len(test.refs) && len(got.GetSeeds()) == len(test.refs) && s.GetRef() == "" {
				t.Errorf("%s: seed %d does not say what was asked", name, i+1)
			}
		}
	}
}

// TestLimits: each limit of a request, worked by hand on the account example.
func TestLimits(t *testing.T) {
	c := local(t, newWorld(t))
	v1 := []string{ref("tron", "v1", "")}
	qualified := func(name string) []string { return []string{named("tron", name).Qualified()} }
	one, zero, hop, events := int64(1), int64(0), int32(1), int64(2)
	for name, test := range map[string]struct {
		m    *spoorv1.TraceRequest
		want string // the terminals and the sheet
	}{
		// 18 and 5 are below 20, the 7 stay where they were credited.
		"floor":          {&spoorv1.TraceRequest{Policy: "haircut", MinValue: "20u"}, "b 30 UNSPENT; a 18 PRUNED; m 7 UNSPENT; c 5 PRUNED; seeded 60 = resting 37 pruned 23"},
		"floor in coins": {&spoorv1.TraceRequest{Policy: "haircut", MinValue: "0.000018"}, "b 30 UNSPENT; a 18 UNSPENT; m 7 UNSPENT; c 5 PRUNED; seeded 60 = resting 55 pruned 5"},
		"dust":           {&spoorv1.TraceRequest{}, "m 60 PRUNED; seeded 60 = pruned 60"},
		"stop at":        {&spoorv1.TraceRequest{MinValue: "0", StopAt: qualified("b")}, "a 50 UNSPENT; b 10 STOPPED_BY_USER; seeded 60 = resting 50 stopped 10"},
		"stop at seed":   {&spoorv1.TraceRequest{MinValue: "0", StopAt: qualified("m")}, "m 60 STOPPED_BY_USER; seeded 60 = stopped 60"},
		"one payee":      {&spoorv1.TraceRequest{MinValue: "0u", ServicePayees: &one, Policy: "fifo"}, "b 30 UNSPENT; c 30 UNSPENT; seeded 60 = resting 60"},
		"no services":    {&spoorv1.TraceRequest{MinValue: "0", ServicePayees: &zero}, "a 50 UNSPENT; b 10 UNSPENT; seeded 60 = resting 60"},
		"depth":          {&spoorv1.TraceRequest{MinValue: "0", MaxHops: &hop}, "a 50 PENDING; b 10 PENDING; seeded 60 = pending 60"},
		"budget":         {&spoorv1.TraceRequest{MinValue: "0", MaxEvents: &events}, "a 50 PENDING; m 10 PENDING; seeded 60 = pending 60"},
		"as of":          {&spoorv1.TraceRequest{MinValue: "0", AsOf: "2022-01-05T17:55:14.9Z"}, "a 50 UNSPENT; m 10 UNSPENT; seeded 60 = resting 60"},
	} {
		test.m.Refs = v1
		got := c.trace(t, test.m)
		var s []string
		for _, term := range got.GetTerminals() {
			s = append(s, who("tron", term.GetAddress())+" "+term.GetDirty()+" "+term.GetReason())
		}
		if text := strings.Join(append(s, sheet(got.GetConservation())), "; "); text != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, text, test.want)
		}
	}
}

// TestBounds: the limits in force are in the answer, the defaults among them.
func TestBounds(t *testing.T) {
	cfg := quiet(t, newWorld(t))
	cfg.MaxEvents = 777
	c := serve(t, cfg, server.LocalTrust())
	b := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}}).GetBounds()
	got := fmt.Sprintln(b.GetServicePayees(), b.GetMaxHops(), b.GetMaxEvents(), b.GetAccountEvents(), b.GetFloors()[0].GetAmount())
	if got != "1000 64 777 10000 1000000\n" {
		t.Errorf("bounds %s", got)
	}
	zero, hops, events := int64(0), int32(3), int64(5)
	b = c.trace(t, &spoorv1.TraceRequest{
		Refs: []string{ref("tron", "v1", "")}, ServicePayees: &zero, MaxHops: &hops, MaxEvents: &events, MinValue: "0",
	}).GetBounds()
	got = fmt.Sprintln(b.GetServicePayees(), b.GetMaxHops(), b.GetMaxEvents(), b.GetFloors()[0].GetAmount())
	if got != "0 3 5 0\n" {
		t.Errorf("bounds as asked %s", got)
	}
}
