package tracer

import (
	"errors"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// account is an open ledger: one asset in one account, from the dirty credit
// that opened it until its dirt is 0.
type account struct {
	holder   ledger.Holder
	held     parcel
	opening  ledger.Amount // the clean lot that it opened with
	sum      ledger.Amount // of held, kept beside it: an account may hold very many segments
	dirt     ledger.Amount // traced units in held
	depth    int
	hop      int // the hop that opened it
	openedAt ledger.Point
	last     arrivalRef
	seen     ledger.Point // the last event that was processed
	service  *ledger.Point
	closed   bool
	page     []ledger.Event // what comes after seen, read ahead
	whole    bool           // page reaches to the as-of
	pageSize int
	node     int // in the flow graph, since its last payment
}

// arrivalRef is what a terminal says of the transfer that brought the money.
type arrivalRef struct {
	tx    ledger.TxID
	index uint32
	kind  ledger.TransferKind
	at    ledger.Point
	via   ledger.Address
	time  int64
	hop   int
}

const (
	firstPage = 8
	lastPage  = 512
)

// scheduleAccount queues the account's next event, reading ahead in growing pages.
func (run *run) scheduleAccount(a *account) error {
	if len(a.page) == 0 && !a.whole {
		a.pageSize = min(max(firstPage, a.pageSize*4), lastPage)
		for e, err := range run.idx.Events(run.ctx, a.holder, a.seen) {
			if err != nil {
				return fmt.Errorf("events of %s: %w", a.holder.Address, err)
			}
			if a.page = append(a.page, e); len(a.page) == a.pageSize {
				break
			}
		}
		a.whole = len(a.page) < a.pageSize
	}
	if len(a.page) > 0 {
		return run.push(item{chain: a.holder.Address.Chain, at: a.page[0].At, seed: -1, acct: a})
	}
	return nil
}

// event moves one transfer between accounts. Batch holds the open accounts
// that list it (payer, payee or both) and the seeds that are it.
func (run *run) event(batch []item, seeds []int) error {
	e, asset, tx, err := run.eventOf(batch, seeds)
	if err != nil {
		return err
	}
	for _, i := range batch {
		if i.acct == nil {
			continue
		}
		if err := run.count(i.acct, e); err != nil {
			return err
		}
	}
	if e.From != e.To { // a transfer to oneself changes nothing
		if err := run.transfer(e, asset, tx, seeds); err != nil {
			return fmt.Errorf("transfer at %s: %w", e.At, err)
		}
	}
	for _, i := range batch {
		if i.acct == nil || i.acct.closed {
			continue
		}
		i.acct.page, i.acct.seen = i.acct.page[1:], e.At
		if err := run.scheduleAccount(i.acct); err != nil {
			return err
		}
	}
	return nil
}

func (run *run) eventOf(batch []item, seeds []int) (e ledger.Event, asset ledger.Asset, tx *ledger.Tx, err error) {
	for _, i := range batch {
		if i.acct != nil {
			return i.acct.page[0], i.acct.holder.Asset, nil, nil
		}
	}
	s := run.req.Seeds[seeds[0]]
	read, err := run.idx.TxAt(run.ctx, s.Chain, s.At.Pos)
	if err != nil {
		return e, asset, nil, fmt.Errorf("seed %s: %w", s.Ref, err)
	}
	t, ok := transferAt(&read, s.At.Slot)
	if !ok {
		return e, asset, nil, fmt.Errorf("seed %s: %w", s.Ref, ledger.ErrNotFound)
	}
	return ledger.Event{At: s.At, Kind: t.Kind, From: t.From, To: t.To, Amount: t.Amount}, s.Asset, &read, nil
}

func (a *account) terminal(reason Reason) Terminal {
	d := a.held.dirty()
	return Terminal{
		Address: a.holder.Address, Asset: a.holder.Asset, Dirty: d, Low: d, High: d, Shares: a.held.shares(), Reason: reason,
		Tx: a.last.tx, Index: a.last.index, Kind: a.last.kind, At: a.last.at, Via: a.last.via, Hop: a.last.hop, ArrivedAt: a.last.time,
		LastKnown: a.seen, Rests: true,
	}
}

// transfer takes a parcel from the payer, lays the seeds over it, and credits
// the payee or ends it.
func (run *run) transfer(e ledger.Event, asset ledger.Asset, tx *ledger.Tx, seeds []int) error {
	payer := run.accounts[ledger.Holder{Address: e.From, Asset: asset}]
	p := parcel{segs: push(nil, Segment{Clean, e.Amount})}
	work := run.watch.at(asset.Chain, e.At)
	if payer != nil {
		if payer.sum.Less(e.Amount) {
			return fmt.Errorf("%s pays %s of %s: %w", e.From, e.Amount, payer.sum, ledger.ErrCorrupt)
		}
		work.before(payer)
		p = payer.take(run.req.Policy, e.Amount)
		work.taken(payer, p)
	}
	fromPayer := !p.dirty().IsZero()
	p, err := run.markSeeds(p, seeds)
	if err != nil {
		return err
	}
	node := run.flow.paid(payer, asset, e.Amount, run.seedsOf(seeds))
	if p.dirty().IsZero() {
		err = run.creditClean(e, asset)
	} else {
		a := &arrival{parcel: p, work: work, node: node, Hop: Hop{Depth: 1, Chain: asset.Chain, At: e.At, Kind: e.Kind, From: e.From, To: e.To, Asset: asset, Amount: e.Amount}}
		if fromPayer {
			a.Parent = payer.hop
		}
		if fromPayer && len(seeds) == 0 {
			a.Depth = payer.depth + 1
		}
		err = run.creditTraced(a, e, tx)
	}
	if err == nil && payer != nil && payer.dirt.IsZero() {
		run.close(payer)
	}
	return err
}

func (run *run) close(a *account) {
	a.closed = true
	delete(run.accounts, a.holder)
}

// creditClean matters only to an account that holds traced units.
func (run *run) creditClean(e ledger.Event, asset ledger.Asset) error {
	payee := run.accounts[ledger.Holder{Address: e.To, Asset: asset}]
	if payee == nil {
		return nil
	}
	return run.credit(payee, parcel{segs: push(nil, Segment{Clean, e.Amount})})
}

func (run *run) credit(a *account, p parcel) error {
	sum, err := a.sum.Add(p.total())
	if err != nil {
		return fmt.Errorf("balance of %s: %w", a.holder.Address, err)
	}
	a.held.segs = run.req.Policy.credit(a.held.segs, p.segs)
	a.held.set = union(a.held.set, p.set)
	a.sum, a.dirt = sum, a.dirt.Plus(p.dirty())
	if !run.req.Policy.Conserves && !a.dirt.IsZero() {
		a.dirt = sum // all of it
	}
	return nil
}

// take removes x of the units that the account holds.
func (a *account) take(policy Policy, x ledger.Amount) parcel {
	var p parcel
	p.segs, a.held.segs = policy.take(a.held.segs, x)
	d := p.dirty()
	if !d.IsZero() {
		p.set = a.held.set
	}
	a.sum, a.dirt = a.sum.Minus(x), a.dirt.Minus(d)
	return p
}

func (run *run) creditTraced(a *arrival, e ledger.Event, tx *ledger.Tx) error {
	if e.Kind == ledger.TransferFee {
		run.flow.end(a.node, spot{asset: a.Asset}, a.Amount)
		return run.tally(a.Asset).add(a.parcel.segs, feesField)
	}
	t, tx, err := run.describe(a, tx)
	if err != nil {
		return err
	}
	h := ledger.Holder{Address: e.To, Asset: a.Asset}
	payee := run.accounts[h]
	if e.Kind == ledger.TransferSeized {
		return run.stopAt(a, Seized)
	}
	if crossed, err := run.cross(a, t, tx); err != nil || crossed {
		return errors.Join(err, run.keepClean(payee, a))
	}
	stays, err := run.settle(a, payee != nil)
	if err != nil {
		return err
	}
	if !stays {
		return run.keepClean(payee, a)
	}
	if payee == nil {
		if payee, err = run.open(h, a); err != nil {
			return err
		}
	}
	payee.last = arrivalRef{a.Tx, a.Index, a.Kind, a.At, a.From, a.Time, a.ID}
	if g := run.flow; g != nil {
		g.edge(a.node, payee.node, a.Amount, 1)
		g.leak(a, run.req.FloorOf(a.Asset))
	}
	return run.credit(payee, a.parcel)
}

// keepClean keeps an open payee's balance right when the traced units of a
// transfer to it end there: they stop being traced, and stay in its balance.
func (run *run) keepClean(payee *account, a *arrival) error {
	if payee == nil || payee.closed {
		return nil
	}
	return run.credit(payee, parcel{segs: push(nil, Segment{Clean, a.Amount})})
}

// open starts the ledger of an account just before its first dirty credit:
// its balance is one clean lot at the front of the queue.
func (run *run) open(h ledger.Holder, a *arrival) (*account, error) {
	return run.openAt(h, a, a.At, a.At)
}

// openAt opens a ledger with the balance just before a point; what has been seen
// of its events is up to another.
func (run *run) openAt(h ledger.Holder, a *arrival, before, seen ledger.Point) (*account, error) {
	b, err := run.idx.Balance(run.ctx, h, before)
	if err != nil {
		return nil, fmt.Errorf("opening balance of %s: %w", h.Address, err)
	}
	acct := &account{holder: h, depth: a.Depth, hop: a.ID, openedAt: a.At, seen: seen, opening: b.Amount, sum: b.Amount}
	acct.held.segs = run.req.Policy.credit(nil, push(nil, Segment{Clean, b.Amount}))
	if run.flow != nil {
		acct.node = run.flow.node()
	}
	v := run.visited[h]
	v.deficit = b.Deficit
	run.visited[h] = v
	run.accounts[h] = acct
	a.work.opened(b)
	if err := run.watchService(acct); err != nil {
		return nil, err
	}
	return acct, run.scheduleAccount(acct)
}

// describe fills in what the event list does not say of a transfer.
func (run *run) describe(a *arrival, tx *ledger.Tx) (*ledger.Transfer, *ledger.Tx, error) {
	if tx == nil {
		read, err := run.idx.TxAt(run.ctx, a.Chain, a.At.Pos)
		if err != nil {
			return nil, nil, err
		}
		tx = &read
	}
	t, ok := transferAt(tx, a.At.Slot)
	if !ok {
		return nil, nil, fmt.Errorf("%s lists no transfer at slot %d: %w", tx.ID, a.At.Slot, ledger.ErrCorrupt)
	}
	a.Tx, a.Index, a.Time, a.Grade = tx.ID, t.Index, tx.Time, max(tx.Grade, t.Grade)
	if tx.Status == ledger.StatusUnknown || t.Status == ledger.StatusUnknown {
		a.Grade = ledger.GradeInferred
	}
	return t, tx, nil
}

func transferAt(tx *ledger.Tx, slot uint32) (*ledger.Transfer, bool) {
	for i := range tx.Transfers {
		if tx.Transfers[i].Slot == slot {
			return &tx.Transfers[i], true
		}
	}
	return nil, false
}
