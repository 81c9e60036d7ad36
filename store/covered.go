package store

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/spoortrace/spoor/ledger"
)

// Covered reports whether every block (in an export: every transfer of that
// account, by the claims) from a position to the as-of is held and lacks no
// transfer of the asset. Runs of blocks of which different things are missing
// join where they touch. The last block of a run that does not reach down to
// genesis covers nothing: such blocks are samples, and what came after one of
// them is not known.
func (s *Snapshot) Covered(_ context.Context, h ledger.Holder, from ledger.Position) (bool, error) {
	v, err := s.held(h.Address.Chain)
	if err != nil || v == nil {
		return false, err
	}
	first, last := from.Height(), v.asOf.ref.Height
	if v.head.export {
		return v.claimed(h, from)
	}
	if first > last || first == last && runStart(v.spans, last) > 1 {
		return false, nil
	}
	need := last
	for _, span := range slices.Backward(v.spans) {
		switch {
		case span.From > need:
			continue
		case span.To < need || ledger.Lacks(span.Partial, h.Asset):
			return false, nil
		case span.From <= first:
			return true, nil
		}
		need = span.From - 1
	}
	return false, nil
}

// runStart returns where the run of linked blocks begins that a held height
// belongs to. Spans that touch are linked: Append takes no other block right
// above one that it holds.
func runStart(spans []Span, height uint64) uint64 {
	first := height
	for _, span := range slices.Backward(spans) {
		if span.From <= first && span.To+1 >= first {
			first = span.From
		}
	}
	return first
}

// claimed reports whether claims that touch each other hold from a position to
// the as-of. A claim about coins is asked for by the transaction that made them.
func (v *view) claimed(h ledger.Holder, from ledger.Position) (bool, error) {
	first, last := from.Height(), v.asOf.ref.Height
	var made ledger.TxID
	if h.Address.Chain.UTXO() {
		tx, err := v.txAt(from)
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return false, err
		}
		made = tx.ID
	}
	var ranges []ledger.Range
	for _, claims := range [][]ledger.Claim{v.claimsOf(ledger.Address{}), v.claimsOf(h.Address)} {
		for _, c := range claims {
			if (c.Asset == ledger.Asset{} || c.Asset == h.Asset) && (c.Tx == ledger.TxID{} || c.Tx == made) {
				ranges = append(ranges, c.Range)
			}
		}
	}
	slices.SortFunc(ranges, func(x, y ledger.Range) int {
		if x.From < y.From {
			return -1
		}
		return 1
	})
	for _, r := range ranges {
		if r.From <= first {
			first = max(first, r.To)
		}
	}
	return first > last, nil
}

// claims are those of a view by account: a fetched index has one for every coin.
type claims struct {
	once sync.Once
	of   map[ledger.Address][]ledger.Claim
}

func (v *view) claimsOf(a ledger.Address) []ledger.Claim {
	v.claims.once.Do(func() {
		v.claims.of = map[ledger.Address][]ledger.Claim{}
		for _, c := range v.meta.Claims {
			v.claims.of[c.Account] = append(v.claims.of[c.Account], c)
		}
	})
	return v.claims.of[a]
}
