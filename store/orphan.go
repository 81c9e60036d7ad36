package store

import (
	"bytes"
	"context"

	"github.com/spoortrace/spoor/ledger"
)

// siblings returns the overlay blocks that are not of the tip's chain.
func (s *state) siblings() []*young {
	if len(s.held) == len(s.chain) {
		return nil
	}
	onChain := map[ledger.Hash]bool{}
	for _, y := range s.chain {
		onChain[y.at.ref.Hash] = true
	}
	var all []*young
	for hash, y := range s.held {
		if !onChain[hash] {
			all = append(all, y)
		}
	}
	return all
}

// Orphaned returns the block of another branch that has a transaction which the
// chain of the snapshot does not have; the highest, if there are several. It is
// known until the base passes that branch. False when there is none.
func (s *Snapshot) Orphaned(ctx context.Context, c ledger.Chain, id ledger.TxID) (ledger.BlockRef, bool) {
	v := s.views[c]
	if v == nil {
		return ledger.BlockRef{}, false
	}
	var found ledger.BlockRef
	for _, y := range v.other {
		if ref := y.at.ref; len(y.having(id)) > 0 && (found.Chain == "" || above(ref, found)) {
			found = ref
		}
	}
	if found.Chain == "" {
		return found, false
	}
	if _, err := s.FindTx(ctx, c, id); err == nil {
		return ledger.BlockRef{}, false
	}
	return found, true
}

// above orders blocks of different branches by height, then hash.
func above(a, b ledger.BlockRef) bool {
	return a.Height > b.Height || a.Height == b.Height && bytes.Compare(a.Hash[:], b.Hash[:]) > 0
}
