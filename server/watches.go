package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
)

// AddWatch watches an address. What it triggers at that moment is no news: an
// alert tells of a change.
func (s *screenService) AddWatch(ctx context.Context, m *spoorv1.AddWatchRequest) (*spoorv1.Watch, error) {
	if s.store == nil {
		return nil, errNoStore
	}
	if (m.GetAddress() == "") == (m.GetTrace() == nil) {
		return nil, ledger.Invalid("address", "an address, a case, a trace's name or, in its place, a trace", m.GetAddress())
	}
	if err := s.reachable(Principal(ctx).Tenant, m.GetNotify()); err != nil {
		return nil, err
	}
	if m.GetFetch() && s.traces.fetcher == nil {
		return nil, errNoSources
	}
	if m.GetTrace() != nil || watchesMoney(m.GetAddress()) {
		return s.watchMoney(ctx, m)
	}
	a, err := ledger.ParseQualified(m.GetAddress())
	if err != nil {
		return nil, err
	}
	tenant := Principal(ctx).Tenant
	w := screening.Watch{Address: a.Qualified(), Note: m.GetNote(), Own: m.GetOwn(), Notify: m.GetNotify(), Created: s.now().UnixMilli()}
	if err := s.asking.look(ctx, tenant, &w, s.now(), m.GetFetch()); err != nil {
		return nil, err
	}
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	before, err := s.basisOf(ctx, v, tenant)
	if err != nil {
		return nil, err
	}
	if w.Since, err = sinceNow(ctx, v); err != nil {
		return nil, err
	}
	found, evidence, err := s.watched(ctx, v, a)
	if err = ignoreAbsent(err); err != nil { // a network that is not held yet triggers nothing
		return nil, err
	}
	if w, err = s.store.AddWatch(ctx, tenant, judged(w, found, evidence)); err != nil {
		return nil, err
	}
	if err := s.overtaken(ctx, tenant, before, screening.RetryWatch+w.Address); err != nil {
		return nil, err
	}
	s.wakeUp() // what rests on an address that became the tenant's own is scored again
	return watchMessage(&w), nil
}

// judged is a watch with what a screening came to; without one, as it was.
func judged(w screening.Watch, m *spoorv1.Screening, evidence []string) screening.Watch {
	if m == nil {
		return w
	}
	w.Level, w.Score, w.Rules, w.Evidence = m.GetRisk(), m.RiskScore, nil, evidence
	for _, t := range m.GetTriggers() {
		w.Rules = append(w.Rules, t.GetRuleId())
	}
	for _, b := range m.GetDetectedBehaviors() {
		w.Rules = append(w.Rules, patternRule(b))
	}
	return w
}

// ignoreAbsent takes what is not held for an answer, too.
func ignoreAbsent(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	return err
}

func watchMessage(w *screening.Watch) *spoorv1.Watch {
	m := &spoorv1.Watch{Id: watchID(w.Address), Note: w.Note, Created: timeMessage(w.Created), Notify: w.Notify, Trouble: w.Trouble}
	if w.Asked > 0 {
		m.Asked = timeMessage(w.Asked)
	}
	switch {
	case watchedCase(w.Address):
		m.Case = w.Address
	case watchedTrace(w.Address):
		m.Trace = w.Address
		if t, err := traceOf(w); err == nil { // else its watching fails, and says so
			m.Refs = t.GetRefs()
		}
	default:
		m.Address, m.Own, m.Risk, m.RiskScore = w.Address, w.Own, w.Level, w.Score
	}
	return m
}

// watchID names a watch in a URL.
func watchID(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:16])
}

// watchBatch is how many watches are read at a time.
const watchBatch = 1000

// ListWatches lists what is watched.
func (s *screenService) ListWatches(ctx context.Context, m *spoorv1.ListWatchesRequest) (*spoorv1.ListWatchesResponse, error) {
	if s.store == nil {
		return nil, errNoStore
	}
	skip := uint64(0)
	if m.GetPageToken() != "" {
		cursor, err := s.pages.of(ctx).cursor("watches", m.GetPageToken(), 1)
		if err != nil {
			return nil, err
		}
		skip = cursor[0]
	}
	size := pageSize(m.GetPageSize())
	all, err := s.store.Watches(Principal(ctx).Tenant, "", int(skip)+size+1)
	if err != nil {
		return nil, err
	}
	answer := &spoorv1.ListWatchesResponse{}
	for i := int(skip); i < min(len(all), int(skip)+size); i++ {
		answer.Watches = append(answer.Watches, watchMessage(&all[i]))
	}
	if len(all) > int(skip)+size {
		answer.NextPageToken = s.pages.of(ctx).token("watches", skip+uint64(size))
	}
	return answer, nil
}

// RemoveWatch ends a watch, by its id or its address.
func (s *screenService) RemoveWatch(ctx context.Context, m *spoorv1.RemoveWatchRequest) (*spoorv1.RemoveWatchResponse, error) {
	if s.store == nil {
		return nil, errNoStore
	}
	tenant := Principal(ctx).Tenant
	found := ""
	err := s.eachWatch(tenant, func(w screening.Watch) error {
		if watchID(w.Address) == m.GetId() {
			found = w.Address
		}
		return ctx.Err()
	})
	if err == nil && found == "" {
		err = absent("watch", m.GetId(), "no such watch")
	}
	if err != nil {
		return nil, err
	}
	return &spoorv1.RemoveWatchResponse{}, s.store.RemoveWatch(ctx, tenant, found)
}

// eachWatch reads every watch of a tenant in batches, so that what a callback
// writes disturbs nobody.
func (s *screenService) eachWatch(tenant string, visit func(screening.Watch) error) error {
	for last := ""; ; {
		all, err := s.store.Watches(tenant, last, watchBatch)
		if err != nil || len(all) == 0 {
			return err
		}
		for _, w := range all {
			if err := visit(w); err != nil {
				return err
			}
		}
		last = all[len(all)-1].Address
	}
}
