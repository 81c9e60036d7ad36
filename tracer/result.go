package tracer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Result says where everything is as of a snapshot, the one that the state was
// advanced on. It does not change the state. Every sheet was checked.
func (r *Replay) Result(ctx context.Context, idx Index) (*Trace, error) {
	t := &Trace{Policy: r.req.Policy.Name, Seeds: r.req.Seeds, Hops: r.hops, Terminals: slices.Clone(r.ended), Inputs: slices.Clone(r.inputs)}
	for _, p := range r.progress {
		t.Events += p.events
	}
	f := &finish{r: r, ctx: ctx, idx: idx, trace: t, asOf: map[ledger.Chain]ledger.BlockRef{}, tallies: map[ledger.Asset]*tally{}}
	for a, one := range r.tallies {
		f.tallies[a] = one.clone()
	}
	for _, step := range []func() error{f.heads, f.seedsLeft, f.restingAccounts, f.restingCoins, f.feesLeft, f.balances, f.sheets} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	for h, v := range r.visited {
		t.Opened = append(t.Opened, h)
		if !v.deficit.IsZero() {
			t.Openings = append(t.Openings, Opening{h, v.deficit})
		}
	}
	slices.SortFunc(t.Opened, ledger.Holder.Compare)
	slices.SortFunc(t.Openings, func(a, b Opening) int { return a.Holder.Compare(b.Holder) })
	return t, t.order(f.clock)
}

// clock orders hops across networks; all are alike while there is one.
func (f *finish) clock(c ledger.Chain, at ledger.Point) (int64, error) {
	if len(f.asOf) < 2 {
		return 0, nil
	}
	return f.idx.Clock(f.ctx, c, at.Pos.Height())
}

// finish is one call of Result.
type finish struct {
	r       *Replay
	ctx     context.Context
	idx     Index
	trace   *Trace
	asOf    map[ledger.Chain]ledger.BlockRef
	tallies map[ledger.Asset]*tally
}

func (f *finish) heads() error {
	var chains []ledger.Chain
	for _, s := range f.r.req.Seeds {
		chains = append(chains, s.Chain)
	}
	for a := range f.tallies { // those that money crossed into
		chains = append(chains, a.Chain)
	}
	for _, c := range chains {
		if _, ok := f.asOf[c]; ok {
			continue
		}
		ref, err := f.idx.AsOf(f.ctx, c)
		if err != nil {
			return err
		}
		f.asOf[c] = ref
		f.trace.AsOf = append(f.trace.AsOf, ref)
	}
	slices.SortFunc(f.trace.AsOf, func(a, b ledger.BlockRef) int { return cmp.Compare(a.Chain, b.Chain) })
	return nil
}

// add books a terminal's parcel and lists it.
func (f *finish) add(t Terminal, p parcel) error {
	f.trace.Terminals = append(f.trace.Terminals, t)
	return tallyOf(f.tallies, t.Asset).add(p.segs, bucketField(t.Reason.Bucket()))
}

func (f *finish) restingAccounts() error {
	for _, h := range slices.SortedFunc(maps.Keys(f.r.accounts), ledger.Holder.Compare) {
		a := f.r.accounts[h]
		reason, err := f.restReason(h, a.openedAt.Pos)
		if err != nil {
			return err
		}
		t := a.terminal(reason)
		if reason == Pending {
			t.LastKnown = f.r.progress[h.Address.Chain].reached
		}
		if err := f.add(t, a.held); err != nil {
			return err
		}
	}
	return nil
}

func (f *finish) restingCoins() error {
	for _, key := range slices.SortedFunc(maps.Keys(f.r.coins), compareCoins) {
		c := f.r.coins[key]
		reason, err := f.restReason(ledger.Holder{Address: c.owner, Asset: ledger.NativeAsset(key.chain)}, key.pos)
		if err != nil {
			return err
		}
		at := ledger.Point{Pos: key.pos, Slot: key.index}
		d := c.parcel.dirty()
		t := Terminal{
			Address: c.owner, Asset: ledger.NativeAsset(key.chain), Dirty: d, Low: d, High: d, Shares: c.parcel.shares(), Reason: reason,
			Tx: c.txID, Index: key.index, At: at, Via: c.via, Hop: c.hop, ArrivedAt: c.time, LastKnown: at, Coin: true, Rests: true, BalanceNow: c.value,
		}
		if reason == Pending {
			t.LastKnown = f.r.progress[key.chain].reached
		}
		if err := f.add(t, c.parcel); err != nil {
			return err
		}
	}
	return nil
}

func compareCoins(a, b coinKey) int {
	return cmp.Or(cmp.Compare(a.chain, b.chain), cmp.Compare(a.pos, b.pos), cmp.Compare(a.index, b.index))
}

// feesLeft ends traced fees whose coinbase the budget did not reach: nobody has them yet.
func (f *finish) feesLeft() error {
	for key, p := range f.r.fees {
		at := ledger.Point{Pos: key.pos, Slot: p.slot}
		d := p.dirty()
		t := Terminal{
			Asset: p.asset, Dirty: d, Low: d, High: d, Shares: p.shares(), Reason: Pending, Tx: p.txID, Index: p.slot, At: at,
			Via: p.from, Hop: p.hop, ArrivedAt: p.time, LastKnown: f.r.progress[key.chain].reached,
		}
		if err := f.add(t, p.parcel); err != nil {
			return err
		}
	}
	return nil
}

// restReason says why money that has not moved on rests where it is.
func (f *finish) restReason(h ledger.Holder, arrived ledger.Position) (Reason, error) {
	chain := h.Asset.Chain
	if f.r.progress[chain].spent {
		return Pending, nil
	}
	tags, err := f.idx.Tags(f.ctx, h.Address)
	if err != nil {
		return "", err
	}
	if reason, ok := restsAs(tags, f.asOf[chain].Time); ok {
		return reason, nil
	}
	if frozen, err := f.frozen(h); err != nil || frozen {
		return Frozen, err
	}
	covered, err := f.idx.Covered(f.ctx, h, arrived)
	if err != nil {
		return "", err
	}
	if covered {
		return Unspent, nil
	}
	return NotCovered, nil
}

// frozen reports whether the issuer of a token blocks the account as of the snapshot.
func (f *finish) frozen(h ledger.Holder) (blocked bool, err error) {
	if h.Asset.Contract.IsZero() || h.Address.IsZero() {
		return false, nil
	}
	for n, err := range f.idx.Notices(f.ctx, h.Address, ledger.Point{}) {
		if err != nil {
			return false, fmt.Errorf("notices of %s: %w", h.Address, err)
		}
		if n.Asset == h.Asset && n.Account == h.Address && (n.Kind == ledger.NoticeFrozen || n.Kind == ledger.NoticeUnfrozen) {
			blocked = n.Kind == ledger.NoticeFrozen
		}
	}
	return blocked, nil
}

// balances says what the address of each terminal holds at the as-of.
func (f *finish) balances() error {
	for i := range f.trace.Terminals {
		t := &f.trace.Terminals[i]
		if t.Coin {
			if err := f.coinBalance(t); err != nil {
				return err
			}
			continue
		}
		if t.Address.IsZero() {
			continue
		}
		end := ledger.Point{Pos: ledger.EndOf(f.asOf[t.Asset.Chain].Height)}
		b, err := f.idx.Balance(f.ctx, ledger.Holder{Address: t.Address, Asset: t.Asset}, end)
		if err != nil {
			return fmt.Errorf("balance of %s: %w", t.Address, err)
		}
		t.BalanceNow = b.Amount
	}
	return nil
}

// coinBalance is the coin's value while nobody has spent it.
func (f *finish) coinBalance(t *Terminal) error {
	if t.At.Pos >= ledger.EndOf(f.asOf[t.Asset.Chain].Height) {
		return nil // a payment that the snapshot does not see yet
	}
	out, err := outputAt(f.ctx, f.idx, coinKey{t.Asset.Chain, t.At.Pos, t.Index}, t.Tx)
	if err == nil && out.SpentBy == 0 {
		t.BalanceNow = out.Value
	}
	return err
}

func (f *finish) sheets() error {
	for _, a := range slices.SortedFunc(maps.Keys(f.tallies), ledger.Asset.Compare) {
		s := f.tallies[a].sheet(a, f.r.req.Policy.Conserves)
		if err := s.Check(); err != nil {
			return err
		}
		f.trace.Sheets = append(f.trace.Sheets, s)
	}
	return nil
}

// order sorts terminals for people (per asset, most money first) and gives
// hops the numbers that a trace without interruptions gives them.
func (t *Trace) order(clock func(ledger.Chain, ledger.Point) (int64, error)) error {
	slices.SortStableFunc(t.Terminals, func(a, b Terminal) int {
		return cmp.Or(a.Asset.Compare(b.Asset), b.Dirty.Cmp(a.Dirty), a.At.Compare(b.At), a.Address.Compare(b.Address))
	})
	order, clocks := make([]int, len(t.Hops)), make([]int64, len(t.Hops))
	for i := range order {
		order[i] = i
		var err error
		if clocks[i], err = clock(t.Hops[i].Chain, t.Hops[i].At); err != nil {
			return err
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := t.Hops[i], t.Hops[j]
		return cmp.Or(cmp.Compare(clocks[i], clocks[j]), cmp.Compare(a.Chain, b.Chain), a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	number := make([]int, len(t.Hops)+1)
	hops := make([]Hop, len(t.Hops))
	for n, i := range order {
		number[t.Hops[i].ID] = n + 1
		hops[n] = t.Hops[i]
	}
	for i := range hops {
		hops[i].ID, hops[i].Parent = number[hops[i].ID], number[hops[i].Parent]
	}
	for i := range t.Terminals {
		t.Terminals[i].Hop = number[t.Terminals[i].Hop]
	}
	t.Hops = hops
	slices.SortStableFunc(t.Inputs, func(a, b Inputs) int { return cmp.Compare(a.Chain, b.Chain) })
	return nil
}
