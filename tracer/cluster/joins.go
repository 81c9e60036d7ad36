package cluster

import (
	"fmt"

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

// agreeing is how many independent rules must point at one output.
const agreeing = 3

// changeOf returns the T1 join of the inputs' owner with the change output, where
// three independent rules point at one output and at no other: one-time address
// (Androulaki et al. 2013), optimal change (Nick 2015: less than every input),
// address type (Kappos et al. 2022: that of all inputs and of no other output),
// round payment (all others are multiples of 0.001 BTC). All facts lie before or in
// the transaction itself.
func changeOf(tx *ledger.Tx, past Before) ([]ledger.Join, error) {
	s := shapeOf(tx)
	if s.unknown > 0 || len(s.in) == 0 || len(s.out) < 2 {
		return nil, nil
	}
	for _, c := range s.out {
		if _, own := s.inScripts[c.owner]; own {
			return nil, nil // the change went back to a paying address
		}
	}
	best, votes := -1, 0
	for i := range s.out {
		n := s.votes(i)
		if n+1 < agreeing {
			continue
		}
		once, err := s.onlyFresh(tx, i, past)
		if err != nil {
			return nil, err
		}
		if once {
			n++
		}
		if n >= agreeing && best >= 0 {
			return nil, nil
		}
		if n >= agreeing {
			best, votes = i, n
		}
	}
	if best < 0 {
		return nil, nil
	}
	return []ledger.Join{{
		A: s.in[0].owner, B: s.out[best].owner, Tier: ledger.TierChange, Heuristic: "change", Tx: tx.ID, Pos: tx.Pos,
		Detail: fmt.Sprintf("output of %d sat, %d of 4 rules agree", s.out[best].value, votes),
	}}, nil
}

// votes counts the rules that need no past.
func (s *shape) votes(i int) int {
	n := 0
	for _, rule := range []func(int) bool{s.optimal, s.ofTheirType, s.unround} {
		if rule(i) {
			n++
		}
	}
	return n
}

// optimal: the output is smaller than every input, and the only one that is.
func (s *shape) optimal(i int) bool {
	least := s.in[0].value
	for _, c := range s.in {
		least = min(least, c.value)
	}
	for j, c := range s.out {
		if (c.value < least) != (j == i) {
			return false
		}
	}
	return true
}

// ofTheirType: all inputs have one type of address, which the output has and no other.
func (s *shape) ofTheirType(i int) bool {
	kind := s.out[i].owner.Kind
	for _, c := range s.in {
		if c.owner.Kind != kind {
			return false
		}
	}
	for j, c := range s.out {
		if j != i && c.owner.Kind == kind {
			return false
		}
	}
	return true
}

// round is 0.001 BTC in satoshi: payments are made in such steps, change is not.
const round = 100_000

func (s *shape) unround(i int) bool {
	for j, c := range s.out {
		if (c.value%round == 0) == (j == i) {
			return false
		}
	}
	return true
}

// onlyFresh: the output's address was never seen before, and all others were.
func (s *shape) onlyFresh(tx *ledger.Tx, i int, past Before) (bool, error) {
	for j, c := range s.out {
		seen, err := past.Seen(c.owner, tx.Pos)
		if err != nil || seen == (j == i) {
			return false, err
		}
	}
	return true, nil
}
