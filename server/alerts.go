package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/tracer/risk"
)

func unixMillis(t *timestamppb.Timestamp) int64 {
	if !given(t) {
		return 0
	}
	return t.AsTime().UnixMilli()
}

// raiseAll raises an alert for every trigger of a screening but those known before.
func (s *screenService) raiseAll(ctx context.Context, tenant string, a screening.Alert, m *spoorv1.Screening, v *view, known []string) error {
	for _, t := range m.GetTriggers() {
		if slices.Contains(known, t.GetRuleId()) {
			continue
		}
		a.Rule, a.Level, a.Message = t.GetRuleId(), t.GetRisk(), t.GetMessage()
		body := &spoorv1.Alert{Trigger: t, AsOf: m.GetAsOf(), Exposure: exposureOf(m, t)}
		if err := s.raise(ctx, tenant, a, body, v); err != nil {
			return err
		}
	}
	return nil
}

// patternRule names an alert about a pattern: there is one for each of its first transfers.
func patternRule(b *spoorv1.Behavior) string {
	if len(b.GetTransfers()) == 0 {
		return "pattern:" + b.GetPattern()
	}
	return "pattern:" + b.GetPattern() + ":" + b.GetTransfers()[0]
}

// raisePatterns raises an alert for every pattern of an address but those known
// before. A pattern has no level of its own and enters no score: MEDIUM is judgment.
func (s *screenService) raisePatterns(ctx context.Context, tenant string, a screening.Alert, m *spoorv1.Screening, v *view, known []string) error {
	a.Type, a.Level = "BEHAVIORAL", risk.Medium.String()
	for _, b := range m.GetDetectedBehaviors() {
		if a.Rule = patternRule(b); slices.Contains(known, a.Rule) {
			continue
		}
		a.Message = b.GetPattern() + ": " + b.GetMessage()
		if err := s.raise(ctx, tenant, a, &spoorv1.Alert{AsOf: m.GetAsOf()}, v); err != nil {
			return err
		}
	}
	return nil
}

// raise enters one alert, tentative while the tip may be replaced.
func (s *screenService) raise(ctx context.Context, tenant string, a screening.Alert, body *spoorv1.Alert, v *view) error {
	var err error
	if a.Body, err = proto.Marshal(body); err != nil {
		return fmt.Errorf("alert: %w", err)
	}
	if head, err := v.AsOf(ctx, ledger.Chain(a.Network)); err == nil {
		a.Height = head.Height
	}
	a.Finality = v.finalityAt(ledger.Chain(a.Network), a.Height)
	_, _, err = s.store.Raise(ctx, tenant, a, s.now().UnixMilli())
	return err
}

// exposureOf is the exposure that a rule looked at.
func exposureOf(m *spoorv1.Screening, t *spoorv1.Trigger) *spoorv1.Exposure {
	for _, e := range m.GetExposures() {
		if e.GetCategory() == t.GetCategory() && e.GetExposureType() == t.GetExposureType() && (t.GetDirection() == "" || e.GetDirection() == t.GetDirection()) {
			return e
		}
	}
	return nil
}

func alertMessage(a *screening.Alert) (*spoorv1.Alert, error) {
	m := &spoorv1.Alert{}
	if err := proto.Unmarshal(a.Body, m); err != nil {
		return nil, fmt.Errorf("alert %s: %w: %w", a.ID, err, ledger.ErrCorrupt)
	}
	m.Id, m.Type, m.Level, m.Status, m.ExternalId, m.Address = a.ID, a.Type, a.Level, a.Status, a.Transfer, a.Address
	m.UserId, m.Finality, m.Created, m.Message = a.User, a.Finality, timeMessage(a.Created), a.Message
	for _, c := range a.History {
		m.History = append(m.History, &spoorv1.AlertChange{Status: c.Status, By: c.By, Comment: c.Comment, Time: timeMessage(c.Time), Finality: c.Finality})
	}
	return m, nil
}

// ListAlerts lists alerts, the newest first.
func (s *screenService) ListAlerts(ctx context.Context, m *spoorv1.ListAlertsRequest) (*spoorv1.ListAlertsResponse, error) {
	if s.store == nil {
		return nil, errNoStore
	}
	query := strings.Join([]string{"alerts", strings.Join(m.GetStatuses(), ","), strings.Join(m.GetLevels(), ","), m.GetExternalId(), m.GetUserId()}, "\x00")
	var before uint64
	if m.GetPageToken() != "" {
		cursor, err := s.pages.of(ctx).cursor(query, m.GetPageToken(), 1)
		if err != nil {
			return nil, err
		}
		before = cursor[0]
	}
	size := pageSize(m.GetPageSize())
	answer := &spoorv1.ListAlertsResponse{}
	var last uint64
	var bad error
	err := s.store.Alerts(ctx, Principal(ctx).Tenant, before, func(a screening.Alert) bool {
		if !wanted(m, &a) {
			return true
		}
		if len(answer.GetAlerts()) == size {
			answer.NextPageToken = s.pages.of(ctx).token(query, last)
			return false
		}
		last = a.Number
		var one *spoorv1.Alert
		one, bad = alertMessage(&a)
		answer.Alerts = append(answer.Alerts, one)
		return bad == nil
	})
	return answer, errors.Join(err, bad)
}

func wanted(m *spoorv1.ListAlertsRequest, a *screening.Alert) bool {
	return (len(m.GetStatuses()) == 0 || slices.Contains(m.GetStatuses(), a.Status)) && (len(m.GetLevels()) == 0 || slices.Contains(m.GetLevels(), a.Level)) &&
		(m.GetExternalId() == "" || a.Transfer == m.GetExternalId()) && (m.GetUserId() == "" || a.User == m.GetUserId())
}

// UpdateAlert sets the status of an alert.
func (s *screenService) UpdateAlert(ctx context.Context, m *spoorv1.UpdateAlertRequest) (*spoorv1.Alert, error) {
	if s.store == nil {
		return nil, errNoStore
	}
	caller := Principal(ctx)
	by := caller.Name
	if caller.KeyID != "" {
		by = strings.TrimSpace(caller.KeyID + " " + caller.Name)
	}
	if by == "" {
		by = caller.Tenant
	}
	_, err := s.store.Update(ctx, caller.Tenant, m.GetId(), screening.Change{Status: m.GetStatus(), By: by, Comment: m.GetComment(), Time: s.now().UnixMilli()})
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, absent("alert", m.GetId(), "no such alert")
	}
	if err != nil {
		return nil, err
	}
	a, err := s.store.Alert(ctx, caller.Tenant, m.GetId())
	if err != nil {
		return nil, err
	}
	return alertMessage(&a)
}

// eventPage is how many alert events are read at a time.
const eventPage = 100

// WatchAlerts sends the events after a cursor, and those to come; while it does,
// sources are asked after what is watched.
func (s *screenService) WatchAlerts(m *spoorv1.WatchAlertsRequest, stream spoorv1.ScreeningService_WatchAlertsServer) error {
	if s.store == nil {
		return errNoStore
	}
	ctx, tenant := stream.Context(), Principal(stream.Context()).Tenant
	release := s.asking.want()
	defer release()
	last, err := s.store.LastEvent(tenant)
	if err != nil {
		return err
	}
	cursor := last
	if text := m.GetCursor(); text != "" {
		if cursor, err = strconv.ParseUint(text, 10, 64); err != nil || cursor > last {
			return ledger.Invalid("cursor", "the cursor of an event, 0 for everything, or nothing", text)
		}
	}
	for {
		events, more, err := s.store.Events(ctx, tenant, cursor, eventPage)
		if err != nil {
			return err
		}
		for _, e := range events {
			one, err := eventMessage(&e)
			if err != nil {
				return err
			}
			if err := stream.Send(one); err != nil {
				return err
			}
			cursor = e.Number
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func eventMessage(e *screening.Event) (*spoorv1.AlertEvent, error) {
	a, err := alertMessage(&e.Alert)
	return &spoorv1.AlertEvent{
		Cursor: strconv.FormatUint(e.Number, 10), EventId: e.Alert.ID + "-" + strconv.FormatUint(e.Number, 10), Event: e.Kind, Alert: a, Time: timeMessage(e.Time),
	}, err
}

// settle makes tentative alerts final once their block is, and retracts those
// whose cause left with a block that was replaced.
func (s *screenService) settle(ctx context.Context, tenant string, v *view, replaced map[ledger.Chain]uint64) error {
	ids, err := s.store.TentativeAlerts(tenant)
	for _, id := range ids {
		if err != nil {
			return err
		}
		var a screening.Alert
		if a, err = s.store.Alert(ctx, tenant, id); err != nil {
			return err
		}
		chain := ledger.Chain(a.Network)
		if from, ok := replaced[chain]; ok && a.Height >= from {
			err = s.recheck(ctx, tenant, v, &a)
		} else if v.finalityAt(chain, a.Height) == final {
			_, err = s.store.Settle(ctx, tenant, id, screening.Final, "its block is final", s.now().UnixMilli())
		}
	}
	return err
}

// recheck retracts an alert that the blocks of the moment would not raise.
func (s *screenService) recheck(ctx context.Context, tenant string, v *view, a *screening.Alert) error {
	holds, err := s.stillHolds(ctx, tenant, v, a)
	if err != nil || holds {
		return err
	}
	_, err = s.store.Settle(ctx, tenant, a.ID, screening.Retracted, "the block that raised it was replaced", s.now().UnixMilli())
	return err
}

func (s *screenService) stillHolds(ctx context.Context, tenant string, v *view, a *screening.Alert) (bool, error) {
	triggers := func(m *spoorv1.Screening) bool {
		return slices.ContainsFunc(m.GetTriggers(), func(t *spoorv1.Trigger) bool { return t.GetRuleId() == a.Rule })
	}
	if a.Transfer != "" {
		t, err := s.store.Transfer(ctx, tenant, a.Transfer)
		if err != nil {
			return false, err
		}
		q, err := questionOf(&t.Registration)
		if err != nil {
			return false, err
		}
		_, m, err := s.judge(ctx, v, &t.Registration, q)
		return triggers(m), err
	}
	if a.Type == heldMoved || a.Type == heldAtExchange {
		return s.stillHeld(ctx, tenant, v, a)
	}
	address, err := ledger.ParseQualified(a.Address)
	if err != nil {
		return false, err
	}
	if a.Type == "ISSUER_FREEZE" || a.Type == "BALANCE_MOVED" {
		return s.noted(ctx, v, address, a)
	}
	m, err := s.screen(ctx, v, address)
	shows := func(b *spoorv1.Behavior) bool { return patternRule(b) == a.Rule }
	return triggers(m) || slices.ContainsFunc(m.GetDetectedBehaviors(), shows), ignoreAbsent(err)
}

// tenantContext is a call that a tenant's own work makes, without a client.
func tenantContext(ctx context.Context, tenant string) context.Context {
	return withCaller(ctx, Caller{Tenant: tenant, Role: spoorv1.Role_ROLE_SCREENER})
}

// expires reports whether a transfer has been unseen for too long.
func expires(t *screening.Transfer, now time.Time) bool {
	return now.Sub(time.UnixMilli(t.Registered)) >= pendingFor
}
