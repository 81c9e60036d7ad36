package evm

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
)

// play sends every kind of transaction, block by block, and calls mined after
// each block.
func play(t testing.TB, n *gethtest.Node, mined func(height uint64)) Contracts {
	t.Helper()
	mine := func() {
		t.Helper()
		mined(must[*types.Header](t)(n.Mine()).Number.Uint64())
	}
	address, sent := must[common.Address](t), must[*types.Transaction](t)
	teller := address(n.Make(0, "Teller", coins(10)))
	token := address(n.Make(1, "Token", nil, "USDT", big.NewInt(1_000_000)))
	wrapped := address(n.Make(2, "Wrapped", nil))
	tether := address(n.Make(3, "Tether", nil))
	liar := address(n.Make(4, "Liar", nil))
	mine()

	a, b := common.HexToAddress("0xaa01"), common.HexToAddress("0xbb02")
	sent(n.SendTx(n.Keys[0], &types.LegacyTx{To: &a, Value: coins(1), Gas: 21_000}))
	sent(n.SendTx(n.Keys[1], &types.AccessListTx{To: &b, Value: coins(2), Gas: 30_000, AccessList: types.AccessList{{Address: a}}}))
	sent(n.Call(2, "Teller", teller, coins(3), "split", []common.Address{a, b, a}))
	sent(n.Call(3, "Teller", teller, coins(1), "failing", a))
	sent(n.Call(4, "Teller", teller, coins(1), "revertAll"))
	sent(n.Call(5, "Teller", teller, nil, "send", b, big.NewInt(12345)))
	mine()

	other := address(n.Make(6, "Teller", nil))
	mortal := made(t, n, 7, teller, coins(2))
	mine()
	sent(n.Call(5, "Teller", teller, nil, "delegated", other, b, big.NewInt(777)))
	sent(n.Call(5, "Teller", teller, nil, "kill", mortal, a))
	sent(n.Call(6, "Teller", teller, coins(4), "flash", b))
	sent(n.Send(6, &mortal, big.NewInt(999), nil))
	if err := n.Withdraw(b, 32_000_000_001); err != nil {
		t.Fatal(err)
	}
	mine()

	own := made(t, n, 7, teller, coins(1))
	sent(n.Call(7, "Teller", teller, nil, "kill", own, own)) // its own heir
	sent(n.Call(1, "Token", token, nil, "transfer", n.Account(8), big.NewInt(250_000)))
	sent(n.Call(1, "Token", token, nil, "burn", big.NewInt(1)))
	sent(n.Call(8, "Token", token, nil, "transferFrom", n.Account(1), n.Account(9), big.NewInt(0)))
	sent(n.Send(2, &wrapped, coins(5), nil))
	sent(n.Call(2, "Wrapped", wrapped, nil, "transfer", n.Account(9), coins(1)))
	sent(n.Call(2, "Wrapped", wrapped, nil, "withdraw", big.NewInt(1e17)))
	mine()

	sent(n.Call(3, "Tether", tether, nil, "issue", big.NewInt(500)))
	sent(n.Call(3, "Tether", tether, nil, "transfer", n.Account(9), big.NewInt(200)))
	sent(n.Call(3, "Tether", tether, nil, "redeem", big.NewInt(50)))
	sent(n.Call(3, "Tether", tether, nil, "addBlackList", n.Account(9)))
	sent(n.Call(3, "Tether", tether, nil, "destroyBlackFunds", n.Account(9)))
	sent(n.Call(3, "Tether", tether, nil, "removeBlackList", n.Account(9)))
	lies(t, n, liar)
	mine()
	mine() // an empty block
	return Contracts{Wrapped: []ledger.Address{wallet(wrapped)}, Tether: []ledger.Address{wallet(tether)}}
}

// made sends the making of a contract by a contract, and says where it will be.
func made(t testing.TB, n *gethtest.Node, from int, teller common.Address, value *big.Int) common.Address {
	t.Helper()
	input := must[[]byte](t)(gethtest.Pack("Teller", "make"))
	var out common.Hash
	pending := map[string]any{"from": n.Account(from), "to": teller, "value": (*hexBig)(value), "data": hexBytes(input)}
	if err := n.RPC.CallContext(t.Context(), &out, "eth_call", pending, "latest"); err != nil {
		t.Fatal(err)
	}
	must[*types.Transaction](t)(n.Send(from, &teller, value, input))
	return common.BytesToAddress(out[:])
}

// lies writes logs that look like those of tokens and issuers.
func lies(t testing.TB, n *gethtest.Node, liar common.Address) {
	t.Helper()
	topic, who := newTopics(), common.BytesToHash(n.Account(0).Bytes())
	amount := common.BigToHash(coins(1)).Bytes()
	dirty := who
	dirty[0] = 1
	for _, l := range []struct {
		topics []common.Hash
		data   []byte
	}{
		{[]common.Hash{topic.transfer, who, who, common.BigToHash(big.NewInt(17))}, nil}, // ERC-721
		{[]common.Hash{topic.transfer, who, who}, nil},
		{[]common.Hash{topic.transfer, who, who}, append(amount, 0)},
		{[]common.Hash{topic.transfer, dirty, who}, amount},
		{[]common.Hash{topic.transfer, who}, amount},
		{[]common.Hash{topic.transfer}, append(append(who.Bytes(), who.Bytes()...), amount...)},
		{[]common.Hash{topic.deposit, who}, amount},
		{[]common.Hash{topic.withdrawal, who}, amount},
		{[]common.Hash{topic.blacklist}, who.Bytes()},
		{[]common.Hash{topic.destroy}, append(who.Bytes(), amount...)},
		{[]common.Hash{topic.issue}, amount},
		{[]common.Hash{topic.circleBlacklisted, who}, nil},
		{nil, amount},
	} {
		must[*types.Transaction](t)(n.Call(4, "Liar", liar, nil, "write", l.topics, l.data))
	}
}

// TestBalances compares every balance of every account after every block with
// the node's own, to the unit, on both sides of Cancun.
func TestBalances(t *testing.T) {
	for _, o := range []gethtest.Options{{}, {BeforeCancun: true}} {
		n := start(t, o)
		b, checked, last := genesis(n), 0, uint64(0)
		var later []func(*decoder)
		contracts := play(t, n, func(height uint64) {
			a := ask(t, n, height)
			later = append(later, func(d *decoder) {
				block := must[*ledger.Block](t)(d.whole("block", a))
				b.post(t, block)
				checked += b.check(t, n, height)
				if block.Grade != ledger.GradeProven || block.Partial != "" {
					t.Errorf("block %d: grade %s, partial %q; want proven and whole", height, block.Grade, block.Partial)
				}
				last = height
			})
		})
		d := newDecoder(t, testChain, contracts)
		for _, f := range later {
			f(d)
		}
		if checked < 120 || last != 7 {
			t.Errorf("%d balances compared up to block %d; want at least 120 up to 7", checked, last)
		}
	}
}
