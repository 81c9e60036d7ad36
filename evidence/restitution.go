package evidence

import (
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// The allocations.
const (
	AllocateTraced  = "traced"
	AllocateProRata = "pro-rata"
)

// claim is one victim's side of the restitution of one asset.
type claim struct{ lost, traced, allocated ledger.Amount }

// restitution says what each victim lost and is allotted of what can be stopped.
func (b *builder) restitution() error {
	claims := map[ledger.Asset]map[string]*claim{}
	of := func(asset ledger.Asset, victim string) *claim {
		if claims[asset] == nil {
			claims[asset] = map[string]*claim{}
		}
		if claims[asset][victim] == nil {
			claims[asset][victim] = &claim{}
		}
		return claims[asset][victim]
	}
	for i, p := range b.traced {
		c := of(p.Seed.Asset, p.Victim)
		c.lost = c.lost.Plus(p.Seed.Amount.Minus(b.collided(i+1, p.Seed.Asset)))
	}
	pools := map[ledger.Asset]ledger.Amount{}
	for _, h := range b.d.Holdings {
		asset, err := ParseAsset(h.Asset)
		if err != nil {
			return err
		}
		parts, err := recoverableShares(h)
		if err != nil {
			return err
		}
		for i, s := range h.Shares {
			c := of(asset, b.victim[s.Label])
			c.traced = c.traced.Plus(parts[i])
			pools[asset] = pools[asset].Plus(parts[i])
		}
	}
	b.d.Shares = []Award{}
	for _, asset := range slices.SortedFunc(maps.Keys(claims), ledger.Asset.Compare) {
		allocate(b.c.Allocation, pools[asset], claims[asset])
		for _, v := range slices.SortedFunc(maps.Keys(claims[asset]), byNumber) {
			c := claims[asset][v]
			b.d.Shares = append(b.d.Shares, Award{v, asset.String(), c.lost.String(), c.traced.String(), c.allocated.String()})
		}
	}
	return nil
}

// recoverableShares divides what can be stopped of a holding over its labels.
func recoverableShares(h Holding) ([]ledger.Amount, error) {
	recoverable, err := amountOf(h.Recoverable)
	if err != nil {
		return nil, err
	}
	var total ledger.Amount
	weights := make([]ledger.Amount, len(h.Shares))
	for i, s := range h.Shares {
		if weights[i], err = amountOf(s.Amount); err != nil {
			return nil, err
		}
		total = total.Plus(weights[i])
	}
	return tracer.Apportion(ledger.Min(recoverable, total), total, weights), nil
}

// allocate shares a pool: to each what was traced to him, or by loss. Where
// nobody lost the asset itself (the money was exchanged into it), by what was traced.
func allocate(allocation string, pool ledger.Amount, claims map[string]*claim) {
	victims := slices.SortedFunc(maps.Keys(claims), byNumber)
	var lost ledger.Amount
	weights := make([]ledger.Amount, len(victims))
	for i, v := range victims {
		weights[i] = claims[v].lost
		lost = lost.Plus(weights[i])
	}
	if allocation == AllocateTraced || lost.IsZero() {
		for _, c := range claims {
			c.allocated = c.traced
		}
		return
	}
	for i, part := range tracer.Apportion(ledger.Min(pool, lost), lost, weights) {
		claims[victims[i]].allocated = part
	}
}
