package server_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/access"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// slow is an engine that takes its time.
type slow struct {
	store.KV
	wait *atomic.Int64 // nanoseconds for each view
}

func (k slow) View() (store.Reader, func()) {
	time.Sleep(time.Duration(k.wait.Load()))
	return k.KV.View()
}

// keyed is a client with the keys of its server.
type keyed struct {
	*client
	keys *access.Store
}

// crowd is a server with two tenants; acme asks with many at a time.
func crowd(t testing.TB, wait *atomic.Int64) (c keyed, many, few context.Context) {
	t.Helper()
	engine := memkv.New()
	w := emptyWorld(t, func(dir string) (store.KV, error) {
		kv, err := engine(dir)
		return slow{kv, wait}, err
	})
	w.fill(t)
	keep := keys(t, new(time.Duration))
	token := func(tenant string) string {
		if err := keep.SetTenant(access.Tenant{Name: tenant, Rate: 1_000_000, Concurrent: 10_000}, "test"); err != nil {
			t.Fatal(err)
		}
		_, token, err := keep.NewKey(access.Key{Tenant: tenant, Name: "x", Role: access.Reader}, "test")
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	c = keyed{serve(t, quiet(t, w), server.Trust{Keys: keep}), keep}
	return c, with(t.Context(), "x-api-key", token("acme")), with(t.Context(), "x-api-key", token("bank"))
}

func ask(ctx context.Context, c *client) error {
	_, err := c.LookupTransaction(ctx, &spoorv1.LookupTransactionRequest{Ref: ref("tron", "v1", "")}, grpc.WaitForReady(true))
	return err
}

// press asks with n at a time until ctx ends, and counts the answers by code.
func press(ctx context.Context, c *client, n int) (wait func() map[codes.Code]int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	counts := map[codes.Code]int{}
	for range n {
		all.Go(func() {
			for ctx.Err() == nil {
				err := ask(ctx, c)
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				counts[status.Code(err)]++
				mu.Unlock()
				if err != nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	return func() map[codes.Code]int {
		all.Wait()
		return counts
	}
}

// TestOverload: beyond what can be worked off in time calls are refused with
// the time to wait, the rest is answered, and a tenant who asks little is refused nothing.
func TestOverload(t *testing.T) {
	var wait atomic.Int64
	c, many, few := crowd(t, &wait)
	wait.Store(int64(5 * time.Millisecond))
	ctx, cancel := context.WithCancel(many)
	counts := press(ctx, c.client, 400)
	time.Sleep(50 * time.Millisecond)
	for i := range 20 {
		if err := ask(few, c.client); err != nil {
			t.Errorf("call %d of the other tenant: %v", i, err)
		}
	}
	for {
		err := ask(many, c.client)
		if err == nil {
			continue
		}
		refusal{codes.ResourceExhausted, "EXCEEDED_RATE_LIMIT", "", "overloaded"}.check(t, "one too many", err)
		retry, _ := detail[*errdetails.RetryInfo](err)
		quota, _ := detail[*errdetails.QuotaFailure](err)
		if retry.GetRetryDelay().AsDuration() <= 0 || len(quota.GetViolations()) != 1 || quota.GetViolations()[0].GetSubject() != "tenant acme" {
			t.Errorf("details %v", status.Convert(err).Details())
		}
		break
	}
	cancel()
	got := counts()
	if got[codes.OK] == 0 || got[codes.ResourceExhausted] == 0 || len(got) != 2 {
		t.Errorf("answers by code: %v", got)
	}
}

// every asks at a steady rate, a call a tick, whether the one before has been
// answered or not, and returns how long the answers took.
func every(ctx context.Context, c *client, tick time.Duration, n int) []time.Duration {
	var all sync.WaitGroup
	took := make([]time.Duration, n)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for i := range n {
		<-ticker.C
		all.Go(func() {
			start := time.Now()
			_ = ask(ctx, c) // refused or not, it is answered
			took[i] = time.Since(start)
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}

// BenchmarkBeside measures the p99 of a tenant that asks 50 times a second,
// alone and beside one that asks a hundred times as often, over connections of
// their own: one that is held to its rate, and one whose rate has no end.
func BenchmarkBeside(b *testing.B) {
	for _, test := range []struct {
		name string
		rate uint32
	}{{"rate=1000", 1000}, {"rate=none", 1_000_000}} {
		b.Run(test.name, func(b *testing.B) {
			c, many, few := crowd(b, new(atomic.Int64))
			if err := c.keys.SetTenant(access.Tenant{Name: "acme", Rate: test.rate, Concurrent: 10_000}, "test"); err != nil {
				b.Fatal(err)
			}
			other := listen(b, c.server, server.Trust{Keys: c.keys})
			const calls = 500
			alone := every(few, c.client, 20*time.Millisecond, calls)
			var all sync.WaitGroup
			all.Go(func() { every(many, other, 200*time.Microsecond, 100*calls) })
			beside := every(few, c.client, 20*time.Millisecond, calls)
			all.Wait()
			b.ReportMetric(float64(alone[calls*99/100].Microseconds()), "alone-p99-us")
			b.ReportMetric(float64(beside[calls*99/100].Microseconds()), "beside-p99-us")
			b.ReportMetric(float64(alone[calls/2].Microseconds()), "alone-p50-us")
			b.ReportMetric(float64(beside[calls/2].Microseconds()), "beside-p50-us")
		})
	}
}

// flood asks with n at a time for a while; who is refused comes back after 100
// ms. It returns the answers a second, their p99, and the refusals a second.
func flood(ctx context.Context, c *client, n int, length time.Duration) (served float64, p99 time.Duration, refused float64) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	for range n {
		all.Go(func() {
			for ctx.Err() == nil {
				start := time.Now()
				err := ask(ctx, c)
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				switch status.Code(err) {
				case codes.OK:
					took = append(took, time.Since(start))
				case codes.ResourceExhausted:
					refused++
				}
				mu.Unlock()
				if err != nil {
					time.Sleep(100 * time.Millisecond)
				}
			}
		})
	}
	all.Wait()
	if len(took) > 0 {
		slices.Sort(took)
		p99 = took[len(took)*99/100]
	}
	return float64(len(took)) / length.Seconds(), p99, refused / length.Seconds()
}

// BenchmarkOverload measures what a tenant is answered when it asks with 32 and
// with 512 at a time, client and server on the same processors.
func BenchmarkOverload(b *testing.B) {
	c, many, _ := crowd(b, new(atomic.Int64))
	if err := c.keys.SetTenant(access.Tenant{Name: "acme", Rate: 1_000_000}, "test"); err != nil {
		b.Fatal(err)
	}
	var conns []*client
	for range 8 {
		conns = append(conns, listen(b, c.server, server.Trust{Keys: c.keys}))
	}
	for _, n := range []int{32, 512} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var all sync.WaitGroup
			var mu sync.Mutex
			var served, refused float64
			var worst time.Duration
			for _, conn := range conns {
				all.Go(func() {
					s, p99, r := flood(many, conn, n/len(conns), 3*time.Second)
					mu.Lock()
					defer mu.Unlock()
					served, refused, worst = served+s, refused+r, max(worst, p99)
				})
			}
			all.Wait()
			b.ReportMetric(served, "served/s")
			b.ReportMetric(refused, "refused/s")
			b.ReportMetric(float64(worst.Milliseconds()), "p99-ms")
		})
	}
}

// BenchmarkKeyed is a call with a key, beside BenchmarkLocal without.
func BenchmarkKeyed(b *testing.B) {
	c, many, _ := crowd(b, new(atomic.Int64))
	b.SetParallelism(16)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := ask(many, c.client); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkLocal is the same call at a listener without keys.
func BenchmarkLocal(b *testing.B) {
	c := local(b, newWorld(b))
	b.SetParallelism(16)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := ask(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
