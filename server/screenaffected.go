package server

import (
	"context"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
)

// affected lists the transfers and watches of the caller's tenant whose level
// a retracted tag changes; what is kept is brought up to date right after.
func (s *screenService) affected(ctx context.Context, t ledger.Tag) ([]*spoorv1.AffectedResult, error) {
	if s.store == nil || t.Address.IsZero() {
		return nil, nil
	}
	defer s.wakeUp()
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	found, err := s.affectedTransfers(ctx, v, t)
	if err != nil {
		return nil, err
	}
	err = s.eachWatch(Principal(ctx).Tenant, func(w screening.Watch) error {
		a, err := ledger.ParseQualified(w.Address)
		if err != nil {
			return err
		}
		m, err := s.screen(ctx, v, a)
		if err = ignoreAbsent(err); err == nil && m.GetRisk() != w.Level {
			found = append(found, &spoorv1.AffectedResult{Kind: "watch", Id: watchID(w.Address), LevelBefore: w.Level, LevelAfter: m.GetRisk()})
		}
		return err
	})
	return found, err
}

func (s *screenService) affectedTransfers(ctx context.Context, v *view, tag ledger.Tag) (found []*spoorv1.AffectedResult, err error) {
	tenant := Principal(ctx).Tenant
	ids, err := s.store.Touching(tenant, tag.Address.Qualified())
	for _, id := range ids[:min(len(ids), maxAffected)] {
		t, err := s.store.Transfer(ctx, tenant, id)
		if err != nil {
			return nil, err
		}
		m, err := s.again(ctx, v, &t)
		if err != nil {
			return nil, err
		}
		if m.GetRisk() != t.Level {
			found = append(found, &spoorv1.AffectedResult{Kind: "transfer", Id: id, LevelBefore: t.Level, LevelAfter: m.GetRisk()})
		}
	}
	return found, err
}
