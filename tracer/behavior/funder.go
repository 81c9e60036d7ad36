package behavior

import (
	"context"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Funder is the heuristic of two accounts that one address brought into being, and
// that have a second trait in common.
const Funder = "funder"

const (
	maxFunded  = 20  // accounts that one funds: beyond, it is a faucet
	sweptShare = 90  // percent of what an account holds, that a sweep takes
	maxUnpaid  = 100 // transfers that are looked at for the first that pays an account
	maxPayers  = 20  // of an address that two accounts both pay: beyond, that is no trait
)

// grant is what an account's life began with.
type grant struct {
	from, to ledger.Address
	tx       ledger.TxID
	pos      ledger.Position
}

// habits are the traits of an account that another one may share.
type habits struct {
	sweeps map[ledger.Address]Seen // to whom it sweeps, and the first time
	first  *Seen                   // the first payment; nil where it is not known
}

// siblings joins accounts that had their first native coins, or their activation,
// from one address, and share a second trait. That address must be neither a service
// nor a contract, fund few, and lend energy to few.
func (k *asking) siblings(ctx context.Context, a ledger.Address) ([]ledger.Join, error) {
	own, err := k.firstGrant(ctx, a)
	if err != nil || own == nil {
		return nil, err
	}
	all, err := k.fundedBy(ctx, own.from)
	if err != nil {
		return nil, err
	}
	var joins []ledger.Join
	for _, g := range all {
		if g.to == a {
			continue
		}
		trait, shows, err := k.secondTrait(ctx, a, g.to)
		if err != nil {
			return nil, err
		}
		if trait == "" {
			continue
		}
		tx, err := k.TxAt(ctx, a.Chain, max(shows, own.pos, g.pos))
		if err != nil {
			return nil, err
		}
		joins = append(joins, ledger.Join{
			A: a, B: g.to, Tier: ledger.TierBehavior, Heuristic: Funder, Tx: tx.ID, Pos: tx.Pos,
			Detail: fmt.Sprintf("%s funded both first, in %s and %s, and %s", own.from, own.tx, g.tx, trait),
		})
	}
	return joins, nil
}

// firstGrant finds who brought an account into being; nil where that is not known.
func (k *asking) firstGrant(ctx context.Context, a ledger.Address) (*grant, error) {
	r, err := k.record(ctx, a)
	if err != nil || r.creation != nil {
		return nil, err
	}
	if n := r.activation; n != nil {
		if n.Peer == a {
			return nil, nil //nolint:nilnil // nobody else paid for it
		}
		return &grant{n.Peer, a, n.Tx, n.At.Pos}, nil
	}
	h := ledger.Holder{Address: a, Asset: ledger.NativeAsset(a.Chain)}
	if whole, err := k.Covered(ctx, h, 0); err != nil || !whole {
		if !whole {
			k.limit("who funded an account first is not known: %s is not held from its first block on", a.Chain)
		}
		return nil, err
	}
	n := 0
	for e, err := range k.Events(ctx, h, ledger.Point{}) {
		if err != nil {
			return nil, err
		}
		if n++; n > maxUnpaid {
			break
		}
		if e.To != a || e.From == a || e.From.IsZero() || e.Amount.Less(ledger.InfoOf(h.Asset).Dust) {
			continue // dust can be sent to anybody
		}
		tx, err := k.TxAt(ctx, a.Chain, e.At.Pos)
		return &grant{e.From, a, tx.ID, tx.Pos}, err
	}
	return nil, nil //nolint:nilnil // nobody
}

// fundedBy returns the accounts that an address brought into being; none where it
// does so for many.
func (k *asking) fundedBy(ctx context.Context, f ledger.Address) ([]grant, error) {
	if all, asked := k.funded[f]; asked {
		return all, nil
	}
	all, err := k.fund(ctx, f)
	if err == nil {
		k.funded[f] = all
	}
	return all, err
}

func (k *asking) fund(ctx context.Context, f ledger.Address) ([]grant, error) {
	if common, err := k.common(ctx, f); err != nil || common {
		return nil, err
	}
	r, err := k.record(ctx, f)
	if err != nil {
		return nil, err
	}
	if r.market() {
		k.limit("%s lends energy to more than %d accounts: a market joins nobody", f, maxLent)
		return nil, nil
	}
	payees, whole, err := k.nativePayees(ctx, f)
	if err != nil {
		return nil, err
	}
	for _, n := range r.activated {
		if !slices.Contains(payees, n.Account) {
			payees = append(payees, n.Account)
		}
	}
	var all []grant
	for _, a := range payees[:min(len(payees), maxPayees+1)] {
		g, err := k.firstGrant(ctx, a)
		if err != nil {
			return nil, err
		}
		if g != nil && g.from == f {
			all = append(all, *g)
		}
	}
	if !whole || len(payees) > maxPayees || len(all) > maxFunded {
		k.limit("%s pays more accounts than %d, or funds more than %d: such a funder joins nobody", f, maxPayees, maxFunded)
		return nil, nil
	}
	return all, nil
}

// nativePayees returns whom an address paid native coins, dust too; whole says
// whether these are all.
func (k *asking) nativePayees(ctx context.Context, f ledger.Address) (all []ledger.Address, whole bool, err error) {
	known := map[ledger.Address]bool{}
	n := 0
	for e, err := range k.Events(ctx, ledger.Holder{Address: f, Asset: ledger.NativeAsset(f.Chain)}, ledger.Point{}) {
		if err != nil {
			return nil, false, err
		}
		if n++; n > MaxEvents || len(all) > maxPayees {
			return all, false, nil
		}
		if e.From == f && e.To != f && e.Kind != ledger.TransferFee && !e.To.IsZero() && !known[e.To] {
			known[e.To] = true
			all = append(all, e.To)
		}
	}
	return all, true, nil
}

// secondTrait says what else two accounts have in common, and where that shows:
// both sweep to one address, or have a key in common, or paid the same address
// first, within a day. Services, contracts and whom many pay are no trait.
func (k *asking) secondTrait(ctx context.Context, a, b ledger.Address) (string, ledger.Position, error) {
	x, err := k.habitsOf(ctx, a)
	if err != nil {
		return "", 0, err
	}
	y, err := k.habitsOf(ctx, b)
	if err != nil {
		return "", 0, err
	}
	for _, p := range byAddress(x.sweeps) {
		to, swept := y.sweeps[p]
		if swept && p != b {
			return fmt.Sprintf("both sweep to %s", p), max(to.At.Pos, x.sweeps[p].At.Pos), nil
		}
	}
	if trait, at, err := k.sameKey(ctx, a, b); err != nil || trait != "" {
		return trait, at, err
	}
	if x.first == nil || y.first == nil || x.first.To != y.first.To || max(x.first.Time-y.first.Time, y.first.Time-x.first.Time) > day {
		return "", 0, nil
	}
	return fmt.Sprintf("both paid %s first, within 24 hours", x.first.To), max(x.first.At.Pos, y.first.At.Pos), nil
}

func (k *asking) sameKey(ctx context.Context, a, b ledger.Address) (string, ledger.Position, error) {
	x, err := k.record(ctx, a)
	if err != nil {
		return "", 0, err
	}
	y, err := k.record(ctx, b)
	if err != nil || x.permission == nil || y.permission == nil {
		return "", 0, err
	}
	mine, err := k.keys(ctx, x)
	if err != nil {
		return "", 0, err
	}
	theirs, err := k.keys(ctx, y)
	if err != nil {
		return "", 0, err
	}
	for _, key := range mine {
		if slices.Contains(theirs, key) {
			return fmt.Sprintf("%s signs for both", key), max(x.permission.At.Pos, y.permission.At.Pos), nil
		}
	}
	return "", 0, nil
}

func (k *asking) habitsOf(ctx context.Context, a ledger.Address) (*habits, error) {
	if h := k.habits[a]; h != nil {
		return h, nil
	}
	h := &habits{sweeps: map[ledger.Address]Seen{}}
	whole := true
	for _, asset := range k.assets {
		all, cut, err := past(ctx, k, ledger.Holder{Address: a, Asset: asset})
		if err != nil {
			return nil, err
		}
		if cut {
			k.limit("only the latest %d transfers of %s were looked at", MaxEvents, a)
			whole = false
		}
		h.learn(&all)
	}
	if !whole {
		h.first = nil
	}
	for _, p := range byAddress(h.sweeps) {
		private, err := k.private(ctx, p)
		if err != nil {
			return nil, err
		}
		if !private {
			delete(h.sweeps, p)
		}
	}
	if h.first != nil {
		private, err := k.private(ctx, h.first.To)
		if err != nil {
			return nil, err
		}
		if !private {
			h.first = nil
		}
	}
	k.habits[a] = h
	return h, nil
}

// private reports an address that few pay: neither a service nor a contract, as far as
// labels and notices tell, nor one that looks like either.
func (k *asking) private(ctx context.Context, p ledger.Address) (bool, error) {
	if common, err := k.common(ctx, p); err != nil || common {
		return false, err
	}
	payers := map[ledger.Address]bool{}
	for _, asset := range k.assets {
		n := 0
		for e, err := range k.Events(ctx, ledger.Holder{Address: p, Asset: asset}, ledger.Point{}) {
			if err != nil {
				return false, err
			}
			if e.To == p && e.From != p && !e.Amount.Less(ledger.InfoOf(asset).Dust) {
				payers[e.From] = true
			}
			if n++; n > MaxEvents || len(payers) > maxPayers {
				return false, nil
			}
		}
	}
	return true, nil
}

// learn adds what an account does in one asset.
func (h *habits) learn(all *history) {
	var balance ledger.Amount
	for _, s := range all.events {
		if all.in(s) {
			balance = sum(balance, s.Amount)
			continue
		}
		if !all.counts(s) || s.To.IsZero() {
			continue
		}
		if h.first == nil || s.At.Before(h.first.At) {
			h.first = &s
		}
		if _, known := h.sweeps[s.To]; !known && atLeast(s.Amount, balance, sweptShare) {
			h.sweeps[s.To] = s
		}
		balance = balance.SubFloor(s.Amount)
	}
}

// atLeast reports that a part is at least so many percent of a whole above 0.
func atLeast(part, whole ledger.Amount, percent uint64) bool {
	if whole.IsZero() {
		return false
	}
	least, rest := whole.MulDiv(ledger.NewAmount(percent), ledger.NewAmount(100))
	if !rest.IsZero() {
		least = sum(least, ledger.NewAmount(1))
	}
	return !part.Less(least)
}

// sum adds amounts; where files claim more than there can be, the larger stands for it.
func sum(x, y ledger.Amount) ledger.Amount {
	if all, err := x.Add(y); err == nil {
		return all
	}
	return ledger.Max(x, y)
}
