package evm

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
)

// market is a router with pools of wrapped ether against one token, and of that
// against another.
type market struct {
	wrapped, first, second, router common.Address
	pools                          []common.Address // wrapped-first, first-second
}

// openMarket deploys it and fills the pools: 100 ether against 200,000 of the
// first token, 100,000 of the first against 300,000 of the second.
func openMarket(t testing.TB, n *gethtest.Node, mined func()) market {
	t.Helper()
	address, sent := must[common.Address](t), must[*types.Transaction](t)
	m := market{wrapped: address(n.Make(0, "Wrapped", nil))}
	m.first = address(n.Make(0, "Token", nil, "ONE", big.NewInt(1_000_000)))
	m.second = address(n.Make(0, "Token", nil, "TWO", big.NewInt(1_000_000)))
	m.router = address(n.Make(0, "Router", nil, m.wrapped))
	m.pools = []common.Address{address(n.Make(0, "Pool", nil, m.wrapped, m.first)), address(n.Make(0, "Pool", nil, m.first, m.second))}
	mined()
	sent(n.Send(0, &m.wrapped, coins(100), nil))
	sent(n.Call(0, "Wrapped", m.wrapped, nil, "transfer", m.pools[0], coins(100)))
	sent(n.Call(0, "Token", m.first, nil, "transfer", m.pools[0], big.NewInt(200_000)))
	sent(n.Call(0, "Token", m.first, nil, "transfer", m.pools[1], big.NewInt(100_000)))
	sent(n.Call(0, "Token", m.second, nil, "transfer", m.pools[1], big.NewInt(300_000)))
	for _, pool := range m.pools {
		sent(n.Call(0, "Pool", pool, nil, "sync"))
	}
	mined()
	return m
}

// TestSwaps leads ether through two pools, tokens back to ether, and two swaps in
// one multicall, and compares every balance with the node's.
func TestSwaps(t *testing.T) {
	n := start(t, gethtest.Options{})
	b := genesis(n)
	var contracts Contracts
	var last *ledger.Block
	mine := func() {
		h := must[*types.Header](t)(n.Mine())
		last = must[*ledger.Block](t)(newDecoder(t, testChain, contracts).whole("block", ask(t, n, h.Number.Uint64())))
		b.post(t, last)
		b.check(t, n, h.Number.Uint64())
		for _, tx := range last.Txs {
			if tx.Status != ledger.StatusOK {
				t.Errorf("block %d: transaction %d failed", h.Number, tx.Pos.Index())
			}
		}
	}
	contracts.Wrapped = []ledger.Address{wallet(wrappedOf(n))}
	m := openMarket(t, n, mine)
	if m.wrapped != wrappedOf(n) {
		t.Fatalf("wrapped ether is at %s, want %s", m.wrapped, wrappedOf(n))
	}
	sent, who := must[*types.Transaction](t), n.Account(1)
	sent(n.Call(1, "Router", m.router, coins(1), "swapFromEther", m.pools, who))
	mine()
	// 1 ether -> floor(997*200000/(100*1000+997)) = 1,974 -> floor(1974*997*300000/(100000*1000+1974*997)) = 5,790
	got := balanceOf(t, n, m.second, who, last.Ref.Height)
	if x := last.Txs[0].Transfers; got.Int64() != 5790 || len(last.Txs[0].Notices) != 1 || last.Txs[0].Notices[0].Kind != ledger.NoticeWrapped || x[0].Kind != ledger.TransferNative {
		t.Errorf("%s of the second token for 1 ether, want 5790; %s", got, rows(last))
	}
	sent(n.Call(1, "Token", m.second, nil, "approve", m.router, big.NewInt(5790)))
	back := []common.Address{m.pools[1], m.pools[0]}
	sent(n.Call(1, "Router", m.router, nil, "swapToEther", m.second, big.NewInt(2000), back, n.Account(2)))
	one := must[[]byte](t)(gethtest.Pack("Router", "swapTokens", m.second, big.NewInt(1000), back[:1], n.Account(3)))
	two := must[[]byte](t)(gethtest.Pack("Router", "swapTokens", m.second, big.NewInt(1000), back, n.Account(3)))
	sent(n.Call(1, "Router", m.router, nil, "multicall", [][]byte{one, two}))
	mine()
}

func wrappedOf(n *gethtest.Node) common.Address {
	return (&transaction{from: n.Account(0), nonce: 0}).target()
}
