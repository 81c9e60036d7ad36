package proof

import (
	"encoding/hex"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// maxBranch bounds the depth of a merkle tree: no block holds 2^20 transactions.
const maxBranch = 20

// BitcoinTx shows that a transaction stands at a place in a block with work behind it.
//
// The coinbase and its branch show the depth of the tree. Without them an inner node could pass for a transaction, or a transaction of
// 64 bytes for an inner node (CVE-2017-12842): a coinbase cannot be forged at another depth, for its fixed bytes are 224 bits of a hash.
type BitcoinTx struct {
	Block          string   `json:"block"`                     // id as printed
	ID             string   `json:"id"`                        // as printed
	Header         string   `json:"header"`                    // 80 bytes
	Index          uint32   `json:"index"`                     // in the block
	Branch         []string `json:"branch,omitempty"`          // siblings from the leaf up
	Coinbase       string   `json:"coinbase,omitempty"`        // bytes without witness; absent when it is the transaction
	CoinbaseBranch []string `json:"coinbase_branch,omitempty"` // as long as Branch; absent when it is the transaction
	Bytes          string   `json:"tx"`                        // without witness
}

// Bitcoin is a transaction with the transactions that its inputs spend, as far as they are held: each once, in the order of the inputs
// that need them. An input whose transaction is missing has no proven amount.
type Bitcoin struct {
	BitcoinTx
	Previous []BitcoinTx `json:"previous,omitempty"`
}

// BitcoinBlock is a block whose transactions have been held against its merkle root.
type BitcoinBlock struct {
	header []byte
	txs    []bitcoinTx
	levels [][][32]byte // of the merkle tree, from the leaves up
	index  map[ledger.TxID]uint32
}

// ReadBitcoinBlock reads a serialised block, with or without witnesses.
func ReadBitcoinBlock(raw []byte) (*BitcoinBlock, error) {
	c := &cursor{data: raw}
	b := &BitcoinBlock{header: c.bytes(headerSize), index: map[ledger.TxID]uint32{}}
	n := c.count(minTx)
	for range n {
		t := c.tx()
		b.index[t.printed()] = uint32(len(b.txs))
		b.txs = append(b.txs, t)
	}
	if c.err != nil || c.at != len(raw) || n == 0 || n >= 1<<maxBranch {
		return nil, ledger.Invalid("bitcoin block", "a header and its transactions", fmt.Sprintf("%d bytes, read to byte %d (%v)", len(raw), c.at, c.err))
	}
	if len(b.index) != n {
		return nil, ledger.Invalid("bitcoin block", "each transaction once (CVE-2012-2459)", fmt.Sprintf("%d ids of %d transactions", len(b.index), n))
	}
	b.grow()
	if root := b.levels[len(b.levels)-1][0]; root != [32]byte(b.header[36:68]) {
		return nil, ledger.Invalid("bitcoin block", fmt.Sprintf("transactions of merkle root %x", b.header[36:68]), hex.EncodeToString(root[:]))
	}
	return b, nil
}

// grow makes the merkle tree; the last node of an odd level is its own sibling.
func (b *BitcoinBlock) grow() {
	level := make([][32]byte, len(b.txs))
	for i := range b.txs {
		level[i] = b.txs[i].id
	}
	for b.levels = append(b.levels, level); len(level) > 1; b.levels = append(b.levels, level) {
		above := make([][32]byte, 0, (len(level)+1)/2)
		for i := 0; i < len(level); i += 2 {
			above = append(above, doublePair(level[i], level[min(i+1, len(level)-1)]))
		}
		level = above
	}
}

// IDs returns the ids of the block's transactions in their order.
func (b *BitcoinBlock) IDs() []ledger.TxID {
	ids := make([]ledger.TxID, len(b.txs))
	for i := range b.txs {
		ids[i] = b.txs[i].printed()
	}
	return ids
}

func (b *BitcoinBlock) branch(index uint32) []string {
	var all []string
	for _, level := range b.levels[:len(b.levels)-1] {
		sibling := level[min(int(index^1), len(level)-1)]
		all = append(all, hex.EncodeToString(sibling[:]))
		index >>= 1
	}
	return all
}

// prove makes the proof of one transaction, without what it spends.
func (b *BitcoinBlock) prove(id ledger.TxID) (BitcoinTx, error) {
	index, ok := b.index[id]
	if !ok {
		return BitcoinTx{}, fmt.Errorf("proof: transaction %s: %w", id, ledger.ErrNotFound)
	}
	block := blockID(b.header)
	p := BitcoinTx{
		Block: hex.EncodeToString(block[:]), ID: id.String(), Header: hex.EncodeToString(b.header), Index: index, Branch: b.branch(index),
		Bytes: hex.EncodeToString(b.txs[index].bytes),
	}
	if index > 0 {
		p.Coinbase, p.CoinbaseBranch = hex.EncodeToString(b.txs[0].bytes), b.branch(0)
	}
	return p, nil
}

// BuildBitcoin proves a transaction of a block. previous gives the block of a transaction that an input spends, and nil where it is not held.
func BuildBitcoin(chain ledger.Chain, b *BitcoinBlock, id ledger.TxID, previous func(ledger.TxID) (*BitcoinBlock, error)) (Bitcoin, error) {
	tx, err := b.prove(id)
	if err != nil {
		return Bitcoin{}, err
	}
	p := Bitcoin{BitcoinTx: tx}
	t := &b.txs[tx.Index]
	seen := map[ledger.TxID]bool{}
	for _, in := range t.inputs {
		if t.coinbase() || seen[in.Tx] {
			continue
		}
		seen[in.Tx] = true
		from, err := previous(in.Tx)
		if err != nil {
			return Bitcoin{}, fmt.Errorf("proof: transaction %s: %w", id, err)
		}
		if from == nil {
			continue
		}
		spent, err := from.prove(in.Tx)
		if err != nil {
			return Bitcoin{}, err
		}
		p.Previous = append(p.Previous, spent)
	}
	if _, err := VerifyBitcoin(chain, p); err != nil {
		return Bitcoin{}, fmt.Errorf("proof: transaction %s: %w", id, err)
	}
	return p, nil
}
