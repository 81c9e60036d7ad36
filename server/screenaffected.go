package server

import (
	"context"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
)

// affected lists what a retracted tag changes of the caller's tenant: transfers
// by their level, with their alerts, and watches by level or score; what is kept is brought up to date right after.
func (s *screenService) affected(ctx context.Context, v *view, t ledger.Tag) ([]*spoorv1.AffectedResult, error) {
	if s.store == nil || t.Address.IsZero() {
		return nil, nil
	}
	defer s.wakeUp()
	found, err := s.affectedTransfers(ctx, v, t)
	if err != nil {
		return nil, err
	}
	err = s.eachWatch(Principal(ctx).Tenant, func(w screening.Watch) error {
		if watchesMoney(w.Address) {
			return nil // it is scored by no label
		}
		a, err := ledger.ParseQualified(w.Address)
		if err != nil {
			return err
		}
		m, err := s.screen(ctx, v, a)
		if err = ignoreAbsent(err); err == nil && (m.GetRisk() != w.Level || !sameScore(m.RiskScore, w.Score)) {
			found = append(found, &spoorv1.AffectedResult{Kind: "watch", Id: watchID(w.Address), LevelBefore: w.Level, LevelAfter: m.GetRisk()})
		}
		return err
	})
	return found, err
}

func (s *screenService) affectedTransfers(ctx context.Context, v *view, tag ledger.Tag) (found []*spoorv1.AffectedResult, err error) {
	tenant := Principal(ctx).Tenant
	c, err := v.Cluster(ctx, tag.Address)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range []string{tag.Address.Qualified(), c.Name.Qualified(), everything} {
		some, err := s.store.Touching(tenant, e)
		if err != nil {
			return nil, err
		}
		ids = append(ids, some...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, id := range ids[:min(len(ids), maxAffected)] {
		t, err := s.store.Transfer(ctx, tenant, id)
		if err != nil {
			return nil, err
		}
		m, err := s.again(ctx, v, &t)
		if err != nil {
			return nil, err
		}
		if m.GetRisk() == t.Level {
			continue
		}
		found = append(found, &spoorv1.AffectedResult{Kind: "transfer", Id: id, LevelBefore: t.Level, LevelAfter: m.GetRisk()})
		alerts, err := s.store.AlertsOf(ctx, tenant, id)
		if err != nil {
			return nil, err
		}
		for _, a := range alerts {
			found = append(found, &spoorv1.AffectedResult{Kind: "alert", Id: a.ID, LevelBefore: a.Level, LevelAfter: m.GetRisk()})
		}
	}
	return found, err
}

// sameScore compares scores that may be absent.
func sameScore(a, b *uint32) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}
