package access

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/spoortrace/spoor/ledger"
)

// Meter shares one process among those who pay for it: tenants, or the addresses
// of clients without a key. Each has a token bucket, a number of calls that may
// run at a time, and its turn: work that needs the processor waits for one of
// few slots, which go round the payers one by one. So a payer who asks a
// hundred times as much fills its own queue, not another's.
type Meter struct {
	now   func() time.Time
	share int // slots that one payer may hold: the rest stays free for whoever comes next

	mu     sync.Mutex
	free   int
	payers map[string]*payer
	turns  []*payer // who waits for a slot, next first; each payer once
}

// payer is what a Meter knows of one of them.
type payer struct {
	bucket  *rate.Limiter
	limits  Limits
	running int           // calls and streams that were let in
	slots   int           // slots held
	waiting []chan func() // each gets its release; closed under the meter's mutex only
}

// Limits are those of one payer, all above 0.
type Limits struct {
	Rate       float64 // requests per second
	Burst      int     // how many at once
	Concurrent int     // calls and streams at a time
}

// Limits returns the limits of a tenant, with the defaults put in.
func (t *Tenant) Limits() Limits { return Limits{float64(t.rate()), t.burst(), t.concurrent()} }

// Quota is what is left of a payer's bucket.
type Quota struct {
	Limit     int // size of the bucket
	Remaining int
}

// QuotaError is a request beyond a limit. It matches ledger.ErrExhausted.
type QuotaError struct {
	Quota
	What  string        // the limit: RateLimit, ConcurrencyLimit or Overload
	Most  float64       // how many of them there may be
	Retry time.Duration // when to come back
}

// The limits that a QuotaError names.
const (
	RateLimit        = "requests a second"
	ConcurrencyLimit = "calls at a time"
	Overload         = "the server's capacity"
)

// Error says which limit it was.
func (e *QuotaError) Error() string {
	if e.What == Overload {
		return "the server is overloaded; ask again in a moment"
	}
	return fmt.Sprintf("more than %v %s", e.Most, e.What)
}

// Is makes errors.Is(err, ledger.ErrExhausted) true.
func (e *QuotaError) Is(target error) bool { return target == ledger.ErrExhausted }

const (
	// maxPayers bounds the memory: beyond it, those who have nothing running are forgotten.
	maxPayers = 10_000
	// forever is as long as a client is told to wait at most.
	forever = 24 * time.Hour
	// comeback is what a client is told to wait where no bucket says better.
	comeback = time.Second
)

// NewMeter makes a meter with a number of slots for work at a time. One payer
// may hold all of them but a quarter.
func NewMeter(slots int, now func() time.Time) *Meter {
	slots = max(1, slots)
	return &Meter{now: now, free: slots, share: max(1, slots-slots/4), payers: map[string]*payer{}}
}

// of finds a payer. Its limits are those that came last. m.mu is held.
func (m *Meter) of(name string, l Limits) *payer {
	p := m.payers[name]
	if p == nil {
		if len(m.payers) >= maxPayers {
			m.forget()
		}
		p = &payer{bucket: rate.NewLimiter(rate.Limit(l.Rate), l.Burst), limits: l}
		m.payers[name] = p
	}
	if p.limits != l {
		p.limits = l
		p.bucket.SetLimitAt(m.now(), rate.Limit(l.Rate))
		p.bucket.SetBurstAt(m.now(), l.Burst)
	}
	return p
}

func (m *Meter) forget() {
	for name, p := range m.payers {
		if p.running == 0 {
			delete(m.payers, name)
		}
	}
}

// Enter lets one call or stream of a payer in, which ends with leave, or
// refuses with a *QuotaError.
func (m *Meter) Enter(name string, l Limits) (leave func(), err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.of(name, l)
	if p.running >= p.limits.Concurrent {
		return nil, &QuotaError{Quota{Limit: p.limits.Concurrent}, ConcurrencyLimit, float64(p.limits.Concurrent), comeback}
	}
	p.running++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		p.running--
	}, nil
}

// Spend takes one request out of a payer's bucket, or refuses with a
// *QuotaError that says when there is one again.
func (m *Meter) Spend(name string, l Limits) (Quota, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, now := m.of(name, l), m.now()
	q := Quota{Limit: p.limits.Burst}
	next := p.bucket.ReserveN(now, 1)
	if wait := next.DelayFrom(now); wait > 0 {
		next.CancelAt(now)
		return q, &QuotaError{q, RateLimit, l.Rate, min(wait, forever)}
	}
	q.Remaining = max(0, int(p.bucket.TokensAt(now)))
	return q, nil
}

// Wait takes one message of a stream out of a payer's bucket and waits until
// there is one: the stream flows at the payer's rate.
func (m *Meter) Wait(ctx context.Context, name string, l Limits) error {
	m.mu.Lock()
	p, now := m.of(name, l), m.now()
	next := p.bucket.ReserveN(now, 1)
	wait := next.DelayFrom(now)
	m.mu.Unlock()
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		next.CancelAt(m.now())
		return ctx.Err()
	}
}
