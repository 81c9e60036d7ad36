package evidence

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"math"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// Recorder is an index that keeps what it was asked, so that a Record can be
// made of it. It is for one goroutine.
type Recorder struct {
	tracer.Index
	txs      map[txKey]ledger.Tx
	opened   map[ledger.Holder]reach
	balances map[ledger.Holder]bool
	covered  map[ledger.Holder]map[ledger.Position]bool
	payees   map[payeeKey]*ledger.Point
	tags     map[ledger.Address][]ledger.Tag
	notices  map[ledger.Address]reach
	clocks   map[clockKey]int64
}

type txKey struct {
	chain ledger.Chain
	pos   ledger.Position
}

type payeeKey struct {
	ledger.Holder
	n int
}

type clockKey struct {
	chain  ledger.Chain
	height uint64
}

// reach is the part of a list that was read.
type reach struct {
	from  ledger.Point // inclusive
	to    ledger.Point // inclusive
	whole bool         // to its end
	begun bool
}

func (r reach) add(from, to ledger.Point, whole bool) reach {
	if !r.begun || from.Before(r.from) {
		r.from = from
	}
	if r.to.Before(to) {
		r.to = to
	}
	r.whole, r.begun = r.whole || whole, true
	return r
}

// NewRecorder records what is asked of an index.
func NewRecorder(idx tracer.Index) *Recorder {
	return &Recorder{
		Index: idx, txs: map[txKey]ledger.Tx{}, opened: map[ledger.Holder]reach{}, balances: map[ledger.Holder]bool{},
		covered: map[ledger.Holder]map[ledger.Position]bool{}, payees: map[payeeKey]*ledger.Point{},
		tags: map[ledger.Address][]ledger.Tag{}, notices: map[ledger.Address]reach{}, clocks: map[clockKey]int64{},
	}
}

// TxAt implements tracer.Index.
func (r *Recorder) TxAt(ctx context.Context, c ledger.Chain, pos ledger.Position) (ledger.Tx, error) {
	if tx, ok := r.txs[txKey{c, pos}]; ok {
		return tx, nil
	}
	tx, err := r.Index.TxAt(ctx, c, pos)
	if err == nil {
		r.txs[txKey{c, pos}] = tx
	}
	return tx, err
}

// Events implements tracer.Index.
func (r *Recorder) Events(ctx context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	return func(yield func(ledger.Event, error) bool) {
		last := after
		for e, err := range r.Index.Events(ctx, h, after) {
			if err == nil {
				last = e.At
			}
			if !yield(e, err) {
				r.opened[h] = r.opened[h].add(next(after), last, false)
				return
			}
		}
		r.opened[h] = r.opened[h].add(next(after), last, true)
	}
}

// Balance implements tracer.Index. What is asked for at the end is a balance of
// its own; elsewhere it opens a ledger.
func (r *Recorder) Balance(ctx context.Context, h ledger.Holder, before ledger.Point) (ledger.Balance, error) {
	head, err := r.AsOf(ctx, h.Address.Chain)
	if err != nil {
		return ledger.Balance{}, err
	}
	if before.Pos == ledger.EndOf(head.Height) {
		r.balances[h] = true
	} else {
		r.opened[h] = r.opened[h].add(before, before, false)
	}
	return r.Index.Balance(ctx, h, before)
}

// Covered implements tracer.Index.
func (r *Recorder) Covered(ctx context.Context, h ledger.Holder, from ledger.Position) (bool, error) {
	ok, err := r.Index.Covered(ctx, h, from)
	if err == nil {
		if r.covered[h] == nil {
			r.covered[h] = map[ledger.Position]bool{}
		}
		r.covered[h][from] = ok
	}
	return ok, err
}

// PayeeAt implements tracer.Index.
func (r *Recorder) PayeeAt(ctx context.Context, h ledger.Holder, n int) (ledger.Point, bool, error) {
	at, found, err := r.Index.PayeeAt(ctx, h, n)
	if err == nil {
		r.payees[payeeKey{h, n}] = nil
		if found {
			r.payees[payeeKey{h, n}] = &at
		}
	}
	return at, found, err
}

// Tags implements tracer.Index.
func (r *Recorder) Tags(ctx context.Context, a ledger.Address) ([]ledger.Tag, error) {
	if tags, ok := r.tags[a]; ok {
		return tags, nil
	}
	tags, err := r.Index.Tags(ctx, a)
	if err == nil {
		r.tags[a] = tags
	}
	return tags, err
}

// Notices implements tracer.Index.
func (r *Recorder) Notices(ctx context.Context, subject ledger.Address, after ledger.Point) iter.Seq2[ledger.Noted, error] {
	return func(yield func(ledger.Noted, error) bool) {
		last := after
		for n, err := range r.Index.Notices(ctx, subject, after) {
			if err == nil {
				last = n.At
			}
			if !yield(n, err) {
				r.notices[subject] = r.notices[subject].add(next(after), last, false)
				return
			}
		}
		r.notices[subject] = r.notices[subject].add(next(after), last, true)
	}
}

// Clock implements tracer.Index.
func (r *Recorder) Clock(ctx context.Context, c ledger.Chain, height uint64) (int64, error) {
	at, err := r.Index.Clock(ctx, c, height)
	if err == nil {
		r.clocks[clockKey{c, height}] = at
	}
	return at, err
}

// next is the first point after p, before the last one before it.
func next(p ledger.Point) ledger.Point {
	if p.Slot == math.MaxUint32 {
		return ledger.Point{Pos: p.Pos + 1}
	}
	return ledger.Point{Pos: p.Pos, Slot: p.Slot + 1}
}

func before(p ledger.Point) ledger.Point {
	switch {
	case p.Slot > 0:
		return ledger.Point{Pos: p.Pos, Slot: p.Slot - 1}
	case p.Pos > 0:
		return ledger.Point{Pos: p.Pos - 1, Slot: math.MaxUint32}
	}
	return ledger.Point{}
}

// Record makes the record of all that was asked.
func (r *Recorder) Record(ctx context.Context) (Record, error) {
	var rec Record
	for _, step := range []func(context.Context, *Record) error{r.histories, r.ends, r.transactions, r.noted, r.blocks} {
		if err := step(ctx, &rec); err != nil {
			return rec, err
		}
	}
	r.answers(&rec)
	return rec, nil
}

func (r *Recorder) histories(ctx context.Context, rec *Record) error {
	rec.Histories = []History{}
	for _, h := range slices.SortedFunc(maps.Keys(r.opened), ledger.Holder.Compare) {
		one, err := r.history(ctx, h, r.opened[h])
		if err != nil {
			return err
		}
		rec.Histories = append(rec.Histories, one)
	}
	return nil
}

func (r *Recorder) history(ctx context.Context, h ledger.Holder, span reach) (History, error) {
	b, err := r.Index.Balance(ctx, h, span.from)
	if err != nil {
		return History{}, err
	}
	one := History{
		Network: string(h.Address.Chain), Address: addressText(h.Address), Asset: h.Asset.String(), From: placeOf(span.from),
		Opening: b.Amount.String(), Deficit: b.Deficit.String(), To: placeOf(span.to), Complete: span.whole, Events: []Flow{},
	}
	for e, err := range r.Index.Events(ctx, h, before(span.from)) {
		if errors.Is(err, errBeyond) && !span.whole {
			break
		}
		if err != nil {
			return one, err
		}
		if !span.whole && span.to.Before(e.At) {
			break
		}
		one.Events = append(one.Events, flowOf(e))
	}
	return one, nil
}

func flowOf(e ledger.Event) Flow {
	return Flow{Place: placeOf(e.At), Kind: kindNames()[e.Kind], From: addressText(e.From), To: addressText(e.To), Amount: e.Amount.String()}
}

func (r *Recorder) ends(ctx context.Context, rec *Record) error {
	rec.Balances = []Balance{}
	for h := range r.opened {
		r.balances[h] = true
	}
	for _, h := range slices.SortedFunc(maps.Keys(r.balances), ledger.Holder.Compare) {
		head, err := r.AsOf(ctx, h.Address.Chain)
		if err != nil {
			return err
		}
		b, err := r.Index.Balance(ctx, h, ledger.Point{Pos: ledger.EndOf(head.Height)})
		if err != nil {
			return err
		}
		rec.Balances = append(rec.Balances, Balance{string(h.Address.Chain), addressText(h.Address), h.Asset.String(), b.Amount.String(), b.Deficit.String()})
	}
	return nil
}

func (r *Recorder) transactions(_ context.Context, rec *Record) error {
	rec.Transactions = []Transaction{}
	keys := slices.SortedFunc(maps.Keys(r.txs), func(a, b txKey) int { return cmp.Or(cmp.Compare(a.chain, b.chain), cmp.Compare(a.pos, b.pos)) })
	for _, k := range keys {
		rec.Transactions = append(rec.Transactions, transactionOf(r.txs[k]))
	}
	return nil
}

func transactionOf(tx ledger.Tx) Transaction {
	t := Transaction{
		Network: string(tx.Chain), Tx: hashText(tx.Chain, tx.ID), Height: tx.Pos.Height(), TxIndex: tx.Pos.Index(), Time: timeOf(tx.Time),
		Status: statusNames()[tx.Status], Grade: tx.Grade.String(), Coinbase: tx.Coinbase,
	}
	for _, in := range tx.Inputs {
		one := Input{Tx: in.Prev.Tx.String(), Index: in.Prev.Index, Known: in.Known, Height: in.PrevPos.Height(), TxIndex: in.PrevPos.Index()}
		if in.Known {
			one.Address, one.Value = addressText(in.Address), in.Value.String()
		}
		t.Inputs = append(t.Inputs, one)
	}
	for _, out := range tx.Outputs {
		one := Output{Address: addressText(out.Address), Value: out.Value.String()}
		if out.SpentBy != 0 {
			one.Spent = &At{out.SpentBy.Height(), out.SpentBy.Index()}
		}
		t.Outputs = append(t.Outputs, one)
	}
	for _, m := range tx.Transfers {
		t.Transfers = append(t.Transfers, Transfer{
			Index: m.Index, Slot: m.Slot, Kind: kindNames()[m.Kind], From: addressText(m.From), To: addressText(m.To),
			Asset: m.Asset.String(), Amount: m.Amount.String(), Status: statusNames()[m.Status], Grade: m.Grade.String(),
		})
	}
	for _, n := range tx.Notices {
		t.Notices = append(t.Notices, noticeOf(n))
	}
	return t
}

func noticeOf(n ledger.Notice) Notice {
	one := Notice{
		Slot: n.Slot, Kind: noticeNames()[n.Kind], Account: addressText(n.Account), Peer: addressText(n.Peer), Contract: addressText(n.Contract),
		Amount: n.Amount.String(), Network: string(n.Network), Ref: n.Ref, Grade: n.Grade.String(),
	}
	if n.Asset != (ledger.Asset{}) {
		one.Asset = n.Asset.String()
	}
	return one
}

func (r *Recorder) noted(ctx context.Context, rec *Record) error {
	rec.Notices = []Noted{}
	for _, a := range slices.SortedFunc(maps.Keys(r.notices), ledger.Address.Compare) {
		span := r.notices[a]
		one := Noted{
			Network: string(a.Chain), Subject: addressText(a), Ref: a.Kind == ledger.KindRef, After: placeOf(before(span.from)),
			Complete: span.whole, Notices: []PlacedNotice{},
		}
		for n, err := range r.Index.Notices(ctx, a, before(span.from)) {
			if errors.Is(err, errBeyond) && !span.whole {
				break
			}
			if err != nil {
				return err
			}
			if !span.whole && span.to.Before(n.At) {
				break
			}
			one.Notices = append(one.Notices, PlacedNotice{noticeOf(n.Notice), hashText(a.Chain, n.Tx), placeOf(n.At), n.Time})
		}
		rec.Notices = append(rec.Notices, one)
	}
	return nil
}

// Blocks says which block is at a height; an export has none.
type Blocks interface {
	BlockRef(ctx context.Context, c ledger.Chain, height uint64) (ledger.BlockRef, error)
}

func (r *Recorder) blocks(ctx context.Context, rec *Record) error {
	rec.Blocks = []Block{}
	of, ok := r.Index.(Blocks)
	if !ok {
		return nil
	}
	var last Block
	for _, t := range rec.Transactions {
		if t.Network == last.Network && t.Height == last.Height {
			continue
		}
		ref, err := of.BlockRef(ctx, ledger.Chain(t.Network), t.Height)
		if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, ledger.ErrPrecondition) {
			continue // an export
		}
		if err != nil {
			return err
		}
		last = blockOf(ref)
		rec.Blocks = append(rec.Blocks, last)
	}
	return nil
}

func blockOf(ref ledger.BlockRef) Block {
	return Block{Network: string(ref.Chain), Height: ref.Height, Hash: hashText(ref.Chain, ref.Hash), Time: timeOf(ref.Time)}
}

// answers are what was said to questions that have one answer.
func (r *Recorder) answers(rec *Record) {
	rec.Services, rec.Labels, rec.Covered = []Payees{}, []Tagged{}, []Held{}
	keys := slices.SortedFunc(maps.Keys(r.payees), func(a, b payeeKey) int { return cmp.Or(a.Compare(b.Holder), cmp.Compare(a.n, b.n)) })
	for _, k := range keys {
		one := Payees{Network: string(k.Address.Chain), Address: addressText(k.Address), Asset: k.Asset.String(), N: k.n}
		if at := r.payees[k]; at != nil {
			p := placeOf(*at)
			one.Place = &p
		}
		rec.Services = append(rec.Services, one)
	}
	for _, h := range slices.SortedFunc(maps.Keys(r.covered), ledger.Holder.Compare) {
		for _, pos := range slices.Sorted(maps.Keys(r.covered[h])) {
			rec.Covered = append(rec.Covered, Held{string(h.Address.Chain), addressText(h.Address), h.Asset.String(), pos.Height(), pos.Index(), r.covered[h][pos]})
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(r.tags), ledger.Address.Compare) {
		one := Tagged{Network: string(a.Chain), Address: addressText(a), Tags: []Tag{}}
		for _, t := range r.tags[a] {
			one.Tags = append(one.Tags, tagOf(t))
		}
		rec.Labels = append(rec.Labels, one)
	}
	clocks := slices.SortedFunc(maps.Keys(r.clocks), func(a, b clockKey) int { return cmp.Or(cmp.Compare(a.chain, b.chain), cmp.Compare(a.height, b.height)) })
	for _, k := range clocks {
		rec.Clocks = append(rec.Clocks, Clock{string(k.chain), k.height, r.clocks[k]})
	}
}

func tagOf(t ledger.Tag) Tag {
	return Tag{
		Sequence: t.ID, Label: t.Label, Category: t.Category, Concepts: t.Concepts, Actor: t.Actor, Source: t.Source, Pack: t.Pack,
		Confidence: t.Confidence, ValidFrom: t.ValidFrom, ValidTo: t.ValidTo, LastMod: t.LastMod, Recorded: t.Recorded, Type: t.Type,
	}
}
