package tracer

import (
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// arrival is one transfer, or one output, that carries traced units.
type arrival struct {
	Hop
	parcel parcel
	work   *Working // nil: nobody asked how it came about
	node   int      // in the flow graph
}

// settle decides what becomes of traced units that reach a payee: they end at
// a stop, are pruned below the floor, or stay (true) and are to be credited.
// open says that the payee already holds traced units.
func (run *run) settle(a *arrival, open bool) (stays bool, err error) {
	a.Dirty = a.parcel.dirty()
	a.Shares = a.parcel.shares()
	reason, err := run.stop(a, open)
	if err != nil {
		return false, err
	}
	if reason == "" && !open && a.Dirty.Less(run.req.FloorOf(a.Asset)) {
		return false, run.end(a, Pruned)
	}
	run.hop(a)
	if reason != "" {
		return false, run.end(a, reason)
	}
	return true, nil
}

// stop returns the reason for which the trace ends at the payee, or none. What
// the user says goes before labels, labels before what the engine suspects.
// The limit of depth is one of ledgers: what comes to an open one is in reach.
func (run *run) stop(a *arrival, open bool) (Reason, error) {
	switch {
	case run.req.StopAt[a.To]:
		return StoppedByUser, nil
	case a.To.IsZero() || a.To.Burn():
		return Burn, nil
	case ledger.Unfollowable(a.Asset):
		return UnsupportedAsset, nil
	}
	if !run.req.Through[a.To] {
		tags, err := run.tagsOf(a.To)
		if err != nil {
			return "", err
		}
		if reason, ok := StopOf(tags, a.Time); ok {
			return reason, nil
		}
		service, err := run.suspected(a, tags)
		if err != nil || service {
			return SuspectedService, err
		}
	}
	if !open && run.req.Hops > 0 && a.Depth > run.req.Hops {
		return Pending, nil
	}
	if run.visited[ledger.Holder{Address: a.To, Asset: a.Asset}].pending {
		return Pending, nil
	}
	return "", nil
}

// suspected reports whether the payee is already a service at the arrival:
// it has paid more distinct payees than the request allows. A customer of a
// service is none.
func (run *run) suspected(a *arrival, tags []ledger.Tag) (bool, error) {
	if run.req.ServicePayees <= 0 || a.Chain.UTXO() || a.To.Kind == ledger.KindNamed || ExemptFromService(tags, a.Time) {
		return false, nil
	}
	h := ledger.Holder{Address: a.To, Asset: a.Asset}
	if payee := run.accounts[h]; payee != nil { // open: it was asked for already
		return payee.service != nil && !a.At.Before(*payee.service), nil
	}
	at, found, err := run.idx.PayeeAt(run.ctx, h, run.req.ServicePayees+1)
	return found && !a.At.Before(at), err
}

// end books traced units that leave the trace and records where.
func (run *run) end(a *arrival, reason Reason) error {
	if g := run.flow; g != nil {
		g.pending = g.pending || reason == Pending
		g.end(a.node, spot{a.To, a.Asset, a.At}, a.Amount)
	}
	run.ended = append(run.ended, Terminal{
		Address: a.To, Asset: a.Asset, Dirty: a.Dirty, Low: a.Dirty, High: a.Dirty, Shares: a.Shares, Reason: reason,
		Tx: a.Tx, Index: a.Index, Kind: a.Kind, At: a.At, Via: a.From, Hop: a.ID, ArrivedAt: a.Time, LastKnown: a.At, Coin: a.Chain.UTXO(),
	})
	return run.tally(a.Asset).add(a.parcel.segs, bucketField(reason.Bucket()))
}

// shares lists the traced units per label; under poison the labels alone.
func (p parcel) shares() []Segment {
	if len(p.set) > 0 {
		var shares []Segment
		for _, l := range p.set {
			shares = append(shares, Segment{Label: l})
		}
		return shares
	}
	shares := byLabel(p.segs)
	return slices.DeleteFunc(shares, func(s Segment) bool { return s.Label == Clean })
}
