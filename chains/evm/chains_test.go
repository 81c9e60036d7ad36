package evm

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
)

// TestDeposit makes the bytes of a deposit of OP mainnet, which its block's root
// commits to, from the fields that a node tells.
func TestDeposit(t *testing.T) {
	input := "0x015d8eb900000000000000000000000000000000000000000000000000000000008057650000000000000000000000000000000000000000000000000000000063d96d10000000000000000000000000000000000000000000000000000000000009f35273d89754a1e0387b89520d989d3be9c37c1f32495a88faf1ea05c61121ab0d1900000000000000000000000000000000000000000000000000000000000000010000000000000000000000002d679b567db6187c0c8323fa982cfb88b74dbcc7000000000000000000000000000000000000000000000000000000000000083400000000000000000000000000000000000000000000000000000000000f4240"
	want := "7ef9015aa044bae9d41b8380d781187b426c6fe43df5fb2fb57bd4466ef6a701e1f01e015694deaddeaddeaddeaddeaddeaddeaddeaddead000194420000000000000000000000000000000000001580808408f0d18001b90104" + input[2:]
	text := `{"type":"0x7e","hash":"0x0000000000000000000000000000000000000000000000000000000000000000","sourceHash":"0x44bae9d41b8380d781187b426c6fe43df5fb2fb57bd4466ef6a701e1f01e0156",
		"from":"0xdeaddeaddeaddeaddeaddeaddeaddeaddead0001","to":"0x4200000000000000000000000000000000000015","mint":"0x0","value":"0x0","gas":"0x8f0d180","isSystemTx":true,"input":"` + input + `"}`
	d := newDecoder(t, "base", Contracts{})
	tx := must[*transaction](t)(d.rules.decodeTx("block", 0, json.RawMessage(text), nil))
	if got := hex.EncodeToString(tx.raw); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	_, err := newDecoder(t, "ethereum", Contracts{}).rules.decodeTx("block", 0, json.RawMessage(text), nil)
	wantFault(t, err, ledger.FaultMalformed) // Ethereum has no such type
}

// TestDepositReceipt: since Canyon, a deposit's receipt commits to its nonce and
// version (nonce 4,012,991 of OP mainnet); before, it does not.
func TestDepositReceipt(t *testing.T) {
	nonce, version, status := hexutil.Uint64(4_012_991), hexutil.Uint64(1), hexutil.Uint64(1)
	rec := &receipt{cumulated: 46_913}
	if err := rec.encode("block", 0, depositType, types.Bloom{}, &receiptAnswer{Status: &status, DepositNonce: &nonce, DepositVersion: &version}); err != nil {
		t.Fatal(err)
	}
	empty := strings.Repeat("00", 256)
	if got, want := hex.EncodeToString(rec.encoded), "7ef9010d0182b741b90100"+empty+"c0833d3bbf01"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := rec.encode("block", 0, depositType, types.Bloom{}, &receiptAnswer{Status: &status, DepositNonce: &nonce}); err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(rec.encoded), "7ef901080182b741b90100"+empty+"c0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestVaults: on the OP stack tips, base fees and L1 fees go to three accounts,
// and a deposit's mint comes out of nothing, even if it fails.
func TestVaults(t *testing.T) {
	d := newDecoder(t, "base", Contracts{})
	h := &header{Header: &types.Header{Number: big.NewInt(9), Difficulty: new(big.Int), BaseFee: big.NewInt(10), Coinbase: common.HexToAddress("0x11")}}
	to := common.HexToAddress("0x22")
	tx := types.NewTx(&types.DynamicFeeTx{To: &to, GasFeeCap: big.NewInt(100), GasTipCap: big.NewInt(3), Value: big.NewInt(1)})
	c := &content{
		h: h, txs: []*transaction{
			{kind: depositType, mint: big.NewInt(500), value: big.NewInt(400), from: to, to: &to},
			{std: tx, kind: 2, from: to, to: &to, value: tx.Value()},
		},
		receipts: []*receipt{{status: ledger.StatusFailed, gasUsed: 77}, {status: ledger.StatusOK, gasUsed: 1000, l1Fee: big.NewInt(7)}},
	}
	b := must[*ledger.Block](t)(d.block("block", c))
	want := `0:0 #0  -> 0x0000000000000000000000000000000000000022 500 of eth kind 2 status 0 proven
0:1 #0 0x0000000000000000000000000000000000000022 -> 0x0000000000000000000000000000000000000022 400 of eth kind 1 status 1 proven
1:0 #0 0x0000000000000000000000000000000000000022 -> 0x0000000000000000000000000000000000000022 1 of eth kind 1 status 0 proven
1:1 #0 0x0000000000000000000000000000000000000022 ->  13007 of eth kind 3 status 0 attested
2:0 #0  -> 0x0000000000000000000000000000000000000011 3000 of eth kind 2 status 0 proven
2:1 #1  -> 0x4200000000000000000000000000000000000019 10000 of eth kind 2 status 0 proven
2:2 #2  -> 0x420000000000000000000000000000000000001A 7 of eth kind 2 status 0 attested
`
	if got := rows(b); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// edited is a real block with its JSON changed.
func edited(t *testing.T, a *answers, change func(block map[string]any, txs []any)) *answers {
	t.Helper()
	var block map[string]any
	if err := json.Unmarshal(a.block, &block); err != nil {
		t.Fatal(err)
	}
	txs, _ := block["transactions"].([]any)
	change(block, txs)
	b := *a
	b.block = must[[]byte](t)(json.Marshal(block))
	return &b
}

// TestStateSync: the transaction that Polygon's nodes append to a block is in no
// root. It is taken in, attested, when it is the last; elsewhere it is refused.
func TestStateSync(t *testing.T) {
	n := start(t, gethtest.Options{})
	to := n.Account(1)
	must[*types.Transaction](t)(n.Send(0, &to, coins(1), nil))
	must[*types.Header](t)(n.Mine())
	real := ask(t, n, 1)
	d := newDecoder(t, testChain, Contracts{})
	d.rules.exact, d.rules.stateSync = true, true
	hash, sync := "0x"+strings.Repeat("5", 64), map[string]any{
		"type": "0x0", "from": common.Address{}, "to": common.Address{}, "value": "0x0", "gas": "0x0", "gasPrice": "0x0", "nonce": "0x0", "input": "0x", "v": "0x0", "r": "0x0", "s": "0x0",
	}
	sync["hash"] = hash
	var first struct{ BlockHash string }
	if err := json.Unmarshal(real.receipts[0], &first); err != nil {
		t.Fatal(err)
	}
	who := common.BytesToHash(to.Bytes())
	receipt := must[[]byte](t)(json.Marshal(map[string]any{
		"blockHash": first.BlockHash, "transactionHash": hash, "status": "0x1", "cumulativeGasUsed": "0x0",
		"logs": []any{map[string]any{"address": common.HexToAddress("0x1010"), "topics": []any{newTopics().transfer, common.Hash{}, who}, "data": common.BigToHash(big.NewInt(9))}},
	}))
	last := edited(t, real, func(block map[string]any, txs []any) { block["transactions"] = append(txs, sync) })
	last.receipts = append(last.receipts[:1:1], receipt)
	b := must[*ledger.Block](t)(d.whole("block", last))
	if len(b.Txs) != 3 || b.Txs[0].Grade != ledger.GradeProven || b.Txs[1].Grade != ledger.GradeAttested {
		t.Fatalf("got\n%s", rows(b))
	}
	if x := b.Txs[1].Transfers; len(x) != 1 || x[0].Grade != ledger.GradeAttested || x[0].Amount != ledger.NewAmount(9) {
		t.Errorf("transfers %v, want one of 9, attested", x)
	}
	early := edited(t, real, func(block map[string]any, txs []any) { block["transactions"] = append([]any{sync}, txs...) })
	early.receipts = append([]json.RawMessage{receipt}, real.receipts...)
	_, err := d.whole("block", early)
	wantFault(t, err, ledger.FaultContents)
}

// TestForeignTypes: on a chain with transaction types of its own, raw bytes prove
// them; without the bytes the block is attested, and its receipts still proven.
func TestForeignTypes(t *testing.T) {
	n := start(t, gethtest.Options{})
	to := n.Account(1)
	sent := must[*types.Transaction](t)(n.Send(0, &to, coins(1), nil))
	must[*types.Header](t)(n.Mine())
	raw := must[[]byte](t)(sent.MarshalBinary())
	raw[0] = 0x6a
	foreign := &transaction{raw: raw}
	tree := items{raw}
	d := newDecoder(t, "arbitrum", Contracts{})
	a := edited(t, ask(t, n, 1), func(block map[string]any, txs []any) {
		tx, _ := txs[0].(map[string]any)
		tx["type"], tx["hash"] = "0x6a", hashOfBytes(foreign.raw)
		block["transactionsRoot"] = root(tree)
	})
	a.calls = nil
	var fields map[string]any
	if err := json.Unmarshal(a.receipts[0], &fields); err != nil {
		t.Fatal(err)
	}
	fields["transactionHash"] = hashOfBytes(raw)
	a.receipts = []json.RawMessage{must[[]byte](t)(json.Marshal(fields))}
	wantRoot := edited(t, a, func(block map[string]any, _ []any) {
		rec := &receipt{cumulated: 21_000}
		status := hexutil.Uint64(1)
		if err := rec.encode("block", 0, 0x6a, types.Bloom{}, &receiptAnswer{Status: &status}); err != nil {
			t.Fatal(err)
		}
		block["receiptsRoot"] = root(items{rec.encoded})
	})
	wantRoot.raws = map[int]hexutil.Bytes{0: raw}
	proven := must[*ledger.Block](t)(d.whole("block", wantRoot))
	if tx := proven.Txs[0]; tx.Grade != ledger.GradeAttested || proven.Grade != ledger.GradeAttested {
		t.Errorf("grade %s of a block %s; want attested", tx.Grade, proven.Grade)
	}
	wantRoot.raws = map[int]hexutil.Bytes{0: append(bytes.Clone(raw[:len(raw)-1]), raw[len(raw)-1]^1)}
	_, err := d.whole("block", wantRoot)
	wantFault(t, err, ledger.FaultContents)
	wantRoot.raws = nil
	if b := must[*ledger.Block](t)(d.whole("block", wantRoot)); b.Grade != ledger.GradeAttested || len(b.Raw) != 0 {
		t.Errorf("grade %s, %d raw bytes; want attested and none", b.Grade, len(b.Raw))
	}
	_, err = d.whole("block", a) // receipts of another root
	wantFault(t, err, ledger.FaultRoot)
}
