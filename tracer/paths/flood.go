package paths

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// place is what money can leave: an account, or the transaction that spends a
// coin. The sender is an account on UTXO chains, too.
type place struct {
	account ledger.Address
	spender ledger.Position
}

// edge is a step within reach of the sender.
type edge struct {
	at         ledger.Point
	from, into place // into is the zero place where nothing goes on
	to         ledger.Address
	amount     ledger.Amount
	arrives    bool
	// wide[r] is the width of the widest way to the recipient that begins with this
	// edge and has at most r more; 0: there is none.
	wide []ledger.Amount
}

// flood reads everything that the sender's money may have passed, step by step
// from the sender on.
type flood struct {
	ctx    context.Context //nolint:containedctx // one call
	idx    tracer.Index
	req    Request
	answer *Answer

	edges []*edge
	read  map[place]ledger.Point // from where on its events were read
	count map[place]int          // of the events read
	out   map[place][]*edge      // what leads on to the recipient, in order
	stops map[ledger.Address]*stops
	cut   map[ledger.Address]bool // services
	busy  map[place]bool
}

// stops is what decides whether an address is a service.
type stops struct {
	tags    []ledger.Tag
	service ledger.Point // from here on it is suspected to be one
	suspect bool
}

func newFlood(ctx context.Context, idx tracer.Index, req Request) *flood {
	return &flood{
		ctx: ctx, idx: idx, req: req, answer: &Answer{}, read: map[place]ledger.Point{}, count: map[place]int{}, out: map[place][]*edge{},
		stops: map[ledger.Address]*stops{}, cut: map[ledger.Address]bool{}, busy: map[place]bool{},
	}
}

// visit is a place to be left, with the point after which money was there.
type visit struct {
	place
	after ledger.Point
}

// run leaves every place that was reached by one step fewer than a path may
// have. An account that is reached again earlier than before, by more steps, is
// read again from there.
func (f *flood) run() error {
	frontier := []visit{{place{account: f.req.From}, f.begin()}}
	for range f.req.Hops {
		first := map[place]ledger.Point{}
		for _, v := range frontier {
			from := len(f.edges)
			if err := f.leave(v); err != nil {
				return err
			}
			for _, e := range f.edges[from:] {
				if at, seen := first[e.into]; !e.arrives && (!seen || e.at.Before(at)) {
					first[e.into] = e.at
				}
			}
		}
		frontier = f.next(first)
	}
	f.answer.Deep, f.answer.Services, f.answer.Busy = len(frontier), len(f.cut), len(f.busy)
	return nil
}

// begin is the point after which the sender's events are read.
func (f *flood) begin() ledger.Point {
	if f.req.Since == 0 {
		return ledger.Point{}
	}
	return ledger.Point{Pos: f.req.Since - 1, Slot: math.MaxUint32}
}

// next are the places to be left next, in total order.
func (f *flood) next(first map[place]ledger.Point) []visit {
	var all []visit
	for p, at := range first {
		if before, read := f.read[p]; !read || (p.spender == 0 && at.Before(before)) {
			all = append(all, visit{p, at})
		}
	}
	slices.SortFunc(all, func(a, b visit) int {
		return cmp.Or(a.after.Compare(b.after), cmp.Compare(a.spender, b.spender), a.account.Compare(b.account))
	})
	return all
}

func (f *flood) leave(v visit) error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	before, again := f.read[v.place]
	f.read[v.place] = v.after
	switch {
	case v.spender != 0:
		return f.spend(v.place, v.spender)
	case f.req.From.Chain.UTXO():
		return f.sender(v)
	case again:
		return f.account(v, before)
	}
	return f.account(v, ledger.Point{Pos: ^ledger.Position(0)})
}

// charge takes one event from the budgets; false when one of them is spent.
func (f *flood) charge(p place) bool {
	if f.req.Events > 0 && f.answer.Events >= f.req.Events {
		f.answer.Spent = true
		return false
	}
	if f.req.AccountEvents > 0 && f.count[p] >= f.req.AccountEvents {
		f.busy[p] = true
		return false
	}
	f.answer.Events++
	f.count[p]++
	return true
}

// account reads what an account paid after it was reached, up to a point.
func (f *flood) account(v visit, until ledger.Point) error {
	for e, err := range f.idx.Events(f.ctx, ledger.Holder{Address: v.account, Asset: f.req.Asset}, v.after) {
		if err != nil {
			return err
		}
		if until.Before(e.At) || f.late(e.At.Pos) || !f.charge(v.place) {
			return nil
		}
		if e.From != v.account || e.To == v.account || e.Kind == ledger.TransferFee || e.Kind == ledger.TransferSeized {
			continue
		}
		if v.account != f.req.From {
			if service, err := f.suspected(v.account, e.At); err != nil || service {
				return err
			}
		}
		if err := f.add(&edge{at: e.At, from: v.place, into: place{account: e.To}, to: e.To, amount: e.Amount}); err != nil {
			return err
		}
	}
	return nil
}

func (f *flood) late(at ledger.Position) bool { return f.req.Before != 0 && at >= f.req.Before }

// sender reads the transactions in which the sender spent coins.
func (f *flood) sender(v visit) error {
	var last ledger.Position
	for e, err := range f.idx.Events(f.ctx, ledger.Holder{Address: v.account, Asset: f.req.Asset}, v.after) {
		if err != nil {
			return err
		}
		if f.late(e.At.Pos) || !f.charge(v.place) {
			return nil
		}
		if e.From != v.account || e.At.Pos == last {
			continue
		}
		last = e.At.Pos
		if err := f.spend(v.place, last); err != nil {
			return err
		}
	}
	return nil
}

// spend adds the outputs of a transaction that spends money of a place.
func (f *flood) spend(from place, at ledger.Position) error {
	tx, err := f.idx.TxAt(f.ctx, f.req.From.Chain, at)
	if err != nil {
		return err
	}
	var put ledger.Amount // what the sender put in
	for _, in := range tx.Inputs {
		if in.Known && in.Address == f.req.From {
			put = put.Plus(in.Value)
		}
	}
	for i, o := range tx.Outputs {
		if from.spender != 0 && !f.charge(from) {
			return nil
		}
		e := &edge{at: ledger.Point{Pos: at, Slot: uint32(i)}, from: from, into: place{spender: o.SpentBy}, to: o.Address, amount: o.Value}
		if from.spender == 0 {
			e.amount = ledger.Min(e.amount, put)
		}
		if f.late(o.SpentBy) {
			e.into = place{}
		}
		if err := f.add(e); err != nil {
			return err
		}
	}
	return nil
}

// add keeps an edge that arrives or that money goes on from.
func (f *flood) add(e *edge) error {
	if e.amount.IsZero() || e.to == f.req.From || e.to.IsZero() {
		return nil
	}
	e.arrives = e.to == f.req.To
	if !e.arrives {
		if e.to.Burn() || e.into == (place{}) {
			return nil
		}
		if stops, err := f.stopsAt(e.to, e.at); err != nil || stops {
			return err
		}
	}
	f.edges = append(f.edges, e)
	return nil
}

// stopsAt reports an address at which a trace stops, too.
func (f *flood) stopsAt(a ledger.Address, at ledger.Point) (bool, error) {
	s, err := f.stopsOf(a)
	if err != nil || (len(s.tags) == 0 && !s.suspect) {
		return false, err
	}
	tx, err := f.idx.TxAt(f.ctx, a.Chain, at.Pos)
	if err != nil {
		return false, err
	}
	if _, stops := tracer.StopOf(s.tags, tx.Time); stops {
		f.cut[a] = true
		return true, nil
	}
	return f.suspected(a, at)
}

// suspected reports an account that has more payees than a service may have.
func (f *flood) suspected(a ledger.Address, at ledger.Point) (bool, error) {
	s, err := f.stopsOf(a)
	if err != nil || !s.suspect || at.Before(s.service) {
		return false, err
	}
	tx, err := f.idx.TxAt(f.ctx, a.Chain, at.Pos)
	if err != nil || tracer.ExemptFromService(s.tags, tx.Time) {
		return false, err
	}
	f.cut[a] = true
	return true, nil
}

func (f *flood) stopsOf(a ledger.Address) (*stops, error) {
	if s := f.stops[a]; s != nil {
		return s, nil
	}
	s := &stops{}
	var err error
	if s.tags, err = f.idx.Tags(f.ctx, a); err != nil {
		return nil, err
	}
	if f.req.ServicePayees > 0 && !a.Chain.UTXO() && a.Kind != ledger.KindNamed {
		if s.service, s.suspect, err = f.idx.PayeeAt(f.ctx, ledger.Holder{Address: a, Asset: f.req.Asset}, f.req.ServicePayees+1); err != nil {
			return nil, err
		}
	}
	f.stops[a] = s
	return s, nil
}
