package evm

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

const otherChain ledger.Chain = "evm-1338"

// gateRegistry is what an operator would write of a bridge of his own.
const gateRegistry = `
protocols:
  - name: gate
    about: a bridge of two local networks
    eip155: true
    contracts:
      - {network: evm-1337, role: gate, address: "%s"}
      - {network: evm-1338, role: gate, address: "%s"}
    events:
      - {event: "Left(bytes32 id, address sender, address receiver, address token, uint256 amount, uint64 toChain)", role: gate, direction: out,
         id: [id], account: sender, peer: receiver, asset: token, amount: amount, network: toChain}
      - {event: "Arrived(bytes32 id, address receiver, address token, uint256 amount, uint64 fromChain)", role: gate, direction: in,
         id: [id], account: receiver, asset: token, amount: amount, network: fromChain}
`

// straits are two networks, a token and a bridge on each, and on each a
// contract of the same code that no registry knows.
type straits struct {
	*lands
	token, gate, fake map[ledger.Chain]common.Address
}

func openStraits(t *testing.T) *straits {
	t.Helper()
	s := &straits{lands: newLands(t), token: map[ledger.Chain]common.Address{}, gate: map[ledger.Chain]common.Address{}, fake: map[ledger.Chain]common.Address{}}
	nodes := map[ledger.Chain]*gethtest.Node{testChain: start(t, gethtest.Options{}), otherChain: start(t, gethtest.Options{ChainID: 1338})}
	at := must[common.Address](t)
	for c, n := range nodes {
		s.token[c] = at(n.Make(0, "Token", nil, "USD", big.NewInt(1_000_000)))
		s.gate[c], s.fake[c] = at(n.Make(0, "Gate", nil)), at(n.Make(0, "Gate", nil))
		s.floors[assetOf(c, s.token[c])] = ledger.Amount{}
	}
	b, err := NewBridges(BundledBridges(), fmt.Appendf(nil, gateRegistry, s.gate[testChain], s.gate[otherChain]))
	if err != nil {
		t.Fatal(err)
	}
	for c, n := range nodes {
		s.add(n, NodeOptions{Chain: c, Notices: b.Notices})
		s.mine(c)
		for _, gate := range []common.Address{s.gate[c], s.fake[c]} {
			s.call(c, 0, "transfer", gate, big.NewInt(100_000))
			s.call(c, 1, "approve", gate, big.NewInt(100_000))
		}
		s.mine(c)
	}
	return s
}

// call calls the token of a network.
func (s *straits) call(c ledger.Chain, from int, method string, who common.Address, amount *big.Int) *types.Transaction {
	s.t.Helper()
	return must[*types.Transaction](s.t)(s.geth[c].Call(from, "Token", s.token[c], nil, method, who, amount))
}

// deposit gives the thief's money to a contract on one network; it returns the id that the contract wrote.
func (s *straits) deposit(gate common.Address, amount int64) [32]byte {
	s.t.Helper()
	n := s.geth[testChain]
	tx := must[*types.Transaction](s.t)(n.Call(1, "Gate", gate, nil, "deposit", s.token[testChain], big.NewInt(amount), uint64(1338), n.Account(2)))
	s.mine(testChain)
	r := must[*types.Receipt](s.t)(n.Client.TransactionReceipt(s.t.Context(), tx.Hash()))
	return [32]byte(r.Logs[1].Data[:32])
}

// payOut pays on the other network, some minutes later.
func (s *straits) payOut(gate common.Address, id [32]byte, amount int64) {
	s.t.Helper()
	n := s.geth[otherChain]
	must[*types.Transaction](s.t)(n.Call(0, "Gate", gate, nil, "payOut", id, s.token[otherChain], big.NewInt(amount), uint64(1337), n.Account(2)))
	s.mine(otherChain)
}

// TestLiveBridge takes a victim's payment, mixed with clean money, from one real
// node over a bridge to another, and on from there, as the blocks arrive.
func TestLiveBridge(t *testing.T) {
	s := openStraits(t)
	here, there := s.geth[testChain], s.geth[otherChain]
	thief, heir, last := here.Account(1), there.Account(2), there.Account(3)
	s.call(testChain, 0, "transfer", thief, big.NewInt(3000))
	s.mine(testChain)
	paid := s.call(testChain, 0, "transfer", thief, big.NewInt(7000))
	s.mine(testChain)
	states := map[string]*tracer.Replay{}
	look := func(fits bool, check func(policy string, tr *tracer.Trace)) {
		t.Helper()
		for _, policy := range []string{"fifo", "haircut"} {
			check(policy, s.extended(states, paid, policy, fits))
		}
	}
	rests := func(tr *tracer.Trace, c ledger.Chain, who common.Address, reason tracer.Reason, want int64) {
		t.Helper()
		if got := s.rests(tr, c, s.token[c], who, reason); got != fmt.Sprint(want) {
			t.Errorf("%s: %s %s at %s of %s, want %d\n%+v", tr.Policy, got, reason, who, c, want, tr.Terminals)
		}
	}
	look(true, func(_ string, tr *tracer.Trace) { rests(tr, testChain, thief, tracer.Unspent, 7000) })

	id := s.deposit(s.gate[testChain], 10_000)
	if err := there.Later(5 * time.Minute); err != nil {
		t.Fatal(err)
	}
	look(true, func(_ string, tr *tracer.Trace) {
		rests(tr, testChain, s.gate[testChain], tracer.BridgeUnmatched, 7000)
	})

	s.payOut(s.fake[otherChain], id, 9_990) // another's contract writes the same
	look(true, func(_ string, tr *tracer.Trace) {
		rests(tr, testChain, s.gate[testChain], tracer.BridgeUnmatched, 7000)
		rests(tr, otherChain, heir, tracer.Unspent, 0)
	})

	s.payOut(s.gate[otherChain], id, 9_901)
	const share = 9901 * 7000 / 10_000 // the floor
	look(false, func(_ string, tr *tracer.Trace) {
		rests(tr, testChain, s.gate[testChain], tracer.BridgeUnmatched, 0)
		rests(tr, otherChain, heir, tracer.Unspent, share)
		s.crossed(tr, id)
	})

	s.call(otherChain, 2, "transfer", last, big.NewInt(15_000)) // of 9,990 and 9,901, in which what is traced came last
	s.mine(otherChain)
	moved := map[string]int64{"fifo": 15_000 - (9990 + 9901 - share), "haircut": share * 15_000 / (9990 + 9901)}
	look(true, func(policy string, tr *tracer.Trace) {
		rests(tr, otherChain, last, tracer.Unspent, moved[policy])
		rests(tr, otherChain, heir, tracer.Unspent, share-moved[policy])
		s.crossed(tr, id)
	})
}

// extended brings a state up to what is held, as one who follows blocks does:
// on, if it fits, and else anew. Either gives what starting again gives.
func (s *straits) extended(states map[string]*tracer.Replay, paid *types.Transaction, policy string, fits bool) *tracer.Trace {
	t, idx := s.t, s.snapshot()
	t.Helper()
	req := s.ask(idx, testChain, paid, "0", policy)
	if states[policy] == nil {
		states[policy] = must[*tracer.Replay](t)(tracer.NewReplay(req))
	}
	state := states[policy].Clone()
	if got := must[bool](t)(state.Fits(t.Context(), idx)); got != fits {
		t.Errorf("%s: fits %t, want %t", policy, got, fits)
		state = must[*tracer.Replay](t)(tracer.NewReplay(req))
	} else if !got {
		state = must[*tracer.Replay](t)(tracer.NewReplay(req))
	}
	if err := state.Advance(t.Context(), idx); err != nil {
		t.Fatal(err)
	}
	states[policy] = state
	got, want := must[*tracer.Trace](t)(state.Result(t.Context(), idx)), s.run(idx, req)
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s, extended:\n%s\nstarted again:\n%s", policy, g, w)
	}
	return got
}

// crossed wants one crossing, by the bridge's own id.
func (s *straits) crossed(tr *tracer.Trace, id [32]byte) {
	s.t.Helper()
	all := crossingsOf(tr)
	if len(all) != 1 {
		s.t.Fatalf("%s: crosses %v, want once", tr.Policy, all)
	}
	want := fmt.Sprintf("BRIDGE T0 gate gate:%x 10000 7000 9901 6930 evm-1338", id)
	if c := all[0]; fmt.Sprint(c.Kind, " ", c.Tier, " ", c.Rule, " ", c.ID, " ", c.AmountIn, " ", c.DirtyIn, " ", c.AmountOut, " ", c.DirtyOut, " ", c.Chain) != want {
		s.t.Errorf("%s: %v, want %s", tr.Policy, c, want)
	}
}

// TestLiveSpoof gives the money to a contract that writes a bridge's events and
// is none: it stays there, whatever is paid elsewhere under the same id.
func TestLiveSpoof(t *testing.T) {
	s := openStraits(t)
	paid := s.call(testChain, 0, "transfer", s.geth[testChain].Account(1), big.NewInt(10_000))
	s.mine(testChain)
	id := s.deposit(s.fake[testChain], 10_000)
	if err := s.geth[otherChain].Later(5 * time.Minute); err != nil {
		t.Fatal(err)
	}
	s.payOut(s.gate[otherChain], id, 9_900)
	s.payOut(s.fake[otherChain], id, 9_950)
	idx := s.snapshot()
	for _, policy := range []string{"fifo", "haircut"} {
		req := s.ask(idx, testChain, paid, "0", policy)
		req.Heuristics = true
		tr := s.run(idx, req)
		if all := crossingsOf(tr); len(all) != 0 {
			t.Errorf("%s: crosses %v, want nothing", policy, all)
		}
		if got := s.rests(tr, testChain, s.token[testChain], s.fake[testChain], tracer.Unspent); got != "10000" {
			t.Errorf("%s: %s with the spoofer, want 10000", policy, got)
		}
	}
}
