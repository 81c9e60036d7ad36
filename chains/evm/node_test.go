package evm

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
)

func dial(t testing.TB, url string, o NodeOptions) (*Node, error) {
	t.Helper()
	if o.Chain == "" {
		o.Chain = testChain
	}
	o.RPC = rpc.Options{URL: url, Retries: -1}
	return Dial(t.Context(), o)
}

// TestNode reads a chain over HTTP: from a node with traces, from one that has
// receipts only one by one, and from one without traces.
func TestNode(t *testing.T) {
	n := start(t, gethtest.Options{})
	last := uint64(0)
	contracts := play(t, n, func(height uint64) { last = height })
	n.Finalize(must[*types.Header](t)(n.Client.HeaderByNumber(t.Context(), big.NewInt(4))))
	node := must[*Node](t)(dial(t, n.URL, NodeOptions{Contracts: contracts}))
	if !node.Internal() || node.Chain() != testChain || !strings.Contains(node.String(), n.URL) {
		t.Errorf("internal %v, chain %s, %s; want traces, %s, and its address", node.Internal(), node.Chain(), node, testChain)
	}
	head := must[ledger.Head](t)(node.Head(t.Context()))
	if head.Tip.Height != last || head.Final == nil || *head.Final != 4 {
		t.Errorf("head %+v, want height %d, final 4", head, last)
	}
	singly := proxy(t, n, func(c proxied, result json.RawMessage) (any, *rpc.Error) {
		if c.Method == "eth_getBlockReceipts" {
			return nil, &rpc.Error{Code: -32601, Message: "the method eth_getBlockReceipts does not exist"}
		}
		return result, nil
	})
	plain := must[*Node](t)(dial(t, singly, NodeOptions{Contracts: contracts}))
	bare := must[*Node](t)(dial(t, n.URL, NodeOptions{Contracts: contracts, NoTraces: true}))
	d := newDecoder(t, testChain, contracts)
	parent := ledger.Hash{}
	for height := range last + 1 {
		b := must[*ledger.Block](t)(node.Block(t.Context(), height))
		if height > 0 && b.Parent != parent {
			t.Fatalf("block %d: parent %s, want %s", height, b.Parent, parent)
		}
		if parent = must[ledger.Hash](t)(node.Hash(t.Context(), height)); parent != b.Ref.Hash {
			t.Fatalf("block %d: hash %s, want %s", height, parent, b.Ref.Hash)
		}
		want := must[*ledger.Block](t)(d.whole("block", ask(t, n, height)))
		one := must[*ledger.Block](t)(plain.Block(t.Context(), height))
		want.Source, b.Source, one.Source = "", "", ""
		if !reflect.DeepEqual(b, want) || !reflect.DeepEqual(one, want) {
			t.Errorf("block %d differs by the way in which it was asked for", height)
		}
		without := must[*ledger.Block](t)(bare.Block(t.Context(), height))
		if lacks := len(b.Txs) > 1; (without.Partial == ledger.PartialInternal) != lacks {
			t.Errorf("block %d without traces: partial %q", height, without.Partial)
		}
		sameTokens(t, b, without)
	}
	_, err := node.Block(t.Context(), last+1)
	wantFault(t, err, ledger.FaultLagging)
	_, err = node.Hash(t.Context(), last+1)
	wantFault(t, err, ledger.FaultLagging)
}

// sameTokens: tokens and native values do not depend on traces.
func sameTokens(t *testing.T, with, without *ledger.Block) {
	t.Helper()
	pick := func(b *ledger.Block) (all []ledger.Transfer) {
		for _, tx := range b.Txs {
			for _, x := range tx.Transfers {
				if x.Kind != ledger.TransferInternal {
					x.Slot = 0
					all = append(all, x)
				}
			}
		}
		return all
	}
	if a, b := pick(with), pick(without); len(a) != len(b) || len(a) > 0 && !reflect.DeepEqual(sorted(a), sorted(b)) {
		t.Errorf("block %d: tokens with traces\n%v\nwithout\n%v", with.Ref.Height, a, b)
	}
}

func sorted(all []ledger.Transfer) map[ledger.Transfer]int {
	m := map[ledger.Transfer]int{}
	for _, x := range all {
		m[x]++
	}
	return m
}

// TestDialRefuses: another chain than the one asked for, by its id and by its
// genesis, and names that are no EVM network.
func TestDialRefuses(t *testing.T) {
	n := start(t, gethtest.Options{ChainID: 1})
	_, err := dial(t, n.URL, NodeOptions{Chain: testChain})
	wantFault(t, err, ledger.FaultWrongChain)
	_, err = dial(t, n.URL, NodeOptions{Chain: "ethereum"})
	wantFault(t, err, ledger.FaultWrongChain)
	for _, c := range []ledger.Chain{"bitcoin", "tron", "evm-1", "evm-0", "nonsense"} {
		if _, err := dial(t, n.URL, NodeOptions{Chain: c}); err == nil {
			t.Errorf("dialled %q", c)
		}
	}
}

// TestWithoutDebug: a node that has no debug namespace is found out, and its
// blocks say what they lack.
func TestWithoutDebug(t *testing.T) {
	n := start(t, gethtest.Options{WithoutDebug: true})
	to := n.Account(1)
	must[*types.Transaction](t)(n.Send(0, &to, coins(1), nil))
	must[*types.Header](t)(n.Mine())
	node := must[*Node](t)(dial(t, n.URL, NodeOptions{}))
	b := must[*ledger.Block](t)(node.Block(t.Context(), 1))
	if node.Internal() || b.Partial != ledger.PartialInternal || b.Grade != ledger.GradeProven {
		t.Errorf("internal %v, partial %q, grade %s; want none, internal transfers, proven", node.Internal(), b.Partial, b.Grade)
	}
}

// TestForgottenState: a node that cannot trace old blocks any more leaves them
// partial; other failures to trace are failures.
func TestForgottenState(t *testing.T) {
	n := start(t, gethtest.Options{})
	to := n.Account(1)
	must[*types.Transaction](t)(n.Send(0, &to, coins(1), nil))
	must[*types.Header](t)(n.Mine())
	message := ""
	url := proxy(t, n, func(c proxied, result json.RawMessage) (any, *rpc.Error) {
		if c.Method == "debug_traceBlockByHash" && message != "" {
			return nil, &rpc.Error{Code: -32000, Message: message}
		}
		return result, nil
	})
	node := must[*Node](t)(dial(t, url, NodeOptions{}))
	message = "required historical state unavailable (reexec=128)"
	if b := must[*ledger.Block](t)(node.Block(t.Context(), 1)); b.Partial != ledger.PartialInternal {
		t.Errorf("partial %q, want %q", b.Partial, ledger.PartialInternal)
	}
	message = "execution timeout"
	if _, err := node.Block(t.Context(), 1); err == nil {
		t.Error("a block without its traces was taken for whole")
	}
}

// TestHead: what is final may not move back, be replaced, or lie above the head.
func TestHead(t *testing.T) {
	n := start(t, gethtest.Options{})
	var headers []*types.Header
	for range 5 {
		headers = append(headers, must[*types.Header](t)(n.Mine()))
	}
	n.Finalize(headers[2])
	swap := ""
	url := proxy(t, n, func(c proxied, result json.RawMessage) (any, *rpc.Error) {
		if c.Method == "eth_getBlockByNumber" && c.Params[0] == "latest" && swap != "" {
			var other json.RawMessage
			if err := n.RPC.CallContext(t.Context(), &other, c.Method, swap, false); err != nil {
				t.Error(err)
			}
			return other, nil
		}
		return result, nil
	})
	node := must[*Node](t)(dial(t, url, NodeOptions{}))
	if head := must[ledger.Head](t)(node.Head(t.Context())); head.Tip.Height != 5 || *head.Final != 3 {
		t.Errorf("head %d, final %d; want 5 and 3", head.Tip.Height, *head.Final)
	}
	swap = "0x2" // a backend that lags behind
	_, err := node.Head(t.Context())
	wantFault(t, err, ledger.FaultFinality)
	swap = ""
	n.Finalize(headers[1])
	_, err = node.Head(t.Context())
	wantFault(t, err, ledger.FaultFinality)
	n.Finalize(headers[2])
	must[ledger.Head](t)(node.Head(t.Context()))
	if err := n.Fork(headers[0].Hash()); err != nil {
		t.Fatal(err)
	}
	to := n.Account(1)
	must[*types.Transaction](t)(n.Send(0, &to, coins(1), nil))
	for range 5 {
		must[*types.Header](t)(n.Mine())
	}
	n.Finalize(must[*types.Header](t)(n.Client.HeaderByNumber(t.Context(), big.NewInt(3))))
	_, err = node.Head(t.Context())
	wantFault(t, err, ledger.FaultFinality)
}
