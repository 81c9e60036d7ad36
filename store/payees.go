package store

import (
	"errors"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// maxPayees is the number of distinct payees that are told apart: one more than
// the 1,000 of a customer.
const maxPayees = 1001

// payees are the accounts that a holder paid at least the dust of its asset, in
// the order of the first payment to each. At maxPayees the ids are dropped and
// the row never changes again.
type payees struct {
	ids []uint64 // ascending, for the search; empty when full
	at  []ledger.Point
}

// add notes a payment and reports whether the payee is a further one.
func (p *payees) add(peer uint64, at ledger.Point) bool {
	if len(p.at) == maxPayees {
		return false
	}
	i, seen := slices.BinarySearch(p.ids, peer)
	if seen {
		return false
	}
	p.ids = slices.Insert(p.ids, i, peer)
	p.at = append(p.at, at)
	if len(p.at) == maxPayees {
		p.ids = nil
	}
	return true
}

func (p *payees) encode() []byte {
	var e encoder
	var last ledger.Position
	e.uint(uint64(len(p.at)))
	for _, at := range p.at {
		e.uint(uint64(at.Pos - last))
		e.uint(uint64(at.Slot))
		last = at.Pos
	}
	for _, id := range p.ids {
		e.uint(id)
	}
	return e.b
}

// loadPayees reads the row of an account that has count payees; a batch under
// way may have added some.
func loadPayees(r rows, addr uint64, a *account) (*payees, error) {
	p := &payees{}
	if a == nil || a.payees == 0 {
		return p, nil
	}
	value, err := r.row(payeesKey(addr, a.asset))
	if errors.Is(err, ErrAbsent) {
		return nil, corrupt("payees of account (%d, %d) are missing", addr, a.asset)
	}
	if err != nil {
		return nil, err
	}
	in := decoder{b: value}
	p.at = make([]ledger.Point, in.count())
	var last ledger.Position
	for i := range p.at {
		last += ledger.Position(in.uint())
		p.at[i] = ledger.Point{Pos: last, Slot: uint32(in.uint())}
	}
	if len(p.at) < maxPayees {
		p.ids = make([]uint64, len(p.at))
		for i := range p.ids {
			p.ids[i] = in.uint()
		}
	}
	if uint64(len(p.at)) < a.payees {
		return nil, corrupt("account (%d, %d) lists %d of %d payees", addr, a.asset, len(p.at), a.payees)
	}
	return p, in.end("payees")
}
