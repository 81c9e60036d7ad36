package behavior

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// ScamCollectors is the heuristic of two addresses to which one operator has his
// victims pay.
const ScamCollectors = "scam collectors"

const (
	minVictims   = 2  // who pay both
	forwardShare = 80 // percent of what came, that goes on to one address within a day
)

// collects reports an address that is labelled as a scam's, or named so in the question.
func (k *asking) collects(ctx context.Context, a ledger.Address) (bool, error) {
	if slices.Contains(k.q.Collectors, a) {
		return true, nil
	}
	return labelled(ctx, k, a, func(category string) bool { return category == "scam" || strings.HasPrefix(category, "scam.") })
}

// operators joins a collector with others that two of its victims paid, too, or that
// forward to the same address.
func (k *asking) operators(ctx context.Context, a ledger.Address) ([]ledger.Join, error) {
	if collects, err := k.collects(ctx, a); err != nil || !collects {
		return nil, err
	}
	joins, err := k.sameVictims(ctx, a)
	if err != nil {
		return nil, err
	}
	for _, asset := range k.assets {
		more, err := k.sameTarget(ctx, ledger.Holder{Address: a, Asset: asset})
		if err != nil {
			return nil, err
		}
		joins = append(joins, more...)
	}
	return joins, nil
}

// victims returns who paid a collector at least dust, and how first: neither
// services, through which anybody pays, nor contracts nor other collectors.
func (k *asking) victims(ctx context.Context, a ledger.Address) (map[ledger.Address]ledger.Position, error) {
	first := map[ledger.Address]ledger.Position{}
	for _, asset := range k.assets {
		all, err := k.history(ctx, ledger.Holder{Address: a, Asset: asset})
		if err != nil {
			return nil, err
		}
		for _, s := range all.events {
			if !all.in(s) || !all.counts(s) {
				continue
			}
			if at, known := first[s.From]; !known || s.At.Pos < at {
				first[s.From] = s.At.Pos
			}
		}
	}
	for _, v := range byAddress(first) {
		common, err := k.common(ctx, v)
		if err != nil {
			return nil, err
		}
		collects, err := k.collects(ctx, v)
		if err != nil {
			return nil, err
		}
		if common || collects {
			delete(first, v)
		}
	}
	return first, nil
}

func (k *asking) history(ctx context.Context, h ledger.Holder) (history, error) {
	all, cut, err := past(ctx, k, h)
	if cut {
		k.limit("only the latest %d transfers of %s were looked at", MaxEvents, h.Address)
	}
	return all, err
}

// paidBoth is a victim, and where his payments to two collectors both stand.
type paidBoth struct {
	victim ledger.Address
	pos    ledger.Position
}

func (k *asking) sameVictims(ctx context.Context, a ledger.Address) ([]ledger.Join, error) {
	victims, err := k.victims(ctx, a)
	if err != nil {
		return nil, err
	}
	both := map[ledger.Address][]paidBoth{}
	for i, v := range byAddress(victims) {
		if i == maxPayees {
			k.limit("only %d victims of %s were looked into", maxPayees, a)
			break
		}
		paid, err := k.firstPayments(ctx, v)
		if err != nil {
			return nil, err
		}
		for b, pos := range paid {
			if collects, err := k.collects(ctx, b); err != nil || !collects || b == a {
				if err != nil {
					return nil, err
				}
				continue
			}
			both[b] = append(both[b], paidBoth{v, max(pos, victims[v])})
		}
	}
	var joins []ledger.Join
	for _, b := range byAddress(both) {
		if len(both[b]) < minVictims {
			continue
		}
		j, err := k.victimJoin(ctx, a, b, both[b])
		if err != nil {
			return nil, err
		}
		joins = append(joins, j)
	}
	return joins, nil
}

// victimJoin is shown by the payment with which the second victim had paid both.
func (k *asking) victimJoin(ctx context.Context, a, b ledger.Address, both []paidBoth) (ledger.Join, error) {
	slices.SortFunc(both, func(x, y paidBoth) int { return cmp.Or(cmp.Compare(x.pos, y.pos), x.victim.Compare(y.victim)) })
	tx, err := k.TxAt(ctx, a.Chain, both[minVictims-1].pos)
	var who []ledger.Address
	for _, p := range both[:min(len(both), MaxEvidence)] {
		who = append(who, p.victim)
	}
	return ledger.Join{
		A: a, B: b, Tier: ledger.TierBehavior, Heuristic: ScamCollectors, Tx: tx.ID, Pos: tx.Pos,
		Detail: fmt.Sprintf("%d victims paid both: %s", len(both), names(who)),
	}, err
}

// firstPayments returns where an address first paid each of its payees at least dust.
func (k *asking) firstPayments(ctx context.Context, v ledger.Address) (map[ledger.Address]ledger.Position, error) {
	first := map[ledger.Address]ledger.Position{}
	for _, asset := range k.assets {
		all, err := k.history(ctx, ledger.Holder{Address: v, Asset: asset})
		if err != nil {
			return nil, err
		}
		for _, s := range all.events {
			if at, known := first[s.To]; !all.in(s) && all.counts(s) && (!known || s.At.Pos < at) {
				first[s.To] = s.At.Pos
			}
		}
	}
	return first, nil
}

// sameTarget joins a collector with others that forward an asset to the same address.
func (k *asking) sameTarget(ctx context.Context, h ledger.Holder) ([]ledger.Join, error) {
	target, last, err := k.target(ctx, h)
	if err != nil || target.IsZero() {
		return nil, err
	}
	all, err := k.history(ctx, ledger.Holder{Address: target, Asset: h.Asset})
	if err != nil {
		return nil, err
	}
	payers := map[ledger.Address]bool{}
	for _, s := range all.events {
		if all.in(s) && all.counts(s) && s.From != h.Address {
			payers[s.From] = true
		}
	}
	var joins []ledger.Join
	for _, b := range byAddress(payers) {
		if collects, err := k.collects(ctx, b); err != nil || !collects {
			if err != nil {
				return nil, err
			}
			continue
		}
		same, at, err := k.target(ctx, ledger.Holder{Address: b, Asset: h.Asset})
		if err != nil {
			return nil, err
		}
		if same != target {
			continue
		}
		tx, err := k.TxAt(ctx, b.Chain, max(at, last))
		if err != nil {
			return nil, err
		}
		joins = append(joins, ledger.Join{
			A: h.Address, B: b, Tier: ledger.TierBehavior, Heuristic: ScamCollectors, Tx: tx.ID, Pos: tx.Pos,
			Detail: fmt.Sprintf("both forward %d %% or more of what they are paid to %s within 24 hours", forwardShare, target),
		})
	}
	return joins, nil
}

// target is the one address to which a holder forwards most of what it is paid, and
// where the last such payment stands; zero for none. Payments out take the oldest
// payment in first, and what has lain for more than a day is not forwarded.
func (k *asking) target(ctx context.Context, h ledger.Holder) (to ledger.Address, last ledger.Position, err error) {
	all, err := k.history(ctx, h)
	if err != nil {
		return to, 0, err
	}
	var waiting []Seen
	var paid ledger.Amount
	went, at := map[ledger.Address]ledger.Amount{}, map[ledger.Address]ledger.Position{}
	for _, s := range all.events {
		if all.in(s) {
			waiting, paid = append(waiting, s), sum(paid, s.Amount)
			continue
		}
		var fresh ledger.Amount
		waiting, fresh = forward(waiting, s)
		went[s.To] = sum(went[s.To], fresh)
		if !fresh.IsZero() {
			at[s.To] = s.At.Pos
		}
	}
	if paid.Less(all.dust) {
		return to, 0, nil
	}
	for _, p := range byAddress(went) {
		if !atLeast(went[p], paid, forwardShare) {
			continue
		}
		common, err := k.common(ctx, p)
		if err != nil || common {
			return ledger.Address{}, 0, err
		}
		return p, at[p], nil
	}
	return to, 0, nil
}

// forward takes a payment out of what waits, and says how much of it came within a day.
func forward(waiting []Seen, out Seen) (left []Seen, fresh ledger.Amount) {
	rest := out.Amount
	for len(waiting) > 0 && !rest.IsZero() {
		in := &waiting[0]
		part := in.Amount
		if rest.Less(part) {
			part = rest
		}
		if out.Time-in.Time <= day {
			fresh = sum(fresh, part)
		}
		rest, in.Amount = rest.Minus(part), in.Amount.Minus(part)
		if in.Amount.IsZero() {
			waiting = waiting[1:]
		}
	}
	return waiting, fresh
}
