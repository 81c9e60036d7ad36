package tracer

import (
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// wantedCoin is what is asked of one output.
type wantedCoin struct {
	segs  []Segment
	set   []Label
	hop   int
	depth int
}

// spend takes what is asked of a transaction's outputs to its inputs: the rule
// that fills outputs from inputs fills inputs from outputs.
func (b *backward) spend(at place) error {
	tx, err := b.idx.TxAt(b.ctx, at.chain, at.pos)
	if err != nil {
		return err
	}
	w := b.coins[at]
	delete(b.coins, at)
	s := &asking{tx: tx}
	for i, out := range tx.Outputs {
		if err := b.output(s, uint32(i), out, w[uint32(i)]); err != nil {
			return fmt.Errorf("transaction %s: %w", tx.ID, err)
		}
	}
	if dirtyOf(s.segs).IsZero() {
		return nil
	}
	return b.inputs(s)
}

// asking is what is asked of a transaction of coins in all.
type asking struct {
	tx    ledger.Tx
	segs  []Segment // over its outputs, in order
	set   []Label
	hop   int // the first output that is asked for
	depth int
}

// output adds what is asked of one output.
func (b *backward) output(s *asking, index uint32, out ledger.Output, w *wantedCoin) error {
	t := &ledger.Transfer{Index: index, Slot: index, From: out.Address, To: out.Address, Asset: ledger.NativeAsset(s.tx.Chain), Amount: out.Value}
	want := claim{segs: push(nil, Segment{Clean, out.Value})}
	if w != nil {
		want = claim{segs: w.segs, set: w.set, parent: w.hop, depth: w.depth + 1}
	}
	want, err := b.claims(spotAt{s.tx.Chain, ledger.Point{Pos: s.tx.Pos, Slot: index}}, t, want)
	if err != nil || dirtyOf(want.segs).IsZero() {
		s.add(push(nil, Segment{Clean, out.Value}))
		return err
	}
	h := Hop{
		Depth: want.depth, Parent: want.parent, Chain: s.tx.Chain, Tx: s.tx.ID, Index: index, At: ledger.Point{Pos: s.tx.Pos, Slot: index}, Time: s.tx.Time,
		From: knownOwner(s.tx), To: out.Address, Asset: t.Asset, Amount: out.Value, Grade: s.tx.Grade, Dirty: dirtyOf(want.segs), Shares: parcel{want.segs, want.set}.shares(),
	}
	crossed, err := b.crossed(&s.tx, t, &h, want)
	if err != nil || crossed {
		s.add(push(nil, Segment{Clean, out.Value}))
		return err
	}
	b.hop(h)
	if b.req.Hops > 0 && want.depth > b.req.Hops {
		h.ID = len(b.trace.Hops)
		s.add(push(nil, Segment{Clean, out.Value}))
		return b.source(h, Pending, want)
	}
	s.add(want.segs)
	s.set = union(s.set, want.set)
	if s.hop == 0 || want.depth < s.depth {
		s.hop, s.depth = len(b.trace.Hops), want.depth
	}
	return nil
}

// knownOwner is that of the first input that is known to be somebody's.
func knownOwner(tx ledger.Tx) ledger.Address {
	for _, in := range tx.Inputs {
		if !in.Address.IsZero() {
			return in.Address
		}
	}
	return ledger.Address{}
}

func (s *asking) add(segs []Segment) {
	for _, one := range segs {
		s.segs = push(s.segs, one)
	}
}

// inputs divides what is asked among the coins that were spent. What unknown
// inputs brought is one lot at the place of the first, as in replay.
func (b *backward) inputs(s *asking) error {
	if s.tx.Coinbase {
		return b.coin(s, ledger.Address{}, Issued, s.segs)
	}
	known, err := knownInputs(s.tx)
	if err != nil {
		return err
	}
	paid, err := outputSum(s.tx)
	if err != nil {
		return err
	}
	slots, missing := make([]ledger.Amount, len(s.tx.Inputs)), false
	for i, in := range s.tx.Inputs {
		switch {
		case in.Known:
			slots[i] = in.Value
		case !missing:
			slots[i], missing = paid.SubFloor(known), true
		}
	}
	total := totalOfAmounts(slots)
	if total.Less(paid) {
		return fmt.Errorf("transaction %s: %s in, %s out: %w", s.tx.ID, total, paid, ledger.ErrCorrupt)
	}
	if missing {
		b.trace.Inputs = append(b.trace.Inputs, Inputs{s.tx.Chain, s.tx.ID, paid.SubFloor(known)})
	}
	s.add(push(nil, Segment{Clean, total.Minus(paid)})) // the fee
	for i, segs := range b.req.Policy.split(s.segs, slots) {
		if dirtyOf(segs).IsZero() {
			continue
		}
		if err := b.input(s, s.tx.Inputs[i], segs); err != nil {
			return err
		}
	}
	return nil
}

func totalOfAmounts(all []ledger.Amount) (sum ledger.Amount) {
	for _, a := range all {
		sum = sum.Plus(a)
	}
	return sum
}

// input asks the transaction that made a coin, or ends at its owner.
func (b *backward) input(s *asking, in ledger.Input, segs []Segment) error {
	if !in.Known {
		return b.coin(s, ledger.Address{}, NotCovered, segs)
	}
	reason, err := b.stopAt(Hop{From: in.Address, Chain: s.tx.Chain, Time: s.tx.Time, Depth: s.depth, Asset: ledger.NativeAsset(s.tx.Chain)})
	if err != nil {
		return err
	}
	if in.Address.IsZero() && reason == Issued { // a script without an address owns coins, too
		reason = ""
	}
	prev, err := b.idx.FindTx(b.ctx, s.tx.Chain, in.Prev.Tx)
	if reason != "" || err != nil && isNotHeld(err) {
		if reason == "" {
			reason = NotCovered
		}
		return b.coin(s, in.Address, reason, segs)
	}
	if err != nil {
		return err
	}
	i := slices.IndexFunc(prev, func(t ledger.Tx) bool { return t.Pos == in.PrevPos })
	if i < 0 {
		return b.coin(s, in.Address, NotCovered, segs)
	}
	at := place{s.tx.Chain, in.PrevPos}
	if b.coins[at] == nil {
		b.coins[at] = map[uint32]*wantedCoin{}
	}
	b.coins[at][in.Prev.Index] = &wantedCoin{segs, s.set, s.hop, s.depth}
	return b.push(s.tx.Chain, ledger.Point{Pos: in.PrevPos})
}

// coin ends what is asked of one input.
func (b *backward) coin(s *asking, owner ledger.Address, reason Reason, segs []Segment) error {
	h := b.trace.Hops[s.hop-1]
	h.From = owner
	return b.source(h, reason, claim{segs: segs, set: s.set})
}
