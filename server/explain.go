package server

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// explanation is one hop with the trace that it is of and its working.
type explanation struct {
	ctx    context.Context //nolint:containedctx // one call
	q      *question
	conv   *converter
	trace  *tracer.Trace
	hop    tracer.Hop
	work   *tracer.Working
	answer *spoorv1.HopExplanation
}

// ExplainHop gives every rule, figure and source behind one hop of a trace.
func (s *traces) ExplainHop(ctx context.Context, m *spoorv1.ExplainHopRequest) (*spoorv1.HopExplanation, error) {
	was, err := s.given(ctx, m.GetName(), m.GetTrace())
	if err != nil {
		return nil, err
	}
	release, err := s.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	q, err := s.askAgain(ctx, was)
	if err != nil {
		return nil, err
	}
	defer q.view.close()
	if q.upstream() {
		return nil, ledger.Invalid("trace", "a downstream trace", "an upstream one")
	}
	x := &explanation{ctx: ctx, q: q, conv: q.view.converter(ctx), answer: &spoorv1.HopExplanation{Policy: q.req.Policy.Name, Rule: q.req.Policy.About}}
	if x.trace, err = q.replay(ctx, q.req.Policy, nil); err != nil {
		return nil, err
	}
	id := int(m.GetHop())
	if n := len(x.trace.Hops); id > n {
		return nil, ledger.Invalid("hop", "one of the "+plural(n, "hop")+" of the trace", strconv.Itoa(id))
	}
	x.hop = x.trace.Hops[id-1]
	if x.answer.Hop, err = x.conv.hop(x.hop); err != nil {
		return nil, err
	}
	if given := was.GetHops(); id > len(given) || given[id-1].GetKey() != x.answer.GetHop().GetKey() || given[id-1].GetDirty() != x.answer.GetHop().GetDirty() {
		return nil, fmt.Errorf("hop %d of the trace comes out otherwise (spoor verify lists what differs): %w", id, ledger.ErrPrecondition)
	}
	if x.work, err = tracer.Explain(ctx, q.view, q.req, x.trace, id); err != nil {
		return nil, err
	}
	return x.explain()
}

func (x *explanation) explain() (*spoorv1.HopExplanation, error) {
	for _, step := range []func() error{x.event, x.payer, x.payee, x.limits} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return x.answer, nil
}

// event says what the hop is and where it comes from.
func (x *explanation) event() error {
	v, h := x.q.view, x.hop
	tx, err := v.TxAt(x.ctx, h.Chain, h.At.Pos)
	if err != nil {
		return err
	}
	block, err := v.BlockRef(x.ctx, h.Chain, h.At.Pos.Height())
	if err != nil {
		return err
	}
	x.answer.Status, x.answer.BlockHash = statusText(tx.Status), hashText(h.Chain, block.Hash)
	x.answer.Source, err = v.Origin(x.ctx, h.Chain, h.At.Pos.Height())
	return err
}

// payer says what was held, what the rule took of it, and what was laid over that.
func (x *explanation) payer() error {
	w, m := x.work, &spoorv1.PayerLedger{Kind: "ACCOUNT"}
	m.Held, m.Taken, m.Left = segmentMessages(w.Held), segmentMessages(w.Taken), segmentMessages(w.Left)
	m.Total, m.Traced = tracer.Total(w.Held).String(), tracer.Traced(w.Held).String()
	x.answer.Payer, x.answer.Carried = m, segmentMessages(w.Carried)
	switch {
	case w.Crossed:
		m.Kind, m.CrossingHop = "CROSSING", uint32(x.hop.Parent)
		x.answer.Arithmetic = crossingText(x.trace.Hops[x.hop.Parent-1].Crossing)
		return nil
	case len(w.Slots) > 0:
		m.Kind = "INPUTS"
		x.answer.Arithmetic = coinArithmetic(x.q.req.Policy.Name, w, x.hop.Index)
		if err := x.coins(m); err != nil {
			return err
		}
	case tracer.Traced(w.Held).IsZero():
		m.Kind = "CLEAN"
		x.answer.Arithmetic = "the payer held nothing traced"
	default:
		m.Opening, m.OpeningAssumed = w.Opening.String(), w.Deficit.String()
		x.answer.Arithmetic = accountArithmetic(x.q.req.Policy.Name, w, x.hop.Amount)
		x.account(m)
	}
	if laid := tracer.Traced(w.Carried).SubFloor(tracer.Traced(w.Taken)); !laid.IsZero() {
		x.answer.Arithmetic += fmt.Sprintf("; victims' payments are laid over its clean units: %s, in all %s", laid, tracer.Traced(w.Carried))
	}
	return nil
}

// account lists the hops into and out of the payer since its ledger opened.
func (x *explanation) account(m *spoorv1.PayerLedger) {
	ended := map[int]bool{}
	for _, t := range x.trace.Terminals {
		ended[t.Hop] = ended[t.Hop] || !t.Rests
	}
	for _, h := range x.trace.Hops {
		if h.Chain != x.hop.Chain || h.Asset != x.hop.Asset || h.At.Before(x.work.OpenedAt) || !h.At.Before(x.hop.At) {
			continue
		}
		if h.To == x.hop.From && h.Crossing == nil && !ended[h.ID] {
			m.Brought = append(m.Brought, hopAmount(h))
		}
		if h.From == x.hop.From {
			m.PaidBefore = append(m.PaidBefore, hopAmount(h))
		}
	}
}

// coins lists the hops that made the traced inputs, in the order of the inputs.
func (x *explanation) coins(m *spoorv1.PayerLedger) error {
	tx, err := x.q.view.TxAt(x.ctx, x.hop.Chain, x.hop.At.Pos)
	if err != nil {
		return err
	}
	for _, in := range tx.Inputs {
		for _, h := range x.trace.Hops {
			if h.Chain == tx.Chain && h.At == (ledger.Point{Pos: in.PrevPos, Slot: in.Prev.Index}) && h.Tx == in.Prev.Tx {
				m.Brought = append(m.Brought, hopAmount(h))
			}
		}
	}
	return nil
}

func hopAmount(h tracer.Hop) *spoorv1.HopAmount {
	return &spoorv1.HopAmount{Hop: uint32(h.ID), Dirty: h.Dirty.String(), Time: timeMessage(h.Time)}
}

func segmentMessages(segs []tracer.Segment) []*spoorv1.LedgerSegment {
	var all []*spoorv1.LedgerSegment
	for _, s := range segs {
		all = append(all, &spoorv1.LedgerSegment{Seed: uint32(max(s.Label, 0)), Traced: s.Label != tracer.Clean, Amount: s.Amount.String()})
	}
	return all
}

// payee says what became of the units, by what rule, and where they went on.
func (x *explanation) payee() error {
	m := &spoorv1.PayeeOutcome{Outcome: "ADDED", Rests: "0", Because: "the payee held traced money already"}
	x.answer.Payee = m
	floor := x.q.req.FloorOf(x.hop.Asset)
	switch {
	case x.hop.Crossing != nil:
		m.Outcome, m.Because = "CROSSED", crossingText(x.hop.Crossing)
	case x.hop.Chain.UTXO():
		m.Outcome, m.Because = "COIN", fmt.Sprintf("it carries at least the floor of %s base units, and holds them until it is spent", floor)
	case x.work.Opened:
		m.Outcome, m.Opening, m.OpeningAssumed = "OPENED", x.work.PayeeOpening.String(), x.work.PayeeDeficit.String()
		m.Because = fmt.Sprintf("it carries at least the floor of %s base units; the payee's balance just before is one clean lot, the oldest", floor)
	}
	rests := ledger.Amount{}
	for _, t := range x.trace.Terminals {
		switch {
		case t.Hop != x.hop.ID:
		case t.Rests:
			rests, m.Reason = rests.Plus(t.Dirty), string(t.Reason)
		default:
			if err := x.stopped(m, t); err != nil {
				return err
			}
		}
	}
	m.Rests = rests.String()
	for _, h := range x.trace.Hops {
		if h.Parent == x.hop.ID {
			m.WentOn = append(m.WentOn, uint32(h.ID))
		}
	}
	return nil
}

// stopped says why the trace ends at the payee: what the user said, a label, or a rule.
func (x *explanation) stopped(m *spoorv1.PayeeOutcome, t tracer.Terminal) error {
	m.Outcome, m.Reason, m.Because = "STOPPED", string(t.Reason), stopText(t.Reason, x.q.req, x.hop)
	if x.q.req.StopAt[x.hop.To] || x.q.req.Through[x.hop.To] {
		return nil
	}
	tags, err := x.q.view.Tags(x.ctx, x.hop.To)
	if err != nil {
		return err
	}
	if reason, tag := tracer.StopTag(tags, x.hop.Time); reason == t.Reason {
		m.DecidedBy = x.q.view.labelMessage(tag)
		m.Because = fmt.Sprintf("a label that holds at the time of the block: of the %d that the address has, the most confident of a category at which a trace stops", len(tags))
	}
	return nil
}

// limits says under what bounds the trace ran, and what its heuristics are worth.
func (x *explanation) limits() (err error) {
	if x.answer.Bounds, err = x.q.bounds(x.conv, x.trace); err != nil {
		return err
	}
	x.answer.Events, x.answer.Hops = int64(x.trace.Events), int64(len(x.trace.Hops))
	c := x.hop.Crossing
	if x.work.Crossed {
		c = x.trace.Hops[x.hop.Parent-1].Crossing
	}
	d := x.q.view.data
	switch {
	case c != nil && c.Tier != "T0":
		x.answer.ErrorRates = d.errorRates("bridge by likeness")
	case c != nil && c.Kind == "BRIDGE":
		x.answer.ErrorRates = d.errorRates("bridge by id")
	case x.answer.GetPayee().GetReason() == string(tracer.SuspectedService):
		x.answer.ErrorRates = d.errorRates("suspected service")
	}
	return nil
}
