package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence/letter"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/tracer/risk"
)

// holdsEvery is how often the holds of all cases are looked at.
const holdsEvery = time.Minute

// holds alarms before a hold ends, and when it has: once each, since an alert of
// one rule is raised once.
func (r *rescorer) holds(ctx context.Context) error {
	now := r.now()
	if r.cases.cases == nil || now.Sub(r.held).Abs() < holdsEvery {
		return nil
	}
	r.held = now
	var failed []error // one case's is no reason to leave out the others
	for _, c := range r.cases.cases.All() {
		if err := r.holdsOf(ctx, c, now); err != nil {
			failed = append(failed, fmt.Errorf("holds of %s: %w", c.ID, err))
		}
	}
	return errors.Join(failed...)
}

func (r *rescorer) holdsOf(ctx context.Context, c cases.Case, now time.Time) error {
	all, err := letter.Register(c, now, letter.Notice)
	if err != nil {
		return err
	}
	for _, e := range all {
		for _, h := range e.Holds {
			kind, ends := "HOLD_EXPIRING", "ends at"
			switch h.State {
			case letter.Expired:
				kind, ends = "HOLD_EXPIRED", "ended at"
			case letter.Expiring:
			case letter.Sent, letter.Answered, letter.Held:
				continue
			}
			name := "cases/" + string(c.ID)
			body, err := proto.Marshal(&spoorv1.Alert{Case: name, Request: e.Request})
			if err != nil {
				return err
			}
			w, _, err := r.store.Watch(c.Opening.Tenant, name)
			if err != nil {
				return err
			}
			until := h.Until.UTC().Format(stampForm)
			_, _, err = r.store.Raise(ctx, c.Opening.Tenant, screening.Alert{
				Type: kind, Level: risk.High.String(), Rule: name + " " + e.Request + " " + h.Asset + " " + until, Finality: screening.Final, Body: body, Notify: w.Notify,
				Message: fmt.Sprintf("request %s of %s: the hold of %s base units of %s %s %s", e.Request, name, h.Amount, h.Asset, ends, until),
			}, now.UnixMilli())
			if err != nil {
				return err
			}
		}
	}
	return nil
}
