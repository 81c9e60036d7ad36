package server_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

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
