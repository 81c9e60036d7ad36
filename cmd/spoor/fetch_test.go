package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/internal/publicapi"
	"github.com/spoortrace/spoor/internal/simchain"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// serveEsplora serves the bundled Bitcoin blocks as Esplora does, on loopback, and
// writes settings whose only source it is: esplora SETTINGS.
func serveEsplora(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: esplora SETTINGS")
	}
	name := filepath.Join(ts.Getenv("DEMO"), "bitcoin", "blk00000.dat.gz")
	file, err := os.Open(name)
	ts.Check(err)
	ts.Defer(func() { _ = file.Close() })
	text, err := gzip.NewReader(file)
	ts.Check(err)
	raw, err := io.ReadAll(text)
	ts.Check(err)
	blocks, err := publicapi.ReadBlocks(raw, 0)
	ts.Check(err)
	ctx := context.Background()
	files, err := archive.Open(ctx, archive.Options{Chain: "bitcoin", Blocks: []string{name}})
	ts.Check(err)
	s, err := store.Open(ts.MkAbs("served"), memkv.New(), store.Options{})
	ts.Check(err)
	n, err := s.Create(ctx, "bitcoin")
	ts.Check(err)
	ts.Check(n.Append(ctx, files.All(ctx), store.AppendOptions{ReorgBound: new(uint64)}))
	snap, err := n.Snapshot(^uint64(0))
	ts.Check(err)
	server := httptest.NewServer(publicapi.Esplora(snap, blocks, "bitcoin"))
	ts.Defer(func() {
		server.Close()
		_, _ = snap.Close(), s.Close()
	})
	settings := fmt.Sprintf("sources:\n  - {network: bitcoin, api: esplora, name: test, url: %q, rate: 1000}\n", server.URL)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(settings), 0o600))
}

// tallied are the requests that a server got, by path.
type tallied struct {
	http.Handler
	mu    sync.Mutex
	paths map[string]int
}

func (a *tallied) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.paths[r.URL.Path]++
	a.mu.Unlock()
	a.Handler.ServeHTTP(w, r)
}

// since returns what was asked since the last call.
func (a *tallied) since() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.paths
	a.paths = map[string]int{}
	return was
}

// simnet serves a chain of a number of transactions as Esplora does, and returns
// its transactions, coinbases left out.
func simnet(t *testing.T, txs int) (*tallied, *httptest.Server, []ledger.TxID) {
	t.Helper()
	var file bytes.Buffer
	if _, err := simchain.Write(&file, simchain.Options{Txs: txs, PerBlock: 500, Seed: 7}); err != nil {
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
	files, err := archive.Open(t.Context(), archive.Options{Chain: "bitcoin-simnet", Blocks: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.TempDir(), memkv.New(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	n, err := s.Create(t.Context(), "bitcoin-simnet")
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
	a := &tallied{Handler: publicapi.Esplora(snap, blocks, "bitcoin-simnet"), paths: map[string]int{}}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, server, blocks.IDs
}

// TestKilledFetch kills a trace that asks for what it touches again and again,
// wherever it is, and lets the last run end: nothing that was recorded is asked for
// again, and the answer is that of an undisturbed run.
func TestKilledFetch(t *testing.T) {
	if testing.Short() {
		t.Skip("one process after another; the tests without the race detector run it")
	}
	txs, payments, kills := 60_000, 30, 3
	if n, err := strconv.Atoi(os.Getenv("SPOOR_TRIALS")); err == nil && n > 0 {
		txs, payments, kills = 150*max(n, 100), max(n, 100)/10, 10
	}
	requests, server, ids := simnet(t, txs)
	dir := t.TempDir()
	spoor, config := filepath.Join(dir, "spoor"), filepath.Join(dir, "spoor.yaml")
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, spoor)
	}
	if err == nil {
		err = os.WriteFile(config, fmt.Appendf(nil, "sources:\n  - {network: bitcoin-simnet, api: esplora, name: test, url: %q, rate: 100000}\nfetch: {max_requests: 100000}\n", server.URL), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, data string, args ...string) string {
		cmd := exec.CommandContext(ctx, spoor, append([]string{"--config", config, "--data", data, "trace", "--policy", "haircut", "--min-value", "0", "-o", "csv"}, args...)...)
		out, err := cmd.Output()
		if err != nil && ctx.Err() == nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		return string(out)
	}
	var refs []string
	for i := range payments {
		refs = append(refs, "bitcoin-simnet:"+ids[i*7].String()+":0")
	}
	calm, killed := filepath.Join(dir, "calm"), filepath.Join(dir, "killed")
	began := time.Now()
	want := run(t.Context(), calm, append(refs, "--fetch")...)
	took := time.Since(began)
	all := requests.since()
	random := rand.New(rand.NewPCG(11, 12))
	recorded := map[string]bool{}
	check := func() {
		for path := range requests.since() {
			if recorded[path] && !strings.HasPrefix(path, "/blocks") { // whether the cut-off stands is asked each time
				t.Errorf("%s was asked for again", path)
			}
		}
		log, err := fetch.OpenLog(filepath.Join(killed, "fetched", "bitcoin-simnet.answers"))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range log.Records() {
			recorded[r.Request.Path] = true
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var held []int
	for range kills {
		ctx, cancel := context.WithTimeout(t.Context(), took/time.Duration(2*kills)+time.Duration(random.Int64N(int64(took)/int64(kills))))
		run(ctx, killed, append(refs, "--fetch")...) // killed, or done
		cancel()
		check()
		held = append(held, len(recorded))
	}
	t.Logf("%d requests; after each kill %v were recorded", len(all), held)
	if got := run(t.Context(), killed, append(refs, "--fetch")...); got != want {
		t.Error("another answer than of an undisturbed run")
	}
	check()
	for path := range all {
		if !recorded[path] {
			t.Errorf("%s was never recorded", path)
		}
	}
	if got := run(t.Context(), killed, refs...); got != want {
		t.Error("offline, the answer is another")
	}
}
