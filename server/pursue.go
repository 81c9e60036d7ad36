package server

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// pursuit is a trace that is extended as blocks arrive. The replay of each rule
// is kept at the last final height, which no reorganisation reaches; what lies
// above it is replayed anew for every tip.
type pursuit struct {
	traces *traces
	m      *spoorv1.TraceRequest
	send   func(*spoorv1.TraceEvent) error

	seeds  []tracer.Seed
	states map[string]*tracer.Replay // by rule
	told   map[string]string         // finality by hop key, as the client was told
	order  []string                  // the keys in the order in which they were told
	tips   []ledger.BlockRef         // that the last answer stood on
	labels uint64
	waits  bool // the client was told that the payment is not seen yet
}

// tipEvery is how often the tips are looked at, besides when a follower reports.
const tipEvery = time.Second

// follow answers again and again until ctx ends.
func (s *traces) follow(ctx context.Context, m *spoorv1.TraceRequest, send func(*spoorv1.TraceEvent) error) error {
	if err := followable(m); err != nil {
		return err
	}
	p := &pursuit{traces: s, m: m, send: send, told: map[string]string{}}
	tick := time.NewTicker(tipEvery)
	defer tick.Stop()
	for {
		changed := s.follows.wait() // before looking, so that nothing slips between
		if err := p.look(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-tick.C:
		}
	}
}

func followable(m *spoorv1.TraceRequest) error {
	if m.GetAsOf() != "" || m.GetAllPolicies() || m.GetDirection() == spoorv1.Direction_DIRECTION_UPSTREAM {
		return ledger.Invalid("follow", "neither as_of nor all_policies beside it, and no upstream trace: what came before does not change", "")
	}
	return nil
}

// followFetched asks the operator's sources again and again what became of the
// money, and answers when it moved, until ctx ends. A source that is down for a
// while ends nothing.
func (s *traces) followFetched(ctx context.Context, m *spoorv1.TraceRequest, send func(*spoorv1.TraceEvent) error) error {
	if err := followable(m); err != nil {
		return err
	}
	p := &pursuit{traces: s, m: proto.CloneOf(m), send: send, told: map[string]string{}}
	for {
		_, err := s.fetch(ctx, p.m, send)
		switch {
		case errors.Is(err, ledger.ErrNotFound):
			err = p.wait()
		case err == nil:
			err = p.look(ctx)
		case errors.Is(err, ledger.ErrUnavailable):
			err = send(&spoorv1.TraceEvent{Event: &spoorv1.TraceEvent_Progress{Progress: &spoorv1.Progress{Phase: "no source answers: " + err.Error(), Unit: "requests"}}})
		}
		if err != nil {
			return err
		}
		p.m.Fetch.Anew = true
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.fetchEvery):
		}
	}
}

// look answers anew if a tip or a label has changed.
func (p *pursuit) look(ctx context.Context) error {
	v, err := p.traces.data.view(ctx)
	if err != nil {
		return err
	}
	same, err := p.unchanged(ctx, v)
	v.close()
	if err != nil || same {
		return err
	}
	q, err := p.traces.ask(ctx, p.m)
	if errors.Is(err, ledger.ErrNotFound) {
		return p.wait()
	}
	if err != nil {
		return err
	}
	defer q.view.close()
	return p.extend(ctx, q)
}

func (p *pursuit) unchanged(ctx context.Context, v *view) (bool, error) {
	var tips []ledger.BlockRef
	for _, c := range v.Chains() {
		tip, err := v.AsOf(ctx, c)
		if err != nil {
			return false, err
		}
		tips = append(tips, tip)
	}
	if p.labels != v.labelSequence() {
		p.seeds = nil // labels stop a trace: what was replayed under others is void
	}
	same := slices.Equal(tips, p.tips) && p.labels == v.labelSequence()
	p.tips, p.labels = tips, v.labelSequence()
	return same, nil
}

// wait tells once that the payment is not held; if it was, a reorganisation
// took it back.
func (p *pursuit) wait() error {
	p.seeds, p.states = nil, nil
	if err := p.settle(nil, nil); err != nil || p.waits {
		return err
	}
	p.waits = true
	return p.send(&spoorv1.TraceEvent{Event: &spoorv1.TraceEvent_Progress{Progress: &spoorv1.Progress{Phase: "waiting for the payment", Unit: "blocks"}}})
}

// extend replays up to the tip and tells what is new.
func (p *pursuit) extend(ctx context.Context, q *question) error {
	p.waits = false
	if !reflect.DeepEqual(p.seeds, q.req.Seeds) {
		p.seeds, p.states = q.req.Seeds, map[string]*tracer.Replay{}
	}
	names := tracer.ComparedPolicies()
	if !slices.Contains(names, q.req.Policy.Name) {
		names = append(names, q.req.Policy.Name)
	}
	all := map[string]*tracer.Trace{}
	for _, name := range names {
		t, err := p.replay(ctx, q, name)
		if err != nil {
			return fmt.Errorf("trace under %s: %w", name, err)
		}
		all[name] = t
	}
	main := all[q.req.Policy.Name]
	main.Unbound() // that would replay the whole at every block
	answer, err := q.answer(ctx, main, all, nil)
	if err != nil {
		return err
	}
	if err := p.settle(answer.GetHops(), answer.GetAsOf()); err != nil {
		return err
	}
	answer.Hops = nil
	return p.send(&spoorv1.TraceEvent{Event: &spoorv1.TraceEvent_Result{Result: answer}})
}

// replay brings the state of one rule to the last final heights, keeps it there,
// and plays a copy on to the tips.
func (p *pursuit) replay(ctx context.Context, q *question, name string) (*tracer.Trace, error) {
	policy, err := tracer.PolicyByName(name)
	if err != nil {
		return nil, err
	}
	req := q.req
	req.Policy = policy
	state, err := p.final(ctx, q, req)
	if err != nil {
		return nil, err
	}
	at := state.Clone()
	if fits, err := at.Fits(ctx, q.view); err != nil {
		return nil, err
	} else if !fits {
		if at, err = tracer.NewReplay(req); err != nil {
			return nil, err
		}
	}
	if err := at.Advance(ctx, q.view); err != nil {
		return nil, err
	}
	return at.Result(ctx, q.view)
}

// final returns the state at the last final heights.
func (p *pursuit) final(ctx context.Context, q *question, req tracer.Request) (*tracer.Replay, error) {
	cut := map[ledger.Chain]uint64{}
	for _, c := range q.view.Chains() {
		extent, err := q.view.Extent(c)
		if err != nil {
			return nil, err
		}
		if extent.Fetched {
			return tracer.NewReplay(req) // what is known below may grow with every answer
		}
		if extent.Export {
			continue
		}
		to := q.view.final(c)
		if to == nil {
			return tracer.NewReplay(req) // nothing is final yet
		}
		cut[c] = *to
	}
	snap, err := p.traces.data.store.Snapshot(ctx, cut)
	if err != nil {
		return nil, err
	}
	v := &view{Snapshot: snap, tags: q.view.tags, data: p.traces.data}
	defer v.close()
	state := p.states[req.Policy.Name]
	if state != nil {
		fits, err := state.Fits(ctx, v)
		if err != nil {
			return nil, err
		}
		if !fits {
			state = nil
		}
	}
	if state == nil {
		if state, err = tracer.NewReplay(req); err != nil {
			return nil, err
		}
	}
	if err := state.Advance(ctx, v); err != nil {
		return nil, err
	}
	p.states[req.Policy.Name] = state
	return state, nil
}

// settle sends the hops that are new, and what became of those that were told
// as tentative: final, or retracted.
func (p *pursuit) settle(hops []*spoorv1.Hop, asOf []*spoorv1.AsOf) error {
	now := map[string]string{}
	for _, h := range hops {
		now[h.GetKey()] = h.GetFinality()
	}
	var finals, gone, kept []string
	for _, key := range p.order {
		switch state, held := now[key]; {
		case !held:
			gone = append(gone, key)
			delete(p.told, key)
			continue
		case state == final && p.told[key] == tentative:
			finals = append(finals, key)
			p.told[key] = final
		}
		kept = append(kept, key)
	}
	p.order = kept
	for _, s := range []*spoorv1.Settlement{{Finality: "RETRACTED", Keys: gone}, {Finality: final, Keys: finals}} {
		if len(s.GetKeys()) == 0 {
			continue
		}
		if len(asOf) > 0 {
			s.AsOf = asOf[0]
		}
		if err := p.send(&spoorv1.TraceEvent{Event: &spoorv1.TraceEvent_Settlement{Settlement: s}}); err != nil {
			return err
		}
	}
	for _, h := range hops {
		if _, known := p.told[h.GetKey()]; known {
			continue
		}
		p.told[h.GetKey()] = h.GetFinality()
		p.order = append(p.order, h.GetKey())
		if err := p.send(&spoorv1.TraceEvent{Event: &spoorv1.TraceEvent_Hop{Hop: h}}); err != nil {
			return err
		}
	}
	return nil
}
