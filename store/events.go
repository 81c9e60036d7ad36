package store

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Events yields the in- and outflows of a holder strictly after a point, in
// total order: one seek, then sequential. Self-transfers are listed once, zero
// amounts and failed transfers not at all. On a UTXO chain an input is an
// outflow to nobody and an output an inflow from nobody, slots counting inputs first.
func (s *Snapshot) Events(ctx context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	return s.events(ctx, h, after, false)
}

// EventsBefore yields the in- and outflows of a holder strictly before a point,
// the last one first.
func (s *Snapshot) EventsBefore(ctx context.Context, h ledger.Holder, before ledger.Point) iter.Seq2[ledger.Event, error] {
	return s.events(ctx, h, before, true)
}

func (s *Snapshot) events(ctx context.Context, h ledger.Holder, from ledger.Point, reverse bool) iter.Seq2[ledger.Event, error] {
	return func(yield func(ledger.Event, error) bool) {
		v, err := s.held(h.Address.Chain)
		if err != nil {
			yield(ledger.Event{}, err)
		}
		if v == nil {
			return
		}
		names := naming{base: v.base}
		send := func(e ledger.Event, err error) bool {
			if err == nil {
				err = ctx.Err()
			}
			return yield(e, err) && err == nil
		}
		old := func() bool {
			for e, err := range v.folded(h, from, reverse) {
				var event ledger.Event
				if err == nil {
					event, err = names.event(h, e), names.err
				}
				if !send(event, err) {
					return false
				}
			}
			return true
		}
		young := func() bool {
			for e := range v.young(h, from, reverse) {
				if !send(e, nil) {
					return false
				}
			}
			return true
		}
		if reverse {
			_ = young() && old()
		} else {
			_ = old() && young()
		}
	}
}

func (n *naming) event(h ledger.Holder, e entry) ledger.Event {
	event := ledger.Event{At: e.at, Kind: e.kind, From: h.Address, To: h.Address, Amount: e.amount, Plain: e.plain}
	switch e.side {
	case sideIn:
		event.From = n.address(e.peer)
	case sideOut:
		event.To = n.address(e.peer)
	}
	return event
}

// young yields the overlay's events after (reverse: before) a point.
func (v *view) young(h ledger.Holder, from ledger.Point, reverse bool) iter.Seq[ledger.Event] {
	return func(yield func(ledger.Event) bool) {
		blocks := slices.Collect(v.knowing(addressHint(h.Address)))
		for _, y := range inOrder(blocks, reverse) {
			var of []ledger.Event
			for at, e := range y.events(h.Address) {
				if at == h {
					of = append(of, e)
				}
			}
			for _, e := range inOrder(of, reverse) {
				if (reverse && e.At.Before(from) || !reverse && from.Before(e.At)) && !yield(e) {
					return
				}
			}
		}
	}
}

func inOrder[T any](s []T, reverse bool) iter.Seq2[int, T] {
	if reverse {
		return slices.Backward(s)
	}
	return slices.All(s)
}

// folded yields the base's events after (reverse: before) a point.
func (v *view) folded(h ledger.Holder, from ledger.Point, reverse bool) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		addr, a, err := v.account(h)
		if err != nil {
			yield(entry{}, err)
			return
		}
		if a == nil {
			return
		}
		if limit := (ledger.Point{Pos: v.limit}); reverse && limit.Before(from) {
			from = limit
		}
		for g, err := range v.groups(addr, a, from, reverse) {
			if err != nil {
				yield(entry{}, err)
				return
			}
			for _, e := range inOrder(g.entries, reverse) {
				if e.at.Pos >= v.limit && !reverse {
					return
				}
				wanted := reverse && e.at.Before(from) || !reverse && from.Before(e.at)
				if wanted && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// groups yields the groups of an account from the one that a point falls into,
// to the tail or (reverse) to the first. It checks that each follows the other.
func (v *view) groups(addr uint64, a *account, from ledger.Point, reverse bool) iter.Seq2[*group, error] {
	return func(yield func(*group, error) bool) {
		sealed := a.tail.before.n > 0
		inTail := len(a.tail.entries) > 0 && !from.Before(a.tail.entries[0].at)
		if !sealed || inTail && !reverse {
			yield(&a.tail, nil)
			return
		}
		if reverse && !yield(&a.tail, nil) {
			return
		}
		if reverse {
			v.backwards(addr, a, from, yield)
		} else {
			v.forwards(addr, a, from, yield)
		}
	}
}

func (v *view) forwards(addr uint64, a *account, from ledger.Point, yield func(*group, error) bool) {
	g, err := v.groupAt(addr, a, from)
	for err == nil {
		if !yield(g, nil) {
			return
		}
		next, n := g.next, g.before.n+uint64(len(g.entries))
		if n == a.tail.before.n {
			yield(&a.tail, nil)
			return
		}
		if g, err = v.groupFrom(addr, a, next); err == nil && g.before.n != n {
			err = corrupt("account (%d, %d): group at %s has ordinal %d, wanted %d", addr, a.asset, next, g.before.n, n)
		}
	}
	yield(nil, err)
}

// backwards skips what lies at or after the point by seeking to its group.
func (v *view) backwards(addr uint64, a *account, from ledger.Point, yield func(*group, error) bool) {
	at := a.tail.prev
	if from.Before(at) {
		at = from
	}
	g, err := v.groupAt(addr, a, at)
	for err == nil {
		if !yield(g, nil) || g.before.n == 0 {
			return
		}
		n := g.before.n
		if g, err = v.groupAt(addr, a, g.prev); err == nil && g.before.n+uint64(len(g.entries)) != n {
			err = corrupt("account (%d, %d): group before ordinal %d is missing", addr, a.asset, n)
		}
	}
	yield(nil, err)
}

// groupAt returns the sealed group that a point falls into: the last one that
// begins at or before it, or the first of all when it lies before that. The
// account has sealed groups and the point is before its tail.
func (v *view) groupAt(addr uint64, a *account, p ledger.Point) (*group, error) {
	if p.Before(a.first) {
		return v.groupFrom(addr, a, a.first)
	}
	i := a.bucketBefore(v.bucket(p.Pos.Height()))
	for to := pointSort(after(p)); i >= 0; i, to = i-1, nil {
		for row, err := range v.reader.Scan(partition(tableEvents, addr, a.asset, a.buckets[i].bucket), nil, to, true) {
			if err != nil {
				return nil, err
			}
			g, err := openGroup(key{partition(tableEvents, addr, a.asset, a.buckets[i].bucket), bytes.Clone(row.Sort)}, row.Value)
			if err == nil && !p.Before(g.next) {
				err = corrupt("account (%d, %d): the group of %s is missing", addr, a.asset, p)
			}
			return g, err
		}
	}
	return nil, corrupt("account (%d, %d): the first group is missing", addr, a.asset)
}

// groupFrom returns the sealed group that begins at a point.
func (v *view) groupFrom(addr uint64, a *account, first ledger.Point) (*group, error) {
	k := v.groupKey(addr, a.asset, first)
	value, err := v.rows.row(k)
	if err != nil {
		return nil, corrupt("account (%d, %d): group at %s: %v", addr, a.asset, first, err)
	}
	return parseGroup(value)
}

func openGroup(k key, stored []byte) (*group, error) {
	value, err := unseal(k, stored)
	if err != nil {
		return nil, err
	}
	return parseGroup(value)
}

func parseGroup(value []byte) (*group, error) {
	in := decoder{b: value}
	g := decodeGroup(&in)
	return &g, in.end("event group")
}

// after is the next point in the order of keys.
func after(p ledger.Point) ledger.Point {
	if p.Slot == ^uint32(0) {
		return ledger.Point{Pos: p.Pos + 1}
	}
	return ledger.Point{Pos: p.Pos, Slot: p.Slot + 1}
}
