package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/entities"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/tracer/risk"
)

// bureau is a desk that can be closed and opened again over what it kept.
type bureau struct {
	*screenDesk
	t      *testing.T
	kept   *screening.Store
	cfg    server.Config
	height map[ledger.Chain]uint64 // of the last block
}

func newBureau(t *testing.T) *bureau {
	t.Helper()
	w := emptyWorld(t, memkv.New())
	set, err := entities.Open(t.TempDir(), memkv.New())
	if err != nil {
		t.Fatal(err)
	}
	kv, err := memkv.New()(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := screening.Open(t.Context(), kv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(kept.Close(), set.Close()); err != nil {
			t.Error(err)
		}
	})
	b := &bureau{screenDesk: &screenDesk{world: w}, t: t, kept: kept, cfg: quiet(t, w), height: map[ledger.Chain]uint64{}}
	b.cfg.Screening, b.cfg.Entities = kept, set
	b.add(deskBlocks()...)
	return b
}

// open starts a server over what is kept; close ends it.
func (b *bureau) open() *bureau {
	b.t.Helper()
	b.client = serve(b.t, b.cfg, server.LocalTrust())
	b.ScreeningServiceClient = spoorv1.NewScreeningServiceClient(b.conn)
	return b
}

func (b *bureau) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	b.server.Stop(ctx)
}

func (b *bureau) add(blocks ...*ledger.Block) {
	b.t.Helper()
	b.world.append(b.t, blocks...)
	last := blocks[len(blocks)-1].Ref
	b.height[last.Chain] = last.Height
}

// looked waits until everything that is held was looked at.
func (b *bureau) looked() {
	b.t.Helper()
	eventually(b.t, "everything was looked at", func() bool {
		for c, height := range b.height {
			mark, seen, err := b.kept.Seen(string(c))
			if err != nil || !seen || mark.Height != height {
				return false
			}
		}
		mark, seen, err := b.kept.Seen("labels")
		return err == nil && seen && mark.Height == b.world.labels.Sequence()
	})
}

func (b *bureau) watch(name string) {
	b.t.Helper()
	if _, err := b.AddWatch(b.t.Context(), &spoorv1.AddWatchRequest{Address: qualifiedName(name)}); err != nil {
		b.t.Fatal(err)
	}
	b.looked()
}

func (b *bureau) register(user, reference, direction string) *spoorv1.RegisteredTransfer {
	b.t.Helper()
	got, err := b.RegisterTransfer(b.t.Context(), &spoorv1.RegisterTransferRequest{UserId: user, Network: "bitcoin", TransferReference: reference, Direction: direction})
	if err != nil {
		b.t.Fatal(err)
	}
	b.looked()
	return got
}

func (b *bureau) transfer(id string) *spoorv1.RegisteredTransfer {
	b.t.Helper()
	got, err := b.GetTransfer(b.t.Context(), &spoorv1.GetTransferRequest{ExternalId: id})
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// becomes waits until a transfer has a level.
func (b *bureau) becomes(id, level string) *spoorv1.RegisteredTransfer {
	b.t.Helper()
	eventually(b.t, "transfer is "+level, func() bool { return b.transfer(id).GetScreening().GetRisk() == level })
	return b.transfer(id)
}

func (b *bureau) alerts() []*spoorv1.Alert {
	b.t.Helper()
	all, err := b.ListAlerts(b.t.Context(), &spoorv1.ListAlertsRequest{PageSize: 100})
	if err != nil {
		b.t.Fatal(err)
	}
	return all.GetAlerts()
}

// alert waits for the one alert of a type about an address.
func (b *bureau) alert(kind, address string) (found *spoorv1.Alert) {
	b.t.Helper()
	eventually(b.t, kind+" of "+address, func() bool {
		i := slices.IndexFunc(b.alerts(), func(a *spoorv1.Alert) bool { return a.GetType() == kind && a.GetAddress() == address })
		if i >= 0 {
			found = b.alerts()[i]
		}
		return i >= 0
	})
	return found
}

// next makes the block after the last of some: a reward and transactions.
func next(blocks []*ledger.Block, txs ...ledger.Tx) *ledger.Block {
	last := blocks[len(blocks)-1]
	height := last.Ref.Height + 1
	reward := spending(fmt.Sprint("reward of ", height), nil, coin{"miner", 50 * coinUnit})
	return block(last, height, coins0+int64(height)*10*minute, append([]ledger.Tx{reward}, txs...)...)
}

func (b *bureau) definer(name, category string) {
	b.t.Helper()
	a := named("bitcoin", name)
	tag := ledger.Tag{Address: a, Chain: "bitcoin", Label: name, Source: "a test", Category: category, Confidence: 90, Definer: true}
	if _, err := b.world.labels.Add(tag, 1); err != nil {
		b.t.Fatal(err)
	}
}

// TestTwoHops: the stolen coin comes over a mule. The alert is of the block that
// brings it, not of the one before.
func TestTwoHops(t *testing.T) {
	b := newBureau(t).open()
	b.label(t, "b", "stolen_funds")
	b.watch("exchange")
	blocks := deskBlocks()
	blocks = append(blocks, next(blocks, spending("to mule", []ledger.OutPoint{out("split", 0)}, coin{"mule", 10 * coinUnit})))
	b.add(blocks[6])
	b.looked()
	if all := b.alerts(); len(all) != 0 {
		t.Fatalf("one block too early: %v", all)
	}
	b.add(next(blocks, spending("to exchange", []ledger.OutPoint{out("to mule", 0)}, coin{"exchange", 10 * coinUnit})))
	a := b.alert("TRANSFER", qualifiedName("exchange"))
	if a.GetAsOf().GetHeight() != 7 || a.GetExposure().GetCategory() != "stolen_funds" || a.GetExposure().GetMinHops() != 2 {
		t.Errorf("got %v", a)
	}
}

// muled are two blocks in which b's coin comes to the exchange over a mule.
func muled() []*ledger.Block {
	blocks := deskBlocks()
	blocks = append(blocks, next(blocks, spending("to mule", []ledger.OutPoint{out("split", 0)}, coin{"mule", 10 * coinUnit})))
	return append(blocks, next(blocks, spending("to exchange", []ledger.OutPoint{out("to mule", 0)}, coin{"exchange", 10 * coinUnit})))
}

// TestLabelTwoHopsUpstream: a label far from a registered transfer and from a
// watched address changes both; one that is nowhere on their way changes none.
func TestLabelTwoHopsUpstream(t *testing.T) {
	b := newBureau(t)
	b.add(muled()[6:]...)
	b.open()
	b.watch("exchange")
	first := b.register("ann", fmt.Sprintf("%s:0", txID("to exchange")), "RECEIVED")
	if first.GetScreening().GetRisk() != "LOW" {
		t.Fatalf("before: %v", first)
	}
	b.label(t, "c", "stolen_funds")
	b.looked()
	if got := b.transfer(first.GetExternalId()); !got.GetUpdated().AsTime().Equal(first.GetUpdated().AsTime()) {
		t.Errorf("scored again for a label that has nothing to do with it: %v", got)
	}
	b.label(t, "b", "stolen_funds")
	got := b.becomes(first.GetExternalId(), "HIGH")
	if len(got.GetAlerts()) == 0 || got.GetAlerts()[0].GetType() != "ATTRIBUTION_CHANGED" {
		t.Errorf("alerts of the transfer: %v", got.GetAlerts())
	}
	b.alert("ATTRIBUTION_CHANGED", qualifiedName("exchange"))
}

// TestOneAlertForEachRule: however often and for whatever reason a transfer is
// scored again, there is one alert of each rule.
func TestOneAlertForEachRule(t *testing.T) {
	b := newBureau(t)
	b.add(muled()[6:]...)
	b.open()
	first := b.register("ann", fmt.Sprintf("%s:0", txID("to exchange")), "RECEIVED")
	for i := range 3 {
		label := b.label(t, "b", "stolen_funds")
		b.becomes(first.GetExternalId(), "HIGH")
		if _, err := b.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: label.GetId(), Reason: "wrong"}); err != nil {
			t.Fatal(err)
		}
		b.becomes(first.GetExternalId(), "LOW")
		b.looked()
		seen := map[string]bool{}
		for _, a := range b.alerts() {
			if rule := a.GetTrigger().GetRuleId(); seen[rule] || a.GetExternalId() != first.GetExternalId() {
				t.Errorf("round %d: twice of rule %s: %v", i, rule, a)
			} else {
				seen[rule] = true
			}
		}
		if len(seen) == 0 {
			t.Error("no alert")
		}
	}
	again := b.register("ann", fmt.Sprintf("%s:0", txID("to exchange")), "RECEIVED")
	other := b.register("ann", fmt.Sprintf("%s:0", txID("to exchange")), "SENT")
	if again.GetExternalId() != first.GetExternalId() || other.GetExternalId() == first.GetExternalId() {
		t.Errorf("ids: %s, again %s, the other direction %s", first.GetExternalId(), again.GetExternalId(), other.GetExternalId())
	}
}

// TestCoSpendRescores: a block that has nothing to do with a transfer and a watch
// joins the payer of both to a cluster whose definer is labelled; when the block is
// replaced, the join is gone.
func TestCoSpendRescores(t *testing.T) {
	b := newBureau(t)
	blocks := deskBlocks()
	blocks = append(blocks, next(blocks, spending("pay", []ledger.OutPoint{out("split", 2)}, coin{"exchange", coinUnit / 2}, coin{"a", coinUnit / 2})))
	b.add(blocks[6])
	b.definer("scam", "stolen_funds")
	b.open()
	b.watch("exchange")
	first := b.register("ann", fmt.Sprintf("%s:0", txID("pay")), "RECEIVED")
	if first.GetScreening().GetRisk() != "LOW" {
		t.Fatalf("before: %v", first)
	}
	joins := next(blocks, spending("join", []ledger.OutPoint{out("pay", 1), out("split", 1)}, coin{"x", coinUnit}))
	b.add(joins)
	got := b.becomes(first.GetExternalId(), "HIGH")
	if len(got.GetAlerts()) == 0 || got.GetAlerts()[0].GetType() != "ATTRIBUTION_CHANGED" || got.GetAlerts()[0].GetFinality() != "TENTATIVE" {
		t.Errorf("alerts of the transfer: %v", got.GetAlerts())
	}
	b.alert("ATTRIBUTION_CHANGED", qualifiedName("exchange"))
	other := block(blocks[6], 7, coins0+71*minute, spending("other7", nil, coin{"miner", 50 * coinUnit}))
	b.add(other, next([]*ledger.Block{other}))
	b.becomes(first.GetExternalId(), "LOW")
	eventually(t, "all is retracted", func() bool {
		return !slices.ContainsFunc(b.alerts(), func(a *spoorv1.Alert) bool { return a.GetFinality() != "RETRACTED" })
	})
}

// TestDefinerRescores: a label on a member of the payer's cluster spreads to it,
// whoever of its members gave the cluster its name.
func TestDefinerRescores(t *testing.T) {
	for _, payer := range []struct {
		name, labelled string
		coin           uint32
	}{{"scam", "a", 1}, {"a", "c", 2}, {"c", "scam", 3}} {
		t.Run(payer.name, func(t *testing.T) {
			b := newBureau(t)
			blocks := deskBlocks()
			blocks = append(blocks, next(blocks, spending("pay", []ledger.OutPoint{out("split", payer.coin)}, coin{"exchange", coinUnit / 2}, coin{payer.name, coinUnit / 2})))
			joined := []ledger.OutPoint{out("pay", 1)}
			for i := uint32(1); i <= 3; i++ {
				if i != payer.coin {
					joined = append(joined, out("split", i))
				}
			}
			b.add(blocks[6], next(blocks, spending("join", joined, coin{"x", coinUnit})))
			b.open()
			first := b.register("ann", fmt.Sprintf("%s:0", txID("pay")), "RECEIVED")
			b.definer(payer.labelled, "sanctioned_entity")
			b.becomes(first.GetExternalId(), "SEVERE")
		})
	}
}

// TestMovesOn: money that was sent goes on to somebody who is labelled, two
// transfers later.
func TestMovesOn(t *testing.T) {
	b := newBureau(t)
	blocks := muled()
	b.add(blocks[6])
	b.open()
	b.label(t, "exchange", "sanctioned_entity")
	first := b.register("ann", fmt.Sprintf("%s:0", txID("to mule")), "SENT")
	if first.GetScreening().GetRisk() == "HIGH" || first.GetState() != "SCORED" {
		t.Fatalf("before: %v", first)
	}
	b.add(blocks[7])
	if got := b.becomes(first.GetExternalId(), "HIGH"); len(got.GetAlerts()) == 0 || got.GetAlerts()[0].GetType() != "TRANSFER" {
		t.Errorf("alerts: %v", got.GetAlerts())
	}
}

// TestOwnIsNoExposure: what the tenant calls its own is no exposure, from when it
// says so until it takes it back.
func TestOwnIsNoExposure(t *testing.T) {
	b := newBureau(t)
	b.add(muled()[6:]...)
	b.open()
	b.label(t, "b", "stolen_funds")
	first := b.register("ann", fmt.Sprintf("%s:0", txID("to exchange")), "RECEIVED")
	if first.GetScreening().GetRisk() != "HIGH" {
		t.Fatalf("before: %v", first)
	}
	own, err := b.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Address: qualifiedName("b"), Own: true})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "no exposure to the tenant's own", func() bool {
		got := b.transfer(first.GetExternalId()).GetScreening()
		return got.GetRisk() != "HIGH" && !slices.ContainsFunc(got.GetExposures(), func(e *spoorv1.Exposure) bool { return e.GetCategory() == "stolen_funds" })
	})
	if _, err := b.RemoveWatch(t.Context(), &spoorv1.RemoveWatchRequest{Id: own.GetId()}); err != nil {
		t.Fatal(err)
	}
	b.becomes(first.GetExternalId(), "HIGH")
}

// TestWhileStopped: labels, rules and blocks that come while no server runs are
// looked at after its start, as if they came just before the stop.
func TestWhileStopped(t *testing.T) {
	for _, test := range []struct {
		name, level string
		change      func(b *bureau)
	}{
		{"a label", "HIGH", func(b *bureau) { b.definer("b", "stolen_funds") }},
		{"rules", "SEVERE", func(b *bureau) {
			text := "version: strict\nrules:\n- {id: m, category: mining, exposure: indirect, direction: received, level: SEVERE, score: 95}\n"
			if err := b.kept.SetRules(b.t.Context(), server.LocalTenant, "strict", []byte(text)); err != nil {
				b.t.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBureau(t)
			b.add(muled()[6:]...)
			b.open()
			first := b.register("ann", fmt.Sprintf("%s:0", txID("to exchange")), "RECEIVED")
			b.close()
			test.change(b)
			b.open().becomes(first.GetExternalId(), test.level)
		})
	}
}

// TestFailedIsTriedAgain: a score that fails is tried again and counted, and the
// transfer beside it does not wait.
func TestFailedIsTriedAgain(t *testing.T) {
	b := newBureau(t)
	b.add(muled()[6:]...)
	rules, err := risk.DefaultRules()
	if err != nil {
		t.Fatal(err)
	}
	var left atomic.Int64
	b.cfg.Scoring = &server.Scoring{
		Rules: rules, Parse: risk.ParseRules, Address: risk.Address,
		Transfer: func(ctx context.Context, idx risk.Index, rules *risk.Rules, p risk.Payment, o risk.Options) (*risk.Assessment, error) {
			if p.Seed.Tx == txID("to exchange") && left.Add(-1) >= 0 {
				return nil, errors.New("a disk that does not read")
			}
			return risk.Transfer(ctx, idx, rules, p, o)
		},
	}
	b.open()
	fails, beside := b.register("ann", fmt.Sprintf("%s:0", txID("to exchange")), "RECEIVED"), b.register("bob", fmt.Sprintf("%s:0", txID("to mule")), "RECEIVED")
	left.Store(1)
	b.label(t, "b", "stolen_funds")
	b.becomes(beside.GetExternalId(), "HIGH")
	b.looked()
	if metrics := b.metrics(); !strings.Contains(metrics, "spoor_rescore_failures_total 1\n") || !strings.Contains(metrics, "spoor_rescore_waiting 1\n") {
		t.Errorf("metrics: %s", metrics)
	}
	b.becomes(fails.GetExternalId(), "HIGH")
	eventually(t, "nothing waits", func() bool { return strings.Contains(b.metrics(), "spoor_rescore_waiting 0\n") })
}

// TestOvertaken: a label comes, and is looked at, after a transfer was scored and
// before it is kept.
func TestOvertaken(t *testing.T) {
	b := newBureau(t)
	b.add(muled()[6:]...)
	rules, err := risk.DefaultRules()
	if err != nil {
		t.Fatal(err)
	}
	var once atomic.Bool
	b.cfg.Scoring = &server.Scoring{
		Rules: rules, Parse: risk.ParseRules, Address: risk.Address,
		Transfer: func(ctx context.Context, idx risk.Index, rules *risk.Rules, p risk.Payment, o risk.Options) (*risk.Assessment, error) {
			found, err := risk.Transfer(ctx, idx, rules, p, o)
			if p.Seed.Tx == txID("to exchange") && once.CompareAndSwap(false, true) {
				b.definer("b", "stolen_funds")
				b.looked()
			}
			return found, err
		},
	}
	b.open()
	b.register("bob", fmt.Sprintf("%s:0", txID("to mule")), "RECEIVED") // from then on there is somebody to look for
	late := b.register("ann", fmt.Sprintf("%s:0", txID("to exchange")), "RECEIVED")
	b.becomes(late.GetExternalId(), "HIGH")
}

func (b *bureau) metrics() string {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.server.Metrics().ServeHTTP(w, httptest.NewRequestWithContext(b.t.Context(), http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// TestFinality: an alert becomes final with its block.
func TestFinality(t *testing.T) {
	b := newBureau(t).open()
	b.label(t, "b", "stolen_funds")
	b.watch("exchange")
	b.add(stolen())
	if a := b.alert("TRANSFER", qualifiedName("exchange")); a.GetFinality() != "TENTATIVE" {
		t.Errorf("at first: %v", a)
	}
	b.looked()
	blocks := []*ledger.Block{stolen()}
	for range 3 {
		blocks = append(blocks, next(blocks))
	}
	n, err := b.world.store.Create(t.Context(), "bitcoin")
	if err != nil {
		t.Fatal(err)
	}
	final := uint64(6)
	if err := n.Append(t.Context(), series(blocks[1:]), store.AppendOptions{Final: &final}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the alert is final", func() bool { return b.alerts()[len(b.alerts())-1].GetFinality() == "FINAL" })
}

// TestExpires: what nobody saw within a day is EXPIRED, and stays so.
func TestExpires(t *testing.T) {
	b := newBureau(t)
	reg := screening.Registration{Kind: screening.KindTransfer, Network: "bitcoin", Reference: fmt.Sprintf("%s:0", txID("steal")), Direction: "RECEIVED"}
	states := map[time.Duration]string{23 * time.Hour: "PENDING", 25 * time.Hour: "EXPIRED"}
	ids := map[time.Duration]string{}
	for ago := range states {
		made, _, err := b.kept.Register(t.Context(), server.LocalTenant, ago.String(), reg, time.Now().Add(-ago).UnixMilli())
		if err != nil {
			t.Fatal(err)
		}
		ids[ago] = made.ID
	}
	b.open()
	eventually(t, "a day has passed", func() bool { return b.transfer(ids[25*time.Hour]).GetState() == "EXPIRED" })
	b.add(stolen())
	b.looked()
	states[23*time.Hour] = "SCORED"
	for ago, want := range states {
		if got := b.transfer(ids[ago]); got.GetState() != want {
			t.Errorf("registered %s ago: %s, want %s", ago, got.GetState(), want)
		}
	}
}

// TestLagRefusesRegistration: an index that is too far behind registers nothing.
func TestLagRefusesRegistration(t *testing.T) {
	b := newBureau(t).open()
	_, err := b.RegisterTransfer(t.Context(), &spoorv1.RegisterTransferRequest{
		UserId: "ann", Network: "bitcoin", TransferReference: fmt.Sprintf("%s:0", txID("split")), Direction: "RECEIVED", MaxLagSeconds: 60,
	})
	found, _ := b.kept.Tenants()
	if status.Code(err) != codes.Unavailable || reason(err) != "LAGGING" || len(found) != 0 {
		t.Errorf("got %v, tenants %v", err, found)
	}
}

// TestEraseKeepsChain: nobody knows any more of whom, and what was registered is proven all the same.
func TestEraseKeepsChain(t *testing.T) {
	b := newBureau(t).open()
	for i := range 3 {
		b.register("ann", fmt.Sprintf("%s:%d", txID("split"), i), "RECEIVED")
	}
	if got, err := b.EraseUser(t.Context(), &spoorv1.EraseUserRequest{UserId: "ann"}); err != nil || got.GetTransfers() != 3 {
		t.Fatal(got, err)
	}
	if n, err := b.kept.VerifyChain(t.Context(), server.LocalTenant); err != nil || n != 3 {
		t.Errorf("chain of %d: %v", n, err)
	}
}

// tronBlock makes a block of transfers and notices, paid in USDT: "from to units".
func tronBlock(before *ledger.Block, height uint64, lines []string, notices ...ledger.Notice) *ledger.Block {
	b := &ledger.Block{Ref: ledger.BlockRef{Chain: "tron", Height: height, Time: coins0 + int64(height)*3000}, Header: []byte("header"), Source: "test", Grade: ledger.GradeProven}
	if before != nil {
		b.Parent = before.Ref.Hash
	}
	b.Ref.Hash = ledger.Hash(txID(fmt.Sprint("block ", height, lines)))
	for i, line := range lines {
		var from, to string
		var units uint64
		if _, err := fmt.Sscan(line, &from, &to, &units); err != nil {
			panic(err)
		}
		tx := ledger.Tx{ID: txID(fmt.Sprint(height, line)), Chain: "tron", Pos: ledger.At(height, uint32(i+1)), Time: b.Ref.Time, Grade: b.Grade}
		t := ledger.Transfer{To: named("tron", to), Kind: ledger.TransferToken, Asset: usdt, Amount: ledger.NewAmount(units), Grade: b.Grade}
		if from != "-" {
			t.From = named("tron", from)
		}
		tx.Transfers = []ledger.Transfer{t}
		b.Txs = append(b.Txs, tx)
	}
	for i, n := range notices {
		n.Asset, n.Contract, n.Grade = usdt, usdt.Contract, b.Grade
		b.Txs = append(b.Txs, ledger.Tx{
			ID: txID(fmt.Sprint("notice", height, i)), Chain: "tron", Pos: ledger.At(height, uint32(len(lines)+i+1)), Time: b.Ref.Time, Grade: b.Grade, Notices: []ledger.Notice{n},
		})
	}
	return b
}

// TestFreezeAndMove: the issuer blocks a watched address and releases it, and its
// money moves: one alert each. A deposit that came from it is scored again.
func TestFreezeAndMove(t *testing.T) {
	b := newBureau(t)
	first := tronBlock(nil, 0, []string{"- thief 50000000", "thief exchange 20000000"})
	b.add(first)
	b.open()
	thief := named("tron", "thief")
	if _, err := b.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Address: thief.Qualified()}); err != nil {
		t.Fatal(err)
	}
	deposit, err := b.RegisterTransfer(t.Context(), &spoorv1.RegisterTransferRequest{
		UserId: "ann", Network: "tron", Asset: "USDT", TransferReference: fmt.Sprintf("%s:%s", txID("0thief exchange 20000000"), named("tron", "exchange")), Direction: "RECEIVED",
	})
	if err != nil || deposit.GetState() != "SCORED" {
		t.Fatal(deposit, err)
	}
	b.looked()
	frozen := tronBlock(first, 1, nil, ledger.Notice{Kind: ledger.NoticeFrozen, Account: thief})
	b.add(frozen)
	if a := b.alert("ISSUER_FREEZE", thief.Qualified()); a.GetLevel() != "HIGH" || !strings.Contains(a.GetMessage(), "USDT") {
		t.Errorf("frozen: %v", a)
	}
	b.becomes(deposit.GetExternalId(), deposit.GetScreening().GetRisk()) // a freeze after the deposit says nothing of its time
	if got := b.transfer(deposit.GetExternalId()); !got.GetUpdated().AsTime().After(deposit.GetUpdated().AsTime()) {
		t.Errorf("the deposit was not scored again: %v", got)
	}
	freed := tronBlock(frozen, 2, nil, ledger.Notice{Kind: ledger.NoticeUnfrozen, Account: thief})
	b.add(freed)
	eventually(t, "two alerts of freezes", func() bool {
		n := 0
		for _, a := range b.alerts() {
			if a.GetType() == "ISSUER_FREEZE" {
				n++
			}
		}
		return n == 2
	})
	moved := tronBlock(freed, 3, []string{"thief mule 30000000"})
	b.add(moved)
	if a := b.alert("BALANCE_MOVED", thief.Qualified()); !strings.Contains(a.GetMessage(), txID("3thief mule 30000000").String()) {
		t.Errorf("moved: %v", a)
	}
	b.looked()
	n := len(b.alerts())
	b.add(tronBlock(moved, 4, []string{"- somebody 1000000"}))
	b.looked()
	if got := b.alerts(); len(got) != n {
		t.Errorf("a block without it raised %v", got[0])
	}
}

// TestPatternAlert: a watched address begins to show a pattern: one alert, and no
// other for what it showed before it was watched, or goes on to show.
func TestPatternAlert(t *testing.T) {
	b := newBureau(t)
	first := tronBlock(nil, 0, []string{"- fence 100000000", "fence p1 5000000", "fence p2 5000000", "fence p3 5000000", "- fagin 90000000", "fagin p1 7000000"})
	b.add(first)
	b.open()
	for _, name := range []string{"fence", "fagin"} {
		if _, err := b.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Address: named("tron", name).Qualified()}); err != nil {
			t.Fatal(err)
		}
	}
	b.looked()
	second := tronBlock(first, 1, []string{"fagin p2 7000000", "fagin p3 7000000", "fence p4 5000000"})
	b.add(second)
	a := b.alert("BEHAVIORAL", named("tron", "fagin").Qualified())
	if a.GetLevel() != "MEDIUM" || !strings.HasPrefix(a.GetMessage(), "equal_splits") || a.GetFinality() != "TENTATIVE" {
		t.Errorf("got %v", a)
	}
	b.looked()
	b.add(tronBlock(second, 2, []string{"fagin p4 7000000", "fence p5 5000000"}))
	b.looked()
	for _, a := range b.alerts() {
		if a.GetType() == "BEHAVIORAL" && (a.GetAddress() != named("tron", "fagin").Qualified() || !strings.HasPrefix(a.GetMessage(), "equal_splits")) {
			t.Errorf("another alert: %v", a)
		}
	}
	if n := len(b.alerts()); n != 5 {
		t.Errorf("%d alerts, want one of a pattern, and of each block one for either that paid", n)
	}
}

// TestRulesTested: what TestRules says of a rule file is what transfers come to
// when it is taken.
func TestRulesTested(t *testing.T) {
	b := newBureau(t)
	b.add(muled()[6:]...)
	b.open()
	b.label(t, "b", "stolen_funds")
	b.label(t, "a", "gambling")
	if _, err := b.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Address: qualifiedName("x"), Own: true}); err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, ref := range []string{"to exchange", "to mule", "split", "fund"} {
		for _, direction := range []string{"RECEIVED", "SENT"} {
			ids = append(ids, b.register("ann", fmt.Sprintf("%s:0", txID(ref)), direction).GetExternalId())
		}
	}
	for _, name := range []string{"a", "mule", "fresh"} {
		made, err := b.RegisterWithdrawalAttempt(t.Context(), &spoorv1.RegisterWithdrawalAttemptRequest{
			UserId: "ann", Network: "bitcoin", Address: named("bitcoin", name).String(), AttemptIdentifier: name,
		})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, made.GetExternalId())
	}
	changed := uint64(0)
	for i, rule := range []string{
		"category: stolen_funds, exposure: indirect, direction: received, percentage: \"50\", level: MEDIUM, score: \"40\"",
		"category: stolen_funds, exposure: direct, direction: any, level: SEVERE, score: \"99\"",
		"category: gambling, exposure: ownership, level: HIGH, score: \"80\"",
		"category: mining, exposure: indirect, direction: any, min_amount: \"11\", asset: \"bitcoin:BTC\", level: HIGH, score: \"80\"",
		"category: stolen_funds, exposure: indirect, direction: received, min_usd: \"1\", level: HIGH, score: \"80\"",
	} {
		text := fmt.Sprintf("version: \"%d\"\nmin_labelled: \"50\"\nrules:\n  - {id: only, %s}\n", i, rule)
		said, err := b.TestRules(t.Context(), &spoorv1.TestRulesRequest{Text: text})
		if err != nil {
			t.Fatal(rule, err)
		}
		before := map[string]string{}
		for _, id := range ids {
			before[id] = b.transfer(id).GetScreening().GetRisk()
		}
		for _, d := range said.GetDifferences() {
			if before[d.GetExternalId()] != d.GetFrom() {
				t.Errorf("%s: %v, in force %q", rule, d, before[d.GetExternalId()])
			}
			before[d.GetExternalId()] = d.GetTo()
		}
		if _, err := b.ImportRules(t.Context(), &spoorv1.ImportRulesRequest{Text: text}); err != nil {
			t.Fatal(rule, err)
		}
		eventually(t, "all are scored by "+rule, func() bool {
			return !slices.ContainsFunc(ids, func(id string) bool { return b.transfer(id).GetScreening().GetRuleVersion() != fmt.Sprint(i) })
		})
		for _, id := range ids {
			if got := b.transfer(id); got.GetScreening().GetRisk() != before[id] {
				t.Errorf("%s: %s is %q, TestRules said %q: %v", rule, got.GetTransferReference(), got.GetScreening().GetRisk(), before[id], got.GetScreening())
			}
		}
		if said.GetChanged() != uint64(len(said.GetDifferences())) || said.GetTransfers() != uint64(len(ids)) {
			t.Errorf("%s: %d of %d changed, %d named", rule, said.GetChanged(), said.GetTransfers(), len(said.GetDifferences()))
		}
		changed += said.GetChanged()
	}
	if changed == 0 {
		t.Error("no rule file changes anything")
	}
}

// TestSandboxTenant: fixed addresses answer a sandbox tenant each level, unscored
// and pending, to every kind of question; another tenant is told nothing of them.
func TestSandboxTenant(t *testing.T) {
	b := newBureau(t)
	b.add(tronBlock(nil, 0, []string{"- somebody 5"}))
	b.open()
	k := keys(t, new(time.Duration))
	ask := func(tenant string, sandbox bool) (context.Context, spoorv1.ScreeningServiceClient) {
		if err := k.SetTenant(access.Tenant{Name: tenant, Sandbox: sandbox}, "test"); err != nil {
			t.Fatal(err)
		}
		_, token, err := k.NewKey(access.Key{Tenant: tenant, Name: "k", Role: access.Screener}, "test")
		if err != nil {
			t.Fatal(err)
		}
		c := listen(t, b.server, server.Trust{Keys: k})
		return with(t.Context(), "x-api-key", token), spoorv1.NewScreeningServiceClient(c.conn)
	}
	ctx, play := ask("play", true)
	for number, want := range map[byte]string{1: "SEVERE", 2: "HIGH", 3: "MEDIUM", 4: "LOW", 5: "", 6: ""} {
		a := server.SandboxAddress("tron", number)
		got, err := play.ScreenAddress(ctx, &spoorv1.ScreenAddressRequest{Address: a.Qualified()})
		if err != nil || got.GetRisk() != want || (got.RiskScore != nil) != (want != "") {
			t.Errorf("address %d: %v, %v", number, got, err)
		}
		made, err := play.RegisterTransfer(ctx, &spoorv1.RegisterTransferRequest{
			UserId: "ann", Network: "tron", TransferReference: fmt.Sprintf("%064d:0", number), Direction: "SENT", OutputAddress: a.String(),
		})
		state := map[bool]string{true: "PENDING", false: "SCORED"}[number == 6]
		if err != nil || made.GetState() != state || made.GetScreening().GetRisk() != want || (len(made.GetAlerts()) == 1) != (want != "") {
			t.Errorf("transfer to %d: %v, %v", number, made, err)
		}
	}
	ctx, real := ask("acme", false)
	if got, err := real.ScreenAddress(ctx, &spoorv1.ScreenAddressRequest{Address: server.SandboxAddress("tron", 1).Qualified()}); err != nil || got.GetRisk() != "" {
		t.Errorf("another tenant: %v, %v", got, err)
	}
}
