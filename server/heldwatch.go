package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/risk"
)

// The alerts of a watched case or trace.
const (
	heldMoved      = "HELD_MOVED"
	heldAtExchange = "HELD_AT_EXCHANGE"
)

// watchedCase and watchedTrace report what a watch is of: else it is an address.
func watchedCase(name string) bool  { return strings.HasPrefix(name, "cases/") }
func watchedTrace(name string) bool { return strings.HasPrefix(name, "traces/") }

// watchesMoney reports that a watch is of whatever holds the money of a case or trace.
func watchesMoney(name string) bool { return watchedCase(name) || watchedTrace(name) }

// watchMoney watches whatever holds the money of a case or trace. What happened up
// to the tips of the moment is no news.
func (s *screenService) watchMoney(ctx context.Context, m *spoorv1.AddWatchRequest) (*spoorv1.Watch, error) {
	if m.GetOwn() {
		return nil, ledger.Invalid("own", "an address beside it: a case or trace is nobody's own", m.GetAddress())
	}
	w, tenant, err := s.named(ctx, m)
	if err != nil {
		return nil, err
	}
	release, err := s.cases.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.asking.look(ctx, tenant, &w, s.now(), m.GetFetch()); err != nil {
		return nil, err
	}
	p, err := s.pursued(ctx, tenant, &w, nil)
	if err != nil {
		return nil, err
	}
	defer p.close()
	if w.Since, err = sinceNow(ctx, p.view); err != nil {
		return nil, err
	}
	w.Evidence = p.evidence
	if w, err = s.store.AddWatch(ctx, tenant, w); err != nil {
		return nil, err
	}
	// Blocks may have come since it was traced: it is traced once more.
	return watchMessage(&w), s.caseChanged(ctx, tenant, w.Address)
}

// named makes the watch that a request names, and says whose it is.
func (s *screenService) named(ctx context.Context, m *spoorv1.AddWatchRequest) (w screening.Watch, tenant string, err error) {
	w = screening.Watch{Note: m.GetNote(), Notify: m.GetNotify(), Created: s.now().UnixMilli()}
	if watchedCase(m.GetAddress()) {
		who, id, err := s.cases.open(ctx, m.GetAddress())
		w.Address, w.By = "cases/"+string(id), who.Name
		return w, who.Tenant, err
	}
	request := m.GetTrace()
	if watchedTrace(m.GetAddress()) {
		t, err := s.traces.jobs.get(ctx, m.GetAddress())
		if err != nil {
			return w, "", err
		}
		request = t.GetRequest()
	}
	if request.GetDirection() == spoorv1.Direction_DIRECTION_UPSTREAM {
		return w, "", ledger.Invalid("trace.direction", "a trace downstream: what came before does not change", request.GetDirection().String())
	}
	request = proto.CloneOf(request)
	request.AsOf, request.Fetch, request.AllPolicies = "", nil, false
	formed, err := s.traces.formed(request)
	if err != nil {
		return w, "", err
	}
	if slices.ContainsFunc(formed.parsed, func(ref tracer.Ref) bool { return ref.Chain == "" }) {
		return w, "", ledger.Invalid("trace.refs", "NETWORK:TX[:INDEX] of each payment, or a network", strings.Join(request.GetRefs(), " "))
	}
	if w.Trace, err = (proto.MarshalOptions{Deterministic: true}).Marshal(request); err != nil {
		return w, "", fmt.Errorf("watch: %w", err)
	}
	sum := sha256.Sum256(w.Trace)
	w.Address = "traces/w" + hex.EncodeToString(sum[:12])
	return w, Principal(ctx).Tenant, nil
}

// traceOf reads the request of a watched trace.
func traceOf(w *screening.Watch) (*spoorv1.TraceRequest, error) {
	m := &spoorv1.TraceRequest{}
	if err := proto.Unmarshal(w.Trace, m); err != nil {
		return nil, fmt.Errorf("watch %s: %w: %w", w.Address, err, ledger.ErrCorrupt)
	}
	return m, nil
}

// sinceNow are the tips above which what happens is news.
func sinceNow(ctx context.Context, v *view) (map[string]uint64, error) {
	tips, err := tipsOf(ctx, v)
	since := map[string]uint64{}
	for c, tip := range tips {
		since[string(c)] = tip.Height
	}
	return since, err
}

// caseChanged has a case traced again, if it is watched.
func (s *screenService) caseChanged(ctx context.Context, tenant, name string) error {
	if s.store == nil {
		return nil
	}
	_, found, err := s.store.Watch(tenant, name)
	if err != nil || !found {
		return err
	}
	defer s.wakeUp()
	return s.store.SetRetry(ctx, tenant, screening.Retry{What: screening.RetryWatch + name})
}

// pursued is what became of the money of a watched case or trace, as of one view.
type pursued struct {
	*view
	moves []heldMove
	// evidence is what it rests on: what its holders do and what is known of them.
	// It is never empty, which would mean that everything is.
	evidence []string
}

// pursued traces a watched case or trace. Of its moves, those above some heights;
// nil: all.
func (s *screenService) pursued(ctx context.Context, tenant string, w *screening.Watch, since map[string]uint64) (*pursued, error) {
	p := &pursued{}
	var holders []string
	if watchedTrace(w.Address) {
		v, t, err := s.retrace(ctx, w)
		if err != nil {
			return nil, err
		}
		p.view, p.moves, holders = v, traceMoves(t, w.Address, since), holdersIn(t)
		if err := p.nameServices(ctx); err != nil {
			p.close()
			return nil, err
		}
	} else {
		f, d, err := s.retraced(ctx, tenant, w)
		if err != nil {
			return nil, err
		}
		p.view, p.moves, holders = f.view, heldMoves(d, w.Address, since), holdersOf(d)
	}
	all := map[string]bool{"money": true}
	for _, a := range holders {
		all["events "+a], all[a] = true, true
	}
	p.evidence = slices.Sorted(maps.Keys(all))
	return p, nil
}

// nameServices says with which service money is, by the label that is trusted most.
func (p *pursued) nameServices(ctx context.Context) error {
	for _, one := range p.moves {
		if one.alert.Type != heldAtExchange {
			continue
		}
		a, err := ledger.ParseQualified(one.move.GetTo())
		if err != nil {
			return err
		}
		tags, err := p.Tags(ctx, a)
		if err != nil {
			return err
		}
		if len(tags) > 0 {
			one.move.Service = slices.MaxFunc(tags, func(a, b ledger.Tag) int { return cmp.Compare(a.Confidence, b.Confidence) }).Label
		}
	}
	return nil
}

// heldNews traces what is watched on, and raises what happened to its money since
// it is watched. What was raised before is not again.
func (r *rescorer) heldNews(ctx context.Context, tenant string, w screening.Watch) error {
	p, err := r.pursued(ctx, tenant, &w, w.Since)
	if err != nil {
		return err
	}
	defer p.close()
	for _, one := range p.moves {
		body := &spoorv1.Alert{Case: w.Address, Held: one.move}
		if watchedTrace(w.Address) {
			body.Case, body.Trace = "", w.Address
		}
		one.alert.Notify = w.Notify
		if err := r.raise(ctx, tenant, one.alert, body, p.view); err != nil {
			return err
		}
	}
	w.Evidence = p.evidence
	return r.store.SetWatch(ctx, tenant, w)
}

// retraced traces a watched case, as the member who watches it.
func (s *screenService) retraced(ctx context.Context, tenant string, w *screening.Watch) (*caseFile, *evidence.Dossier, error) {
	if s.cases.cases == nil {
		return nil, nil, fmt.Errorf("%s is watched, and this server keeps no cases: %w", w.Address, ledger.ErrPrecondition)
	}
	who, id := watcher(tenant, w)
	return s.cases.traced(ctx, who, id, filePins{again: true})
}

func watcher(tenant string, w *screening.Watch) (cases.Actor, cases.ID) {
	return cases.Actor{Tenant: tenant, Name: w.By}, cases.ID(strings.TrimPrefix(w.Address, "cases/"))
}

// retrace traces a watched trace under its rule.
func (s *screenService) retrace(ctx context.Context, w *screening.Watch) (*view, *tracer.Trace, error) {
	m, err := traceOf(w)
	if err != nil {
		return nil, nil, err
	}
	q, err := s.traces.ask(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	t, err := q.replay(ctx, q.req.Policy, nil)
	if err != nil {
		q.view.close()
		return nil, nil, err
	}
	return q.view, t, nil
}

// holdersIn are the addresses whose transactions change a trace, as holdersOf.
func holdersIn(t *tracer.Trace) (all []string) {
	for _, e := range t.Terminals {
		if e.FreezableBy() != byService && !e.Address.IsZero() {
			all = append(all, e.Address.Qualified())
		}
	}
	return all
}

// traceMoves are the transfers of a trace above some heights, as heldMoves.
func traceMoves(t *tracer.Trace, name string, since map[string]uint64) (all []heldMove) {
	services := map[ledger.Holder]bool{}
	for _, e := range t.Terminals {
		if e.FreezableBy() == byService {
			services[ledger.Holder{Address: e.Address, Asset: e.Asset}] = true
		}
	}
	for _, h := range t.Hops {
		if from, watched := since[string(h.Chain)]; watched && h.At.Pos.Height() <= from {
			continue
		}
		move := &spoorv1.HeldMove{
			Holding: h.From.Qualified(), Ref: string(h.Chain) + ":" + hashText(h.Chain, h.Tx) + ":" + tracer.IndexText(h.Chain, h.Kind, h.Index), To: h.To.Qualified(),
			Asset: h.Asset.String(), Amount: h.Dirty.String(),
		}
		if h.Parent > 0 && t.Hops[h.Parent-1].To == h.From {
			move.Minutes = proto.Int64(max(0, (h.Time-t.Hops[h.Parent-1].Time)/60_000))
		}
		if services[ledger.Holder{Address: h.To, Asset: h.Asset}] {
			move.FreezableBy = byService
			all = append(all, alertOf(name, heldAtExchange, move.GetTo(), string(h.Chain), move))
		}
		if h.Parent > 0 && h.To != h.From && !slices.Contains(h.FromOthers, h.To) {
			all = append(all, alertOf(name, heldMoved, move.GetHolding(), string(h.Chain), move))
		}
	}
	return all
}

// heldMove is one transfer of a case's money that an alert is about.
type heldMove struct {
	alert screening.Alert
	move  *spoorv1.HeldMove
}

// heldMoves are the transfers of a case above some heights: those that take money
// from where it was held, and those that bring it to a service.
func heldMoves(d *evidence.Dossier, name string, since map[string]uint64) (all []heldMove) {
	rows, services := map[string]evidence.Row{}, map[string]evidence.Holding{}
	for _, r := range d.Ledger {
		rows[r.ID] = r
	}
	for _, h := range d.Holdings {
		for _, id := range h.Rows {
			if h.FreezableBy == byService {
				services[id] = h
			}
		}
	}
	for _, r := range d.Ledger {
		if from, watched := since[r.Network]; watched && r.Place.Height <= from {
			continue
		}
		move := &spoorv1.HeldMove{
			Holding: r.Network + ":" + r.From, Ref: r.Network + ":" + r.Tx + ":" + r.Index, To: r.Network + ":" + r.To, Asset: r.Asset, Amount: r.Traced,
		}
		if before, ok := rows[r.Parent]; ok && before.To == r.From {
			move.Minutes = proto.Int64(max(0, r.Time.Sub(before.Time).Milliseconds()/60_000))
		}
		service, arrived := services[r.ID]
		if arrived {
			move.Service, move.FreezableBy = serviceName(d, service.Entity), service.FreezableBy
			all = append(all, alertOf(name, heldAtExchange, move.GetTo(), r.Network, move))
		}
		if r.Parent != "" && r.To != r.From && !slices.Contains(r.FromOthers, r.To) {
			all = append(all, alertOf(name, heldMoved, move.GetHolding(), r.Network, move))
		}
	}
	return all
}

// serviceName is the name of a service, but for one that a label of the case's own
// gives: its words are the case's.
func serviceName(d *evidence.Dossier, id string) string {
	for _, e := range d.Entities {
		own := func(a evidence.Attribution) bool { return a.Pack == "case" }
		if e.ID == id && !slices.ContainsFunc(e.Evidence, own) {
			return e.Name
		}
	}
	return ""
}

func alertOf(name, kind, address, network string, m *spoorv1.HeldMove) heldMove {
	message := fmt.Sprintf("%s base units of %s paid on to %s in %s", m.GetAmount(), m.GetAsset(), m.GetTo(), m.GetRef())
	if kind == heldAtExchange {
		message = fmt.Sprintf("%s base units of %s came to a service at %s in %s: %s can stop it", m.GetAmount(), m.GetAsset(), m.GetTo(), m.GetRef(), m.GetFreezableBy())
	}
	if m.Minutes != nil {
		message += fmt.Sprintf(", %d minutes after it arrived at %s", m.GetMinutes(), m.GetHolding())
	}
	return heldMove{screening.Alert{
		Type: kind, Level: risk.High.String(), Address: address, Network: network, Rule: name + " " + m.GetRef(), Message: message,
	}, m}
}

// stillHeld reports that the transfer of an alert is still in the trace of what is
// watched. Of what is watched no more, it is enough that the transaction is held.
func (s *screenService) stillHeld(ctx context.Context, tenant string, v *view, a *screening.Alert) (bool, error) {
	name, ref, _ := strings.Cut(a.Rule, " ")
	w, watched, err := s.store.Watch(tenant, name)
	if err != nil {
		return false, err
	}
	if !watched {
		return s.heldTx(ctx, v, a, ref)
	}
	p, err := s.pursued(ctx, tenant, &w, nil)
	if err != nil {
		return false, ignoreAbsent(err) // a payment left with its block
	}
	defer p.close()
	return slices.ContainsFunc(p.moves, func(one heldMove) bool { return one.alert.Type == a.Type && one.alert.Rule == a.Rule }), nil
}

func (s *screenService) heldTx(ctx context.Context, v *view, a *screening.Alert, ref string) (bool, error) {
	parts := strings.Split(ref, ":")
	if len(parts) < 2 {
		return false, fmt.Errorf("alert %s: transfer %q: %w", a.ID, ref, ledger.ErrCorrupt)
	}
	id, err := ledger.ParseTxID(strings.TrimPrefix(parts[1], "0x"))
	if err != nil {
		return false, fmt.Errorf("alert %s: %w: %w", a.ID, err, ledger.ErrCorrupt)
	}
	txs, err := v.FindTx(ctx, ledger.Chain(a.Network), id)
	return len(txs) > 0, ignoreAbsent(err)
}
