package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/chains/bitcoin/blockbook"
	"github.com/spoortrace/spoor/chains/bitcoin/esplora"
	"github.com/spoortrace/spoor/chains/service"
	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/internal/publicapi"
	"github.com/spoortrace/spoor/internal/simchain"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/badgerkv"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/tracer"
)

// full is a network whose every block is held, and what serves it.
type full struct {
	network *store.Network
	chain   ledger.Chain
	snap    *store.Snapshot
	raw     *publicapi.Blocks
	ids     []ledger.TxID // of all transactions but coinbases, in order
}

// coins makes a chain of coins with a number of transactions.
func coins(t testing.TB, txs, perBlock int) *full {
	t.Helper()
	var file bytes.Buffer
	if _, err := simchain.Write(&file, simchain.Options{Txs: txs, PerBlock: perBlock, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "blk00000.dat")
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := publicapi.ReadBlocks(file.Bytes(), 1)
	if err != nil {
		t.Fatal(err)
	}
	w := &full{chain: "bitcoin-simnet", raw: raw, ids: raw.IDs}
	files, err := archive.Open(t.Context(), archive.Options{Chain: w.chain, Blocks: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	n := network(t, w.chain)
	if err := n.Append(t.Context(), files.All(t.Context()), store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	w.network, w.snap = n, snapshot(t, n)
	return w
}

func network(t testing.TB, c ledger.Chain) *store.Network {
	t.Helper()
	s, err := store.Open(t.TempDir(), memkv.New(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	n, err := s.Create(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func snapshot(t testing.TB, n *store.Network) *store.Snapshot {
	t.Helper()
	snap, err := n.Snapshot(^uint64(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = snap.Close() })
	return snap
}

// api is a server on loopback that counts, with the adapter of what it serves.
type api struct {
	*httptest.Server
	service  ask.Service
	requests atomic.Int64
}

func (w *full) esplora(t testing.TB, twist func(http.Handler) http.Handler) *api {
	t.Helper()
	service, err := esplora.New(w.chain)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, service, publicapi.Esplora(w.snap, w.raw, w.chain), twist)
}

func (w *full) blockbook(t testing.TB) *api {
	t.Helper()
	service, err := blockbook.New(w.chain)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, service, publicapi.Blockbook(w.snap, w.raw, w.chain), nil)
}

func serve(t testing.TB, service ask.Service, h http.Handler, twist func(http.Handler) http.Handler) *api {
	t.Helper()
	a := &api{service: service}
	if twist != nil {
		h = twist(h)
	}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *api) source(t testing.TB, name string) fetch.Source {
	t.Helper()
	c, err := service.Dial(service.Options{URL: a.URL, Retries: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return fetch.Source{Name: name, Service: a.service, Transport: c, Parallel: 4}
}

// place is a data directory that traces are fetched into.
type place struct {
	t       testing.TB
	dir     string
	store   *store.Store
	fetcher *fetch.Fetcher
}

func open(t testing.TB, dir string, o fetch.Options, sources ...fetch.Source) *place {
	t.Helper()
	s, err := store.Open(dir, badgerkv.New(badgerkv.Small()), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o.Scratch = memkv.New()
	f, err := fetch.Open(dir, s, sources, o)
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t, dir, s, f}
	t.Cleanup(p.close)
	return p
}

func (p *place) close() {
	if p.fetcher != nil {
		if unlike := p.fetcher.Unlike(); len(unlike) > 0 {
			p.t.Errorf("%d facts are others when the log is read again, the first: %s", len(unlike), unlike[0])
		}
		_, _ = p.fetcher.Close(), p.store.Close()
		p.fetcher = nil
	}
}

// request is the question of a test about one payment.
func request(ctx context.Context, idx tracer.Index, ref tracer.Ref, policy string) (tracer.Request, error) {
	seeds, err := tracer.Resolve(ctx, idx, idx.Chains(), ref, nil)
	var many *tracer.AmbiguousError
	if errors.As(err, &many) {
		seeds, err = many.Candidates[:1], nil
	}
	if err != nil {
		return tracer.Request{}, err
	}
	p, err := tracer.PolicyByName(policy)
	return tracer.Request{
		Seeds: seeds, Policy: p, ServicePayees: tracer.DefaultServicePayees, AccountEvents: tracer.DefaultAccountEvents,
		Hops: tracer.DefaultHops, Events: tracer.DefaultEvents,
	}, err
}

// untagged is a snapshot without labels.
type untagged struct{ *store.Snapshot }

func (untagged) Tags(context.Context, ledger.Address) ([]ledger.Tag, error) { return nil, nil }

// trace runs a trace over a snapshot, and closes it.
func trace(ctx context.Context, snap *store.Snapshot, ref tracer.Ref, policy string) (*tracer.Trace, error) {
	defer snap.Close()
	req, err := request(ctx, untagged{snap}, ref, policy)
	if err != nil {
		return nil, err
	}
	return tracer.Run(ctx, untagged{snap}, req, nil)
}

// pursue fetches for a payment and returns the last trace.
func (p *place) pursue(ctx context.Context, ref tracer.Ref, policy string, r fetch.Run) (*tracer.Trace, *fetch.Outcome, error) {
	var last *tracer.Trace
	r.Refs = []tracer.Ref{ref}
	r.Trace = func(ctx context.Context, snap *store.Snapshot) ([]*tracer.Trace, error) {
		if snap == nil {
			var err error
			if snap, err = p.store.Snapshot(ctx, nil); err != nil {
				return nil, err
			}
		}
		t, err := trace(ctx, snap, ref, policy)
		last = t
		return []*tracer.Trace{t}, err
	}
	out, err := p.fetcher.Pursue(ctx, r)
	return last, out, err
}

// whole is the trace of a payment over the whole chain.
func (w *full) whole(t testing.TB, ref tracer.Ref, policy string) *tracer.Trace {
	t.Helper()
	req, err := request(t.Context(), untagged{w.snap}, ref, policy)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tracer.Run(t.Context(), untagged{w.snap}, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// widest is the payment of some whose trace has most hops.
func (w *full) widest(t testing.TB, some []ledger.TxID) tracer.Ref {
	t.Helper()
	var best tracer.Ref
	most := 0
	for _, id := range some {
		ref := tracer.Ref{Text: id.String(), Chain: w.chain, Tx: id}
		if n := len(w.whole(t, ref, "haircut").Hops); n > most {
			best, most = ref, n
		}
	}
	return best
}

// told is what a trace says of the money, place by place, whatever the positions.
func told(t *tracer.Trace) []string {
	var all []string
	for _, h := range t.Hops {
		all = append(all, fmt.Sprintf("hop %s:%d %s > %s %s of %s, depth %d", h.Tx, h.Index, h.From, h.To, h.Dirty, h.Amount, h.Depth))
	}
	for _, e := range t.Terminals {
		holds := "something" // where the trace left, nobody asked what came after
		if e.Rests {
			holds = e.BalanceNow.String()
		}
		all = append(all, fmt.Sprintf("end %s:%d %s %s of %s, holds %s", e.Tx, e.Index, e.Address, e.Reason, e.Dirty, holds))
	}
	for _, s := range t.Sheets {
		all = append(all, fmt.Sprintf("sheet %+v", s.Total))
	}
	slices.Sort(all)
	return all
}

func same(t testing.TB, what string, got, want *tracer.Trace) {
	t.Helper()
	a, b := told(got), told(want)
	if !slices.Equal(a, b) {
		for i := range a {
			if i >= len(b) || a[i] != b[i] {
				t.Fatalf("%s: fetched\n%s\nwant\n%s", what, strings.Join(a[i:min(len(a), i+3)], "\n"), strings.Join(b[min(len(b), i):min(len(b), i+3)], "\n"))
			}
		}
		t.Fatalf("%s: fetched %d lines, want %d", what, len(a), len(b))
	}
}

// trials is how many of so many payments are traced: all of them where
// SPOOR_TRIALS is 1000 or more, else three of ten, and one where time is short.
func trials(n int) int {
	switch all, err := strconv.Atoi(os.Getenv("SPOOR_TRIALS")); {
	case err == nil && all >= 1000:
		return n
	case testing.Short():
		return n / 10
	}
	return n * 3 / 10
}

// draw picks payments at random, the same for the same seed.
func draw(ids []ledger.TxID, n int) []ledger.TxID {
	rng := rand.New(rand.NewPCG(1, 2))
	var some []ledger.TxID
	for range n {
		some = append(some, ids[rng.IntN(len(ids))])
	}
	return some
}
