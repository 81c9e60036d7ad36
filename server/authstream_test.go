package server_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/spoortrace/spoor/access"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// TestOthersTraces: a trace is its tenant's own, and so is the id of its request.
func TestOthersTraces(t *testing.T) {
	store := keys(t, new(time.Duration))
	as := func(tenant string) context.Context {
		_, token, err := store.NewKey(access.Key{Tenant: tenant, Name: "x", Role: access.Investigator}, "test")
		if err != nil {
			t.Fatal(err)
		}
		return with(t.Context(), "x-api-key", token)
	}
	c := serve(t, quiet(t, newWorld(t)), server.Trust{Keys: store})
	acme, again, bank := as("acme"), as("acme"), as("bank")
	const id = "3f0c9b1e-6a55-4a0e-9b0b-0f6f6f1c2d3e"
	for _, id := range []string{"", id} {
		m := &spoorv1.StartTraceRequest{RequestId: id, Request: &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}}}
		begun, err := c.StartTrace(acme, m)
		if err != nil {
			t.Fatal(err)
		}
		read := &spoorv1.GetTraceRequest{Name: begun.GetName()}
		if _, err := c.GetTrace(again, read); err != nil {
			t.Errorf("with another key of its tenant: %v", err)
		}
		_, err = c.GetTrace(bank, read)
		refusal{codes.NotFound, "NOT_FOUND", "", "no such trace"}.check(t, "a trace of another tenant", err)
		m.Request = &spoorv1.TraceRequest{Refs: []string{ref("tron", "p1", "")}}
		other, err := c.StartTrace(bank, m)
		if err != nil || other.GetName() == begun.GetName() {
			t.Errorf("a request of another tenant with the id %q: %v, %v", id, other, err)
		}
	}
}

// TestOthersPages: the page token of another tenant is none.
func TestOthersPages(t *testing.T) {
	store := keys(t, new(time.Duration))
	_, acme := newKey(t, store, access.Reader, time.Time{})
	_, bank, err := store.NewKey(access.Key{Tenant: "bank", Name: "x", Role: access.Reader}, "test")
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, quiet(t, newWorld(t)), server.Trust{Keys: store})
	m := &spoorv1.LookupAddressRequest{Address: named("tron", "m").Qualified(), PageSize: 1}
	page, err := c.LookupAddress(with(t.Context(), "x-api-key", acme), m)
	if err != nil || page.GetNextPageToken() == "" {
		t.Fatalf("%v, %v", page, err)
	}
	m.PageToken = page.GetNextPageToken()
	if _, err := c.LookupAddress(with(t.Context(), "x-api-key", acme), m); err != nil {
		t.Errorf("one's own token: %v", err)
	}
	_, err = c.LookupAddress(with(t.Context(), "x-api-key", bank), m)
	refusal{invalid, wrong, "page_token", "page before"}.check(t, "another tenant's token", err)
}

// TestOthersSlots: a tenant that runs traces without end leaves a place to others.
func TestOthersSlots(t *testing.T) {
	store := keys(t, new(time.Duration))
	_, acme := newKey(t, store, access.Investigator, time.Time{})
	_, bank, err := store.NewKey(access.Key{Tenant: "bank", Name: "x", Role: access.Investigator}, "test")
	if err != nil {
		t.Fatal(err)
	}
	cfg := quiet(t, longWorld(t, 3000))
	cfg.MaxTraces = 4
	c := serve(t, cfg, server.Trust{Keys: store})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 3 {
		if _, err := begin(with(ctx, "x-api-key", acme), c); err != nil {
			t.Fatal(err)
		}
	}
	_, err = c.stream(with(t.Context(), "x-api-key", acme), longTrace())
	refusal{codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "", "3 traces of this tenant run already"}.check(t, "the fourth", err)
	if _, err := begin(with(ctx, "x-api-key", bank), c); err != nil {
		t.Errorf("the first of another tenant: %v", err)
	}
}

// TestStreamEndsWithKey: a stream that has begun ends when its key does, and says why.
func TestStreamEndsWithKey(t *testing.T) {
	var ahead atomic.Int64
	store, err := access.Open(t.TempDir(), func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	if err != nil {
		t.Fatal(err)
	}
	cfg := quiet(t, newWorld(t))
	cfg.Ingest = func(ctx context.Context, _ *spoorv1.IngestRequest, report func(*spoorv1.IngestEvent)) (*spoorv1.IngestResult, error) {
		for ctx.Err() == nil {
			report(&spoorv1.IngestEvent{})
			time.Sleep(time.Millisecond)
		}
		return nil, ctx.Err()
	}
	c := serve(t, cfg, server.Trust{Keys: store})
	for _, end := range []struct {
		reason string
		end    func(access.Key)
	}{
		{"API_KEY_REVOKED", func(k access.Key) {
			if _, err := store.Revoke(k.ID, "test"); err != nil {
				t.Error(err)
			}
		}},
		{"API_KEY_EXPIRED", func(access.Key) { ahead.Store(int64(2 * time.Hour)) }},
	} {
		k, token := newKey(t, store, access.Admin, time.Now().Add(time.Hour))
		s, err := c.Ingest(with(t.Context(), "x-api-key", token), &spoorv1.IngestRequest{Source: &spoorv1.IngestRequest_Tron{Tron: &spoorv1.TronCsv{CsvPaths: []string{"a"}}}})
		if err == nil {
			_, err = s.Recv()
		}
		if err != nil {
			t.Fatal(err)
		}
		end.end(k)
		for err == nil {
			_, err = s.Recv()
		}
		refusal{codes.Unauthenticated, end.reason, "", ""}.check(t, end.reason, err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// TestGivenUp: calls that are given up anywhere on their way leave no slot,
// place or goroutine behind.
func TestGivenUp(t *testing.T) {
	var wait atomic.Int64
	c, many, few := crowd(t, &wait)
	if err := c.keys.SetTenant(access.Tenant{Name: "bank", Rate: 1_000_000, Concurrent: 1}, "test"); err != nil {
		t.Fatal(err)
	}
	wait.Store(int64(time.Millisecond))
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(many, time.Duration(i%200)*time.Millisecond)
			defer cancel()
			_ = ask(ctx, c.client)
		})
	}
	all.Wait()
	wait.Store(0)
	for range 20 { // more than there are slots
		if err := ask(few, c.client); err != nil {
			t.Error(err)
		}
		if err := ask(many, c.client); err != nil {
			t.Error(err)
		}
	}
}

// TestStreamMessages: each message of a stream of questions is paid for, and
// waits where the tenant is ahead of its rate; a change of the rate counts at once.
func TestStreamMessages(t *testing.T) {
	store := keys(t, new(time.Duration))
	_, admin := newKey(t, store, access.Admin, time.Time{})
	rate := func(perSecond uint32) {
		if err := store.SetTenant(access.Tenant{Name: "acme", Rate: perSecond, Burst: 1}, "test"); err != nil {
			t.Fatal(err)
		}
	}
	rate(100)
	c := serve(t, quiet(t, newWorld(t)), server.Trust{Keys: store, Reflect: true})
	ctx, cancel := context.WithCancel(with(t.Context(), "x-api-key", admin))
	defer cancel()
	s, err := reflectionpb.NewServerReflectionClient(c.conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	exchange := func(n int) time.Duration {
		start := time.Now()
		for range n {
			if err := s.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Recv(); err != nil {
				t.Fatal(err)
			}
		}
		return time.Since(start)
	}
	if took := exchange(31); took < 290*time.Millisecond {
		t.Errorf("31 messages at 100 a second took %v", took)
	}
	rate(1_000_000)
	exchange(1) // it was waited for at the old rate
	if took := exchange(31); took > 200*time.Millisecond {
		t.Errorf("31 messages at a million a second took %v", took)
	}
}
