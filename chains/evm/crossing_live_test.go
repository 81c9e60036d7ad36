package evm

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/tracer"
)

// lands are nodes of several networks and one index that has read them all.
type lands struct {
	t       *testing.T
	store   *store.Store
	sources map[ledger.Chain]*Node
	geth    map[ledger.Chain]*gethtest.Node
	floors  map[ledger.Asset]ledger.Amount
}

func newLands(t *testing.T) *lands {
	t.Helper()
	l := &lands{t: t, sources: map[ledger.Chain]*Node{}, geth: map[ledger.Chain]*gethtest.Node{}, floors: map[ledger.Asset]ledger.Amount{}}
	l.store = must[*store.Store](t)(store.Open(t.TempDir(), memkv.New(), store.Options{}))
	t.Cleanup(func() { _ = l.store.Close() }) // memory
	return l
}

// add indexes a network from now on.
func (l *lands) add(n *gethtest.Node, o NodeOptions) {
	l.t.Helper()
	must[*store.Network](l.t)(l.store.Create(l.t.Context(), o.Chain))
	l.geth[o.Chain], l.sources[o.Chain] = n, must[*Node](l.t)(dial(l.t, n.URL, o))
	l.floors[ledger.NativeAsset(o.Chain)] = ledger.Amount{}
}

// mine seals blocks on a network until they have what was sent, and reads them in.
func (l *lands) mine(c ledger.Chain) {
	l.t.Helper()
	l.seal(c)
	for range 5 {
		if !must[bool](l.t)(l.geth[c].Left()) {
			break
		}
		l.seal(c)
	}
	n := must[*store.Network](l.t)(l.store.Network(l.t.Context(), c))
	if err := store.Follow(l.t.Context(), n, []store.Source{l.sources[c]}, store.FollowOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

// seal seals a block and wants its transactions to succeed.
func (l *lands) seal(c ledger.Chain) {
	l.t.Helper()
	h := must[*types.Header](l.t)(l.geth[c].Mine())
	block := must[*types.Block](l.t)(l.geth[c].Client.BlockByHash(l.t.Context(), h.Hash()))
	for _, tx := range block.Transactions() {
		if r := must[*types.Receipt](l.t)(l.geth[c].Client.TransactionReceipt(l.t.Context(), tx.Hash())); r.Status != 1 {
			l.t.Fatalf("%s, block %d: %s failed", c, h.Number, tx.Hash())
		}
	}
}

func (l *lands) snapshot() viewed {
	l.t.Helper()
	snap := must[*store.Snapshot](l.t)(l.store.Snapshot(l.t.Context(), nil))
	l.t.Cleanup(func() { _ = snap.Close() }) // memory
	return viewed{snap}
}

// ask is the request about the payment of a transaction; nothing is too small.
func (l *lands) ask(idx viewed, c ledger.Chain, tx *types.Transaction, suffix, policy string) tracer.Request {
	l.t.Helper()
	r := must[tracer.Ref](l.t)(tracer.ParseRef(fmt.Sprintf("%s:%s:%s", c, tx.Hash(), suffix)))
	seeds := must[[]tracer.Seed](l.t)(tracer.Resolve(l.t.Context(), idx, idx.Chains(), r, nil))
	return tracer.Request{Seeds: seeds, Policy: must[tracer.Policy](l.t)(tracer.PolicyByName(policy)), Floors: l.floors}
}

func (l *lands) run(idx viewed, req tracer.Request) *tracer.Trace {
	l.t.Helper()
	tr := must[*tracer.Trace](l.t)(tracer.Run(l.t.Context(), idx, req, nil))
	for _, s := range tr.Sheets {
		if err := s.Check(); err != nil || !s.Conserves {
			l.t.Errorf("%s: sheet of %s conserves %t, %v", req.Policy.Name, s.Asset, s.Conserves, err)
		}
	}
	return tr
}

// holds is what the node says that somebody has; the zero token is ether.
func (l *lands) holds(c ledger.Chain, token, who common.Address) *big.Int {
	l.t.Helper()
	head := must[uint64](l.t)(l.geth[c].Client.BlockNumber(l.t.Context()))
	if token == (common.Address{}) {
		return must[*big.Int](l.t)(l.geth[c].Client.BalanceAt(l.t.Context(), who, new(big.Int).SetUint64(head)))
	}
	return balanceOf(l.t, l.geth[c], token, who, head)
}

func assetOf(c ledger.Chain, token common.Address) ledger.Asset {
	if token == (common.Address{}) {
		return ledger.NativeAsset(c)
	}
	return ledger.TokenAsset(ledger.AccountAddress(c, token))
}

// rests sums what is traced to somebody, and wants every balance to be the node's.
func (l *lands) rests(tr *tracer.Trace, c ledger.Chain, token, who common.Address, reason tracer.Reason) string {
	l.t.Helper()
	var sum ledger.Amount
	for _, x := range tr.Terminals {
		if x.Address != ledger.AccountAddress(c, who) || x.Asset != assetOf(c, token) || x.Reason != reason {
			continue
		}
		sum = sum.Plus(x.Dirty)
		if has := l.holds(c, token, who).String(); reason == tracer.Unspent && x.BalanceNow.String() != has {
			l.t.Errorf("%s holds %s of %s, the node says %s", who, x.BalanceNow, x.Asset, has)
		}
	}
	return sum.String()
}

// dirtyParts is what of each outflow is traced, of a balance whose clean part came first.
func dirtyParts(policy string, clean, dirty *big.Int, outs ...*big.Int) []*big.Int {
	clean, dirty = new(big.Int).Set(clean), new(big.Int).Set(dirty)
	var parts []*big.Int
	for _, x := range outs {
		q := new(big.Int)
		switch {
		case policy == "haircut":
			q.Div(q.Mul(dirty, x), new(big.Int).Add(clean, dirty))
		case x.Cmp(clean) > 0:
			q.Sub(x, clean)
		}
		dirty.Sub(dirty, q)
		clean.Sub(clean, new(big.Int).Sub(x, q))
		parts = append(parts, q)
	}
	return parts
}

// exchangeCase is one way in which a thief exchanges 5,000 (or 5 ether) of
// 10,000, of which 7,000 were the victim's.
type exchangeCase struct {
	name    string
	in, out common.Address
	unit    *big.Int                               // 1/10,000 of what the thief has
	fee     int64                                  // of the 5,000 that a taker keeps
	call    func(data func([]byte, error), do *to) // tells what to call
	kind    string
	stopped common.Address // not empty: nothing is guessed, it ends as CONTRACT there
}

// to is a call to be sent.
type to struct {
	at    common.Address
	value *big.Int
	data  []byte
}

// bourse is a chain with five tokens, two routers and pools of all kinds.
type bourse struct {
	*lands
	n                                  *gethtest.Node
	wrapped, a, b, c, d, router, eager common.Address
	ab, bw, cd, ac, first              common.Address
	taker                              common.Address
	keys                               int
}

func openBourse(t *testing.T) *bourse {
	n := start(t, gethtest.Options{})
	m := &bourse{lands: newLands(t), n: n, wrapped: wrappedOf(n), taker: common.HexToAddress("0x7a4e")}
	m.add(n, NodeOptions{Chain: testChain, Contracts: Contracts{Wrapped: []ledger.Address{wallet(wrappedOf(n))}}})
	at, sent := must[common.Address](t), must[*types.Transaction](t)
	at(n.Make(0, "Wrapped", nil))
	for _, token := range []*common.Address{&m.a, &m.b, &m.c, &m.d} {
		*token = at(n.Make(0, "Token", nil, "T", big.NewInt(100_000_000)))
	}
	m.router, m.eager = at(n.Make(0, "Router", nil, m.wrapped)), at(n.Make(0, "EagerRouter", nil, m.taker))
	m.first = at(n.Make(0, "EagerPool", nil, m.a, m.b))
	pools := map[*common.Address][2]common.Address{&m.ab: {m.a, m.b}, &m.bw: {m.b, m.wrapped}, &m.cd: {m.c, m.d}, &m.ac: {m.a, m.c}}
	for pool, of := range pools {
		*pool = at(n.Make(0, "Pool", nil, of[0], of[1]))
	}
	m.mine(testChain)
	sent(n.Send(0, &m.wrapped, coins(50), nil))
	m.mine(testChain)
	sent(n.Call(0, "Token", m.b, nil, "transfer", m.first, big.NewInt(900_000)))
	for pool, of := range pools {
		for _, token := range of {
			sent(n.Call(0, "Token", token, nil, "transfer", *pool, big.NewInt(1_234_567)))
		}
		sent(n.Call(0, "Pool", *pool, nil, "sync"))
	}
	m.mine(testChain)
	for _, token := range []common.Address{m.wrapped, m.a, m.b, m.c, m.d} {
		m.floors[assetOf(testChain, token)] = ledger.Amount{}
	}
	return m
}

// key is an account of its own with some ether, all of whose past is indexed.
func (m *bourse) key() *ecdsa.PrivateKey {
	m.keys++
	return must[*ecdsa.PrivateKey](m.t)(crypto.ToECDSA(crypto.Keccak256(fmt.Appendf(nil, "thief %d", m.keys))))
}

func (m *bourse) send(key *ecdsa.PrivateKey, at common.Address, value *big.Int, data []byte) *types.Transaction {
	m.t.Helper()
	return must[*types.Transaction](m.t)(m.n.SendTx(key, &types.DynamicFeeTx{To: &at, Value: value, Data: data, Gas: 1_000_000}))
}

// pay gives somebody so many units of a token, or of ether, in a block of its own.
func (m *bourse) pay(token, who common.Address, amount *big.Int) *types.Transaction {
	m.t.Helper()
	var tx *types.Transaction
	if token == (common.Address{}) {
		tx = must[*types.Transaction](m.t)(m.n.Send(0, &who, amount, nil))
	} else {
		tx = must[*types.Transaction](m.t)(m.n.Call(0, "Token", token, nil, "transfer", who, amount))
	}
	m.mine(testChain)
	return tx
}

// TestLiveExchanges sends a victim's payment, mixed with clean money, through
// contracts of a real node, and holds every figure against the node's balances.
func TestLiveExchanges(t *testing.T) {
	m := openBourse(t)
	one, milli := big.NewInt(1), big.NewInt(1e15)
	who := common.Address{} // of the case at hand
	tokens := func(in common.Address, amount int64, path ...common.Address) ([]byte, error) {
		return gethtest.Pack("Router", "swapTokens", in, big.NewInt(amount), path, who)
	}
	both := func(other ...any) func(func([]byte, error), *to) {
		return func(_ func([]byte, error), do *to) {
			first := must[[]byte](t)(tokens(m.a, 5000, m.ab))
			second := must[[]byte](t)(tokens(other[0].(common.Address), 800, other[1].(common.Address)))
			if len(other) == 3 {
				first = must[[]byte](t)(tokens(m.a, 4200, m.ab))
			}
			do.at, do.data = m.router, must[[]byte](t)(gethtest.Pack("Router", "multicall", [][]byte{first, second}))
		}
	}
	for _, c := range []exchangeCase{
		{name: "a pool", in: m.a, out: m.b, unit: one, kind: "SWAP", call: func(data func([]byte, error), do *to) { do.at = m.router; data(tokens(m.a, 5000, m.ab)) }},
		{name: "two pools", in: m.a, out: m.wrapped, unit: one, kind: "SWAP", call: func(data func([]byte, error), do *to) { do.at = m.router; data(tokens(m.a, 5000, m.ab, m.bw)) }},
		{name: "two swaps in one call", in: m.a, out: m.b, unit: one, kind: "SWAP", call: both(m.c, m.cd)},
		{name: "one asset for two", in: m.a, unit: one, stopped: m.ab, call: both(m.a, m.ac, true)},
		{name: "ether for a token", out: m.b, unit: milli, kind: "SWAP", call: func(data func([]byte, error), do *to) {
			do.at, do.value = m.router, new(big.Int).Mul(big.NewInt(5000), milli)
			data(gethtest.Pack("Router", "swapFromEther", []common.Address{m.bw}, who))
		}},
		{name: "a token for ether", in: m.a, unit: one, kind: "SWAP", call: func(data func([]byte, error), do *to) {
			do.at = m.router
			data(gethtest.Pack("Router", "swapToEther", m.a, big.NewInt(5000), []common.Address{m.ab, m.bw}, who))
		}},
		{name: "a pool that pays first, and a fee", in: m.a, out: m.b, unit: one, fee: 50, kind: "SWAP", call: func(data func([]byte, error), do *to) {
			do.at = m.eager
			data(gethtest.Pack("EagerRouter", "swap", m.first, m.a, big.NewInt(5000), who))
		}},
		{name: "wrapped", out: m.wrapped, unit: milli, kind: "WRAP", call: func(_ func([]byte, error), do *to) {
			do.at, do.value = m.wrapped, new(big.Int).Mul(big.NewInt(5000), milli)
		}},
		{name: "unwrapped", in: m.wrapped, unit: one, kind: "UNWRAP", call: func(data func([]byte, error), do *to) {
			do.at = m.wrapped
			data(gethtest.Pack("Wrapped", "withdraw", big.NewInt(5000)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.t = t
			key := m.key()
			who = crypto.PubkeyToAddress(key.PublicKey)
			m.exchange(c, key)
		})
	}
}

// exchange plays a case and checks what the trace says of it.
func (m *bourse) exchange(c exchangeCase, key *ecdsa.PrivateKey) {
	t, who, ether := m.t, crypto.PubkeyToAddress(key.PublicKey), common.Address{}
	times := func(n int64) *big.Int { return new(big.Int).Mul(c.unit, big.NewInt(n)) }
	if c.in != ether {
		m.pay(ether, who, coins(1))
		for _, spender := range []common.Address{m.router, m.eager} {
			m.send(key, c.in, nil, must[[]byte](t)(gethtest.Pack("Token", "approve", spender, big.NewInt(1_000_000))))
		}
		m.pay(m.c, who, big.NewInt(900))
		m.send(key, m.c, nil, must[[]byte](t)(gethtest.Pack("Token", "approve", m.router, big.NewInt(900))))
	}
	m.pay(c.in, who, times(3000))
	paid, suffix := m.pay(c.in, who, times(7000)), "0"
	if c.in == ether {
		suffix = "n"
	}
	var do to
	c.call(func(b []byte, err error) { do.data = must[[]byte](t)(b, err) }, &do)
	before, given, taken := m.holds(testChain, c.out, who), m.holds(testChain, c.in, who), m.holds(testChain, c.in, m.taker)
	tx := m.send(key, do.at, do.value, do.data)
	m.mine(testChain)
	got, gone := new(big.Int).Sub(m.holds(testChain, c.out, who), before), new(big.Int).Sub(given, m.holds(testChain, c.in, who))
	r := must[*types.Receipt](t)(m.n.Client.TransactionReceipt(t.Context(), tx.Hash()))
	gas := new(big.Int).Mul(r.EffectiveGasPrice, new(big.Int).SetUint64(r.GasUsed))
	if c.out == ether {
		got.Add(got, gas)
	}
	if c.in == ether {
		gone.Sub(gone, gas)
	}
	fee := new(big.Int).Sub(m.holds(testChain, c.in, m.taker), taken)
	if gone.Cmp(times(5000)) != 0 || fee.Cmp(times(c.fee)) != 0 || c.stopped == ether && got.Sign() <= 0 {
		t.Fatalf("the thief gave %s, the taker got %s, for %s", gone, fee, got)
	}
	idx := m.snapshot()
	for _, policy := range []string{"fifo", "haircut"} {
		m.judge(c, m.run(idx, m.ask(idx, testChain, paid, suffix, policy)), who, got, gas)
	}
}

// judge wants a trace to say what the exchange did, to the unit.
func (m *bourse) judge(c exchangeCase, tr *tracer.Trace, who common.Address, got, gas *big.Int) {
	t, ether, times := m.t, common.Address{}, func(n int64) *big.Int { return new(big.Int).Mul(c.unit, big.NewInt(n)) }
	equal := func(what, got string, want *big.Int) {
		t.Helper()
		if got != want.String() {
			t.Errorf("%s: %s is %s, want %s\n%+v\n%+v", tr.Policy, what, got, want, tr.Hops, tr.Terminals)
		}
	}
	crossed := crossingsOf(tr)
	if c.stopped != ether {
		parts := dirtyParts(tr.Policy, times(3000), times(7000), times(4200), times(800))
		equal("what stops at the first pool", m.rests(tr, testChain, c.in, m.ab, tracer.Contract), parts[0])
		equal("what stops at the second pool", m.rests(tr, testChain, c.in, m.ac, tracer.Contract), parts[1])
		if len(crossed) != 0 {
			t.Errorf("%s: crosses %v, want nothing", tr.Policy, crossed)
		}
		return
	}
	parts := dirtyParts(tr.Policy, times(3000), times(7000), times(c.fee), times(5000-c.fee), gas)
	if c.in != ether {
		parts[2].SetInt64(0)
	}
	if len(crossed) != 1 || crossed[0].Kind != c.kind || crossed[0].Tier != "T0" || crossed[0].To != wallet(who) || crossed[0].AssetOut != assetOf(testChain, c.out) {
		t.Fatalf("%s: crosses %v, want one %s", tr.Policy, crossed, c.kind)
	}
	x := crossed[0]
	equal("what goes in", x.AmountIn.String(), times(5000-c.fee))
	equal("what comes out", x.AmountOut.String(), got)
	equal("what is traced of it", x.DirtyIn.String(), parts[1])
	share := new(big.Int).Mul(got, parts[1])
	share.Div(share, times(5000-c.fee))
	equal("what is traced of what comes out", x.DirtyOut.String(), share)
	equal("the taker's part", m.rests(tr, testChain, c.in, m.taker, tracer.Unspent), parts[0])
	left := times(7000)
	for _, p := range parts {
		left.Sub(left, p)
	}
	equal("what is kept", m.rests(tr, testChain, c.in, who, tracer.Unspent), left)
	if c.out == ether { // the fee is paid last, out of a balance that holds what came out
		has := m.holds(testChain, ether, who)
		has.Add(has, gas)
		share.Sub(share, dirtyParts(tr.Policy, new(big.Int).Sub(has, share), share, gas)[0])
	}
	equal("what is received", m.rests(tr, testChain, c.out, who, tracer.Unspent), share)
}

func crossingsOf(tr *tracer.Trace) []*tracer.Crossing {
	var all []*tracer.Crossing
	for i := range tr.Hops {
		if c := tr.Hops[i].Crossing; c != nil {
			all = append(all, c)
		}
	}
	return all
}
