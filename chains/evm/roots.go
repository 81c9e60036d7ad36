package evm

import (
	"bytes"
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/spoortrace/spoor/ledger"
)

// items are the canonical bytes of a list whose root a header has.
type items [][]byte

// Len implements types.DerivableList.
func (l items) Len() int { return len(l) }

// EncodeIndex implements types.DerivableList.
func (l items) EncodeIndex(i int, w *bytes.Buffer) { w.Write(l[i]) }

// root is the root of the trie of a list.
func root(l types.DerivableList) common.Hash { return types.DeriveSha(l, trie.NewStackTrie(nil)) }

// roots checks transactions (nil: not all their bytes are known), withdrawals and
// uncles against the header.
func (r rules) roots(subject string, c *content, list items, uncles []json.RawMessage) error {
	h := c.h
	if list != nil {
		if len(list) == 0 && h.TxHash != types.EmptyTxsHash {
			return refuse(ledger.FaultMissing, subject, "no transactions, and transactionsRoot %s", h.TxHash)
		}
		if sum := root(list); sum != h.TxHash {
			return refuse(ledger.FaultRoot, subject, "transactionsRoot %s, the transactions make %s", h.TxHash, sum)
		}
	}
	if err := r.withdrawals(subject, c); err != nil {
		return err
	}
	if r.reward != rewardEthereum || h.merged() {
		return nil
	}
	for i, answer := range uncles {
		var u types.Header
		if err := json.Unmarshal(answer, &u); err != nil {
			return refuse(ledger.FaultMalformed, subject, "uncle %d: %v", i, err)
		}
		c.uncles = append(c.uncles, &u)
	}
	if sum := hashOf(c.uncles); sum != h.UncleHash {
		return refuse(ledger.FaultRoot, subject, "sha3Uncles %s, the uncles make %s", h.UncleHash, sum)
	}
	return nil
}

// withdrawals checks payments by the consensus layer. The OP stack puts another
// root in the field (since Isthmus) and has no withdrawals; a chain that is known
// by its id alone may do the same, and is then not proven.
func (r rules) withdrawals(subject string, c *content) error {
	stated := c.h.WithdrawalsHash
	for i, w := range c.withdrawals {
		if w == nil {
			return refuse(ledger.FaultMalformed, subject, "withdrawal %d: want an object, got null", i)
		}
	}
	if stated == nil {
		if len(c.withdrawals) > 0 {
			return refuse(ledger.FaultContents, subject, "%d withdrawals, and no root for them", len(c.withdrawals))
		}
		return nil
	}
	sum := root(types.Withdrawals(c.withdrawals))
	switch {
	case sum == *stated:
	case len(c.withdrawals) > 0:
		return refuse(ledger.FaultRoot, subject, "withdrawalsRoot %s, the withdrawals make %s", stated, sum)
	case r.deposits:
	case !r.exact:
		c.grade = ledger.GradeAttested
	default:
		return refuse(ledger.FaultMissing, subject, "no withdrawals, and withdrawalsRoot %s", stated)
	}
	return nil
}
