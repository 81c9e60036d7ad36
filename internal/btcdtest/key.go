package btcdtest

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/address/v2/base58"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Key holds coins of one address, pay-to-pubkey-hash.
type Key struct{ private *btcec.PrivateKey }

// NewKey returns the key of a number, the same for the same number.
func NewKey(number byte) Key {
	private, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{number}, 32))
	return Key{private}
}

func (k Key) hash() []byte { return address.Hash160(k.private.PubKey().SerializeCompressed()) }

// Address is where the key is paid, as simnet writes it.
func (k Key) Address() string {
	return base58.CheckEncode(k.hash(), chaincfg.SimNetParams.PubKeyHashAddrID)
}

// Script pays the key.
func (k Key) Script() []byte {
	return append(append([]byte{txscript.OP_DUP, txscript.OP_HASH160, 20}, k.hash()...), txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
}

// Coin is an output that a key can spend.
type Coin struct {
	Tx    string // id, as printed
	Index uint32
	Value int64 // satoshi
}

// Pay is an output to make: satoshi to a script.
type Pay struct {
	Value  int64
	Script []byte
}

// replaceable lets a transaction of a higher fee take this one's place (BIP 125).
const replaceable = wire.MaxTxInSequenceNum - 2

// Spend returns a signed transaction, serialised, and its id.
func (k Key) Spend(coins []Coin, pays ...Pay) (raw []byte, id string, err error) {
	tx := wire.NewMsgTx(2)
	for _, c := range coins {
		hash, err := chainhash.NewHashFromStr(c.Tx)
		if err != nil {
			return nil, "", err
		}
		in := wire.NewTxIn(wire.NewOutPoint(hash, c.Index), nil, nil)
		in.Sequence = replaceable
		tx.AddTxIn(in)
	}
	for _, p := range pays {
		tx.AddTxOut(wire.NewTxOut(p.Value, p.Script))
	}
	for i := range tx.TxIn {
		if tx.TxIn[i].SignatureScript, err = txscript.SignatureScript(tx, i, k.Script(), txscript.SigHashAll, k.private, true); err != nil {
			return nil, "", err
		}
	}
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		return nil, "", err
	}
	return b.Bytes(), tx.TxHash().String(), nil
}

// Send gives a transaction to the node.
func (n *Node) Send(ctx context.Context, raw []byte) error {
	return n.Call(ctx, "sendrawtransaction", nil, hex.EncodeToString(raw))
}

// Reward returns the coin that the block with this hash gave its miner.
func (n *Node) Reward(ctx context.Context, block string) (Coin, error) {
	var text string
	if err := n.Call(ctx, "getblock", &text, block, 0); err != nil {
		return Coin{}, err
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return Coin{}, err
	}
	var b wire.MsgBlock
	if err := b.Deserialize(bytes.NewReader(raw)); err != nil {
		return Coin{}, fmt.Errorf("btcdtest: block %s: %w", block, err)
	}
	return Coin{Tx: b.Transactions[0].TxHash().String(), Value: b.Transactions[0].TxOut[0].Value}, nil
}
