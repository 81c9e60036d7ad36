package server_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/cases"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// packaged builds a package and returns its sum.
func (o *casesOffice) packaged(t *testing.T, who string, m *spoorv1.BuildPackageRequest) *spoorv1.PackageSum {
	t.Helper()
	got := o.ask(t, who, m)
	if got.err.Err() != nil {
		t.Fatalf("%v: %v", m, got.err)
	}
	return got.messages[len(got.messages)-1].(*spoorv1.BuildPackageResponse).GetSum()
}

// TestPackageAgain: a package that was asked for under a name is the same bytes
// whenever it is asked for so, after the case has grown, the chain has, and the
// server was started again. So is one of its pins. It is recorded once.
func TestPackageAgain(t *testing.T) {
	o := newOffice(t)
	name := o.filled(t, "12/2026")
	m := &spoorv1.BuildPackageRequest{Name: name, Redaction: "court", Demonstration: "a test", RequestId: "one"}
	first := o.packaged(t, "ann", m)
	grow := []func(){
		func() {},
		func() { o.packaged(t, "ann", &spoorv1.BuildPackageRequest{Name: name, Redaction: "public"}) },
		func() { o.ask(t, "ann", &spoorv1.AddNoteRequest{Name: name, Text: "news"}) },
		func() {
			last := coinBlocks()[5]
			o.world.append(t, block(last, 6, coins0+60*minute, spending("r6", nil, coin{"miner", 50})))
		},
		func() { o.end(t); o.begin(t) },
	}
	for i, change := range grow {
		change()
		pins := proto.CloneOf(first.GetPins())
		for what, again := range map[string]*spoorv1.PackageSum{
			"under its name": o.packaged(t, "ann", m), "of its pins": o.packaged(t, "ann", pins),
		} {
			if again.GetSha256() != first.GetSha256() {
				t.Errorf("change %d: asked for %s it is %s, was %s", i, what, again.GetSha256(), first.GetSha256())
			}
		}
	}
	c, err := o.GetCase(o.as(t, "ann"), &spoorv1.GetCaseRequest{Name: name})
	if err != nil || len(c.GetPackages()) != 2 {
		t.Fatalf("recorded: %v, %v", c.GetPackages(), err)
	}
	p, pins := c.GetPackages()[0], first.GetPins()
	if p.GetAsOf() != pins.GetAsOf() || p.GetCustodySize() != pins.GetCustodySize() || p.GetCustodySize() == 0 || p.GetAuthor() != "ann" || p.GetDemonstration() != "a test" || p.GetAskedAsOf() != "" {
		t.Errorf("recorded %v\nmade of %v", p, pins)
	}
	if c.GetChanged() <= p.GetCustodySize() || c.GetChanged() >= c.GetCustodySize() {
		t.Errorf("the note is entry %d, the package has %d, the case %d", c.GetChanged(), p.GetCustodySize(), c.GetCustodySize())
	}
	refusal{codes.PermissionDenied, "CASE_ROLE", "", "needs the role investigator"}.check(t, "a viewer under its name", o.ask(t, "bob", m).err.Err())
	refusal{codes.InvalidArgument, "INVALID_ARGUMENT", "supersedes", "[0-9a-f]{64}"}.check(t, "no hash", o.ask(t, "ann", &spoorv1.BuildPackageRequest{Name: name, Supersedes: "the old one"}).err.Err())
	other := proto.CloneOf(m)
	other.Templates = map[string]string{"exchange_freeze": "no letter"}
	other.Contacts = "nonsense: ["
	if got := o.ask(t, "ann", other); got.err.Err() == nil {
		t.Errorf("of letters that cannot be read: %v", got.messages)
	}
}

// TestClaimedAtOnce: of many who add the same transfer at a time one is granted it.
func TestClaimedAtOnce(t *testing.T) {
	o := newOffice(t)
	name := o.begun(t, "1")
	var all sync.WaitGroup
	var mu sync.Mutex
	var ends []string
	ctx := o.as(t, "ann")
	for i := range 8 {
		all.Go(func() {
			got, err := o.AddPayments(ctx, &spoorv1.AddPaymentsRequest{Name: name, Rows: []*spoorv1.PaymentRow{{Ref: ref("tron", "v1", ""), Victim: fmt.Sprint("victim ", i)}}})
			end := fmt.Sprint(got.GetAdded())
			if err != nil {
				end = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			ends = append(ends, end)
		})
	}
	all.Wait()
	added := slices.DeleteFunc(slices.Clone(ends), func(s string) bool { return s != "1" })
	for _, end := range ends {
		if end != "0" && end != "1" && !strings.Contains(end, "is claimed by P-1 and by P-2") {
			t.Errorf("one ends with %s", end)
		}
	}
	c, err := o.GetCase(ctx, &spoorv1.GetCaseRequest{Name: name})
	if err != nil || len(added) != 1 || len(c.GetPayments()) != 1 || len(c.GetVictims()) != 1 {
		t.Errorf("%v: %v, %v", ends, c, err)
	}
}

// TestOrphanedPayment: a payment whose block was replaced after it was added
// stops the board with its name; withdrawn, it no longer does.
func TestOrphanedPayment(t *testing.T) {
	o := newOffice(t)
	name := o.filled(t, "1")
	if got := o.ask(t, "ann", &spoorv1.AddPaymentsRequest{Name: name, Rows: []*spoorv1.PaymentRow{{Ref: ref("bitcoin", "on", ":0"), Victim: "A"}}}); got.err.Err() != nil {
		t.Fatal(got.err)
	}
	five := block(coinBlocks()[4], 5, coins0+51*minute, spending("other r5", nil, coin{"miner", 50}))
	o.world.append(t, five, block(five, 6, coins0+60*minute, spending("other r6", nil, coin{"miner", 50})))
	for _, m := range []proto.Message{&spoorv1.GetHoldingsRequest{Name: name}, &spoorv1.BuildPackageRequest{Name: name}, &spoorv1.WriteLettersRequest{Name: name}} {
		refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "payment P-3: "}.check(t, fmt.Sprintf("%T", m), o.ask(t, "ann", m).err.Err())
	}
	for _, e := range o.entries(t, name) {
		if e.Kind == cases.KindPackage {
			t.Errorf("a package is recorded that was not made: %s", e.Data)
		}
	}
	if got := o.ask(t, "ann", &spoorv1.WithdrawPaymentRequest{Name: name, Payment: "P-3", Reason: "its block was replaced"}); got.err.Err() != nil {
		t.Fatal(got.err)
	}
	if got := o.ask(t, "ann", &spoorv1.GetHoldingsRequest{Name: name}); got.err.Err() != nil {
		t.Error(got.err)
	}
}

// TestSeizures: one of a holding stands in its row, one of none is warned of, and
// one that cannot be read is refused by its field.
func TestSeizures(t *testing.T) {
	o := newOffice(t)
	name := o.filled(t, "1")
	held := "tron:" + named("tron", "b").String()
	record := func(address, asset, amount string) error {
		return o.ask(t, "ann", &spoorv1.RecordSeizureRequest{Name: name, Seizure: &spoorv1.Seizure{
			Address: address, Asset: asset, Amount: amount, Authority: "a court", ExecuteTime: timestamppb.New(time.UnixMilli(export0)),
		}}).err.Err()
	}
	for what, test := range map[string]struct{ address, asset, amount, field string }{
		"a symbol":        {held, "USDT", "1", "seizure.asset"},
		"no network":      {held[len("tron:"):], usdt.String(), "1", "seizure.address"},
		"no address":      {"tron:", usdt.String(), "1", "seizure.address"},
		"a wrong address": {held + "x", usdt.String(), "1", "seizure.address"},
		"coins":           {held, usdt.String(), "1.5", "seizure.amount"},
		"nothing":         {held, usdt.String(), "0", "seizure.amount"},
	} {
		err := record(test.address, test.asset, test.amount)
		if bad, _ := detail[*errdetails.BadRequest](err); len(bad.GetFieldViolations()) != 1 || bad.GetFieldViolations()[0].GetField() != test.field {
			t.Errorf("%s: %v, want the field %s", what, err, test.field)
		}
	}
	for _, place := range []string{held, held, "tron:" + named("tron", "x").String(), "binance:77"} {
		if err := record(place, usdt.String(), "7"); err != nil {
			t.Fatal(err)
		}
	}
	got := o.ask(t, "ann", &spoorv1.GetHoldingsRequest{Name: name})
	if got.err.Err() != nil {
		t.Fatal(got.err)
	}
	board := got.messages[0].(*spoorv1.Holdings)
	for _, h := range board.GetHoldings() {
		if want := map[bool]string{true: "14"}["tron:"+h.GetAddress() == held]; h.GetSeized() != want {
			t.Errorf("seized from %s: %q, want %q", h.GetAddress(), h.GetSeized(), want)
		}
	}
	for _, place := range []string{named("tron", "x").String(), "binance:77"} {
		if text := strings.Join(board.GetWarnings(), "\n"); strings.Count(text, place+" is of no holding") != 1 || strings.Contains(text, held+" is of no") {
			t.Errorf("%s: warnings %s", place, text)
		}
	}
}
