package cluster

import (
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// agreeing is how many independent rules must point at one output.
const agreeing = 3

// changeRules is how many there are: those of votes, peeled and onlyFresh.
const changeRules = 5

// changeOf returns the T1 join of the inputs' owner with the change output, where
// three independent rules point at one output and at no other: one-time address
// (Androulaki et al. 2013), optimal change (Nick 2015: less than every input),
// address type (Kappos et al. 2022: that of all inputs and of no other output),
// round payment (all others are multiples of 0.001 BTC), peel chain (Meiklejohn et
// al. 2013: the larger rest of a rest of a rest). All facts lie before or in the
// transaction itself. The fingerprint of the spender's program (Kappos et al.) is no
// rule here: a record keeps neither version, lock time nor sequence numbers.
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
		n, err := s.agree(tx, i, past)
		if err != nil {
			return nil, err
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
		Detail: fmt.Sprintf("output of %d sat, %d of %d rules agree", s.out[best].value, votes, changeRules),
	}}, nil
}

// agree counts the rules that point at an output. The past is only read where it
// can still decide.
func (s *shape) agree(tx *ledger.Tx, i int, past Before) (int, error) {
	n := s.votes(i)
	if n+2 < agreeing {
		return n, nil
	}
	peeled, err := s.peeled(tx, i, past)
	if err != nil {
		return n, err
	}
	if peeled {
		n++
	}
	if n+1 < agreeing {
		return n, nil
	}
	once, err := s.onlyFresh(tx, i, past)
	if once {
		n++
	}
	return n, err
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

// links is how many transactions before one make a peel chain of it (judgment).
const links = 2

// peeled: the transaction splits one coin in two, as did the two before it, and
// each went on with the larger part. It never agrees with optimal change, which
// says nothing of a single input.
func (s *shape) peeled(tx *ledger.Tx, i int, past Before) (bool, error) {
	if Rest(tx) < 0 || tx.Outputs[Rest(tx)].Address != s.out[i].owner {
		return false, nil
	}
	for range links {
		in := &tx.Inputs[0]
		if in.PrevPos == 0 || in.PrevPos >= tx.Pos {
			return false, nil
		}
		before, err := past.TxAt(in.PrevPos)
		if err != nil {
			return false, err
		}
		if rest := Rest(before); rest < 0 || uint32(rest) != in.Prev.Index {
			return false, nil
		}
		tx = before
	}
	return true, nil
}

// Rest returns the output with which a peel chain goes on: the larger of two, of
// a transaction with one known input. -1 where it is no link of one.
func Rest(tx *ledger.Tx) int {
	if tx.Coinbase || len(tx.Inputs) != 1 || !tx.Inputs[0].Known || len(tx.Outputs) != 2 {
		return -1
	}
	x, y := &tx.Outputs[0], &tx.Outputs[1]
	switch {
	case x.Address.IsZero() || y.Address.IsZero() || x.Address == y.Address || x.Value.IsZero() || y.Value.IsZero():
		return -1
	case y.Value.Less(x.Value):
		return 0
	case x.Value.Less(y.Value):
		return 1
	}
	return -1
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
