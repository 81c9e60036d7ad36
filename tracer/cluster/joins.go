package cluster

import (
	"github.com/spoortrace/spoor/ledger"
)

// Before answers what a rule must know of the past of a transaction.
type Before interface {
	// TxAt returns the transaction at an earlier position.
	TxAt(pos ledger.Position) (*ledger.Tx, error)
	// Seen reports that an address was paid, or paid, before a position.
	Seen(a ledger.Address, pos ledger.Position) (bool, error)
}

// Joins returns what a transaction shows to have one owner, in a fixed order: T0
// first, then T1. Each names the position from which on it is known: that of the
// transaction, and for the inputs of a Tx0 that of the mix which confirms it.
func Joins(tx *ledger.Tx, past Before) ([]ledger.Join, error) {
	if tx.Coinbase {
		return nil, nil
	}
	switch VerdictOf(tx) {
	case None:
		change, err := changeOf(tx, past)
		return append(coSpend(tx, tx, "co-spend"), change...), err
	case Whirlpool:
		return confirmed(tx, past)
	case Tx0, Wasabi2, Wasabi1, JoinMarket, Possible:
	}
	return nil, nil
}

// coSpend joins the owners of the known inputs of of with the first of them.
func coSpend(of, shownBy *ledger.Tx, heuristic string) []ledger.Join {
	var first ledger.Address
	var joins []ledger.Join
	seen := map[ledger.Address]bool{}
	for i := range of.Inputs {
		in := &of.Inputs[i]
		if !in.Known || in.Address.IsZero() || seen[in.Address] {
			continue
		}
		seen[in.Address] = true
		if first.IsZero() {
			first = in.Address
			continue
		}
		joins = append(joins, ledger.Join{A: first, B: in.Address, Tier: ledger.TierExact, Heuristic: heuristic, Tx: of.ID, Pos: shownBy.Pos})
	}
	return joins
}

// confirmed joins the inputs of every Tx0 whose premix output a mix spends: one
// owner paid into the pool (docs/method.md, Clusters).
func confirmed(mix *ledger.Tx, past Before) ([]ledger.Join, error) {
	var joins []ledger.Join
	done := map[ledger.Position]bool{}
	for i := range mix.Inputs {
		in := &mix.Inputs[i]
		if in.PrevPos == 0 || done[in.PrevPos] {
			continue
		}
		done[in.PrevPos] = true
		tx, err := past.TxAt(in.PrevPos)
		if err != nil {
			return nil, err
		}
		if VerdictOf(tx) != Tx0 || shapeOf(tx).premixOf() != satoshi(in.Value) {
			continue
		}
		for _, j := range coSpend(tx, mix, "tx0") {
			j.Detail = "confirmed by the mix " + mix.ID.String()
			joins = append(joins, j)
		}
	}
	return joins, nil
}
