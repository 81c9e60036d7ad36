package bitcoin_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

const regtest = ledger.Chain("bitcoin-regtest")

// newRegtest serves a regtest of the genesis block alone.
func newRegtest(t *testing.T) *core {
	t.Helper()
	return newFake(t, regtest, &chaincfg.RegressionNetParams)
}

// newFake serves a private network of the genesis block alone.
func newFake(t *testing.T, chain ledger.Chain, params *chaincfg.Params) *core {
	t.Helper()
	c := &core{chain: chain, coins: map[ledger.OutPoint]ledger.Output{}, byHash: map[string]int{}, refuse: map[string]bool{}, served: map[string]int{}}
	var b bytes.Buffer
	if err := params.GenesisBlock.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	c.addRaw(t, b.Bytes())
	return c
}

func (c *core) addRaw(t *testing.T, raw []byte) *ledger.Block {
	t.Helper()
	b, err := bitcoin.Decode(c.chain, raw)
	if err != nil {
		t.Fatal(err)
	}
	block, err := b.At(uint64(len(c.blocks)), ledger.GradeProven, "test")
	if err != nil {
		t.Fatal(err)
	}
	c.add(block)
	return block
}

// mine adds a block of transactions to the chain, ten minutes after the last.
func (c *core) mine(t *testing.T, txs ...*wire.MsgTx) *ledger.Block {
	t.Helper()
	return c.mineAt(t, 600, 0x207fffff, txs...)
}

// mineAt adds a block so many seconds after the last.
func (c *core) mineAt(t *testing.T, after int64, bits uint32, txs ...*wire.MsgTx) *ledger.Block {
	t.Helper()
	tip := c.blocks[len(c.blocks)-1]
	parent := tip.Ref.Hash
	slices.Reverse(parent[:])
	root := txs[0].TxHash()
	if len(txs) == 2 {
		second := txs[1].TxHash()
		root = chainhash.DoubleHashH(append(root[:], second[:]...))
	}
	msg := wire.MsgBlock{Header: wire.BlockHeader{Version: 4, PrevBlock: chainhash.Hash(parent), MerkleRoot: root, Bits: bits}, Transactions: txs}
	var b bytes.Buffer
	if err := msg.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	binary.LittleEndian.PutUint32(raw[68:], uint32(tip.Ref.Time/1000+after))
	network, err := bitcoin.NetworkOf(c.chain)
	if err != nil {
		t.Fatal(err)
	}
	for nonce := uint32(0); ; nonce++ {
		binary.LittleEndian.PutUint32(raw[76:], nonce)
		if h, err := bitcoin.ParseHeader(raw); err != nil || network.Check(h) == nil {
			return c.addRaw(t, raw)
		}
	}
}

func coinbase(number byte) *wire.MsgTx {
	tx := wire.NewMsgTx(1)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 0xffffffff}, []byte{1, number, 0}, nil))
	tx.AddTxOut(wire.NewTxOut(50e8, []byte{0x51}))
	return tx
}

// Two coinbases of one id, as in 91,722 and 91,880 of mainnet (BIP 30): the
// second takes the place of the first, whose coin is lost, and is spent once.
func TestDuplicateCoinbase(t *testing.T) {
	exports := map[bool][]byte{} // by whether the node tells what is spent
	for _, spent := range []bool{false, true} {
		c := newRegtest(t)
		c.rest, c.spent = true, spent
		c.mine(t, coinbase(1))
		c.mine(t, coinbase(2))
		second := c.mine(t, coinbase(1))
		spend := wire.NewMsgTx(1)
		twice := coinbase(1).TxHash()
		spend.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&twice, 0), nil, nil))
		spend.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
		c.mine(t, coinbase(4), spend)
		n := dial(t, bitcoin.NodeOptions{Chain: regtest, RPC: c.serve(t)})
		h := newHeld(t, regtest)
		if err := store.Follow(t.Context(), h.network, []store.Source{n}, store.FollowOptions{}); err != nil {
			t.Fatal(err)
		}
		exports[spent] = h.export(t)
		b, err := n.Block(t.Context(), 3)
		if err != nil || b.Txs[0].ID != second.Txs[0].ID || b.Txs[0].ID != c.blocks[1].Txs[0].ID || b.Txs[0].Pos == c.blocks[1].Txs[0].Pos {
			t.Errorf("got %+v, %v", b, err)
		}
	}
	if !bytes.Equal(exports[false], exports[true]) {
		t.Error("the index depends on whether the node tells what is spent")
	}
}

// A node that lies about a coin that the index knows gets no row written.
func TestWrongCoin(t *testing.T) {
	for name, lie := range map[string]ledger.Output{
		"value": {Address: ledger.ScriptAddress(regtest, []byte{0x51}), Value: ledger.NewAmount(49e8)},
		"owner": {Address: ledger.ScriptAddress(regtest, []byte{0x52}), Value: ledger.NewAmount(50e8)},
	} {
		c := newRegtest(t)
		c.rest, c.spent = true, true
		paid := c.mine(t, coinbase(1))
		spend, from := wire.NewMsgTx(1), coinbase(1).TxHash()
		spend.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&from, 0), nil, nil))
		spend.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
		c.mine(t, coinbase(2), spend)
		c.coins[ledger.OutPoint{Tx: paid.Txs[0].ID}] = lie
		n, h := dial(t, bitcoin.NodeOptions{Chain: regtest, RPC: c.serve(t)}), newHeld(t, regtest)
		err := store.Follow(t.Context(), h.network, []store.Source{n}, store.FollowOptions{})
		if status, _ := h.network.Status(); faultOf(err) != ledger.FaultContents || status.Tip.Height != 1 {
			t.Errorf("%s: got %v, tip %d; want contents, 1", name, err, status.Tip.Height)
		}
	}
}

// Counts and indexes above 2^31 are numbers like others, and cost no memory.
func TestLargeNumbers(t *testing.T) {
	c := newRegtest(t)
	c.prevouts = true
	c.mine(t, coinbase(1))
	far := wire.NewMsgTx(1)
	far.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{1}, Index: 1<<31 + 5}, nil, nil))
	far.AddTxOut(wire.NewTxOut(1, []byte{0x51}))
	block := c.mine(t, coinbase(2), far)
	prev := block.Txs[1].Inputs[0].Prev
	if prev.Index != 1<<31+5 {
		t.Fatalf("got output %d", prev.Index)
	}
	c.coins[prev] = ledger.Output{Address: ledger.ScriptAddress(regtest, []byte{0x51}), Value: ledger.NewAmount(21e14)}
	n := dial(t, bitcoin.NodeOptions{Chain: regtest, RPC: c.serve(t), From: 1})
	b, err := n.Block(t.Context(), 2)
	if err != nil || b.Txs[1].Inputs[0].Value != ledger.NewAmount(21e14) {
		t.Errorf("got %+v, %v", b, err)
	}
	c.coins[prev] = ledger.Output{Address: ledger.ScriptAddress(regtest, []byte{0x51}), Value: ledger.NewAmount(21e14 + 1)}
	if _, err := n.Block(t.Context(), 2); faultOf(err) != ledger.FaultContents || !strings.Contains(err.Error(), "21 million") {
		t.Errorf("more than there can be: %v", err)
	}
	var undone []byte
	for _, count := range []uint64{1 << 31, 1 << 32, 1 << 63} {
		undone = binary.LittleEndian.AppendUint64([]byte{2, 0, 0xff}, count)
		decoded, err := bitcoin.Decode(regtest, block.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decoded.DecodeSpent(undone); err == nil {
			t.Errorf("%d spent outputs were read", count)
		}
	}
}

// Real answers of bitcoind, with the rows that another program made of them.
func TestRecordedAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/bitcoind/getblock_*.json")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d files, %v; want 5", len(files), err)
	}
	want := expectedRows(t)
	for _, file := range files {
		block := decodeRecorded(t, file)
		for _, tx := range block.Txs {
			row, ok := want[tx.ID.String()]
			if !ok || len(row.Outputs) != len(tx.Outputs) || row.Coinbase != tx.Coinbase || uint64(row.Height) != block.Ref.Height {
				t.Errorf("%s: %s: want %+v, got %+v", file, tx.ID, row, tx)
				continue
			}
			for i, out := range row.Outputs {
				if ledger.NewAmount(out.Value) != tx.Outputs[i].Value || hex.EncodeToString(tx.Outputs[i].Address.Script()) != out.Script {
					t.Errorf("%s, output %d: want %+v, got %+v", tx.ID, i, out, tx.Outputs[i])
				}
			}
			for i, in := range row.Inputs {
				if prev := tx.Inputs[i].Prev; prev.Tx.String() != in.Tx || prev.Index != in.Index {
					t.Errorf("%s, input %d: want %+v, got %+v", tx.ID, i, in, prev)
				}
			}
			delete(want, tx.ID.String())
		}
	}
	if len(want) > 0 {
		t.Errorf("rows without a transaction: %v", want)
	}
}

type recordedRow struct {
	Hash     string
	Height   int64 `json:"block_number"`
	Coinbase bool  `json:"is_coinbase"`
	Inputs   []struct {
		Tx    string `json:"spent_transaction_hash"`
		Index uint32 `json:"spent_output_index"`
	}
	Outputs []struct {
		Script string `json:"script_hex"`
		Value  uint64
	}
}

func expectedRows(t *testing.T) map[string]recordedRow {
	t.Helper()
	rows := map[string]recordedRow{}
	text, err := os.ReadFile("testdata/bitcoind/expected_transactions.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var row recordedRow
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		rows[row.Hash] = row
	}
	return rows
}

// decodeRecorded puts a block together from an answer of verbosity 2 and checks it as any other.
func decodeRecorded(t *testing.T, file string) *ledger.Block {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Height                              uint64
		Version                             int32
		Time, Nonce                         uint32
		Bits, Merkleroot, Previousblockhash string
		Tx                                  []struct{ Hex string }
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	reversed := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) == 0 {
			b = make([]byte, 32) // the genesis block names none
		}
		slices.Reverse(b)
		return b
	}
	raw := binary.LittleEndian.AppendUint32(nil, uint32(answer.Version))
	raw = append(append(raw, reversed(answer.Previousblockhash)...), reversed(answer.Merkleroot)...)
	raw = binary.LittleEndian.AppendUint32(raw, answer.Time)
	raw = append(raw, reversed(answer.Bits)...)
	raw = append(binary.LittleEndian.AppendUint32(raw, answer.Nonce), byte(len(answer.Tx)))
	for _, tx := range answer.Tx {
		b, err := hex.DecodeString(tx.Hex)
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, b...)
	}
	b, err := bitcoin.Decode("bitcoin", raw)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	block, err := b.At(answer.Height, ledger.GradeAttested, file)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return block
}
