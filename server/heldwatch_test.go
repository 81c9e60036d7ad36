package server_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/store/memkv"
)

// guarded is an office that also watches: what it keeps of screenings outlives
// the server.
func guarded(t *testing.T) *casesOffice {
	t.Helper()
	kv, err := memkv.New()(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := screening.Open(t.Context(), kv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	o := newOfficeOver(t, kept)
	for _, who := range strings.Fields("north/ann north/col south/eve") {
		tenant, name, _ := strings.Cut(who, "/")
		if _, o.token["screener "+name], err = o.keep.NewKey(access.Key{Tenant: tenant, Name: name, Role: access.Screener}, "test"); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func (o *casesOffice) screening() spoorv1.ScreeningServiceClient {
	return spoorv1.NewScreeningServiceClient(o.conn)
}

// held are the alerts of a case that somebody sees, as TYPE REF FINALITY.
func (o *casesOffice) held(t *testing.T, who string) (all []string) {
	t.Helper()
	m, err := o.screening().ListAlerts(o.as(t, "screener "+who), &spoorv1.ListAlertsRequest{PageSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range m.GetAlerts() {
		if strings.Contains(a.String(), canary) {
			t.Errorf("what is personal is in %v", a)
		}
		all = append(all, strings.Join([]string{a.GetType(), a.GetHeld().GetRef(), a.GetHeld().GetAmount(), a.GetFinality()}, " "))
	}
	slices.Sort(all)
	return all
}

func (o *casesOffice) holds(t *testing.T, what string, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	defer func() {
		if t.Failed() {
			t.Logf("%s: got %q, want %q", what, got, want)
		}
	}()
	eventually(t, what, func() bool { got = o.held(t, "ann"); return slices.Equal(got, want) })
}

// lookedAt waits until the blocks up to a height were looked at.
func (o *casesOffice) lookedAt(t *testing.T, last ledger.BlockRef) {
	t.Helper()
	eventually(t, "the blocks were looked at", func() bool {
		mark, seen, err := o.watched.Seen(string(last.Chain))
		return err == nil && seen && mark.Height == last.Height && mark.Hash == last.Hash
	})
}

// robbed is a case of ann's of the payment "pay" of the coin blocks: 3 to scam,
// mixed into a, 6, and b, 3; a then paid c. Under FIFO, 2 are with c, behind 4 that
// are clean, and 1 with b.
func (o *casesOffice) robbed(t *testing.T) string {
	t.Helper()
	name := o.begun(t, "7/2026")
	rows := []*spoorv1.PaymentRow{{Ref: ref("bitcoin", "pay", ":0"), Victim: canary}}
	if _, err := o.AddPayments(o.as(t, "ann"), &spoorv1.AddPaymentsRequest{Name: name, Rows: rows}); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestHeldMoves: money of a watched case moves and reaches an exchange: one alert
// of each, also after a restart, and none to anybody else; what a block replaces
// is retracted.
func TestHeldMoves(t *testing.T) {
	o := guarded(t)
	name := o.robbed(t)
	for _, who := range []string{"eve", "col"} {
		if _, err := o.screening().AddWatch(o.as(t, "screener "+who), &spoorv1.AddWatchRequest{Address: name}); status.Code(err) != codes.NotFound {
			t.Errorf("%s watches a case of others: %v", who, err)
		}
	}
	market := named("bitcoin", "market").String()
	if _, err := o.AddLabel(o.as(t, "ann"), &spoorv1.AddLabelRequest{Label: &spoorv1.Label{
		Network: "bitcoin", Address: market, Label: "a market", Category: "exchange", Source: "a test", Confidence: 90,
	}}); err != nil {
		t.Fatal(err)
	}
	w, err := o.screening().AddWatch(o.as(t, "screener ann"), &spoorv1.AddWatchRequest{Address: "cases/7/2026"})
	if err != nil || w.GetCase() != name || w.GetAddress() != "" {
		t.Fatal(w, err)
	}
	five := coinBlocks()[5]
	o.lookedAt(t, five.Ref)
	before := len(o.entries(t, name))
	six := block(five, 6, coins0+60*minute, spending("r6", nil, coin{"miner", 50}), spending("off", []ledger.OutPoint{out("on", 0)}, coin{"d", 2}, coin{"e", 4}), spending("in", []ledger.OutPoint{out("mix", 1)}, coin{"market", 3}))
	o.world.append(t, six)
	in, off := ref("bitcoin", "in", ":0"), ref("bitcoin", "off", ":1") // d got the first 2 of c, which are clean
	tentative := []string{"HELD_AT_EXCHANGE " + in + " 1 TENTATIVE", "HELD_MOVED " + in + " 1 TENTATIVE", "HELD_MOVED " + off + " 2 TENTATIVE"}
	o.holds(t, "both payments of one block", tentative...)
	if got := o.held(t, "eve"); len(got) > 0 {
		t.Errorf("another tenant sees %v", got)
	}
	o.restart(t)
	seven := block(six, 7, coins0+70*minute, spending("other 7", nil, coin{"miner", 50}))
	o.world.append(t, seven)
	o.lookedAt(t, seven.Ref)
	o.holds(t, "after a restart", tentative...)
	if got := len(o.entries(t, name)) - before - 1; got != 0 { // entries left one
		t.Errorf("tracing on left %d entries of custody, want none", got)
	}
	other := block(five, 6, coins0+61*minute, spending("other 6", nil, coin{"miner", 50}))
	other7 := block(other, 7, coins0+71*minute, spending("another 7", nil, coin{"miner", 50}))
	o.world.append(t, other, other7, block(other7, 8, coins0+81*minute, spending("other 8", nil, coin{"miner", 50})))
	for i := range tentative {
		tentative[i] = strings.Replace(tentative[i], "TENTATIVE", "RETRACTED", 1)
	}
	o.holds(t, "replaced", tentative...)
	if _, err := o.screening().RemoveWatch(o.as(t, "screener ann"), &spoorv1.RemoveWatchRequest{Id: w.GetId()}); err != nil {
		t.Error(err)
	}
}

// TestFollowHoldings: a board, and another when a holder pays; a block that touches
// none brings no board, and all of it is one entry of custody.
func TestFollowHoldings(t *testing.T) {
	o := guarded(t)
	name := o.robbed(t)
	before := len(o.entries(t, name)) + 1
	ctx, cancel := context.WithCancel(o.as(t, "ann"))
	defer cancel()
	stream, err := o.FollowHoldings(ctx, &spoorv1.FollowHoldingsRequest{Name: name, Boards: 2})
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil || len(first.GetHoldings()) == 0 {
		t.Fatal(first, err)
	}
	five := coinBlocks()[5]
	six := block(five, 6, coins0+60*minute, spending("other 6", nil, coin{"miner", 50}))
	o.world.append(t, six, block(six, 7, coins0+70*minute, spending("r7", nil, coin{"miner", 50}), spending("in", []ledger.OutPoint{out("mix", 1)}, coin{"market", 3}), spending("off", []ledger.OutPoint{out("on", 0)}, coin{"d", 6})))
	second, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, h := range second.GetHoldings() {
		got[h.GetAddress()] = h.GetTraced()
	}
	want := map[string]string{named("bitcoin", "d").String(): "2", named("bitcoin", "market").String(): "1"}
	if !maps.Equal(got, want) || !strings.Contains(second.GetAsOf(), "bitcoin=7") {
		t.Errorf("as of %s: %v, want %v as of block 7", second.GetAsOf(), got, want)
	}
	fresh := o.entries(t, name)[before:]
	if len(fresh) != 1 || fresh[0].Kind != cases.KindRead || fresh[0].By != "ann" {
		t.Errorf("the reading left %v, want one entry of ann's", fresh)
	}
}
