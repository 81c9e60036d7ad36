package tracer

import (
	"container/heap"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Replay is one request under one policy, replayed up to some as-of. Its state
// is everything that a later snapshot needs to go on from there: advancing it
// to a new as-of gives the same trace as starting again, as long as Fits says
// so. It is not safe for concurrent use.
type Replay struct {
	req      Request
	seedDone []bool
	coins    map[coinKey]*coin
	accounts map[ledger.Holder]*account // open: they hold traced units
	visited  map[ledger.Holder]visit    // every account that was ever opened
	fees     map[place]feeParcel        // traced fees on their way to a coinbase
	hops     []Hop
	ended    []Terminal // all but what still rests
	tallies  map[ledger.Asset]*tally
	inputs   []Inputs
	progress map[ledger.Chain]progress
	bridges  []bridgeLeg // how each was answered
	ahead    bool        // a network was replayed further than another that may still pay into it
	// OnHop is told of every hop as it is found; nil: nobody.
	OnHop func(Hop)
	flow  *flowGraph // what is recorded for bounds; nil: nothing
	watch *watch     // the place whose hops are to be explained; nil: none
}

// place is a transaction of one chain.
type place struct {
	chain ledger.Chain
	pos   ledger.Position
}

// progress is how far one chain was replayed.
type progress struct {
	events  int
	spent   bool // the budget of events is used up: what is left is pending
	reached ledger.Point
}

// visit is what is kept of an account whose ledger may be closed.
type visit struct {
	events  int
	deficit ledger.Amount
	pending bool // its budget of events is spent: whatever arrives stays pending
}

// NewReplay checks a request. The seeds must come from Resolve.
func NewReplay(req Request) (*Replay, error) {
	if len(req.Seeds) == 0 {
		return nil, ledger.Invalid("refs", "at least one payment", "")
	}
	if req.Policy.split == nil {
		return nil, ledger.Invalid("policy", "a policy of the table", req.Policy.Name)
	}
	return &Replay{
		req: req, seedDone: make([]bool, len(req.Seeds)),
		coins: map[coinKey]*coin{}, accounts: map[ledger.Holder]*account{}, visited: map[ledger.Holder]visit{},
		fees: map[place]feeParcel{}, tallies: map[ledger.Asset]*tally{}, progress: map[ledger.Chain]progress{},
	}, nil
}

// Clone returns an independent copy, to fall back to when blocks above the
// last final height are replaced. The copy tells nobody of its hops.
func (r *Replay) Clone() *Replay {
	c := *r
	c.OnHop, c.flow = nil, nil
	c.seedDone, c.hops, c.ended, c.inputs = slices.Clone(r.seedDone), slices.Clone(r.hops), slices.Clone(r.ended), slices.Clone(r.inputs)
	c.bridges = slices.Clone(r.bridges)
	c.visited, c.fees, c.progress = maps.Clone(r.visited), maps.Clone(r.fees), maps.Clone(r.progress)
	c.coins = make(map[coinKey]*coin, len(r.coins))
	for k, v := range r.coins {
		copied := *v
		c.coins[k] = &copied
	}
	c.accounts = make(map[ledger.Holder]*account, len(r.accounts))
	for k, v := range r.accounts {
		copied := *v
		copied.held.segs, copied.page = slices.Clone(v.held.segs), nil
		c.accounts[k] = &copied
	}
	c.tallies = make(map[ledger.Asset]*tally, len(r.tallies))
	for k, v := range r.tallies {
		c.tallies[k] = v.clone()
	}
	return &c
}

// Fits reports whether the state can be advanced on a snapshot: no account in
// it had its deficit raised by what came since, every bridge is answered as it
// was, and no network was replayed beyond what another may still pay into. Whether the snapshot's past is
// the one that was replayed (same digest) is for the caller to check.
func (r *Replay) Fits(ctx context.Context, idx Index) (bool, error) {
	for h, v := range r.visited {
		asOf, err := idx.AsOf(ctx, h.Address.Chain)
		if err != nil {
			return false, err
		}
		b, err := idx.Balance(ctx, h, ledger.Point{Pos: ledger.EndOf(asOf.Height)})
		if err != nil {
			return false, err
		}
		if b.Deficit != v.deficit {
			return false, nil
		}
	}
	if r.ahead {
		return false, nil
	}
	return r.bridgesHold(r.begin(ctx, idx))
}

func (r *Replay) begin(ctx context.Context, idx Index) *run {
	return &run{
		Replay: r, ctx: ctx, idx: idx, tags: map[ledger.Address][]ledger.Tag{}, clocks: map[clockKey]int64{}, exchanges: map[exchangeKey]exchanged{},
	}
}

// Advance replays every event up to the snapshot's as-of. After an error the
// state must be thrown away.
func (r *Replay) Advance(ctx context.Context, idx Index) error {
	run := r.begin(ctx, idx)
	if err := run.schedule(); err != nil {
		return err
	}
	for run.queue.Len() > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := run.grown(); err != nil {
			return err
		}
		if err := run.step(); err != nil {
			return err
		}
	}
	return run.compareNetworks()
}

// What the parts of a replay take in memory, in bytes, about: the values and what
// hangs on them.
const (
	hopBytes     = 800
	endBytes     = 700
	coinBytes    = 600
	accountBytes = 900
	eventBytes   = 200
	segmentBytes = 40
)

// grown tells the request how much the replay holds, after every so many steps
// that looking at each open account costs little beside them.
func (run *run) grown() error {
	if run.req.Grow == nil {
		return nil
	}
	if run.sizeIn--; run.sizeIn > 0 {
		return nil
	}
	run.sizeIn = 64 + len(run.accounts)
	size := int64(len(run.hops)*hopBytes + len(run.ended)*endBytes + len(run.coins)*coinBytes)
	for _, a := range run.accounts {
		size += int64(accountBytes + cap(a.page)*eventBytes + cap(a.held.segs)*segmentBytes)
	}
	return run.req.Grow(size)
}

// run is one call of Advance.
type run struct {
	*Replay
	sizeIn int // steps until the size is told again
	ctx    context.Context
	idx    Index
	queue  queue
	tags   map[ledger.Address][]ledger.Tag

	clocks  map[clockKey]int64
	only    ledger.Chain // the one network in play; empty: none yet
	clocked bool         // several are

	table     *netTable // of the transaction at tableAt
	tableAt   place
	exchanges map[exchangeKey]exchanged
}

// item is a place in the total order at which something is to be done: a UTXO
// transaction, a seed, or the next event of an open account.
type item struct {
	chain ledger.Chain
	at    ledger.Point
	seed  int      // index of the seed, -1: none
	acct  *account // nil: a UTXO transaction, a seed or a conversion
	clock int64    // in the order across networks; 0 while there is one

	conversion *conversion // to be laid after the event at the same point
}

// queue is a heap of items in total order: by the running maximum of block
// times where several networks are in play, then by network and position.
type queue []item

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].clock != q[j].clock {
		return q[i].clock < q[j].clock
	}
	return q[i].chain < q[j].chain || (q[i].chain == q[j].chain && q[i].at.Before(q[j].at))
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(item)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// schedule puts in the queue what the state waits for: seeds that were not
// reached, coins that may have been spent since, accounts that hold traced units.
func (run *run) schedule() error {
	if err := run.scheduleSeeds(); err != nil {
		return err
	}
	for key, c := range run.coins {
		out, err := outputAt(run.ctx, run.idx, key, c.txID)
		if err != nil {
			return err
		}
		c.spentBy = out.SpentBy
		if err := run.scheduleCoin(key.chain, c); err != nil {
			return err
		}
	}
	for h, a := range run.accounts {
		if err := run.watchService(a); err != nil {
			return fmt.Errorf("account %s: %w", h.Address, err)
		}
		a.page, a.whole = nil, false // what was read ahead ended at the snapshot before
		if err := run.scheduleAccount(a); err != nil {
			return err
		}
	}
	return nil
}

// scheduleSeeds queues the payments that the snapshot sees; a state kept at
// the last final height may be older than a payment.
func (run *run) scheduleSeeds() error {
	for i, s := range run.req.Seeds {
		if run.seedDone[i] {
			continue
		}
		asOf, err := run.idx.AsOf(run.ctx, s.Chain)
		if err != nil {
			return fmt.Errorf("seed %s: %w", s.Ref, err)
		}
		if s.At.Pos < ledger.EndOf(asOf.Height) {
			if err := run.push(item{chain: s.Chain, at: s.At, seed: i}); err != nil {
				return err
			}
		}
	}
	return nil
}

// step takes everything that stands at the first place of the queue and does it once.
func (run *run) step() error {
	first := heap.Pop(&run.queue).(item)
	batch := []item{first}
	for run.queue.Len() > 0 && run.queue[0].chain == first.chain && run.queue[0].at == first.at {
		batch = append(batch, heap.Pop(&run.queue).(item))
	}
	batch = slices.DeleteFunc(batch, func(i item) bool { return i.acct != nil && i.acct.closed })
	if len(batch) == 0 {
		return nil
	}
	var conversions []*conversion
	batch = slices.DeleteFunc(batch, func(i item) bool {
		if i.conversion != nil {
			conversions = append(conversions, i.conversion)
		}
		return i.conversion != nil && !i.chain.UTXO()
	})
	slices.SortStableFunc(conversions, func(a, b *conversion) int { return a.step.Parent - b.step.Parent })
	if !run.charge(first.chain, first.at) {
		return run.each(conversions, run.pendingConversion)
	}
	var seeds []int
	for _, i := range batch {
		if i.acct == nil && i.seed >= 0 {
			seeds = append(seeds, i.seed)
		}
	}
	slices.Sort(seeds) // request order: the first seed of a transfer wins
	if first.chain.UTXO() {
		return run.transaction(first.chain, first.at.Pos, seeds, conversions)
	}
	if len(batch) > 0 {
		if err := run.event(batch, seeds); err != nil {
			return err
		}
	}
	return run.each(conversions, run.arrive)
}

func (run *run) each(all []*conversion, do func(*conversion) error) error {
	for _, v := range all {
		if err := do(v); err != nil {
			return fmt.Errorf("crossing to %s: %w", v.step.To, err)
		}
	}
	return nil
}

// charge takes one event from the chain's budget; false when it is used up.
func (run *run) charge(chain ledger.Chain, at ledger.Point) bool {
	p := run.progress[chain]
	p.spent = p.spent || (run.req.Events > 0 && p.events >= run.req.Events)
	if !p.spent {
		p.events++
		p.reached = at
	}
	run.progress[chain] = p
	return !p.spent
}

// markSeeds lays the seeds of one transfer over its parcel and books them.
func (run *run) markSeeds(p parcel, seeds []int) (parcel, error) {
	for _, i := range seeds {
		run.seedDone[i] = true
	}
	return run.req.lay(p, seeds, run.tallies)
}

func (run *run) seedsOf(indexes []int) (seeds []Seed) {
	for _, i := range indexes {
		seeds = append(seeds, run.req.Seeds[i])
	}
	return seeds
}

func (run *run) tally(a ledger.Asset) *tally { return tallyOf(run.tallies, a) }

// tagsOf reads an address's tags once per run.
func (run *run) tagsOf(a ledger.Address) ([]ledger.Tag, error) {
	if tags, ok := run.tags[a]; ok {
		return tags, nil
	}
	tags, err := run.idx.Tags(run.ctx, a)
	if err != nil {
		return nil, fmt.Errorf("tags of %s: %w", a, err)
	}
	run.tags[a] = tags
	return tags, nil
}
