package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spoortrace/spoor/screening"
)

// How what went wrong is tried again (judgment). It is never given up.
const (
	retryFirst = time.Second // twice as long each time
	retryMost  = 15 * time.Minute
)

// The sweeps: over all transfers, and over those that rest on more than is listed.
const (
	sweepAll  = "all"
	sweepWide = "wide"
)

// sweepStep is how many transfers one look scores of a sweep, so that alerts do
// not wait for it. sweepEvery is how often those are gone over that rest on more
// than is listed, if there is news (judgment).
const (
	sweepStep  = 200
	sweepEvery = 10 * time.Minute
)

// alone keeps what went wrong with one thing to be tried again, so that it stops
// no other; an end of all work is returned.
func (r *rescorer) alone(ctx context.Context, tenant string, one screening.Retry, err error) error {
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	r.failures.Add(1)
	wait := min(retryFirst<<min(one.Tries, 20), retryMost)
	one.Tries, one.Due = one.Tries+1, r.now().Add(wait).UnixMilli()
	r.log.Error("not scored again", "what", one.What, "tries", one.Tries, "next", wait, "error", err)
	return r.store.SetRetry(ctx, tenant, one)
}

// retries scores what is due: what went wrong before, and what rests on an address
// that became, or no longer is, the tenant's own.
func (r *rescorer) retries(ctx context.Context, tenant string, v *view, n *news) error {
	var due []screening.Retry
	now := r.now().UnixMilli()
	err := r.store.Retries(tenant, func(one screening.Retry) bool {
		if one.Due <= now {
			due = append(due, one)
		}
		return len(due) < sweepStep
	})
	if err != nil {
		return err
	}
	if len(due) == sweepStep {
		r.wakeUp()
	}
	for _, one := range due {
		err := r.retry(ctx, tenant, v, n, one.What)
		if err == nil {
			err = r.store.DropRetry(ctx, tenant, one.What)
		} else {
			err = r.alone(ctx, tenant, one, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *rescorer) retry(ctx context.Context, tenant string, v *view, n *news, what string) error {
	if id, ok := strings.CutPrefix(what, screening.RetryTransfer); ok {
		return r.transfer(ctx, tenant, v, id, "TRANSFER")
	}
	w, found, err := r.store.Watch(tenant, strings.TrimPrefix(what, screening.RetryWatch))
	if err != nil || !found {
		return err
	}
	return r.watch(ctx, tenant, v, n, w)
}

// sweeps goes on with what goes over all transfers, a step of each.
func (r *rescorer) sweeps(ctx context.Context, tenant string, v *view, n *news) error {
	_, started := r.swept[tenant]
	if r.waiting[tenant] = r.waiting[tenant] || !started || !n.nothing(); r.waiting[tenant] && r.now().Sub(r.swept[tenant]) >= sweepEvery {
		if err := r.store.StartSweep(ctx, tenant, sweepWide); err != nil {
			return err
		}
		r.swept[tenant], r.waiting[tenant] = r.now(), false
	}
	for kind, evidence := range map[string]string{sweepAll: "", sweepWide: everything} {
		if err := r.sweep(ctx, tenant, v, kind, evidence); err != nil {
			return err
		}
	}
	return nil
}

func (r *rescorer) sweep(ctx context.Context, tenant string, v *view, kind, evidence string) error {
	at, running, err := r.store.Sweep(tenant, kind)
	if err != nil || !running {
		return err
	}
	ids, err := r.store.TransfersAfter(tenant, evidence, at.After, sweepStep)
	if err != nil {
		return err
	}
	last := ""
	for _, id := range ids {
		if err := r.alone(ctx, tenant, screening.Retry{What: screening.RetryTransfer + id}, r.transfer(ctx, tenant, v, id, attributionChanged)); err != nil {
			return err
		}
		last = id
	}
	done := len(ids) < sweepStep
	if !done || at.Again {
		r.wakeUp()
	}
	return r.store.MoveSweep(ctx, tenant, kind, last, done)
}

// rescoreMetrics say what of scoring again went wrong, and what is to be done.
type rescoreMetrics struct{ s *screenService }

// Describe implements prometheus.Collector.
func (m rescoreMetrics) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, to) }

// Collect implements prometheus.Collector.
func (m rescoreMetrics) Collect(out chan<- prometheus.Metric) {
	send := func(name, help string, kind prometheus.ValueType, value float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), kind, value)
	}
	send("spoor_rescore_failures_total", "Scores again that went wrong; each is tried again.", prometheus.CounterValue, float64(m.s.failures.Load()))
	waiting, sweeps, err := m.s.toDo()
	if err != nil {
		m.s.log.Error("metrics", "error", err)
		return
	}
	send("spoor_rescore_waiting", "Transfers and watches that wait to be scored again by themselves.", prometheus.GaugeValue, float64(waiting))
	send("spoor_rescore_sweeps", "Sweeps over the transfers of a tenant that run.", prometheus.GaugeValue, float64(sweeps))
}

// toDo counts what waits to be scored again.
func (s *screenService) toDo() (waiting, sweeps int, err error) {
	if s.store == nil {
		return 0, 0, nil
	}
	tenants, err := s.store.Tenants()
	if err != nil {
		return 0, 0, err
	}
	for _, tenant := range tenants {
		if err := s.store.Retries(tenant, func(screening.Retry) bool { waiting++; return true }); err != nil {
			return 0, 0, fmt.Errorf("tenant %s: %w", tenant, err)
		}
		for _, kind := range []string{sweepAll, sweepWide} {
			_, running, err := s.store.Sweep(tenant, kind)
			if err != nil {
				return 0, 0, err
			}
			if running {
				sweeps++
			}
		}
	}
	return waiting, sweeps, nil
}
