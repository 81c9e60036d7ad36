package evm

import (
	"context"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
)

const testChain = ledger.Chain("evm-1337")

// start runs a real node until the end of the test.
func start(t testing.TB, o gethtest.Options) *gethtest.Node {
	t.Helper()
	n, err := gethtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wallet(a common.Address) ledger.Address { return ledger.AccountAddress(testChain, a) }

func coins(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(1e18)) }

func newDecoder(t testing.TB, c ledger.Chain, more Contracts) *decoder {
	t.Helper()
	p, ok := c.Params()
	if !ok {
		t.Fatalf("no chain %q", c)
	}
	return &decoder{rules: rulesOf(p).with(more), topics: newTopics(), source: "test"}
}

// ask gathers a node's answers without the code under test.
func ask(t testing.TB, n *gethtest.Node, height uint64) *answers {
	t.Helper()
	var a answers
	call := func(result any, method string, args ...any) {
		if err := n.RPC.CallContext(context.Background(), result, method, args...); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
	}
	call(&a.block, "eth_getBlockByNumber", hexutil.EncodeUint64(height), true)
	var b struct{ Hash common.Hash }
	if err := json.Unmarshal(a.block, &b); err != nil {
		t.Fatal(err)
	}
	call(&a.receipts, "eth_getBlockReceipts", b.Hash)
	if height > 0 {
		call(&a.calls, "debug_traceBlockByHash", b.Hash, map[string]any{"tracer": "callTracer", "tracerConfig": map[string]any{"withLog": true}})
	}
	return &a
}

func (d *decoder) whole(subject string, a *answers) (*ledger.Block, error) {
	b := *a
	if err := b.split(subject); err != nil {
		return nil, err
	}
	h, err := decodeHeader(subject, b.rest, !d.rules.exact)
	if err != nil {
		return nil, err
	}
	return d.decode(subject, h, &b)
}

// books are the balances that the transfers of blocks make.
type books map[ledger.Holder]*big.Int

func (b books) add(h ledger.Holder, value ledger.Amount, sign int64) {
	if b[h] == nil {
		b[h] = new(big.Int)
	}
	v := new(big.Int).SetBytes(value.Bytes())
	b[h].Add(b[h], v.Mul(v, big.NewInt(sign)))
}

// post books a block. Nobody may be overdrawn by a transfer that took effect,
// at its place in the order.
func (b books) post(t testing.TB, block *ledger.Block) {
	t.Helper()
	for _, tx := range block.Txs {
		for _, x := range tx.Transfers {
			if x.Status == ledger.StatusFailed || x.Amount.IsZero() {
				continue
			}
			if !x.From.IsZero() {
				h := ledger.Holder{Address: x.From, Asset: x.Asset}
				b.add(h, x.Amount, -1)
				if b[h].Sign() < 0 {
					t.Errorf("block %d, transaction %s, slot %d: %s of %s is overdrawn by %s", block.Ref.Height, tx.ID, x.Slot, x.From, x.Asset, b[h])
				}
			}
			if !x.To.IsZero() {
				b.add(ledger.Holder{Address: x.To, Asset: x.Asset}, x.Amount, 1)
			}
		}
	}
}

// check compares every balance with the node's own.
func (b books) check(t testing.TB, n *gethtest.Node, height uint64) (checked int) {
	t.Helper()
	holders := slices.SortedFunc(maps.Keys(b), ledger.Holder.Compare)
	for _, h := range holders {
		who := accountOf(h.Address)
		var want *big.Int
		if h.Asset.Native() {
			want = must[*big.Int](t)(n.Client.BalanceAt(t.Context(), who, new(big.Int).SetUint64(height)))
		} else {
			want = balanceOf(t, n, accountOf(h.Asset.Contract), who, height)
		}
		if b[h].Cmp(want) != 0 {
			t.Errorf("block %d: %s of %s: the index has %s, the node %s (difference %s)", height, h.Address, h.Asset, b[h], want, new(big.Int).Sub(b[h], want))
		}
		checked++
	}
	return checked
}

func balanceOf(t testing.TB, n *gethtest.Node, token, who common.Address, height uint64) *big.Int {
	t.Helper()
	input := must[[]byte](t)(gethtest.Pack("Token", "balanceOf", who))
	var out hexutil.Bytes
	err := n.RPC.CallContext(t.Context(), &out, "eth_call", map[string]any{"to": token, "data": hexutil.Bytes(input)}, hexutil.EncodeUint64(height))
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(out)
}

// genesis books what the genesis block gave to the node's accounts.
func genesis(n *gethtest.Node) books {
	b := books{}
	for i := range n.Keys {
		b[ledger.Holder{Address: wallet(n.Account(i)), Asset: ledger.NativeAsset(testChain)}] = coins(1000)
	}
	return b
}

type (
	hexBig   = hexutil.Big
	hexBytes = hexutil.Bytes
)

func wantFault(t testing.TB, err error, want ledger.Fault) {
	t.Helper()
	if got, _ := ledger.FaultOf(err); got != want {
		t.Errorf("got %v, want the fault %s", err, want)
	}
}
