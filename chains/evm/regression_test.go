package evm

import (
	"encoding/json"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
)

func hashOfBytes(b []byte) common.Hash { return crypto.Keccak256Hash(b) }

// TestFailedInnerCall is blockbook #1621: a transaction that succeeds makes a call
// that pays on and then fails. The payment did not happen.
func TestFailedInnerCall(t *testing.T) {
	n := start(t, gethtest.Options{})
	teller := must[common.Address](t)(n.Make(0, "Teller", nil))
	must[*types.Header](t)(n.Mine())
	victim := common.HexToAddress("0xaa01")
	must[*types.Transaction](t)(n.Call(3, "Teller", teller, coins(1), "failing", victim))
	must[*types.Header](t)(n.Mine())
	b := must[*ledger.Block](t)(newDecoder(t, testChain, Contracts{}).whole("block", ask(t, n, 2)))
	for _, x := range b.Txs[0].Transfers {
		if x.To == wallet(victim) || x.Kind == ledger.TransferInternal {
			t.Errorf("%s of %s to %s was taken for real", x.Amount, x.Asset, x.To)
		}
	}
	if b.Txs[0].Status != ledger.StatusOK || len(b.Txs[0].Transfers) != 2 {
		t.Errorf("status %d, %d transfers; want success, the value and the fee", b.Txs[0].Status, len(b.Txs[0].Transfers))
	}
}

// TestLies: logs that look like those of tokens and issuers say nothing, unless
// they are ERC-20's exactly: then they are of their own contract and no other.
func TestLies(t *testing.T) {
	n := start(t, gethtest.Options{})
	liar := must[common.Address](t)(n.Make(4, "Liar", nil))
	fake := must[common.Address](t)(n.Make(4, "Token", nil, "USDT", big.NewInt(1_000)))
	must[*types.Header](t)(n.Mine())
	lies(t, n, liar)
	must[*types.Header](t)(n.Mine())
	must[*types.Transaction](t)(n.Call(4, "Token", fake, nil, "transfer", n.Account(0), big.NewInt(1_000)))
	must[*types.Transaction](t)(n.Call(5, "Token", fake, nil, "transferFrom", n.Account(0), n.Account(5), new(big.Int)))
	must[*types.Header](t)(n.Mine())
	d := newDecoder(t, testChain, Contracts{Tether: []ledger.Address{wallet(common.HexToAddress("0x99"))}})
	b := must[*ledger.Block](t)(d.whole("block", ask(t, n, 2)))
	for _, tx := range b.Txs {
		if !tx.Coinbase && (len(tx.Notices) != 0 || len(tx.Transfers) != 1 || tx.Transfers[0].Kind != ledger.TransferFee) {
			t.Errorf("transaction %d: %v and %v, want its fee alone", tx.Pos.Index(), tx.Transfers, tx.Notices)
		}
	}
	b = must[*ledger.Block](t)(d.whole("block", ask(t, n, 3)))
	first, second := b.Txs[0].Transfers[0], b.Txs[1].Transfers[0]
	if info := ledger.InfoOf(first.Asset); info.Known || first.Asset != ledger.TokenAsset(wallet(fake)) {
		t.Errorf("a fake USDT is %s, known %v", first.Asset, info.Known)
	}
	if !second.Amount.IsZero() || second.Kind != ledger.TransferToken || second.From != wallet(n.Account(0)) {
		t.Errorf("a zero-value spoof reads %+v, want a row of 0", second)
	}
}

// TestGreatNumbers: heights, gas, times and log counts above 2^31 and 2^32.
func TestGreatNumbers(t *testing.T) {
	h := &types.Header{
		Number: big.NewInt(1 << 40), Difficulty: new(big.Int), Time: 1 << 33, GasLimit: 1 << 50, GasUsed: 1 << 49, BaseFee: new(big.Int).Lsh(big.NewInt(1), 200),
		TxHash: types.EmptyTxsHash, ReceiptHash: types.EmptyReceiptsHash, UncleHash: types.EmptyUncleHash,
	}
	text := must[[]byte](t)(json.Marshal(h))
	d := newDecoder(t, testChain, Contracts{})
	b := must[*ledger.Block](t)(d.whole("block", &answers{block: text}))
	if b.Ref.Height != 1<<40 || b.Ref.Time != 1<<33*1000 {
		t.Errorf("height %d, time %d", b.Ref.Height, b.Ref.Time)
	}
	rec := &receipt{cumulated: 1 << 50}
	if err := number("block", []*transaction{{}, {}}, []*receipt{{cumulated: 1 << 33, status: ledger.StatusOK}, rec}); err != nil || rec.gasUsed != 1<<50-1<<33 {
		t.Errorf("gas %d, %v", rec.gasUsed, err)
	}
	for _, height := range []uint64{1 << 44, 1<<64 - 1} {
		h.Number = new(big.Int).SetUint64(height)
		_, err := decodeHeader("block", must[[]byte](t)(json.Marshal(h)), true)
		wantFault(t, err, ledger.FaultMalformed)
	}
	h.Number = new(big.Int).Lsh(big.NewInt(1), 64)
	_, err := decodeHeader("block", must[[]byte](t)(json.Marshal(h)), true)
	wantFault(t, err, ledger.FaultMalformed)
}

// TestBlobs: blob gas is part of the fee. Its price is proven on mainnet, where
// the schedule is known, and attested elsewhere.
func TestBlobs(t *testing.T) {
	excess, to := uint64(80_000_000), common.HexToAddress("0x22")
	tx := types.NewTx(&types.BlobTx{To: to, BlobHashes: make([]common.Hash, 3), BlobFeeCap: uint256.NewInt(1 << 60), GasFeeCap: uint256.NewInt(50), GasTipCap: uint256.NewInt(1)})
	for _, test := range []struct {
		chain  ledger.Chain
		excess uint64
		grade  ledger.Grade
	}{{"ethereum", excess, ledger.GradeProven}, {"ethereum", 1 << 63, ledger.GradeAttested}, {testChain, excess, ledger.GradeAttested}} {
		d := newDecoder(t, test.chain, Contracts{})
		h := &header{Header: &types.Header{Number: big.NewInt(20_000_000), Difficulty: new(big.Int), BaseFee: big.NewInt(10), Time: 1_717_281_407, ExcessBlobGas: &test.excess}}
		price := big.NewInt(12345)
		if want := d.rules.blobPrice(h); want != nil {
			price = want
		}
		c := &content{
			h: h, txs: []*transaction{{std: tx, kind: 3, to: &to, value: new(big.Int), from: to}},
			receipts: []*receipt{{status: ledger.StatusOK, gasUsed: 21_000, blobPrice: price}},
		}
		b := must[*ledger.Block](t)(d.block("block", c))
		fee := b.Txs[0].Transfers[len(b.Txs[0].Transfers)-1]
		want := new(big.Int).Add(big.NewInt(21_000*11), new(big.Int).Mul(price, big.NewInt(3*131_072)))
		if fee.Amount.String() != want.String() || fee.Grade != test.grade {
			t.Errorf("%s: fee %s %s, want %s %s", test.chain, fee.Amount, fee.Grade, want, test.grade)
		}
		c.receipts[0].blobPrice = big.NewInt(1 << 61)
		_, err := d.block("block", c)
		wantFault(t, err, ledger.FaultContents)
	}
}
