package risk

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"

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
// rests), as open (a limit, a gap in the index), or is set aside as the tenant's own or
// moved by the cluster to itself. absorbed + unlabelled + open + aside is what was put
// in, to the unit, counted in what was put in; the sheets say the same of the units of
// each asset, which crossings change (cross.go).
type replay struct {
	ctx  context.Context //nolint:containedctx // of one call
	idx  Index
	book *book
	back bool // backwards: Received

	whole bool // all of the cluster's history is put in: what it moved to itself counts there

	ledgers map[lot]*account
	nodes   map[nodeKey]*node // transactions of a UTXO chain
	queue   queue
	crossings

	origins    []ledger.Asset // that were put in: see value
	found      map[sinkKey]*sink
	unlabelled map[ledger.Asset]ledger.Amount // by the asset that was put in, as the next two
	open       map[ledger.Asset]ledger.Amount
	aside      map[ledger.Asset]ledger.Amount
	sheets     []*sheet
}

// value is some of what was put in, on its way: units of the asset that it is in there,
// and what they are worth in units of the asset that was put in. Before any crossing
// the one is the other.
type value struct {
	units, worth ledger.Amount
	origin       int // index into replay.origins
}

func (v value) plus(o value) value {
	v.units, v.worth = v.units.Plus(o.units), v.worth.Plus(o.worth)
	return v
}

// take splits units off, with their part of the worth: floor, the last take the rest.
func (v *value) take(units ledger.Amount) value {
	t := value{units, units, v.origin}
	switch {
	case units == v.units:
		t.worth = v.worth
	case v.worth != v.units:
		t.worth, _ = v.worth.MulDiv(units, v.units)
	}
	v.units, v.worth = v.units.Minus(t.units), v.worth.Minus(t.worth)
	return t
}

// lot is what a holder has of one asset that was put in.
type lot struct {
	ledger.Holder
	origin int
}

type nodeKey struct {
	chain  ledger.Chain
	pos    ledger.Position
	origin int
}

// sheet accounts for the units of one asset: put + in = absorbed + ended + out.
type sheet struct {
	asset                         ledger.Asset
	put, in, out, absorbed, ended ledger.Amount
}

// depth is how far a part of the value has come, in transfers.
type depth struct{ least, most int }

// nearer is the depth at which nothing was counted for the last transfer.
func (d depth) nearer() depth { return depth{max(d.least-1, 0), max(d.most-1, 0)} }

func (d depth) with(o depth) depth { return depth{min(d.least, o.least), max(d.most, o.most)} }

// trail is the way that first led to a place; nil at the screened address.
type trail struct {
	step Step
	from *trail
}

// account is an open ledger.
type account struct {
	lot
	balance ledger.Amount // just after (backwards: just before) the last transfer that was looked at
	asked   value
	depth   depth // in transfers: of the next, less one
	trail   *trail
	events  int
	opened  ledger.Point // the transfer that led here first
	brought value        // by the transfer at hand, taken at its other end
	next    func() (ledger.Event, error, bool)
	stop    func()
}

// node is a transaction of a UTXO chain through which value goes.
type node struct {
	tx    *ledger.Tx
	asked value
	depth depth
	trail *trail
}

type sinkKey struct {
	entity   ledger.Address
	category string
	origin   int // of the value: what it is counted in
	direct   bool
}

// sink is what one labelled entity absorbed, in the asset that was put in.
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
	clock   int64 // set as soon as there are two networks
	network uint8 // index into queue.networks
	late    bool  // put just beyond the transfer at that point
	account *account
	event   ledger.Event
	node    *node
	put     func() error
}

// queue orders items by chain position (across networks by the clock, then name), in the
// direction of the replay; of two accounts at one transfer, the one that value leaves
// comes first.
type queue struct {
	items    []*item
	back     bool
	networks []ledger.Chain // of the items, the first that was met first
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
	c := a.at.Compare(b.at)
	if a.network != b.network {
		c = cmp.Or(cmp.Compare(a.clock, b.clock), cmp.Compare(q.networks[a.network], q.networks[b.network]))
	}
	if c != 0 {
		return (c < 0) != q.back
	}
	return a.rank(q.back) < b.rank(q.back)
}

// rank puts what leaves an account before what enters one.
func (it *item) rank(back bool) int {
	switch {
	case it.late:
		return 3
	case it.put != nil:
		return 0
	case it.account != nil && (it.event.From == it.account.Address) == back:
		return 2
	}
	return 1
}

func newReplay(ctx context.Context, idx Index, b *book, back bool) *replay {
	return &replay{
		ctx: ctx, idx: idx, book: b, back: back, ledgers: map[lot]*account{}, nodes: map[nodeKey]*node{},
		queue: queue{back: back}, found: map[sinkKey]*sink{}, unlabelled: map[ledger.Asset]ledger.Amount{}, open: map[ledger.Asset]ledger.Amount{},
		aside: map[ledger.Asset]ledger.Amount{},
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
	if err := r.ctx.Err(); err != nil {
		return err
	}
	return r.addUp()
}

// addUp checks every sheet: what is not accounted for is an error, never an answer.
func (r *replay) addUp() error {
	for _, s := range r.sheets {
		if s.put.Plus(s.in) != s.absorbed.Plus(s.ended).Plus(s.out) {
			return fmt.Errorf("exposure in %s does not add up: put %s, in %s, absorbed %s, ended %s, out %s: %w", s.asset, s.put, s.in, s.absorbed, s.ended, s.out, ledger.ErrCorrupt)
		}
	}
	return nil
}

func (r *replay) sheet(asset ledger.Asset) *sheet {
	for _, s := range r.sheets { // they are few
		if s.asset == asset {
			return s
		}
	}
	s := &sheet{asset: asset}
	r.sheets = append(r.sheets, s)
	return s
}

// put enters an amount on the sheet: every unit of it is accounted for.
func (r *replay) put(asset ledger.Asset, amount ledger.Amount) value {
	s := r.sheet(asset)
	s.put = s.put.Plus(amount)
	i := slices.Index(r.origins, asset)
	if i < 0 {
		i = len(r.origins)
		r.origins = append(r.origins, asset)
	}
	return value{amount, amount, i}
}

// transfer puts value in that a transfer carried: it goes to the other side, from
// there on outward.
func (r *replay) transfer(asset ledger.Asset, other ledger.Address, amount ledger.Amount, step Step) error {
	origin := r.put(asset, amount).origin
	return r.push(asset.Chain, &item{at: step.At, put: func() error {
		return r.arrive(ledger.Holder{Address: other, Asset: asset}, value{amount, amount, origin}, depth{1, 1}, &trail{step: step})
	}})
}

// arrive gives a holder a part of a transfer: an entity absorbs it, a crossing carries
// it on, an open account is brought it (its own event of that transfer comes next),
// another is opened. What comes back to the cluster itself has come no further.
func (r *replay) arrive(h ledger.Holder, v value, d depth, by *trail) error {
	if v.units.IsZero() {
		r.end(r.open, h.Asset, v)
		return nil
	}
	mine, err := r.book.owns(r.ctx, h.Address)
	if err != nil {
		return err
	}
	nobody := h.Address.IsZero() || h.Address.Burn()
	var who entity
	if !nobody && !mine {
		if who, err = r.whose(h, by); err != nil {
			return err
		}
	}
	if who.own || who.category != "" && !crossable(who.category) {
		r.absorb(h, who, v, d, by)
		return nil
	}
	if crossed, err := r.cross(h, v, d, by, who); err != nil || crossed {
		return err
	}
	switch {
	case who.category != "":
		r.absorb(h, who, v, d, by)
		return nil
	case nobody:
		r.end(r.unlabelled, h.Asset, v)
		return nil
	case mine:
		d = d.nearer()
	}
	if a := r.ledgers[lot{h, v.origin}]; a != nil {
		// An account that this very transfer opened reads from beyond it on: its own
		// event of it never comes.
		if a.opened == by.step.At {
			a.asked = a.asked.plus(v)
		} else {
			a.brought = a.brought.plus(v)
		}
		a.depth = a.depth.with(d)
		return nil
	}
	return r.enter(h, v, d, by, by.step.At, false)
}

// whose says who a holder is at the time of a step.
func (r *replay) whose(h ledger.Holder, by *trail) (entity, error) {
	return r.book.entity(r.ctx, h.Address, func() (int64, error) {
		err := r.book.name(r.ctx, &by.step)
		return by.step.Time, err
	})
}

// absorb gives value to an entity, or sets it aside where it is the tenant's own.
func (r *replay) absorb(h ledger.Holder, who entity, v value, d depth, by *trail) {
	if who.own {
		r.end(r.aside, h.Asset, v)
		return
	}
	r.sink(h.Address, who.category, who.tag, h.Asset, v, d, by)
}

func (r *replay) sink(entity ledger.Address, category string, tag *ledger.Tag, asset ledger.Asset, v value, d depth, by *trail) {
	book := r.sheet(asset)
	book.absorbed = book.absorbed.Plus(v.units)
	if v.worth.IsZero() { // so little that it is no unit of what was put in
		return
	}
	key := sinkKey{entity, category, v.origin, d.least <= 1}
	s := r.found[key]
	if s == nil {
		s = &sink{tag: *tag, depth: d, trail: by}
		r.found[key] = s
	}
	s.amount, s.depth = s.amount.Plus(v.worth), s.depth.with(d)
}

// end closes the account of some value, in the asset that it is in.
func (r *replay) end(where map[ledger.Asset]ledger.Amount, asset ledger.Asset, v value) {
	if v.units.IsZero() && v.worth.IsZero() {
		return
	}
	s := r.sheet(asset)
	s.ended = s.ended.Plus(v.units)
	origin := r.origins[v.origin]
	where[origin] = where[origin].Plus(v.worth)
}
