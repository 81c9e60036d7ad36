package tracer

import (
	"github.com/spoortrace/spoor/ledger"
)

// watchService finds the point from which the account counts as a service.
func (run *run) watchService(a *account) error {
	if run.req.ServicePayees <= 0 || run.req.Through[a.holder.Address] || a.holder.Address.Kind == ledger.KindNamed {
		return nil
	}
	at, found, err := run.idx.PayeeAt(run.ctx, a.holder, run.req.ServicePayees+1)
	if found {
		a.service = &at
	}
	return err
}

// count charges an event to an open account and closes it when its budget is
// spent, or when the event makes it a service. What comes in below the floor is
// not charged, nor, where there is none, dust: else ten thousand such would end
// any trace.
func (run *run) count(a *account, e ledger.Event) error {
	least := run.req.FloorOf(a.holder.Asset)
	if run.req.NoFloor {
		least = ledger.InfoOf(a.holder.Asset).Dust
	}
	if e.To == a.holder.Address && e.Amount.Less(least) {
		return nil
	}
	v := run.visited[a.holder]
	v.events++
	over := run.req.AccountEvents > 0 && v.events > run.req.AccountEvents
	v.pending = v.pending || over
	run.visited[a.holder] = v
	if over {
		return run.closeAs(a, Pending, e.At)
	}
	if a.service == nil || e.From != a.holder.Address || e.At.Before(*a.service) {
		return nil
	}
	exempt, err := run.exemptAt(a.holder.Address, e.At)
	if err != nil || exempt {
		return err
	}
	return run.closeAs(a, SuspectedService, e.At)
}

// exemptAt reports whether a label keeps the account from being a suspected
// service at an event. The event's time is read only where it matters.
func (run *run) exemptAt(a ledger.Address, at ledger.Point) (bool, error) {
	tags, err := run.tagsOf(a)
	if err != nil {
		return false, err
	}
	if tags = exempting(tags); len(tags) == 0 {
		return false, nil
	}
	tx, err := run.idx.TxAt(run.ctx, a.Chain, at.Pos)
	return ExemptFromService(tags, tx.Time), err
}

// closeAs ends everything an account holds.
func (run *run) closeAs(a *account, reason Reason, at ledger.Point) error {
	t := a.terminal(reason)
	t.LastKnown, t.ClosedAt = at, at
	run.ended = append(run.ended, t)
	if g := run.flow; g != nil {
		g.pending = g.pending || reason == Pending
		g.end(a.node, t.spot(), a.sum)
	}
	a.closed = true
	delete(run.accounts, a.holder)
	return run.tally(a.holder.Asset).add(a.held.segs, bucketField(reason.Bucket()))
}
