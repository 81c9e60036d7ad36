package risk

import (
	"container/heap"
	"context"
	"iter"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// replay follows value outward from one side of an address under haircut: what was
// received, backwards in time to where it came from; what was sent, forwards to
// where it went. It is one engine, since the one is the other in a mirror: an open
// account has a balance B and a part D of it that is asked for; a transfer of x that
// leaves it in the direction of the replay takes floor(D*x/B), one that enters brings
// what was taken at its other end.
//
// Whatever is not absorbed by a labelled entity ends as unlabelled (it was issued, or
// rests) or as open (a limit, a gap in the index). absorbed + unlabelled + open is
// what was put in, to the unit.
type replay struct {
	ctx  context.Context //nolint:containedctx // of one call
	idx  Index
	book *book
	back bool // backwards: Received

	ledgers map[ledger.Holder]*account
	nodes   map[ledger.Position]*node // transactions of a UTXO chain
	queue   queue

	found      map[sinkKey]*sink
	unlabelled map[ledger.Asset]ledger.Amount
	open       map[ledger.Asset]ledger.Amount
}

// depth is how far a part of the value has come, in transfers.
type depth struct{ least, most int }

func (d depth) with(o depth) depth { return depth{min(d.least, o.least), max(d.most, o.most)} }

// trail is the way that first led to a place; nil at the screened address.
type trail struct {
	step Step
	from *trail
}

// account is an open ledger.
type account struct {
	holder  ledger.Holder
	balance ledger.Amount // just after (backwards: just before) the last transfer that was looked at
	asked   ledger.Amount
	depth   depth
	trail   *trail
	events  int
	opened  ledger.Point  // the transfer that led here first
	brought ledger.Amount // by the transfer at hand, taken at its other end
	next    func() (ledger.Event, error, bool)
	stop    func()
}

// node is a transaction of a UTXO chain through which value goes.
type node struct {
	tx    *ledger.Tx
	asked ledger.Amount
	depth depth
	trail *trail
}

type sinkKey struct {
	entity   ledger.Address
	category string
	asset    ledger.Asset
	direct   bool
}

// sink is what one labelled entity absorbed.
type sink struct {
	tag    ledger.Tag
	amount ledger.Amount
	depth  depth
	trail  *trail
}

// item is the next thing to look at: an event of an account, a transaction, or a
// transfer that value enters by.
type item struct {
	at      ledger.Point
	account *account
	event   ledger.Event
	node    *node
	put     func() error
}

// queue orders items by chain position, in the direction of the replay; of two
// accounts at one transfer, the one that value leaves comes first.
type queue struct {
	items []*item
	back  bool
}

func (q *queue) Len() int      { return len(q.items) }
func (q *queue) Swap(i, j int) { q.items[i], q.items[j] = q.items[j], q.items[i] }
func (q *queue) Push(x any)    { q.items = append(q.items, x.(*item)) } //nolint:forcetypeassert // only items are pushed

func (q *queue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}

func (q *queue) Less(i, j int) bool {
	a, b := q.items[i], q.items[j]
	if c := a.at.Compare(b.at); c != 0 {
		return (c < 0) != q.back
	}
	return a.rank(q.back) < b.rank(q.back)
}

// rank puts what leaves an account before what enters one.
func (it *item) rank(back bool) int {
	switch {
	case it.put != nil:
		return 0
	case it.account != nil && (it.event.From == it.account.holder.Address) == back:
		return 2
	}
	return 1
}

func newReplay(ctx context.Context, idx Index, b *book, back bool) *replay {
	return &replay{
		ctx: ctx, idx: idx, book: b, back: back, ledgers: map[ledger.Holder]*account{}, nodes: map[ledger.Position]*node{},
		queue: queue{back: back}, found: map[sinkKey]*sink{}, unlabelled: map[ledger.Asset]ledger.Amount{}, open: map[ledger.Asset]ledger.Amount{},
	}
}

// close stops what is still being read.
func (r *replay) close() {
	for _, a := range r.ledgers {
		a.stop()
	}
}

// run looks at everything in order.
func (r *replay) run() error {
	defer r.close()
	for r.queue.Len() > 0 {
		it, _ := heap.Pop(&r.queue).(*item)
		var err error
		switch {
		case it.put != nil:
			err = it.put()
		case it.node != nil:
			err = r.transaction(it.node)
		default:
			err = r.event(it.account, it.event)
		}
		if err != nil {
			return err
		}
	}
	return r.ctx.Err()
}

// transfer puts value in that a transfer carried: it goes to the other side, from
// there on outward.
func (r *replay) transfer(asset ledger.Asset, other ledger.Address, amount ledger.Amount, step Step) {
	heap.Push(&r.queue, &item{at: step.At, put: func() error {
		return r.arrive(ledger.Holder{Address: other, Asset: asset}, amount, depth{1, 1}, &trail{step: step})
	}})
}

// arrive gives a holder a part of a transfer: an entity absorbs it, an open account
// is brought it (its own event of that transfer comes next), another is opened.
func (r *replay) arrive(h ledger.Holder, part ledger.Amount, d depth, by *trail) error {
	if part.IsZero() {
		return nil
	}
	if h.Address.IsZero() || h.Address.Burn() {
		r.end(r.unlabelled, h.Asset, part)
		return nil
	}
	done, err := r.absorb(h, part, d, by)
	if err != nil || done {
		return err
	}
	if a := r.ledgers[h]; a != nil {
		// An account that this very transfer opened reads from beyond it on: its own
		// event of it never comes.
		if a.opened == by.step.At {
			a.asked = a.asked.Plus(part)
		} else {
			a.brought = a.brought.Plus(part)
		}
		a.depth = a.depth.with(d)
		return nil
	}
	if d.least >= r.book.options.Hops {
		r.book.limit("value beyond %d transfers is not followed", r.book.options.Hops)
		r.end(r.open, h.Asset, part)
		return nil
	}
	return r.enter(h, part, d, by)
}

// absorb gives value to a labelled entity, or sets it aside where it is the tenant's own.
func (r *replay) absorb(h ledger.Holder, part ledger.Amount, d depth, by *trail) (bool, error) {
	entity, err := r.book.entity(r.ctx, h.Address, by.step.Time)
	if err != nil {
		return false, err
	}
	switch {
	case entity.own:
		r.end(r.unlabelled, h.Asset, part)
		return true, nil
	case entity.category == "":
		return false, nil
	}
	r.sink(h.Address, entity.category, entity.tag, h.Asset, part, d, by)
	return true, nil
}

func (r *replay) sink(entity ledger.Address, category string, tag ledger.Tag, asset ledger.Asset, part ledger.Amount, d depth, by *trail) {
	key := sinkKey{entity, category, asset, d.least == 1}
	s := r.found[key]
	if s == nil {
		s = &sink{tag: tag, depth: d, trail: by}
		r.found[key] = s
	}
	s.amount, s.depth = s.amount.Plus(part), s.depth.with(d)
}

func (r *replay) end(where map[ledger.Asset]ledger.Amount, asset ledger.Asset, part ledger.Amount) {
	where[asset] = where[asset].Plus(part)
}

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
		step, err := r.stepOf(a.holder.Asset.Chain, e)
		if err != nil {
			return err
		}
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
		if err := r.arrive(ledger.Holder{Address: other, Asset: a.holder.Asset}, taken, d, &trail{step, a.trail}); err != nil {
			return err
		}
	}
	return r.await(a)
}

// stepOf names the transfer of an event.
func (r *replay) stepOf(c ledger.Chain, e ledger.Event) (Step, error) {
	tx, err := r.idx.TxAt(r.ctx, c, e.At.Pos)
	if err != nil {
		return Step{}, err
	}
	s := Step{Tx: tx.ID, Kind: e.Kind, At: e.At, Time: tx.Time}
	for i := range tx.Transfers {
		if tx.Transfers[i].Slot == e.At.Slot {
			s.Index = tx.Transfers[i].Index
		}
	}
	return s, nil
}

// coin gives value to a transaction of a UTXO chain: backwards the one that made the
// coin, forwards the one that spends it.
func (r *replay) coin(pos ledger.Position, part ledger.Amount, d depth, by *trail, c ledger.Chain) error {
	asset := ledger.NativeAsset(c)
	if pos == 0 {
		if r.back {
			r.end(r.open, asset, part)
		} else {
			r.end(r.unlabelled, asset, part) // unspent: it rests
		}
		return nil
	}
	if n := r.nodes[pos]; n != nil {
		n.asked, n.depth = n.asked.Plus(part), n.depth.with(d)
		return nil
	}
	if d.least > r.book.options.Hops || r.book.steps >= r.book.options.Events {
		r.book.limit("value beyond %d transfers, or %d events, is not followed", r.book.options.Hops, r.book.options.Events)
		r.end(r.open, asset, part)
		return nil
	}
	r.book.steps++
	tx, err := r.idx.TxAt(r.ctx, c, pos)
	if err != nil {
		return err
	}
	n := &node{tx: &tx, asked: part, depth: d, trail: by}
	r.nodes[pos] = n
	heap.Push(&r.queue, &item{at: ledger.Point{Pos: pos}, node: n})
	return nil
}

// coinJoinTag is what a CoinJoin counts as: a mixer that nobody needs to label.
func coinJoinTag(c ledger.Chain, v cluster.Verdict) ledger.Tag {
	return ledger.Tag{Chain: c, Label: "CoinJoin (" + v.String() + ")", Source: "docs/method.md, Clusters", Category: "mixing", Confidence: tracer.MinTagConfidence}
}

// transaction shares what is asked of a transaction out over its inputs
// (backwards) or its outputs and the fee (forwards), in proportion.
func (r *replay) transaction(n *node) error {
	tx := n.tx
	delete(r.nodes, tx.Pos)
	asset := ledger.NativeAsset(tx.Chain)
	here := &trail{Step{Tx: tx.ID, At: ledger.Point{Pos: tx.Pos}, Kind: ledger.TransferNative, Time: tx.Time}, n.trail}
	if tx.Coinbase && r.back {
		r.sink(ledger.Address{}, "mining", ledger.Tag{Chain: tx.Chain, Label: "coinbase", Category: "mining"}, asset, n.asked, n.depth, here)
		return nil
	}
	switch v := cluster.VerdictOf(tx); v {
	case cluster.Whirlpool, cluster.Wasabi1, cluster.Wasabi2, cluster.JoinMarket:
		r.book.used["coinjoin"] = true
		r.sink(ledger.Address{}, "mixing", coinJoinTag(tx.Chain, v), asset, n.asked, n.depth, here)
		return nil
	case cluster.None, cluster.Tx0, cluster.Possible:
	}
	weights, to := r.sides(tx)
	for i, part := range share(n.asked, weights) {
		if err := r.side(n, to[i], part, asset); err != nil {
			return err
		}
	}
	return nil
}

// side is one input or output of a transaction.
type side struct {
	owner ledger.Address
	next  ledger.Position // the transaction beyond it; 0: none
	index uint32
	known bool // false: an input that is not held, or the fee
	fee   bool
}

func (r *replay) sides(tx *ledger.Tx) (weights []ledger.Amount, to []side) {
	if r.back {
		var in, out ledger.Amount
		for i := range tx.Inputs {
			p := &tx.Inputs[i]
			in = in.Plus(p.Value)
			weights = append(weights, p.Value)
			to = append(to, side{p.Address, p.PrevPos, p.Prev.Index, p.Known, false})
		}
		for i := range tx.Outputs {
			out = out.Plus(tx.Outputs[i].Value)
		}
		return append(weights, out.SubFloor(in)), append(to, side{}) // what unknown inputs must have brought
	}
	var in, out ledger.Amount
	for i := range tx.Outputs {
		p := &tx.Outputs[i]
		out = out.Plus(p.Value)
		weights = append(weights, p.Value)
		to = append(to, side{p.Address, p.SpentBy, uint32(i), true, false})
	}
	for i := range tx.Inputs {
		in = in.Plus(tx.Inputs[i].Value)
	}
	return append(weights, in.SubFloor(out)), append(to, side{known: true, fee: true})
}

func (r *replay) side(n *node, s side, part ledger.Amount, asset ledger.Asset) error {
	switch {
	case part.IsZero():
		return nil
	case s.fee:
		r.end(r.unlabelled, asset, part)
		return nil
	case !s.known:
		r.end(r.open, asset, part)
		return nil
	}
	d := n.depth
	by := &trail{Step{Tx: n.tx.ID, Index: s.index, At: ledger.Point{Pos: n.tx.Pos, Slot: s.index}, Kind: ledger.TransferNative, Time: n.tx.Time}, n.trail}
	own, err := r.book.owns(r.ctx, s.owner)
	if err != nil {
		return err
	}
	if own { // a move of its own: no transfer
		return r.onward(s, part, d, n.trail, n.tx)
	}
	if s.owner.Burn() {
		r.end(r.unlabelled, asset, part)
		return nil
	}
	done, err := r.absorb(ledger.Holder{Address: s.owner, Asset: asset}, part, d, by)
	if err != nil || done {
		return err
	}
	return r.onward(s, part, depth{d.least + 1, d.most + 1}, by, n.tx)
}

// onward gives value to the transaction beyond a coin. That a coin is not spent is
// known only where every block since is held.
func (r *replay) onward(s side, part ledger.Amount, d depth, by *trail, tx *ledger.Tx) error {
	asset := ledger.NativeAsset(tx.Chain)
	if !r.back && s.next == 0 {
		covered, err := r.idx.Covered(r.ctx, ledger.Holder{Address: s.owner, Asset: asset}, tx.Pos)
		if err != nil {
			return err
		}
		if !covered {
			r.end(r.open, asset, part)
			return nil
		}
	}
	return r.coin(s.next, part, d, by, tx.Chain)
}

// share splits an amount in proportion to weights: floors, and the missing units
// by largest remainder, ties to the first.
func share(total ledger.Amount, weights []ledger.Amount) []ledger.Amount {
	var sum ledger.Amount
	for _, w := range weights {
		sum = sum.Plus(w)
	}
	parts := make([]ledger.Amount, len(weights))
	if sum.IsZero() {
		parts[len(parts)-1] = total
		return parts
	}
	rest := make([]ledger.Amount, len(weights))
	left := total
	for i, w := range weights {
		parts[i], rest[i] = total.MulDiv(w, sum)
		left = left.Minus(parts[i])
	}
	for !left.IsZero() {
		best := 0
		for i := range rest {
			if rest[best].Less(rest[i]) {
				best = i
			}
		}
		parts[best] = parts[best].Plus(ledger.NewAmount(1))
		rest[best] = ledger.Amount{}
		left = left.Minus(ledger.NewAmount(1))
	}
	return parts
}
