package btcdtest

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/ledger"
)

// Simnet is the chain of every node.
const Simnet = ledger.Chain("bitcoin-simnet")

// Key holds coins of one address, pay-to-pubkey-hash.
type Key struct{ private *btcec.PrivateKey }

// NewKey returns the key of a number, the same for the same number.
func NewKey(number byte) Key {
	private, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{number}, 32))
	return Key{private}
}

// Address is where the key is paid.
func (k Key) Address() ledger.Address { return ledger.ScriptAddress(Simnet, k.script()) }

func (k Key) script() []byte {
	// The address of a pay-to-pubkey script is the hash of its key.
	key := k.private.PubKey().SerializeCompressed()
	paid, _ := ledger.ScriptAddress(Simnet, append(append([]byte{byte(len(key))}, key...), txscript.OP_CHECKSIG)).PubKeyHashOf()
	return paid.Script()
}

// Coin is an output that a key can spend.
type Coin struct {
	ledger.OutPoint
	Value int64 // satoshi
}

// Pay is an output to make: satoshi to a script.
type Pay struct {
	Value  int64
	Script []byte
}

// Spend returns a signed transaction, serialised, and its id.
func (k Key) Spend(coins []Coin, pays ...Pay) (raw []byte, id ledger.TxID, err error) {
	tx := wire.NewMsgTx(2)
	for _, c := range coins {
		hash, err := chainhash.NewHashFromStr(c.Tx.String())
		if err != nil {
			return nil, id, err
		}
		tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(hash, c.Index), nil, nil))
	}
	for _, p := range pays {
		tx.AddTxOut(wire.NewTxOut(p.Value, p.Script))
	}
	for i := range tx.TxIn {
		if tx.TxIn[i].SignatureScript, err = txscript.SignatureScript(tx, i, k.script(), txscript.SigHashAll, k.private, true); err != nil {
			return nil, id, err
		}
	}
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		return nil, id, err
	}
	id, err = ledger.ParseTxID(tx.TxHash().String())
	return b.Bytes(), id, err
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
	id, err := ledger.ParseTxID(b.Transactions[0].TxHash().String())
	return Coin{ledger.OutPoint{Tx: id}, b.Transactions[0].TxOut[0].Value}, err
}
