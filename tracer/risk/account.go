package risk

import (
	"container/heap"
	"context"
	"iter"

	"github.com/spoortrace/spoor/ledger"
)

// enter opens an account just beyond a transfer.
func (r *replay) enter(h ledger.Holder, part ledger.Amount, d depth, by *trail) error {
	at := by.step.At
	balance, err := r.idx.Balance(r.ctx, h, at)
	if err != nil {
		return err
	}
	a := &account{holder: h, balance: balance.Amount, asked: part, depth: d, trail: by, opened: at}
	var events iter.Seq2[ledger.Event, error]
	if r.back {
		// What it held before it paid: no less than what it paid.
		a.balance = ledger.Max(a.balance, part)
		events = r.idx.EventsBefore(r.ctx, h, at)
	} else {
		whole, err := r.amountAt(h, at)
		if err != nil {
			return err
		}
		a.balance = a.balance.Plus(ledger.Max(whole, part))
		events = r.idx.Events(r.ctx, h, at)
	}
	a.next, a.stop = iter.Pull2(events)
	r.ledgers[h] = a
	return r.await(a)
}

// amountAt is what the holder's event at a point moved.
func (r *replay) amountAt(h ledger.Holder, at ledger.Point) (ledger.Amount, error) {
	before := at
	if before.Slot > 0 {
		before.Slot--
	} else if before.Pos > 0 {
		before = ledger.Point{Pos: before.Pos - 1, Slot: ^uint32(0)}
	}
	for e, err := range r.idx.Events(r.ctx, h, before) {
		if err != nil {
			return ledger.Amount{}, err
		}
		if e.At == at {
			return e.Amount, nil
		}
		if at.Before(e.At) {
			break
		}
	}
	return ledger.Amount{}, nil
}

// await queues the next event of an account, or closes it.
func (r *replay) await(a *account) error {
	for !a.asked.IsZero() {
		if r.book.steps >= r.book.options.Events || a.events >= accountEvents || r.book.scanned >= maxScanned {
			r.book.limit("some addresses have too many transfers to be followed (%d events, %d of one address)", r.book.options.Events, accountEvents)
			r.shut(a, r.open)
			return nil
		}
		e, err, more := a.next()
		if err != nil {
			return err
		}
		if !more {
			return r.finish(a)
		}
		r.book.scanned++
		if !e.Amount.Less(ledger.InfoOf(a.holder.Asset).Dust) {
			r.book.steps++
			a.events++
		}
		if e.From == e.To {
			continue
		}
		heap.Push(&r.queue, &item{at: e.At, account: a, event: e})
		return nil
	}
	r.shut(a, r.unlabelled)
	return nil
}

// finish closes an account without any further event. Backwards that is what it held
// before its first transfer. Forwards it rests, if all of its transfers are held.
func (r *replay) finish(a *account) error {
	where := r.open
	if !r.back {
		covered, err := r.idx.Covered(r.ctx, a.holder, a.trail.step.At.Pos)
		if err != nil {
			return err
		}
		if covered {
			where = r.unlabelled
		}
	}
	r.shut(a, where)
	return nil
}

func (r *replay) shut(a *account, where map[ledger.Asset]ledger.Amount) {
	r.end(where, a.holder.Asset, a.asked)
	a.asked = ledger.Amount{}
	a.stop()
	delete(r.ledgers, a.holder)
}

// accountEvents bounds one unlabelled address: beyond, it is a service that nobody
// labelled, and whose it is cannot be said.
const accountEvents = 2_000

// event is the next transfer of an open account.
func (r *replay) event(a *account, e ledger.Event) error {
	leaves, other := e.From == a.holder.Address, e.To
	if r.back {
		leaves, other = !leaves, e.From
	}
	if !leaves {
		a.balance = a.balance.Plus(e.Amount)
		a.asked = a.asked.Plus(a.brought)
		a.brought = ledger.Amount{}
		return r.await(a)
	}
	// x above B would be a hole in the index: what is asked for goes whole.
	taken := a.asked
	if e.Amount.Less(a.balance) {
		taken, _ = a.asked.MulDiv(e.Amount, a.balance)
	}
	a.asked = a.asked.Minus(taken)
	a.balance = a.balance.SubFloor(e.Amount)
	if !taken.IsZero() {
		d := depth{a.depth.least + 1, a.depth.most + 1}
		switch {
		case e.Kind == ledger.TransferFee:
			r.end(r.unlabelled, a.holder.Asset, taken)
			return r.await(a)
		case e.Amount.Less(ledger.InfoOf(a.holder.Asset).Dust):
			// Whose dust it was is not looked into: thousands could send some, so that
			// nothing else is.
			r.end(r.open, a.holder.Asset, taken)
			return r.await(a)
		}
		if err := r.arrive(ledger.Holder{Address: other, Asset: a.holder.Asset}, taken, d, &trail{stepOf(e), a.trail}); err != nil {
			return err
		}
	}
	return r.await(a)
}

// stepOf is the transfer of an event. What it is called costs a look at the
// transaction, which most steps are spared: see name.
func stepOf(e ledger.Event) Step { return Step{Kind: e.Kind, At: e.At} }

// name looks up the transaction, index and time of a step that has none yet.
func (b *book) name(ctx context.Context, c ledger.Chain, s *Step) error {
	if s.Tx != (ledger.TxID{}) {
		return nil
	}
	tx, err := b.idx.TxAt(ctx, c, s.At.Pos)
	if err != nil {
		return err
	}
	s.Tx, s.Time = tx.ID, tx.Time
	for i := range tx.Transfers {
		if tx.Transfers[i].Slot == s.At.Slot {
			s.Index = tx.Transfers[i].Index
		}
	}
	return nil
}
