package server

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// ruleVersion names the tracing rules of this version in every answer's pins.
const ruleVersion = "2026-11"

// traces implements the TraceService.
type traces struct {
	spoorv1.UnimplementedTraceServiceServer
	data      *data
	jobs      *jobs
	pages     pager
	slots     chan struct{} // one per trace that may run at a time
	maxEvents int
	memory    *memory
	follows   *Follows
	fetcher   *fetch.Fetcher // nil: nobody is asked
	// fetchLimits are what one trace may ask for at most.
	fetchLimits fetch.Budget
	// fetchEvery is how long a trace that is followed without a node waits before it
	// asks again.
	fetchEvery time.Duration

	mu   sync.Mutex
	held map[string]int // slots that each tenant holds
}

// StreamTrace runs a trace and sends its hops while they are found.
func (s *traces) StreamTrace(m *spoorv1.StreamTraceRequest, stream spoorv1.TraceService_StreamTraceServer) error {
	ctx := stream.Context()
	release, err := s.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	switch {
	case m.GetFollow() && m.GetRequest().GetFetch() != nil:
		return s.followFetched(ctx, m.GetRequest(), stream.Send)
	case m.GetFollow():
		return s.follow(ctx, m.GetRequest(), stream.Send)
	}
	out, err := s.fetch(ctx, m.GetRequest(), stream.Send)
	if err != nil {
		return err
	}
	q, err := s.ask(ctx, m.GetRequest())
	if err != nil {
		return err
	}
	defer q.view.close()
	conv := q.view.converter(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	result, err := s.run(ctx, q, func(h tracer.Hop) {
		hop, err := conv.hop(h)
		if err == nil {
			err = stream.Send(&spoorv1.TraceEvent{Event: &spoorv1.TraceEvent_Hop{Hop: hop}})
		}
		if err != nil {
			cancel(err)
		}
	})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	addFetched(result, out)
	for _, t := range result.GetTerminals() {
		if err := stream.Send(&spoorv1.TraceEvent{Event: &spoorv1.TraceEvent_Terminal{Terminal: t}}); err != nil {
			return err
		}
	}
	result.Hops, result.Terminals = nil, nil
	return stream.Send(&spoorv1.TraceEvent{Event: &spoorv1.TraceEvent_Result{Result: result}})
}

// StartTrace begins a trace and answers at once.
func (s *traces) StartTrace(ctx context.Context, m *spoorv1.StartTraceRequest) (*spoorv1.Trace, error) {
	return s.jobs.start(ctx, m.GetRequestId(), m.GetRequest(), func() (func(), error) { return s.slot(ctx) }, func(ctx context.Context, onHop func(tracer.Hop)) (*spoorv1.Trace, error) {
		out, err := s.fetch(ctx, m.GetRequest(), nil)
		if err != nil {
			return nil, err
		}
		q, err := s.ask(ctx, m.GetRequest())
		if err != nil {
			return nil, err
		}
		defer q.view.close()
		t, err := s.run(ctx, q, onHop)
		if err == nil {
			addFetched(t, out)
		}
		return t, err
	})
}

// GetTrace reads a trace begun with StartTrace.
func (s *traces) GetTrace(ctx context.Context, m *spoorv1.GetTraceRequest) (*spoorv1.Trace, error) {
	return s.jobs.get(ctx, m.GetName())
}

// slot takes one of the places for running traces, or refuses. A tenant with
// keys may hold all of them but a quarter, so that others come to theirs.
func (s *traces) slot(ctx context.Context) (release func(), err error) {
	who := Principal(ctx)
	share := cap(s.slots) - cap(s.slots)/4
	s.mu.Lock()
	defer s.mu.Unlock()
	if who.KeyID != "" && s.held[who.Tenant] >= share {
		return nil, exhausted("%d traces of this tenant run already", share)
	}
	select {
	case s.slots <- struct{}{}:
	default:
		return nil, exhausted("%d traces run already", cap(s.slots))
	}
	s.held[who.Tenant]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		<-s.slots
		if s.held[who.Tenant]--; s.held[who.Tenant] == 0 {
			delete(s.held, who.Tenant)
		}
	}, nil
}

// run replays a question under its policy and under those it is compared with.
func (s *traces) run(ctx context.Context, q *question, onHop func(tracer.Hop)) (*spoorv1.Trace, error) {
	held := s.memory.join()
	defer held.leave()
	q.req.Grow = held.grow
	main, err := q.replay(ctx, q.req.Policy, onHop)
	if err != nil {
		return nil, err
	}
	names := q.compared()
	if q.message.GetAllPolicies() {
		names = q.everyPolicy()
	}
	all := map[string]*tracer.Trace{q.req.Policy.Name: main}
	for _, name := range names {
		if all[name] != nil {
			continue
		}
		policy, err := tracer.PolicyByName(name)
		if err != nil {
			return nil, err
		}
		if all[name], err = q.replay(ctx, policy, nil); err != nil {
			return nil, err
		}
	}
	var compared []*tracer.Trace
	for _, name := range q.compared() {
		compared = append(compared, all[name])
	}
	bounded := []*tracer.Trace{main}
	if q.message.GetAllPolicies() {
		bounded = slices.Collect(maps.Values(all))
	}
	for _, t := range bounded {
		if err := q.bound(ctx, t, compared); err != nil {
			return nil, err
		}
	}
	return q.answer(ctx, main, all, names)
}

// bound sets what other rules can put at each place: all of them, or upstream the
// compared ones.
func (q *question) bound(ctx context.Context, main *tracer.Trace, compared []*tracer.Trace) error {
	if q.upstream() {
		main.SetBounds(compared)
		return nil
	}
	return tracer.Bound(ctx, q.view, q.req, main)
}

// replay runs a question under a policy, the way that it asks for.
func (q *question) replay(ctx context.Context, policy tracer.Policy, onHop func(tracer.Hop)) (*tracer.Trace, error) {
	req := q.req
	req.Policy = policy
	if q.upstream() {
		return tracer.Upstream(ctx, q.view, req, onHop)
	}
	return tracer.Run(ctx, q.view, req, onHop)
}

func (q *question) upstream() bool {
	return q.message.GetDirection() == spoorv1.Direction_DIRECTION_UPSTREAM
}

// compared are the rules whose range is printed beside the answer.
func (q *question) compared() []string {
	if q.upstream() {
		return tracer.ComparedUpstream()
	}
	return tracer.ComparedPolicies()
}

// everyPolicy are the rules that have an answer.
func (q *question) everyPolicy() (names []string) {
	for _, p := range tracer.Policies() {
		if !q.upstream() || p.Upstream() {
			names = append(names, p.Name)
		}
	}
	return names
}

// answer converts the traces into one message with its pins and coverage.
func (q *question) answer(ctx context.Context, main *tracer.Trace, all map[string]*tracer.Trace, names []string) (*spoorv1.Trace, error) {
	conv := q.view.converter(ctx)
	m, err := conv.trace(main)
	if err != nil {
		return nil, err
	}
	if err := q.view.blankBalances(m, main.Terminals); err != nil {
		return nil, err
	}
	m.Request, m.State = q.message, stateDone
	for _, ref := range main.AsOf {
		m.AsOf = append(m.AsOf, q.view.asOfMessage(ref))
	}
	m.Pins = &spoorv1.Pins{LabelSequence: q.view.labelSequence(), RuleVersion: ruleVersion}
	coverage := q.view.coverage
	if q.upstream() {
		coverage = q.view.coverageBefore
	}
	if m.Coverage, err = coverage(ctx, main); err != nil {
		return nil, err
	}
	if m.Bounds, err = q.bounds(conv, main); err != nil {
		return nil, err
	}
	if q.message.GetAllPolicies() {
		if m.PolicyResults, err = conv.policyResults(all, names); err != nil {
			return nil, err
		}
	}
	m.PolicyRanges, err = conv.policyRanges(all, q.compared())
	return m, err
}

func (q *question) bounds(conv *converter, t *tracer.Trace) (*spoorv1.Bounds, error) {
	b := &spoorv1.Bounds{
		ServicePayees: int64(q.req.ServicePayees), MaxHops: int32(q.req.Hops),
		MaxEvents: int64(q.req.Events), AccountEvents: int64(q.req.AccountEvents),
	}
	for _, s := range t.Sheets {
		asset, err := conv.asset(s.Asset)
		if err != nil {
			return nil, err
		}
		b.Floors = append(b.Floors, &spoorv1.Floor{Asset: asset, Amount: q.req.FloorOf(s.Asset).String()})
	}
	return b, nil
}

func (c *converter) policyResults(all map[string]*tracer.Trace, names []string) ([]*spoorv1.PolicyResult, error) {
	var results []*spoorv1.PolicyResult
	for _, name := range names {
		terminals, err := c.terminals(all[name].Terminals)
		if err != nil {
			return nil, err
		}
		sheets, err := c.sheets(all[name].Sheets)
		if err != nil {
			return nil, err
		}
		results = append(results, &spoorv1.PolicyResult{Policy: name, Terminals: terminals, Conservation: sheets})
	}
	return results, nil
}

// policyRanges shows each address where any of the compared policies ends
// something, most money first, under all of them side by side.
func (c *converter) policyRanges(all map[string]*tracer.Trace, compared []string) ([]*spoorv1.PolicyRange, error) {
	type row struct {
		ledger.Holder
		amounts   []ledger.Amount
		low, high ledger.Amount
	}
	rows := map[ledger.Holder]*row{}
	for i, name := range compared {
		for _, t := range all[name].Terminals {
			if t.Reason == tracer.Pruned {
				continue
			}
			h := ledger.Holder{Address: t.Address, Asset: t.Asset}
			if rows[h] == nil {
				rows[h] = &row{Holder: h, amounts: make([]ledger.Amount, len(compared))}
			}
			rows[h].amounts[i] = rows[h].amounts[i].Plus(t.Dirty)
		}
	}
	var sorted []*row
	for _, r := range rows {
		r.low, r.high = slices.MinFunc(r.amounts, ledger.Amount.Cmp), slices.MaxFunc(r.amounts, ledger.Amount.Cmp)
		sorted = append(sorted, r)
	}
	slices.SortFunc(sorted, func(a, b *row) int {
		if d := b.high.Cmp(a.high); d != 0 {
			return d
		}
		return a.Compare(b.Holder)
	})
	var ranges []*spoorv1.PolicyRange
	for _, r := range sorted {
		asset, err := c.asset(r.Asset)
		if err != nil {
			return nil, err
		}
		m := &spoorv1.PolicyRange{Address: r.Address.String(), Asset: asset, Low: r.low.String(), High: r.high.String()}
		for i, name := range compared {
			m.Amounts = append(m.Amounts, &spoorv1.PolicyAmount{Policy: name, Dirty: r.amounts[i].String()})
		}
		ranges = append(ranges, m)
	}
	return ranges, nil
}
