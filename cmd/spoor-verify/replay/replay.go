package replay

import (
	"container/heap"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"
)

// tracing recomputes one result: it follows labelled units from the payments on, through what the record says, under one policy. Where the trace
// ends is taken from the result itself.
type tracing struct {
	book     *book
	payments []payment
	policy   policy
	stops    map[spotAsset][]*terminal // ends of one transfer
	closings map[closingKey]*terminal
	resting  map[restingKey]*terminal

	queue   queue
	open    map[holder]*account
	coins   map[coinKey]*coin
	crossed map[txAsset]*exchanged
	laid    map[int]bool // labels of payments that were reached
	hops    []*hop
	ends    []end
	sums    map[string]*sums // by asset
	assumed []assumedForm
	found   []Finding
}

type closingKey struct {
	holder
	at place
}

// restingKey is a coin, or, without a place, an account.
type restingKey struct {
	holder
	coin bool
	at   place
}

// hop is a transfer that carried labelled units.
type hop struct {
	number, parent, depth int // parent is a hop's number, 0: none
	network, tx, index    string
	at                    place
	time                  time.Time
	from, to, asset       string
	others                []string
	amount                *big.Int
	carried               lots      // labelled units, by label, while they are on their way
	traced, shares        string    // the same as files have it
	crossing              *crossing // with the traced amounts
	ends                  string
}

// end is a terminal as it was computed, and as the result states it.
type end struct {
	stated   *terminal
	computed terminal
	hop      int
}

// item is something that is due at a place.
type item struct {
	spot
	account *account
	payment *payment
	arrives *arrival
}

// arrival is what comes out of a crossing. Its hop is written when it is there.
type arrival struct {
	units   lots
	passage *passage
	parent  *hop
}

// queue orders what is due: within a network by place, across networks by their clocks.
type queue struct {
	items  []item
	clocks map[clockKey]int64
	unsure map[clockKey]bool // heights whose time was needed and is not in the record
}

func (q *queue) Len() int { return len(q.items) }

func (q *queue) Swap(i, j int) { q.items[i], q.items[j] = q.items[j], q.items[i] }

func (q *queue) Push(x any) { q.items = append(q.items, x.(item)) }

func (q *queue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}

func (q *queue) Less(i, j int) bool { return q.before(q.items[i].spot, q.items[j].spot) }

func (q *queue) before(a, b spot) bool {
	if a.network == b.network {
		return a.place.compare(b.place) < 0
	}
	if s, t := q.clock(a), q.clock(b); s != t {
		return s < t
	}
	return a.network < b.network
}

func (q *queue) clock(s spot) int64 {
	key := clockKey{s.network, s.place.Height}
	at, ok := q.clocks[key]
	if !ok {
		q.unsure[key] = true
	}
	return at
}

func newTracing(b *book, payments []payment, r *result) *tracing {
	p := &tracing{
		book: b, payments: payments, policy: policy{r.UTXO, r.Account}, stops: map[spotAsset][]*terminal{}, closings: map[closingKey]*terminal{},
		resting: map[restingKey]*terminal{}, open: map[holder]*account{}, coins: map[coinKey]*coin{}, crossed: map[txAsset]*exchanged{},
		laid: map[int]bool{}, sums: map[string]*sums{}, queue: queue{clocks: b.clocks, unsure: map[clockKey]bool{}},
	}
	for i := range r.Terminals {
		p.expect(&r.Terminals[i])
	}
	for i := range payments {
		at := spot{payments[i].Network, payments[i].Place}
		if b.txAt(at.network, at.place) != nil {
			heap.Push(&p.queue, item{spot: at, payment: &payments[i]})
		}
	}
	return p
}

// expect files a stated terminal under what will be known when its time comes.
func (p *tracing) expect(t *terminal) {
	h := holder{t.Address, t.Asset}
	switch {
	case t.ClosedAt != nil:
		expectOnce(p, p.closings, closingKey{h, *t.ClosedAt}, t)
	case t.Rests && t.Coin:
		expectOnce(p, p.resting, restingKey{h, true, t.Place}, t)
	case t.Rests:
		expectOnce(p, p.resting, restingKey{holder: h}, t)
	default:
		key := spotAsset{spot{t.Network, t.Place}, t.Asset}
		p.stops[key] = append(p.stops[key], t)
	}
}

func expectOnce[K comparable](p *tracing, list map[K]*terminal, key K, t *terminal) {
	if list[key] != nil {
		p.say(t.subject(), "one such terminal", "another, with "+string(t.Traced))
		return
	}
	list[key] = t
}

func (p *tracing) say(subject, want, got string) {
	p.found = append(p.found, Finding{checkNamePolicies, p.policy.name() + ": " + subject, want, got})
}

// run takes everything that is due at the first place, and does it, until nothing is due.
func (p *tracing) run() error {
	often := len(p.payments) + len(p.book.crossings) + 2
	visits := map[spot]int{}
	for p.queue.Len() > 0 {
		due := []item{heap.Pop(&p.queue).(item)}
		if visits[due[0].spot]++; visits[due[0].spot] > often { // what goes back in time never ends
			return fmt.Errorf("%s %s: units come by more than %d times", due[0].network, due[0].place, often)
		}
		for p.queue.Len() > 0 && p.queue.items[0].spot == due[0].spot {
			due = append(due, heap.Pop(&p.queue).(item))
		}
		do := p.events
		if isUTXO(due[0].network) {
			do = p.transaction
		}
		if err := do(due[0].spot, due); err != nil {
			return fmt.Errorf("%s %s: %w", due[0].network, due[0].place, err)
		}
	}
	p.leftPayments()
	p.rest()
	for _, t := range p.unmet() {
		p.say(t.subject(), "no such terminal", string(t.Traced)+" with reason "+t.Reason)
	}
	p.order()
	for key := range p.queue.unsure {
		p.say("order of networks", "a clock of "+key.network, fmt.Sprintf("none at height %d", key.height))
	}
	return nil
}

// sortDue gives the payments that are due in order of their labels, and what comes out of crossings in the order in which it went in.
func sortDue(due []item) (payments []*payment, arrivals []*arrival) {
	for _, i := range due {
		switch {
		case i.payment != nil:
			payments = append(payments, i.payment)
		case i.arrives != nil:
			arrivals = append(arrivals, i.arrives)
		}
	}
	slices.SortFunc(payments, func(a, b *payment) int { return a.Label - b.Label })
	slices.SortStableFunc(arrivals, func(a, b *arrival) int { return a.parent.number - b.parent.number })
	return payments, arrivals
}

// lay gives the payments' labels to what is clean of a transfer.
func (p *tracing) lay(units lots, payments []*payment) lots {
	for _, one := range payments {
		var found *big.Int
		asked := one.Amount.units()
		units, found = units.lay(one.Label, asked)
		p.laid[one.Label] = true
		s := p.sumsOf(one.Asset)
		s.add(seeded, one.Label, asked)
		s.add(collided, one.Label, minus(asked, found))
	}
	return units
}

// record notes a hop. Its units are kept as text: there may be a thousand labels in each.
func (p *tracing) record(h *hop) *hop {
	h.traced, h.shares = h.carried.sum().String(), h.carried.text()
	p.hops = append(p.hops, h)
	h.number = len(p.hops)
	return h
}

// gone lets go of the units: they are elsewhere.
func (h *hop) gone() { h.carried = nil }

// stop is the stated terminal with which the trace ends at a transfer, once.
func (p *tracing) stop(at spot, asset, to string) *terminal {
	key := spotAsset{at, asset}
	i := slices.IndexFunc(p.stops[key], func(t *terminal) bool { return t.Address == to })
	if i < 0 {
		return nil
	}
	t := p.stops[key][i]
	p.stops[key] = slices.Delete(slices.Clone(p.stops[key]), i, i+1)
	return t
}

// end books labelled units that leave the trace with a transfer.
func (p *tracing) end(t *terminal, h *hop) {
	h.ends = t.Reason
	c := terminal{
		Network: h.network, Address: h.to, Asset: h.asset, Tx: h.tx, Index: h.index, Place: h.at, Via: h.from, ArrivedAt: h.time, Coin: isUTXO(h.network),
	}
	p.finish(t, c, h.carried, h.number)
}

// finish books a terminal in its bucket; what the result states of it is compared later.
func (p *tracing) finish(stated *terminal, c terminal, units lots, hop int) {
	c.BalanceNow = p.balanceNow(&c)
	c.Traced, c.Shares = amount(units.labelled().String()), units.shares()
	bucket := resting
	if stated != nil {
		bucket = bucketOf(stated.Reason)
	}
	p.sumsOf(c.Asset).addAll(bucket, units)
	p.ends = append(p.ends, end{stated, c, hop})
}

// balanceNow is what is there at the cut-off: the coin while nobody has spent it, or the account's balance.
func (p *tracing) balanceNow(c *terminal) amount {
	if c.Coin {
		t := p.book.txAt(c.Network, c.Place)
		if t != nil && int(c.Place.Slot) < len(t.Outputs) && t.Outputs[c.Place.Slot].Spent == nil {
			return t.Outputs[c.Place.Slot].Value
		}
		return "0"
	}
	if c.Address == "" {
		return "0"
	}
	has := p.book.balances[holder{c.Address, c.Asset}]
	if has == nil {
		p.say("balance of "+c.Address, "one in the record, of "+c.Asset, "none")
		return "0"
	}
	return amount(has.String())
}

// leftPayments are those that were not reached, such as transfers to oneself: they stay where they are.
func (p *tracing) leftPayments() {
	for i := range p.payments {
		first := &p.payments[i]
		if p.laid[first.Label] {
			continue
		}
		var same []*payment
		for k := range p.payments {
			if one := &p.payments[k]; one.Network == first.Network && one.Place == first.Place && one.Index == first.Index && one.Asset == first.Asset {
				same = append(same, one)
			}
		}
		units := p.lay(lots{}.with(0, first.Paid.units()), same)
		c := terminal{
			Network: first.Network, Address: first.To, Asset: first.Asset, Tx: first.Tx, Index: first.Index, Place: first.Place, Via: first.From,
			ArrivedAt: first.Time, Coin: isUTXO(first.Network),
		}
		if c.Coin {
			c.Place.Slot = outputNumber(first.Index)
		}
		p.finish(p.stop(spot{c.Network, c.Place}, c.Asset, c.Address), c, units, 0)
	}
}

// unmet are the stated terminals that nothing came to.
func (p *tracing) unmet() (all []*terminal) {
	for _, list := range p.stops {
		all = append(all, list...)
	}
	all = append(all, slices.Collect(maps.Values(p.closings))...)
	all = append(all, slices.Collect(maps.Values(p.resting))...)
	slices.SortFunc(all, compareTerminals)
	return all
}

// order gives hops the numbers that they have by their places: across networks, by the clocks.
func (p *tracing) order() {
	sorted := slices.SortedStableFunc(slices.Values(p.hops), func(a, b *hop) int {
		s, t := spot{a.network, a.at}, spot{b.network, b.at}
		switch {
		case p.queue.before(s, t):
			return -1
		case p.queue.before(t, s):
			return 1
		}
		return a.number - b.number
	})
	number := map[int]int{}
	for i, h := range sorted {
		number[h.number] = i + 1
	}
	for _, h := range sorted {
		h.number, h.parent = number[h.number], number[h.parent]
	}
	for i := range p.ends {
		p.ends[i].hop = number[p.ends[i].hop]
	}
	p.hops = sorted
}
