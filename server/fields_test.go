package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store/memkv"
)

// terminalOf writes every field of the terminal at an address but labels and shares.
func terminalOf(t *testing.T, c ledger.Chain, m *spoorv1.Trace, name string) string {
	t.Helper()
	for _, x := range m.GetTerminals() {
		if who(c, x.GetAddress()) == name {
			return fmt.Sprintf("%s %s, at %s:%s via %s by hop %d, holds %s, %s, %s, %s, %s", x.GetDirty(), x.GetAsset().GetSymbol(), x.GetAt()[:6], x.GetAt()[65:],
				who(c, x.GetVia()), x.GetHop(), x.GetBalanceNow(), x.GetArrivedAt().AsTime().Format("15:04:05"), x.GetBucket(), x.GetHolder(), x.GetFreezableBy())
		}
	}
	t.Errorf("no terminal at %s in %v", name, m.GetTerminals())
	return ""
}

// TestFields: what a terminal and a hop say beside the amounts.
func TestFields(t *testing.T) {
	c := local(t, newWorld(t))
	account := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0", Policy: "haircut"})
	for name, want := range map[string]string{
		"a": "18 USDT, at " + short("o1") + ":0 via m by hop 2, holds 50, 17:55:14, RESTING, self-custody or unknown, ISSUER",
		"b": "30 USDT, at " + short("o2") + ":0 via m by hop 3, holds 80, 17:55:15, RESTING, self-custody or unknown, ISSUER",
		"m": "7 USDT, at " + short("v1") + ":0 via victim by hop 1, holds 40, 17:55:13, RESTING, self-custody or unknown, ISSUER",
	} {
		if got := terminalOf(t, "tron", account, name); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, want)
		}
	}
	h := account.GetHops()[2]
	got := fmt.Sprintln(h.GetId(), h.GetParent(), h.GetDepth(), h.GetTx() == txID("o2").String(), h.GetIndex(), h.Height == nil, h.GetTime().AsTime().UnixMilli()-export0,
		h.GetAsset().GetContract() == usdt.Contract.String(), h.GetAsset().GetDecimals(), h.GetGrade(), h.GetTier()+h.GetHeuristic())
	if got != "3 1 2 true 0 true 3000 true 6 attested \n" {
		t.Errorf("hop %s", got)
	}
	coins := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("bitcoin", "pay", "")}, MinValue: "0", Policy: "fifo"})
	if got, want := terminalOf(t, "bitcoin", coins, "b"), "1 BTC, at "+short("mix")+":1 via scam by hop 3, holds 3, 07:46:40, RESTING, self-custody or unknown, KEY"; got != want {
		t.Errorf("b:\ngot  %s\nwant %s", got, want)
	}
	seed := coins.GetSeeds()[0]
	if got := fmt.Sprintln(seed.GetHeight(), seed.GetTime().AsTime().UnixMilli()-coins0, seed.GetRef() == ref("bitcoin", "pay", ":0"), seed.GetAsset().GetContract()); got != "2 1200000 true \n" {
		t.Errorf("seed %s", got)
	}
}

// TestTwoSeeds: the shares and the sheet's rows of two payments under fifo, by
// hand: of [1: 100][2: 60] a takes 50 of 1, b 50 of 1 and 30 of 2, c 30 of 2.
func TestTwoSeeds(t *testing.T) {
	c := local(t, newWorld(t))
	m := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("tron", "p1", ""), ref("tron", "v1", "")}, MinValue: "0", Policy: "fifo"})
	var got []string
	for _, x := range m.GetTerminals() {
		s := who("tron", x.GetAddress())
		for _, share := range x.GetShares() {
			s += fmt.Sprintf(" %d:%s", share.GetSeed(), share.GetDirty())
		}
		got = append(got, s)
	}
	if text := strings.Join(got, ", "); text != "b 1:50 2:30, a 1:50, c 2:30" {
		t.Errorf("shares %s", text)
	}
	rows := func(m *spoorv1.Trace) string {
		var s []string
		for i, r := range m.GetConservation() {
			s = append(s, fmt.Sprint(r.GetSeed(), ": ", sheet(m.GetConservation()[i:i+1])))
		}
		return strings.Join(s, "; ")
	}
	if text := rows(m); text != "0: seeded 160 = resting 160; 1: seeded 100 = resting 100; 2: seeded 60 = resting 60" {
		t.Errorf("sheet %s", text)
	}
	twice := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", ""), ref("tron", "v1", "")}, MinValue: "0"})
	if text := rows(twice); text != "0: seeded 120 = resting 60 collided 60; 1: seeded 60 = resting 60; 2: seeded 60 = collided 60" {
		t.Errorf("sheet of one payment named twice: %s", text)
	}
	poison := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0", Policy: "poison"})
	if s := poison.GetHops()[1].GetShares(); len(s) != 1 || s[0].GetSeed() != 1 || s[0].GetDirty() != "" {
		t.Errorf("shares under poison: %v", s)
	}
}

// TestAssumed: what is not known is said: an opening balance (m sends 100 and is
// only known to have had 60), the coins of inputs, the last position before a gap.
func TestAssumed(t *testing.T) {
	w := emptyWorld(t, memkv.New())
	w.export(t, []row{{tx: "v1", from: "victim", to: "m", amount: 60}, {tx: "o1", from: "m", to: "a", amount: 100, second: 1}})
	w.append(t, block(nil, 10, coins0, spending("r10", nil, coin{"miner", 50}), spending("pay", []ledger.OutPoint{out("unknown", 0)}, coin{"scam", 3})))
	c := local(t, w)
	m := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0", Policy: "fifo"})
	// fifo: the opening 40 leave first, then the 60.
	if text := ends("tron", m); text != "victim>m 60/60; m>a 60/100; a 60 NOT_COVERED 60..60; seeded 60 = resting 60" {
		t.Errorf("got %s", text)
	}
	o := m.GetAccountsWithAssumedOpening()
	if len(o) != 1 || who("tron", o[0].GetAddress()) != "m" || o[0].GetOpening() != "40" || o[0].GetKind() != "lower_bound" || o[0].GetAsset().GetSymbol() != "USDT" {
		t.Errorf("openings %v", o)
	}
	if p := m.GetTerminals()[0].GetPosition(); p == nil || p.Height != nil || p.GetTime().AsTime().UnixMilli() != export0+1000 {
		t.Errorf("last known position %v", p)
	}
	coins := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("bitcoin", "pay", "")}, MinValue: "0"})
	in := coins.GetTransactionsWithAssumedInputs()
	if len(in) != 1 || in[0].GetTx() != txID("pay").String() || in[0].GetAmount() != "3" || in[0].GetKind() != "lower_bound" || in[0].GetNetwork() != "bitcoin" {
		t.Errorf("inputs %v", in)
	}
	if p := coins.GetTerminals()[0].GetPosition(); p.GetHeight() != 10 || p.GetTxIndex() != 1 {
		t.Errorf("last known position %v", p)
	}
}
