package server

import (
	"context"
	"fmt"
	"iter"
	"strconv"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/rates"
	"github.com/spoortrace/spoor/tracer/behavior"
)

// clusterOf finds the cluster of an address up to a tier: of itself where its
// network has no clusters.
func (v *view) clusterOf(ctx context.Context, a ledger.Address, tier ledger.Tier) (ledger.Cluster, error) {
	known, err := v.known(ctx)
	if err != nil {
		return ledger.Cluster{}, err
	}
	if known == nil || !a.Chain.UTXO() {
		tip, err := v.AsOf(ctx, a.Chain)
		return ledger.Cluster{Name: a, Size: 1, AsOf: tip}, err
	}
	return known.Cluster(ctx, a, tier)
}

// Cluster implements risk.Index: scores rest on T0 alone.
func (v *view) Cluster(ctx context.Context, a ledger.Address) (ledger.Cluster, error) {
	if _, err := v.AsOf(ctx, a.Chain); err != nil {
		return ledger.Cluster{Name: a, Size: 1}, nil //nolint:nilerr // a network that is not held
	}
	return v.clusterOf(ctx, a, ledger.TierExact)
}

// Members implements risk.Index.
func (v *view) Members(ctx context.Context, c ledger.Cluster) iter.Seq2[ledger.Address, error] {
	return v.membersAfter(ctx, c, ledger.Address{})
}

func (v *view) membersAfter(ctx context.Context, c ledger.Cluster, after ledger.Address) iter.Seq2[ledger.Address, error] {
	return func(yield func(ledger.Address, error) bool) {
		known, err := v.known(ctx)
		switch {
		case err != nil:
			yield(ledger.Address{}, err)
		case known != nil && c.Name.Chain.UTXO():
			known.Members(ctx, c, after)(yield)
		case after.IsZero():
			yield(c.Name, nil)
		}
	}
}

// GetCluster says who shares an owner with an address, and why.
func (s *traces) GetCluster(ctx context.Context, m *spoorv1.GetClusterRequest) (*spoorv1.GetClusterResponse, error) {
	a, tier, v, err := s.clusterQuestion(ctx, m.GetAddress(), m.GetTier(), m.GetAsOf())
	if err != nil {
		return nil, err
	}
	defer v.close()
	answer := &spoorv1.GetClusterResponse{Address: a.String()}
	l := &lookup{view: v, conv: v.converter(ctx), ctx: ctx}
	if answer.AsOf, answer.Coverage, err = l.basis(a.Chain); err != nil {
		return nil, err
	}
	tags, err := v.Tags(ctx, a)
	if err != nil {
		return nil, err
	}
	for _, t := range tags {
		answer.Labels = append(answer.Labels, v.labelMessage(t))
	}
	if !a.Chain.UTXO() {
		err = v.accountCluster(ctx, answer, a, tier, m.GetWhy())
	} else {
		err = v.coinCluster(ctx, answer, a, tier, m.GetWhy())
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// coinCluster answers from the index of clusters.
func (v *view) coinCluster(ctx context.Context, answer *spoorv1.GetClusterResponse, a ledger.Address, tier ledger.Tier, why string) error {
	found, refused, err := v.agreed(ctx, a, tier)
	if err != nil {
		return err
	}
	if refused != "" {
		answer.Limits, tier = append(answer.Limits, refused), found.Tier
	}
	if answer.Cluster, err = v.clusterMessage(ctx, found); err != nil {
		return err
	}
	for _, name := range []string{"co-spend", "coinjoin", "change"}[:min(int(found.Tier)+2, 3)] {
		answer.Heuristics = append(answer.Heuristics, rates.Quote(name)...)
	}
	return v.explain(ctx, answer, a, why, tier)
}

// explain adds the path of joins to another address.
func (v *view) explain(ctx context.Context, answer *spoorv1.GetClusterResponse, a ledger.Address, why string, tier ledger.Tier) error {
	if why == "" {
		return nil
	}
	b, err := parseOn(a.Chain, "why", why)
	if err != nil {
		return err
	}
	known, err := v.known(ctx)
	if err != nil || known == nil {
		return err
	}
	path, err := known.Why(ctx, a, b, tier)
	if err != nil {
		return err
	}
	for _, j := range path {
		answer.Path = append(answer.Path, v.joinMessage(j))
	}
	return nil
}

// parseOn reads an address with its network, or of the network that is meant.
func parseOn(c ledger.Chain, field, text string) (ledger.Address, error) {
	a, err := ledger.ParseQualified(text)
	if err != nil {
		a, err = ledger.ParseAddress(c, text)
	}
	if err == nil && a.Chain != c {
		err = ledger.Invalid(field, "an address of "+string(c), text)
	}
	return a, err
}

// clusterQuestion reads what both methods ask for and pins the index.
func (s *traces) clusterQuestion(ctx context.Context, address, tierText, asOf string) (a ledger.Address, tier ledger.Tier, v *view, err error) {
	if a, err = ledger.ParseQualified(address); err != nil {
		return a, 0, nil, err
	}
	for _, t := range []ledger.Tier{ledger.TierExact, ledger.TierChange, ledger.TierBehavior} {
		if tierText == t.String() {
			tier = t
		}
	}
	if v, err = s.data.view(ctx); err != nil {
		return a, tier, nil, err
	}
	if _, err := v.AsOf(ctx, a.Chain); err != nil {
		v.close()
		return a, tier, nil, err
	}
	v, err = v.until(ctx, []ledger.Chain{a.Chain}, asOf)
	return a, tier, v, err
}

func (v *view) clusterMessage(ctx context.Context, c ledger.Cluster) (*spoorv1.Cluster, error) {
	m := &spoorv1.Cluster{Network: string(c.Name.Chain), Name: c.Name.String(), Tier: c.Tier.String(), Size: c.Size, AsOfHeight: c.AsOf.Height}
	known, err := v.known(ctx)
	if err != nil {
		return nil, err
	}
	if known != nil && c.Name.Chain.UTXO() {
		stats, err := known.Stats(ctx, c)
		if err != nil {
			return nil, err
		}
		m.Balance, m.Received, m.Sent = stats.Balance.String(), stats.In.String(), stats.Out.String()
		m.FirstSeen, m.LastSeen = timeMessage(stats.First), timeMessage(stats.Last)
	}
	tags, err := v.ClusterTags(ctx, c)
	for _, t := range tags {
		m.Labels = append(m.Labels, v.labelMessage(t))
	}
	return m, err
}

// membersOf yields the addresses of a cluster, on any network, from the one after
// an address on; zero: from the first.
func (v *view) membersOf(ctx context.Context, a ledger.Address, tier ledger.Tier, after ledger.Address) (iter.Seq2[ledger.Address, error], error) {
	if !a.Chain.UTXO() {
		found, err := behavior.ClusterOf(ctx, v, behavior.Question{Of: a, Tier: tier})
		if err != nil {
			return nil, err
		}
		return listed(found.MembersAfter(after)), nil
	}
	c, _, err := v.agreed(ctx, a, tier)
	if err != nil {
		return nil, err
	}
	return v.membersAfter(ctx, c, after), nil
}

// ListClusterMembers pages through the addresses of a cluster.
func (s *traces) ListClusterMembers(ctx context.Context, m *spoorv1.ListClusterMembersRequest) (*spoorv1.ListClusterMembersResponse, error) {
	query := fmt.Sprintf("members %s %s %s", m.GetAddress(), m.GetTier(), m.GetAsOf())
	pages, asOf, last := s.pages.of(ctx), m.GetAsOf(), ledger.Address{}
	if token := m.GetPageToken(); token != "" {
		of, err := ledger.ParseQualified(m.GetAddress())
		if err != nil {
			return nil, err
		}
		var height uint64
		if last, height, err = pages.readAfter(query, token, of.Chain); err != nil {
			return nil, err
		}
		asOf = strconv.FormatUint(height, 10)
	}
	a, tier, v, err := s.clusterQuestion(ctx, m.GetAddress(), m.GetTier(), asOf)
	if err != nil {
		return nil, err
	}
	defer v.close()
	members, err := v.membersOf(ctx, a, tier, last)
	if err != nil {
		return nil, err
	}
	tip, err := v.AsOf(ctx, a.Chain)
	if err != nil {
		return nil, err
	}
	answer := &spoorv1.ListClusterMembersResponse{AsOf: v.asOfMessage(tip)}
	for member, err := range members {
		if err != nil {
			return nil, err
		}
		if len(answer.GetAddresses()) == pageSize(m.GetPageSize()) {
			answer.NextPageToken = pages.after(query, last, tip.Height)
			break
		}
		answer.Addresses = append(answer.Addresses, member.String())
		last = member
	}
	return answer, nil
}
