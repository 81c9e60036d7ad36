package server

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

var errNoSources = fmt.Errorf("this server asks no sources (its settings, under sources, name none): %w", ledger.ErrPrecondition)

// asking is a trace whose data is asked for while it runs.
type asking struct {
	traces *traces
	m      *spoorv1.TraceRequest
	send   func(*spoorv1.TraceEvent) error // nil: nobody listens
	found  map[string]bool                 // keys of the hops that were sent
	cancel context.CancelCauseFunc
}

// fetch asks the operator's sources for what a trace touches. Afterwards the index
// has it, and the outcome says why the rest is missing; nil where the request
// does not ask for it.
func (s *traces) fetch(ctx context.Context, m *spoorv1.TraceRequest, send func(*spoorv1.TraceEvent) error) (*fetch.Outcome, error) {
	if m.GetFetch() == nil {
		return nil, nil //nolint:nilnil // nobody is to be asked
	}
	if s.fetcher == nil {
		return nil, errNoSources
	}
	if m.GetAsOf() != "" || m.GetDirection() == spoorv1.Direction_DIRECTION_UPSTREAM {
		return nil, ledger.Invalid("fetch", "neither as_of nor an upstream trace beside it", "")
	}
	formed, err := s.formed(m)
	if err != nil {
		return nil, err
	}
	budget, err := s.budget(m.GetFetch())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &asking{s, m, send, map[string]bool{}, cancel}
	run := fetch.Run{Refs: formed.parsed, Budget: budget, Prove: m.GetFetch().GetProve(), Trace: a.trace, Progress: a.progress}
	if m.GetFetch().GetAnew() {
		run.Since = time.Now()
	}
	out, err := s.fetcher.Pursue(ctx, run)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return nil, cause
	}
	return out, err
}

// budget is what a request may use: what it asks for, within the server's limits.
func (s *traces) budget(m *spoorv1.Fetch) (fetch.Budget, error) {
	most := s.fetchLimits
	for _, limit := range []struct {
		field       string
		asked, most int64
	}{
		{"fetch.max_requests", m.GetMaxRequests(), most.Requests},
		{"fetch.max_bytes", m.GetMaxBytes(), most.Bytes},
		{"fetch.max_seconds", m.GetMaxSeconds(), int64(most.Time / time.Second)},
	} {
		if limit.asked > limit.most {
			return fetch.Budget{}, ledger.Invalid(limit.field, fmt.Sprintf("at most %d", limit.most), fmt.Sprint(limit.asked))
		}
	}
	return fetch.Budget{
		Requests: cmp.Or(m.GetMaxRequests(), most.Requests), Bytes: cmp.Or(m.GetMaxBytes(), most.Bytes),
		Time: time.Duration(cmp.Or(m.GetMaxSeconds(), int64(most.Time/time.Second))) * time.Second,
	}, nil
}

// trace runs the trace on what is held, and under every rule where all are asked for.
func (a *asking) trace(ctx context.Context, snap *store.Snapshot) ([]*tracer.Trace, error) {
	v, err := a.traces.data.viewOf(ctx, snap)
	if err != nil {
		return nil, err
	}
	q, err := a.traces.askOn(ctx, v, a.m)
	if err != nil {
		return nil, err
	}
	defer q.view.close()
	main, err := q.replay(ctx, q.req.Policy, nil)
	if err != nil {
		return nil, err
	}
	all := []*tracer.Trace{main}
	for _, name := range q.everyPolicy() {
		if !a.m.GetAllPolicies() || name == q.req.Policy.Name {
			continue
		}
		policy, err := tracer.PolicyByName(name)
		if err != nil {
			return nil, err
		}
		t, err := q.replay(ctx, policy, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, a.show(ctx, q, main)
}

// show sends the hops that were not found before.
func (a *asking) show(ctx context.Context, q *question, t *tracer.Trace) error {
	if a.send == nil {
		return nil
	}
	conv := q.view.converter(ctx)
	for _, h := range t.Hops {
		if a.found[keyOf(h)] {
			continue
		}
		hop, err := conv.hop(h)
		if err != nil {
			return err
		}
		if err := a.send(&spoorv1.TraceEvent{Event: &spoorv1.TraceEvent_Found{Found: hop}}); err != nil {
			return err
		}
		a.found[keyOf(h)] = true
	}
	return nil
}

func (a *asking) progress(p fetch.Progress) {
	if a.send == nil {
		return
	}
	err := a.send(&spoorv1.TraceEvent{Event: &spoorv1.TraceEvent_Fetching{Fetching: &spoorv1.FetchProgress{
		Requests: p.Requests, Bytes: p.Bytes, Rounds: int32(min(p.Round, math.MaxInt32)), Hops: int64(p.Hops), Waiting: int64(p.Waiting),
		ResolvedPpm: p.Resolved, SecondsLeft: int64(p.Left / time.Second),
	}}})
	if err != nil {
		a.cancel(err)
	}
}

// blankBalances drops balances that a fetched index cannot know: where the trace
// does not rest, nobody asked what came after.
func (v *view) blankBalances(t *spoorv1.Trace, ends []tracer.Terminal) error {
	for i, e := range ends {
		extent, err := v.Extent(e.Asset.Chain)
		if err != nil {
			return err
		}
		if extent.Fetched && (!e.Rests || e.Reason == tracer.NotCovered) {
			t.Terminals[i].BalanceNow = ""
		}
	}
	return nil
}

// addFetched adds to an answer what the asking came to, and why money is where
// nothing is known of what became of it.
func addFetched(t *spoorv1.Trace, o *fetch.Outcome) {
	if o == nil {
		return
	}
	t.Fetch = &spoorv1.FetchReport{Requests: o.Requests, Bytes: o.Bytes, Rounds: int32(min(o.Rounds, math.MaxInt32)), Sources: o.Sources, Disputes: o.Disputes}
	for _, c := range t.GetCoverage() {
		if n := len(o.Partial); n > 0 && !ledger.Chain(c.GetNetwork()).UTXO() {
			c.State = ledger.CoveragePartial.String()
			c.Missing = append(c.Missing, "the whole of "+plural(n, "transaction")+" on the way")
		}
	}
	why := map[string]string{}
	for coin, reason := range o.Coins {
		why[fmt.Sprintf("%s:%d", coin.Tx, coin.Index)] = reason
	}
	for h, reason := range o.Accounts {
		why[h.Address.Qualified()+" "+h.Asset.String()] = reason
	}
	for _, e := range t.GetTerminals() {
		if e.GetReason() != string(tracer.NotCovered) {
			continue
		}
		account := e.GetAsset().GetNetwork() + ":" + e.GetAddress() + " " + e.GetAsset().GetNetwork() + ":" + cmp.Or(e.GetAsset().GetContract(), "native")
		e.Why = cmp.Or(why[e.GetAt()], why[account], "it was not asked for")
	}
}
