package bitcoin

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// jsonBlock is what is read of getblock at verbosity 3 (Bitcoin Core 23 and
// later): which outputs the inputs spend, and what these were.
type jsonBlock struct {
	Hash string `json:"hash"`
	Tx   []struct {
		TxID string `json:"txid"`
		Vin  []struct {
			TxID    string       `json:"txid"`
			Vout    uint32       `json:"vout"`
			Prevout *jsonPrevout `json:"prevout"`
		} `json:"vin"`
	} `json:"tx"`
}

type jsonPrevout struct {
	Value        json.Number `json:"value"` // in coins
	ScriptPubKey struct {
		Hex string `json:"hex"`
	} `json:"scriptPubKey"`
}

// jsonSpent asks for the spent outputs in JSON. A node that leaves them all out
// does not have them, and is not asked again: nil.
func (n *Node) jsonSpent(ctx context.Context, subject string, b *Block) (Undo, error) {
	var block jsonBlock
	subject = "getblock with spent outputs of " + subject
	if err := n.call(ctx, subject, "getblock", &block, b.Header.Hash.String(), 3); err != nil {
		if f, _ := ledger.FaultOf(err); f == ledger.FaultUnsupported {
			n.forgetCoins()
			return nil, nil
		}
		return nil, err
	}
	if block.Tx == nil { // btcd: another form
		n.forgetCoins()
		return nil, nil
	}
	undo, told, err := b.undoOf(&block)
	if err != nil {
		return nil, fault(ledger.FaultContents, subject, err)
	}
	asked := 0
	for i := range b.txs {
		asked += len(b.txs[i].Inputs)
	}
	switch {
	case told == 0:
		n.forgetCoins()
		return nil, nil
	case told < asked:
		return nil, ledger.Untrue(ledger.FaultMissing, subject, fmt.Sprintf("what %d of %d inputs spend", asked-told, asked))
	}
	return undo, nil
}

func (n *Node) forgetCoins() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.noCoins = true
}

// undoOf reads the coins of a JSON block whose transactions and inputs must be
// those of b, and counts the coins that it told.
func (b *Block) undoOf(block *jsonBlock) (undo Undo, told int, err error) {
	if len(block.Tx) != len(b.txs) || block.Hash != b.Header.Hash.String() {
		return nil, 0, ledger.Invalid("block", fmt.Sprintf("%s of %d transactions", b.Header.Hash, len(b.txs)), fmt.Sprintf("%s of %d", block.Hash, len(block.Tx)))
	}
	undo = make(Undo, len(b.txs)-1)
	for i := range undo {
		tx, given := &b.txs[i+1], &block.Tx[i+1]
		if given.TxID != tx.ID.String() || len(given.Vin) != len(tx.Inputs) {
			return nil, 0, ledger.Invalid("transaction "+tx.ID.String(), fmt.Sprintf("%d inputs", len(tx.Inputs)), fmt.Sprintf("%s with %d", given.TxID, len(given.Vin)))
		}
		undo[i] = make([]Coin, len(tx.Inputs))
		for k, in := range given.Vin {
			field := fmt.Sprintf("transaction %s, input %d", tx.ID, k)
			if want := tx.Inputs[k].Prev; in.TxID != want.Tx.String() || in.Vout != want.Index {
				return nil, 0, ledger.Invalid(field, fmt.Sprintf("output %d of %s", want.Index, want.Tx), fmt.Sprintf("output %d of %s", in.Vout, in.TxID))
			}
			if in.Prevout == nil {
				continue
			}
			if undo[i][k], err = in.Prevout.coin(field); err != nil {
				return nil, 0, err
			}
			told++
		}
	}
	return undo, told, nil
}

func (p *jsonPrevout) coin(field string) (Coin, error) {
	script, err := hex.DecodeString(p.ScriptPubKey.Hex)
	if err != nil {
		return Coin{}, ledger.Invalid(field+", scriptPubKey", "hex digits", p.ScriptPubKey.Hex)
	}
	value, err := satoshi(p.Value.String())
	if err != nil {
		return Coin{}, fmt.Errorf("%s, value: %w", field, err)
	}
	return Coin{Value: value, kind: plainScript, script: script}, nil
}

// satoshi reads an amount in coins as nodes write it: in plain decimals, or a
// small one with an exponent (1e-08), as Go's encoder does for btcd.
func satoshi(s string) (uint64, error) {
	mantissa, exponent, small := strings.Cut(strings.ToLower(s), "e-")
	decimals := uint64(8)
	if small {
		shift, err := strconv.ParseUint(exponent, 10, 8)
		if err != nil || shift > decimals {
			return 0, ledger.Invalid("amount", "at most eight decimals", s)
		}
		decimals -= shift
	}
	amount, err := ledger.ParseCoins(mantissa, int(decimals))
	if err != nil {
		return 0, err
	}
	if n, ok := amount.Uint64(); ok && n <= maxMoney {
		return n, nil
	}
	return 0, ledger.Invalid("amount", "at most 21 million coins", s)
}
