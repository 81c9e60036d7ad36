package risk

import (
	"context"
	"iter"

	"github.com/spoortrace/spoor/ledger"
)

// enter opens an account just beyond a transfer. late: what it is given was not paid by
// that transfer, but came with it.
func (r *replay) enter(h ledger.Holder, v value, d depth, by *trail, at ledger.Point, late bool) error {
	if d.least >= r.book.options.Hops {
		r.book.limit("value beyond %d transfers is not followed", r.book.options.Hops)
		r.end(r.open, h.Asset, v)
		return nil
	}
	since := at
	if late && !r.back {
		since.Slot++
	}
	balance, err := r.idx.Balance(r.ctx, h, since)
	if err != nil {
		return err
	}
	a := &account{lot: lot{h, v.origin}, balance: balance.Amount, asked: v, depth: d, trail: by, opened: at}
	a.brought.origin = v.origin
	var events iter.Seq2[ledger.Event, error]
	switch {
	case r.back:
		if a.balance.Less(v.units) {
			// More may be asked for than was paid, where money went in circles; but
			// nobody held less than he paid.
			paid, err := r.amountAt(h, at)
			if err != nil {
				return err
			}
			a.balance = ledger.Max(a.balance, paid)
		}
		events = r.idx.EventsBefore(r.ctx, h, at)
	case late:
		a.balance = ledger.Max(a.balance, v.units)
		events = r.idx.Events(r.ctx, h, at)
	default:
		paid, err := r.amountAt(h, at)
		if err != nil {
			return err
		}
		if paid.IsZero() {
			paid = v.units
		}
		a.balance = a.balance.Plus(paid)
		events = r.idx.Events(r.ctx, h, at)
	}
	a.next, a.stop = iter.Pull2(events)
	r.ledgers[a.lot] = a
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
	for !a.asked.units.IsZero() {
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
		if !e.Amount.Less(ledger.InfoOf(a.Asset).Dust) {
			r.book.steps++
			a.events++
		}
		if e.From == e.To {
			continue
		}
		return r.push(a.Asset.Chain, &item{at: e.At, account: a, event: e})
	}
	r.shut(a, r.unlabelled)
	return nil
}

// finish closes an account without any further event. Backwards that is what it held
// before its first transfer. Forwards it rests, if all of its transfers are held.
func (r *replay) finish(a *account) error {
	where := r.open
	if !r.back {
		covered, err := r.idx.Covered(r.ctx, a.Holder, a.opened.Pos)
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
	r.end(where, a.Asset, a.asked)
	a.asked = value{origin: a.origin}
	a.stop()
	delete(r.ledgers, a.lot)
}

// accountEvents bounds one unlabelled address: beyond, it is a service that nobody
// labelled, and whose it is cannot be said.
const accountEvents = 2_000

// event is the next transfer of an open account.
func (r *replay) event(a *account, e ledger.Event) error {
	leaves, other := e.From == a.Address, e.To
	if r.back {
		leaves, other = !leaves, e.From
	}
	if !leaves {
		a.balance = a.balance.Plus(e.Amount)
		a.asked = a.asked.plus(a.brought)
		a.brought = value{origin: a.origin}
		return r.await(a)
	}
	// x above B would be a hole in the index: what is asked for goes whole.
	units := a.asked.units
	if e.Amount.Less(a.balance) {
		units, _ = units.MulDiv(e.Amount, a.balance)
	}
	taken := a.asked.take(units)
	a.balance = a.balance.SubFloor(e.Amount)
	switch {
	case units.IsZero():
	case e.Kind == ledger.TransferFee:
		r.end(r.unlabelled, a.Asset, taken)
	case e.Amount.Less(ledger.InfoOf(a.Asset).Dust):
		// Whose dust it was is not looked into: thousands could send some, so that
		// nothing else is.
		r.end(r.open, a.Asset, taken)
	default:
		d := depth{a.depth.least + 1, a.depth.most + 1}
		if err := r.arrive(ledger.Holder{Address: other, Asset: a.Asset}, taken, d, &trail{stepOf(a.Asset.Chain, e), a.trail}); err != nil {
			return err
		}
	}
	return r.await(a)
}

// stepOf is the transfer of an event. What it is called costs a look at the
// transaction, which most steps are spared: see name.
func stepOf(c ledger.Chain, e ledger.Event) Step {
	return Step{Chain: c, Kind: e.Kind, At: e.At, plain: e.Plain}
}

// name looks up the transaction, index and time of a step that has none yet.
func (b *book) name(ctx context.Context, s *Step) error {
	if s.Tx != (ledger.TxID{}) {
		return nil
	}
	tx, err := b.idx.TxAt(ctx, s.Chain, s.At.Pos)
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
