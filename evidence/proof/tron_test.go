package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/internal/trontest"
	"github.com/spoortrace/spoor/ledger"
)

// recordedTron is block 79072107 of TRON's mainnet as java-tron answered it.
func recordedTron(t testing.TB) (*TronBlock, *protocol.BlockExtention) {
	t.Helper()
	var answer protocol.BlockExtention
	if err := proto.Unmarshal(must[[]byte](t)(trontest.Recorded(trontest.Height)), &answer); err != nil {
		t.Fatal(err)
	}
	var txs [][]byte
	for _, tx := range answer.GetTransactions() {
		txs = append(txs, tx.GetTransaction())
	}
	return must[*TronBlock](t)(ReadTronBlock(answer.GetBlockHeader().GetRawData(), txs)), &answer
}

// Every transaction of a real block is proven; ids and block id are those that java-tron states. What is read of them is what the wire
// package's decoder reads: 230 transfers of TRX by TransferContract, 152 of USDT by transfer, 2 by transferFrom.
func TestTronRecorded(t *testing.T) {
	b, answer := recordedTron(t)
	usdt, _ := ledger.AssetBySymbol("tron", "USDT")
	payments, tokens, failed, proved := 0, 0, 0, 0
	for i, tx := range answer.GetTransactions() {
		f := must[TronFacts](t)(VerifyTron("tron", must[Tron](t)(BuildTron("tron", b, i))))
		if string(f.ID[:]) != string(tx.GetTxid()) || string(f.Block[:]) != string(answer.GetBlockid()) || f.Height != trontest.Height || f.Time != 1767879414000 {
			t.Errorf("transaction %d: got %+v, want %x in %x", i, f, tx.GetTxid(), answer.GetBlockid())
		}
		if f.Status == ledger.StatusFailed {
			failed++
		}
		if f.Grade.Grade == ledger.GradeProven {
			proved++
		}
		for _, x := range f.Transfers {
			if x.Kind == ledger.TransferNative && x.Grade == ledger.GradeProven {
				payments++
			}
			if x.Asset == usdt && x.Grade == ledger.GradeProven {
				tokens++
			}
			if got := f.GradeOf(x).Grade; got != x.Grade {
				t.Errorf("transaction %d: %+v is %s", i, x, got)
			}
			x.Amount = x.Amount.Plus(ledger.NewAmount(1))
			if got := f.GradeOf(x).Grade; got != ledger.GradeAttested {
				t.Errorf("transaction %d: one unit more is %s", i, got)
			}
		}
		if want := paid(t, tx.GetTransaction()); f.Status == ledger.StatusOK && want != "" && !strings.Contains(list(f.Transfers), want) {
			t.Errorf("transaction %d: got %s, want %s", i, list(f.Transfers), want)
		}
	}
	if got, want := fmt.Sprint(len(b.txs), payments, tokens, failed, proved), "619 230 154 0 384"; got != want {
		t.Errorf("transactions, payments of TRX, of USDT, failed, proven: got %s, want %s", got, want)
	}
}

func list(all []ledger.Transfer) string {
	var w strings.Builder
	for _, x := range all {
		fmt.Fprintf(&w, "[%s -> %s %s of %s]", x.From, x.To, x.Amount, x.Asset)
	}
	return w.String()
}

// paid reads a TransferContract with the decoder that is made of java-tron's definitions.
func paid(t *testing.T, b []byte) string {
	t.Helper()
	var tx protocol.Transaction
	var raw protocol.TransactionRaw
	var c protocol.TransferContract
	if proto.Unmarshal(b, &tx) != nil || proto.Unmarshal(tx.GetRawData(), &raw) != nil || raw.GetContract()[0].GetType() != tronTransfer {
		return ""
	}
	if err := proto.Unmarshal(raw.GetContract()[0].GetParameter().GetValue(), &c); err != nil {
		t.Fatal(err)
	}
	from, to := ledger.AccountAddress("tron", [20]byte(c.GetOwnerAddress()[1:])), ledger.AccountAddress("tron", [20]byte(c.GetToAddress()[1:]))
	return fmt.Sprintf("[%s -> %s %d of tron:native]", from, to, c.GetAmount())
}

// A block as it is stored is read like its parts.
func TestTronRawBlock(t *testing.T) {
	b, answer := recordedTron(t)
	var raw []byte
	for _, tx := range b.txs {
		raw = protowire.AppendBytes(protowire.AppendTag(raw, 1, protowire.BytesType), tx)
	}
	header := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b.header)
	header = protowire.AppendBytes(protowire.AppendTag(header, 2, protowire.BytesType), answer.GetBlockHeader().GetWitnessSignature())
	raw = protowire.AppendBytes(protowire.AppendTag(raw, 2, protowire.BytesType), header)
	got := must[*TronBlock](t)(ReadRawTronBlock(raw))
	if fmt.Sprint(got.IDs()) != fmt.Sprint(b.IDs()) || !bytes.Equal(got.header, b.header) {
		t.Errorf("got %d transactions, want %d", len(got.ids), len(b.ids))
	}
}

// Untron proves one transaction of block 78812179; ours is the same branch, and leads to the same root.
func TestTronAgreesWithUntron(t *testing.T) {
	var f struct {
		TxID, EncodedTx, TxLeaf, Root, Header string
		TargetIndex                           int
		IndexBits                             int `json:"indexBits,string"`
		Leaves, Proof                         []string
	}
	readJSON(t, "testdata/tron-proof-78812179.json.gz", &f)
	bare := func(s string) []byte { return must[[]byte](t)(unhex("untron", strings.TrimPrefix(s, "0x"))) }
	var leaves [][32]byte
	for _, l := range f.Leaves {
		leaves = append(leaves, [32]byte(bare(l)))
	}
	header, tx := read("header", bare(f.Header)).bytes(1), bare(f.EncodedTx)
	b := &TronBlock{header: header, txs: make([][]byte, len(leaves)), ids: make([]ledger.TxID, len(leaves))}
	b.grow(leaves)
	b.txs[f.TargetIndex], b.ids[f.TargetIndex] = tx, ledger.TxID(bare(f.TxID))
	p := must[Tron](t)(BuildTron("tron", b, f.TargetIndex))
	if len(p.Branch) != len(f.Proof) || sha256.Sum256(tx) != leaves[f.TargetIndex] {
		t.Fatalf("got %d siblings, want %d", len(p.Branch), len(f.Proof))
	}
	for i, want := range f.Proof {
		got := TronSibling{Right: strings.TrimPrefix(want, "0x")}
		if f.IndexBits>>i&1 == 1 {
			got.Left, got.Right = got.Right, ""
		}
		if p.Branch[i] != got {
			t.Errorf("sibling %d: got %+v, want %+v", i, p.Branch[i], got)
		}
	}
	facts := must[TronFacts](t)(VerifyTron("tron", p))
	if facts.Height != 78_812_179 || facts.Grade.Grade != ledger.GradeAttested || len(facts.Transfers) != 0 {
		t.Errorf("got %+v, want a call that is no transfer", facts)
	}
}

// Untron reads 55 calls of USDT in block 78115149; ours says the same of each.
func TestTronTransfersAgreeWithUntron(t *testing.T) {
	var f struct {
		Trc20Txs []struct {
			TxID, TxLeaf, EncodedTx, TronTokenEvm, FromTron, ToTron, Amount string
			IsTransferFrom, Success                                         bool
		}
	}
	readJSON(t, "testdata/tron-trc20-78115149.json.gz", &f)
	for _, want := range f.Trc20Txs {
		b := must[[]byte](t)(hex.DecodeString(want.EncodedTx[2:]))
		leaf := sha256.Sum256(b)
		got := must[TronFacts](t)(readTronTx("tron", b))
		if "0x"+got.ID.String() != want.TxID || "0x"+hex.EncodeToString(leaf[:]) != want.TxLeaf || len(got.Transfers) != 1 {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		x := got.Transfers[0]
		said := fmt.Sprintf("0x%x 0x41%x 0x41%x %s %v %s", x.Asset.Contract.Payload, x.From.Payload, x.To.Payload, x.Amount, got.Status == ledger.StatusOK, got.Grade.Grade)
		if theirs := fmt.Sprintf("%s %s %s %s %v proven", want.TronTokenEvm, want.FromTron, want.ToTron, want.Amount, want.Success); said != theirs {
			t.Errorf("%s:\ngot  %s\nwant %s", want.TxID, said, theirs)
		}
	}
	if len(f.Trc20Txs) != 55 {
		t.Errorf("%d calls, want 55", len(f.Trc20Txs))
	}
}

// trx makes a transaction around one contract.
func trx(kind uint64, name string, value, outcome []byte) []byte {
	field := func(to []byte, n protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, n, protowire.BytesType), b)
	}
	parameter := field(field(nil, 1, []byte("type.googleapis.com/protocol."+name)), 2, value)
	contract := field(protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), kind), 2, parameter)
	tx := field(field(nil, 1, field(nil, 11, contract)), 2, make([]byte, 65))
	if outcome != nil {
		tx = field(tx, 5, outcome)
	}
	return tx
}

// What a transaction does not say in the one form that is read is not proven.
func TestTronGrades(t *testing.T) {
	account := func(n byte) []byte { return append([]byte{0x41}, bytes.Repeat([]byte{n}, 20)...) }
	usdt, _ := ledger.AssetBySymbol("tron", "USDT")
	marshal := func(m proto.Message) []byte { return must[[]byte](t)(proto.Marshal(m)) }
	success, reverted := []byte{0x18, 1}, []byte{0x18, 2}
	payment := marshal(&protocol.TransferContract{OwnerAddress: account(1), ToAddress: account(2), Amount: 7})
	call := func(contract []byte, data string) []byte {
		return marshal(&protocol.TriggerSmartContract{OwnerAddress: account(1), ContractAddress: contract, Data: must[[]byte](t)(hex.DecodeString(data))})
	}
	tether := append([]byte{0x41}, usdt.Contract.Payload...)
	zeros, who, amount := strings.Repeat("0", 24), strings.Repeat("02", 20), strings.Repeat("0", 62)+"09"
	for _, test := range []struct {
		name      string
		tx        []byte
		grade     ledger.Grade
		status    ledger.Status
		transfers int
	}{
		{"payment", trx(1, "TransferContract", payment, success), ledger.GradeProven, ledger.StatusOK, 1},
		{"payment that failed", trx(1, "TransferContract", payment, reverted), ledger.GradeProven, ledger.StatusFailed, 0},
		{"payment that failed, in the old way", trx(1, "TransferContract", payment, []byte{0x10, 1}), ledger.GradeProven, ledger.StatusFailed, 0},
		{"payment of no stated outcome", trx(1, "TransferContract", payment, nil), ledger.GradeAttested, ledger.StatusUnknown, 1},
		{"payment of another name", trx(1, "TransferAssetContract", payment, success), ledger.GradeAttested, ledger.StatusOK, 0},
		{"payment with its amount twice", trx(1, "TransferContract", append(bytes.Clone(payment), 0x18, 9), success), ledger.GradeAttested, ledger.StatusOK, 0},
		{"transfer of USDT", trx(31, "TriggerSmartContract", call(tether, selectTransfer+zeros+who+amount), success), ledger.GradeProven, ledger.StatusOK, 1},
		{"transfer of USDT, with the 41", trx(31, "TriggerSmartContract", call(tether, selectTransfer+zeros[2:]+"41"+who+amount), success), ledger.GradeProven, ledger.StatusOK, 1},
		{"transfer of USDT, with dirt", trx(31, "TriggerSmartContract", call(tether, selectTransfer+"01"+zeros[2:]+who+amount), success), ledger.GradeAttested, ledger.StatusOK, 0},
		{"transfer of USDT, cut off", trx(31, "TriggerSmartContract", call(tether, selectTransfer+zeros+who), success), ledger.GradeAttested, ledger.StatusOK, 0},
		{"transfer of USDT, and more", trx(31, "TriggerSmartContract", call(tether, selectTransfer+zeros+who+amount+"00"), success), ledger.GradeAttested, ledger.StatusOK, 0},
		{"transferFrom of USDT", trx(31, "TriggerSmartContract", call(tether, selectTransferFrom+zeros+who+zeros+who+amount), success), ledger.GradeProven, ledger.StatusOK, 1},
		{"transfer of an unknown token", trx(31, "TriggerSmartContract", call(account(3), selectTransfer+zeros+who+amount), success), ledger.GradeAttested, ledger.StatusOK, 1},
		{"transfer that was reverted", trx(31, "TriggerSmartContract", call(tether, selectTransfer+zeros+who+amount), reverted), ledger.GradeProven, ledger.StatusFailed, 0},
		{"another contract", trx(54, "FreezeBalanceV2Contract", nil, success), ledger.GradeAttested, ledger.StatusOK, 0},
	} {
		f, err := readTronTx("tron", test.tx)
		if err != nil || f.Grade.Grade != test.grade || f.Status != test.status || len(f.Transfers) != test.transfers || f.Grade.Why == "" {
			t.Errorf("%s: got %+v, %v; want %s, status %d, %d transfers", test.name, f, err, test.grade, test.status, test.transfers)
		}
	}
}

// In a tree of any size each transaction is proven, and only with its own branch.
func TestTronTree(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 70).Draw(r, "transactions")
		var txs [][]byte
		var leaves [][32]byte
		for i := range n {
			txs = append(txs, trx(uint64(i), "", nil, []byte{0x18, 1}))
			leaves = append(leaves, sha256.Sum256(txs[i]))
		}
		var grown TronBlock
		grown.grow(leaves)
		header := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), grown.levels[len(grown.levels)-1][0][:])
		b, err := ReadTronBlock(header, txs)
		if err != nil {
			r.Fatal(err)
		}
		i, other := rapid.IntRange(0, n-1).Draw(r, "index"), rapid.IntRange(0, n-1).Draw(r, "other")
		p, err := BuildTron("tron", b, i)
		if err != nil {
			r.Fatal(err)
		}
		q, err := BuildTron("tron", b, other)
		if err != nil {
			r.Fatal(err)
		}
		p.Branch = q.Branch
		if _, err := VerifyTron("tron", p); (err == nil) != (i == other) {
			r.Errorf("transaction %d with the branch of %d, of %d: %v", i, other, n, err)
		}
	})
}

// 64 bytes can be two hashes.
func TestTronInnerNode(t *testing.T) {
	b, _ := recordedTron(t)
	p := must[Tron](t)(BuildTron("tron", b, 5))
	left, right := b.levels[0][4], b.levels[0][5]
	p.Bytes, p.Branch = hex.EncodeToString(append(left[:], right[:]...)), p.Branch[1:]
	if _, err := VerifyTron("tron", p); err == nil || !strings.Contains(err.Error(), "64 bytes") {
		t.Errorf("got %v, want an inner node to be refused", err)
	}
}
