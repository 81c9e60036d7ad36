package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// Balance returns what the holder had just before a point: in - out so far plus
// the deficit as of the snapshot. ledger.ErrOverflow when that leaves 256 bits.
func (s *Snapshot) Balance(_ context.Context, h ledger.Holder, before ledger.Point) (ledger.Balance, error) {
	v, err := s.held(h.Address.Chain)
	if err != nil || v == nil {
		return ledger.Balance{}, err
	}
	at, end, err := v.sums(h, before)
	if err != nil {
		return ledger.Balance{}, err
	}
	b, err := balanceOf(at, end)
	if err != nil {
		return ledger.Balance{}, fmt.Errorf("store: balance of %s in %s: %w", h.Address.Qualified(), h.Asset, err)
	}
	return b, nil
}

func balanceOf(at, end sums) (ledger.Balance, error) {
	total, err := at.in.add(end.deficit)
	if err != nil {
		return ledger.Balance{}, err
	}
	amount, err := total.sub(at.out).amount()
	if err != nil {
		return ledger.Balance{}, err
	}
	deficit, err := end.deficit.amount()
	return ledger.Balance{Amount: amount, Deficit: deficit}, err
}

// sums returns what a holder's events before a point, and all of them, add up to
// as of the view.
func (v *view) sums(h ledger.Holder, before ledger.Point) (at, end sums, err error) {
	addr, a, err := v.account(h)
	if err == nil && a != nil {
		if at, err = v.foldedSums(addr, a, before); err == nil {
			end, err = v.foldedSums(addr, a, ledger.Point{Pos: ^ledger.Position(0)})
		}
	}
	if err != nil || len(v.held) == 0 {
		return at, end, err
	}
	for e := range v.young(h, ledger.Point{}, false) {
		one := entry{side: sideOf(h.Address, &e), amount: e.Amount}
		if e.At.Before(before) {
			err = at.add(one)
		}
		if err = errors.Join(err, end.add(one)); err != nil {
			return at, end, err
		}
	}
	return at, end, nil
}

// foldedSums reads one group: its header has the sums of all before it.
func (v *view) foldedSums(addr uint64, a *account, before ledger.Point) (sums, error) {
	if limit := (ledger.Point{Pos: v.limit}); limit.Before(before) {
		before = limit
	}
	g := &a.tail
	if len(a.tail.entries) == 0 || before.Before(a.tail.entries[0].at) && a.tail.before.n > 0 {
		if a.tail.before.n == 0 {
			return sums{}, nil
		}
		var err error
		if g, err = v.groupAt(addr, a, before); err != nil {
			return sums{}, err
		}
	}
	return g.upTo(before)
}

// PayeeAt returns the point at which the holder paid its n-th distinct payee at
// least the dust of the asset.
func (s *Snapshot) PayeeAt(ctx context.Context, h ledger.Holder, n int) (ledger.Point, bool, error) {
	v, err := s.held(h.Address.Chain)
	if err != nil || v == nil || n < 1 {
		return ledger.Point{}, false, err
	}
	addr, a, err := v.account(h)
	if err != nil {
		return ledger.Point{}, false, err
	}
	p, err := loadPayees(v.rows, addr, a)
	if err != nil {
		return ledger.Point{}, false, err
	}
	if n <= len(p.at) && p.at[n-1].Pos < v.limit {
		return p.at[n-1], true, nil
	}
	if len(p.at) == maxPayees && n > maxPayees || len(v.held) > 0 {
		return s.countPayees(ctx, v, h, n, p)
	}
	return ledger.Point{}, false, nil
}

// countPayees goes on where the row of payees ends: over the overlay, or over
// the whole list where the row does not say who was paid as of the view.
func (s *Snapshot) countPayees(ctx context.Context, v *view, h ledger.Holder, n int, p *payees) (ledger.Point, bool, error) {
	seen := map[ledger.Address]bool{}
	if len(p.at) == maxPayees || len(p.at) > 0 && p.at[len(p.at)-1].Pos >= v.limit {
		return s.scanPayees(ctx, h, n, ledger.Point{}, seen)
	}
	names := naming{base: v.base}
	for _, id := range p.ids {
		seen[names.address(id)] = true
	}
	if names.err != nil {
		return ledger.Point{}, false, names.err
	}
	from := ledger.Point{}
	if v.limit > 0 {
		from = ledger.Point{Pos: v.limit - 1, Slot: ^uint32(0)}
	}
	return s.scanPayees(ctx, h, n, from, seen)
}

func (s *Snapshot) scanPayees(ctx context.Context, h ledger.Holder, n int, from ledger.Point, seen map[ledger.Address]bool) (ledger.Point, bool, error) {
	dust := ledger.InfoOf(h.Asset).Dust
	for e, err := range s.Events(ctx, h, from) {
		if err != nil {
			return ledger.Point{}, false, err
		}
		if e.From != h.Address || e.To == h.Address || e.To.IsZero() || e.Amount.Less(dust) || seen[e.To] {
			continue
		}
		if seen[e.To] = true; len(seen) == n {
			return e.At, true, nil
		}
	}
	return ledger.Point{}, false, nil
}
