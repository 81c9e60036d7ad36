package behavior

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// EnergyDelegation is the heuristic of who lends another energy again and again.
const EnergyDelegation = "energy delegation"

const (
	minLoans = 3  // of energy to one account
	maxLent  = 20 // accounts that one lends to: beyond, it is a market
)

// lenders joins who lent an account energy three times, unless it lends to many.
func (k *asking) lenders(ctx context.Context, a ledger.Address) ([]ledger.Join, error) {
	own, err := k.record(ctx, a)
	if err != nil {
		return nil, err
	}
	var joins []ledger.Join
	for _, b := range byAddress(own.borrowed) {
		lender, err := k.record(ctx, b)
		if err != nil {
			return nil, err
		}
		if j, is := k.loan(lender, a, b, own.borrowed[b]); is {
			joins = append(joins, j)
		}
	}
	for _, b := range byAddress(own.lent) {
		if j, is := k.loan(own, a, b, own.lent[b]); is {
			joins = append(joins, j)
		}
	}
	return joins, nil
}

func (k *asking) loan(lender *record, a, b ledger.Address, loans []ledger.Noted) (ledger.Join, bool) {
	if len(loans) < minLoans {
		return ledger.Join{}, false
	}
	if lender.market() {
		k.limit("%s lends energy to more than %d accounts: a market joins nobody", lender.of, maxLent)
		return ledger.Join{}, false
	}
	shows := loans[minLoans-1]
	return ledger.Join{
		A: a, B: b, Tier: ledger.TierBehavior, Heuristic: EnergyDelegation, Tx: shows.Tx, Pos: shows.At.Pos,
		Detail: fmt.Sprintf("%s lent energy %d times", lender.of, len(loans)),
	}, true
}

// market reports an account that lends to many, or to more than was looked at.
func (r *record) market() bool { return r.cut || len(r.lent) > maxLent }

func byAddress[V any](m map[ledger.Address]V) []ledger.Address {
	return slices.SortedFunc(maps.Keys(m), ledger.Address.Compare)
}
