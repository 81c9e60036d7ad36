package proof

import (
	"encoding/hex"
	"fmt"

	"github.com/ethereum/go-ethereum/trie"

	"github.com/spoortrace/spoor/ledger"
)

// Ethereum shows that a transaction and its receipt stand at a place in a block. All its logs are in the receipt.
type Ethereum struct {
	Block       string   `json:"block"`
	ID          string   `json:"id"`
	Header      string   `json:"header"` // RLP, of which the block's hash is made
	Index       uint32   `json:"index"`  // in the block
	Transaction []string `json:"transaction"`
	Receipt     []string `json:"receipt"` // nodes from the root of the trie to the value, each once

	// Before proves the receipt before, where the receipt states no outcome (before Byzantium): the gas between them tells a failure, which took
	// all of it. Absent elsewhere, and for the first transaction.
	Before []string `json:"receipt_before,omitempty"`
}

// EthereumBlock is a block whose transactions and receipts have been held against its header. It is not for use by several goroutines at once.
type EthereumBlock struct {
	header        []byte
	txs, receipts [][]byte
	txTrie        *trie.Trie
	receiptTrie   *trie.Trie
}

// ReadEthereumBlock takes a header's RLP and the canonical bytes (EIP-2718) of all transactions and receipts in their order.
func ReadEthereumBlock(header []byte, txs, receipts [][]byte) (*EthereumBlock, error) {
	if len(txs) != len(receipts) {
		return nil, ledger.Invalid("ethereum block", fmt.Sprintf("%d receipts", len(txs)), fmt.Sprint(len(receipts)))
	}
	h, err := readEthereumHeader(header)
	if err != nil {
		return nil, err
	}
	b := &EthereumBlock{header: header, txs: txs, receipts: receipts}
	if b.txTrie, err = plant("transactions", h.txRoot, txs); err != nil {
		return nil, err
	}
	b.receiptTrie, err = plant("receipts", h.receiptRoot, receipts)
	return b, err
}

// plant makes the trie of a list and holds it against its root.
func plant(field string, root [32]byte, list [][]byte) (*trie.Trie, error) {
	t := trie.NewEmpty(nil)
	for i, v := range list {
		if err := t.Update(putInteger(uint64(i)), v); err != nil {
			return nil, fmt.Errorf("proof: %s: %w", field, err)
		}
	}
	if got := t.Hash(); got != root {
		return nil, ledger.Invalid(field, "those of the root "+hex.EncodeToString(root[:]), hex.EncodeToString(got[:]))
	}
	return t, nil
}

// way collects the nodes of a proof, which the trie hands over from the root down.
type way [][]byte

// Put implements ethdb.KeyValueWriter.
func (w *way) Put(_, node []byte) error {
	*w = append(*w, node)
	return nil
}

// Delete implements ethdb.KeyValueWriter; nothing is deleted.
func (w *way) Delete([]byte) error { return nil }

func prove(t *trie.Trie, index int) ([]string, error) {
	var w way
	if err := t.Prove(putInteger(uint64(index)), &w); err != nil {
		return nil, fmt.Errorf("proof: index %d: %w", index, err)
	}
	return hexAll(w), nil
}

// IDs returns the ids of the block's transactions in their order.
func (b *EthereumBlock) IDs() []ledger.TxID {
	ids := make([]ledger.TxID, len(b.txs))
	for i, tx := range b.txs {
		ids[i] = ledger.TxID(keccak(tx))
	}
	return ids
}

// Log finds a log by its index in the block: the index of its transaction, and its own in the receipt. A receipt does not state the former, so
// that a proof shows a log by its place in the receipt alone.
func (b *EthereumBlock) Log(index int) (tx, place int, err error) {
	before := 0
	for i, bytes := range b.receipts {
		r, err := readReceipt(bytes)
		if err != nil {
			return 0, 0, err
		}
		if index >= before && index < before+len(r.logs) {
			return i, index - before, nil
		}
		before += len(r.logs)
	}
	return 0, 0, ledger.Invalid("log", fmt.Sprintf("one of %d", before), fmt.Sprint(index))
}

// BuildEthereum proves a transaction of a block and its receipt, by its index in the block.
func BuildEthereum(chain ledger.Chain, b *EthereumBlock, index int) (Ethereum, error) {
	if index < 0 || index >= len(b.txs) {
		return Ethereum{}, ledger.Invalid("index", fmt.Sprintf("one of %d transactions", len(b.txs)), fmt.Sprint(index))
	}
	hash, id := keccak(b.header), keccak(b.txs[index])
	p := Ethereum{Block: hex.EncodeToString(hash[:]), ID: hex.EncodeToString(id[:]), Header: hex.EncodeToString(b.header), Index: uint32(index)}
	var err error
	if p.Transaction, err = prove(b.txTrie, index); err != nil {
		return Ethereum{}, err
	}
	if p.Receipt, err = prove(b.receiptTrie, index); err != nil {
		return Ethereum{}, err
	}
	r, err := readReceipt(b.receipts[index])
	if err != nil {
		return Ethereum{}, err
	}
	if r.silent && index > 0 {
		if p.Before, err = prove(b.receiptTrie, index-1); err != nil {
			return Ethereum{}, err
		}
	}
	if _, err := VerifyEthereum(chain, p); err != nil {
		return Ethereum{}, fmt.Errorf("proof: transaction %s: %w", p.ID, err)
	}
	return p, nil
}
