package server

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// lookout asks the operator's sources, again and again while somebody wants it to,
// what became of what is watched, where no node tells it: what holds most money
// first. What comes goes into the index, and from there into alerts like any block.
type lookout struct {
	screens *screenService
	traces  *traces

	mu      sync.Mutex
	wanted  int              // by how many
	changed chan struct{}    // closed and replaced when wanted becomes 1
	worth   map[string]worth // of what was asked for before, by tenant and name
}

// worth is how much money was with what is watched: in US cents, and whether there
// was some that has no price.
type worth struct {
	unpriced bool
	cents    ledger.Amount
}

func newLookout(s *screenService, t *traces) *lookout {
	return &lookout{screens: s, traces: t, changed: make(chan struct{}), worth: map[string]worth{}}
}

// want keeps the sources asked until release.
func (l *lookout) want() (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wanted++; l.wanted == 1 {
		close(l.changed)
		l.changed = make(chan struct{})
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.wanted--
	}
}

func (l *lookout) isWanted() (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wanted > 0, l.changed
}

// run asks until its context ends.
func (l *lookout) run(ctx context.Context) {
	for ctx.Err() == nil {
		wanted, changed := l.isWanted()
		if !wanted {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		if err := l.round(ctx); err != nil && ctx.Err() == nil {
			l.screens.log.Warn("asking after what is watched", "error", err)
		}
		pause(ctx, l.traces.fetchEvery)
	}
}

// watchOf is what one tenant watches.
type watchOf struct {
	tenant string
	screening.Watch
}

func (w *watchOf) key() string { return w.tenant + "\x00" + w.Address }

// round asks once after everything. All of a round is as of one block of each network.
func (l *lookout) round(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	if f := l.traces.fetcher; f == nil || !slices.ContainsFunc(slices.Collect(maps.Keys(f.Names())), func(c ledger.Chain) bool { return f.Fetches(ctx, c, false) }) {
		return nil // nothing is fetched
	}
	tenants, err := l.screens.store.Tenants()
	if err != nil {
		return err
	}
	var all []watchOf
	for _, tenant := range tenants {
		if err := l.screens.eachWatch(tenant, func(w screening.Watch) error {
			all = append(all, watchOf{tenant, w})
			return nil
		}); err != nil {
			return err
		}
	}
	l.forget(all)
	l.sort(all)
	since := l.screens.now()
	for i := range all {
		w := &all[i]
		before := w.Watch
		err := l.look(tenantContext(ctx, w.tenant), w.tenant, &w.Watch, since, false)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			w.Trouble = err.Error()
		}
		if w.Trouble != "" && w.Trouble != before.Trouble {
			l.screens.log.Warn("asking after what is watched", "tenant", w.tenant, "watch", w.Address, "trouble", w.Trouble)
		}
		if w.Asked == before.Asked && w.Trouble == before.Trouble {
			continue // nobody was asked
		}
		if err := l.screens.store.SetAsked(ctx, w.tenant, w.Address, w.Asked, w.Trouble); err != nil {
			return err
		}
	}
	return nil
}

// forget drops what is known of what is watched no more.
func (l *lookout) forget(all []watchOf) {
	still := map[string]bool{}
	for i := range all {
		still[all[i].key()] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.worth, func(key string, _ worth) bool { return !still[key] })
}

// sort puts most money first; what has no price, or was never asked after, is not
// taken for little.
func (l *lookout) sort(all []watchOf) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rank := func(w *watchOf) worth {
		if known, ok := l.worth[w.key()]; ok {
			return known
		}
		return worth{unpriced: true}
	}
	slices.SortStableFunc(all, func(a, b watchOf) int {
		x, y := rank(&a), rank(&b)
		if x.unpriced != y.unpriced {
			return cmp.Compare(boolean(y.unpriced), boolean(x.unpriced))
		}
		return y.cents.Cmp(x.cents)
	})
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// look asks after one watch, as of a block of a time or later, and notes in it when,
// and what could not be had. Only networks that are fetched are asked after; begin:
// and those of which nothing is held.
func (l *lookout) look(ctx context.Context, tenant string, w *screening.Watch, since time.Time, begin bool) error {
	if l.traces.fetcher == nil {
		return nil
	}
	asks := func(c ledger.Chain) bool { return l.traces.fetcher.Fetches(ctx, c, begin) }
	look := l.lookAddress
	if watchesMoney(w.Address) {
		look = l.lookMoney
	}
	out, found, err := look(ctx, tenant, w, since, asks)
	if out == nil && err == nil {
		return nil // nobody to be asked
	}
	w.Asked, w.Trouble = l.screens.now().UnixMilli(), troubleOf(out)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.worth[(&watchOf{tenant, *w}).key()] = found
	return nil
}

// troubleOf says in one sentence what could not be had.
func troubleOf(o *fetch.Outcome) string {
	if o == nil {
		return ""
	}
	var all []string
	for coin, why := range o.Coins {
		all = append(all, fmt.Sprintf("%s:%d: %s", coin.Tx, coin.Index, why))
	}
	for h, why := range o.Accounts {
		all = append(all, h.Address.Qualified()+" "+h.Asset.String()+": "+why)
	}
	for _, said := range o.Disputes {
		all = append(all, "sources disagree: "+said)
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	if len(all) == 1 {
		return all[0]
	}
	return fmt.Sprintf("%s, and %d more", all[0], len(all)-1)
}

// watchedAssets is how many assets of a watched address are asked after at most.
const watchedAssets = 100

// lookAddress fetches what an address did: in the assets that it is known to have,
// the native coin, and those that most is paid in.
func (l *lookout) lookAddress(ctx context.Context, _ string, w *screening.Watch, since time.Time, asks func(ledger.Chain) bool) (*fetch.Outcome, worth, error) {
	a, err := ledger.ParseQualified(w.Address)
	if err != nil || !asks(a.Chain) {
		return nil, worth{}, err
	}
	v, err := l.screens.data.view(ctx)
	if err != nil {
		return nil, worth{}, err
	}
	assets, _, err := v.LatestAssets(ctx, a, watchedAssets)
	v.close()
	if err = ignoreAbsent(err); err != nil {
		return nil, worth{}, err
	}
	for _, one := range ledger.KnownAssets(a.Chain) {
		if !slices.Contains(assets, one) {
			assets = append(assets, one)
		}
	}
	var holders []ledger.Holder
	for _, asset := range assets {
		holders = append(holders, ledger.Holder{Address: a, Asset: asset})
	}
	out, err := l.traces.fetcher.Look(ctx, holders, since, l.traces.fetchLimits)
	if err != nil {
		return nil, worth{}, err
	}
	if v, err = l.screens.data.view(ctx); err != nil {
		return nil, worth{}, err
	}
	defer v.close()
	var found worth
	for _, h := range holders {
		b, err := v.Balance(ctx, h, ledger.Point{Pos: ^ledger.Position(0)})
		if err = ignoreAbsent(err); err != nil {
			return nil, worth{}, err
		}
		l.add(v, &found, b.Amount, h.Asset)
	}
	return out, found, nil
}

// lookMoney fetches what the money of a case or a trace did.
func (l *lookout) lookMoney(ctx context.Context, tenant string, w *screening.Watch, since time.Time, asks func(ledger.Chain) bool) (*fetch.Outcome, worth, error) {
	run := fetch.Run{Budget: l.traces.fetchLimits, Since: since}
	var found worth
	keep := func(v *view, all []*tracer.Trace) []*tracer.Trace {
		found = worth{}
		for _, e := range all[0].Terminals {
			if e.Rests {
				l.add(v, &found, e.Dirty, e.Asset)
			}
		}
		return all
	}
	if err := l.asksFor(tenant, w, &run, asks, keep); err != nil || len(run.Refs) == 0 {
		return nil, worth{}, err
	}
	out, err := l.traces.fetcher.Pursue(ctx, run)
	return out, found, err
}

// asksFor fills in the payments of a case or trace on networks that are asked for, and
// how it is traced.
func (l *lookout) asksFor(tenant string, w *screening.Watch, run *fetch.Run, asks func(ledger.Chain) bool, keep func(*view, []*tracer.Trace) []*tracer.Trace) error {
	if watchedTrace(w.Address) {
		m, err := traceOf(w)
		if err != nil {
			return err
		}
		asked := proto.CloneOf(m)
		asked.Refs, asked.Amounts = nil, nil
		for i, text := range m.GetRefs() {
			ref, err := parseRef(text)
			if err != nil {
				return err
			}
			if ref.Chain == "" {
				ref.Chain = ledger.Chain(m.GetNetwork())
			}
			if !asks(ref.Chain) {
				continue // the index has it from a node or files
			}
			run.Refs, asked.Refs = append(run.Refs, ref), append(asked.Refs, text)
			if n := len(m.GetAmounts()); n > 0 {
				asked.Amounts = append(asked.Amounts, m.GetAmounts()[min(i, n-1)])
			}
		}
		run.Trace = func(ctx context.Context, snap *store.Snapshot) ([]*tracer.Trace, error) {
			return l.traceOn(ctx, snap, asked, keep)
		}
		return nil
	}
	who, id := watcher(tenant, w)
	if l.screens.cases.cases == nil {
		return nil
	}
	frozen, err := frozenCase(l.screens.cases.cases, who, id, filePins{again: true})
	if err != nil {
		return err
	}
	asked := *frozen
	asked.Case.Payments = nil
	for _, p := range frozen.Case.Payments {
		if p.Withdrawn != "" || p.NeedsCandidates() || !asks(p.Network) {
			continue
		}
		ref, err := parseRef(paymentRef(p))
		if err != nil {
			return err
		}
		asked.Case.Payments, run.Refs = append(asked.Case.Payments, p), append(run.Refs, ref)
	}
	run.Trace = func(ctx context.Context, snap *store.Snapshot) ([]*tracer.Trace, error) {
		return l.caseOn(ctx, snap, &asked, keep)
	}
	return nil
}

func (l *lookout) traceOn(ctx context.Context, snap *store.Snapshot, m *spoorv1.TraceRequest, keep func(*view, []*tracer.Trace) []*tracer.Trace) ([]*tracer.Trace, error) {
	v, err := l.screens.data.viewOf(ctx, snap)
	if err != nil {
		return nil, err
	}
	q, err := l.traces.askOn(ctx, v, m)
	if err != nil {
		return nil, err
	}
	defer q.view.close()
	t, err := q.replay(ctx, q.req.Policy, nil)
	if err != nil {
		return nil, err
	}
	return keep(q.view, []*tracer.Trace{t}), nil
}

func (l *lookout) caseOn(ctx context.Context, snap *store.Snapshot, frozen *cases.Frozen, keep func(*view, []*tracer.Trace) []*tracer.Trace) ([]*tracer.Trace, error) {
	v, err := l.screens.data.viewOf(ctx, snap)
	if err != nil {
		return nil, err
	}
	f, err := caseFileOn(ctx, v, frozen)
	if err != nil {
		return nil, err
	}
	defer f.close()
	all, err := evidence.Traces(ctx, f.policies(), f.payments, f.source())
	if err != nil {
		return nil, err
	}
	return keep(f.view, all), nil
}

// add adds an amount to what is known of money.
func (l *lookout) add(v *view, w *worth, amount ledger.Amount, asset ledger.Asset) {
	if amount.IsZero() {
		return
	}
	info, err := v.info(asset)
	if err != nil {
		w.unpriced = true
		return
	}
	usd, _, priced := v.data.prices.Value(amount, info, l.screens.now().UnixMilli())
	cents, err := ledger.ParseAmount(strings.ReplaceAll(usd, ".", ""))
	if !priced || err != nil {
		w.unpriced = true
		return
	}
	if sum, err := w.cents.Add(cents); err == nil {
		w.cents = sum
	}
}
