package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// affectedBy lists the kept answers of the caller's tenant that rested on a tag.
// The view is one without it: the tag was just retracted, or would be.
type affectedBy func(ctx context.Context, v *view, t ledger.Tag) ([]*spoorv1.AffectedResult, error)

const maxAffected = 10_000

// RetractLabel withdraws one label from the next sequence number on, and says
// what that changes. A private label of another tenant is none.
func (s *labelService) RetractLabel(ctx context.Context, m *spoorv1.RetractLabelRequest) (*spoorv1.RetractLabelResponse, error) {
	id, err := strconv.ParseUint(m.GetId(), 10, 64)
	if err != nil {
		return nil, ledger.Invalid("id", "the number of a label", m.GetId())
	}
	before, err := s.data.labels.Tag(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) || (err == nil && before.Tenant != "" && before.Tenant != Principal(ctx).Tenant) {
		return nil, absent("label", m.GetId(), "no such label")
	}
	if err != nil {
		return nil, err
	}
	if caller := Principal(ctx); before.Tenant == "" && !caller.speaksForAll() {
		wrong := fmt.Errorf("label %d is everyone's: only an administrator retracts it; the key %s has %s", id, caller.KeyID, caller.Role)
		return nil, withDetails(codes.PermissionDenied, wrong, info("PERMISSION_DENIED"))
	}
	if m.GetDryRun() {
		if err := s.data.labels.Retractable(id); err != nil {
			return nil, err
		}
		return s.changes(ctx, before, 0)
	}
	done, err := s.data.labels.Retract(id, m.GetReason(), s.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	answer, err := s.changes(ctx, before, done.Sequence)
	if err != nil {
		return nil, fmt.Errorf("label %d is retracted, but not all that rested on it could be listed: %w", id, err)
	}
	return answer, nil
}

// changes says what a retraction changed; with the sequence 0, what it would.
func (s *labelService) changes(ctx context.Context, t ledger.Tag, retracted uint64) (*spoorv1.RetractLabelResponse, error) {
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	if retracted == 0 {
		v.without = t.ID
	}
	answer := &spoorv1.RetractLabelResponse{Label: labelMessage(labels.Entry{Tag: t, Sequence: s.data.sequenceOf(t.ID), Retracted: retracted})}
	for _, list := range s.affected {
		found, err := list(ctx, v, t)
		if err != nil {
			return nil, err
		}
		answer.Affected = append(answer.Affected, found...)
	}
	answer.Affected = answer.Affected[:min(len(answer.Affected), maxAffected)]
	return answer, nil
}

// carrying lists the finished traces of the caller's tenant whose answer shows a
// tag. A trace stays as it was, pinned at its label sequence: it must be asked again.
func (j *jobs) carrying(ctx context.Context, _ *view, t ledger.Tag) ([]*spoorv1.AffectedResult, error) {
	id, tenant := strconv.FormatUint(t.ID, 10), Principal(ctx).Tenant
	j.mu.Lock()
	var kept []*spoorv1.Trace
	for _, one := range j.byName {
		if one.tenant == tenant && one.trace.GetState() == stateDone {
			kept = append(kept, one.trace)
		}
	}
	j.mu.Unlock()
	var found []*spoorv1.AffectedResult
	for _, trace := range kept {
		if carries(trace, id) {
			found = append(found, &spoorv1.AffectedResult{Kind: "trace", Id: trace.GetName()})
		}
	}
	slices.SortFunc(found, func(a, b *spoorv1.AffectedResult) int { return strings.Compare(a.GetId(), b.GetId()) })
	return found, nil
}

// carries reports whether a label stands at a hop or a terminal of a trace.
func carries(trace *spoorv1.Trace, id string) bool {
	has := func(all []*spoorv1.Label) bool {
		return slices.ContainsFunc(all, func(l *spoorv1.Label) bool { return l.GetId() == id })
	}
	return slices.ContainsFunc(trace.GetHops(), func(h *spoorv1.Hop) bool { return has(h.GetFromLabels()) || has(h.GetToLabels()) }) ||
		slices.ContainsFunc(trace.GetTerminals(), func(t *spoorv1.Terminal) bool { return has(t.GetLabels()) || has(t.GetViaLabels()) })
}
