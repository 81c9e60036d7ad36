package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// question is a TraceRequest, resolved and pinned to one view of the index.
type question struct {
	message *spoorv1.TraceRequest
	parsed  []tracer.Ref
	req     tracer.Request
	view    *view
	chains  []ledger.Chain // of the seeds, by name
	refs    []int          // of each seed, the place of its REF in the request
}

// ask resolves a request: networks and as-of first, since the payments are
// looked up in what the answer will be based on.
func (s *traces) ask(ctx context.Context, m *spoorv1.TraceRequest) (*question, error) {
	q, err := s.formed(m)
	if err != nil {
		return nil, err
	}
	tip, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	if err := q.resolve(ctx, tip, m); err != nil {
		tip.close()
		return nil, err
	}
	if q.view, err = tip.until(ctx, q.chains, m.GetAsOf()); err != nil {
		return nil, err
	}
	if err := q.fill(ctx, m); err != nil {
		q.view.close()
		return nil, err
	}
	return q, nil
}

// askOn resolves a request on a view that is cut already. It takes v over.
func (s *traces) askOn(ctx context.Context, v *view, m *spoorv1.TraceRequest) (*question, error) {
	q, err := s.formed(m)
	if err == nil {
		q.view = v
		err = q.resolve(ctx, v, m)
	}
	if err == nil {
		err = q.fill(ctx, m)
	}
	if err != nil {
		v.close()
		return nil, err
	}
	return q, nil
}

// formed is a request as far as no index is needed.
func (s *traces) formed(m *spoorv1.TraceRequest) (*question, error) {
	q := &question{message: m, req: tracer.Request{
		ServicePayees: tracer.DefaultServicePayees, AccountEvents: tracer.DefaultAccountEvents,
		Hops: tracer.DefaultHops, Events: s.maxEvents, FeesToCoinbase: m.GetFeesToCoinbase(), Heuristics: m.GetHeuristics(),
	}}
	q.req.NoFloor = q.upstream() // nothing is small enough not to be asked for
	return q, q.form(m, s.maxEvents)
}

// form reads the parts of the request that need no index, so that what is
// malformed costs nothing.
func (q *question) form(m *spoorv1.TraceRequest, maxEvents int) error {
	if err := q.limits(m, maxEvents); err != nil {
		return err
	}
	var only ledger.Chain
	if n := m.GetNetwork(); n != "" {
		c, err := ledger.ParseChain(n)
		if err != nil {
			return err
		}
		only = c
	}
	for _, text := range m.GetRefs() {
		ref, err := parseRef(text)
		if err != nil {
			return err
		}
		if ref.Chain == "" {
			ref.Chain = only
		}
		q.parsed = append(q.parsed, ref)
	}
	if _, err := parseAsOf(m.GetAsOf()); err != nil {
		return err
	}
	return q.addresses(m)
}

// fill reads the parts of the request that are judged by the view.
func (q *question) fill(ctx context.Context, m *spoorv1.TraceRequest) error {
	if err := q.withinAsOf(ctx); err != nil {
		return err
	}
	return q.amounts(m)
}

func (q *question) limits(m *spoorv1.TraceRequest, maxEvents int) (err error) {
	name := m.GetPolicy()
	if name == "" && q.upstream() {
		name = tracer.ComparedUpstream()[0]
	} else if name == "" {
		name = tracer.Policies()[0].Name
	}
	if q.req.Policy, err = tracer.PolicyByName(name); err != nil {
		return err
	}
	if m.MaxHops != nil {
		q.req.Hops = int(m.GetMaxHops())
	}
	if m.ServicePayees != nil {
		q.req.ServicePayees = int(m.GetServicePayees())
	}
	if m.MaxEvents != nil {
		if m.GetMaxEvents() > int64(maxEvents) {
			return ledger.Invalid("max_events", "at most "+strconv.Itoa(maxEvents), strconv.FormatInt(m.GetMaxEvents(), 10))
		}
		q.req.Events = int(m.GetMaxEvents())
	}
	return nil
}

// resolve finds the payments. One that is named twice is two seeds: the first
// takes it, and the second collides with it.
func (q *question) resolve(ctx context.Context, tip *view, m *spoorv1.TraceRequest) error {
	chains := tip.Chains()
	for i, ref := range q.parsed {
		asset, err := tip.parseAsset(ctx, ref, chains, m.GetAsset())
		if err != nil {
			return err
		}
		seeds, err := tracer.Resolve(ctx, tip, chains, ref, asset)
		if err != nil {
			return err
		}
		q.req.Seeds = append(q.req.Seeds, seeds...)
		q.refs = append(q.refs, slices.Repeat([]int{i}, len(seeds))...)
	}
	for _, s := range q.req.Seeds {
		if !slices.Contains(q.chains, s.Chain) {
			q.chains = append(q.chains, s.Chain)
		}
	}
	slices.Sort(q.chains)
	return nil
}

// parseRef reads a REF; of what is wrong with its hash the field is the REF, too.
func parseRef(text string) (tracer.Ref, error) {
	ref, err := tracer.ParseRef(text)
	var invalid *ledger.InvalidError
	if errors.As(err, &invalid) && invalid.Field == "transaction hash" {
		err = ledger.Invalid("ref", invalid.Want, invalid.Got)
	}
	return ref, err
}

func (q *question) withinAsOf(ctx context.Context) error {
	for _, s := range q.req.Seeds {
		head, err := q.view.AsOf(ctx, s.Chain)
		if errors.Is(err, ledger.ErrNotFound) {
			return fmt.Errorf("%s holds nothing up to the as-of %s: %w", s.Chain, q.message.GetAsOf(), ledger.ErrPrecondition)
		}
		if err != nil {
			return err
		}
		if s.At.Pos.Height() > head.Height {
			return fmt.Errorf("%s was paid at %s, after the as-of %s: %w", s.Ref, describeHeight(q.view, s.Chain, s.At.Pos.Height()),
				describeHeight(q.view, s.Chain, head.Height), ledger.ErrPrecondition)
		}
	}
	return nil
}

func describeHeight(v *view, c ledger.Chain, h uint64) string {
	if v.export(c) {
		return time.UnixMilli(int64(h)).UTC().Format(time.RFC3339)
	}
	return "height " + strconv.FormatUint(h, 10)
}

// amounts sets how much of each payment is the victim's, and the floors.
func (q *question) amounts(m *spoorv1.TraceRequest) error {
	given := m.GetAmounts()
	if n := len(given); n > 1 && n != len(m.GetRefs()) {
		return ledger.Invalid("amounts", fmt.Sprintf("one, or one for each of %d REFs", len(m.GetRefs())), strconv.Itoa(n))
	}
	for i := range q.req.Seeds {
		s := &q.req.Seeds[i]
		info, err := q.view.info(s.Asset)
		if err != nil {
			return err
		}
		if len(given) > 0 {
			if s.Amount, err = partOf(s.Amount, given[min(q.refs[i], len(given)-1)], info); err != nil {
				return err
			}
		}
		if floor := m.GetMinValue(); floor != "" {
			amount, err := ledger.ParseCoins(floor, info.Decimals)
			if err != nil {
				return renamed(err, "min_value")
			}
			if q.req.Floors == nil {
				q.req.Floors = map[ledger.Asset]ledger.Amount{}
			}
			q.req.Floors[s.Asset] = amount
		}
	}
	return nil
}

func partOf(paid ledger.Amount, text string, info ledger.AssetInfo) (ledger.Amount, error) {
	amount, err := ledger.ParseCoins(text, info.Decimals)
	switch {
	case err != nil:
		return amount, err
	case amount.IsZero():
		return amount, ledger.Invalid("amount", "more than 0", text)
	case paid.Less(amount):
		return amount, ledger.Invalid("amount", "at most what was paid, "+paid.Coins(info.Decimals)+" "+info.Symbol, text)
	}
	return amount, nil
}

// renamed gives a refusal the name of the field that the user wrote.
func renamed(err error, field string) error {
	var invalid *ledger.InvalidError
	if errors.As(err, &invalid) {
		return ledger.Invalid(field, invalid.Want, invalid.Got)
	}
	return err
}

func (q *question) addresses(m *spoorv1.TraceRequest) (err error) {
	if q.req.Through, err = addressSet(m.GetThrough()); err != nil {
		return renamed(err, "through")
	}
	if q.req.StopAt, err = addressSet(m.GetStopAt()); err != nil {
		return renamed(err, "stop_at")
	}
	return nil
}

func addressSet(texts []string) (map[ledger.Address]bool, error) {
	set := map[ledger.Address]bool{}
	for _, text := range texts {
		a, err := ledger.ParseQualified(text)
		if err != nil {
			return nil, err
		}
		set[a] = true
	}
	return set, nil
}
