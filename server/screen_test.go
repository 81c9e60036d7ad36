package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/tracer/risk"
)

// desk is a world with a service that keeps what exchanges register.
type screenDesk struct {
	*client
	spoorv1.ScreeningServiceClient
	world *world
}

func newScreenDesk(t testing.TB) *screenDesk {
	t.Helper()
	w := emptyWorld(t, memkv.New())
	w.append(t, deskBlocks()...)
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
	cfg := quiet(t, w)
	cfg.Screening = kept
	c := serve(t, cfg, server.LocalTrust())
	return &screenDesk{c, spoorv1.NewScreeningServiceClient(c.conn), w}
}

func (d *screenDesk) label(t testing.TB, name, category string) *spoorv1.Label {
	t.Helper()
	a := named("bitcoin", name)
	made, err := d.AddLabel(t.Context(), &spoorv1.AddLabelRequest{Label: &spoorv1.Label{
		Network: "bitcoin", Address: a.String(), Label: name + " label", Category: category, Source: "a test", Confidence: 90,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func qualifiedName(name string) string { return named("bitcoin", name).Qualified() }

// eventually asks until it is so, or fails after five seconds.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in five seconds: %s", what)
		}
	}
}

func TestScreenAddress(t *testing.T) {
	d := newScreenDesk(t)
	d.label(t, "scam", "stolen_funds")
	got, err := d.ScreenAddress(t.Context(), &spoorv1.ScreenAddressRequest{Address: qualifiedName("scam")})
	if err != nil || got.GetRisk() != "HIGH" || got.RiskScore == nil || len(got.GetTriggers()) == 0 || len(got.GetAddressIdentifications()) != 1 {
		t.Fatalf("labelled address: got %v, %v", got, err)
	}
	if got.GetAsOf().GetHeight() != 5 || got.GetRuleVersion() == "" || got.GetLabelSequence() == 0 || got.GetAsOf().GetLag() == nil {
		t.Errorf("pins: got %v, rules %q, labels %d", got.GetAsOf(), got.GetRuleVersion(), got.GetLabelSequence())
	}
	past, err := d.ScreenAddress(t.Context(), &spoorv1.ScreenAddressRequest{Address: qualifiedName("scam"), AsOf: "1"})
	if err != nil || past.GetAsOf().GetHeight() != 1 {
		t.Errorf("as of block 1: got %v, %v", past, err)
	}
	for _, bad := range []struct {
		ask    *spoorv1.ScreenAddressRequest
		code   codes.Code
		reason string
	}{
		{&spoorv1.ScreenAddressRequest{Address: "bitcoin:nobody"}, codes.InvalidArgument, "INVALID_ADDRESS"},
		{&spoorv1.ScreenAddressRequest{Address: qualifiedName("scam"), AsOf: "77"}, codes.FailedPrecondition, ""},
		{&spoorv1.ScreenAddressRequest{Address: named("ethereum", "x").Qualified()}, codes.NotFound, "NOT_IN_BLOCKCHAIN"},
		{&spoorv1.ScreenAddressRequest{Address: qualifiedName("scam"), MaxLagSeconds: 60}, codes.Unavailable, "LAGGING"},
	} {
		_, err := d.ScreenAddress(t.Context(), bad.ask)
		if status.Code(err) != bad.code || bad.reason != "" && reason(err) != bad.reason {
			t.Errorf("%v: got %v (%s), want %s %s", bad.ask, err, reason(err), bad.code, bad.reason)
		}
	}
}

// TestScreenAddresses: answers in the order of the questions, and a bad address ends nothing.
func TestScreenAddresses(t *testing.T) {
	d := newScreenDesk(t)
	d.label(t, "scam", "stolen_funds")
	stream, err := d.ScreenAddresses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const n = 500
	names := []string{"scam", "a", "b", "nobody ever", "c"}
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			ask := qualifiedName(names[i%len(names)])
			if i%50 == 7 {
				ask = "bitcoin:what"
			}
			if err := stream.Send(&spoorv1.ScreenAddressesRequest{Request: &spoorv1.ScreenAddressRequest{Address: ask}}); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	count := 0
	for ; ; count++ {
		got, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if got.GetIndex() != uint64(count) || (got.GetError() != nil) != (count%50 == 7) {
			t.Fatalf("answer %d: got %v", count, got)
		}
		if e := got.GetError(); e != nil && (e.GetCode() != "INVALID_ARGUMENT" || e.GetReason() != "INVALID_ADDRESS") {
			t.Errorf("answer %d: got %v", count, e)
		}
	}
	if err := <-sent; err != nil || count != n {
		t.Errorf("got %d answers, want %d; %v", count, n, err)
	}
}

const coinUnit = 100_000_000

// deskBlocks are six blocks in which b comes to ten coins; scam, a and c to one each.
func deskBlocks() []*ledger.Block {
	blocks := []*ledger.Block{block(nil, 0, coins0, spending("genesis", nil, coin{"pool", 50 * coinUnit}))}
	for h := uint64(1); h <= 5; h++ {
		txs := []ledger.Tx{spending(fmt.Sprint("reward", h), nil, coin{"miner", 50 * coinUnit})}
		if h == 1 {
			txs[0] = spending("fund", nil, coin{"x", 13 * coinUnit})
		}
		if h == 2 {
			txs = append(txs, spending("split", []ledger.OutPoint{out("fund", 0)},
				coin{"b", 10 * coinUnit}, coin{"scam", coinUnit}, coin{"a", coinUnit}, coin{"c", coinUnit}))
		}
		blocks = append(blocks, block(blocks[h-1], h, coins0+int64(h)*10*minute, txs...))
	}
	return blocks
}

// TestPanicEndsNothing: a score that panics is an error of its address.
func TestPanicEndsNothing(t *testing.T) {
	w := emptyWorld(t, memkv.New())
	w.append(t, deskBlocks()...)
	cfg := quiet(t, w)
	cfg.Scoring = &server.Scoring{
		Rules: &risk.Rules{Version: "panics"},
		Address: func(context.Context, risk.Index, *risk.Rules, ledger.Address, risk.Options) (*risk.Assessment, error) {
			panic("a score")
		},
	}
	c := serve(t, cfg, server.LocalTrust())
	stream, err := spoorv1.NewScreeningServiceClient(c.conn).ScreenAddresses(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := stream.Send(&spoorv1.ScreenAddressesRequest{Request: &spoorv1.ScreenAddressRequest{Address: qualifiedName("b")}}); err != nil {
			t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil || got.GetError().GetCode() != "INTERNAL" {
			t.Errorf("address %d: got %v, %v, want INTERNAL", i, got, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// TestSandbox: a sandbox tenant's fixed addresses answer each level, unscored and pending.
func TestSandbox(t *testing.T) {
	for number, want := range map[byte]string{1: "SEVERE", 2: "HIGH", 3: "MEDIUM", 4: "LOW", 5: "", 6: ""} {
		got := server.SandboxScreeningOf(server.SandboxAddress("tron", number))
		if got.GetRisk() != want || (got.RiskScore != nil) != (want != "") || number == 6 && got.GetState() != "PENDING" {
			t.Errorf("number %d: got %v, want %q", number, got, want)
		}
	}
	for _, other := range []ledger.Address{named("tron", "x"), server.SandboxAddress("tron", 9), named("bitcoin", "x"), {}} {
		if got := server.SandboxScreeningOf(other); got != nil {
			t.Errorf("%s: got %v", other, got)
		}
	}
}

// stolen sends what b got on to the watched address.
func stolen() *ledger.Block {
	reward := spending("r6", nil, coin{"miner", 50 * coinUnit})
	return block(deskBlocks()[5], 6, coins0+60*minute, reward, spending("steal", []ledger.OutPoint{out("split", 0)}, coin{"exchange", 10 * coinUnit}))
}

// TestStolenCoinRaisesAlert: a stolen coin that reaches a watched address raises
// an alert with the block that brings it, and a retracted label is told of.
func TestStolenCoinRaisesAlert(t *testing.T) {
	d := newScreenDesk(t)
	label := d.label(t, "b", "stolen_funds")
	if _, err := d.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Address: qualifiedName("exchange"), Note: "hot wallet"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := d.WatchAlerts(ctx, &spoorv1.WatchAlertsRequest{Cursor: "0"})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // the first look marks the tip
	d.world.append(t, stolen())
	got, err := events.Recv()
	if err != nil {
		t.Fatal(err)
	}
	a := got.GetAlert()
	if got.GetEvent() != "CREATED" || a.GetType() != "TRANSFER" || a.GetAddress() != qualifiedName("exchange") || a.GetTrigger().GetCategory() != "stolen_funds" ||
		a.GetFinality() != "TENTATIVE" || a.GetAsOf().GetHeight() != 6 || a.GetStatus() != "UNREVIEWED" {
		t.Errorf("alert: got %v", got)
	}
	watches, err := d.ListWatches(t.Context(), &spoorv1.ListWatchesRequest{})
	if err != nil || len(watches.GetWatches()) != 1 || watches.GetWatches()[0].GetNote() != "hot wallet" {
		t.Fatalf("watches: %v, %v", watches, err)
	}
	done, err := d.UpdateAlert(t.Context(), &spoorv1.UpdateAlertRequest{Id: a.GetId(), Status: "ESCALATED", Comment: "called the police"})
	if err != nil || done.GetStatus() != "ESCALATED" || len(done.GetHistory()) != 2 || done.GetHistory()[1].GetComment() != "called the police" {
		t.Errorf("updated: %v, %v", done, err)
	}
	listed, err := d.ListAlerts(t.Context(), &spoorv1.ListAlertsRequest{Statuses: []string{"ESCALATED"}})
	if err != nil || len(listed.GetAlerts()) != 1 {
		t.Errorf("escalated: %v, %v", listed, err)
	}
	eventually(t, "what the alert says is kept", func() bool {
		watches, err := d.ListWatches(t.Context(), &spoorv1.ListWatchesRequest{})
		return err == nil && watches.GetWatches()[0].GetRisk() == "HIGH"
	})
	dry, err := d.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: label.GetId(), DryRun: true})
	if watches, again := d.ListWatches(t.Context(), &spoorv1.ListWatchesRequest{}); err != nil || again != nil || watches.GetWatches()[0].GetRisk() != "HIGH" {
		t.Errorf("a dry run changed something: %v, %v, %v", watches, err, again)
	}
	retracted, err := d.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: label.GetId(), Reason: "wrong"})
	if diff := cmp.Diff(retracted.GetAffected(), dry.GetAffected(), protocmp.Transform()); diff != "" || len(dry.GetAffected()) == 0 {
		t.Errorf("a dry run says something else: %s", diff)
	}
	if err != nil || !slices.ContainsFunc(retracted.GetAffected(), func(r *spoorv1.AffectedResult) bool { return r.GetKind() == "watch" && r.GetLevelBefore() != "" }) {
		t.Errorf("retracted: affected %v, %v", retracted.GetAffected(), err)
	}
	eventually(t, "the watch is LOW, from mining, once the label is gone", func() bool {
		watches, err := d.ListWatches(t.Context(), &spoorv1.ListWatchesRequest{})
		return err == nil && watches.GetWatches()[0].GetRisk() == "LOW"
	})
	if _, err := d.RemoveWatch(t.Context(), &spoorv1.RemoveWatchRequest{Id: watches.GetWatches()[0].GetId()}); err != nil {
		t.Error(err)
	}
}

// TestReplacedBlockRetractsAlert: the block that brought the coin is replaced by
// two that do not.
func TestReplacedBlockRetractsAlert(t *testing.T) {
	d := newScreenDesk(t)
	d.label(t, "b", "stolen_funds")
	if _, err := d.AddWatch(t.Context(), &spoorv1.AddWatchRequest{Address: qualifiedName("exchange")}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // the first look marks the tip
	d.world.append(t, stolen())
	alert := func(finality string) func() bool {
		return func() bool {
			all, err := d.ListAlerts(t.Context(), &spoorv1.ListAlertsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			return len(all.GetAlerts()) > 0 && !slices.ContainsFunc(all.GetAlerts(), func(a *spoorv1.Alert) bool { return a.GetFinality() != finality })
		}
	}
	eventually(t, "the alert is tentative", alert("TENTATIVE"))
	other := block(deskBlocks()[5], 6, coins0+61*minute, spending("other6", nil, coin{"miner", 50 * coinUnit}))
	d.world.append(t, other, block(other, 7, coins0+70*minute, spending("other7", nil, coin{"miner", 50 * coinUnit})))
	eventually(t, "the alert is retracted", alert("RETRACTED"))
}

// TestRegisterTransfer: pending until the block is there, then scored with an alert.
func TestRegisterTransfer(t *testing.T) {
	d := newScreenDesk(t)
	label := d.label(t, "b", "stolen_funds")
	ask := &spoorv1.RegisterTransferRequest{
		UserId: "ann", Network: "bitcoin", TransferReference: fmt.Sprintf("%s:0", txID("steal")), Direction: "RECEIVED", AssetAmount: "10", OutputAddress: named("bitcoin", "exchange").String(),
	}
	first, err := d.RegisterTransfer(t.Context(), ask)
	if err != nil || first.GetState() != "PENDING" || first.GetUpdated() != nil || first.GetScreening() != nil || first.GetUserId() != "ann" {
		t.Fatalf("before the block: %v, %v", first, err)
	}
	d.world.append(t, stolen())
	var got *spoorv1.RegisteredTransfer
	eventually(t, "the transfer is scored", func() bool {
		got, err = d.GetTransfer(t.Context(), &spoorv1.GetTransferRequest{ExternalId: first.GetExternalId()})
		return err == nil && got.GetState() == "SCORED" && len(got.GetAlerts()) > 0
	})
	if got.GetScreening().GetRisk() != "HIGH" || got.GetTx() != txID("steal").String() || got.GetAlerts()[0].GetUserId() != "ann" {
		t.Errorf("after the block: %v", got)
	}
	dry, err := d.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: label.GetId(), DryRun: true})
	want := []string{"transfer " + first.GetExternalId() + " HIGH LOW"}
	for _, a := range got.GetAlerts() {
		want = append(want, "alert "+a.GetId()+" "+a.GetLevel()+" LOW")
	}
	var have []string
	for _, a := range dry.GetAffected() {
		have = append(have, a.GetKind()+" "+a.GetId()+" "+a.GetLevelBefore()+" "+a.GetLevelAfter())
	}
	slices.Sort(have)
	slices.Sort(want)
	if diff := cmp.Diff(want, have); diff != "" || err != nil {
		t.Errorf("without the label: %v, %s", err, diff)
	}
	again, err := d.RegisterTransfer(t.Context(), ask)
	if err != nil || again.GetExternalId() != first.GetExternalId() || len(again.GetAlerts()) != len(got.GetAlerts()) {
		t.Errorf("registered again: %v, %v", again, err)
	}
	erased, err := d.EraseUser(t.Context(), &spoorv1.EraseUserRequest{UserId: "ann"})
	if err != nil || erased.GetTransfers() != 1 {
		t.Errorf("erased: %v, %v", erased, err)
	}
	if got, err = d.GetTransfer(t.Context(), &spoorv1.GetTransferRequest{ExternalId: first.GetExternalId()}); err != nil || got.GetUserId() != "" || got.GetAlerts()[0].GetUserId() != "" {
		t.Errorf("after erasing: %v, %v", got, err)
	}
	ask.UserId, ask.AssetAmount = "bob", "1"
	if _, err := d.RegisterTransfer(t.Context(), ask); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("another amount: got %v", err)
	}
	ask.AssetAmount, ask.Asset = "", "DOGE"
	if _, err := d.RegisterTransfer(t.Context(), ask); reason(err) != "UNSUPPORTED_ASSET" {
		t.Errorf("another asset: got %v", err)
	}
}

func TestWithdrawalAttempt(t *testing.T) {
	d := newScreenDesk(t)
	d.label(t, "b", "sanctioned_entity")
	for name, want := range map[string]string{"b": "SEVERE", "fresh": ""} {
		got, err := d.RegisterWithdrawalAttempt(t.Context(), &spoorv1.RegisterWithdrawalAttemptRequest{
			UserId: "ann", Network: "bitcoin", Address: named("bitcoin", name).String(), AttemptIdentifier: "to " + name,
		})
		if err != nil || got.GetState() != "SCORED" || got.GetScreening().GetRisk() != want {
			t.Errorf("attempt to %s: got %v, %v, want level %q", name, got, err, want)
		}
		if name == "fresh" && got.GetScreening().GetState() != "NO_HISTORY" {
			t.Errorf("a fresh address: got %s, want NO_HISTORY", got.GetScreening().GetState())
		}
	}
}

func TestRules(t *testing.T) {
	d := newScreenDesk(t)
	rules, err := d.GetRules(t.Context(), &spoorv1.GetRulesRequest{})
	if err != nil || rules.GetRules() == 0 || rules.GetText() == "" {
		t.Fatalf("default rules: %v, %v", rules, err)
	}
	d.label(t, "b", "sanctioned_entity")
	if _, err := d.RegisterWithdrawalAttempt(t.Context(), &spoorv1.RegisterWithdrawalAttemptRequest{
		UserId: "ann", Network: "bitcoin", Address: named("bitcoin", "b").String(), AttemptIdentifier: "1",
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ImportRules(t.Context(), &spoorv1.ImportRulesRequest{Text: "version: [1"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("bad rules: got %v", err)
	}
	got, err := d.TestRules(t.Context(), &spoorv1.TestRulesRequest{Text: rules.GetText()})
	if err != nil || got.GetTransfers() != 1 || len(got.GetDifferences()) != 0 || len(got.GetLevels()) != 1 || got.GetLevels()[0].GetFrom() != "SEVERE" {
		t.Errorf("the same rules: got %v, %v", got, err)
	}
	taken, err := d.ImportRules(t.Context(), &spoorv1.ImportRulesRequest{Text: rules.GetText()})
	if err != nil || taken.GetSha256() != rules.GetSha256() {
		t.Errorf("imported: %v, %v", taken, err)
	}
}

// reason is that of an error's details.
func reason(err error) string {
	found, _ := detail[*errdetails.ErrorInfo](err)
	return found.GetReason()
}
