package risk

import (
	"context"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/behavior"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// flows is all that was put into the two replays, per asset.
type flows struct {
	in, out         *replay
	totalIn         map[ledger.Asset]ledger.Amount
	totalOut        map[ledger.Asset]ledger.Amount
	history         bool
	covered         bool
	firstAt, lastAt ledger.Point
}

func newFlows(ctx context.Context, b *book) *flows {
	return &flows{
		in: newReplay(ctx, b.idx, b, true), out: newReplay(ctx, b.idx, b, false), covered: true,
		totalIn: map[ledger.Asset]ledger.Amount{}, totalOut: map[ledger.Asset]ledger.Amount{},
	}
}

// Address scores the whole history of an address and its T0 cluster.
func Address(ctx context.Context, idx Index, rules *Rules, a ledger.Address, o Options) (*Assessment, error) {
	b := newBook(idx, rules, o)
	b.network = a.Chain
	var err error
	if b.cluster, err = idx.Cluster(ctx, a); err != nil {
		return nil, err
	}
	f := newFlows(ctx, b)
	f.in.whole, f.out.whole = true, true
	members, err := b.read(ctx, a)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		for _, asset := range assetsOf(m.Chain) {
			if err := f.collect(ctx, b, ledger.Holder{Address: m, Asset: asset}); err != nil {
				return nil, err
			}
		}
	}
	if err := f.run(); err != nil {
		return nil, err
	}
	assessment, err := b.assess(ctx, f)
	if err != nil {
		return nil, err
	}
	if o.Behaviors {
		if err := b.behaviors(ctx, a, assessment); err != nil {
			return nil, err
		}
	}
	return assessment, b.own(ctx, a, assessment)
}

// behaviors adds the patterns of the address itself. They explain and never score.
func (b *book) behaviors(ctx context.Context, a ledger.Address, to *Assessment) error {
	for _, asset := range assetsOf(a.Chain) {
		found, limits, err := behavior.Patterns(ctx, b.idx, ledger.Holder{Address: a, Asset: asset})
		if err != nil {
			return err
		}
		to.Limits = append(to.Limits, limits...)
		for _, f := range found {
			one := Behavior{Pattern: f.Pattern, Message: ledger.InfoOf(asset).Symbol + ": " + f.Message}
			for _, s := range f.Events {
				step := stepOf(a.Chain, s.Event)
				if err := b.name(ctx, &step); err != nil {
					return err
				}
				one.Steps = append(one.Steps, step)
			}
			to.Behaviors = append(to.Behaviors, one)
		}
	}
	return nil
}

// maxMembers is how many addresses of a cluster are looked into.
const maxMembers = 1_000

// read lists the members, the address itself first.
func (b *book) read(ctx context.Context, a ledger.Address) ([]ledger.Address, error) {
	members := []ledger.Address{a}
	b.members[a] = true
	if b.cluster.Size <= 1 {
		return members, nil
	}
	b.used["co-spend"] = true
	for m, err := range b.idx.Members(ctx, b.cluster) {
		if err != nil {
			return nil, err
		}
		if len(members) >= maxMembers {
			b.limit("only %d of the cluster's %d addresses are looked into", maxMembers, b.cluster.Size)
			b.cut = true
			break
		}
		if m != a {
			members = append(members, m)
			b.members[m] = true
		}
	}
	return members, nil
}

// assetsOf are the assets whose symbol and decimals are known: no other moves a score.
func assetsOf(c ledger.Chain) []ledger.Asset {
	assets := []ledger.Asset{ledger.NativeAsset(c)}
	for _, symbol := range []string{"USDT", "USDC"} {
		if a, ok := ledger.AssetBySymbol(c, symbol); ok && !a.Native() {
			assets = append(assets, a)
		}
	}
	return assets
}

func counted(a ledger.Asset) bool { return slices.Contains(assetsOf(a.Chain), a) }

// collect puts every transfer of a holder with somebody else, of no less than dust,
// into the replays.
func (f *flows) collect(ctx context.Context, b *book, h ledger.Holder) error {
	dust, first := ledger.InfoOf(h.Asset).Dust, true
	var below ledger.Amount
	seen := map[ledger.Position]bool{}
	for e, err := range b.idx.Events(ctx, h, ledger.Point{}) {
		if err != nil {
			return err
		}
		if first {
			first = false
			covered, err := b.idx.Covered(ctx, h, e.At.Pos)
			if err != nil {
				return err
			}
			f.covered = f.covered && covered
		}
		f.span(e.At)
		b.scanned++
		idle := e.From == e.To || e.Amount.Less(dust) || e.Kind == ledger.TransferFee
		if b.scanned > maxScanned || !idle && b.events >= b.options.Events {
			b.limit("only the first %d transfers are looked into (%d with dust)", b.options.Events, maxScanned)
			b.cut = true
			break
		}
		if !idle {
			b.events++
		} else if e.From != e.To && e.Kind != ledger.TransferFee {
			below = below.Plus(e.Amount)
		}
		switch {
		case idle && e.From != h.Address: // nothing of it is put in
		case h.Address.Chain.UTXO():
			if !seen[e.At.Pos] {
				seen[e.At.Pos] = true
				err = f.coins(ctx, b, h, e.At.Pos)
			}
		case idle:
		default:
			err = f.transfer(ctx, b, h, e)
		}
		if err != nil {
			return err
		}
	}
	if !below.Less(dust) {
		b.limit("transfers of less than dust are not looked into, though they are more together")
	}
	return nil
}

func (f *flows) span(at ledger.Point) {
	if !f.history || at.Before(f.firstAt) {
		f.firstAt = at
	}
	if !f.history || f.lastAt.Before(at) {
		f.lastAt = at
	}
	f.history = true
}

func (f *flows) transfer(ctx context.Context, b *book, h ledger.Holder, e ledger.Event) error {
	side, totals, other := f.in, f.totalIn, e.From
	if e.From == h.Address {
		side, totals, other = f.out, f.totalOut, e.To
	}
	own, err := b.owns(ctx, other)
	if err != nil || own || b.options.Own != nil && b.options.Own(other) {
		return err
	}
	totals[h.Asset] = totals[h.Asset].Plus(e.Amount)
	return side.transfer(h.Asset, other, e.Amount, stepOf(h.Asset.Chain, e))
}

// coins looks at a transaction that pays or spends coins of a holder. Where one of
// the cluster's coins is spent, it is a payment to whoever else it pays; its other
// outputs are change.
func (f *flows) coins(ctx context.Context, b *book, h ledger.Holder, pos ledger.Position) error {
	tx, err := b.idx.TxAt(ctx, h.Asset.Chain, pos)
	if err != nil {
		return err
	}
	b.scanned += len(tx.Inputs) + len(tx.Outputs)
	mine, puts, err := b.spends(ctx, &tx, h.Address)
	if err != nil || mine && !puts {
		return err
	}
	if v, is := coinJoin(&tx); is && mine {
		return f.mixed(ctx, b, &tx, v)
	}
	dust := ledger.InfoOf(h.Asset).Dust
	for i := range tx.Outputs {
		out := &tx.Outputs[i]
		if out.Value.Less(dust) || !mine && out.Address != h.Address {
			continue
		}
		own, err := b.owns(ctx, out.Address)
		if err != nil {
			return err
		}
		if own == mine {
			continue
		}
		if err := f.coin(b, &tx, uint32(i), mine); err != nil {
			return err
		}
	}
	return nil
}

// spends reports whether the cluster spends coins in a transaction, and whether it is
// the events of this member that put it in: those of the first that is looked into.
func (b *book) spends(ctx context.Context, tx *ledger.Tx, member ledger.Address) (mine, puts bool, err error) {
	first := true
	for i := range tx.Inputs {
		in := &tx.Inputs[i]
		if !in.Known {
			continue
		}
		if first && b.members[in.Address] {
			first, puts = false, in.Address == member
		}
		own, err := b.owns(ctx, in.Address)
		if err != nil {
			return false, false, err
		}
		mine = mine || own
	}
	return mine, puts, nil
}

// mixed puts in what the cluster brought to a CoinJoin and what it got there. The other
// outputs are no payments of its own: whom it paid nobody can say.
func (f *flows) mixed(ctx context.Context, b *book, tx *ledger.Tx, v cluster.Verdict) error {
	var brought, got ledger.Amount
	for i := range tx.Inputs {
		in := &tx.Inputs[i]
		if own, err := b.owns(ctx, in.Address); err != nil {
			return err
		} else if in.Known && own {
			brought = brought.Plus(in.Value)
		}
	}
	for i := range tx.Outputs {
		out := &tx.Outputs[i]
		if own, err := b.owns(ctx, out.Address); err != nil {
			return err
		} else if own {
			got = got.Plus(out.Value)
		}
	}
	b.used["coinjoin"] = true
	asset := ledger.NativeAsset(tx.Chain)
	by := &trail{step: Step{Chain: tx.Chain, Tx: tx.ID, Kind: ledger.TransferNative, At: ledger.Point{Pos: tx.Pos}, Time: tx.Time}}
	f.totalOut[asset], f.totalIn[asset] = f.totalOut[asset].Plus(brought), f.totalIn[asset].Plus(got)
	f.out.sink(ledger.Address{}, "mixing", coinJoinTag(tx.Chain, v), asset, f.out.put(asset, brought), depth{1, 1}, by)
	f.in.sink(ledger.Address{}, "mixing", coinJoinTag(tx.Chain, v), asset, f.in.put(asset, got), depth{1, 1}, by)
	return nil
}

// coin puts one output in: what was paid to others goes forwards, what was paid to
// the cluster backwards.
func (f *flows) coin(b *book, tx *ledger.Tx, index uint32, sent bool) error {
	out := &tx.Outputs[index]
	asset := ledger.NativeAsset(tx.Chain)
	if !sent {
		f.totalIn[asset] = f.totalIn[asset].Plus(out.Value)
		return f.in.coin(tx.Chain, tx.Pos, index, f.in.put(asset, out.Value), depth{1, 1}, nil)
	}
	if b.options.Own != nil && b.options.Own(out.Address) {
		return nil
	}
	f.totalOut[asset] = f.totalOut[asset].Plus(out.Value)
	by := &trail{step: Step{Chain: tx.Chain, Tx: tx.ID, Index: index, Kind: ledger.TransferNative, At: ledger.Point{Pos: tx.Pos, Slot: index}, Time: tx.Time}}
	return f.out.pay(tx, index, f.out.put(asset, out.Value), depth{1, 1}, by)
}

func (f *flows) run() error {
	if err := f.in.run(); err != nil {
		return err
	}
	return f.out.run()
}

// Transfer scores one payment: where that money came from, or where it went.
func Transfer(ctx context.Context, idx Index, rules *Rules, p Payment, o Options) (*Assessment, error) {
	b := newBook(idx, rules, o)
	b.network = p.Seed.Chain
	mine, other := p.Seed.Address, p.Seed.From
	if p.Direction == Sent {
		mine, other = p.Seed.From, p.Seed.Address
	}
	var err error
	if !mine.IsZero() {
		if b.cluster, err = idx.Cluster(ctx, mine); err != nil {
			return nil, err
		}
		b.members[mine] = true
	}
	f := newFlows(ctx, b)
	f.span(p.Seed.At)
	if f.covered, err = covers(ctx, idx, p); err != nil {
		return nil, err
	}
	if err := f.payment(ctx, b, p, other); err != nil {
		return nil, err
	}
	if err := f.run(); err != nil {
		return nil, err
	}
	return b.assess(ctx, f)
}

// covers reports that the index holds what the answer rests on: of money that was
// sent, what the payee did since; of money that was received, what the payer did. The
// past of a coin needs no claim: an input that is not held is open.
func covers(ctx context.Context, idx Index, p Payment) (bool, error) {
	s := &p.Seed
	if p.Direction == Sent {
		return idx.Covered(ctx, ledger.Holder{Address: s.Address, Asset: s.Asset}, s.At.Pos)
	}
	if s.Output || s.From.IsZero() {
		return true, nil
	}
	payer := ledger.Holder{Address: s.From, Asset: s.Asset}
	for e, err := range idx.Events(ctx, payer, ledger.Point{}) {
		if err != nil {
			return false, err
		}
		return idx.Covered(ctx, payer, e.At.Pos)
	}
	return false, nil
}

func (f *flows) payment(ctx context.Context, b *book, p Payment, other ledger.Address) error {
	s := &p.Seed
	if s.Output {
		tx, err := b.idx.TxAt(ctx, s.Chain, s.At.Pos)
		if err != nil {
			return err
		}
		return f.coin(b, &tx, s.Index, p.Direction == Sent)
	}
	side, totals := f.in, f.totalIn
	if p.Direction == Sent {
		side, totals = f.out, f.totalOut
	}
	totals[s.Asset] = totals[s.Asset].Plus(s.Amount)
	return side.transfer(s.Asset, other, s.Amount, Step{Chain: s.Chain, Tx: s.Tx, Index: s.Index, Kind: s.Kind, At: s.At, Time: s.Time})
}
