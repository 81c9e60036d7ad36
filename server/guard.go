package server

import (
	"context"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// agreed finds the cluster of an address up to a tier, but only at T0 where T1 would
// make one owner of clusters that labels say are of different ones; refused says so.
// Labels are as of a question and the index of clusters knows none: the guard
// stands here.
func (v *view) agreed(ctx context.Context, a ledger.Address, tier ledger.Tier) (c ledger.Cluster, refused string, err error) {
	c, err = v.clusterOf(ctx, a, tier)
	if err != nil || c.Tier != ledger.TierChange {
		return c, "", err
	}
	tags, err := v.ClusterTags(ctx, c)
	if err != nil {
		return c, "", err
	}
	var parts [][]ledger.Tag
	at := map[ledger.Address]int{}
	for _, t := range tags {
		if t.Confidence < tracer.MinTagConfidence || !t.ValidAt(c.AsOf.Time) {
			continue
		}
		of, err := v.clusterOf(ctx, t.Address, ledger.TierExact)
		if err != nil {
			return c, "", err
		}
		i, held := at[of.Name]
		if !held {
			i, at[of.Name] = len(parts), len(parts)
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], t)
	}
	x, y, found := cluster.Contradiction(parts)
	if !found {
		return c, "", nil
	}
	refused = fmt.Sprintf("change outputs would join %s (%s) with %s (%s), which labels say have different owners: the answer is that of T0", x.Address, x.Actor, y.Address, y.Actor)
	c, err = v.clusterOf(ctx, a, ledger.TierExact)
	return c, refused, err
}
