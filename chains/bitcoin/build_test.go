package bitcoin

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/ledger"
)

// regtest blocks are built with btcd's types and mined for two tries each, so
// that a false block can have true work.
const regtest = ledger.Chain("bitcoin-regtest")

// anyone is a script that anyone can spend.
func anyone() []byte { return []byte{0x51} }

func coinbaseTx(height byte, value int64) *wire.MsgTx {
	tx := wire.NewMsgTx(1)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 0xffffffff}, []byte{1, height, 0}, nil))
	tx.AddTxOut(wire.NewTxOut(value, anyone()))
	return tx
}

// spendTx pays values from outputs; with a witness it has one item.
func spendTx(witness []byte, from []wire.OutPoint, values ...int64) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	for _, op := range from {
		in := wire.NewTxIn(&op, []byte{0x51}, nil)
		if witness != nil {
			in.Witness = wire.TxWitness{witness}
		}
		tx.AddTxIn(in)
	}
	for _, v := range values {
		tx.AddTxOut(wire.NewTxOut(v, anyone()))
	}
	return tx
}

// somewhere is a coin of an earlier block.
func somewhere(n byte) wire.OutPoint {
	return wire.OutPoint{Hash: chainhash.Hash{n, 1}, Index: uint32(n)}
}

// commit adds the witness commitment of BIP 141 to the coinbase.
func commit(txs []*wire.MsgTx) {
	hashes := make([][32]byte, len(txs))
	for i, tx := range txs[1:] {
		hashes[i+1] = tx.WitnessHash()
	}
	reserved := bytes.Repeat([]byte{7}, 32)
	root := naiveMerkle(hashes)
	sum := doubleHash(append(root[:], reserved...))
	txs[0].AddTxOut(wire.NewTxOut(0, append(commitmentPrefix(), sum[:]...)))
	txs[0].TxIn[0].Witness = wire.TxWitness{reserved}
}

// naiveMerkle follows the definition: a level of odd length repeats its last hash.
func naiveMerkle(hashes [][32]byte) [32]byte {
	if len(hashes) == 1 {
		return hashes[0]
	}
	if len(hashes)%2 == 1 {
		hashes = append(hashes[:len(hashes):len(hashes)], hashes[len(hashes)-1])
	}
	var above [][32]byte
	for i := 0; i < len(hashes); i += 2 {
		above = append(above, doubleHash(append(append([]byte{}, hashes[i][:]...), hashes[i+1][:]...)))
	}
	return naiveMerkle(above)
}

// mine serialises transactions into a regtest block of true merkle root and work.
func mine(t testing.TB, txs ...*wire.MsgTx) []byte {
	t.Helper()
	hashes := make([][32]byte, len(txs))
	for i, tx := range txs {
		hashes[i] = tx.TxHash()
	}
	msg := wire.MsgBlock{Header: wire.BlockHeader{Version: 1, PrevBlock: chainhash.Hash{1}, MerkleRoot: naiveMerkle(hashes), Bits: 0x207fffff}, Transactions: txs}
	var b bytes.Buffer
	if err := msg.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	remine(t, b.Bytes())
	return b.Bytes()
}

// remine finds a nonce for a changed header.
func remine(t testing.TB, raw []byte) {
	t.Helper()
	n, err := NetworkOf(regtest)
	if err != nil {
		t.Fatal(err)
	}
	for nonce := uint32(0); ; nonce++ {
		binary.LittleEndian.PutUint32(raw[76:], nonce)
		if h, err := ParseHeader(raw); err != nil || n.Check(h) == nil {
			return
		}
	}
}
