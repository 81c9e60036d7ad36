package behavior

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// The bounds of deposit reuse (Victor, "Address clustering heuristics for Ethereum",
// Financial Cryptography 2020).
const (
	MaxFee   = 10_000_000_000_000_000 // 0.01 ETH in wei: what a sweep may pay for itself
	MaxTRX   = 2_000_000              // the same in sun (judgment: bandwidth of a few transfers)
	MaxDelay = 3_200                  // blocks between deposit and sweep
	MaxUsers = 20                     // of one deposit address: beyond, it is no customer's
	// maxDelayTime is the same where an index has times and no heights (judgment).
	maxDelayTime = 24 * 60 * 60 * 1000
	// maxPayees bounds how many payees of one address are looked into.
	maxPayees = 200
)

// Deposit is an address at which one exchange takes deposits.
type Deposit struct {
	Address   ledger.Address
	Exchange  ledger.Tag // of the address that it is swept to
	Heuristic string     // "deposit reuse"
	Pairs     []Pair
	Cut       bool // it has more transfers than were looked at
}

// Pair is a payment in, and the one that took it to the exchange.
type Pair struct{ In, Out Seen }

// Users are those who paid in, in order of address.
func (d *Deposit) Users() []ledger.Address {
	var all []ledger.Address
	for _, p := range d.Pairs {
		if !slices.Contains(all, p.In.From) {
			all = append(all, p.In.From)
		}
	}
	slices.SortFunc(all, ledger.Address.Compare)
	return all
}

// DepositOf says whether an address forwards what it is paid to one labelled
// exchange: it pays nobody else, and at least half of its payments carry one that it
// was paid on, within the bounds above (judgment: some sweeps gather several). nil
// when it does not. Its own label, if it has one, must not be that of a service.
func DepositOf(ctx context.Context, idx Index, h ledger.Holder) (*Deposit, error) {
	if known, err := service(ctx, idx, h.Address); err != nil || known {
		return nil, err
	}
	all, cut, err := past(ctx, idx, h, MaxEvents)
	if err != nil {
		return nil, err
	}
	d := &Deposit{Address: h.Address, Heuristic: "deposit reuse", Cut: cut}
	var waiting []Seen
	swept := 0
	for _, s := range all.events {
		if !all.counts(s) {
			continue
		}
		if all.in(s) {
			if !s.From.IsZero() {
				waiting = append(waiting, s)
			}
			continue
		}
		tag, is, err := exchange(ctx, idx, s.To, s.Time)
		if err != nil {
			return nil, err
		}
		if !is || d.Exchange.Label != "" && tag.Actor+tag.Label != d.Exchange.Actor+d.Exchange.Label {
			return nil, nil //nolint:nilnil // it pays somebody else, too
		}
		d.Exchange = tag
		swept++
		waiting = d.match(waiting, s)
	}
	if len(d.Pairs) == 0 || 2*len(d.Pairs) < swept || len(d.Users()) > MaxUsers {
		return nil, nil //nolint:nilnil // none
	}
	return d, nil
}

// match finds the payment that a sweep carries on: the latest that fits.
func (d *Deposit) match(waiting []Seen, out Seen) []Seen {
	for i := len(waiting) - 1; i >= 0; i-- {
		if carries(waiting[i], out) {
			d.Pairs = append(d.Pairs, Pair{waiting[i], out})
			return slices.Delete(waiting, i, i+1)
		}
	}
	return waiting
}

// carries reports that one payment out is one payment in, but for its own fee.
func carries(in, out Seen) bool {
	if in.Amount.Less(out.Amount) {
		return false
	}
	rest := in.Amount.Minus(out.Amount)
	if fee(out.Asset).Less(rest) {
		return false
	}
	from, to := in.At.Pos.Height(), out.At.Pos.Height()
	const unixMillis = 1 << 37 // no chain has so many blocks
	if to > unixMillis {
		return to-from <= maxDelayTime
	}
	return to >= from && to-from <= MaxDelay
}

// fee is the most that a sweep of an asset pays for itself out of what it carries.
func fee(a ledger.Asset) ledger.Amount {
	switch {
	case !a.Native():
		return ledger.Amount{}
	case a.Chain.Family() == ledger.FamilyTRON:
		return ledger.NewAmount(MaxTRX)
	}
	return ledger.NewAmount(MaxFee)
}

// Joins returns the T2 joins of an address: with everybody who uses a deposit address
// that it uses. limits says what was not looked at.
func Joins(ctx context.Context, idx Index, h ledger.Holder) (joins []ledger.Join, limits []string, err error) {
	all, cut, err := past(ctx, idx, h, MaxEvents)
	if err != nil {
		return nil, nil, err
	}
	if cut {
		limits = append(limits, fmt.Sprintf("only the latest %d transfers of %s were looked at", MaxEvents, h.Address))
	}
	done := map[ledger.Address]bool{}
	for _, s := range all.events {
		if all.in(s) || !all.counts(s) || done[s.To] || s.To.IsZero() {
			continue
		}
		if len(done) == maxPayees {
			limits = append(limits, fmt.Sprintf("only %d payees of %s were looked into", maxPayees, h.Address))
			break
		}
		done[s.To] = true
		d, err := DepositOf(ctx, idx, ledger.Holder{Address: s.To, Asset: h.Asset})
		if err != nil {
			return nil, nil, err
		}
		if d == nil || !slices.Contains(d.Users(), h.Address) {
			continue
		}
		if d.Cut {
			limits = append(limits, fmt.Sprintf("only the latest %d transfers of %s were looked at", MaxEvents, d.Address))
		}
		of, err := d.joins(ctx, idx, h.Address)
		if err != nil {
			return nil, nil, err
		}
		joins = append(joins, of...)
	}
	slices.SortStableFunc(joins, func(x, y ledger.Join) int { return cmp.Or(cmp.Compare(x.Pos, y.Pos), x.B.Compare(y.B)) })
	return joins, limits, nil
}

func (d *Deposit) joins(ctx context.Context, idx Index, a ledger.Address) ([]ledger.Join, error) {
	var joins []ledger.Join
	for _, user := range d.Users() {
		if known, err := service(ctx, idx, user); err != nil || known || user == a {
			if err != nil {
				return nil, err
			}
			continue
		}
		at := slices.IndexFunc(d.Pairs, func(p Pair) bool { return p.In.From == user })
		tx, err := idx.TxAt(ctx, user.Chain, d.Pairs[at].In.At.Pos)
		if err != nil {
			return nil, err
		}
		joins = append(joins, ledger.Join{
			A: a, B: user, Tier: ledger.TierBehavior, Heuristic: d.Heuristic, Tx: tx.ID, Pos: tx.Pos,
			Detail: fmt.Sprintf("both pay into %s, which forwards to %s", d.Address, d.Exchange.Label),
		})
	}
	return joins, nil
}
