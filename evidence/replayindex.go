package evidence

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// recorded is a Record as an index: it answers what was asked when the record
// was made, and refuses everything else.
type recorded struct {
	heads     map[ledger.Chain]ledger.BlockRef
	networks  []ledger.Chain
	txs       map[txKey]ledger.Tx
	histories map[ledger.Holder]*heldHistory
	balances  map[ledger.Holder]ledger.Balance
	covered   map[coveredKey]bool
	payees    map[payeeKey]*ledger.Point
	tags      map[ledger.Address][]ledger.Tag
	notices   map[ledger.Address]notedOf
	clocks    map[clockKey]int64
	blocks    map[clockKey]ledger.BlockRef
}

type heldHistory struct {
	from     ledger.Point
	opening  ledger.Balance
	events   []ledger.Event
	before   []ledger.Amount // balance before each event
	to       ledger.Point
	complete bool
}

type coveredKey struct {
	ledger.Holder
	pos ledger.Position
}

type notedOf struct {
	after    ledger.Point
	complete bool
	all      []ledger.Noted
}

// missing says that the record does not answer a question.
func missing(format string, args ...any) error {
	return fmt.Errorf("record: %s: %w", fmt.Sprintf(format, args...), ledger.ErrCorrupt)
}

// errBeyond says that a list was not read further when the record was made.
var errBeyond = fmt.Errorf("the record ends here: %w", ledger.ErrCorrupt)

// Index makes an index of the record as of the cut-off.
func (rec *Record) Index(cover *Cover) (tracer.Index, error) {
	r := &recorded{
		heads: map[ledger.Chain]ledger.BlockRef{}, txs: map[txKey]ledger.Tx{}, histories: map[ledger.Holder]*heldHistory{},
		balances: map[ledger.Holder]ledger.Balance{}, covered: map[coveredKey]bool{}, payees: map[payeeKey]*ledger.Point{}, tags: map[ledger.Address][]ledger.Tag{},
		notices: map[ledger.Address]notedOf{}, clocks: map[clockKey]int64{}, blocks: map[clockKey]ledger.BlockRef{},
	}
	for _, n := range cover.Networks {
		c, err := ledger.ParseChain(n.Network)
		if err != nil {
			return nil, err
		}
		r.networks = append(r.networks, c)
	}
	for _, b := range cover.AsOf {
		ref, err := b.ref()
		if err != nil {
			return nil, err
		}
		r.heads[ref.Chain] = ref
	}
	for _, step := range []func(*Record) error{r.readTxs, r.readHistories, r.readBalances, r.readAnswers, r.readNotices} {
		if err := step(rec); err != nil {
			return nil, fmt.Errorf("record.json: %w", err)
		}
	}
	if err := r.consistent(); err != nil {
		return nil, fmt.Errorf("record.json: %w", err)
	}
	return r, nil
}

func (b Block) ref() (ledger.BlockRef, error) {
	c, err := ledger.ParseChain(b.Network)
	if err != nil {
		return ledger.BlockRef{}, err
	}
	h, err := ledger.ParseTxID(b.Hash)
	return ledger.BlockRef{Chain: c, Height: b.Height, Hash: ledger.Hash(h), Time: millis(b.Time)}, err
}

func (r *recorded) readTxs(rec *Record) error {
	for i := range rec.Transactions {
		tx, err := rec.Transactions[i].read()
		if err != nil {
			return fmt.Errorf("transaction %s: %w", rec.Transactions[i].Tx, err)
		}
		r.txs[txKey{tx.Chain, tx.Pos}] = tx
	}
	return nil
}

func (t *Transaction) read() (tx ledger.Tx, err error) {
	if tx.Chain, err = ledger.ParseChain(t.Network); err != nil {
		return tx, err
	}
	if tx.ID, err = ledger.ParseTxID(t.Tx); err != nil {
		return tx, err
	}
	status, err := numberOf("status", statusNames(), t.Status)
	if err != nil {
		return tx, err
	}
	grade, err := numberOf("grade", gradeNames(), t.Grade)
	if err != nil {
		return tx, err
	}
	tx.Pos, tx.Time, tx.Coinbase = ledger.At(t.Height, t.TxIndex), millis(t.Time), t.Coinbase
	tx.Status, tx.Grade = ledger.Status(status), ledger.Grade(grade)
	for _, step := range []func(*ledger.Tx) error{t.readCoins, t.readTransfers, t.readNotices} {
		if err := step(&tx); err != nil {
			return tx, err
		}
	}
	return tx, nil
}

func (t *Transaction) readCoins(tx *ledger.Tx) (err error) {
	for _, in := range t.Inputs {
		one := ledger.Input{Prev: ledger.OutPoint{Index: in.Index}, PrevPos: ledger.At(in.Height, in.TxIndex), Known: in.Known}
		if one.Prev.Tx, err = ledger.ParseTxID(in.Tx); err != nil {
			return err
		}
		if one.Address, err = parseAddress(tx.Chain, in.Address); err != nil {
			return err
		}
		if one.Value, err = amountOf(in.Value); err != nil {
			return err
		}
		tx.Inputs = append(tx.Inputs, one)
	}
	for _, out := range t.Outputs {
		one := ledger.Output{}
		if one.Address, err = parseAddress(tx.Chain, out.Address); err != nil {
			return err
		}
		if one.Value, err = amountOf(out.Value); err != nil {
			return err
		}
		if out.Spent != nil {
			one.SpentBy = ledger.At(out.Spent.Height, out.Spent.TxIndex)
		}
		tx.Outputs = append(tx.Outputs, one)
	}
	return nil
}

func (t *Transaction) readTransfers(tx *ledger.Tx) (err error) {
	for _, m := range t.Transfers {
		one := ledger.Transfer{Index: m.Index, Slot: m.Slot}
		if one.From, one.To, one.Amount, err = parties(tx.Chain, m.From, m.To, m.Amount); err != nil {
			return err
		}
		if one.Asset, err = ParseAsset(m.Asset); err != nil {
			return err
		}
		kind, errKind := numberOf("kind", kindNames(), m.Kind)
		status, errStatus := numberOf("status", statusNames(), m.Status)
		grade, errGrade := numberOf("grade", gradeNames(), m.Grade)
		for _, err := range []error{errKind, errStatus, errGrade} {
			if err != nil {
				return err
			}
		}
		one.Kind, one.Status, one.Grade = ledger.TransferKind(kind), ledger.Status(status), ledger.Grade(grade)
		tx.Transfers = append(tx.Transfers, one)
	}
	return nil
}

func parties(c ledger.Chain, from, to, amount string) (f, t ledger.Address, a ledger.Amount, err error) {
	if f, err = parseAddress(c, from); err != nil {
		return f, t, a, err
	}
	if t, err = parseAddress(c, to); err != nil {
		return f, t, a, err
	}
	a, err = amountOf(amount)
	return f, t, a, err
}

func (t *Transaction) readNotices(tx *ledger.Tx) error {
	for _, n := range t.Notices {
		one, err := n.read(tx.Chain)
		if err != nil {
			return err
		}
		tx.Notices = append(tx.Notices, one)
	}
	return nil
}

func (n Notice) read(c ledger.Chain) (one ledger.Notice, err error) {
	if one.Account, one.Peer, one.Amount, err = parties(c, n.Account, n.Peer, n.Amount); err != nil {
		return one, err
	}
	if one.Contract, err = parseAddress(c, n.Contract); err != nil {
		return one, err
	}
	if n.Asset != "" {
		if one.Asset, err = ParseAsset(n.Asset); err != nil {
			return one, err
		}
	}
	kind, err := numberOf("kind", noticeNames(), n.Kind)
	if err != nil {
		return one, err
	}
	grade, err := numberOf("grade", gradeNames(), n.Grade)
	one.Slot, one.Kind, one.Grade, one.Network, one.Ref = n.Slot, ledger.NoticeKind(kind), ledger.Grade(grade), ledger.Chain(n.Network), n.Ref
	return one, err
}

func holderOf(network, address, asset string) (h ledger.Holder, err error) {
	c, err := ledger.ParseChain(network)
	if err != nil {
		return h, err
	}
	if h.Address, err = parseAddress(c, address); err != nil {
		return h, err
	}
	h.Asset, err = ParseAsset(asset)
	return h, err
}

func (r *recorded) readHistories(rec *Record) error {
	for _, y := range rec.Histories {
		h, err := holderOf(y.Network, y.Address, y.Asset)
		if err != nil {
			return err
		}
		one, err := y.read(h.Address.Chain)
		if err != nil {
			return fmt.Errorf("history of %s: %w", y.Address, err)
		}
		if err := one.add(h); err != nil {
			return fmt.Errorf("history of %s: %w", y.Address, err)
		}
		r.histories[h] = one
	}
	return nil
}

func (y History) read(c ledger.Chain) (*heldHistory, error) {
	one := &heldHistory{from: y.From.Point(), to: y.To.Point(), complete: y.Complete}
	var err error
	if one.opening.Amount, err = amountOf(y.Opening); err != nil {
		return nil, err
	}
	if one.opening.Deficit, err = amountOf(y.Deficit); err != nil {
		return nil, err
	}
	for _, f := range y.Events {
		e := ledger.Event{At: f.Place.Point()}
		if e.From, e.To, e.Amount, err = parties(c, f.From, f.To, f.Amount); err != nil {
			return nil, err
		}
		kind, err := numberOf("kind", kindNames(), f.Kind)
		if err != nil {
			return nil, err
		}
		e.Kind = ledger.TransferKind(kind)
		one.events = append(one.events, e)
	}
	return one, nil
}

// add computes the balance before each event, and after the last.
func (y *heldHistory) add(h ledger.Holder) (err error) {
	balance := y.opening.Amount
	for i, e := range y.events {
		if e.At.Before(y.from) || (i > 0 && !y.events[i-1].At.Before(e.At)) {
			return missing("event at %s is out of order", e.At)
		}
		if e.From != h.Address && e.To != h.Address {
			return missing("event at %s is not of the account", e.At)
		}
		y.before = append(y.before, balance)
		if e.From == e.To {
			continue
		}
		if e.To == h.Address {
			if balance, err = balance.Add(e.Amount); err != nil {
				return err
			}
			continue
		}
		if balance.Less(e.Amount) {
			return missing("at %s it pays %s of %s", e.At, e.Amount, balance)
		}
		balance = balance.Minus(e.Amount)
	}
	y.before = append(y.before, balance)
	return nil
}

func (r *recorded) readBalances(rec *Record) error {
	for _, b := range rec.Balances {
		h, err := holderOf(b.Network, b.Address, b.Asset)
		if err != nil {
			return err
		}
		amount, err := amountOf(b.Amount)
		if err != nil {
			return err
		}
		deficit, err := amountOf(b.Deficit)
		if err != nil {
			return err
		}
		r.balances[h] = ledger.Balance{Amount: amount, Deficit: deficit}
		y := r.histories[h]
		if y != nil && y.complete && y.before[len(y.events)] != amount {
			return missing("history of %s ends at %s, its balance is %s", b.Address, y.before[len(y.events)], amount)
		}
	}
	return nil
}

func (r *recorded) readAnswers(rec *Record) error {
	for _, p := range rec.Services {
		h, err := holderOf(p.Network, p.Address, p.Asset)
		if err != nil {
			return err
		}
		r.payees[payeeKey{h, p.N}] = nil
		if p.Place != nil {
			at := p.Place.Point()
			r.payees[payeeKey{h, p.N}] = &at
		}
	}
	for _, k := range rec.Covered {
		h, err := holderOf(k.Network, k.Address, k.Asset)
		if err != nil {
			return err
		}
		r.covered[coveredKey{h, ledger.At(k.Height, k.TxIndex)}] = k.Covered
	}
	for _, t := range rec.Labels {
		a, err := parseAddress(ledger.Chain(t.Network), t.Address)
		if err != nil {
			return err
		}
		r.tags[a] = []ledger.Tag{}
		for _, tag := range t.Tags {
			r.tags[a] = append(r.tags[a], tag.read(a))
		}
	}
	for _, b := range rec.Blocks {
		ref, err := b.ref()
		if err != nil {
			return err
		}
		r.blocks[clockKey{ref.Chain, ref.Height}] = ref
	}
	for _, c := range rec.Clocks {
		r.clocks[clockKey{ledger.Chain(c.Network), c.Height}] = c.Time
	}
	return nil
}

func (t Tag) read(a ledger.Address) ledger.Tag {
	return ledger.Tag{
		ID: t.Sequence, Address: a, Chain: a.Chain, Label: t.Label, Category: t.Category, Concepts: t.Concepts, Actor: t.Actor, Source: t.Source,
		Pack: t.Pack, Confidence: t.Confidence, ValidFrom: t.ValidFrom, ValidTo: t.ValidTo, LastMod: t.LastMod, Recorded: t.Recorded, Type: t.Type,
	}
}

func (r *recorded) readNotices(rec *Record) error {
	for _, y := range rec.Notices {
		c := ledger.Chain(y.Network)
		subject := ledger.RefAddress(c, y.Subject)
		if !y.Ref {
			var err error
			if subject, err = parseAddress(c, y.Subject); err != nil {
				return err
			}
		}
		one := notedOf{after: y.After.Point(), complete: y.Complete}
		for _, n := range y.Notices {
			notice, err := n.read(c)
			if err != nil {
				return err
			}
			tx, err := ledger.ParseTxID(n.Tx)
			if err != nil {
				return err
			}
			one.all = append(one.all, ledger.Noted{Notice: notice, Tx: tx, At: n.Place.Point(), Time: n.Time})
		}
		r.notices[subject] = one
	}
	return nil
}

// AsOf implements tracer.Index.
func (r *recorded) AsOf(_ context.Context, c ledger.Chain) (ledger.BlockRef, error) {
	ref, ok := r.heads[c]
	if !ok {
		return ref, missing("no cut-off of %s", c)
	}
	return ref, nil
}

// BlockRef implements Blocks.
func (r *recorded) BlockRef(_ context.Context, c ledger.Chain, height uint64) (ledger.BlockRef, error) {
	ref, ok := r.blocks[clockKey{c, height}]
	if !ok {
		return ref, fmt.Errorf("block %d of %s: %w", height, c, ledger.ErrNotFound)
	}
	return ref, nil
}

// FindTx implements tracer.Index.
func (r *recorded) FindTx(_ context.Context, c ledger.Chain, id ledger.TxID) (found []ledger.Tx, _ error) {
	for _, tx := range r.txs {
		if tx.Chain == c && tx.ID == id {
			found = append(found, tx)
		}
	}
	slices.SortFunc(found, func(a, b ledger.Tx) int { return int(a.Pos) - int(b.Pos) })
	if len(found) == 0 {
		return nil, missing("no transaction %s", id)
	}
	return found, nil
}

// TxAt implements tracer.Index.
func (r *recorded) TxAt(_ context.Context, c ledger.Chain, pos ledger.Position) (ledger.Tx, error) {
	tx, ok := r.txs[txKey{c, pos}]
	if !ok {
		return tx, missing("no transaction of %s at %d:%d", c, pos.Height(), pos.Index())
	}
	return tx, nil
}

// BlockTxs implements tracer.Index. No package follows fees to their block.
func (r *recorded) BlockTxs(_ context.Context, c ledger.Chain, height uint64) iter.Seq2[ledger.Tx, error] {
	return func(yield func(ledger.Tx, error) bool) { yield(ledger.Tx{}, missing("block %d of %s", height, c)) }
}

// Events implements tracer.Index.
func (r *recorded) Events(_ context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	return func(yield func(ledger.Event, error) bool) {
		y := r.histories[h]
		if y == nil || next(after).Before(y.from) {
			yield(ledger.Event{}, missing("no history of %s after %s", h.Address, after))
			return
		}
		from, _ := slices.BinarySearchFunc(y.events, next(after), func(e ledger.Event, p ledger.Point) int { return e.At.Compare(p) })
		for _, e := range y.events[from:] {
			if !yield(e, nil) {
				return
			}
		}
		if !y.complete {
			yield(ledger.Event{}, fmt.Errorf("history of %s: %w", h.Address, errBeyond))
		}
	}
}

// Balance implements tracer.Index.
func (r *recorded) Balance(_ context.Context, h ledger.Holder, before ledger.Point) (ledger.Balance, error) {
	if head, ok := r.heads[h.Address.Chain]; ok && before.Pos == ledger.EndOf(head.Height) {
		b, ok := r.balances[h]
		if !ok {
			return b, missing("no balance of %s in %s", h.Address.Qualified(), h.Asset)
		}
		return b, nil
	}
	y := r.histories[h]
	if y == nil || before.Before(y.from) || (!y.complete && y.to.Before(before)) {
		return ledger.Balance{}, missing("no balance of %s before %s", h.Address, before)
	}
	at, _ := slices.BinarySearchFunc(y.events, before, func(e ledger.Event, p ledger.Point) int { return e.At.Compare(p) })
	return ledger.Balance{Amount: y.before[at], Deficit: y.opening.Deficit}, nil
}

// PayeeAt implements tracer.Index.
func (r *recorded) PayeeAt(_ context.Context, h ledger.Holder, n int) (ledger.Point, bool, error) {
	at, ok := r.payees[payeeKey{h, n}]
	if !ok {
		return ledger.Point{}, false, missing("payees of %s", h.Address)
	}
	if at == nil {
		return ledger.Point{}, false, nil
	}
	return *at, true, nil
}

// Covered implements tracer.Index.
func (r *recorded) Covered(_ context.Context, h ledger.Holder, from ledger.Position) (bool, error) {
	if held, ok := r.covered[coveredKey{h, from}]; ok {
		return held, nil
	}
	return false, missing("coverage of %s", h.Address)
}

// Chains implements tracer.Index.
func (r *recorded) Chains() []ledger.Chain { return r.networks }

// Clock implements tracer.Index.
func (r *recorded) Clock(_ context.Context, c ledger.Chain, height uint64) (int64, error) {
	at, ok := r.clocks[clockKey{c, height}]
	if !ok {
		return 0, missing("clock of %s at %d", c, height)
	}
	return at, nil
}

// Notices implements tracer.Index.
func (r *recorded) Notices(_ context.Context, subject ledger.Address, after ledger.Point) iter.Seq2[ledger.Noted, error] {
	return func(yield func(ledger.Noted, error) bool) {
		y, ok := r.notices[subject]
		if !ok || after.Before(y.after) {
			yield(ledger.Noted{}, missing("notices of %s", subject))
			return
		}
		for _, n := range y.all {
			if after.Before(n.At) && !yield(n, nil) {
				return
			}
		}
		if !y.complete {
			yield(ledger.Noted{}, fmt.Errorf("notices of %s: %w", subject, errBeyond))
		}
	}
}

// Tags implements tracer.Index.
func (r *recorded) Tags(_ context.Context, a ledger.Address) ([]ledger.Tag, error) {
	tags, ok := r.tags[a]
	if !ok {
		return nil, missing("labels of %s", a)
	}
	return tags, nil
}
