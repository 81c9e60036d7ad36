package risk

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// exposures lists what a replay found, in order of kind, category and asset.
func (b *book) exposures(r *replay, d Direction, totals map[ledger.Asset]ledger.Amount) []Exposure {
	type key struct {
		kind     Kind
		category string
		asset    ledger.Asset
	}
	all := map[key]*Exposure{}
	for k, s := range r.found {
		asset := r.origins[k.origin]
		at := key{Indirect, k.category, asset}
		if k.direct {
			at.kind = Direct
		}
		e := all[at]
		if e == nil {
			e = &Exposure{Category: k.category, Direction: d, Kind: at.kind, Asset: asset, MinHops: s.depth.least, MaxHops: s.depth.most}
			all[at] = e
		}
		e.Amount = e.Amount.Plus(s.amount)
		e.MinHops, e.MaxHops = min(e.MinHops, s.depth.least), max(e.MaxHops, s.depth.most)
		e.Paths = append(e.Paths, Path{Entity: k.entity, Tag: s.tag, Amount: s.amount, Hops: s.depth.least, Transfers: s.trail.steps()})
	}
	var list []Exposure
	for _, e := range all {
		e.PPM = ppm(e.Amount, totals[e.Asset])
		e.Low, e.High = e.Amount, e.Amount
		if e.Kind == Indirect {
			e.Low, e.High = ledger.Amount{}, e.Amount.Plus(r.open[e.Asset])
		}
		slices.SortFunc(e.Paths, func(x, y Path) int { return cmp.Or(y.Amount.Cmp(x.Amount), x.Entity.Compare(y.Entity)) })
		e.Paths = e.Paths[:min(len(e.Paths), b.options.Paths)]
		list = append(list, *e)
	}
	slices.SortFunc(list, func(x, y Exposure) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(b.rules.severity(y.Category), b.rules.severity(x.Category)),
			cmp.Compare(x.Category, y.Category), x.Asset.Compare(y.Asset))
	})
	return list
}

// namePaths names the transfers of the paths that are kept.
func (b *book) namePaths(ctx context.Context, all []Exposure) error {
	for _, e := range all {
		for _, p := range e.Paths {
			for i := range p.Transfers {
				if err := b.name(ctx, &p.Transfers[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// steps lists a trail from the screened address outward.
func (t *trail) steps() []Step {
	var steps []Step
	for ; t != nil; t = t.from {
		steps = append(steps, t.step)
	}
	slices.Reverse(steps)
	return steps
}

// ppm is a share in parts per million, rounded down.
func ppm(part, whole ledger.Amount) uint32 {
	if whole.IsZero() {
		return 0
	}
	q, _ := part.MulDiv(ledger.NewAmount(1_000_000), whole)
	n, _ := q.Uint64()
	return uint32(min(n, 1_000_000))
}

// without takes off what was set aside: it says nothing of anybody else.
func (r *replay) without(totals map[ledger.Asset]ledger.Amount) map[ledger.Asset]ledger.Amount {
	if len(r.aside) == 0 {
		return totals
	}
	rest := map[ledger.Asset]ledger.Amount{}
	for asset, whole := range totals {
		if left := whole.SubFloor(r.aside[asset]); !left.IsZero() {
			rest[asset] = left
		}
	}
	return rest
}

// labelled is the least share, over the assets, of value that entities absorbed.
func labelled(r *replay, totals map[ledger.Asset]ledger.Amount) uint32 {
	least := uint32(1_000_000)
	if len(totals) == 0 {
		return 0
	}
	sums := map[ledger.Asset]ledger.Amount{}
	for k, s := range r.found {
		if crossable(k.category) {
			continue // where it went in, not where it came from
		}
		sums[r.origins[k.origin]] = sums[r.origins[k.origin]].Plus(s.amount)
	}
	for asset := range maps.Keys(totals) {
		least = min(least, ppm(sums[asset], totals[asset]))
	}
	return least
}
