package server

import (
	"context"
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
	"github.com/spoortrace/spoor/tracer/risk"
)

// The alerts of a watched case.
const (
	heldMoved      = "HELD_MOVED"
	heldAtExchange = "HELD_AT_EXCHANGE"
)

// watchedCase reports that a watch is of a case.
func watchedCase(name string) bool { return strings.HasPrefix(name, "cases/") }

// watchCase watches whatever holds the money of a case. What happened up to the
// tips of the moment is no news.
func (s *screenService) watchCase(ctx context.Context, m *spoorv1.AddWatchRequest) (*spoorv1.Watch, error) {
	if m.GetOwn() {
		return nil, ledger.Invalid("own", "an address beside it: a case is nobody's own", m.GetAddress())
	}
	who, id, err := s.cases.open(ctx, m.GetAddress())
	if err != nil {
		return nil, err
	}
	release, err := s.cases.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	f, d, err := s.cases.traced(ctx, who, id, filePins{})
	if err != nil {
		return nil, err
	}
	defer f.close()
	tips, err := tipsOf(ctx, f.view)
	if err != nil {
		return nil, err
	}
	w := screening.Watch{Address: "cases/" + string(id), By: who.Name, Note: m.GetNote(), Created: s.now().UnixMilli(), Since: map[string]uint64{}, Evidence: holdersEvidence(d)}
	for c, tip := range tips {
		w.Since[string(c)] = tip.Height
	}
	if w, err = s.store.AddWatch(ctx, who.Tenant, w); err != nil {
		return nil, err
	}
	// Blocks may have come since it was traced: it is traced once more.
	return watchMessage(&w), s.caseChanged(ctx, who.Tenant, w.Address)
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

// holdersEvidence is what a traced case rests on: what its holders do and what is
// known of them. It is never empty, which would mean that everything is.
func holdersEvidence(d *evidence.Dossier) []string {
	all := map[string]bool{"case": true}
	for _, a := range holdersOf(d) {
		all["events "+a], all[a] = true, true
	}
	return slices.Sorted(maps.Keys(all))
}

// heldNews traces a watched case on, as the member who watches it, and raises what
// happened to its money since it is watched. What was raised before is not again.
func (r *rescorer) heldNews(ctx context.Context, tenant string, w screening.Watch) error {
	f, d, err := r.retraced(ctx, tenant, &w)
	if err != nil {
		return err
	}
	defer f.close()
	for _, one := range heldMoves(d, w.Address, w.Since) {
		if err := r.raise(ctx, tenant, one.alert, &spoorv1.Alert{Case: w.Address, Held: one.move}, f.view); err != nil {
			return err
		}
	}
	w.Evidence = holdersEvidence(d)
	return r.store.SetWatch(ctx, tenant, w)
}

func (s *screenService) retraced(ctx context.Context, tenant string, w *screening.Watch) (*caseFile, *evidence.Dossier, error) {
	who := cases.Actor{Tenant: tenant, Name: w.By}
	if s.cases.cases == nil {
		return nil, nil, fmt.Errorf("%s is watched, and this server keeps no cases: %w", w.Address, ledger.ErrPrecondition)
	}
	return s.cases.traced(ctx, who, cases.ID(strings.TrimPrefix(w.Address, "cases/")), filePins{again: true})
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

// stillHeld reports that the transfer of an alert is still in the trace of its case.
// Of a case that is watched no more, it is enough that the transaction is held.
func (s *screenService) stillHeld(ctx context.Context, tenant string, v *view, a *screening.Alert) (bool, error) {
	name, ref, _ := strings.Cut(a.Rule, " ")
	w, watched, err := s.store.Watch(tenant, name)
	if err != nil {
		return false, err
	}
	if !watched {
		return s.heldTx(ctx, v, a, ref)
	}
	f, d, err := s.retraced(ctx, tenant, &w)
	if err != nil {
		return false, ignoreAbsent(err) // a payment of the case left with its block
	}
	defer f.close()
	return slices.ContainsFunc(heldMoves(d, name, nil), func(one heldMove) bool { return one.alert.Type == a.Type && one.alert.Rule == a.Rule }), nil
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
