package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"
	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
)

const ethereumData = "../../chains/evm/testdata/mainnet/"

// canonical writes a receipt as the trie has it.
func canonical(t testing.TB, r *types.Receipt) []byte {
	t.Helper()
	var b bytes.Buffer
	types.Receipts{r}.EncodeIndex(0, &b)
	return b.Bytes()
}

// ethereumBlock makes the bytes that a block of these parts has.
func ethereumBlock(t testing.TB, h *types.Header, txs types.Transactions, receipts types.Receipts) *EthereumBlock {
	t.Helper()
	var rawTxs, rawReceipts [][]byte
	for i := range txs {
		rawTxs = append(rawTxs, must[[]byte](t)(txs[i].MarshalBinary()))
		rawReceipts = append(rawReceipts, canonical(t, receipts[i]))
	}
	return must[*EthereumBlock](t)(ReadEthereumBlock(must[[]byte](t)(rlp.EncodeToBytes(h)), rawTxs, rawReceipts))
}

// recordedBlock reads a block of mainnet with its transactions and receipts, as nodes answered.
func recordedBlock(t testing.TB, height int) *EthereumBlock {
	t.Helper()
	var file struct {
		Block    json.RawMessage
		Receipts types.Receipts
	}
	readJSON(t, fmt.Sprintf("%s%d.json", ethereumData, height), &file)
	var h types.Header
	var body struct{ Transactions types.Transactions }
	if err := json.Unmarshal(file.Block, &h); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file.Block, &body); err != nil {
		t.Fatal(err)
	}
	return ethereumBlock(t, &h, body.Transactions, file.Receipts)
}

// told prints what a proof shows.
func told(f EthereumFacts) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%d:%d type %d %s -> %s %s status %d: %s", f.Height, f.Index, f.Type, f.From, f.To, f.Value, f.Status, f.Grade.Grade)
	for i := range f.Logs {
		if x, ok := f.Transfer(i); ok {
			fmt.Fprintf(&w, "; log %d %s -> %s %s of %s", i, x.From, x.To, x.Amount, x.Asset.Contract)
		}
	}
	return w.String()
}

// Real blocks of before Byzantium, from the block's hash down to what was paid. chains/evm reads the same out of them.
func TestEthereumRecorded(t *testing.T) {
	for _, test := range []struct {
		height int
		hash   string
		want   []string
	}{
		{1755635, "1dec87ec1ba8e65b7773bb6f62249468948a28a427efd3d896a2ff7d7c591a67", []string{
			"1755635:0 type 0 0xeD059bc543141c8C93031d545079b3Da0233b27f -> 0x8B3B3b624c3C0397D3da8Fd861512393d51DCbac 0 status 0: proven; log 0 0x6498077292a0921C8804924FDf47B5E91E2a215f -> 0x8B3B3b624c3C0397D3da8Fd861512393d51DCbac 5000000000000000000 of 0xBB9bc244D798123fDe783fCc1C72d3Bb8C189413",
			"1755635:1 type 0 0x3763e6e1228bFeaB94191C856412d1Bb0A8e6996 -> 0xEC1ebAc9dA3430213281c80FA6d46378341a96aE 405738107000000000 status 0: proven",
		}},
		{483920, "246edb4b351d93c27926f4649bcf6c24366e2a7c7c718dc9158eea20c03bc6ae", []string{
			"483920:0 type 0 0x1B63142628311395CEaFeEa5667e7C9026c862Ca -> 0xf4eCEd2f682CE333f96f2D8966C613DeD8fC95DD 0 status 0: proven; log 0 0x1B63142628311395CEaFeEa5667e7C9026c862Ca -> 0xAC4dF82fe37EA2187bc8C011a23d743B4F39019A 100000 of 0xf4eCEd2f682CE333f96f2D8966C613DeD8fC95DD",
			"483920:1 type 0 0x9b22a80D5c7B3374a05b446081f97d0A34079e7F -> 0xf4eCEd2f682CE333f96f2D8966C613DeD8fC95DD 0 status 0: proven; log 0 0x9b22a80D5c7B3374a05b446081f97d0A34079e7F -> 0x66F183060253CFbe45bEFF1E6E7ebBe318c81E56 200000 of 0xf4eCEd2f682CE333f96f2D8966C613DeD8fC95DD",
			"483920:2 type 0 0x9Df428A91Ff0F3635C8f0ce752933b9788926804 -> 0x9E669F970ec0F49Bb735f20799A7e7C4A1c274E2 11000440000000000 status 0: proven",
			"483920:3 type 0 0x2a65Aca4D5fC5B5C859090a6c34d164135398226 -> 0x743B8aeedc163c0e3a0fE9f3910d146C48E70Da8 1530219620000000000 status 0: proven",
		}},
	} {
		b := recordedBlock(t, test.height)
		for i, want := range test.want {
			f := must[EthereumFacts](t)(VerifyEthereum("ethereum", must[Ethereum](t)(BuildEthereum("ethereum", b, i))))
			if got := told(f); !strings.EqualFold(got, want) || f.Block.String() != test.hash || f.ID != b.IDs()[i] {
				t.Errorf("block %s:\ngot  %s\nwant %s", f.Block, got, want)
			}
		}
		if len(b.txs) != len(test.want) {
			t.Errorf("block %d has %d transactions, want %d", test.height, len(b.txs), len(test.want))
		}
	}
}

// modernReceipts are all receipts of mainnet blocks 17173049 and 17173050, of which the transactions and full headers were not recorded.
func modernReceipts(t testing.TB) (roots []common.Hash, all []types.Receipts) {
	t.Helper()
	var f struct {
		Blocks []struct {
			Number uint64      `json:"number"`
			Root   common.Hash `json:"receipts_root"`
		} `json:"blocks"`
		Transactions []struct {
			Block     uint64 `json:"block_number"`
			Type      uint8  `json:"transaction_type"`
			Cumulated uint64 `json:"receipt_cumulative_gas_used"`
			Status    uint64 `json:"receipt_status"`
		} `json:"transactions"`
		Logs []struct {
			Block   uint64         `json:"block_number"`
			Tx      int            `json:"transaction_index"`
			Address common.Address `json:"address"`
			Data    hexutil.Bytes  `json:"data"`
			Topics  []common.Hash  `json:"topics"`
		} `json:"logs"`
	}
	readJSON(t, ethereumData+"17173049.json.gz", &f)
	for _, b := range f.Blocks {
		var list types.Receipts
		for _, tx := range f.Transactions {
			if tx.Block == b.Number {
				list = append(list, &types.Receipt{Type: tx.Type, Status: tx.Status, CumulativeGasUsed: tx.Cumulated})
			}
		}
		for _, l := range f.Logs {
			if l.Block == b.Number {
				list[l.Tx].Logs = append(list[l.Tx].Logs, &types.Log{Address: l.Address, Topics: l.Topics, Data: l.Data})
			}
		}
		for _, r := range list {
			r.Bloom = types.CreateBloom(r)
		}
		roots, all = append(roots, b.Root), append(all, list)
	}
	return roots, all
}

// Each of the receipts of two blocks of 2023 is proven against its receiptsRoot, at its place and at no other, as go-ethereum proves it.
func TestModernReceipts(t *testing.T) {
	roots, blocks := modernReceipts(t)
	receipts, logs, kinds := 0, 0, map[byte]int{}
	for k, list := range blocks {
		var raw [][]byte
		for _, r := range list {
			raw = append(raw, canonical(t, r))
		}
		planted := must[*trie.Trie](t)(plant("receipts", roots[k], raw))
		for i, want := range list {
			nodes := must[[][]byte](t)(unhexAll("", must[[]string](t)(prove(planted, i))))
			got := must[[]byte](t)(verifyTrie("receipt", roots[k], uint64(i), nodes))
			if !bytes.Equal(got, raw[i]) || !bytes.Equal(got, theirs(t, roots[k], i, nodes)) {
				t.Errorf("receipt %d: got %x, want %x", i, got, raw[i])
			}
			if _, err := verifyTrie("receipt", roots[k], uint64(i+1), nodes); err == nil {
				t.Errorf("receipt %d is accepted at %d", i, i+1)
			}
			r := must[receipt](t)(readReceipt(got))
			if r.kind != want.Type || r.failed != (want.Status == 0) || r.silent || r.gas != want.CumulativeGasUsed || len(r.logs) != len(want.Logs) {
				t.Errorf("receipt %d: got %+v, want %+v", i, r, want)
			}
			for n, l := range r.logs {
				if w := want.Logs[n]; l.Contract != w.Address || !bytes.Equal(l.Data, w.Data) || fmt.Sprint(l.Topics) != fmt.Sprint(hashes(w.Topics)) {
					t.Errorf("receipt %d, log %d: got %+v, want %+v", i, n, l, w)
				}
			}
			receipts, logs = receipts+1, logs+len(r.logs)
			kinds[r.kind]++
		}
	}
	if receipts != 298 || logs != 681 || kinds[0] != 48 || kinds[2] != 250 {
		t.Errorf("got %d receipts, %d logs, types %v; want 298, 681, 48 of type 0 and 250 of type 2", receipts, logs, kinds)
	}
}

func hashes(topics []common.Hash) [][32]byte {
	var all [][32]byte
	for _, h := range topics {
		all = append(all, h)
	}
	return all
}

// theirs is what go-ethereum's verifier makes of the same nodes.
func theirs(t testing.TB, root common.Hash, index int, nodes [][]byte) []byte {
	t.Helper()
	db := memorydb.New()
	for _, n := range nodes {
		if err := db.Put(crypto.Keccak256(n), n); err != nil {
			t.Fatal(err)
		}
	}
	return must[[]byte](t)(trie.VerifyProof(root, rlp.AppendUint64(nil, uint64(index)), db))
}

// made is a block of go-ethereum's making with transactions of every type, signed before and after EIP-155, paying and creating.
func made(t testing.TB, n int) (*EthereumBlock, types.Transactions, types.Receipts) {
	t.Helper()
	secret, err := crypto.ToECDSA(crypto.Keccak256([]byte("a payer of test blocks")))
	if err != nil {
		t.Fatal(err)
	}
	id, to := big.NewInt(1), common.HexToAddress("0x00000000000000000000000000000000000000fe")
	token := common.HexToAddress("0xdac17f958d2ee523a2206206994597c13d831ec7")
	var txs types.Transactions
	var receipts types.Receipts
	for i := range uint64(n) {
		value := new(big.Int).Lsh(big.NewInt(int64(i)), uint(i%100))
		payee := &to
		if i%7 == 6 {
			payee = nil
		}
		var data types.TxData
		switch i % 5 {
		case 0:
			data = &types.LegacyTx{Nonce: i, GasPrice: big.NewInt(1), Gas: 90_000, To: payee, Value: value, Data: []byte{1}}
		case 1:
			data = &types.AccessListTx{ChainID: id, Nonce: i, GasPrice: big.NewInt(1), Gas: 90_000, To: payee, Value: value, AccessList: types.AccessList{{Address: to}}}
		case 2:
			data = &types.DynamicFeeTx{ChainID: id, Nonce: i, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(2), Gas: 90_000, To: payee, Value: value}
		case 3:
			data = &types.BlobTx{ChainID: uint256.NewInt(1), Nonce: i, Gas: 90_000, To: to, Value: uint256.MustFromBig(value), BlobHashes: []common.Hash{{1}}}
		case 4:
			data = &types.SetCodeTx{ChainID: uint256.NewInt(1), Nonce: i, Gas: 90_000, To: to, Value: uint256.MustFromBig(value), AuthList: []types.SetCodeAuthorization{{Address: to}}}
		}
		signer := types.LatestSignerForChainID(id)
		if i%10 == 5 {
			signer = types.HomesteadSigner{}
		}
		tx := must[*types.Transaction](t)(types.SignNewTx(secret, signer, data))
		r := &types.Receipt{Type: tx.Type(), Status: 1, CumulativeGasUsed: (i + 1) * 40_000}
		if i%4 == 3 {
			r.Status = 0
		} else {
			r.Logs = []*types.Log{{Address: token, Topics: []common.Hash{common.HexToHash(topicTransfer), {31: 1}, {31: 2}}, Data: common.BigToHash(value).Bytes()}}
		}
		r.Bloom = types.CreateBloom(r)
		txs, receipts = append(txs, tx), append(receipts, r)
	}
	h := &types.Header{Number: big.NewInt(20_000_000), Time: 1_700_000_000, Difficulty: new(big.Int), TxHash: types.DeriveSha(txs, trie.NewStackTrie(nil)), ReceiptHash: types.DeriveSha(receipts, trie.NewStackTrie(nil))}
	return ethereumBlock(t, h, txs, receipts), txs, receipts
}

// Sender, payee, value, type and outcome are what go-ethereum reads of the same transactions.
func TestEthereumTypes(t *testing.T) {
	b, txs, receipts := made(t, 300)
	logs := 0
	for i, tx := range txs {
		f := must[EthereumFacts](t)(VerifyEthereum("ethereum", must[Ethereum](t)(BuildEthereum("ethereum", b, i))))
		signer := types.LatestSignerForChainID(big.NewInt(1))
		if !tx.Protected() {
			signer = types.HomesteadSigner{}
		}
		from := must[common.Address](t)(types.Sender(signer, tx))
		to := crypto.CreateAddress(from, tx.Nonce())
		if tx.To() != nil {
			to = *tx.To()
		}
		want := fmt.Sprintf("%x %d %x %x %s %v", tx.Hash(), tx.Type(), from, to, tx.Value(), receipts[i].Status == 1)
		got := fmt.Sprintf("%s %d %x %x %s %v", f.ID, f.Type, f.From.Payload, f.To.Payload, f.Value, f.Status == ledger.StatusOK)
		if got != want {
			t.Errorf("transaction %d:\ngot  %s\nwant %s", i, got, want)
		}
		native := ledger.Transfer{Kind: ledger.TransferNative, From: f.From, To: f.To, Asset: ledger.NativeAsset("ethereum"), Amount: f.Value}
		if got := f.GradeOf(native).Grade; (got == ledger.GradeProven) != (receipts[i].Status == 1) {
			t.Errorf("transaction %d, of status %d: value is %s", i, receipts[i].Status, got)
		}
		native.Amount = native.Amount.Plus(ledger.NewAmount(1))
		if got := f.GradeOf(native).Grade; got != ledger.GradeAttested {
			t.Errorf("transaction %d: one wei more is %s", i, got)
		}
		for k := range f.Logs {
			if at, place, err := b.Log(logs); at != i || place != k || err != nil {
				t.Errorf("log %d: got transaction %d, place %d, %v; want %d, %d", logs, at, place, err, i, k)
			}
			x, ok := f.Transfer(k)
			if logs++; !ok || f.GradeOf(x).Grade != ledger.GradeProven {
				t.Errorf("transaction %d, log %d: got %+v, %v", i, k, x, f.GradeOf(x))
			}
			x.Kind = ledger.TransferInternal
			if got := f.GradeOf(x).Grade; got != ledger.GradeAttested {
				t.Errorf("transaction %d, log %d as an internal transfer is %s", i, k, got)
			}
		}
	}
	if _, _, err := b.Log(logs); err == nil {
		t.Errorf("a log after the last of %d is found", logs)
	}
}

// A receipt with a state root tells success only by gas or logs.
func TestEthereumSilentReceipts(t *testing.T) {
	_, txs, _ := made(t, 1)
	gas := txs[0].Gas()
	for _, test := range []struct {
		name string
		gas  uint64
		logs int
		want ledger.Grade
	}{{"gas left", gas - 1, 0, ledger.GradeProven}, {"all gas", gas, 0, ledger.GradeAttested}, {"all gas and a log", gas, 1, ledger.GradeProven}} {
		txs := types.Transactions{txs[0], txs[0]}
		var receipts types.Receipts
		for i := range uint64(2) {
			r := &types.Receipt{PostState: bytes.Repeat([]byte{7}, 32), CumulativeGasUsed: (i + 1) * test.gas}
			for range test.logs {
				r.Logs = append(r.Logs, &types.Log{})
			}
			r.Bloom = types.CreateBloom(r)
			receipts = append(receipts, r)
		}
		h := &types.Header{Number: big.NewInt(9), Difficulty: new(big.Int), TxHash: types.DeriveSha(txs, trie.NewStackTrie(nil)), ReceiptHash: types.DeriveSha(receipts, trie.NewStackTrie(nil))}
		b := ethereumBlock(t, h, txs, receipts)
		for i := range 2 {
			p := must[Ethereum](t)(BuildEthereum("ethereum", b, i))
			f := must[EthereumFacts](t)(VerifyEthereum("ethereum", p))
			if f.Grade.Grade != test.want || (p.Before != nil) != (i == 1) {
				t.Errorf("%s, transaction %d: got %+v, %d nodes of the receipt before; want %s", test.name, i, f.Grade, len(p.Before), test.want)
			}
		}
	}
}

// Tries of any size: every index has its value and no other, by our verifier as by go-ethereum's.
func TestTrie(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var list [][]byte
		for range rapid.IntRange(1, 400).Draw(r, "values") {
			list = append(list, rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(r, "value"))
		}
		planted := trie.NewEmpty(nil)
		for i, v := range list {
			planted.MustUpdate(rlp.AppendUint64(nil, uint64(i)), v)
		}
		root, i := planted.Hash(), rapid.IntRange(0, len(list)-1).Draw(r, "index")
		nodes := must[[][]byte](t)(unhexAll("", must[[]string](t)(prove(planted, i))))
		got, err := verifyTrie("trie", root, uint64(i), nodes)
		if err != nil || !bytes.Equal(got, list[i]) || !bytes.Equal(theirs(t, root, i, nodes), got) {
			r.Errorf("index %d: got %x, %v; want %x", i, got, err, list[i])
		}
		other := rapid.IntRange(0, 500).Draw(r, "other")
		if got, err := verifyTrie("trie", root, uint64(other), nodes); other != i && err == nil && (other >= len(list) || !bytes.Equal(got, list[other])) {
			r.Errorf("the nodes of %d show %x at %d", i, got, other)
		}
		if _, err := verifyTrie("trie", root, uint64(i), append(nodes, nodes[0])); err == nil {
			r.Errorf("a node that is not on the way is accepted")
		}
	})
}

// Our RLP reader takes what go-ethereum's takes, and nothing else.
func FuzzRLP(f *testing.F) {
	for _, s := range []string{"", "00", "80", "8100", "8180", "b800", "b838", "c0", "c180", "c28100", "f800", "f90000", "bfffffffffffffffff", "ffffffffffffffffff"} {
		f.Add(must[[]byte](f)(hex.DecodeString(s)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, content, rest, err := rlp.Split(b)
		got, left, mine := readItem(b)
		if (err == nil) != (mine == nil) {
			t.Fatalf("%x: got %v, go-ethereum says %v", b, mine, err)
		}
		if err == nil && (got.list != (kind == rlp.List) || !bytes.Equal(got.body, content) || !bytes.Equal(left, rest)) {
			t.Errorf("%x: got %+v and %x, want %x and %x", b, got, left, content, rest)
		}
	})
}
