package evm

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/internal/wicked"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// bad is a way in which a node misbehaves: it changes what an honest one
// answers, or what becomes of the answer on its way.
type bad struct {
	name   string
	method string // of the calls whose results are changed; empty: the way is
	change func(v any) any
	way    http.HandlerFunc
	want   ledger.Fault
	// patience is how long an answer is waited for; 0: the client's own.
	patience time.Duration
}

// at changes one value inside an answer: "logs.0.data" of each item of a list.
func at(path string, change func(v any) any) func(v any) any {
	return func(v any) any {
		if list, ok := v.([]any); ok {
			for i := range list {
				list[i] = at(path, change)(list[i])
			}
			return list
		}
		key, rest, deeper := strings.Cut(path, ".")
		object, ok := v.(map[string]any)
		if !ok {
			return v
		}
		if _, held := object[key]; !held {
			return v
		}
		if deeper {
			object[key] = at(rest, change)(object[key])
		} else {
			object[key] = change(object[key])
		}
		return object
	}
}

func become(v any) func(any) any { return func(any) any { return v } }

// flip changes the last digit of a hex text.
func flip(v any) any {
	s, ok := v.(string)
	if !ok || s == "" {
		return v
	}
	last := "0"
	if s[len(s)-1] == '0' {
		last = "1"
	}
	return s[:len(s)-1] + last
}

func dropFirst(v any) any {
	if list, ok := v.([]any); ok && len(list) > 0 {
		return list[1:]
	}
	return v
}

func twice(v any) any {
	if list, ok := v.([]any); ok && len(list) > 0 {
		return append(list, list[0])
	}
	return v
}

func swapFirst(v any) any {
	if list, ok := v.([]any); ok && len(list) > 1 {
		list[0], list[1] = list[1], list[0]
	}
	return v
}

const (
	block    = "eth_getBlockByNumber"
	receipts = "eth_getBlockReceipts"
	traces   = "debug_traceBlockByHash"
)

func wickedNodes() []bad {
	huge := "0x1" + strings.Repeat("0", 70)
	all := []bad{
		{name: "another parent", method: block, change: at("parentHash", flip), want: ledger.FaultHeader},
		{name: "another state root", method: block, change: at("stateRoot", flip), want: ledger.FaultHeader},
		{name: "another time", method: block, change: at("timestamp", flip), want: ledger.FaultHeader},
		{name: "another height", method: block, change: at("number", become("0x77")), want: ledger.FaultHeader},
		{name: "another hash", method: block, change: at("hash", flip), want: ledger.FaultHeader},
		{name: "bloom emptied", method: block, change: at("logsBloom", become("0x"+strings.Repeat("0", 512))), want: ledger.FaultHeader},
		{name: "a transaction lost", method: block, change: at("transactions", dropFirst), want: ledger.FaultRoot},
		{name: "a transaction twice", method: block, change: at("transactions", twice), want: ledger.FaultRoot},
		{name: "transactions in another order", method: block, change: at("transactions", swapFirst), want: ledger.FaultRoot},
		{name: "no transactions", method: block, change: at("transactions", become([]any{})), want: ledger.FaultMissing},
		{name: "another value", method: block, change: at("transactions.value", become("0x5")), want: ledger.FaultRoot},
		{name: "a value above 2^256", method: block, change: at("transactions.value", become(huge)), want: ledger.FaultMalformed},
		{name: "a negative value", method: block, change: at("transactions.value", become("-0x5")), want: ledger.FaultMalformed},
		{name: "another sender", method: block, change: at("transactions.from", flip), want: ledger.FaultContents},
		{name: "the block is null", method: block, change: become(nil), want: ledger.FaultLagging},
		{name: "the block is a number", method: block, change: become(5), want: ledger.FaultMalformed},
		{name: "the block is a list", method: block, change: become([]any{}), want: ledger.FaultMalformed},
		{name: "no receipts", method: receipts, change: become([]any{}), want: ledger.FaultMissing},
		{name: "receipts are null", method: receipts, change: become(nil), want: ledger.FaultLagging},
		{name: "a receipt lost", method: receipts, change: dropFirst, want: ledger.FaultMissing},
		{name: "a receipt too many", method: receipts, change: twice, want: ledger.FaultContents},
		{name: "a log lost", method: receipts, change: at("logs", dropFirst), want: ledger.FaultBloom},
		{name: "a log twice", method: receipts, change: at("logs", twice), want: ledger.FaultRoot},
		{name: "another amount in a log", method: receipts, change: at("logs.data", flip), want: ledger.FaultRoot},
		{name: "a log of another contract", method: receipts, change: at("logs.address", flip), want: ledger.FaultBloom},
		{name: "a success that failed", method: receipts, change: at("status", become("0x0")), want: ledger.FaultRoot},
		{name: "another gas", method: receipts, change: at("cumulativeGasUsed", flip), want: ledger.FaultRoot},
		{name: "traces lost", method: traces, change: dropFirst, want: ledger.FaultContents},
		{name: "no traces", method: traces, change: become([]any{}), want: ledger.FaultContents},
		{name: "a call that failed", method: traces, change: at("result", failed), want: ledger.FaultContents},
		{name: "another value in a trace", method: traces, change: at("result.value", become("0x99")), want: ledger.FaultContents},
	}
	for _, way := range wicked.Ways() {
		all = append(all, bad{name: way.Name, way: way.Serve, want: way.Fault, patience: way.Patience()})
	}
	return all
}

// failed makes a call of a trace one that failed.
func failed(v any) any {
	if object, ok := v.(map[string]any); ok {
		object["error"] = "execution reverted"
	}
	return v
}

// TestWickedNode: whatever a node does, Follow ends in the fault's name, no row
// is written and memory stays bounded; once it behaves again, the index catches
// up and equals one that never met it.
func TestWickedNode(t *testing.T) {
	n := start(t, gethtest.Options{})
	sent := must[*types.Transaction](t)
	token := must[common.Address](t)(n.Make(0, "Token", nil, "USDT", big.NewInt(1_000_000)))
	must[*types.Header](t)(n.Mine())
	for range 3 {
		sent(n.Call(0, "Token", token, nil, "transfer", n.Account(1), big.NewInt(500)))
		a := n.Account(2)
		sent(n.Send(1, &a, big.NewInt(7), nil))
		must[*types.Header](t)(n.Mine())
	}
	for _, test := range wickedNodes() {
		t.Run(test.name, func(t *testing.T) {
			var on atomic.Bool
			inner := must[*url.URL](t)(url.Parse(proxy(t, n, func(c proxied, result json.RawMessage) (any, *rpc.Error) {
				if !on.Load() || c.Method != test.method || test.change == nil || c.Method == block && len(c.Params) > 0 && !isHeight(c.Params) {
					return result, nil
				}
				var v any
				if err := json.Unmarshal(result, &v); err != nil {
					return result, nil //nolint:nilerr // what is no JSON goes on as it came
				}
				return test.change(v), nil
			})))
			honest := httputil.NewSingleHostReverseProxy(inner)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if on.Load() && test.way != nil {
					test.way(w, r)
					return
				}
				honest.ServeHTTP(w, r)
			}))
			t.Cleanup(s.Close)
			node, err := Dial(t.Context(), NodeOptions{Chain: testChain, RPC: rpc.Options{URL: s.URL, Retries: -1, MaxBody: 4 << 20, Timeout: test.patience}})
			if err != nil {
				t.Fatal(err)
			}
			metWith(t, n, node, &on, test.want)
		})
	}
}

// isHeight tells a block asked for by its height from one by a tag: heads and
// probes are not changed.
func isHeight(params []any) bool {
	s, ok := params[0].(string)
	return ok && strings.HasPrefix(s, "0x") && len(params) > 1 && params[1] == true
}

func metWith(t *testing.T, n *gethtest.Node, node *Node, on *atomic.Bool, want ledger.Fault) {
	t.Helper()
	st, network := index(t)
	second := uint64(2)
	quick := store.FollowOptions{To: &second, Poll: time.Millisecond}
	if err := store.Follow(t.Context(), network, []store.Source{node}, quick); err != nil {
		t.Fatal(err)
	}
	l := &live{t: t, store: st}
	before := l.export()
	var was, is runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&was)
	on.Store(true)
	quick.To = nil
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err := store.Follow(ctx, network, []store.Source{node}, quick)
	runtime.ReadMemStats(&is)
	if fault, _ := ledger.FaultOf(err); fault != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if after := l.export(); after != before {
		t.Error("a row was written")
	}
	if grown := int64(is.HeapAlloc) - int64(was.HeapAlloc); grown > 200<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	on.Store(false)
	if err := store.Follow(t.Context(), network, []store.Source{node}, quick); err != nil {
		t.Fatal(fmt.Errorf("once it behaves: %w", err))
	}
	other, fresh := index(t)
	if err := store.Follow(t.Context(), fresh, []store.Source{must[*Node](t)(dial(t, n.URL, NodeOptions{}))}, quick); err != nil {
		t.Fatal(err)
	}
	if l.export() != (&live{t: t, store: other}).export() {
		t.Error("the index differs from one that never met it")
	}
}
