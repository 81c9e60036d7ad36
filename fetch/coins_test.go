package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/internal/publicapi"
	"github.com/spoortrace/spoor/internal/wicked"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// TestCoinsEqual: traces of random payments over an index that was fetched for
// them equal those over the whole chain.
func TestCoinsEqual(t *testing.T) {
	w := coins(t, 40_000, 500)
	t.Run("esplora", func(t *testing.T) { coinsEqual(t, w, w.esplora(t, nil)) })
	t.Run("blockbook", func(t *testing.T) { coinsEqual(t, w, w.blockbook(t)) })
}

func coinsEqual(t *testing.T, w *full, a *api) {
	t.Helper()
	p := open(t, t.TempDir(), fetch.Options{}, a.source(t, "one"))
	edges, read := 0, int64(0)
	for i, id := range draw(w.ids[:len(w.ids)/4], trials(100)) {
		ref := tracer.Ref{Text: id.String(), Chain: w.chain, Tx: id}
		policy := []string{"dirty-first", "fifo", "haircut"}[i%3]
		got, out, err := p.pursue(t.Context(), ref, policy, fetch.Run{})
		if err != nil {
			t.Fatalf("payment %d %s: %v", i, id, err)
		}
		if len(out.Coins)+len(out.Accounts)+len(out.Disputes) > 0 {
			t.Fatalf("payment %d %s: not all could be had: %+v", i, id, out)
		}
		same(t, ref.Text+" under "+policy, got, w.whole(t, ref, policy))
		edges += len(got.Hops)
		read += out.Bytes
	}
	t.Logf("%d payments, %d edges, %d requests: %d and %d KB per 1,000 edges", trials(100), edges, a.requests.Load(), 1000*a.requests.Load()/int64(edges), read/int64(edges))
}

// TestEveryCoin: several payments at once, each to its last unit, where owners get
// several coins of one transaction and spend only some.
func TestEveryCoin(t *testing.T) {
	w := coins(t, 60_000, 500)
	var refs []tracer.Ref
	for i := range 6 {
		refs = append(refs, tracer.Ref{Text: w.ids[i*11].String(), Chain: w.chain, Tx: w.ids[i*11]})
	}
	all := func(ctx context.Context, idx tracer.Index) (*tracer.Trace, error) {
		var whole tracer.Request
		for _, ref := range refs {
			one, err := request(ctx, idx, ref, "haircut")
			if err != nil {
				return nil, err
			}
			one.Seeds = append(whole.Seeds, one.Seeds...)
			whole = one
		}
		whole.NoFloor = true
		return tracer.Run(ctx, idx, whole, nil)
	}
	want, err := all(t.Context(), untagged{w.snap})
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, t.TempDir(), fetch.Options{}, w.esplora(t, nil).source(t, "one"))
	var got *tracer.Trace
	out, err := p.fetcher.Pursue(t.Context(), fetch.Run{Refs: refs, Trace: func(ctx context.Context, snap *store.Snapshot) (_ []*tracer.Trace, err error) {
		if snap == nil {
			if snap, err = p.store.Snapshot(ctx, nil); err != nil {
				return nil, err
			}
		}
		defer snap.Close()
		got, err = all(ctx, untagged{snap})
		return []*tracer.Trace{got}, err
	}})
	if err != nil || len(out.Coins) > 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	same(t, "six payments", got, want)
	if snap, err := p.store.Snapshot(t.Context(), nil); err != nil {
		t.Error(err)
	} else if got, err = all(t.Context(), untagged{snap}); err != nil {
		t.Error(err)
	}
	same(t, "what is held afterwards", got, want)
}

// TestBeside: runs beside each other in one data directory, some of which go on to
// a newer cut-off while the others ask, all come to the right answer.
func TestBeside(t *testing.T) {
	w := coins(t, 40_000, 500)
	p := open(t, t.TempDir(), fetch.Options{}, w.esplora(t, nil).source(t, "one"))
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for k, id := range draw(w.ids[i*1000:(i+1)*1000], 5) {
				ref := tracer.Ref{Text: id.String(), Chain: w.chain, Tx: id}
				run := fetch.Run{}
				if (i+k)%2 == 0 {
					run.Since = time.Now()
				}
				got, out, err := p.pursue(t.Context(), ref, "haircut", run)
				if err != nil || len(out.Coins) > 0 {
					t.Errorf("run %d: %+v, %v", i, out, err)
					return
				}
				if want := w.whole(t, ref, "haircut"); !slices.Equal(told(got), told(want)) {
					t.Errorf("run %d, %s: %d hops, want %d", i, id, len(got.Hops), len(want.Hops))
				}
			}
		})
	}
	wait.Wait()
}

// TestProven: with proofs, every hop that spends known coins and is buried by five
// blocks is proven, and one with a wrong branch is not.
func TestProven(t *testing.T) {
	w := coins(t, 20_000, 500)
	ref := w.widest(t, draw(w.ids[:2000], 40))
	honest := open(t, t.TempDir(), fetch.Options{}, w.esplora(t, nil).source(t, "honest"))
	got, _, err := honest.pursue(t.Context(), ref, "haircut", fetch.Run{Prove: true})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "with proofs", got, w.whole(t, ref, "haircut"))
	tip, err := w.snap.AsOf(t.Context(), w.chain)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range got.Hops {
		if buried := h.At.Pos.Height()+5 <= tip.Height; (h.Grade == ledger.GradeProven) != buried {
			t.Fatalf("%s at %d of %d is %s", h.Tx, h.At.Pos.Height(), tip.Height, h.Grade)
		}
	}
	liar := open(t, t.TempDir(), fetch.Options{}, w.esplora(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/merkle-proof") {
				r.URL.Path = "/tx/" + strings.Repeat("0", 64) + "/merkle-proof"
			}
			h.ServeHTTP(w, r)
		})
	}).source(t, "liar"))
	if got, _, err = liar.pursue(t.Context(), ref, "haircut", fetch.Run{Prove: true}); err != nil {
		t.Fatal(err)
	}
	same(t, "without proofs", got, w.whole(t, ref, "haircut"))
	for _, h := range got.Hops {
		if h.Grade != ledger.GradeAttested {
			t.Fatalf("%s is %s, and nobody proved it", h.Tx, h.Grade)
		}
	}
}

// TestReorgWhileFetching: the chain changes branch in the middle of a run; the
// answer is that of the branch that stands.
func TestReorgWhileFetching(t *testing.T) {
	before, after := coins(t, 11_700, 500), coins(t, 12_600, 500)
	var turns atomic.Int64
	a := before.esplora(t, nil)
	b := after.esplora(t, nil)
	ref := before.widest(t, draw(before.ids[:3000], 100))
	want := after.whole(t, ref, "haircut")
	for _, turn := range []int64{3, 10, 25} {
		turns.Store(0)
		both := serve(t, a.service, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if turns.Add(1) <= turn {
				a.Config.Handler.ServeHTTP(w, r)
				return
			}
			b.Config.Handler.ServeHTTP(w, r)
		}), nil)
		p := open(t, t.TempDir(), fetch.Options{}, both.source(t, "turns"))
		got, out, err := p.pursue(t.Context(), ref, "haircut", fetch.Run{})
		if err != nil {
			t.Fatalf("turned after %d: %v", turn, err)
		}
		if out.Replaced != 1 {
			t.Errorf("turned after %d: the pin was replaced %d times, want 1", turn, out.Replaced)
		}
		same(t, "after the reorganisation", got, want)
	}
}

// TestStorms: sources that fail in every way at every turn give the right answer,
// or an end that says why; never another sum.
func TestStorms(t *testing.T) {
	w := coins(t, 20_000, 500)
	ref := w.widest(t, draw(w.ids[:2000], 40))
	want := w.whole(t, ref, "haircut")
	for _, way := range wicked.Ways() {
		if way.Slow {
			continue // they cost seconds each, and are those of the transport's own tests
		}
		t.Run(way.Name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			a := w.esplora(t, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if n.Add(1)%4 == 3 {
						way.Serve(w, r)
						return
					}
					h.ServeHTTP(w, r)
				})
			})
			b := w.esplora(t, nil)
			alone := open(t, t.TempDir(), fetch.Options{}, a.source(t, "stormy"))
			got, out, err := alone.pursue(t.Context(), ref, "haircut", fetch.Run{})
			if err == nil {
				sums(t, got, want, out)
			} else if _, named := ledger.FaultOf(err); !named && !errors.Is(err, ledger.ErrNotFound) {
				t.Fatalf("the error has no name: %v", err)
			}
			two := open(t, t.TempDir(), fetch.Options{}, a.source(t, "stormy"), b.source(t, "calm"))
			if got, _, err = two.pursue(t.Context(), ref, "haircut", fetch.Run{}); err != nil {
				t.Fatal(err)
			}
			same(t, "with a second source", got, want)
		})
	}
}

// sums: what is known is where it is, and what is not says why.
func sums(t *testing.T, got, want *tracer.Trace, out *fetch.Outcome) {
	t.Helper()
	ends := map[string]string{}
	for _, line := range told(want) {
		ends[line] = line
	}
	for _, e := range got.Terminals {
		if e.Reason == tracer.NotCovered && out.Coins[ledger.OutPoint{Tx: e.Tx, Index: e.Index}] == "" {
			t.Errorf("%s:%d is not covered, and nothing says why", e.Tx, e.Index)
		}
	}
	for _, line := range told(got) {
		if !strings.HasPrefix(line, "sheet") && !strings.Contains(line, "NOT_COVERED") && ends[line] == "" {
			t.Errorf("not so: %s", line)
		}
	}
	for _, s := range got.Sheets {
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	}
}

// TestSecondSource: when the first one is gone, or does not know the block that
// everything is as of, the next one is asked.
func TestSecondSource(t *testing.T) {
	w := coins(t, 20_000, 500)
	ref := w.widest(t, draw(w.ids[:2000], 40))
	want := w.whole(t, ref, "haircut")
	a, b := w.esplora(t, nil), w.esplora(t, nil)
	dying := serve(t, a.service, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if a.requests.Add(1) > 5 {
			http.Error(rw, "gone", http.StatusInternalServerError)
			return
		}
		a.Config.Handler.ServeHTTP(rw, r)
	}), nil)
	p := open(t, t.TempDir(), fetch.Options{}, dying.source(t, "dying"), b.source(t, "well"))
	got, _, err := p.pursue(t.Context(), ref, "haircut", fetch.Run{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "by the second source", got, want)
}

// TestTwoKinds: sources of different kinds tell the same, question by question.
func TestTwoKinds(t *testing.T) {
	w := coins(t, 20_000, 500)
	ref := w.widest(t, draw(w.ids[:2000], 40))
	a, b := w.esplora(t, nil), w.blockbook(t)
	p := open(t, t.TempDir(), fetch.Options{Compare: 100}, a.source(t, "one"), b.source(t, "other"))
	got, out, err := p.pursue(t.Context(), ref, "haircut", fetch.Run{})
	if err != nil || len(out.Disputes) > 0 {
		t.Fatalf("%q, %v", out.Disputes, err)
	}
	same(t, "by both", got, w.whole(t, ref, "haircut"))
	txs := map[ledger.TxID]bool{}
	for _, h := range got.Hops {
		txs[h.Tx] = true
	}
	if n := b.requests.Load(); n < 2*int64(len(txs))-1 { // what it is, and who spends it
		t.Errorf("the other one was asked %d times of %d transactions", n, len(txs))
	}
}

// TestDispute: two sources that disagree end the money where they do, with both
// answers; neither is believed.
func TestDispute(t *testing.T) {
	w := coins(t, 20_000, 500)
	ref := w.widest(t, draw(w.ids[:2000], 40))
	liar := w.esplora(t, func(h http.Handler) http.Handler { // it hides every spend
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			text := rec.Body.String()
			if strings.HasSuffix(r.URL.Path, "/outspends") {
				text = "[" + strings.TrimSuffix(strings.Repeat(`{"spent":false},`, strings.Count(text, `"spent"`)), ",") + "]"
			}
			_, _ = io.WriteString(w, text)
		})
	})
	p := open(t, t.TempDir(), fetch.Options{Compare: 100}, w.esplora(t, nil).source(t, "honest"), liar.source(t, "liar"))
	got, out, err := p.pursue(t.Context(), ref, "haircut", fetch.Run{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Hops) != 1 || got.Terminals[0].Reason != tracer.NotCovered || len(out.Disputes) != 1 {
		t.Fatalf("%d hops, %s, disputes %q", len(got.Hops), got.Terminals[0].Reason, out.Disputes)
	}
	why := out.Coins[ledger.OutPoint{Tx: got.Terminals[0].Tx, Index: got.Terminals[0].Index}]
	for _, want := range []string{"sources disagree", "honest", "liar", "is spent true by"} {
		if !strings.Contains(why, want) {
			t.Errorf("%q does not say %q", why, want)
		}
	}
	p.close()
	p = open(t, p.dir, fetch.Options{Compare: -1}, w.esplora(t, nil).source(t, "honest"))
	if _, out, err = p.pursue(t.Context(), ref, "haircut", fetch.Run{}); err != nil || len(out.Disputes) != 1 {
		t.Errorf("after opening again: %q, %v", out.Disputes, err)
	}
}

// TestResumed: a run that is cut off goes on where it was, and asks for nothing
// that it has; a frame that was cut off in the log is dropped, damage before it is
// named.
func TestResumed(t *testing.T) {
	w := coins(t, 40_000, 500)
	ref := w.widest(t, draw(w.ids[:2000], 100))
	want := w.whole(t, ref, "haircut")
	a := w.esplora(t, nil)
	asked := map[string]int{}
	var mu sync.Mutex
	counted := serve(t, a.service, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		mu.Unlock()
		a.Config.Handler.ServeHTTP(w, r)
	}), nil)
	dir := t.TempDir()
	for cut := int64(7); ; cut += 7 {
		p := open(t, dir, fetch.Options{}, counted.source(t, "one"))
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(time.Hour, cancel)
		before := counted.requests.Load()
		got, _, err := p.pursue(ctx, ref, "haircut", fetch.Run{Progress: func(fetch.Progress) {
			if counted.requests.Load()-before >= cut {
				cancel()
			}
		}})
		stop.Stop()
		cancel()
		p.close()
		if err == nil {
			same(t, "resumed", got, want)
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		tear(t, dir, string(w.chain))
	}
	for path, n := range asked {
		if n > 2 || n > 1 && !strings.HasPrefix(path, "/blocks") { // one answer was torn off each time
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
}

// tear cuts into the log's last frame.
func tear(t *testing.T, dir, chain string) {
	t.Helper()
	name := filepath.Join(dir, "fetched", chain+".answers")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("\x00\x00\x01"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// grows is a chain of coins that is served as it was at a height.
type grows struct {
	*full
	network *store.Network
	height  atomic.Uint64
	stages  sync.Map // height: *full
}

// at is the chain as it was at a height.
func (g *grows) at(t testing.TB, height uint64) *full {
	t.Helper()
	if w, ok := g.stages.Load(height); ok {
		return w.(*full)
	}
	snap, err := g.network.Snapshot(height)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = snap.Close() })
	w := &full{network: g.network, chain: g.chain, snap: snap, raw: g.raw, ids: g.ids}
	g.stages.Store(height, w)
	return w
}

func growing(t testing.TB, txs int) (*grows, *api) {
	t.Helper()
	g := &grows{full: coins(t, txs, 500)}
	g.network = g.full.network
	a := g.esplora(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			now := g.at(t, g.height.Load())
			publicapi.Esplora(now.snap, now.raw, now.chain).ServeHTTP(w, r)
		})
	})
	return g, a
}

// TestGrows: a payment that is followed while the chain grows has at every height
// the answer of that height, and what stays true is not asked for again.
func TestGrows(t *testing.T) {
	g, a := growing(t, 20_000)
	tip, err := g.snap.AsOf(t.Context(), g.chain)
	if err != nil {
		t.Fatal(err)
	}
	var all [2]int64
	ref := g.widest(t, draw(g.ids[:2000], 40))
	p := open(t, t.TempDir(), fetch.Options{Compare: -1}, a.source(t, "one"))
	for height := tip.Height - 24; height <= tip.Height; height += 4 {
		g.height.Store(height)
		for i, at := range []*place{p, open(t, t.TempDir(), fetch.Options{Compare: -1}, a.source(t, "one"))} {
			before := a.requests.Load()
			got, _, err := at.pursue(t.Context(), ref, "haircut", fetch.Run{Since: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			same(t, fmt.Sprintf("at %d", height), got, g.at(t, height).whole(t, ref, "haircut"))
			all[i] += a.requests.Load() - before
		}
	}
	if all[0] > all[1]*2/3 {
		t.Errorf("%d requests, %d without what was known", all[0], all[1])
	}
	t.Logf("%d requests, %d without what was known", all[0], all[1])
}

// TestLook: what an owner of coins holds is found by his address alone, while the
// chain grows, and a list that leaves something out is no answer.
func TestLook(t *testing.T) {
	g, a := growing(t, 20_000)
	tip, err := g.snap.AsOf(t.Context(), g.chain)
	if err != nil {
		t.Fatal(err)
	}
	var owners []ledger.Holder
	for _, id := range draw(g.ids, 12) {
		txs, err := g.snap.FindTx(t.Context(), g.chain, id)
		if err != nil {
			t.Fatal(err)
		}
		owners = append(owners, ledger.Holder{Address: txs[0].Outputs[0].Address, Asset: ledger.NativeAsset(g.chain)})
	}
	p := open(t, t.TempDir(), fetch.Options{Compare: -1}, a.source(t, "one"))
	for height := tip.Height - 16; height <= tip.Height; height += 4 {
		g.height.Store(height)
		out, err := p.fetcher.Look(t.Context(), owners, time.Now(), fetch.Budget{})
		if err != nil || len(out.Accounts) > 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		snap, err := p.store.Snapshot(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range owners {
			got, err := snap.Balance(t.Context(), h, ledger.Point{Pos: ^ledger.Position(0)})
			if err != nil {
				t.Fatal(err)
			}
			want, err := g.at(t, height).snap.Balance(t.Context(), h, ledger.Point{Pos: ^ledger.Position(0)})
			if err != nil || got.Amount != want.Amount {
				t.Errorf("%s at %d holds %v, want %v, %v", h.Address, height, got, want, err)
			}
		}
		_ = snap.Close()
	}
	gone := g.esplora(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/txs/chain") {
				_, _ = io.WriteString(w, "[]")
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	liar := open(t, t.TempDir(), fetch.Options{}, gone.source(t, "forgetful"))
	out, err := liar.fetcher.Look(t.Context(), owners[:1], time.Time{}, fetch.Budget{})
	if err != nil || !strings.Contains(out.Accounts[owners[0]], "were counted") {
		t.Errorf("%+v, %v", out, err)
	}
}
