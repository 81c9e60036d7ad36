package fetch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// answered is an answer with the record that it was read from.
type answered struct {
	Record
	ask.Answer
}

// facts are what services said of one network, as of a pin. They follow from the
// log and the pin alone.
type facts struct {
	chain   ledger.Chain
	clocked bool
	pin     ledger.BlockRef
	txs     map[ledger.TxID]*fact
	spends  map[ledger.OutPoint]ask.Spend
	lists   map[ledger.Holder][]ledger.Range // that were read to their end
	assets  map[ledger.Asset]ledger.AssetInfo
	counts  map[ledger.Holder]uint64 // how many transactions, about
	refused map[ledger.Holder]bool   // whose history cannot be whole, though it was told so
	// disputes are questions on which two sources do not agree, and how.
	disputes map[ask.Question]string
}

// fact is one transaction, and which answers tell of it.
type fact struct {
	ask.Placed
	from   []string // "NAME answer N", in the order of the log
	proven bool     // its place in its block was shown
}

func newFacts(c ledger.Chain, clocked bool, pin ledger.BlockRef) *facts {
	return &facts{
		chain: c, clocked: clocked, pin: pin, txs: map[ledger.TxID]*fact{}, spends: map[ledger.OutPoint]ask.Spend{},
		lists: map[ledger.Holder][]ledger.Range{}, assets: map[ledger.Asset]ledger.AssetInfo{}, counts: map[ledger.Holder]uint64{}, refused: map[ledger.Holder]bool{}, disputes: map[ask.Question]string{},
	}
}

// at is a copy of the facts up to a pin. What is taken into the one changes
// nothing in the other.
func (f *facts) at(pin ledger.BlockRef) *facts {
	c := newFacts(f.chain, f.clocked, pin)
	for id, t := range f.txs {
		if t.Block.Height <= pin.Height {
			one := *t
			one.from = slices.Clip(one.from)
			c.txs[id] = &one
		}
	}
	for of, s := range f.spends {
		if s.Height <= pin.Height {
			c.spends[of] = s
		}
	}
	for h, ranges := range f.lists {
		for _, r := range ranges {
			if r.To = min(r.To, pin.Height+1); r.From < r.To {
				c.lists[h] = append(c.lists[h], r)
			}
		}
	}
	maps.Copy(c.assets, f.assets)
	maps.Copy(c.counts, f.counts)
	maps.Copy(c.disputes, f.disputes)
	return c
}

// tronBlock is how often TRON makes a block, in milliseconds.
const tronBlock = 3000

// settled is the last height (millisecond) that no reorganisation reaches under a
// pin: what was said of it holds for ever.
func (f *facts) settled(pin uint64) uint64 {
	params, _ := f.chain.Params()
	bound := params.ReorgBound
	if f.clocked {
		bound *= tronBlock
	}
	return pin - min(bound, pin)
}

// admit takes in the answers to one question that was read to its end, asked
// under a pin at a height. Of another pin than the facts' own only what is deep
// enough is taken.
func (f *facts) admit(q ask.Question, answers []answered, pin uint64, current bool) {
	if f.disputes[q] != "" {
		return
	}
	until := f.pin.Height
	if !current {
		until = min(until, f.settled(pin))
	}
	for _, a := range answers {
		if q.Kind == ask.Count {
			f.counts[q.Holder] = a.Count
		}
		for _, p := range a.Txs {
			if p.Block.Height <= until {
				f.place(p, a.Source+" answer "+strconv.FormatUint(a.Seq, 10))
			}
		}
		if a.Proven != nil && a.Proven.Block.Height <= until {
			f.prove(*a.Proven)
		}
		for _, s := range a.Spends {
			f.spend(s, until, current)
		}
		for _, info := range a.Assets {
			f.assets[info.Asset] = info
		}
	}
	if q.Kind == ask.History {
		r := ledger.Range{From: q.Range.From, To: min(q.Range.To, until+1)}
		if r.From < r.To && f.lacks(q, answers) == "" {
			f.lists[q.Holder] = join(append(f.lists[q.Holder], r))
		}
		if f.chain.UTXO() {
			f.settleCoins(q.Holder, current)
		}
	}
}

// lacks says why an owner's list of coins cannot be all: a coin that he spends
// comes from nowhere, or it is shorter than the service counts.
func (f *facts) lacks(q ask.Question, all []answered) string {
	if q.Kind != ask.History || !f.chain.UTXO() {
		return ""
	}
	listed := map[ledger.TxID]bool{}
	for _, a := range all {
		for _, p := range a.Txs {
			listed[p.Tx.ID] = true
		}
	}
	if count := f.counts[q.Holder]; q.Range.From == 0 && uint64(len(listed)) < count {
		return fmt.Sprintf("%d transactions are listed, %d were counted", len(listed), count)
	}
	for _, a := range all {
		for _, p := range a.Txs {
			for _, in := range p.Tx.Inputs {
				if in.Address == q.Holder.Address && !listed[in.Prev.Tx] && f.txs[in.Prev.Tx] == nil {
					return fmt.Sprintf("%s spends a coin of %s, which is not listed", p.Tx.ID, in.Prev.Tx)
				}
			}
		}
	}
	return ""
}

// settleCoins tells of the coins of an owner whose transactions are held from the
// first one on what became of them: those that no transaction spends are unspent.
func (f *facts) settleCoins(h ledger.Holder, current bool) {
	have := f.lists[h]
	if len(have) == 0 || have[0].From != 0 {
		return
	}
	whole := func(t *fact) bool { return t.Block.Height < have[0].To }
	for id, t := range f.txs {
		if !whole(t) {
			continue
		}
		for _, in := range t.Tx.Inputs {
			if made := f.txs[in.Prev.Tx]; made != nil && int(in.Prev.Index) < len(made.Tx.Outputs) && made.Tx.Outputs[in.Prev.Index].Address == h.Address {
				f.spends[in.Prev] = ask.Spend{Of: in.Prev, Spent: true, By: id, Height: t.Block.Height}
			}
		}
		for i, o := range t.Tx.Outputs {
			of := ledger.OutPoint{Tx: id, Index: uint32(i)}
			if _, known := f.spends[of]; current && !known && o.Address == h.Address {
				f.spends[of] = ask.Spend{Of: of}
			}
		}
	}
}

// spend takes in what became of an output. That nobody has spent it, or only
// lately, is known under the pin that it was asked under and no other.
func (f *facts) spend(s ask.Spend, until uint64, current bool) {
	switch {
	case s.Spent && s.Height <= until:
		f.spends[s.Of] = s
	case current:
		f.spends[s.Of] = ask.Spend{Of: s.Of}
	}
}

// prove notes that a transaction was shown to be in its block. A proof of another
// block than the one that was told changes nothing.
func (f *facts) prove(p ask.Proven) {
	t := f.txs[p.Tx]
	if t == nil || t.Block.Hash != p.Block.Hash || t.Block.Height != p.Block.Height {
		return
	}
	t.Indexed, t.proven = true, true
	t.Tx.Pos = ledger.At(p.Block.Height, p.Index)
	shown := map[movement]int{}
	for _, m := range p.Transfers {
		if m.Grade == ledger.GradeProven {
			shown[movementOf(m)]++
		}
	}
	t.Tx.Transfers = slices.Clone(t.Tx.Transfers)
	for i := range t.Tx.Transfers {
		if m := movementOf(t.Tx.Transfers[i]); shown[m] > 0 {
			shown[m]--
			t.Tx.Transfers[i].Grade = ledger.GradeProven
		}
	}
}

// grade is proven where a transaction's place was shown and the coins that it
// spends are those of transactions that are held: their ids are hashes of the
// amounts. What a service says of a coin by itself proves no amount.
func (f *facts) grade(t *fact) ledger.Grade {
	if !t.proven {
		return t.Tx.Grade
	}
	for _, in := range t.Tx.Inputs {
		made := f.txs[in.Prev.Tx]
		if made == nil || int(in.Prev.Index) >= len(made.Tx.Outputs) {
			return ledger.GradeAttested
		}
		if out := made.Tx.Outputs[in.Prev.Index]; out.Value != in.Value || !in.Address.IsZero() && out.Address != in.Address {
			return ledger.GradeAttested
		}
	}
	return ledger.GradeProven
}

// place takes in a transaction. Of two forms the whole one stands; of two blocks
// the one that was told last; lists of transfers are joined.
func (f *facts) place(p ask.Placed, from string) {
	old := f.txs[p.Tx.ID]
	switch {
	case old == nil, old.Block.Height != p.Block.Height, p.Whole && !old.Whole:
		f.txs[p.Tx.ID] = &fact{Placed: p, from: []string{from}}
		return
	case !old.Whole && !p.Whole:
		old.Tx.Transfers = joined(old.Tx.Transfers, p.Tx.Transfers)
	}
	if old.Block.Hash == (ledger.Hash{}) {
		old.Block.Hash = p.Block.Hash
	}
	if p.Indexed && !old.Indexed {
		old.Indexed, old.Tx.Pos = true, p.Tx.Pos
	}
	if !slices.Contains(old.from, from) {
		old.from = append(old.from, from)
	}
}

// movement is what makes two transfers of one transaction the same where nothing
// tells their index.
type movement struct {
	kind     ledger.TransferKind
	from, to ledger.Address
	asset    ledger.Asset
	amount   ledger.Amount
}

func movementOf(t ledger.Transfer) movement { return movement{t.Kind, t.From, t.To, t.Asset, t.Amount} }

// joined adds to one list of a transaction's transfers what another has besides.
// Each list has all transfers of an account: equal ones stand as often as in the
// list that has most of them.
func joined(have, more []ledger.Transfer) []ledger.Transfer {
	left := map[movement]int{}
	for _, t := range have {
		left[movementOf(t)]++
	}
	all := slices.Clone(have)
	for _, t := range more {
		if m := movementOf(t); left[m] > 0 {
			left[m]--
			continue
		}
		all = append(all, t)
	}
	slices.SortStableFunc(all, func(a, b ledger.Transfer) int { return cmp.Compare(turn(a.Kind), turn(b.Kind)) })
	for i := range all {
		all[i].Index, all[i].Slot = uint32(i), uint32(i)
	}
	return all
}

// turn is when a transfer takes place in its transaction, as far as its kind tells:
// the value, what contracts send, tokens, the fee.
func turn(k ledger.TransferKind) int {
	switch k {
	case ledger.TransferNative:
		return 0
	case ledger.TransferInternal:
		return 1
	case ledger.TransferFee:
		return 3
	case ledger.TransferToken, ledger.TransferSeized:
	}
	return 2
}

// join unites ranges that touch.
func join(ranges []ledger.Range) []ledger.Range {
	slices.SortFunc(ranges, func(a, b ledger.Range) int { return cmp.Compare(a.From, b.From) })
	all := ranges[:0]
	for _, r := range ranges {
		if n := len(all); n > 0 && r.From <= all[n-1].To {
			all[n-1].To = max(all[n-1].To, r.To)
			continue
		}
		all = append(all, r)
	}
	return all
}

// missing is what is not held of an account's history up to the pin.
func (f *facts) missing(h ledger.Holder) (ledger.Range, bool) {
	need := ledger.Range{To: f.pin.Height + 1}
	if have := f.lists[h]; len(have) > 0 && have[0].From == 0 {
		need.From = have[0].To
	}
	return need, need.From < need.To
}

// overdrawn reports an account whose whole history, as it was told, pays out more
// than came in: it was not whole. Inside one block the order may be unknown, so
// that blocks are compared.
func (f *facts) overdrawn(h ledger.Holder, events []movementAt) bool {
	var in, out ledger.Amount
	for i, e := range events {
		var err error
		if e.to == h.Address {
			in, err = in.Add(e.amount)
		} else {
			out, err = out.Add(e.amount)
		}
		if err != nil {
			return true
		}
		if last := i == len(events)-1 || events[i+1].height != e.height; last && in.Less(out) {
			return true
		}
	}
	return false
}

type movementAt struct {
	movement
	height uint64
}

// movements lists what the holders whose history is held received and paid, in
// order of height.
func (f *facts) movements(of *selection) map[ledger.Holder][]movementAt {
	all := map[ledger.Holder][]movementAt{}
	for _, t := range f.txs {
		for _, m := range t.Tx.Transfers {
			if m.Status == ledger.StatusFailed || m.Amount.IsZero() || m.From == m.To {
				continue
			}
			for _, a := range []ledger.Address{m.From, m.To} {
				if h := (ledger.Holder{Address: a, Asset: m.Asset}); len(f.lists[h]) > 0 && of.hasHolder(h) {
					all[h] = append(all[h], movementAt{movementOf(m), t.Block.Height})
				}
			}
		}
	}
	for _, events := range all {
		slices.SortStableFunc(events, func(a, b movementAt) int { return cmp.Compare(a.height, b.height) })
	}
	return all
}

// claims say what the index of the facts is complete for, sorted.
func (f *facts) claims(of *selection) []ledger.Claim {
	var all []ledger.Claim
	if f.chain.UTXO() {
		all = f.coinClaims(of)
	} else {
		events := f.movements(of)
		for h, ranges := range f.lists {
			if !of.hasHolder(h) {
				continue
			}
			if f.refused[h] = ranges[0].From == 0 && f.overdrawn(h, events[h]); f.refused[h] {
				continue
			}
			for _, r := range ranges {
				all = append(all, ledger.Claim{Account: h.Address, Asset: h.Asset, Range: r})
			}
		}
	}
	slices.SortFunc(all, func(a, b ledger.Claim) int {
		return cmp.Or(a.Account.Compare(b.Account), a.Asset.Compare(b.Asset), strings.Compare(a.Tx.String(), b.Tx.String()), cmp.Compare(a.Range.From, b.Range.From))
	})
	return all
}

// coinClaims are one for each owner of outputs of a transaction of which it is
// known what became of all of them: unspent, or the spender is held.
func (f *facts) coinClaims(of *selection) []ledger.Claim {
	var all []ledger.Claim
	for id, t := range f.txs {
		if !of.has(t) {
			continue
		}
		open := map[ledger.Address]bool{}
		for i, o := range t.Tx.Outputs {
			s, known := f.spends[ledger.OutPoint{Tx: id, Index: uint32(i)}]
			settled := known && (!s.Spent || f.txs[s.By] != nil && of.has(f.txs[s.By]))
			open[o.Address] = open[o.Address] || !settled
		}
		for a, is := range open {
			if !is {
				all = append(all, ledger.Claim{Account: a, Asset: ledger.NativeAsset(f.chain), Tx: id, Range: ledger.Range{To: f.pin.Height + 1}})
			}
		}
	}
	return all
}
