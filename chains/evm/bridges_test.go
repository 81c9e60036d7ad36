package evm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/spoortrace/spoor/ledger"
)

func bundled(t testing.TB) *Bridges {
	t.Helper()
	b, err := NewBridges(BundledBridges())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Topics as other programs have them: noateden/rantom (Celer), Connector (Poly),
// the bindings of Poly's contracts, Interbeam (Wormhole), Dune's decoded tables (Across).
func TestBridgeTopics(t *testing.T) {
	want := map[string]string{
		"celer Send(":                         "89d8051e597ab4178a863a5190407b98abfeff406aa8db90c59af76612e58f01",
		"celer Relay(":                        "79fa08de5149d912dce8e5e8da7a7c17ccdf23dd5d3bfe196802e6eb86347c7c",
		"poly CrossChainEvent(":               "6ad3bf15c1988bc04bc153490cab16db8efb9a3990215bf1c64ea6e28be88483",
		"poly VerifyHeaderAndExecuteTxEvent(": "8a4a2663ce60ce4955c595da2894de0415240f1ace024cfbff85f513b656bdae",
		"poly with LockEvent(":                "8636abd6d0e464fe725a13346c7ac779b73561c705506044a2e6b2cdb1295ea5",
		"across V3FundsDeposited(":            "a123dc29aebf7d0c3322c8eeb5b999e859f39937950ed31056532713d0de396f",
		"across FilledV3Relay(":               "571749edf1d5c9599318cdbc4e28a6475d65e87fd3b2ddbe1e9a8d5e7a0f0ff7",
		"wormhole LogMessagePublished(":       "6eb224fb001ed210e379b335e35efe88672a8ce935d981a6896b27ffdf52a3b2",
	}
	got := map[string]string{}
	eachDeclared(t, func(protocol, declared string, s signature) {
		key := protocol + " " + declared[:strings.Index(declared, "(")+1]
		if _, ok := want[key]; ok {
			got[key] = hex.EncodeToString(s.topic[:])
		}
	})
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-others +ours)\n%s", d)
	}
}

// addressOf is a party of the tests, told by a small number.
func addressOf(n int64) common.Address { return common.BigToAddress(big.NewInt(n)) }

func account(chain ledger.Chain, a common.Address) ledger.Address {
	return ledger.AccountAddress(chain, a)
}

// scene is a transaction under construction.
type scene struct {
	t    *testing.T
	tx   *ledger.Tx
	logs []*types.Log
}

func newScene(t *testing.T, chain ledger.Chain, id byte) *scene {
	return &scene{t: t, tx: &ledger.Tx{Chain: chain, ID: ledger.TxID{id}}}
}

// log adds an event of a contract, its fields in order of declaration.
func (s *scene) log(contract common.Address, declared string, values ...any) *scene {
	s.t.Helper()
	sig, err := parseSignature(declared)
	if err != nil {
		s.t.Fatal(err)
	}
	l := &types.Log{Address: contract, Topics: []common.Hash{sig.topic}, Index: uint(len(s.logs))}
	var data []any
	params, _ := parseParams(declared[strings.Index(declared, "(")+1 : len(declared)-1])
	indexed := 0
	for i, p := range params {
		if p.indexed {
			arg := sig.indexed[indexed]
			arg.Indexed = false
			b, err := abi.Arguments{arg}.PackValues([]any{values[i]})
			if err != nil {
				s.t.Fatalf("%s: %v", p.text, err)
			}
			l.Topics = append(l.Topics, common.BytesToHash(b))
			indexed++
		} else {
			data = append(data, values[i])
		}
	}
	if l.Data, err = sig.data.PackValues(data); err != nil {
		s.t.Fatalf("%s: %v", declared, err)
	}
	s.logs = append(s.logs, l)
	return s
}

// token adds an ERC-20 transfer, its log and its place in the transaction.
func (s *scene) token(token, from, to common.Address, amount uint64) *scene {
	s.log(token, "Transfer(address indexed from, address indexed to, uint256 value)", from, to, new(big.Int).SetUint64(amount))
	t := ledger.Transfer{
		Index: uint32(len(s.logs) - 1), Slot: uint32(len(s.tx.Transfers)), Kind: ledger.TransferToken,
		Asset: ledger.TokenAsset(account(s.tx.Chain, token)), Amount: ledger.NewAmount(amount),
	}
	if from != (common.Address{}) {
		t.From = account(s.tx.Chain, from)
	}
	if to != (common.Address{}) {
		t.To = account(s.tx.Chain, to)
	}
	s.tx.Transfers = append(s.tx.Transfers, t)
	return s
}

func (s *scene) coin(from, to common.Address, amount uint64) *scene {
	s.tx.Transfers = append(s.tx.Transfers, ledger.Transfer{
		Slot: uint32(len(s.tx.Transfers)), Kind: ledger.TransferNative, From: account(s.tx.Chain, from), To: account(s.tx.Chain, to),
		Asset: ledger.NativeAsset(s.tx.Chain), Amount: ledger.NewAmount(amount),
	})
	return s
}

// notices prints what the bundled registry reads.
func (s *scene) notices() string {
	var all []string
	for _, n := range bundled(s.t).Notices(s.tx, s.logs) {
		way := map[ledger.NoticeKind]string{ledger.NoticeBridgeOut: "out", ledger.NoticeBridgeIn: "in"}[n.Kind]
		short := func(a ledger.Address) string {
			if a.IsZero() {
				return "-"
			}
			return strings.TrimLeft(hex.EncodeToString([]byte(a.Payload)), "0")
		}
		asset := "native"
		if !n.Asset.Native() {
			asset = short(n.Asset.Contract)
		}
		all = append(all, fmt.Sprintf("%s slot %d: %s of %s %s, other side %s %s, ref %s", way, n.Slot, n.Amount, asset, short(n.Account), n.Network, short(n.Peer), n.Ref))
	}
	return strings.Join(all, "\n")
}

func hexAddress(s string) common.Address { return common.HexToAddress(s) }

const (
	celerPoolEth = "0x5427FEFA711Eff984124bFBB1AB6fbf5E3DA1820"
	celerPoolBnb = "0xdd90E5E87A2081Dcf0391920868eBc2FFB81a1aF"
	weth         = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
	celerSend    = "Send(bytes32 transferId, address sender, address receiver, address token, uint256 amount, uint64 dstChainId, uint64 nonce, uint32 maxSlippage)"
	celerRelay   = "Relay(bytes32 transferId, address sender, address receiver, address token, uint256 amount, uint64 srcChainId, bytes32 srcTransferId)"
)

var idA, idB = [32]byte{0xaa}, [32]byte{0xbb}

func TestBridgeCeler(t *testing.T) {
	eth, bnb := hexAddress(celerPoolEth), hexAddress(celerPoolBnb)
	user, token, other := addressOf(0x111), addressOf(0x777), addressOf(0x888)
	ref := "celer:aa" + strings.Repeat("0", 62)
	for name, c := range map[string]struct {
		scene *scene
		want  string
	}{
		"a token leaves": {
			newScene(t, "ethereum", 1).token(token, user, eth, 500).log(eth, celerSend, idA, user, user, token, big.NewInt(500), uint64(56), uint64(1), uint32(9)),
			"out slot 0: 500 of 777 111, other side bnb 111, ref " + ref,
		},
		"the coin leaves, written as its wrapped token": {
			newScene(t, "ethereum", 1).coin(user, eth, 500).log(eth, celerSend, idA, user, user, hexAddress(weth), big.NewInt(500), uint64(10), uint64(1), uint32(9)),
			"out slot 0: 500 of native 111, other side evm-10 111, ref " + ref,
		},
		"the coin leaves, and no trace tells": {
			newScene(t, "ethereum", 1).log(eth, celerSend, idA, user, user, hexAddress(weth), big.NewInt(500), uint64(56), uint64(1), uint32(9)),
			"out slot 0: 500 of native 111, other side bnb 111, ref " + ref,
		},
		"a router pays": {
			newScene(t, "ethereum", 1).token(token, user, other, 510).token(token, other, eth, 500).log(eth, celerSend, idA, other, user, token, big.NewInt(500), uint64(56), uint64(1), uint32(9)),
			"out slot 1: 500 of 777 888, other side bnb 111, ref " + ref,
		},
		"two of the same amount are about two transfers": {
			newScene(t, "ethereum", 1).token(token, user, eth, 500).log(eth, celerSend, idA, user, user, token, big.NewInt(500), uint64(56), uint64(1), uint32(9)).
				token(token, user, eth, 500).log(eth, celerSend, idB, user, user, token, big.NewInt(500), uint64(56), uint64(2), uint32(9)),
			"out slot 0: 500 of 777 111, other side bnb 111, ref " + ref + "\nout slot 1: 500 of 777 111, other side bnb 111, ref celer:bb" + strings.Repeat("0", 62),
		},
		"it arrives": {
			newScene(t, "bnb", 2).token(token, bnb, user, 490).log(bnb, celerRelay, idB, user, user, token, big.NewInt(490), uint64(1), idA),
			"in slot 0: 490 of 777 111, other side ethereum 111, ref " + ref,
		},
		"a contract of its own writes the same": {
			newScene(t, "ethereum", 1).token(token, user, other, 500).log(other, celerSend, idA, user, user, token, big.NewInt(500), uint64(56), uint64(1), uint32(9)), "",
		},
		"the contract of another network": {
			newScene(t, "ethereum", 1).token(token, user, bnb, 500).log(bnb, celerSend, idA, user, user, token, big.NewInt(500), uint64(56), uint64(1), uint32(9)), "",
		},
	} {
		if got := c.scene.notices(); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

func TestBridgePeggedTokens(t *testing.T) {
	vault, pegged := hexAddress("0x7510792A3B1969F9307F3845CE88e39578f2bAE1"), hexAddress("0x26c76F7FeF00e02a5DD4B5Cc8a0f717eB61e1E4b")
	user, token := addressOf(0x111), addressOf(0x777)
	out := newScene(t, "ethereum", 1).token(token, user, vault, 500).
		log(vault, "Deposited(bytes32 depositId, address depositor, address token, uint256 amount, uint64 mintChainId, address mintAccount, uint64 nonce)", idA, user, token, big.NewInt(500), uint64(56), user, uint64(7))
	in := newScene(t, "bnb", 2).token(token, common.Address{}, user, 500).
		log(pegged, "Mint(bytes32 mintId, address token, address account, uint256 amount, uint64 refChainId, bytes32 refId, address depositor)", idB, token, user, big.NewInt(500), uint64(1), idA, user)
	ref := "celer:aa" + strings.Repeat("0", 62)
	if got, want := out.notices(), "out slot 0: 500 of 777 111, other side bnb 111, ref "+ref; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := in.notices(), "in slot 0: 500 of 777 111, other side ethereum 111, ref "+ref; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBridgeMultichain(t *testing.T) {
	eth, bnb := hexAddress("0x6b7a87899490EcE95443e979cA9485CBE7E71522"), hexAddress("0xd1C5966f9F5Ee6881Ff6b261BBeDa45972B1B5f3")
	user, usdc, any := addressOf(0x111), addressOf(0x777), addressOf(0xa77)
	zero := common.Address{}
	// The underlying goes into the anyToken, which is minted and burnt.
	out := newScene(t, "ethereum", 1).token(usdc, user, any, 500).token(any, zero, user, 500).token(any, user, zero, 500).
		log(eth, "LogAnySwapOut(address indexed token, address indexed from, address indexed to, uint256 amount, uint256 fromChainID, uint256 toChainID)", any, user, user, big.NewInt(500), big.NewInt(1), big.NewInt(56))
	ref := "multichain:01" + strings.Repeat("0", 62)
	if got, want := out.notices(), "out slot 0: 500 of 777 111, other side bnb 111, ref "+ref; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	in := newScene(t, "bnb", 2).token(any, zero, user, 499).token(any, user, zero, 499).token(usdc, any, user, 499).
		log(bnb, "LogAnySwapIn(bytes32 indexed txhash, address indexed token, address indexed to, uint256 amount, uint256 fromChainID, uint256 toChainID)", [32]byte{1}, any, user, big.NewInt(499), big.NewInt(1), big.NewInt(56))
	if got, want := in.notices(), "in slot 2: 499 of 777 111, other side ethereum -, ref "+ref; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The anyToken of the wrapped coin is paid out as the coin itself, which only a
// trace shows: as much of the wrapped coin is undone.
func TestBridgeMultichainCoin(t *testing.T) {
	eth := hexAddress("0x6b7a87899490EcE95443e979cA9485CBE7E71522")
	user, any, zero := addressOf(0x111), addressOf(0xa77), common.Address{}
	scene := func(weth common.Address) string {
		return newScene(t, "ethereum", 1).token(any, zero, eth, 499).token(any, eth, zero, 499).token(weth, any, eth, 499).token(weth, eth, zero, 499).
			log(eth, "LogAnySwapIn(bytes32 indexed txhash, address indexed token, address indexed to, uint256 amount, uint256 fromChainID, uint256 toChainID)", [32]byte{9}, any, user, big.NewInt(499), big.NewInt(56), big.NewInt(1)).notices()
	}
	ref := "multichain:09" + strings.Repeat("0", 62)
	if got, want := scene(hexAddress(weth)), "in slot 4: 499 of native 111, other side bnb -, ref "+ref; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := scene(addressOf(0x777)); strings.Contains(got, "native") {
		t.Errorf("another token undone: %s", got)
	}
}

func TestBridgePoly(t *testing.T) {
	manager, proxy := hexAddress("0x14413419452Aaf089762A0c5e95eD2A13bBC488C"), hexAddress("0x250e76987d838a75310c34bf422ea9f1AC4Cc906")
	manager2, proxy2 := hexAddress("0x1c9Ca8aBB5Da65d94Dad2e8fb3F45535480D5909"), hexAddress("0x2f7ac9436ba4B548f9582af91CA1Ef02cd2F1f03")
	user, wrapper, token, peer := addressOf(0x111), addressOf(0x999), addressOf(0x777), addressOf(0x222)
	id := common.LeftPadBytes([]byte{0x2f}, 32)
	out := newScene(t, "ethereum", 1).token(token, user, wrapper, 510).token(token, wrapper, proxy, 500).
		log(manager, "CrossChainEvent(address indexed sender, bytes txId, address proxyOrAssetContract, uint64 toChainId, bytes toContract, bytes rawdata)", user, id, proxy, uint64(6), []byte{1}, []byte{2}).
		log(proxy, "LockEvent(address fromAssetHash, address fromAddress, uint64 toChainId, bytes toAssetHash, bytes toAddress, uint256 amount)", token, wrapper, uint64(6), token[:], peer[:], big.NewInt(500))
	in := newScene(t, "bnb", 2).token(token, proxy2, peer, 500).
		log(proxy2, "UnlockEvent(address toAssetHash, address toAddress, uint256 amount)", token, peer, big.NewInt(500)).
		log(manager2, "VerifyHeaderAndExecuteTxEvent(uint64 fromChainID, bytes toContract, bytes crossChainTxHash, bytes fromChainTxHash)", uint64(2), proxy2[:], []byte{9}, id)
	ref := "poly:2/" + strings.Repeat("0", 38) + "2f"
	if got, want := out.notices(), "out slot 1: 500 of 777 999, other side bnb 222, ref "+ref; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := in.notices(), "in slot 0: 500 of 777 222, other side ethereum -, ref "+ref; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Without the lock proxy's event nobody can say what moved.
	out.logs = out.logs[:3]
	if got := out.notices(); got != "" {
		t.Errorf("without LockEvent: %s", got)
	}
}

func TestBridgeAcross(t *testing.T) {
	eth, base := hexAddress("0x5c7BCd6E7De5423a257D81B442095A1a6ced35C5"), hexAddress("0x09aea4b2242abC8bb4BB78D537A67a245A7bEC64")
	user, relayer, peer, token := addressOf(0x111), addressOf(0x999), addressOf(0x222), addressOf(0x777)
	pad := func(a common.Address) [32]byte { return [32]byte(common.LeftPadBytes(a[:], 32)) }
	declared := map[string]string{}
	eachDeclared(t, func(protocol, text string, _ signature) {
		if protocol == "across" {
			name, _, _ := strings.Cut(text, "(")
			declared[name] = text
		}
	})
	out := newScene(t, "ethereum", 1).coin(user, eth, 500).
		log(eth, declared["V3FundsDeposited"], hexAddress(weth), token, big.NewInt(500), big.NewInt(495), big.NewInt(8453), uint32(0), uint32(1), uint32(2), uint32(3), user, peer, common.Address{}, []byte{})
	type info struct {
		UpdatedRecipient    [32]byte
		UpdatedMessageHash  [32]byte
		UpdatedOutputAmount *big.Int
		FillType            uint8
	}
	in := newScene(t, "base", 2).token(token, relayer, peer, 494).
		log(base, declared["FilledRelay"], pad(hexAddress(weth)), pad(token), big.NewInt(500), big.NewInt(495), big.NewInt(1), big.NewInt(1), big.NewInt(0), uint32(1), uint32(2), [32]byte{}, pad(relayer), pad(user), pad(addressOf(0x333)), [32]byte{},
			info{pad(peer), [32]byte{}, big.NewInt(494), 0})
	if got, want := out.notices(), "out slot 0: 500 of native 111, other side base 222, ref across:1/0"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := in.notices(), "in slot 0: 494 of 777 222, other side ethereum 111, ref across:1/0"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBridgeStargate(t *testing.T) {
	pool, native, bnb := hexAddress("0x933597a323Eb81cAe705C5bC29985172fd5A3973"), hexAddress("0x77b2043768d28E9C9aB44E1aBfC95944bcE57931"), hexAddress("0x138EB30f73BC423c6455C53df6D89CB01d9eBc63")
	user, usdt := addressOf(0x111), addressOf(0x777)
	const sent = "OFTSent(bytes32 indexed guid, uint32 dstEid, address indexed fromAddress, uint256 amountSentLD, uint256 amountReceivedLD)"
	const received = "OFTReceived(bytes32 indexed guid, uint32 srcEid, address indexed toAddress, uint256 amountReceivedLD)"
	ref := "stargate:aa" + strings.Repeat("0", 62)
	for name, c := range map[string]struct{ got, want string }{
		"out":    {newScene(t, "ethereum", 1).token(usdt, user, pool, 500).log(pool, sent, idA, uint32(30102), user, big.NewInt(500), big.NewInt(499)).notices(), "out slot 0: 500 of 777 111, other side bnb -, ref " + ref},
		"in":     {newScene(t, "bnb", 2).token(usdt, bnb, user, 499).log(bnb, received, idA, uint32(30101), user, big.NewInt(499)).notices(), "in slot 0: 499 of 777 111, other side ethereum -, ref " + ref},
		"native": {newScene(t, "ethereum", 1).coin(user, native, 503).log(native, sent, idA, uint32(30184), user, big.NewInt(500), big.NewInt(500)).notices(), "out slot 1: 500 of native 111, other side base -, ref " + ref},
		"bus":    {newScene(t, "ethereum", 1).token(usdt, user, pool, 500).log(pool, sent, [32]byte{}, uint32(30102), user, big.NewInt(500), big.NewInt(499)).notices(), "out slot 0: 500 of 777 111, other side bnb -, ref stargate:none/01" + strings.Repeat("0", 62) + "/1"},
	} {
		if c.got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, c.got, c.want)
		}
	}
}

func TestBridgeWormhole(t *testing.T) {
	core, bridge := hexAddress("0x98f3c9e6E3fAce36bAAd05FE09d375Ef1464288B"), hexAddress("0x3ee18B2214AFF97000D974cf647E7C347E8fa585")
	bnb := hexAddress("0xB6F6D86a8f9879A9c87f643768d9efc38c1Da6E7")
	user, token, relayer := addressOf(0x111), addressOf(0x777), addressOf(0x999)
	pad := func(a common.Address) [32]byte { return [32]byte(common.LeftPadBytes(a[:], 32)) }
	word := func(n int64) []byte { return common.LeftPadBytes(big.NewInt(n).Bytes(), 32) }
	to := pad(user)
	payload := append([]byte{1}, word(500)...)
	source := pad(token)
	payload = append(payload, source[:]...)
	payload = append(append(append(append(payload, 0, 2), to[:]...), 0, 4), word(0)...)
	const published = "LogMessagePublished(address indexed sender, uint64 sequence, uint32 nonce, bytes payload, uint8 consistencyLevel)"
	const redeemed = "TransferRedeemed(uint16 indexed emitterChainId, bytes32 indexed emitterAddress, uint64 indexed sequence)"
	ref := "wormhole:2/" + hex.EncodeToString(bridge[:]) + "/42"
	for name, c := range map[string]struct{ got, want string }{
		"out":                       {newScene(t, "ethereum", 1).token(token, user, bridge, 5000).log(core, published, bridge, uint64(42), uint32(0), payload, uint8(1)).notices(), "out slot 0: 5000 of 777 111, other side bnb 111, ref " + ref},
		"a message of another kind": {newScene(t, "ethereum", 1).token(token, user, bridge, 5000).log(core, published, bridge, uint64(42), uint32(0), append([]byte{2}, payload[1:]...), uint8(1)).notices(), ""},
		"of another sender":         {newScene(t, "ethereum", 1).token(token, user, bridge, 5000).log(core, published, user, uint64(42), uint32(0), payload, uint8(1)).notices(), ""},
		"in, after the relayer's":   {newScene(t, "bnb", 2).log(bnb, redeemed, uint16(2), pad(bridge), uint64(42)).token(token, common.Address{}, relayer, 3).token(token, common.Address{}, user, 4997).notices(), "in slot 1: 4997 of 777 111, other side ethereum -, ref " + ref},
		"in, unwrapped":             {newScene(t, "bnb", 2).log(bnb, redeemed, uint16(2), pad(bridge), uint64(42)).notices(), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, c.got, c.want)
		}
	}
}

func TestBridgeTHORChain(t *testing.T) {
	router := hexAddress("0xD37BbE5744D730a1d98d8DC97c42F0Ca46aD7146")
	user, vault, token := addressOf(0x111), addressOf(0x999), addressOf(0x777)
	const deposit = "Deposit(address indexed to, address indexed asset, uint256 amount, string memo)"
	const paid = "TransferOut(address indexed vault, address indexed to, address asset, uint256 amount, string memo)"
	in := strings.Repeat("AB", 32)
	for name, c := range map[string]struct{ got, want string }{
		"coin to Bitcoin": {newScene(t, "ethereum", 1).coin(user, router, 500).coin(router, vault, 500).log(router, deposit, vault, common.Address{}, big.NewInt(500), "=:BTC.BTC:bc1qexample:0/1/0").notices(), "out slot 0: 500 of native 111, other side bitcoin -, ref thorchain:01" + strings.Repeat("0", 62)},
		"token":           {newScene(t, "ethereum", 1).token(token, user, router, 500).log(router, deposit, vault, token, big.NewInt(500), "SWAP:BSC.BNB:0x0000000000000000000000000000000000000222").notices(), "out slot 0: 500 of 777 111, other side bnb 222, ref thorchain:01" + strings.Repeat("0", 62)},
		"liquidity":       {newScene(t, "ethereum", 1).coin(user, router, 500).log(router, deposit, vault, common.Address{}, big.NewInt(500), "+:ETH.ETH:thor1example").notices(), ""},
		"out":             {newScene(t, "ethereum", 2).coin(vault, router, 480).coin(router, user, 480).log(router, paid, vault, user, common.Address{}, big.NewInt(480), "OUT:"+in).notices(), "in slot 1: 480 of native 111, other side  -, ref thorchain:" + strings.ToLower(in)},
		"a short memo":    {newScene(t, "ethereum", 2).coin(router, user, 480).log(router, paid, vault, user, common.Address{}, big.NewInt(480), "OUT:"+in[2:]).notices(), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, c.got, c.want)
		}
	}
}

func TestBridgeLogsAreReadStrictly(t *testing.T) {
	eth := hexAddress(celerPoolEth)
	user, token := addressOf(0x111), addressOf(0x777)
	good := func() *scene {
		return newScene(t, "ethereum", 1).token(token, user, eth, 500).log(eth, celerSend, idA, user, user, token, big.NewInt(500), uint64(56), uint64(1), uint32(9))
	}
	for name, damage := range map[string]func(*types.Log){
		"a word more":               func(l *types.Log) { l.Data = append(l.Data, make([]byte, 32)...) },
		"a word less":               func(l *types.Log) { l.Data = l.Data[:len(l.Data)-32] },
		"dirt above an address":     func(l *types.Log) { l.Data[32] = 1 },
		"dirt above a small number": func(l *types.Log) { l.Data[32*5] = 1 },
		"a topic more":              func(l *types.Log) { l.Topics = append(l.Topics, common.Hash{}) },
		"nothing":                   func(l *types.Log) { l.Data = nil },
	} {
		s := good()
		damage(s.logs[1])
		if got := s.notices(); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if good().notices() == "" {
		t.Error("the undamaged log says nothing")
	}
}

func TestBridgeSlotsAreFree(t *testing.T) {
	eth := hexAddress(celerPoolEth)
	user, token := addressOf(0x111), addressOf(0x777)
	s := newScene(t, "ethereum", 1).token(token, user, eth, 500).log(eth, celerSend, idA, user, user, token, big.NewInt(500), uint64(56), uint64(1), uint32(9))
	s.tx.Notices = []ledger.Notice{{Slot: 0, Kind: ledger.NoticeWrapped, Account: account("ethereum", user)}, {Slot: 5, Kind: ledger.NoticeWrapped, Account: account("ethereum", user)}}
	if got := bundled(t).Notices(s.tx, s.logs); len(got) != 1 || got[0].Slot != 6 {
		t.Errorf("%+v, want slot 6", got)
	}
}

func declaredProtocols(t *testing.T) []registryProtocol {
	t.Helper()
	var f registryFile
	if err := yaml.Unmarshal(BundledBridges(), &f); err != nil {
		t.Fatal(err)
	}
	return f.Protocols
}

// eachDeclared calls f with every event of the bundled registry.
func eachDeclared(t *testing.T, f func(protocol, declared string, s signature)) {
	t.Helper()
	for _, p := range declaredProtocols(t) {
		for _, e := range p.Events {
			s, err := parseSignature(e.Event)
			if err != nil {
				t.Fatal(err)
			}
			f(p.Name, e.Event, s)
			if e.With != nil {
				if s, err = parseSignature(e.With.Event); err != nil {
					t.Fatal(err)
				}
				f(p.Name+" with", e.With.Event, s)
			}
		}
	}
}

func TestBridgeRegistryRefuses(t *testing.T) {
	const good = `
protocols:
  - name: own
    eip155: true
    contracts: [{network: ethereum, role: pool, address: "0x0000000000000000000000000000000000000001"}]
    events:
      - {event: "Out(bytes32 id, address token, uint256 amount)", role: pool, direction: out, id: [id], asset: token, amount: amount}
`
	if _, err := NewBridges(BundledBridges(), []byte(good)); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	if _, err := NewBridges(nil, []byte("")); err != nil {
		t.Fatalf("none: %v", err)
	}
	for name, c := range map[string]struct{ old, with, want string }{
		"unknown key":        {"eip155: true", "eip156: true", "field eip156 not found"},
		"bad address":        {"0001\"", "01\"", "contract 1: address"},
		"bad network":        {"network: ethereum", "network: etherium", "network"},
		"a network of coins": {"network: ethereum", "network: bitcoin", "want an EVM network"},
		"bad direction":      {"direction: out", "direction: up", "want out or in"},
		"no such role":       {"role: pool, direction", "role: vault, direction", "role: want that of a contract"},
		"no such field":      {"asset: token", "asset: coin", "want one of id, token, amount"},
		"no id":              {"id: [id], ", "", "id: want"},
		"bad id":             {"id: [id]", "id: [nonce]", "id: want one of $tx"},
		"bad type":           {"bytes32 id", "bytes33 id", "types of the ABI"},
		"unnamed field":      {"bytes32 id", "bytes32", "TYPE [indexed] NAME"},
		"field twice":        {"address token", "address id", "a name for each field"},
		"indexed text":       {"bytes32 id", "string indexed id", "indexed fields of static types"},
		"not an event":       {"Out(", "Out", "NAME(TYPE"},
		"bad expression":     {"amount: amount}", "amount: amount, match: {id: '('}}", "a regular expression"},
		"twice":              {"    events:", "    events:\n      - {event: \"Out(bytes32 id, address token, uint256 amount)\", role: pool, direction: in, id: [id]}", "one reading of an event"},
		"bad name":           {"name: own", "name: Own Bridge", "small letters"},
	} {
		text := strings.Replace(good, c.old, c.with, 1)
		if text == good {
			t.Fatalf("%s: nothing replaced", name)
		}
		_, err := NewBridges([]byte(text))
		if err == nil || !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
