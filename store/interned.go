package store

import (
	"iter"

	"github.com/spoortrace/spoor/ledger"
)

// named yields the addresses of a transaction in the order in which they are
// interned: of every input (none where the coin is unknown) and output, both
// sides of every transfer, account, peer and contract of every notice, and its
// subjects, in whose lists it will stand. Some of them are no address.
func named(tx *ledger.Tx) iter.Seq[ledger.Address] {
	return func(yield func(ledger.Address) bool) {
		for i := range tx.Inputs {
			if !yield(tx.Inputs[i].Address) {
				return
			}
		}
		for i := range tx.Outputs {
			if !yield(tx.Outputs[i].Address) {
				return
			}
		}
		for i := range tx.Transfers {
			if !yield(tx.Transfers[i].From) || !yield(tx.Transfers[i].To) {
				return
			}
		}
		for i := range tx.Notices {
			if n := &tx.Notices[i]; !yield(n.Account) || !yield(n.Peer) || !yield(n.Contract) {
				return
			}
		}
		if tx.Status == ledger.StatusFailed {
			return
		}
		for i := range tx.Notices {
			for _, a := range tx.Notices[i].Subjects(tx.Chain) {
				if !yield(a) {
					return
				}
			}
		}
	}
}

// moved yields the assets of the transfers and of the notices of a transaction.
func moved(tx *ledger.Tx) iter.Seq[ledger.Asset] {
	return func(yield func(ledger.Asset) bool) {
		for i := range tx.Transfers {
			if !yield(tx.Transfers[i].Asset) {
				return
			}
		}
		for i := range tx.Notices {
			if !yield(tx.Notices[i].Asset) {
				return
			}
		}
	}
}

// interned are the ids of what named and moved yield, one each, 0 for no address.
type interned struct{ addresses, assets []uint64 }

// body returns the part of a record that never changes.
func (ids *interned) body(tx *ledger.Tx) body {
	b := body{tx: *tx, nOutputs: len(tx.Outputs), inputs: make([]inputIDs, len(tx.Inputs)), transfers: make([]transferIDs, len(tx.Transfers))}
	for i, in := range tx.Inputs {
		b.inputs[i] = inputIDs{in, ids.addresses[i]}
	}
	rest := ids.addresses[len(tx.Inputs)+len(tx.Outputs):]
	for i, t := range tx.Transfers {
		b.transfers[i] = transferIDs{Transfer: t, from: rest[2*i], to: rest[2*i+1], asset: ids.assets[i]}
	}
	rest = rest[2*len(tx.Transfers):]
	for i, n := range tx.Notices {
		b.notices = append(b.notices, noticeIDs{Notice: n, account: rest[3*i], peer: rest[3*i+1], contract: rest[3*i+2], asset: ids.assets[len(tx.Transfers)+i]})
	}
	return b
}

// outputs returns the outputs of a record, unspent.
func (ids *interned) outputs(tx *ledger.Tx) []output {
	outs := make([]output, len(tx.Outputs))
	for i, out := range tx.Outputs {
		outs[i] = output{owner: ids.addresses[len(tx.Inputs)+i], value: out.Value}
	}
	return outs
}
