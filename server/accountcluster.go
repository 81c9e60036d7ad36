package server

import (
	"context"
	"iter"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/rates"
	"github.com/spoortrace/spoor/tracer/behavior"
)

// accountCluster answers for an account: its cluster is worked out on demand. Every
// join of it is listed, or only those that lead to one address.
func (v *view) accountCluster(ctx context.Context, answer *spoorv1.GetClusterResponse, a ledger.Address, tier ledger.Tier, why string) error {
	found, err := behavior.ClusterOf(ctx, v, behavior.Question{Of: a, Tier: tier})
	if err != nil {
		return err
	}
	tip, err := v.AsOf(ctx, a.Chain)
	if err != nil {
		return err
	}
	answer.Cluster = &spoorv1.Cluster{
		Network: string(a.Chain), Name: found.First.String(), Tier: tier.String(), Size: uint64(len(found.Members)), AsOfHeight: tip.Height,
	}
	tags, err := v.definers(ctx, listed(found.Members))
	if err != nil {
		return err
	}
	for _, t := range tags {
		answer.Cluster.Labels = append(answer.Cluster.Labels, v.labelMessage(t))
	}
	joins := found.Joins
	if why != "" {
		b, err := parseOn(a.Chain, "why", why)
		if err != nil {
			return err
		}
		joins = found.Why(b)
	}
	for _, j := range joins {
		answer.Path = append(answer.Path, v.joinMessage(j))
	}
	for _, name := range behavior.Heuristics(a.Chain, tier) {
		answer.Heuristics = append(answer.Heuristics, rates.Quote(name)...)
	}
	answer.Limits = append(answer.Limits, found.Limits...)
	whole, err := v.Covered(ctx, ledger.Holder{Address: a, Asset: ledger.NativeAsset(a.Chain)}, 0)
	if err == nil && !whole {
		answer.Limits = append(answer.Limits, "the history of "+string(a.Chain)+" is not held from its first block on: keys, makers and payers of before are not known")
	}
	return err
}

func listed(all []ledger.Address) iter.Seq2[ledger.Address, error] {
	return func(yield func(ledger.Address, error) bool) {
		for _, a := range all {
			if !yield(a, nil) {
				return
			}
		}
	}
}

func (v *view) joinMessage(j ledger.Join) *spoorv1.ClusterJoin {
	c := j.A.Chain
	position := &spoorv1.Position{TxIndex: j.Pos.Index(), Tx: hashText(c, j.Tx)}
	if !v.export(c) {
		height := uint32(j.Pos.Height())
		position.Height = &height
	}
	return &spoorv1.ClusterJoin{
		From: j.A.String(), To: j.B.String(), Heuristic: j.Heuristic, Tier: j.Tier.String(), Tx: hashText(c, j.Tx), Position: position, Detail: j.Detail,
	}
}
