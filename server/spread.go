package server

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// spread is the tags of definers by the name of their cluster, as of one state of
// the labels and of one network.
type spread struct {
	tenant   string
	sequence uint64
	tip      ledger.BlockRef
	byName   map[ledger.Address][]ledger.Tag
}

// ClusterTags implements risk.Index. A small cluster is asked member by member; for
// large ones every definer's cluster is found once, and kept while nothing changes.
func (v *view) ClusterTags(ctx context.Context, c ledger.Cluster) ([]ledger.Tag, error) {
	const small = 64
	if c.Size <= 1 {
		return nil, nil
	}
	if c.Size > small {
		return v.spreadTo(ctx, c)
	}
	return v.definers(ctx, v.Members(ctx, c))
}

// definers returns the tags of members that say something of the whole cluster.
func (v *view) definers(ctx context.Context, members iter.Seq2[ledger.Address, error]) ([]ledger.Tag, error) {
	var all []ledger.Tag
	for m, err := range members {
		if err != nil {
			return nil, err
		}
		tags, err := v.Tags(ctx, m)
		if err != nil {
			return nil, err
		}
		for _, t := range tags {
			if t.Definer {
				all = append(all, t)
			}
		}
	}
	slices.SortFunc(all, func(x, y ledger.Tag) int { return cmp.Compare(x.ID, y.ID) })
	return all, nil
}

func (v *view) spreadTo(ctx context.Context, c ledger.Cluster) ([]ledger.Tag, error) {
	tip, err := v.AsOf(ctx, c.Name.Chain)
	if err != nil {
		return nil, err
	}
	d := v.data
	d.spreading.Lock()
	defer d.spreading.Unlock()
	key := spreadKey{c.Name.Chain, c.Tier}
	s := d.spreads[key]
	if s == nil || s.sequence != v.labelSequence() || s.tip != tip || s.tenant != Principal(ctx).Tenant {
		s = &spread{Principal(ctx).Tenant, v.labelSequence(), tip, map[ledger.Address][]ledger.Tag{}}
		for t, err := range v.tags.Definers(ctx, c.Name.Chain) {
			if err != nil {
				return nil, err
			}
			of, err := v.clusterOf(ctx, t.Address, c.Tier)
			if err != nil {
				return nil, err
			}
			s.byName[of.Name] = append(s.byName[of.Name], t)
		}
		if d.spreads == nil {
			d.spreads = map[spreadKey]*spread{}
		}
		d.spreads[key] = s
	}
	return v.leaveOut(slices.Clone(s.byName[c.Name])), nil
}

type spreadKey struct {
	chain ledger.Chain
	tier  ledger.Tier
}
