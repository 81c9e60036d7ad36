package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/screening"
)

// lookEvery is how often the rescorer looks whether there is something new: a
// look reads the tips and the label sequence, nothing more.
const lookEvery = 200 * time.Millisecond

// pendingEvery is how often pending transfers are looked for without a new
// block: one may have come between a registration's look and its write.
const pendingEvery = 5 * time.Second

// rescorer scores again what new blocks, labels and rules change. There is one
// a server; run ends with its context, and whoever starts it waits for it.
type rescorer struct {
	*screenService
	sequence *uint64                      // of the label log that was looked at; nil: not asked yet
	tips     map[ledger.Chain]ledger.Hash // digests of what was looked at
	pended   map[string]time.Time         // when a tenant's pending transfers were looked for
	swept    map[string]time.Time         // when a tenant's sweep of what is too wide to list began
	waiting  map[string]bool              // tenants with news since it did
	held     time.Time                    // when holds were looked at
}

func (s *screenService) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run looks until its context ends. A failed look is logged and made again: the
// marks of what was seen are moved after the work alone.
func (s *screenService) run(ctx context.Context) {
	r := &rescorer{screenService: s, tips: map[ledger.Chain]ledger.Hash{}, pended: map[string]time.Time{}, swept: map[string]time.Time{}, waiting: map[string]bool{}}
	timer := time.NewTicker(lookEvery)
	defer timer.Stop()
	for {
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			s.failures.Add(1)
			s.log.Warn("scoring again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// look does the work of all tenants on what is new. Were we to crash before the
// marks are moved, the same would be done again: it comes to the same.
func (r *rescorer) look(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	if err := r.holds(ctx); err != nil { // scores do not wait for it
		r.log.Warn("holds of cases", "error", err)
	}
	tenants, err := r.store.Tenants()
	if err != nil || len(tenants) == 0 {
		return err
	}
	v, err := r.data.view(ctx)
	if err != nil {
		return err
	}
	defer v.close()
	n, err := r.news(ctx, v)
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		if err := r.tenant(ctx, tenant, n); err != nil {
			return fmt.Errorf("tenant %s: %w", tenant, err)
		}
	}
	for name, mark := range n.marks {
		if err := r.store.SetSeen(ctx, name, mark); err != nil {
			return err
		}
		if name == labelsSeen {
			r.sequence = &mark.Height
		} else {
			r.tips[ledger.Chain(name)] = mark.Digest
		}
	}
	if n.more {
		r.wakeUp()
	}
	return nil
}

// tenant does the work of one tenant, on its own view of the labels.
func (r *rescorer) tenant(ctx context.Context, tenant string, n *news) error {
	ctx = tenantContext(ctx, tenant)
	book, err := r.bookOf(tenant)
	if err != nil {
		return err
	}
	by, known, err := r.store.ScoredBy(tenant)
	if err != nil {
		return err
	}
	all := n.all || known && by != book.sum
	v, err := r.data.view(ctx)
	if err != nil {
		return err
	}
	defer v.close()
	if len(n.marks) > 0 || r.now().Sub(r.pended[tenant]) >= pendingEvery {
		if err := r.pending(ctx, tenant, v); err != nil {
			return err
		}
		r.pended[tenant] = r.now()
	}
	if all || !n.nothing() {
		if err := r.touched(ctx, tenant, v, n, all); err != nil {
			return err
		}
	}
	if len(n.marks) > 0 {
		if err := r.settle(ctx, tenant, v, n.replaced); err != nil {
			return err
		}
	}
	if err := r.retries(ctx, tenant, v, n); err != nil {
		return err
	}
	if err := r.sweeps(ctx, tenant, v, n); err != nil {
		return err
	}
	if by == book.sum {
		return nil
	}
	return r.store.SetScoredBy(ctx, tenant, book.sum)
}

// pending scores the transfers that are seen by now, and ends those that never were.
func (r *rescorer) pending(ctx context.Context, tenant string, v *view) error {
	ids, err := r.store.PendingTransfers(tenant)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := r.alone(ctx, tenant, screening.Retry{What: screening.RetryTransfer + id}, r.transfer(ctx, tenant, v, id, "TRANSFER")); err != nil {
			return err
		}
	}
	return nil
}

// transfer scores one transfer again; cause is the type of the alerts that follow.
// Those of the sandbox stay as they are.
func (r *rescorer) transfer(ctx context.Context, tenant string, v *view, id, cause string) error {
	t, err := r.store.Transfer(ctx, tenant, id)
	if err != nil {
		return err
	}
	q, err := questionOf(&t.Registration)
	if err != nil {
		return err
	}
	if t.State == screening.Expired || sandboxScreening(q.pays) != nil {
		return nil
	}
	scoring, cancel := context.WithTimeout(ctx, scoreFor)
	defer cancel()
	result, m, err := r.judge(scoring, v, &t.Registration, q)
	if errors.Is(err, ledger.ErrInvalid) || errors.Is(err, ledger.ErrAmbiguous) || errors.Is(err, ledger.ErrPrecondition) {
		result, m, err = screening.Result{State: screening.Mismatched}, nil, nil // what was seen is not what the reference can mean
	}
	if err != nil {
		return err
	}
	if result.State == screening.Pending && expires(&t, r.now()) {
		result.State = screening.Expired
	}
	_, err = r.keep(ctx, tenant, &t, result, m, v, cause)
	return err
}

// touched scores again what the news touch: what rests on something that is new,
// and what was scored as of a block that was replaced. Where that is everything,
// transfers are left to a sweep.
func (r *rescorer) touched(ctx context.Context, tenant string, v *view, n *news, all bool) error {
	transfers, watches := map[string]string{}, map[string]bool{}
	for e := range n.evidence() {
		ids, err := r.store.Touching(tenant, e)
		for _, id := range ids {
			transfers[id] = n.cause(e, transfers[id])
		}
		found, again := r.store.Watching(tenant, e)
		for _, a := range found {
			watches[a] = true
		}
		if err = errors.Join(err, again); err != nil {
			return err
		}
	}
	for c, from := range n.replaced {
		ids, err := r.store.ScoredFrom(tenant, string(c), from)
		if err != nil {
			return err
		}
		for _, id := range ids {
			transfers[id] = "TRANSFER"
		}
	}
	if all {
		if err := r.store.StartSweep(ctx, tenant, sweepAll); err != nil {
			return err
		}
	}
	if err := r.watches(ctx, tenant, v, n, func(w *screening.Watch) bool {
		return all || len(n.replaced) > 0 || watches[w.Address] || len(w.Evidence) == 0 || w.Evidence[0] == everything
	}); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(transfers)) {
		if err := r.alone(ctx, tenant, screening.Retry{What: screening.RetryTransfer + id}, r.transfer(ctx, tenant, v, id, transfers[id])); err != nil {
			return err
		}
	}
	return nil
}

// cause is the type of the alerts of a transfer that rests on an evidence: of
// several, a label comes first.
func (n *news) cause(evidence, before string) string {
	if n.known[evidence] || before == attributionChanged {
		return attributionChanged
	}
	return "TRANSFER"
}

const attributionChanged = "ATTRIBUTION_CHANGED"

// watches scores those watched addresses again that are to be.
func (r *rescorer) watches(ctx context.Context, tenant string, v *view, n *news, to func(*screening.Watch) bool) error {
	return r.eachWatch(tenant, func(w screening.Watch) error {
		if !to(&w) {
			return ctx.Err()
		}
		return r.alone(ctx, tenant, screening.Retry{What: screening.RetryWatch + w.Address}, r.watch(ctx, tenant, v, n, w))
	})
}

// watch scores one watched address again and raises what is new of it.
func (r *rescorer) watch(ctx context.Context, tenant string, v *view, n *news, w screening.Watch) error {
	if watchesMoney(w.Address) {
		return r.heldNews(ctx, tenant, w)
	}
	a, err := ledger.ParseQualified(w.Address)
	if err != nil {
		return err
	}
	m, evidence, err := r.watched(ctx, v, a)
	if err = ignoreAbsent(err); err != nil {
		return err
	}
	height, moved := n.moved[w.Address]
	alert := screening.Alert{Type: attributionChanged, Address: w.Address, Network: string(a.Chain), Notify: w.Notify}
	if moved || !n.labelled(w.Evidence) {
		alert.Type = "TRANSFER"
	}
	if err := r.noticed(ctx, tenant, v, n, &w, height); err != nil {
		return err
	}
	if err := r.raiseAll(ctx, tenant, alert, m, v, w.Rules); err != nil {
		return err
	}
	if err := r.raisePatterns(ctx, tenant, alert, m, v, w.Rules); err != nil {
		return err
	}
	return r.store.SetWatch(ctx, tenant, judged(w, m, evidence))
}

// labelled reports that something else is known of what a score rests on.
func (n *news) labelled(evidence []string) bool {
	return len(n.moved) == 0 || slices.ContainsFunc(evidence, func(e string) bool { return n.known[e] })
}
