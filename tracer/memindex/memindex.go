// Package memindex is an index in memory, built from whole blocks: the
// reference that a durable index must agree with, what the tracer's own tests
// run on, and where the answers of services to a case's requests are kept. It
// keeps everything and plans nothing; it is not for the size of a chain.
package memindex

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"

	"github.com/spoortrace/spoor/ledger"
)

// Index answers tracer.Index over the blocks that it was given.
type Index struct {
	chains map[ledger.Chain]*chain
	tags   map[ledger.Address][]ledger.Tag
}

type chain struct {
	asOf    ledger.BlockRef
	blocks  []*ledger.Block // by height
	txs     []ledger.Tx     // by position
	byID    map[ledger.TxID][]int
	events  map[ledger.Holder][]ledger.Event
	notices map[ledger.Address][]ledger.Noted // by subject, in order
	clocks  []int64                           // of blocks: the running maximum of their times
	export  bool
	claims  []ledger.Claim
}

// Options say what the blocks do not.
type Options struct {
	// Claims make a chain an export: what is complete is what they say.
	Claims map[ledger.Chain][]ledger.Claim
	Tags   []ledger.Tag
	// AsOf cuts a chain at a height; absent: its last block.
	AsOf map[ledger.Chain]uint64
}

// New builds an index. Blocks may come in any order; inputs that are not Known
// are resolved from earlier outputs.
func New(blocks []*ledger.Block, o Options) (*Index, error) {
	x := &Index{chains: map[ledger.Chain]*chain{}, tags: map[ledger.Address][]ledger.Tag{}}
	for _, t := range o.Tags {
		x.tags[t.Address] = append(x.tags[t.Address], t)
	}
	for _, b := range blocks {
		if cut, ok := o.AsOf[b.Ref.Chain]; ok && b.Ref.Height > cut {
			continue
		}
		c := x.chains[b.Ref.Chain]
		if c == nil {
			c = &chain{byID: map[ledger.TxID][]int{}, events: map[ledger.Holder][]ledger.Event{}, notices: map[ledger.Address][]ledger.Noted{}}
			c.claims, c.export = o.Claims[b.Ref.Chain]
			x.chains[b.Ref.Chain] = c
		}
		c.blocks = append(c.blocks, b)
	}
	for name, c := range x.chains {
		if err := c.build(); err != nil {
			return nil, fmt.Errorf("memindex: %s: %w", name, err)
		}
	}
	return x, nil
}

func (c *chain) build() error {
	slices.SortStableFunc(c.blocks, func(a, b *ledger.Block) int { return cmp(a.Ref.Height, b.Ref.Height) })
	c.asOf = c.blocks[len(c.blocks)-1].Ref
	var clock int64
	for _, b := range c.blocks {
		clock = max(clock, b.Ref.Time)
		c.clocks = append(c.clocks, clock)
		for _, tx := range b.Txs {
			tx.Inputs, tx.Outputs = slices.Clone(tx.Inputs), slices.Clone(tx.Outputs)
			c.txs = append(c.txs, tx)
		}
	}
	slices.SortStableFunc(c.txs, func(a, b ledger.Tx) int { return cmp(a.Pos, b.Pos) })
	for i := range c.txs {
		if i > 0 && c.txs[i].Pos == c.txs[i-1].Pos {
			return fmt.Errorf("two transactions at %d: %w", c.txs[i].Pos, ledger.ErrCorrupt)
		}
		if err := c.add(i); err != nil {
			return err
		}
	}
	return nil
}

func (c *chain) add(i int) error {
	tx := &c.txs[i]
	c.byID[tx.ID] = append(c.byID[tx.ID], i)
	for j := range tx.Inputs {
		in := &tx.Inputs[j]
		made := c.byID[in.Prev.Tx]
		if tx.Coinbase || len(made) == 0 {
			continue
		}
		prev := &c.txs[made[len(made)-1]]
		if int(in.Prev.Index) >= len(prev.Outputs) {
			return fmt.Errorf("%s spends output %d of %s, which has %d: %w", tx.ID, in.Prev.Index, prev.ID, len(prev.Outputs), ledger.ErrCorrupt)
		}
		out := &prev.Outputs[in.Prev.Index]
		in.Address, in.Value, in.Known, in.PrevPos = out.Address, out.Value, true, prev.Pos
		out.SpentBy = tx.Pos
	}
	c.note(tx)
	for _, t := range tx.Transfers {
		asset := t.Asset
		if t.Amount.IsZero() && t.Kind == ledger.TransferToken {
			asset = ledger.ZeroAsset(tx.Chain)
		} else if t.Amount.IsZero() {
			continue
		}
		if t.Status == ledger.StatusFailed {
			continue
		}
		e := ledger.Event{At: ledger.Point{Pos: tx.Pos, Slot: t.Slot}, Kind: t.Kind, From: t.From, To: t.To, Amount: t.Amount, Plain: tx.Plain()}
		if !t.From.IsZero() {
			h := ledger.Holder{Address: t.From, Asset: asset}
			c.events[h] = append(c.events[h], e)
		}
		if !t.To.IsZero() && t.To != t.From {
			h := ledger.Holder{Address: t.To, Asset: asset}
			c.events[h] = append(c.events[h], e)
		}
	}
	return nil
}

// note lists what a transaction noted by whom it is about.
func (c *chain) note(tx *ledger.Tx) {
	if tx.Status == ledger.StatusFailed {
		return
	}
	noted := slices.Clone(tx.Notices)
	slices.SortStableFunc(noted, func(a, b ledger.Notice) int { return int(a.Slot) - int(b.Slot) })
	for _, n := range noted {
		for _, a := range n.Subjects(tx.Chain) {
			c.notices[a] = append(c.notices[a], ledger.Noted{Notice: n, Tx: tx.ID, At: ledger.Point{Pos: tx.Pos, Slot: n.Slot}, Time: tx.Time})
		}
	}
}

// AsOf implements tracer.Index.
func (x *Index) AsOf(_ context.Context, name ledger.Chain) (ledger.BlockRef, error) {
	c, ok := x.chains[name]
	if !ok {
		return ledger.BlockRef{}, fmt.Errorf("network %s: %w", name, ledger.ErrNotFound)
	}
	return c.asOf, nil
}

// FindTx implements tracer.Index.
func (x *Index) FindTx(_ context.Context, name ledger.Chain, id ledger.TxID) ([]ledger.Tx, error) {
	c, ok := x.chains[name]
	if !ok || len(c.byID[id]) == 0 {
		return nil, fmt.Errorf("transaction %s: %w", id, ledger.ErrNotFound)
	}
	var txs []ledger.Tx
	for _, i := range c.byID[id] {
		txs = append(txs, c.txs[i])
	}
	return txs, nil
}

// TxAt implements tracer.Index.
func (x *Index) TxAt(_ context.Context, name ledger.Chain, pos ledger.Position) (ledger.Tx, error) {
	c, ok := x.chains[name]
	if !ok {
		return ledger.Tx{}, fmt.Errorf("network %s: %w", name, ledger.ErrNotFound)
	}
	i := sort.Search(len(c.txs), func(i int) bool { return c.txs[i].Pos >= pos })
	if i == len(c.txs) || c.txs[i].Pos != pos {
		return ledger.Tx{}, fmt.Errorf("transaction at %d: %w", pos, ledger.ErrNotFound)
	}
	return c.txs[i], nil
}

// BlockTxs implements tracer.Index.
func (x *Index) BlockTxs(_ context.Context, name ledger.Chain, height uint64) iter.Seq2[ledger.Tx, error] {
	return func(yield func(ledger.Tx, error) bool) {
		c, ok := x.chains[name]
		if !ok {
			return
		}
		i := sort.Search(len(c.txs), func(i int) bool { return c.txs[i].Pos >= ledger.At(height, 0) })
		for ; i < len(c.txs) && c.txs[i].Pos < ledger.EndOf(height); i++ {
			if !yield(c.txs[i], nil) {
				return
			}
		}
	}
}

// Events implements tracer.Index.
func (x *Index) Events(_ context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	return func(yield func(ledger.Event, error) bool) {
		events := x.eventsOf(h)
		i := sort.Search(len(events), func(i int) bool { return after.Before(events[i].At) })
		for _, e := range events[i:] {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// EventsBefore implements tracer.Backwards.
func (x *Index) EventsBefore(_ context.Context, h ledger.Holder, before ledger.Point) iter.Seq2[ledger.Event, error] {
	return func(yield func(ledger.Event, error) bool) {
		for _, e := range slices.Backward(x.eventsOf(h)) {
			if e.At.Before(before) && !yield(e, nil) {
				return
			}
		}
	}
}

func (x *Index) eventsOf(h ledger.Holder) []ledger.Event {
	if c, ok := x.chains[h.Address.Chain]; ok {
		return c.events[h]
	}
	return nil
}

// LatestAssets returns the assets that an address moved, those that it met last first.
func (x *Index) LatestAssets(_ context.Context, a ledger.Address, limit int) (assets []ledger.Asset, more bool, err error) {
	c, ok := x.chains[a.Chain]
	if !ok {
		return nil, false, nil
	}
	for h := range c.events {
		if h.Address == a {
			assets = append(assets, h.Asset)
		}
	}
	first := func(asset ledger.Asset) ledger.Point { return c.events[ledger.Holder{Address: a, Asset: asset}][0].At }
	slices.SortFunc(assets, func(x, y ledger.Asset) int {
		if d := first(y).Compare(first(x)); d != 0 {
			return d
		}
		return x.Compare(y)
	})
	return assets[:min(limit, len(assets))], len(assets) > limit, nil
}

// Balance implements tracer.Index: it adds up the whole history.
func (x *Index) Balance(_ context.Context, h ledger.Holder, before ledger.Point) (ledger.Balance, error) {
	var in, out, deficit, inBefore, outBefore ledger.Amount
	var err error
	for _, e := range x.eventsOf(h) {
		if e.From == e.To {
			continue
		}
		if e.From == h.Address {
			out, err = out.Add(e.Amount)
		} else {
			in, err = in.Add(e.Amount)
		}
		if err != nil {
			return ledger.Balance{}, fmt.Errorf("balance of %s: %w", h.Address, err)
		}
		if e.At.Before(before) {
			inBefore, outBefore = in, out
		}
		deficit = ledger.Max(deficit, out.SubFloor(in))
	}
	amount, err := inBefore.Add(deficit)
	if err != nil {
		return ledger.Balance{}, fmt.Errorf("balance of %s: %w", h.Address, err)
	}
	return ledger.Balance{Amount: amount.Minus(outBefore), Deficit: deficit}, nil
}

// PayeeAt implements tracer.Index.
func (x *Index) PayeeAt(_ context.Context, h ledger.Holder, n int) (ledger.Point, bool, error) {
	dust := ledger.InfoOf(h.Asset).Dust
	seen := map[ledger.Address]bool{}
	for _, e := range x.eventsOf(h) {
		if e.From != h.Address || e.To == h.Address || e.To.IsZero() || e.Amount.Less(dust) || seen[e.To] {
			continue
		}
		seen[e.To] = true
		if len(seen) == n {
			return e.At, true, nil
		}
	}
	return ledger.Point{}, false, nil
}

// Chains implements tracer.Index.
func (x *Index) Chains() []ledger.Chain { return slices.Sorted(maps.Keys(x.chains)) }

// Clock implements tracer.Index.
func (x *Index) Clock(_ context.Context, name ledger.Chain, height uint64) (int64, error) {
	c, ok := x.chains[name]
	if !ok {
		return 0, fmt.Errorf("network %s: %w", name, ledger.ErrNotFound)
	}
	above := sort.Search(len(c.blocks), func(i int) bool { return c.blocks[i].Ref.Height > height })
	if above == 0 {
		return 0, nil
	}
	return c.clocks[above-1], nil
}

// Notices implements tracer.Index.
func (x *Index) Notices(_ context.Context, subject ledger.Address, after ledger.Point) iter.Seq2[ledger.Noted, error] {
	return func(yield func(ledger.Noted, error) bool) {
		c, ok := x.chains[subject.Chain]
		if !ok {
			return
		}
		for _, n := range c.notices[subject] {
			if after.Before(n.At) && !yield(n, nil) {
				return
			}
		}
	}
}

// Covered implements tracer.Index.
func (x *Index) Covered(_ context.Context, h ledger.Holder, from ledger.Position) (bool, error) {
	a := h.Address
	c, ok := x.chains[a.Chain]
	if !ok {
		return false, nil
	}
	if c.export {
		for _, claim := range c.claims {
			if (claim.Account.IsZero() || claim.Account == a) && claim.Range.From <= from.Height() && claim.Range.To > c.asOf.Height {
				return true, nil
			}
		}
		return false, nil
	}
	i := sort.Search(len(c.blocks), func(i int) bool { return c.blocks[i].Ref.Height >= from.Height() })
	held := uint64(len(c.blocks) - i)
	if slices.ContainsFunc(c.blocks[i:], func(b *ledger.Block) bool { return ledger.Lacks(b.Partial, h.Asset) }) {
		return false, nil
	}
	if c.sampled() && from.Height() == c.asOf.Height {
		return false, nil
	}
	return i < len(c.blocks) && c.blocks[i].Ref.Height == from.Height() && held == c.asOf.Height-from.Height()+1, nil
}

// sampled reports whether the last run of blocks does not reach down to genesis.
// (Heights of tests begin at 0 or 1.)
func (c *chain) sampled() bool {
	for i, b := range c.blocks {
		if b.Ref.Height > uint64(i)+1 {
			return true
		}
	}
	return false
}

// Tags implements tracer.Index.
func (x *Index) Tags(_ context.Context, a ledger.Address) ([]ledger.Tag, error) {
	return x.tags[a], nil
}

func cmp[T ledger.Position | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
