package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/cases"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/server"
)

// casesOffice is a server with cases, and the keys of those who ask: ann, bob
// and col of the tenant north, eve of south. A key's name is the member's.
type casesOffice struct {
	*client
	spoorv1.CaseServiceClient
	world *world
	dir   string // has all that the server keeps
	log   *safeLog
	keep  *access.Store
	token map[string]string
	store *cases.Store
	audit *access.Audit

	watched *screening.Store // nil: nothing is watched
}

func newOffice(t *testing.T) *casesOffice {
	t.Helper()
	return newOfficeOver(t, nil)
}

// newOfficeOver is an office that keeps watches and alerts, too.
func newOfficeOver(t *testing.T, watched *screening.Store) *casesOffice {
	t.Helper()
	o := &casesOffice{world: newWorld(t), watched: watched, dir: t.TempDir(), log: &safeLog{}, token: map[string]string{}}
	if err := os.Mkdir(filepath.Join(o.dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.keep, err = access.Open(filepath.Join(o.dir, "keys"), time.Now); err != nil {
		t.Fatal(err)
	}
	for _, who := range strings.Fields("north/ann north/bob north/col south/eve") {
		tenant, name, _ := strings.Cut(who, "/")
		if err := o.keep.SetTenant(access.Tenant{Name: tenant, Rate: 1_000_000}, "test"); err != nil {
			t.Fatal(err)
		}
		if _, o.token[name], err = o.keep.NewKey(access.Key{Tenant: tenant, Name: name, Role: access.Investigator}, "test"); err != nil {
			t.Fatal(err)
		}
	}
	o.begin(t)
	t.Cleanup(func() {
		o.end(t)
		if err := o.keep.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// begin starts the server over what is kept.
func (o *casesOffice) begin(t *testing.T) {
	t.Helper()
	var err error
	if o.store, err = cases.Open(o.dir, cases.Options{Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	if o.audit, err = access.OpenAudit(filepath.Join(o.dir, "keys"), time.Now, 0); err != nil {
		t.Fatal(err)
	}
	cfg := quiet(t, o.world)
	cfg.Log = slog.New(slog.NewTextHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Screening = o.watched
	cfg.Cases, cfg.Keys, cfg.Audit, cfg.Software = o.store, o.keep, o.audit, "spoor test"
	o.client = serve(t, cfg, server.Trust{Keys: o.keep})
	o.CaseServiceClient = spoorv1.NewCaseServiceClient(o.conn)
}

// end stops the server and closes what it kept.
func (o *casesOffice) end(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	o.server.Stop(ctx)
	for _, err := range []error{o.store.Close(), o.audit.Close()} {
		if err != nil {
			t.Error(err)
		}
	}
}

func (o *casesOffice) restart(t *testing.T) {
	t.Helper()
	o.end(t)
	o.begin(t)
}

// as is a context in which somebody asks.
func (o *casesOffice) as(t *testing.T, who string) context.Context {
	t.Helper()
	return with(t.Context(), "x-api-key", o.token[who])
}

// begun opens a case of ann's.
func (o *casesOffice) begun(t *testing.T, number string) string {
	t.Helper()
	c, err := o.CreateCase(o.as(t, "ann"), newCase(number))
	if err != nil {
		t.Fatal(err)
	}
	return c.GetName()
}

func newCase(number string) *spoorv1.CreateCaseRequest {
	rule := &spoorv1.CasePolicy{Policy: "fifo", Reason: "order of 3 May"}
	return &spoorv1.CreateCaseRequest{Number: number, Title: "A shop that never shipped", Authority: "Prosecutor, North", UtxoPolicy: rule, AccountPolicy: rule}
}

// canary is in all that is personal in a case that filled made.
const canary = "Zzyzx Canary"

// filled is a case with a payment, a note, an exhibit, a request and bob as a viewer.
func (o *casesOffice) filled(t *testing.T, number string) string {
	t.Helper()
	name := o.begun(t, number)
	for _, m := range []proto.Message{
		&spoorv1.AddPaymentsRequest{Name: name, Rows: []*spoorv1.PaymentRow{{
			Ref: ref("tron", "v1", ""), Victim: "name of " + canary, Status: "confirmed", BankLeg: "bank of " + canary, Note: "remark on " + canary,
		}, {Ref: ref("tron", "o3", ""), Victim: "Somebody Else"}}},
		&spoorv1.AddNoteRequest{Name: name, Text: "note on " + canary},
		&spoorv1.AddExhibitRequest{Name: name, FileName: canary + ".txt", Description: "of " + canary, Content: []byte("chat of " + canary)},
		&spoorv1.RecordRequestRequest{Name: name, To: "An exchange", LetterSha256: strings.Repeat("ab", 32), Accounts: []string{"huobi:7"}},
		&spoorv1.SetMemberRequest{Name: name, Member: "bob", Role: spoorv1.CaseRole_CASE_ROLE_VIEWER},
	} {
		if got := o.ask(t, "ann", m); got.err.Err() != nil {
			t.Fatalf("%T: %v", m, got.err)
		}
	}
	return name
}

// caseMethods are the RPCs of CaseService, from its descriptor.
func caseMethods(t *testing.T) (all []method) {
	t.Helper()
	for _, m := range methods(t) {
		if strings.HasPrefix(m.name, "/"+spoorv1.CaseService_ServiceDesc.ServiceName+"/") {
			all = append(all, m)
		}
	}
	return all
}

// ask sends a request to the method that takes it.
func (o *casesOffice) ask(t *testing.T, who string, req proto.Message) outcomes {
	t.Helper()
	for _, m := range caseMethods(t) {
		if m.desc.Input().FullName() == req.ProtoReflect().Descriptor().FullName() {
			return overGRPC(t, o.client, m, req, "x-api-key", o.token[who])
		}
	}
	t.Fatalf("no method takes %T", req)
	return outcomes{}
}

// caseRequests are requests about a case that filled made, one for each method,
// each of which an owner is granted. A method that has none fails the tests that
// go through all: whoever adds one says here how it is called.
func caseRequests(name string) map[string]proto.Message {
	rule := &spoorv1.CasePolicy{Policy: "haircut", Reason: "order of 4 May"}
	exhibit := sha256.Sum256([]byte("chat of " + canary))
	someHash := strings.Repeat("cd", 32)
	return map[string]proto.Message{
		"CreateCase":      newCase("another " + name),
		"GetCase":         &spoorv1.GetCaseRequest{Name: name},
		"ListCases":       &spoorv1.ListCasesRequest{},
		"AddPayments":     &spoorv1.AddPaymentsRequest{Name: name, Rows: []*spoorv1.PaymentRow{{Ref: ref("tron", "o1", ""), Victim: "A third"}}},
		"WithdrawPayment": &spoorv1.WithdrawPaymentRequest{Name: name, Payment: "P-2", Reason: "none of ours"},
		"AddNote":         &spoorv1.AddNoteRequest{Name: name, Text: "more"},
		"ListNotes":       &spoorv1.ListNotesRequest{Name: name},
		"AddExhibit":      &spoorv1.AddExhibitRequest{Name: name, FileName: "b.txt", Content: []byte("b")},
		"GetExhibit":      &spoorv1.GetExhibitRequest{Name: name, Sha256: hex.EncodeToString(exhibit[:])},
		"SetMember":       &spoorv1.SetMemberRequest{Name: name, Member: "col", Role: spoorv1.CaseRole_CASE_ROLE_VIEWER},
		"SetPolicy":       &spoorv1.SetPolicyRequest{Name: name, UtxoPolicy: rule, AccountPolicy: rule},
		"SetAllocation":   &spoorv1.SetAllocationRequest{Name: name, Allocation: "pro-rata", Reason: "equity"},
		"AddCaseLabel": &spoorv1.AddCaseLabelRequest{Name: name, Label: &spoorv1.CaseLabel{
			Address: "tron:" + named("tron", "m").String(), Label: "the shop", Source: "an interview",
		}},
		"ListVictims": &spoorv1.ListVictimsRequest{Name: name},
		"RecordSeizure": &spoorv1.RecordSeizureRequest{Name: name, Seizure: &spoorv1.Seizure{
			Address: "tron:" + named("tron", "b").String(), Asset: usdt.String(), Amount: "1", Authority: "a court", ExecuteTime: timestamppb.New(time.UnixMilli(export0)),
		}},
		"RecordRequest": &spoorv1.RecordRequestRequest{Name: name, To: "An exchange", LetterSha256: someHash, Accounts: []string{"huobi:8"}},
		"ListRequests":  &spoorv1.ListRequestsRequest{Name: name},
		"SetVictim":     &spoorv1.SetVictimRequest{Name: name, Victim: "V-1", Contact: "by post"},
		"RecordAnswer":  &spoorv1.RecordAnswerRequest{Name: name, Request: "R-1", Answer: &spoorv1.CaseAnswer{Text: "held"}},
		"ImportReturn": &spoorv1.ImportReturnRequest{
			Name: name, Entity: "exchange", Account: "7", From: timestamppb.New(time.UnixMilli(export0)), To: timestamppb.New(time.UnixMilli(export0 + 1000)),
			File: []byte("time,kind,asset,amount\n2022-01-05T17:55:12Z,opening,USDT,1\n"),
		},
		"ExportCase":     &spoorv1.ExportCaseRequest{Name: name, To: "Prosecutor, South", Passphrase: "correct horse battery"},
		"EraseCase":      &spoorv1.EraseCaseRequest{Name: name, Reason: "closed"},
		"ListCustody":    &spoorv1.ListCustodyRequest{Name: name},
		"GetHoldings":    &spoorv1.GetHoldingsRequest{Name: name},
		"FollowHoldings": &spoorv1.FollowHoldingsRequest{Name: name, Boards: 1},
		"WriteLetters":   &spoorv1.WriteLettersRequest{Name: name},
		"BuildPackage":   &spoorv1.BuildPackageRequest{Name: name},
	}
}

// requestOf is the request of a method from caseRequests.
func requestOf(t *testing.T, m method, name string) proto.Message {
	t.Helper()
	req := caseRequests(name)[string(m.desc.Name())]
	if req == nil {
		t.Fatalf("caseRequests has no request of %s: add one that an owner is granted", m.name)
	}
	return req
}
