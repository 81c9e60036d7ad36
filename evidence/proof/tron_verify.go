package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// TronFacts is what a TRON proof shows.
type TronFacts struct {
	ID        ledger.TxID
	Block     ledger.Hash // to be compared with what a node or checkpoint says
	Height    uint64
	Time      int64             // Unix milliseconds, as the header states
	Status    ledger.Status     // unknown where the transaction does not state its outcome, as in old blocks
	Transfers []ledger.Transfer // what it moved by its own bytes, each with its grade; without Index and Slot
	Grade     Grade             // of these transfers together
}

// tronHeader is a header's raw data.
type tronHeader struct {
	id     ledger.Hash
	root   [32]byte
	height uint64
	time   int64
}

func readTronHeader(raw []byte) (tronHeader, error) {
	r := read("tron header", raw)
	height, root, time := r.integer(7), r.bytes(2), r.integer(1)
	if r.err != nil {
		return tronHeader{}, r.err
	}
	if height < 0 || time < 0 || len(root) != 32 {
		return tronHeader{}, ledger.Invalid("tron header", "a height, a time and a root of 32 bytes", fmt.Sprintf("%d, %d, %d bytes", height, time, len(root)))
	}
	h := tronHeader{id: sha256.Sum256(raw), root: [32]byte(root), height: uint64(height), time: time}
	binary.BigEndian.PutUint64(h.id[:8], h.height)
	return h, nil
}

// VerifyTron checks a proof down to the block's id.
func VerifyTron(chain ledger.Chain, p Tron) (TronFacts, error) {
	if chain.Family() != ledger.FamilyTRON {
		return TronFacts{}, ledger.Invalid("network", "a network of the TRON family", string(chain))
	}
	raw, err := unhex("header", p.Header)
	if err != nil {
		return TronFacts{}, err
	}
	h, err := readTronHeader(raw)
	if err != nil {
		return TronFacts{}, err
	}
	if err := same("block", p.Block, h.id); err != nil {
		return TronFacts{}, err
	}
	tx, err := unhex("transaction", p.Bytes)
	if err != nil {
		return TronFacts{}, err
	}
	if err := climbTron(tx, p.Branch, h.root); err != nil {
		return TronFacts{}, err
	}
	t, err := readTronTx(chain, tx)
	if err != nil {
		return TronFacts{}, err
	}
	if err := same("id", p.ID, t.ID); err != nil {
		return TronFacts{}, err
	}
	t.Block, t.Height, t.Time = h.id, h.height, h.time
	return t, nil
}

// climbTron goes from a transaction to the root. One of 64 bytes could be two hashes, an inner node; each real one is longer by its signature.
func climbTron(tx []byte, branch []TronSibling, root [32]byte) error {
	if len(tx) == innerNode {
		return ledger.Invalid("transaction", "a transaction that is not of 64 bytes, as an inner node of the tree is", "64 bytes")
	}
	if len(branch) > maxBranch {
		return ledger.Invalid("branch", fmt.Sprintf("at most %d siblings", maxBranch), fmt.Sprint(len(branch)))
	}
	node := sha256.Sum256(tx)
	for i, s := range branch {
		field := fmt.Sprintf("branch %d", i)
		if (s.Left == "") == (s.Right == "") {
			return ledger.Invalid(field, "a hash to the left or to the right", s.Left+s.Right)
		}
		sibling, err := unhash(field, s.Left+s.Right)
		if err != nil {
			return err
		}
		if s.Left != "" {
			node = pair(sibling, node)
		} else {
			node = pair(node, sibling)
		}
	}
	if node != root {
		return ledger.Invalid("branch", fmt.Sprintf("a way to txTrieRoot %x", root), hex.EncodeToString(node[:]))
	}
	return nil
}

// GradeOf says how far the proof goes for one transfer of its transaction. A transfer that is printed with a better grade was changed.
func (f TronFacts) GradeOf(t ledger.Transfer) Grade {
	for _, own := range f.Transfers {
		if own.Kind != t.Kind || own.From != t.From || own.To != t.To || own.Asset != t.Asset || own.Amount.Cmp(t.Amount) != 0 {
			continue
		}
		if own.Grade == ledger.GradeProven {
			return proven("the signed bytes that say so, and their success, are under the block's txTrieRoot")
		}
		return f.Grade
	}
	return attested("no root of a TRON header commits to logs, internal transactions and fees: they are a node's word")
}
