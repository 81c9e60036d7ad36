package screening

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// The finalities of an alert.
const (
	Tentative = "TENTATIVE"
	Final     = "FINAL"
	Retracted = "RETRACTED"
)

// Statuses are those of an alert.
func Statuses() []string {
	return []string{"UNREVIEWED", "IN_REVIEW", "FLAGGED", "ESCALATED", "NO_REVIEW", "DISMISSED", "CLOSED"}
}

// Raise enters an alert; there is one for each (transfer, rule) and each (address,
// type, rule). Of one that is there, only a retraction is taken back.
func (s *Store) Raise(ctx context.Context, tenant string, a Alert, now int64) (made Alert, raised bool, err error) {
	err = s.do(ctx, func(b *batch) error {
		p := string(partition(tenant))
		secret, err := b.secret(tenant)
		if err != nil {
			return err
		}
		kind := a.Type
		if a.Transfer != "" {
			kind = "" // whatever the cause
		}
		a.ID = named(secret, "alert", a.Transfer, a.Address, kind, a.Rule)
		known, err := load(b.get, p, "L"+a.ID, &made)
		if err != nil || known && made.Finality != Retracted {
			return err
		}
		raised = true
		if known {
			made.Finality, made.Height = a.Finality, a.Height
			made.History = append(made.History, Change{Status: made.Status, Finality: a.Finality, Comment: "triggered again", Time: now})
			return b.keep(p, made, "UPDATED", now)
		}
		made = a
		made.Status, made.Created = "UNREVIEWED", now
		if made.Number, err = b.next(p, "l"); err != nil {
			return err
		}
		made.History = []Change{{Status: made.Status, Finality: a.Finality, Time: now}}
		b.put(p, numbered("l", made.Number), []byte(made.ID))
		if made.Transfer != "" {
			b.put(p, "t"+made.Transfer+made.ID, nil)
		}
		return b.keep(p, made, "CREATED", now)
	})
	return made, raised, err
}

// keep writes an alert with the event that made it so.
func (b *batch) keep(p string, a Alert, kind string, now int64) error {
	b.events = true
	b.drop(p, "F"+a.ID)
	if a.Finality == Tentative {
		b.put(p, "F"+a.ID, nil)
	}
	n, err := b.next(p, "E")
	if err != nil {
		return err
	}
	if err := b.save(p, numbered("E", n), &Event{Number: n, Kind: kind, Time: now, Alert: a}); err != nil {
		return err
	}
	return b.save(p, "L"+a.ID, &a)
}

// Update sets the status of an alert; ledger.ErrNotFound when the tenant has none of that id.
func (s *Store) Update(ctx context.Context, tenant, id string, c Change) (a Alert, err error) {
	if !slices.Contains(Statuses(), c.Status) {
		return a, ledger.Invalid("status", "a status of alerts", c.Status)
	}
	return s.change(ctx, tenant, id, func(a *Alert) bool {
		a.Status, c.Finality = c.Status, a.Finality
		a.History = append(a.History, c)
		return true
	}, c.Time)
}

// Settle makes a tentative alert final, or retracts it.
func (s *Store) Settle(ctx context.Context, tenant, id, finality, why string, now int64) (Alert, error) {
	return s.change(ctx, tenant, id, func(a *Alert) bool {
		if a.Finality != Tentative {
			return false
		}
		a.Finality = finality
		a.History = append(a.History, Change{Status: a.Status, Finality: finality, Comment: why, Time: now})
		return true
	}, now)
}

func (s *Store) change(ctx context.Context, tenant, id string, change func(*Alert) bool, now int64) (a Alert, err error) {
	err = s.do(ctx, func(b *batch) error {
		p := string(partition(tenant))
		found, err := load(b.get, p, "L"+id, &a)
		if err != nil || !found {
			return errors.Join(err, absent(id, found))
		}
		if !change(&a) {
			return nil
		}
		return b.keep(p, a, "UPDATED", now)
	})
	return a, err
}

// TentativeAlerts lists the alerts that may still be retracted.
func (s *Store) TentativeAlerts(tenant string) ([]string, error) { return s.ids(tenant, "F") }

// Alert reads one alert with its user.
func (s *Store) Alert(_ context.Context, tenant, id string) (a Alert, err error) {
	err = s.read(func(get getter, _ store.Reader) error {
		found, err := load(get, string(partition(tenant)), "L"+id, &a)
		if err != nil || !found {
			return errors.Join(err, absent(id, found))
		}
		return withUser(get, tenant, &a)
	})
	return a, err
}

// withUser fills in the user of the alert's transfer.
func withUser(get getter, tenant string, a *Alert) error {
	if a.Transfer == "" {
		return nil
	}
	var t Transfer
	if _, err := load(get, string(partition(tenant)), "T"+a.Transfer, &t); err != nil {
		return err
	}
	err := openUser(get, tenant, &t)
	a.User = t.User
	return err
}

// AlertsOf lists the alerts of one transfer.
func (s *Store) AlertsOf(ctx context.Context, tenant, transfer string) (all []Alert, err error) {
	ids, err := s.ids(tenant, "t"+transfer)
	for _, id := range ids {
		var a Alert
		if a, err = s.Alert(ctx, tenant, id); err != nil {
			break
		}
		all = append(all, a)
	}
	return all, err
}

// Alerts yields the alerts of a tenant older than a number (0: all), the newest first.
func (s *Store) Alerts(ctx context.Context, tenant string, before uint64, yield func(Alert) bool) error {
	to := after("l")
	if before > 0 {
		to = []byte(numbered("l", before))
	}
	return s.read(func(get getter, r store.Reader) error {
		for row, err := range r.Scan(partition(tenant), []byte("l"), to, true) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			id, err := open(row.Value)
			if err != nil {
				return err
			}
			var a Alert
			if _, err := load(get, string(partition(tenant)), "L"+string(id), &a); err != nil {
				return err
			}
			if err := withUser(get, tenant, &a); err != nil {
				return err
			}
			if !yield(a) {
				return nil
			}
		}
		return nil
	})
}

// Events returns the alert events after a cursor, at most n, and a channel that
// is closed when there is more.
func (s *Store) Events(ctx context.Context, tenant string, cursor uint64, n int) (events []Event, more <-chan struct{}, err error) {
	s.mu.RLock()
	more = s.events
	s.mu.RUnlock()
	err = s.read(func(get getter, r store.Reader) error {
		for row, err := range r.Scan(partition(tenant), []byte(numbered("E", cursor+1)), after("E"), false) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil || len(events) == n {
				return err
			}
			var e Event
			if _, err := load(func(string, string) ([]byte, error) { return open(row.Value) }, "", "E", &e); err != nil {
				return err
			}
			if err := withUser(get, tenant, &e.Alert); err != nil {
				return err
			}
			events = append(events, e)
		}
		return nil
	})
	return events, more, err
}

// LastEvent is the cursor of the latest event; 0 when there is none.
func (s *Store) LastEvent(tenant string) (n uint64, err error) {
	err = s.read(func(get getter, _ store.Reader) error {
		body, err := get(string(partition(tenant)), "#E")
		if errors.Is(err, store.ErrAbsent) {
			return nil
		}
		if err == nil && len(body) == 8 {
			n = binary.BigEndian.Uint64(body)
		}
		return err
	})
	return n, err
}
