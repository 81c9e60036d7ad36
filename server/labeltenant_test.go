package server_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// TestPrivateLabels: what one tenant adds for itself stops its own traces, and
// nobody else sees it, can retract it or learns that it is there.
func TestPrivateLabels(t *testing.T) {
	w := newWorld(t)
	var ahead time.Duration
	store := keys(t, &ahead)
	cfg := quiet(t, w)
	cfg.Keys = store
	c := serve(t, cfg, server.Trust{Keys: store})
	var tokens [2]string
	for i, tenant := range []string{"acme", "other"} {
		_, token, err := store.NewKey(access.Key{Tenant: tenant, Name: "k", Role: access.Investigator}, "test")
		if err != nil {
			t.Fatal(err)
		}
		tokens[i] = token
	}
	acme, other := with(t.Context(), "authorization", "Bearer "+tokens[0]), with(t.Context(), "authorization", "Bearer "+tokens[1])
	added, err := c.AddLabel(acme, &spoorv1.AddLabelRequest{Label: exchange("a"), Private: true})
	if err != nil || !added.GetPrivate() {
		t.Fatalf("got %v, %v, want a private label", added, err)
	}
	again, err := c.AddLabel(acme, &spoorv1.AddLabelRequest{Label: exchange("a"), Private: true})
	if err != nil || again.GetId() != added.GetId() {
		t.Errorf("added again: got %v, %v, want the first", again, err)
	}
	m := &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0"}
	address := named("tron", "a").Qualified()
	check := func(name string, own bool) {
		t.Helper()
		ctx, reason, n := other, "UNSPENT", 0
		if own {
			ctx, reason, n = acme, "SERVICE", 1
		}
		list, err := c.ListLabels(ctx, &spoorv1.ListLabelsRequest{Address: address})
		info, err2 := c.LookupAddress(ctx, &spoorv1.LookupAddressRequest{Address: address})
		got, err3 := c.stream(ctx, m)
		if err != nil || err2 != nil || err3 != nil {
			t.Fatal(err, err2, err3)
		}
		if len(list.GetLabels()) != n || len(info.GetLabels()) != n || got.terminals[0].GetReason() != reason {
			t.Errorf("%s: %d labels listed, %d looked up, the trace ends %s; want %d and %s", name, len(list.GetLabels()), len(info.GetLabels()), got.terminals[0].GetReason(), n, reason)
		}
	}
	check("its own", true)
	check("another's", false)
	sets, err := c.ListLabelSets(other, &spoorv1.ListLabelSetsRequest{})
	if err != nil || strings.Contains(fmt.Sprint(sets), "Desk") {
		t.Errorf("sets as another sees them: %v, %v", sets, err)
	}
	_, err = c.RetractLabel(other, &spoorv1.RetractLabelRequest{Id: added.GetId()})
	refusal{codes.NotFound, "NOT_FOUND", "", "no such label"}.check(t, "another's", err)
	if _, err := c.RetractLabel(acme, &spoorv1.RetractLabelRequest{Id: added.GetId()}); err != nil {
		t.Error(err)
	}
}

// TestPoisoning: no tenant moves another's answers: what an investigator's key
// adds is its own, and everyone's labels it cannot take away. An administrator's key may do both.
func TestPoisoning(t *testing.T) {
	w := newWorld(t)
	var ahead time.Duration
	store := keys(t, &ahead)
	cfg := quiet(t, w)
	cfg.Keys = store
	c := serve(t, cfg, server.Trust{Keys: store})
	_, admin := newKey(t, store, access.Admin, time.Time{})
	_, investigator := newKey(t, store, access.Investigator, time.Time{})
	chief, one := with(t.Context(), "authorization", "Bearer "+admin), with(t.Context(), "authorization", "Bearer "+investigator)
	public, err := c.AddLabel(chief, &spoorv1.AddLabelRequest{Label: exchange("a")})
	if err != nil || public.GetPrivate() {
		t.Fatalf("an administrator's: got %v, %v, want everyone's", public, err)
	}
	hostile, err := c.AddLabel(one, &spoorv1.AddLabelRequest{Label: exchange("b")})
	if err != nil || !hostile.GetPrivate() {
		t.Errorf("an investigator's: got %v, %v, want a private label", hostile, err)
	}
	_, err = c.RetractLabel(one, &spoorv1.RetractLabelRequest{Id: public.GetId()})
	refusal{codes.PermissionDenied, "PERMISSION_DENIED", "", "only an administrator retracts it"}.check(t, "everyone's", err)
	if _, err := c.RetractLabel(chief, &spoorv1.RetractLabelRequest{Id: public.GetId()}); err != nil {
		t.Error(err)
	}
}

// TestRetractionLists: a retraction names the traces that show the label, and no others.
func TestRetractionLists(t *testing.T) {
	c := local(t, newWorld(t))
	m := &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0"}
	before := c.started(t, &spoorv1.StartTraceRequest{Request: m, RequestId: "before"})
	added := c.add(t, exchange("a"))
	first := c.started(t, &spoorv1.StartTraceRequest{Request: m, RequestId: "first"})
	second := c.started(t, &spoorv1.StartTraceRequest{Request: m, RequestId: "second"})
	dry, err := c.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: added.GetId(), DryRun: true})
	if err != nil || dry.GetLabel().GetRetractedSequence() != 0 {
		t.Fatalf("a dry run: %v, %v", dry, err)
	}
	got, err := c.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: added.GetId(), Reason: "mistaken"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.GetAffected(), dry.GetAffected(), protocmp.Transform()); diff != "" {
		t.Errorf("a dry run says something else: %s", diff)
	}
	_, err = c.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: added.GetId(), DryRun: true})
	refusal{codes.FailedPrecondition, "FAILED_PRECONDITION", "", "was retracted"}.check(t, "a dry run afterwards", err)
	have := map[string]string{}
	for _, a := range got.GetAffected() {
		have[a.GetId()] = a.GetKind()
	}
	if len(have) != 2 || have[first.GetName()] != "trace" || have[second.GetName()] != "trace" || have[before.GetName()] != "" {
		t.Errorf("got %v, want the traces %s and %s and not %s", have, first.GetName(), second.GetName(), before.GetName())
	}
	unused := c.add(t, exchange("nobody"))
	got, err = c.RetractLabel(t.Context(), &spoorv1.RetractLabelRequest{Id: unused.GetId()})
	if err != nil || len(got.GetAffected()) != 0 {
		t.Errorf("a label that no trace shows: got %v, %v", got, err)
	}
}

// TestEdition: a complete list ends what it no longer has, a dry run says so
// before, and neither an answer of then nor the history forgets it.
func TestEdition(t *testing.T) {
	c := local(t, newWorld(t))
	send := func(text string, o *spoorv1.ImportOptions) *spoorv1.ImportLabelsResponse {
		s, err := c.ImportLabels(t.Context())
		if err == nil {
			err = s.Send(&spoorv1.ImportLabelsRequest{File: "watch.csv", Chunk: []byte("network,address,label\n" + text), Options: o})
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.CloseAndRecv()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	a, b := "tron,"+named("tron", "a").String()+",A\n", "tron,"+named("tron", "b").String()+",B\n"
	before := send(a+b, nil).GetSequence()
	for _, dry := range []bool{true, false} {
		got := send(a, &spoorv1.ImportOptions{Complete: true, DryRun: dry})
		ended := got.GetEnded()
		if len(ended) != 1 || ended[0].GetLabel() != "B" || ended[0].ValidTo == nil || got.GetAccepted() != 0 || got.GetSets()[0].GetEnded() != 1 || got.GetSets()[0].Published == nil {
			t.Errorf("dry %v: got %v", dry, got)
		}
		if moved := got.GetSequence() != before; moved == dry {
			t.Errorf("dry %v: the log is at %d and was at %d", dry, got.GetSequence(), before)
		}
	}
	list, err := c.ListLabels(t.Context(), &spoorv1.ListLabelsRequest{Address: named("tron", "b").Qualified()})
	if err != nil || len(list.GetLabels()) != 1 || list.GetLabels()[0].ValidTo == nil || list.GetLabels()[0].GetRetractedSequence() != 0 {
		t.Errorf("got %v, %v, want the label with its end", list, err)
	}
}

// TestImportOptions: a plain list takes its label from the request, and what is
// wrong with the options is refused.
func TestImportOptions(t *testing.T) {
	c := local(t, newWorld(t))
	send := func(o *spoorv1.ImportOptions) (*spoorv1.ImportLabelsResponse, error) {
		s, err := c.ImportLabels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text := named("tron", "a").String() + "\nLWv4NUb1xu31zJfKW9Yk5cCxBAGwnV6kEe\n"
		if err := s.Send(&spoorv1.ImportLabelsRequest{File: "list.txt", Chunk: []byte(text), Options: o}); err != nil {
			t.Fatal(err)
		}
		return s.CloseAndRecv()
	}
	for name, o := range map[string]*spoorv1.ImportOptions{
		"no label": nil, "network": {Label: "x", Network: "atlantis"}, "category": {Label: "x", Category: "villain"}, "confidence": {Label: "x", Confidence: 101},
		"max_age": {Label: "x", MaxAge: durationpb.New(-1)},
	} {
		if _, err := send(o); err == nil || !strings.Contains(err.Error(), "InvalidArgument") {
			t.Errorf("%s: got %v, want InvalidArgument", name, err)
		}
	}
	got, err := send(&spoorv1.ImportOptions{Label: "Listed", Category: "3", Source: "order 12", MaxAge: durationpb.New(time.Hour)})
	set := got.GetSets()
	if err != nil || got.GetAccepted() != 1 || len(set) != 1 || set[0].GetFormat() != "list" || set[0].GetSkipped()["UNKNOWN"] != 1 || set[0].GetMaxAge().AsDuration() != time.Hour {
		t.Fatalf("got %v, %v", got, err)
	}
	list, err := c.ListLabels(t.Context(), &spoorv1.ListLabelsRequest{Address: named("tron", "a").Qualified()})
	if l := list.GetLabels(); err != nil || len(l) != 1 || l[0].GetLabel() != "Listed" || l[0].GetCategory() != "sanctioned_entity" || l[0].GetSource() != "order 12" {
		t.Errorf("got %v, %v", list, err)
	}
}

// TestStaleSets: the last set of a source says that it is stale, an earlier one does not.
func TestStaleSets(t *testing.T) {
	w := newWorld(t)
	old := time.Now().Add(-9 * 24 * time.Hour).UnixMilli()
	for i, name := range []string{"sdn", "sdn", "other"} {
		a := named("tron", fmt.Sprint(i))
		tag := ledger.Tag{Chain: "tron", Address: a, Label: "x", Source: "s", Category: "sanctioned_entity", Confidence: 60}
		if name == "other" {
			tag.Category = "exchange"
		}
		src := labels.Source{Name: name, Tags: func(yield func(ledger.Tag, error) bool) { yield(tag, nil) }}
		if _, err := w.labels.Import(t.Context(), src, old); err != nil {
			t.Fatal(err)
		}
	}
	c := local(t, w)
	page := httptest.NewRecorder()
	c.server.Metrics().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	if text := page.Body.String(); !strings.Contains(text, `spoor_label_source_stale{source="sdn"} 1`) || !strings.Contains(text, `spoor_label_source_age_seconds{source="sdn"} 77760`) || strings.Contains(text, `source="other"`) {
		t.Errorf("metrics: want sdn stale at 9 days and nothing of other, got\n%s", text)
	}
	got, err := c.ListLabelSets(t.Context(), &spoorv1.ListLabelSetsRequest{})
	if err != nil || len(got.GetSets()) != 3 {
		t.Fatalf("got %v, %v", got, err)
	}
	for i, stale := range []bool{false, true, false} {
		if s := got.GetSets()[i]; s.GetStale() != stale || (s.Age != nil) != stale {
			t.Errorf("set %d: got %v, want stale %v", i, s, stale)
		}
	}
}
