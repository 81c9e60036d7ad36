package evidence

import (
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// consistent holds the parts of a record against each other: coins against the
// outputs that they are, histories against each other and against transactions.
func (r *recorded) consistent() error {
	for key := range r.txs {
		tx := r.txs[key]
		if err := r.coins(&tx); err != nil {
			return fmt.Errorf("transaction %s: %w", tx.ID, err)
		}
	}
	for h, y := range r.histories {
		if err := r.agrees(h, y); err != nil {
			return fmt.Errorf("history of %s: %w", h.Address, err)
		}
	}
	return nil
}

// coins holds inputs against the outputs that they spend, and outputs against
// the inputs that spend them.
func (r *recorded) coins(tx *ledger.Tx) error {
	for _, in := range tx.Inputs {
		from, held := r.txs[txKey{tx.Chain, in.PrevPos}]
		if !held || from.ID != in.Prev.Tx {
			continue
		}
		if int(in.Prev.Index) >= len(from.Outputs) {
			return missing("it spends output %d of %s, which has %d", in.Prev.Index, from.ID, len(from.Outputs))
		}
		out := from.Outputs[in.Prev.Index]
		if !in.Known || out.Address != in.Address || out.Value != in.Value || out.SpentBy != tx.Pos {
			return missing("it spends output %d of %s as %s of %s", in.Prev.Index, from.ID, in.Value, in.Address)
		}
	}
	for i, out := range tx.Outputs {
		by, held := r.txs[txKey{tx.Chain, out.SpentBy}]
		if out.SpentBy == 0 || !held {
			continue
		}
		if !slices.ContainsFunc(by.Inputs, func(in ledger.Input) bool { return in.Prev.Tx == tx.ID && in.Prev.Index == uint32(i) }) {
			return missing("output %d is spent by %s, which does not list it", i, by.ID)
		}
	}
	return r.pays(tx)
}

// pays checks that a transaction pays out no more than its inputs, as far as
// they are known.
func (r *recorded) pays(tx *ledger.Tx) error {
	if len(tx.Outputs) == 0 || tx.Coinbase {
		return nil
	}
	var in, out ledger.Amount
	var err error
	for _, one := range tx.Inputs {
		if !one.Known {
			return nil
		}
		if in, err = in.Add(one.Value); err != nil {
			return err
		}
	}
	for _, one := range tx.Outputs {
		if out, err = out.Add(one.Value); err != nil {
			return err
		}
	}
	if in.Less(out) {
		return missing("%s in, %s out", in, out)
	}
	return nil
}

// agrees holds each event of a history against the other party's and against
// the transaction that it stands in.
func (r *recorded) agrees(h ledger.Holder, y *heldHistory) error {
	for _, e := range y.events {
		if tx, held := r.txs[txKey{h.Address.Chain, e.At.Pos}]; held && !standsIn(&tx, h.Asset, e) {
			return missing("%s has no transfer as at %s", tx.ID, e.At)
		}
		for _, a := range []ledger.Address{e.From, e.To} {
			other := r.histories[ledger.Holder{Address: a, Asset: h.Asset}]
			if a == h.Address || other == nil || e.At.Before(other.from) || (!other.complete && other.to.Before(e.At)) {
				continue
			}
			at, found := slices.BinarySearchFunc(other.events, e.At, func(o ledger.Event, p ledger.Point) int { return o.At.Compare(p) })
			if !found || other.events[at] != e {
				return missing("that of %s does not list the transfer at %s", a, e.At)
			}
		}
	}
	return nil
}

func standsIn(tx *ledger.Tx, asset ledger.Asset, e ledger.Event) bool {
	return slices.ContainsFunc(tx.Transfers, func(t ledger.Transfer) bool {
		return t.Slot == e.At.Slot && t.Kind == e.Kind && t.From == e.From && t.To == e.To && t.Asset == asset && t.Amount == e.Amount
	})
}
