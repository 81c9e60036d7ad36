package access_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/ledger"
)

var wide = access.Limits{Rate: 1e6, Burst: 1e6, Concurrent: 1e6}

// refusedFor wants a *QuotaError of one limit.
func refusedFor(t testing.TB, name string, err error, what string) {
	t.Helper()
	var quota *access.QuotaError
	if !errors.As(err, &quota) || quota.What != what || quota.Retry <= 0 || !errors.Is(err, ledger.ErrExhausted) {
		t.Fatalf("%s: %v, want a refusal for %s", name, err, what)
	}
}

// TestRate spends a bucket, is told when to come back, and is let in then and no earlier.
func TestRate(t *testing.T) {
	c := newClock()
	m := access.NewMeter(1, c.now)
	l := access.Limits{Rate: 4, Burst: 3, Concurrent: 1}
	for left := 2; left >= 0; left-- {
		if q, err := m.Spend("a", l); err != nil || q.Limit != 3 || q.Remaining != left {
			t.Fatalf("%v, %v, want %d left", q, err, left)
		}
	}
	_, err := m.Spend("a", l)
	refusedFor(t, "the fourth", err, access.RateLimit)
	var quota *access.QuotaError
	if errors.As(err, &quota); quota.Retry != 250*time.Millisecond || quota.Most != 4 {
		t.Errorf("%+v", quota)
	}
	c.at = c.at.Add(249 * time.Millisecond)
	_, err = m.Spend("a", l)
	refusedFor(t, "too early", err, access.RateLimit)
	c.at = c.at.Add(time.Millisecond)
	if _, err := m.Spend("a", l); err != nil {
		t.Error(err)
	}
	if _, err := m.Spend("b", l); err != nil {
		t.Errorf("another payer: %v", err)
	}
	if _, err := m.Spend("a", access.Limits{Rate: 0, Burst: 1, Concurrent: 1}); err == nil {
		t.Error("a limit that came later is not in force")
	}
}

// TestConcurrent lets in as many calls as there may be, and one more for each that ends.
func TestConcurrent(t *testing.T) {
	m := access.NewMeter(1, time.Now)
	l := access.Limits{Rate: 1, Burst: 1, Concurrent: 2}
	leave, err := m.Enter("a", l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Enter("a", l); err != nil {
		t.Fatal(err)
	}
	_, err = m.Enter("a", l)
	refusedFor(t, "the third", err, access.ConcurrencyLimit)
	leave()
	if _, err := m.Enter("a", l); err != nil {
		t.Error(err)
	}
}

// TestStreamRate: messages of a stream wait for the bucket, and no longer than their stream.
func TestStreamRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := access.NewMeter(1, time.Now)
		l := access.Limits{Rate: 100, Burst: 1, Concurrent: 1}
		start := time.Now()
		for range 501 {
			if err := m.Wait(t.Context(), "a", l); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start).Round(time.Millisecond); took != 5*time.Second {
			t.Errorf("501 messages at 100 a second took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := m.Wait(ctx, "a", l); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("past its stream: %v", err)
		}
	})
}

// TestTurns: whoever comes next waits for one of those who came a hundred times
// as often, not for all of them.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := access.NewMeter(4, time.Now)
		work := func(who string) time.Duration {
			start := time.Now()
			release, err := m.Slot(t.Context(), who, wide, 0)
			if err != nil {
				t.Error(err)
				return 0
			}
			time.Sleep(time.Millisecond)
			release()
			return time.Since(start)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var many sync.WaitGroup
		done := 0
		var mu sync.Mutex
		for range 400 {
			many.Go(func() {
				for ctx.Err() == nil {
					work("many")
					mu.Lock()
					done++
					mu.Unlock()
				}
			})
		}
		time.Sleep(10 * time.Millisecond)
		var took []time.Duration
		for range 200 {
			took = append(took, work("few"))
			time.Sleep(3 * time.Millisecond)
		}
		cancel()
		many.Wait()
		slices.Sort(took)
		if p99 := took[len(took)*99/100]; p99 > 2*time.Millisecond {
			t.Errorf("beside 400 others 99 of 100 calls took up to %v, alone they take 1ms", p99)
		}
		if done < 1800 { // 3 slots for 0.8 s
			t.Errorf("the others came to %d calls only", done)
		}
	})
}

// TestOverload: who waits in vain is refused in time, and no slot is lost
// whatever ends first.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots = 4
		m := access.NewMeter(slots, time.Now)
		var all sync.WaitGroup
		refused, served, gone := 0, 0, 0
		var mu sync.Mutex
		for i := range 2000 {
			all.Go(func() {
				r := rand.New(rand.NewPCG(7, uint64(i)))
				time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(50+r.IntN(100))*time.Millisecond)
				defer cancel()
				start := time.Now()
				release, err := m.Slot(ctx, string(rune('a'+i%7)), wide, 100*time.Millisecond)
				if waited := time.Since(start); waited > 100*time.Millisecond {
					t.Errorf("waited for %v", waited)
				}
				mu.Lock()
				var quota *access.QuotaError
				switch {
				case err == nil:
					served++
				case errors.As(err, &quota):
					refused++
				default:
					gone++
				}
				mu.Unlock()
				if err == nil {
					time.Sleep(time.Duration(1+r.IntN(5)) * time.Millisecond)
					release()
				}
			})
		}
		all.Wait()
		if served == 0 || refused == 0 || gone == 0 {
			t.Errorf("%d served, %d refused, %d gone: one of them was not tried", served, refused, gone)
		}
		for i := range slots { // all of them are free again
			if _, err := m.Slot(t.Context(), string(rune('a'+i)), wide, time.Millisecond); err != nil {
				t.Errorf("slot %d: %v", i, err)
			}
		}
		_, err := m.Slot(t.Context(), "z", wide, time.Millisecond)
		refusedFor(t, "one slot more", err, access.Overload)
	})
}

// TestManyPayers: a meter remembers so many and no more, and none that runs is forgotten.
func TestManyPayers(t *testing.T) {
	c := newClock()
	m := access.NewMeter(1, c.now)
	one := access.Limits{Rate: 1, Burst: 1, Concurrent: 1}
	if _, err := m.Enter("runs", one); err != nil {
		t.Fatal(err)
	}
	for i := range 50_000 {
		if _, err := m.Spend("client "+string(rune(i)), one); err != nil {
			t.Fatal(err)
		}
	}
	_, err := m.Enter("runs", one)
	refusedFor(t, "a second call of one that runs", err, access.ConcurrencyLimit)
}

// BenchmarkMeter is what the gate costs a call.
func BenchmarkMeter(b *testing.B) {
	m := access.NewMeter(8, time.Now)
	l := access.Limits{Rate: 1e9, Burst: 1e9, Concurrent: 1e6}
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			leave, err := m.Enter("a", l)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := m.Spend("a", l); err != nil {
				b.Fatal(err)
			}
			release, err := m.Slot(context.Background(), "a", l, time.Second)
			if err != nil {
				b.Fatal(err)
			}
			release()
			leave()
		}
	})
}
