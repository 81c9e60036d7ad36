package tracer

import (
	"container/heap"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// Crossing is a change of asset or network in which traced value goes on
// (method, section 5): the share of it that is traced stays the same.
type Crossing struct {
	Kind  string // WRAP, UNWRAP, SWAP, BRIDGE or DISCLOSED
	Rule  string // "wrap", "net table", the bridge's protocol, "recipient, amount and time", or "disclosed"
	Tier  string // T0: exact; T2: heuristic
	Grade ledger.Grade
	ID    string // of a bridge transfer, or of the row of a service's answer

	AssetIn             ledger.Asset
	AmountIn, DirtyIn   ledger.Amount // given up: in all, and the traced part
	Chain               ledger.Chain  // of the other leg
	Tx                  ledger.TxID
	Index               uint32
	TransferKind        ledger.TransferKind
	At                  ledger.Point   // where what was received is laid over what was paid out
	From                ledger.Address // who paid it out
	To                  ledger.Address
	AssetOut            ledger.Asset
	AmountOut, DirtyOut ledger.Amount // received: in all, and the traced part
}

// String prints what the crossing does.
func (c *Crossing) String() string {
	return fmt.Sprintf("%s by %s (%s, %s) %s: %s of %s of %s, %s of %s of %s to %s in %s", c.Kind, c.Rule, c.Tier, c.Grade, c.ID,
		c.DirtyIn, c.AmountIn, c.AssetIn, c.DirtyOut, c.AmountOut, c.AssetOut, c.To, c.Tx)
}

// conversion is traced value on its way through a crossing: it is laid over
// what was received just after the transfer that paid it, or, where a pool pays
// before it is paid, just after that.
type conversion struct {
	parcel parcel // traced units alone
	step   Hop    // what the transfer that paid it will be told as; its Parent went in, At is when
}

// exchanged keeps what of a swap has gone in so far, so that the parts of
// several transfers into it add up to the floor of the whole.
type exchanged struct{ in, out ledger.Amount }

type exchangeKey struct {
	place
	asset ledger.Asset
}

// cross sends a traced transfer through the crossing that it is part of; false
// when it is part of none.
func (run *run) cross(a *arrival, t *ledger.Transfer, tx *ledger.Tx) (bool, error) {
	if run.req.StopAt[a.To] || run.req.Through[a.To] || a.parcel.dirty().IsZero() {
		return false, nil
	}
	if n, ok := BridgeLeg(tx, t, ledger.NoticeBridgeOut); ok {
		return true, run.crossBridge(a, n, tx)
	}
	if tx.Chain.UTXO() {
		return false, nil
	}
	s := run.tableOf(tx).swapOf(a.Asset)
	if s == nil || !s.pools[wrapper(tx, a.Asset, a.To)] {
		return false, nil
	}
	if s.unsure {
		return true, run.stopAt(a, Contract)
	}
	c := &Crossing{
		Kind: s.kind, Rule: "net table", Tier: "T0", Grade: max(a.Grade, s.leg.Grade), AssetIn: a.Asset, AmountIn: s.in, Chain: tx.Chain, Tx: tx.ID,
		Index: s.leg.Index, TransferKind: s.leg.Kind, To: s.to, AssetOut: s.asset, AmountOut: s.out,
	}
	if s.kind != "SWAP" {
		c.Rule = "wrap"
	}
	when := ledger.Point{Pos: tx.Pos, Slot: s.leg.Slot}
	if when.Before(a.At) {
		when = a.At
	}
	return true, run.convert(a, c, Hop{At: when, Time: tx.Time, From: s.leg.From, Grade: max(tx.Grade, s.leg.Grade)})
}

func (run *run) tableOf(tx *ledger.Tx) *netTable {
	at := place{tx.Chain, tx.Pos}
	if run.table != nil && run.tableAt == at {
		return run.table
	}
	t := newNetTable(tx)
	run.table, run.tableAt = t, at
	return t
}

func (run *run) crossBridge(a *arrival, n ledger.Notice, tx *ledger.Tx) error {
	out := ledger.Noted{Notice: n, Tx: tx.ID, At: ledger.Point{Pos: tx.Pos, Slot: n.Slot}, Time: tx.Time}
	in, on, tier, err := run.inLeg(out, tx.Chain)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", n.Ref, err)
	}
	run.remember(bridgeLeg{tx.Chain, out, on, in.At})
	if on == "" {
		return run.stopAt(a, BridgeUnmatched)
	}
	paid, err := run.paidBy(on, in)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", n.Ref, err)
	}
	c := &Crossing{
		Kind: kindOf(n.Ref), Rule: protocolOf(n.Ref), Tier: tier, Grade: max(a.Grade, n.Grade, in.Grade), ID: n.Ref, AssetIn: a.Asset, AmountIn: n.Amount,
		Chain: on, Tx: in.Tx, Index: paid.Index, TransferKind: paid.Kind, To: in.Account, AssetOut: in.Asset, AmountOut: in.Amount,
	}
	if tier != "T0" {
		c.Rule, c.Grade = "recipient, amount and time", ledger.GradeInferred
	}
	return run.convert(a, c, paid)
}

// Disclosed is the protocol of refs that join a transfer to the row by which a
// service says whose account it was, or whose order.
const Disclosed = "disclosed"

func kindOf(ref string) string {
	if protocolOf(ref) == Disclosed {
		return "DISCLOSED"
	}
	return "BRIDGE"
}

// joined reports a crossing of one transfer with one other; the parts of a swap add up.
func (c *Crossing) joined() bool { return c.Kind == "BRIDGE" || c.Kind == "DISCLOSED" }

func protocolOf(ref string) string {
	for i := range len(ref) {
		if ref[i] == ':' {
			return ref[:i]
		}
	}
	return ref
}

// paidBy finds the transfer or output by which a bridge paid.
func (run *run) paidBy(c ledger.Chain, in ledger.Noted) (Hop, error) {
	tx, err := run.idx.TxAt(run.ctx, c, in.At.Pos)
	if err != nil {
		return Hop{}, err
	}
	if c.UTXO() {
		for i, o := range tx.Outputs {
			if o.Address == in.Account && o.Value == in.Amount {
				return Hop{Index: uint32(i), At: ledger.Point{Pos: tx.Pos}, Time: tx.Time, From: firstOwner(tx), Grade: tx.Grade}, nil
			}
		}
	}
	best := -1
	for i, t := range tx.Transfers {
		if t.To == in.Account && t.Asset == in.Asset && t.Amount == in.Amount && t.Status != ledger.StatusFailed && (best < 0 || t.Slot == in.Slot) {
			best = i
		}
	}
	if best < 0 {
		return Hop{}, fmt.Errorf("%s pays %s nothing of it: %w", tx.ID, in.Account, ledger.ErrCorrupt)
	}
	t := tx.Transfers[best]
	return Hop{Index: t.Index, Kind: t.Kind, At: ledger.Point{Pos: tx.Pos, Slot: t.Slot}, Time: tx.Time, From: t.From, Grade: max(tx.Grade, t.Grade)}, nil
}

// stopAt ends traced units at a payee, with a hop.
func (run *run) stopAt(a *arrival, reason Reason) error {
	run.hop(a)
	return run.end(a, reason)
}

// convert books traced units out of one asset and sends the share of them that
// the other leg is worth on its way. paid is the other leg: place, time, payer, grade.
func (run *run) convert(a *arrival, c *Crossing, paid Hop) error {
	a.Dirty, a.Shares = a.parcel.dirty(), a.parcel.shares()
	if a.Dirty.Less(run.req.FloorOf(a.Asset)) {
		return run.end(a, Pruned)
	}
	if run.req.Hops > 0 && a.Depth > run.req.Hops {
		return run.stopAt(a, Pending)
	}
	key := exchangeKey{place{a.Chain, a.At.Pos}, a.Asset}
	if c.joined() {
		delete(run.exchanges, key)
	}
	x := run.exchanges[key]
	x.in = x.in.Plus(a.Dirty)
	whole, _ := c.AmountOut.MulDiv(ledger.Min(x.in, c.AmountIn), c.AmountIn)
	part := whole.Minus(x.out)
	x.out = whole
	if !c.joined() {
		run.exchanges[key] = x
	}
	c.DirtyIn, c.DirtyOut, c.At, c.From = a.Dirty, part, paid.At, paid.From
	a.Crossing = c
	run.hop(a)
	if g := run.flow; g != nil {
		g.end(a.node, spot{asset: a.Asset, at: ledger.Point{Slot: 1}}, a.Amount)
		g.leak(a, run.req.FloorOf(a.Asset))
		g.crossed[c.AssetOut] = true
	}
	if err := run.tally(a.Asset).add(a.parcel.segs, convertedOut); err != nil {
		return err
	}
	if part.IsZero() {
		return nil
	}
	paid.Parent, paid.Depth, paid.Chain, paid.Tx, paid.Index, paid.Kind = a.ID, a.Depth+1, c.Chain, c.Tx, c.Index, c.TransferKind
	paid.To, paid.Asset, paid.Amount = c.To, c.AssetOut, c.AmountOut
	return run.push(item{chain: c.Chain, at: paid.At, seed: -1, conversion: &conversion{share(a.parcel, part), paid}})
}

// share divides q units over the labels of a parcel in proportion.
func share(p parcel, q ledger.Amount) parcel {
	labels := byLabel(p.segs)
	if len(labels) > 0 && labels[0].Label == Clean {
		labels = labels[1:]
	}
	weights := make([]ledger.Amount, len(labels))
	for i, s := range labels {
		weights[i] = s.Amount
	}
	out := parcel{set: p.set}
	for i, part := range Apportion(q, totalOf(labels), weights) {
		out.segs = push(out.segs, Segment{labels[i].Label, part})
	}
	return out
}

// hop records a step.
func (run *run) hop(a *arrival) {
	a.Dirty, a.Shares = a.parcel.dirty(), a.parcel.shares()
	a.ID = len(run.hops) + 1
	run.hops = append(run.hops, a.Hop)
	run.watch.found(a)
	if run.OnHop != nil {
		run.OnHop(a.Hop)
	}
}

// arrive lays a conversion over what an account was paid.
func (run *run) arrive(v *conversion) error {
	h := ledger.Holder{Address: v.step.To, Asset: v.step.Asset}
	payee := run.accounts[h]
	clean, err := run.cleanAt(h, payee, v.step.At)
	if err != nil {
		return err
	}
	v.parcel.segs, _ = popFront(v.parcel.segs, clean) // what is traced already stays as it is
	a := &arrival{parcel: v.parcel, Hop: v.step, work: run.watch.at(v.step.Chain, v.step.At)}
	if a.parcel.dirty().IsZero() {
		return nil
	}
	if err := run.tally(a.Asset).add(v.parcel.segs, convertedIn); err != nil {
		return err
	}
	stays, err := run.settle(a, payee != nil)
	if err != nil || !stays {
		return err
	}
	if payee == nil {
		if payee, err = run.openAt(h, a, after(a.At), a.At); err != nil {
			return err
		}
	}
	payee.last = arrivalRef{a.Tx, a.Index, a.Kind, a.At, a.From, a.Time, a.ID}
	return run.relabel(payee, a.parcel)
}

func convertedIn(r *Row) *ledger.Amount { return &r.ConvertedIn }

func convertedOut(r *Row) *ledger.Amount { return &r.ConvertedOut }

func after(p ledger.Point) ledger.Point { return ledger.Point{Pos: p.Pos, Slot: p.Slot + 1} }

// cleanAt is how many clean units an account holds just after a point.
func (run *run) cleanAt(h ledger.Holder, acct *account, p ledger.Point) (ledger.Amount, error) {
	if acct != nil {
		return acct.sum.Minus(acct.held.dirty()), nil
	}
	b, err := run.idx.Balance(run.ctx, h, after(p))
	return b.Amount, err
}

// relabel turns the newest clean units of an account into traced ones.
func (run *run) relabel(acct *account, p parcel) error {
	x := p.total()
	segs := acct.held.segs
	for i := len(segs) - 1; i >= 0 && !x.IsZero(); i-- {
		if segs[i].Label != Clean {
			continue
		}
		n := ledger.Min(segs[i].Amount, x)
		x, segs[i].Amount = x.Minus(n), segs[i].Amount.Minus(n)
	}
	var left []Segment
	for _, s := range segs {
		left = push(left, s)
	}
	acct.held.segs = left
	acct.sum = acct.sum.Minus(p.total().Minus(x))
	return run.credit(acct, p)
}

// pendingConversion ends a conversion that the budget did not reach.
func (run *run) pendingConversion(v *conversion) error {
	if err := run.tally(v.step.Asset).add(v.parcel.segs, convertedIn); err != nil {
		return err
	}
	return run.stopAt(&arrival{parcel: v.parcel, Hop: v.step, work: run.watch.at(v.step.Chain, v.step.At)}, Pending)
}

// push puts an item in the queue. As soon as a second network is in play,
// everything in it is ordered by the clock across networks.
func (run *run) push(i item) error {
	if run.clocked {
		clock, err := run.clockOf(i.chain, i.at)
		if err != nil {
			return err
		}
		i.clock = clock
		heap.Push(&run.queue, i)
		return nil
	}
	if run.only != "" && run.only != i.chain {
		run.clocked = true
		for k := range run.queue {
			clock, err := run.clockOf(run.queue[k].chain, run.queue[k].at)
			if err != nil {
				return err
			}
			run.queue[k].clock = clock
		}
		heap.Init(&run.queue)
		return run.push(i)
	}
	run.only = i.chain
	heap.Push(&run.queue, i)
	return nil
}
