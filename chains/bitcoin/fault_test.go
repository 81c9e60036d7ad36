package bitcoin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/internal/wicked"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// liar stands before a node and, while it is on, changes the results of one
// method, or serves in its place.
type liar struct {
	honest http.Handler
	on     atomic.Bool
	method string
	change func(result any) any
	way    http.HandlerFunc
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.on.Load() && l.way != nil {
		l.way(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var head struct{ Method string }
	if !l.on.Load() || l.change == nil || json.Unmarshal(body, &head) != nil || head.Method != l.method {
		l.honest.ServeHTTP(w, r)
		return
	}
	record := httptest.NewRecorder()
	l.honest.ServeHTTP(record, r)
	var answer map[string]any
	if json.Unmarshal(record.Body.Bytes(), &answer) != nil {
		return
	}
	answer["result"] = l.change(answer["result"])
	_ = json.NewEncoder(w).Encode(answer) // the client will see
}

// hexAt replaces a part of a hex text.
func hexAt(from int, with string) func(any) any {
	return func(v any) any {
		s, ok := v.(string)
		if !ok || len(s) < from+len(with) {
			return v
		}
		return s[:from] + with + s[from+len(with):]
	}
}

func always(v any) func(any) any { return func(any) any { return v } }

// TestWickedNode: whatever a node does, Follow ends in the fault's name, no row
// is written and memory stays bounded; once it behaves again, the index catches
// up and equals one that never met it.
func TestWickedNode(t *testing.T) {
	type bad struct {
		name, method string
		change       func(any) any
		way          http.HandlerFunc
		want         ledger.Fault
		patience     time.Duration
	}
	block := "getblock"
	all := []bad{
		{name: "another version", method: block, change: hexAt(0, "77"), want: ledger.FaultWrongBlock},
		{name: "another parent", method: block, change: hexAt(8, "77"), want: ledger.FaultWrongBlock},
		{name: "another merkle root", method: block, change: hexAt(72, "77"), want: ledger.FaultWrongBlock},
		{name: "another time", method: block, change: hexAt(136, "77"), want: ledger.FaultWrongBlock},
		{name: "another nonce", method: block, change: hexAt(152, "77"), want: ledger.FaultWrongBlock},
		{name: "another transaction", method: block, change: hexAt(200, "7777"), want: ledger.FaultRoot},
		{name: "another output", method: block, change: func(v any) any { s := v.(string); return hexAt(len(s)-40, "77")(v) }, want: ledger.FaultRoot},
		{name: "a byte too many", method: block, change: func(v any) any { return v.(string) + "00" }, want: ledger.FaultMalformed},
		{name: "half a block", method: block, change: func(v any) any { s := v.(string); return s[:len(s)/4*2] }, want: ledger.FaultMalformed},
		{name: "a header alone", method: block, change: func(v any) any { return v.(string)[:160] }, want: ledger.FaultMalformed},
		{name: "2^32 transactions", method: block, change: func(v any) any { s := v.(string); return s[:160] + "feffffffff" + s[162:] }, want: ledger.FaultMalformed},
		{name: "an odd digit", method: block, change: func(v any) any { return v.(string) + "0" }, want: ledger.FaultMalformed},
		{name: "no hex", method: block, change: always("zz"), want: ledger.FaultMalformed},
		{name: "no block", method: block, change: always(nil), want: ledger.FaultMalformed},
		{name: "a number for a block", method: block, change: always(5), want: ledger.FaultMalformed},
		{name: "an object for a block", method: block, change: always(map[string]any{"a": 1}), want: ledger.FaultMalformed},
		{name: "no best block", method: "getbestblockhash", change: always(nil), want: ledger.FaultMalformed},
		{name: "a short hash", method: "getbestblockhash", change: always("ab"), want: ledger.FaultMalformed},
	}
	for _, way := range wicked.Ways() {
		all = append(all, bad{name: way.Name, way: way.Serve, want: way.Fault, patience: way.Patience()})
	}
	fake := newRegtest(t)
	for i := range byte(6) {
		fake.mine(t, coinbase(i))
	}
	for _, test := range all {
		t.Run(test.name, func(t *testing.T) {
			l := &liar{honest: fake, method: test.method, change: test.change, way: test.way}
			s := httptest.NewServer(l)
			t.Cleanup(s.Close)
			n := dial(t, bitcoin.NodeOptions{Chain: regtest, RPC: rpc.Options{URL: s.URL, Retries: -1, MaxBody: 4 << 20, Timeout: test.patience}})
			metWith(t, n, &l.on, test.want)
		})
	}
}

func metWith(t *testing.T, n *bitcoin.Node, on *atomic.Bool, want ledger.Fault) {
	t.Helper()
	held, network := emptyIndex(t)
	third := uint64(3)
	o := store.FollowOptions{To: &third, Poll: time.Millisecond}
	if err := store.Follow(t.Context(), network, []store.Source{n}, o); err != nil {
		t.Fatal(err)
	}
	before := rowsOf(t, held)
	var was, is runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&was)
	on.Store(true)
	o.To = nil
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := store.Follow(ctx, network, []store.Source{n}, o)
	runtime.ReadMemStats(&is)
	if faultOf(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if rowsOf(t, held) != before {
		t.Error("a row was written")
	}
	if grown := int64(is.HeapAlloc) - int64(was.HeapAlloc); grown > 200<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	on.Store(false)
	if err := store.Follow(t.Context(), network, []store.Source{n}, o); err != nil {
		t.Fatalf("once it behaves: %v", err)
	}
	other, fresh := emptyIndex(t)
	if err := store.Follow(t.Context(), fresh, []store.Source{n}, o); err != nil {
		t.Fatal(err)
	}
	if rowsOf(t, held) != rowsOf(t, other) {
		t.Error("the index differs from one that never met it")
	}
}

func emptyIndex(t *testing.T) (*store.Store, *store.Network) {
	t.Helper()
	s, err := store.Open(t.TempDir(), memkv.New(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // memory
	n, err := s.Create(t.Context(), regtest)
	if err != nil {
		t.Fatal(err)
	}
	return s, n
}

func rowsOf(t *testing.T, s *store.Store) string {
	t.Helper()
	snap, err := s.Snapshot(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close() //nolint:errcheck // memory
	var text strings.Builder
	if err := snap.Export(t.Context(), regtest, &text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
