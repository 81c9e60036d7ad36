package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// Tron shows that a transaction is in a block. Its outcome is part of its bytes.
type Tron struct {
	Block  string        `json:"block"`
	ID     string        `json:"id"`
	Header string        `json:"header"`           // raw data of the header, of which the block's id is made
	Branch []TronSibling `json:"branch,omitempty"` // from the leaf up; levels at which a node was carried up have no entry
	Bytes  string        `json:"tx"`               // the Transaction: signed data, signatures, outcome
}

// TronSibling is a hash to the left or to the right; the other is empty.
type TronSibling struct {
	Left  string `json:"left,omitempty"`
	Right string `json:"right,omitempty"`
}

// TronBlock is a block whose transactions have been held against its root.
type TronBlock struct {
	header []byte
	txs    [][]byte
	ids    []ledger.TxID
	levels [][][32]byte
}

// ReadTronBlock takes the raw data of a header and the serialised transactions of its block in their order.
func ReadTronBlock(header []byte, txs [][]byte) (*TronBlock, error) {
	b := &TronBlock{header: header, txs: txs}
	var leaves [][32]byte
	for i, tx := range txs {
		r := read(fmt.Sprintf("tron transaction %d", i), tx)
		raw := r.bytes(1)
		if r.err != nil {
			return nil, r.err
		}
		b.ids = append(b.ids, sha256.Sum256(raw))
		leaves = append(leaves, sha256.Sum256(tx))
	}
	h, err := readTronHeader(header)
	if err != nil {
		return nil, err
	}
	if len(txs) == 0 {
		return b, nil
	}
	b.grow(leaves)
	if root := b.levels[len(b.levels)-1][0]; root != h.root {
		return nil, ledger.Invalid("tron block", fmt.Sprintf("transactions of txTrieRoot %x", h.root), hex.EncodeToString(root[:]))
	}
	return b, nil
}

// ReadRawTronBlock reads a block as java-tron serialises it.
func ReadRawTronBlock(raw []byte) (*TronBlock, error) {
	m, err := readMessage("tron block", raw)
	if err != nil {
		return nil, err
	}
	var txs [][]byte
	for _, f := range m {
		if f.number == 1 {
			txs = append(txs, f.bytes)
		}
	}
	block := reader{subject: "tron block", fields: m}
	header := read("tron block header", block.bytes(2))
	data := header.bytes(1)
	if block.err != nil {
		return nil, block.err
	}
	if header.err != nil {
		return nil, header.err
	}
	return ReadTronBlock(data, txs)
}

// grow makes java-tron's merkle tree: the last node of an odd level is carried up as it is.
func (b *TronBlock) grow(level [][32]byte) {
	for b.levels = append(b.levels, level); len(level) > 1; b.levels = append(b.levels, level) {
		above := make([][32]byte, 0, (len(level)+1)/2)
		for i := 0; i+1 < len(level); i += 2 {
			above = append(above, pair(level[i], level[i+1]))
		}
		if len(level)%2 == 1 {
			above = append(above, level[len(level)-1])
		}
		level = above
	}
}

func pair(left, right [32]byte) [32]byte { return sha256.Sum256(append(left[:], right[:]...)) }

// IDs returns the ids of the block's transactions in their order.
func (b *TronBlock) IDs() []ledger.TxID { return b.ids }

// BuildTron proves a transaction of a block, by its index in the block.
func BuildTron(chain ledger.Chain, b *TronBlock, index int) (Tron, error) {
	if index < 0 || index >= len(b.txs) {
		return Tron{}, ledger.Invalid("index", fmt.Sprintf("one of %d transactions", len(b.txs)), fmt.Sprint(index))
	}
	h, err := readTronHeader(b.header)
	if err != nil {
		return Tron{}, err
	}
	p := Tron{Block: h.id.String(), ID: b.ids[index].String(), Header: hex.EncodeToString(b.header), Bytes: hex.EncodeToString(b.txs[index])}
	at := index
	for _, level := range b.levels[:len(b.levels)-1] {
		switch {
		case at%2 == 1:
			p.Branch = append(p.Branch, TronSibling{Left: hex.EncodeToString(level[at-1][:])})
		case at+1 < len(level):
			p.Branch = append(p.Branch, TronSibling{Right: hex.EncodeToString(level[at+1][:])})
		}
		at /= 2
	}
	if _, err := VerifyTron(chain, p); err != nil {
		return Tron{}, fmt.Errorf("proof: transaction %s: %w", p.ID, err)
	}
	return p, nil
}
