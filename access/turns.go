package access

import (
	"context"
	"slices"
	"time"
)

// Slot waits for a slot and returns what gives it back, to be called once. It
// refuses with a *QuotaError when none came within patience; 0 waits as long as ctx does.
func (m *Meter) Slot(ctx context.Context, name string, l Limits, patience time.Duration) (release func(), err error) {
	m.mu.Lock()
	p := m.of(name, l)
	if m.free > 0 && p.slots < m.share && len(p.waiting) == 0 {
		defer m.mu.Unlock()
		return m.take(p), nil
	}
	mine := make(chan func(), 1)
	if len(p.waiting) == 0 {
		m.turns = append(m.turns, p)
	}
	p.waiting = append(p.waiting, mine)
	m.mu.Unlock()
	var late <-chan time.Time
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case release = <-mine:
		return release, nil
	case <-late:
		err = &QuotaError{What: Overload, Retry: comeback}
	case <-ctx.Done():
		err = ctx.Err()
	}
	if release := m.leave(p, mine); release != nil { // it came at the last moment
		release()
	}
	return nil, err
}

// take gives a payer a free slot. m.mu is held.
func (m *Meter) take(p *payer) (release func()) {
	m.free--
	p.slots++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.free++
		p.slots--
		m.hand()
	}
}

// hand gives free slots to those who wait, one each in turn; who holds its
// share already is passed over. m.mu is held.
func (m *Meter) hand() {
	for m.free > 0 {
		i := slices.IndexFunc(m.turns, func(p *payer) bool { return p.slots < m.share })
		if i < 0 {
			return
		}
		p := m.turns[i]
		m.turns = slices.Delete(m.turns, i, i+1)
		p.waiting[0] <- m.take(p) // it has room for one
		p.waiting = p.waiting[1:]
		if len(p.waiting) > 0 {
			m.turns = append(m.turns, p)
		}
	}
}

// leave takes a waiter out of its queue, or returns the slot that it was given.
func (m *Meter) leave(p *payer, mine chan func()) (release func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(p.waiting, mine)
	if i < 0 {
		return <-mine
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	if len(p.waiting) == 0 {
		m.turns = slices.DeleteFunc(m.turns, func(other *payer) bool { return other == p })
	}
	return nil
}
