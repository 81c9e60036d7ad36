package behavior

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
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

// The heuristics by which a deposit address is found.
const (
	DepositReuse     = "deposit reuse"
	DepositSignature = "TRON deposit signature"
)

// Deposit is an address at which one exchange takes deposits.
type Deposit struct {
	Address   ledger.Address
	Exchange  ledger.Tag // of the address that it is swept to
	Heuristic string     // DepositReuse or DepositSignature
	Pairs     []Pair
	Gas       *Gas // of a deposit signature
	Cut       bool // it has more transfers than were looked at

	swept   []Seen
	carried int // sweeps that are explained
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

// DepositOf says whether an address takes deposits of one labelled exchange: it pays
// nobody else, and at least half of its payments carry one that it was paid on, within
// the bounds above (judgment: some sweeps gather several), or, on TRON, it bears the
// deposit signature. nil when it does not. Its own label, if it has one, must
// not be that of a service; that of a crime says what it is used for, not whose it is.
func DepositOf(ctx context.Context, idx Index, h ledger.Holder) (*Deposit, error) {
	if known, err := labelled(ctx, idx, h.Address, tracer.ServesMany); err != nil || known {
		return nil, err
	}
	all, cut, err := past(ctx, idx, h)
	if err != nil {
		return nil, err
	}
	tag, swept, err := sweeps(ctx, idx, &all)
	if err != nil || swept == nil {
		return nil, err
	}
	d := &Deposit{Address: h.Address, Exchange: tag, Heuristic: DepositReuse, Cut: cut, swept: swept}
	d.reused(&all)
	if !d.holds() {
		if err := d.signed(ctx, idx, &all); err != nil {
			return nil, err
		}
	}
	if !d.holds() {
		return nil, nil //nolint:nilnil // none
	}
	return d, nil
}

// holds reports that at least half of the sweeps are explained. An address of many
// users is no customer's, unless the exchange itself feeds it.
func (d *Deposit) holds() bool {
	return d.carried > 0 && 2*d.carried >= len(d.swept) && (d.Gas != nil || len(d.Users()) <= MaxUsers)
}

// sweeps returns the payments of an address if all of them go to one exchange.
func sweeps(ctx context.Context, idx Index, all *history) (of ledger.Tag, swept []Seen, err error) {
	for _, s := range all.events {
		if all.in(s) || !all.counts(s) {
			continue
		}
		tag, is, err := exchange(ctx, idx, s.To, s.Time)
		if err != nil {
			return of, nil, err
		}
		if !is || len(swept) > 0 && !sameExchange(tag, of) {
			return of, nil, nil // it pays somebody else, too
		}
		of = tag
		swept = append(swept, s)
	}
	return of, swept, nil
}

// sameExchange compares the actors of two labels, or their names without what tells
// wallets of one exchange apart: "Binance-Hot 1" and "Binance 2" (judgment).
func sameExchange(x, y ledger.Tag) bool {
	if x.Actor != "" && y.Actor != "" {
		return x.Actor == y.Actor
	}
	return brand(x.Label) == brand(y.Label)
}

func brand(label string) string {
	rest := strings.ToLower(strings.TrimSpace(label))
	for {
		cut := strings.TrimRight(rest, "0123456789")
		for _, word := range []string{"hot", "cold", "wallet", "deposit"} {
			cut = strings.TrimSuffix(cut, word)
		}
		name := strings.TrimRight(cut, " -:_.")
		if cut == rest || name == cut || name == "" {
			return rest // it ends in a word of its own, "MXC2" or "Hotbit"
		}
		rest = name
	}
}

// reused pairs each sweep with the payment that it carries on.
func (d *Deposit) reused(all *history) {
	var waiting []Seen
	for _, s := range all.events {
		switch {
		case !all.counts(s):
		case !all.in(s):
			waiting = d.match(waiting, s)
		case !s.From.IsZero():
			waiting = append(waiting, s)
		}
	}
}

// match finds the payment that a sweep carries on: the latest that fits.
func (d *Deposit) match(waiting []Seen, out Seen) []Seen {
	for i := len(waiting) - 1; i >= 0; i-- {
		if carries(waiting[i], out) {
			d.Pairs = append(d.Pairs, Pair{waiting[i], out})
			d.carried++
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

// depositUsers joins an address with everybody who uses a deposit address that it uses.
func (k *asking) depositUsers(ctx context.Context, a ledger.Address) ([]ledger.Join, error) {
	var joins []ledger.Join
	for _, asset := range k.assets {
		payees, err := k.payees(ctx, ledger.Holder{Address: a, Asset: asset})
		if err != nil {
			return nil, err
		}
		for _, payee := range payees {
			d, err := k.deposit(ctx, ledger.Holder{Address: payee, Asset: asset})
			if err != nil {
				return nil, err
			}
			if d == nil || !slices.Contains(d.Users(), a) {
				continue
			}
			of, err := k.users(ctx, d, a)
			if err != nil {
				return nil, err
			}
			joins = append(joins, of...)
		}
	}
	return joins, nil
}

// users joins those of a deposit address, unless it looks like that of somebody whom
// others pay: a scammer's, a money changer's.
func (k *asking) users(ctx context.Context, d *Deposit, a ledger.Address) ([]ledger.Join, error) {
	if len(d.Users()) > MaxUsers {
		k.limit("more than %d pay into the deposit address %s: it joins nobody", MaxUsers, d.Address)
		return nil, nil
	}
	if known, err := service(ctx, k, d.Address); err != nil || known {
		if known {
			k.limit("the deposit address %s has a label of its own: it joins nobody who pays into it", d.Address)
		}
		return nil, err
	}
	return d.joins(ctx, k, a)
}

// deposit is DepositOf, asked once for each address.
func (k *asking) deposit(ctx context.Context, h ledger.Holder) (*Deposit, error) {
	if d, asked := k.deposits[h]; asked {
		return d, nil
	}
	d, err := DepositOf(ctx, k, h)
	if err != nil {
		return nil, err
	}
	if d != nil && d.Cut {
		k.limit("only the latest %d transfers of %s were looked at", MaxEvents, d.Address)
	}
	k.deposits[h] = d
	return d, nil
}

func (d *Deposit) joins(ctx context.Context, idx Index, a ledger.Address) ([]ledger.Join, error) {
	var joins []ledger.Join
	for _, user := range d.Users() {
		if user == a {
			continue
		}
		// Both must have paid before it is known.
		at := max(d.first(user), d.first(a))
		tx, err := idx.TxAt(ctx, user.Chain, at)
		if err != nil {
			return nil, err
		}
		joins = append(joins, ledger.Join{
			A: a, B: user, Tier: ledger.TierBehavior, Heuristic: d.Heuristic, Tx: tx.ID, Pos: tx.Pos,
			Detail: fmt.Sprintf("both pay into %s, which forwards to %s%s", d.Address, d.Exchange.Label, d.Gas),
		})
	}
	return joins, nil
}

// first is where the first sweep of a user's money stands.
func (d *Deposit) first(user ledger.Address) ledger.Position {
	return d.Pairs[slices.IndexFunc(d.Pairs, func(p Pair) bool { return p.In.From == user })].Out.At.Pos
}
