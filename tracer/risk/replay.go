package risk

import (
	"container/heap"
	"context"

	"github.com/spoortrace/spoor/ledger"
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
	entity, err := r.book.entity(r.ctx, h.Address, func() (int64, error) {
		err := r.book.name(r.ctx, h.Asset.Chain, &by.step)
		return by.step.Time, err
	})
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
