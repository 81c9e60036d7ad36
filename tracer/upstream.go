package tracer

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// Upstream asks which earlier payments paid for the seeds: replay backwards, from
// the last seed to where the money came from. It runs the rules of replay the
// other way round, on the same places: what is wanted of an account's queue is
// wanted of the credits that made it. A Trace comes back whose hops lead from the
// seeds to their sources, Parent being the hop that a hop paid for, and whose
// terminals are the sources. Fifo, lifo, haircut and poison have an answer;
// another rule is ledger.ErrPrecondition.
func Upstream(ctx context.Context, idx interface {
	Index
	Backwards
}, req Request, onHop func(Hop),
) (*Trace, error) {
	if req.Policy.unpay == nil {
		return nil, fmt.Errorf("%w: %s has no upstream answer; those that have: %s", ledger.ErrPrecondition, req.Policy.Name, strings.Join(upstreamPolicies(), ", "))
	}
	b := &backward{
		req: req, ctx: ctx, idx: idx, onHop: onHop, trace: &Trace{Policy: req.Policy.Name, Seeds: req.Seeds}, accounts: map[ledger.Holder]*source{},
		coins: map[place]map[uint32]*wantedCoin{}, wanted: map[spotAt][]claimed{}, tags: map[ledger.Address][]ledger.Tag{}, tallies: map[ledger.Asset]*tally{}, events: map[ledger.Holder]int{},
	}
	if err := b.run(); err != nil {
		return nil, fmt.Errorf("upstream under %s: %w", req.Policy.Name, err)
	}
	return b.trace, nil
}

// ComparedUpstream are the rules whose range is printed beside every upstream
// trace, the default first.
func ComparedUpstream() []string { return []string{"fifo", "lifo", "haircut"} }

// Upstream reports whether the rule says which earlier payments paid for one.
func (p Policy) Upstream() bool { return p.unpay != nil }

func upstreamPolicies() (names []string) {
	for _, p := range Policies() {
		if p.Upstream() {
			names = append(names, p.Name)
		}
	}
	return names
}

// spotAt is a transfer of a chain by its place.
type spotAt struct {
	chain ledger.Chain
	at    ledger.Point
}

// claimed is what is asked of one transfer besides what its payee passed on: by
// a seed, or by a crossing.
type claimed struct {
	segs   []Segment // labels alone, in the order in which they are laid
	set    []Label
	parent int
	depth  int
	amount ledger.Amount // of a seed: of the transfer
	seed   Label         // 0: of a crossing
}

// source is an account of whose money a part is asked for: what it held just
// after the event that comes next backwards, in the rule's order. Clean is what
// nobody asked for.
type source struct {
	holder ledger.Holder
	held   []Segment
	set    []Label
	hop    int // the first that asked for it
	depth  int
	next   func() (ledger.Event, error, bool)
	stop   func()
	event  ledger.Event
	more   bool
}

// backward is one run.
type backward struct {
	req Request
	ctx context.Context
	idx interface {
		Index
		Backwards
	}
	onHop    func(Hop)
	trace    *Trace
	queue    backQueue
	accounts map[ledger.Holder]*source
	coins    map[place]map[uint32]*wantedCoin // outputs that are asked for
	wanted   map[spotAt][]claimed
	tags     map[ledger.Address][]ledger.Tag
	tallies  map[ledger.Asset]*tally
	events   map[ledger.Holder]int
}

// backItem is a place to look at, the latest first.
type backItem struct {
	spotAt
	clock int64
}

type backQueue []backItem

func (q backQueue) Len() int      { return len(q) }
func (q backQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q backQueue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[j].clock, q[i].clock), cmp.Compare(q[j].chain, q[i].chain), q[j].at.Compare(q[i].at)) < 0
}
func (q *backQueue) Push(x any) { *q = append(*q, x.(backItem)) }
func (q *backQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

func (b *backward) push(c ledger.Chain, at ledger.Point) error {
	clock, err := b.idx.Clock(b.ctx, c, at.Pos.Height())
	if err == nil {
		heap.Push(&b.queue, backItem{spotAt{c, at}, clock})
	}
	return err
}

func (b *backward) run() error {
	defer func() {
		for _, s := range b.accounts {
			s.stop()
		}
	}()
	if err := b.seeds(); err != nil {
		return err
	}
	for len(b.queue) > 0 {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		at := heap.Pop(&b.queue).(backItem).spotAt
		for len(b.queue) > 0 && b.queue[0].spotAt == at {
			heap.Pop(&b.queue)
		}
		b.trace.Events++
		if b.req.Events > 0 && b.trace.Events > b.req.Events {
			return b.spent()
		}
		if err := b.step(at); err != nil {
			return err
		}
	}
	return b.sheets()
}

// seeds asks for what the request names.
func (b *backward) seeds() error {
	for i, s := range b.req.Seeds {
		label := Label(i + 1)
		one := claimed{segs: []Segment{{label, s.Amount}}, depth: 1, amount: s.Amount, seed: label}
		if !b.req.Policy.Conserves {
			one.set = []Label{label}
		}
		at := s.place()
		if s.Output {
			at = ledger.Point{Pos: s.At.Pos}
		}
		key := spotAt{s.Chain, s.place()}
		b.wanted[key] = append(b.wanted[key], one)
		if err := b.push(s.Chain, at); err != nil {
			return err
		}
	}
	return nil
}

func (b *backward) step(at spotAt) error {
	if at.chain.UTXO() {
		return b.spend(place{at.chain, at.at.Pos})
	}
	tx, err := b.idx.TxAt(b.ctx, at.chain, at.at.Pos)
	if err != nil {
		return err
	}
	t, ok := transferAt(&tx, at.at.Slot)
	if !ok {
		return fmt.Errorf("%s lists no transfer at slot %d: %w", tx.ID, at.at.Slot, ledger.ErrCorrupt)
	}
	return b.transfer(&tx, t)
}

// transfer takes what is asked of it from its payee, and asks its payer.
func (b *backward) transfer(tx *ledger.Tx, t *ledger.Transfer) error {
	at := ledger.Point{Pos: tx.Pos, Slot: t.Slot}
	want, err := b.ofPayee(t, at)
	if err != nil {
		return err
	}
	if want, err = b.claims(spotAt{tx.Chain, at}, t, want); err != nil {
		return err
	}
	payer := ledger.Holder{Address: t.From, Asset: t.Asset}
	asked := !dirtyOf(want.segs).IsZero()
	if asked {
		h := Hop{
			Depth: want.depth, Parent: want.parent, Chain: tx.Chain, Tx: tx.ID, Index: t.Index, Kind: t.Kind, At: at, Time: tx.Time, From: t.From, To: t.To,
			Asset: t.Asset, Amount: t.Amount, Grade: max(tx.Grade, t.Grade),
		}
		stopped, err := b.ask(tx, t, h, want)
		if err != nil || stopped {
			return b.passed(payer, t, at, err)
		}
		if b.accounts[payer] == nil {
			if err := b.open(payer, at); err != nil {
				return err
			}
		}
		s := b.accounts[payer]
		if t.From == t.To { // what it got is in what it holds
			_, s.held = b.req.Policy.uncredit(s.held, t.Amount)
		}
		if s.hop == 0 {
			s.hop, s.depth = len(b.trace.Hops), want.depth
		}
		s.set = union(s.set, want.set)
		s.held = b.req.Policy.unpay(s.held, want.segs)
		return b.advance(s, at)
	}
	return b.passed(payer, t, at, nil)
}

// passed puts back what an account whose money is asked for paid to somebody of
// whom nothing is.
func (b *backward) passed(payer ledger.Holder, t *ledger.Transfer, at ledger.Point, err error) error {
	s := b.accounts[payer]
	if err != nil || s == nil {
		return err
	}
	s.held = b.req.Policy.unpay(s.held, push(nil, Segment{Clean, t.Amount}))
	return b.advance(s, at)
}

// claim is what is asked of a transfer, in the order of its units.
type claim struct {
	segs   []Segment
	set    []Label
	parent int
	depth  int
	given  bool // a crossing asks for it
}

// ofPayee takes the part of a credit out of what is asked of the payee.
func (b *backward) ofPayee(t *ledger.Transfer, at ledger.Point) (want claim, err error) {
	want.segs = push(nil, Segment{Clean, t.Amount})
	payee := ledger.Holder{Address: t.To, Asset: t.Asset}
	s := b.accounts[payee]
	if s == nil || t.To == t.From || !s.more || s.event.At != at {
		return want, nil
	}
	if totalOf(s.held).Less(t.Amount) {
		return want, fmt.Errorf("%s holds %s after it got %s: %w", t.To, totalOf(s.held), t.Amount, ledger.ErrCorrupt)
	}
	want.segs, s.held = b.req.Policy.uncredit(s.held, t.Amount)
	want.set, want.parent, want.depth = s.set, s.hop, s.depth+1
	return want, b.advance(s, at)
}

// claims lays what seeds and crossings ask for over what the payee does not.
func (b *backward) claims(at spotAt, t *ledger.Transfer, want claim) (claim, error) {
	for _, c := range b.wanted[at] {
		if t.Amount.Less(c.amount) {
			return want, ledger.Invalid("amount", "at most the "+t.Amount.String()+" that were paid", c.amount.String())
		}
		for _, seg := range c.segs {
			var marked ledger.Amount
			want.segs, marked = mark(want.segs, seg.Label, seg.Amount)
			if err := b.book(t.Asset, c, seg, marked); err != nil {
				return want, err
			}
		}
		want.set, want.given = union(want.set, c.set), want.given || c.seed == 0
		if want.depth == 0 || c.depth < want.depth {
			want.depth, want.parent = c.depth, c.parent
		}
	}
	if !b.req.Policy.Conserves && !dirtyOf(want.segs).IsZero() {
		want.segs = push(nil, Segment{Tainted, t.Amount})
	}
	delete(b.wanted, at)
	return want, nil
}

// book counts what a claim asks for, and what was asked for already.
func (b *backward) book(a ledger.Asset, c claimed, seg Segment, marked ledger.Amount) error {
	column := func(r *Row) *ledger.Amount { return &r.ConvertedIn }
	units := marked
	if c.seed != 0 {
		column, units = func(r *Row) *ledger.Amount { return &r.Seeded }, seg.Amount
	}
	if err := tallyOf(b.tallies, a).add([]Segment{{seg.Label, units}}, column); err != nil {
		return err
	}
	if c.seed == 0 {
		return nil
	}
	return tallyOf(b.tallies, a).add([]Segment{{seg.Label, seg.Amount.Minus(marked)}}, func(r *Row) *ledger.Amount { return &r.Collided })
}

// open begins an account with what it held just after it paid.
func (b *backward) open(h ledger.Holder, paid ledger.Point) error {
	balance, err := b.idx.Balance(b.ctx, h, after(paid))
	if err != nil {
		return err
	}
	s := &source{holder: h, held: push(nil, Segment{Clean, balance.Amount})}
	s.next, s.stop = pull(b.idx.EventsBefore(b.ctx, h, after(paid)))
	if !balance.Deficit.IsZero() {
		b.opening(h, balance.Deficit)
	}
	b.accounts[h] = s
	if err := b.read(s); err != nil {
		return err
	}
	if !s.more || s.event.At != paid {
		return fmt.Errorf("%s does not list what it paid at %s: %w", h.Address, paid, ledger.ErrCorrupt)
	}
	return nil
}

func pull(events iter.Seq2[ledger.Event, error]) (func() (ledger.Event, error, bool), func()) {
	return iter.Pull2(events)
}

func (b *backward) opening(h ledger.Holder, deficit ledger.Amount) {
	if !slices.ContainsFunc(b.trace.Openings, func(o Opening) bool { return o.Holder == h }) {
		b.trace.Openings = append(b.trace.Openings, Opening{h, deficit})
	}
}

// read fetches the event before.
func (b *backward) read(s *source) error {
	e, err, more := s.next()
	s.event, s.more = e, more
	return err
}

// advance goes on to the event before; an account of which nothing is asked any
// more is closed, and what nothing came before is an opening that is not known.
func (b *backward) advance(s *source, at ledger.Point) error {
	if dirtyOf(s.held).IsZero() {
		b.close(s)
		return nil
	}
	if s.more && s.event.At == at {
		if err := b.read(s); err != nil {
			return err
		}
	}
	for s.more && (s.event.From == s.event.To) { // to oneself: no change
		if err := b.read(s); err != nil {
			return err
		}
	}
	b.events[s.holder]++
	if b.req.AccountEvents > 0 && b.events[s.holder] > b.req.AccountEvents {
		return b.rest(s, Pending)
	}
	if !s.more {
		return b.rest(s, NotCovered)
	}
	return b.push(s.holder.Address.Chain, s.event.At)
}

func (b *backward) close(s *source) {
	s.stop()
	delete(b.accounts, s.holder)
}

// rest ends what is still asked of an account.
func (b *backward) rest(s *source, reason Reason) error {
	h := b.trace.Hops[s.hop-1]
	err := b.end(Terminal{
		Address: s.holder.Address, Asset: s.holder.Asset, Reason: reason, Tx: h.Tx, Index: h.Index, Kind: h.Kind, At: h.At, Via: h.To, Hop: h.ID, ArrivedAt: h.Time, LastKnown: h.At,
	}, parcel{s.held, s.set})
	b.close(s)
	return err
}

// end books a source of money.
func (b *backward) end(t Terminal, p parcel) error {
	t.Dirty, t.Shares = p.dirty(), p.shares()
	t.Low, t.High = t.Dirty, t.Dirty
	b.trace.Terminals = append(b.trace.Terminals, t)
	return tallyOf(b.tallies, t.Asset).add(p.segs, bucketField(t.Reason.Bucket()))
}

// ask records a hop and says whether it ends at its payer.
func (b *backward) ask(tx *ledger.Tx, t *ledger.Transfer, h Hop, want claim) (stopped bool, err error) {
	h.Dirty, h.Shares = dirtyOf(want.segs), parcel{want.segs, want.set}.shares()
	reason, err := b.stopAt(h)
	if err != nil {
		return false, err
	}
	if reason == "" {
		if stopped, err = b.crossed(tx, t, &h, want); err != nil || stopped {
			return stopped, err
		}
	}
	b.hop(h)
	if reason == "" {
		return false, nil
	}
	h.ID = len(b.trace.Hops)
	return true, b.source(h, reason, want)
}

func (b *backward) source(h Hop, reason Reason, want claim) error {
	return b.end(Terminal{
		Address: h.From, Asset: h.Asset, Reason: reason, Tx: h.Tx, Index: h.Index, Kind: h.Kind, At: h.At, Via: h.To, Hop: h.ID, ArrivedAt: h.Time, LastKnown: h.At, Coin: h.Chain.UTXO(),
	}, parcel{want.segs, want.set})
}

func (b *backward) hop(h Hop) {
	h.ID = len(b.trace.Hops) + 1
	b.trace.Hops = append(b.trace.Hops, h)
	if b.onHop != nil {
		b.onHop(h)
	}
}

// stopAt says why a payer is a source: as replay stops at a payee.
func (b *backward) stopAt(h Hop) (Reason, error) {
	switch {
	case b.req.StopAt[h.From]:
		return StoppedByUser, nil
	case h.From.IsZero():
		return Issued, nil
	case h.From.Burn():
		return Issued, nil
	case b.req.Hops > 0 && h.Depth > b.req.Hops:
		return Pending, nil
	case b.req.Through[h.From]:
		return "", nil
	}
	tags, err := b.tagsOf(h.From)
	if err != nil {
		return "", err
	}
	if reason, ok := StopOf(tags, h.Time); ok {
		return reason, nil
	}
	if b.req.ServicePayees <= 0 || h.Chain.UTXO() || h.From.Kind == ledger.KindNamed || ExemptFromService(tags, h.Time) {
		return "", nil
	}
	at, found, err := b.idx.PayeeAt(b.ctx, ledger.Holder{Address: h.From, Asset: h.Asset}, b.req.ServicePayees+1)
	if err != nil || !found || h.At.Before(at) {
		return "", err
	}
	return SuspectedService, nil
}

func (b *backward) tagsOf(a ledger.Address) ([]ledger.Tag, error) {
	if tags, ok := b.tags[a]; ok {
		return tags, nil
	}
	tags, err := b.idx.Tags(b.ctx, a)
	if err == nil {
		b.tags[a] = tags
	}
	return tags, err
}

// spent ends everything that the budget of events did not reach.
func (b *backward) spent() error {
	for _, h := range slices.SortedFunc(maps.Keys(b.accounts), ledger.Holder.Compare) {
		if err := b.rest(b.accounts[h], Pending); err != nil {
			return err
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(b.coins), func(x, y place) int { return cmp.Or(cmp.Compare(x.chain, y.chain), cmp.Compare(x.pos, y.pos)) }) {
		if err := b.leave(at); err != nil {
			return err
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(b.wanted), func(x, y spotAt) int { return cmp.Or(cmp.Compare(x.chain, y.chain), x.at.Compare(y.at)) }) {
		if err := b.unasked(at); err != nil {
			return err
		}
	}
	return b.sheets()
}

// leave ends what is asked of a transaction of coins that was not reached.
func (b *backward) leave(at place) error {
	for _, i := range slices.Sorted(maps.Keys(b.coins[at])) {
		w := b.coins[at][i]
		h := b.trace.Hops[w.hop-1]
		if err := b.source(h, Pending, claim{segs: w.segs, set: w.set}); err != nil {
			return err
		}
	}
	return nil
}

// unasked ends what seeds and crossings ask of a transfer that was not reached.
func (b *backward) unasked(at spotAt) error {
	tx, err := b.idx.TxAt(b.ctx, at.chain, at.at.Pos)
	if err != nil {
		return err
	}
	all := movements(&tx)
	i := slices.IndexFunc(all, func(t ledger.Transfer) bool { return t.Slot == at.at.Slot })
	if i < 0 {
		return fmt.Errorf("%s lists no transfer at slot %d: %w", tx.ID, at.at.Slot, ledger.ErrCorrupt)
	}
	t := all[i]
	want, err := b.claims(at, &t, claim{segs: push(nil, Segment{Clean, t.Amount})})
	if err != nil {
		return err
	}
	h := Hop{Chain: tx.Chain, Tx: tx.ID, Index: t.Index, Kind: t.Kind, At: at.at, Time: tx.Time, From: t.From, To: t.To, Asset: t.Asset}
	return b.source(h, Pending, want)
}

// sheets adds everything up: what was asked for is what the sources gave.
func (b *backward) sheets() error {
	var chains []ledger.Chain
	for _, a := range slices.SortedFunc(maps.Keys(b.tallies), ledger.Asset.Compare) {
		s := b.tallies[a].sheet(a, b.req.Policy.Conserves)
		if err := s.Check(); err != nil {
			return err
		}
		b.trace.Sheets = append(b.trace.Sheets, s)
		chains = append(chains, a.Chain)
	}
	for _, s := range b.req.Seeds {
		chains = append(chains, s.Chain)
	}
	slices.Sort(chains)
	for _, c := range slices.Compact(chains) {
		ref, err := b.idx.AsOf(b.ctx, c)
		if err != nil {
			return err
		}
		b.trace.AsOf = append(b.trace.AsOf, ref)
	}
	slices.SortFunc(b.trace.Openings, func(x, y Opening) int { return x.Holder.Compare(y.Holder) })
	slices.SortStableFunc(b.trace.Terminals, func(x, y Terminal) int {
		return cmp.Or(x.Asset.Compare(y.Asset), y.Dirty.Cmp(x.Dirty), x.At.Compare(y.At), x.Address.Compare(y.Address))
	})
	return nil
}
