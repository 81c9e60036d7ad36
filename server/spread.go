package server

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// spread is the tags of definers by the name of their cluster, as of one number of
// the label log.
type spread struct {
	sequence uint64
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
	key := spreadKey{Principal(ctx).Tenant, tip, c.Tier}
	s := d.spreads[key]
	if s == nil || s.sequence != v.labelSequence() {
		s = &spread{v.labelSequence(), map[ledger.Address][]ledger.Tag{}}
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
		if d.spreads == nil || len(d.spreads) >= maxSpreads {
			d.spreads = map[spreadKey]*spread{}
		}
		d.spreads[key] = s
	}
	return v.leaveOut(slices.Clone(s.byName[c.Name])), nil
}

// maxSpreads is how many are kept: of tenants, of the latest blocks, and as of times past.
const maxSpreads = 32

type spreadKey struct {
	tenant string
	tip    ledger.BlockRef
	tier   ledger.Tier
}
