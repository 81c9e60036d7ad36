package server_test

import (
	"bytes"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/chains/bitcoin/esplora"
	"github.com/spoortrace/spoor/chains/service"
	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/internal/publicapi"
	"github.com/spoortrace/spoor/internal/simchain"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// asking is a world that holds nothing, whose operator's source has a chain of
// coins, and a world that holds that chain.
type asking struct {
	world, whole *world
	limits       fetch.Budget
	requests     atomic.Int64
	ids          []ledger.TxID
	fetcher      *fetch.Fetcher
	young        http.Handler                 // the chain as it was at block 140
	before       atomic.Pointer[http.Handler] // what is served in place of the chain; nil: the chain
}

func newAsking(t *testing.T) *asking {
	t.Helper()
	a := &asking{world: emptyWorld(t, memkv.New()), whole: emptyWorld(t, memkv.New()), limits: fetch.Budget{Requests: 2000, Bytes: 1 << 30, Time: time.Hour}}
	var file bytes.Buffer
	if _, err := simchain.Write(&file, simchain.Options{Txs: 20_000, PerBlock: 500, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "blk00000.dat")
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	blocks, err := publicapi.ReadBlocks(file.Bytes(), 1)
	if err != nil {
		t.Fatal(err)
	}
	a.ids = blocks.IDs
	files, err := archive.Open(t.Context(), archive.Options{Chain: "bitcoin-simnet", Blocks: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := a.whole.store.Create(t.Context(), "bitcoin-simnet")
	if err == nil {
		err = n.Append(t.Context(), files.All(t.Context()), store.AppendOptions{ReorgBound: new(uint64)})
	}
	if err != nil {
		t.Fatal(err)
	}
	snap, err := n.Snapshot(^uint64(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = snap.Close() })
	api := publicapi.Esplora(snap, blocks, "bitcoin-simnet")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		if before := a.before.Load(); before != nil {
			(*before).ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	cut, err := n.Snapshot(140)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cut.Close() })
	a.young = publicapi.Esplora(cut, blocks, "bitcoin-simnet")
	a.fetcher = a.source(t, s.URL)
	return a
}

func (a *asking) source(t *testing.T, url string) *fetch.Fetcher {
	t.Helper()
	adapter, err := esplora.New("bitcoin-simnet")
	if err != nil {
		t.Fatal(err)
	}
	c, err := service.Dial(service.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	f, err := fetch.Open(t.TempDir(), a.world.store, []fetch.Source{{Name: "operator's", Service: adapter, Transport: c}}, fetch.Options{Scratch: memkv.New()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (a *asking) request(i int) *spoorv1.TraceRequest {
	return &spoorv1.TraceRequest{Refs: []string{"bitcoin-simnet:" + a.ids[i].String() + ":0"}, Policy: "haircut", Fetch: &spoorv1.Fetch{}}
}

// TestFetch: a trace that asks the operator's sources tells what it finds as it
// finds it, and ends with the answer of an index that has the whole chain.
func TestFetch(t *testing.T) {
	a := newAsking(t)
	cfg := quiet(t, a.world)
	cfg.Fetch, cfg.FetchLimits = a.fetcher, a.limits
	c, whole := serve(t, cfg, server.LocalTrust()), local(t, a.whole)
	for i := range 30 {
		m := a.request(i * 11)
		s, err := c.StreamTrace(t.Context(), &spoorv1.StreamTraceRequest{Request: m})
		if err != nil {
			t.Fatal(err)
		}
		found, reports := map[string]bool{}, 0
		got := &spoorv1.Trace{}
		for got.GetAsOf() == nil {
			e, err := s.Recv()
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case e.GetFound() != nil:
				if found[e.GetFound().GetKey()] {
					t.Errorf("%s was found twice", e.GetFound().GetKey())
				}
				found[e.GetFound().GetKey()] = true
			case e.GetFetching() != nil:
				reports++
			case e.GetHop() != nil:
				got.Hops = append(got.Hops, e.GetHop())
			case e.GetTerminal() != nil:
				got.Terminals = append(got.Terminals, e.GetTerminal())
			case e.GetResult() != nil:
				e.GetResult().Hops, e.GetResult().Terminals = got.GetHops(), got.GetTerminals()
				got = e.GetResult()
			}
		}
		for _, h := range got.GetHops() {
			if !found[h.GetKey()] {
				t.Errorf("%s was not told when it was found", h.GetKey())
			}
		}
		if r := got.GetFetch(); reports == 0 || r.GetRounds() != int32(reports) || len(r.GetSources()) != 1 || r.GetSources()[0] != "operator's" {
			t.Errorf("%d reports, in the end %v", reports, r)
		}
		if s := got.GetCoverage()[0].GetState(); s != "COMPLETE" {
			t.Errorf("coverage %v", got.GetCoverage())
		}
		alike(t, got, whole.trace(t, &spoorv1.TraceRequest{Refs: m.GetRefs(), Policy: "haircut"}))
	}
	before := a.requests.Load()
	m := a.request(0)
	m.Fetch = nil
	if again := c.trace(t, m); again.GetFetch() != nil || a.requests.Load() != before {
		t.Errorf("what is held was asked for again: %v", again.GetFetch())
	}
	if job := c.started(t, &spoorv1.StartTraceRequest{Request: a.request(1)}); job.GetState() != "DONE" || job.GetFetch().GetRequests() == 0 {
		t.Errorf("StartTrace: %s, %v, %v", job.GetState(), job.GetFetch(), job.GetError())
	}
}

// alike compares hops, places and sheets, but for grades and finality, and for the
// balances of places that were not looked into.
func alike(t *testing.T, got, want *spoorv1.Trace) {
	t.Helper()
	if len(got.GetHops()) != len(want.GetHops()) || len(got.GetTerminals()) != len(want.GetTerminals()) || !proto.Equal(got.GetConservation()[0], want.GetConservation()[0]) {
		t.Fatalf("%d hops and %d places, want %d and %d; %v, want %v", len(got.GetHops()), len(got.GetTerminals()), len(want.GetHops()), len(want.GetTerminals()), got.GetConservation()[0], want.GetConservation()[0])
	}
	dirty := map[string]string{}
	for _, h := range want.GetHops() {
		dirty[h.GetKey()] = h.GetDirty()
	}
	for _, h := range got.GetHops() {
		if dirty[h.GetKey()] != h.GetDirty() {
			t.Errorf("hop %s carries %s, want %s", h.GetKey(), h.GetDirty(), dirty[h.GetKey()])
		}
	}
	ends := map[string]*spoorv1.Terminal{}
	for _, e := range want.GetTerminals() {
		ends[e.GetAt()] = e
	}
	for _, e := range got.GetTerminals() {
		w := ends[e.GetAt()]
		if w.GetReason() != e.GetReason() || w.GetDirty() != e.GetDirty() || e.GetWhy() != "" || e.GetBalanceNow() != "" && e.GetBalanceNow() != w.GetBalanceNow() {
			t.Errorf("place %v, want %v", e, w)
		}
	}
}

// TestFetchRefused: a budget above the operator's, a question that cannot be
// fetched for, and a server without sources are refused by name; a budget that is
// used up says so at the place.
func TestFetchRefused(t *testing.T) {
	a := newAsking(t)
	cfg := quiet(t, a.world)
	cfg.Fetch, cfg.FetchLimits = a.fetcher, a.limits
	c := serve(t, cfg, server.LocalTrust())
	for name, x := range map[string]struct {
		change func(*spoorv1.TraceRequest)
		code   codes.Code
	}{
		"too many requests": {func(m *spoorv1.TraceRequest) { m.Fetch.MaxRequests = 2001 }, codes.InvalidArgument},
		"too much time":     {func(m *spoorv1.TraceRequest) { m.Fetch.MaxSeconds = 3601 }, codes.InvalidArgument},
		"too many bytes":    {func(m *spoorv1.TraceRequest) { m.Fetch.MaxBytes = 1<<30 + 1 }, codes.InvalidArgument},
		"a cut-off":         {func(m *spoorv1.TraceRequest) { m.AsOf = "100" }, codes.InvalidArgument},
		"upstream":          {func(m *spoorv1.TraceRequest) { m.Direction, m.Policy = spoorv1.Direction_DIRECTION_UPSTREAM, "fifo" }, codes.InvalidArgument},
		"another network":   {func(m *spoorv1.TraceRequest) { m.Refs = []string{"tron:" + a.ids[0].String()} }, codes.InvalidArgument},
		"an unknown payment": {func(m *spoorv1.TraceRequest) {
			m.Refs = []string{"bitcoin-simnet:" + ledger.TxID{1}.String()}
		}, codes.NotFound},
	} {
		m := a.request(0)
		x.change(m)
		if _, err := c.stream(t.Context(), m); status.Code(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
	}
	if _, err := local(t, a.whole).stream(t.Context(), a.request(0)); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("without sources: %v", err)
	}
	m := a.request(0)
	m.Fetch.MaxRequests = 4
	job := c.started(t, &spoorv1.StartTraceRequest{Request: m})
	open := 0
	for _, e := range job.GetTerminals() {
		if e.GetReason() == "NOT_COVERED" {
			open++
			if e.GetWhy() != "the budget is used up: 4 requests" || e.GetBalanceNow() != "" {
				t.Errorf("%v", e)
			}
		}
	}
	if open == 0 || job.GetCoverage()[0].GetState() == "COMPLETE" {
		t.Errorf("%d places are not covered, coverage %v", open, job.GetCoverage())
	}
}

// TestDiffTrace: what more data changed of a trace re-adds: what places have more and
// less is what went to fees, and the second side is the answer of the whole chain.
func TestDiffTrace(t *testing.T) {
	a := newAsking(t)
	cfg := quiet(t, a.world)
	cfg.Fetch, cfg.FetchLimits = a.fetcher, a.limits
	c, whole := serve(t, cfg, server.LocalTrust()), local(t, a.whole)
	for i := range 10 {
		m := a.request(i * 11)
		m.Fetch.MaxRequests = 6
		short := c.started(t, &spoorv1.StartTraceRequest{Request: m})
		if short.GetState() != "DONE" {
			continue // the block that all is as of took the budget
		}
		d, err := c.DiffTrace(t.Context(), &spoorv1.DiffTraceRequest{Name: short.GetName(), Fetch: &spoorv1.Fetch{}})
		if err != nil {
			t.Fatal(err)
		}
		want := whole.trace(t, &spoorv1.TraceRequest{Refs: m.GetRefs(), Policy: "haircut"})
		again, err := c.DiffTrace(t.Context(), &spoorv1.DiffTraceRequest{Trace: short, Is: want})
		if err != nil {
			t.Fatal(err)
		}
		is := c.trace(t, &spoorv1.TraceRequest{Refs: m.GetRefs(), Policy: "haircut"})
		if same, err := c.DiffTrace(t.Context(), &spoorv1.DiffTraceRequest{Trace: is, Is: want}); err != nil || len(same.GetPlaces())+len(same.GetHops())+len(same.GetSheets()) > 0 || same.GetSameHops() != int64(len(want.GetHops())) {
			t.Errorf("%d: %v, %v", i, same, err)
		}
		if len(d.GetPlaces()) != len(again.GetPlaces()) || len(d.GetHops()) != len(again.GetHops()) || !d.GetConserves() {
			t.Errorf("%d: %d places, %d hops, want %d and %d", i, len(d.GetPlaces()), len(d.GetHops()), len(again.GetPlaces()), len(again.GetHops()))
		}
		rest := new(big.Int)
		count := func(is, was string, sign int64) {
			x, okX := new(big.Int).SetString(is, 10)
			y, okY := new(big.Int).SetString(was, 10)
			if !okX || !okY {
				t.Fatalf("%q, %q", is, was)
			}
			rest.Add(rest, x.Sub(x, y).Mul(x, big.NewInt(sign)))
		}
		for _, p := range d.GetPlaces() {
			count(p.GetIs(), p.GetWas(), 1)
		}
		for _, s := range d.GetSheets() {
			if s.GetRow() == "fees" {
				count(s.GetIs(), s.GetWas(), 1)
			}
		}
		if rest.Sign() != 0 {
			t.Errorf("%d: places and fees have %s more", i, rest)
		}
	}
	for name, m := range map[string]*spoorv1.DiffTraceRequest{
		"nothing":    {},
		"unfinished": {Trace: &spoorv1.Trace{}},
		"both":       {Trace: &spoorv1.Trace{Request: a.request(0), AsOf: []*spoorv1.AsOf{{}}, Pins: &spoorv1.Pins{}}, Is: &spoorv1.Trace{}, Fetch: &spoorv1.Fetch{}},
	} {
		if _, err := c.DiffTrace(t.Context(), m); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFetchFollowed: a trace that is followed without a node tells of hops as the
// money moves, and comes to the answer of the whole chain.
func TestFetchFollowed(t *testing.T) {
	a := newAsking(t)
	cfg := quiet(t, a.world)
	cfg.Fetch, cfg.FetchLimits, cfg.FetchEvery = a.fetcher, a.limits, 20*time.Millisecond
	c, whole := serve(t, cfg, server.LocalTrust()), local(t, a.whole)
	a.before.Store(&a.young)
	m := a.request(3)
	want := whole.trace(t, &spoorv1.TraceRequest{Refs: m.GetRefs(), Policy: "haircut"})
	s, err := c.StreamTrace(t.Context(), &spoorv1.StreamTraceRequest{Request: m, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	hops, answers := map[string]bool{}, 0
	for len(hops) < len(want.GetHops()) {
		e, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if h := e.GetHop(); h != nil {
			hops[h.GetKey()] = true
		}
		if e.GetResult() != nil {
			if answers++; answers == 1 && len(hops) >= len(want.GetHops()) {
				t.Fatalf("%d hops in the young chain, %d in the whole one: nothing can be seen to move", len(hops), len(want.GetHops()))
			}
			a.before.Store(nil) // the chain grows
		}
	}
	for _, h := range want.GetHops() {
		if !hops[h.GetKey()] {
			t.Errorf("%s was not told", h.GetKey())
		}
	}
}
