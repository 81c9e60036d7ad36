package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// DiffTrace answers the request of a trace again, of what is held now, and says
// what came out otherwise; or compares two traces that are given.
func (s *traces) DiffTrace(ctx context.Context, m *spoorv1.DiffTraceRequest) (*spoorv1.TraceDiff, error) {
	was, err := s.given(ctx, m.GetName(), m.GetTrace())
	if err != nil {
		return nil, err
	}
	is := m.GetIs()
	switch {
	case is == nil:
		is, err = s.answerNow(ctx, was.GetRequest(), m.GetFetch())
	case m.GetFetch() != nil:
		err = ledger.Invalid("fetch", "no second trace beside it", "")
	default:
		_, err = s.given(ctx, "", is)
	}
	if err != nil {
		return nil, err
	}
	return diffOf(was, is)
}

// answerNow answers a request as of now.
func (s *traces) answerNow(ctx context.Context, m *spoorv1.TraceRequest, fetch *spoorv1.Fetch) (*spoorv1.Trace, error) {
	m = proto.CloneOf(m)
	m.AsOf, m.AllPolicies, m.Fetch = "", false, fetch
	release, err := s.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if _, err := s.fetch(ctx, m, nil); err != nil {
		return nil, err
	}
	q, err := s.ask(ctx, m)
	if err != nil {
		return nil, err
	}
	defer q.view.close()
	return s.run(ctx, q, nil)
}

// place is where money of a trace is, and why.
type place struct{ asset, address, reason string }

// counted is an amount with the asset that it is of.
type counted struct {
	asset  *spoorv1.Asset
	amount ledger.Amount
}

func diffOf(was, is *spoorv1.Trace) (*spoorv1.TraceDiff, error) {
	d := &spoorv1.TraceDiff{
		WasAsOf: was.GetAsOf(), IsAsOf: is.GetAsOf(), WasCoverage: was.GetCoverage(), IsCoverage: is.GetCoverage(), WasPins: was.GetPins(), IsPins: is.GetPins(),
		Conserves: true,
	}
	for _, step := range []func(*spoorv1.TraceDiff, *spoorv1.Trace, *spoorv1.Trace) error{diffSheets, diffPlaces, diffHops} {
		if err := step(d, was, is); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func assetName(a *spoorv1.Asset) string { return a.GetNetwork() + ":" + a.GetContract() }

func diffSheets(d *spoorv1.TraceDiff, was, is *spoorv1.Trace) error {
	type row struct{ asset, name string }
	sums, order := map[row][2]string{}, []row{}
	assets := map[string]*spoorv1.Asset{}
	for side, t := range []*spoorv1.Trace{was, is} {
		for _, c := range t.GetConservation() {
			if c.GetSeed() != 0 {
				continue
			}
			d.Conserves = d.Conserves && c.GetConserves()
			assets[assetName(c.GetAsset())] = c.GetAsset()
			fields := c.ProtoReflect().Descriptor().Fields()
			for _, name := range strings.Fields("seeded collided converted_in resting stopped burnt fees converted_out pruned pending") {
				r := row{assetName(c.GetAsset()), name}
				two, known := sums[r]
				if !known {
					order = append(order, r)
				}
				two[side] = c.ProtoReflect().Get(fields.ByName(protoreflect.Name(name))).String()
				sums[r] = two
			}
		}
	}
	for _, r := range order {
		if two := sums[r]; orZero(two[0]) != orZero(two[1]) {
			d.Sheets = append(d.Sheets, &spoorv1.SheetDiff{Asset: assets[r.asset], Row: r.name, Was: orZero(two[0]), Is: orZero(two[1])})
		}
	}
	return nil
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

func diffPlaces(d *spoorv1.TraceDiff, was, is *spoorv1.Trace) error {
	sums, order, seen := [2]map[place]counted{}, []place{}, map[place]bool{}
	for side, t := range []*spoorv1.Trace{was, is} {
		sums[side] = map[place]counted{}
		for _, e := range t.GetTerminals() {
			amount, err := ledger.ParseAmount(e.GetDirty())
			if err != nil {
				return ledger.Invalid("trace.terminals.dirty", "an amount", e.GetDirty())
			}
			k := place{assetName(e.GetAsset()), e.GetAddress(), e.GetReason()}
			if !seen[k] {
				order, seen[k] = append(order, k), true
			}
			sum, err := sums[side][k].amount.Add(amount)
			if err != nil {
				return err
			}
			sums[side][k] = counted{e.GetAsset(), sum}
		}
	}
	slices.SortStableFunc(order, func(a, b place) int {
		if a.asset != b.asset {
			return strings.Compare(a.asset, b.asset)
		}
		return apart(sums[0][b].amount, sums[1][b].amount).Cmp(apart(sums[0][a].amount, sums[1][a].amount))
	})
	for _, k := range order {
		a, b := sums[0][k], sums[1][k]
		if a.amount == b.amount {
			d.SamePlaces++
			continue
		}
		asset := a.asset
		if asset == nil {
			asset = b.asset
		}
		d.Places = append(d.Places, &spoorv1.PlaceDiff{Address: k.address, Asset: asset, Reason: k.reason, Was: a.amount.String(), Is: b.amount.String()})
	}
	return nil
}

// apart is how far two amounts are from each other.
func apart(a, b ledger.Amount) ledger.Amount {
	if a.Less(b) {
		return b.Minus(a)
	}
	return a.Minus(b)
}

func diffHops(d *spoorv1.TraceDiff, was, is *spoorv1.Trace) error {
	before := map[string]*spoorv1.Hop{}
	for _, h := range was.GetHops() {
		before[hopKey(h)] = h
	}
	for _, h := range is.GetHops() {
		k := hopKey(h)
		old := before[k]
		delete(before, k)
		if old.GetDirty() == h.GetDirty() {
			d.SameHops++
			continue
		}
		d.Hops = append(d.Hops, &spoorv1.HopDiff{Key: h.GetKey(), From: h.GetFrom(), To: h.GetTo(), Asset: h.GetAsset(), Was: orZero(old.GetDirty()), Is: h.GetDirty()})
	}
	for _, h := range was.GetHops() {
		if before[hopKey(h)] == h {
			d.Hops = append(d.Hops, &spoorv1.HopDiff{Key: h.GetKey(), From: h.GetFrom(), To: h.GetTo(), Asset: h.GetAsset(), Was: h.GetDirty(), Is: "0"})
		}
	}
	return nil
}

// hopKey tells hops apart: a transaction of which only some transfers were known
// may number them otherwise.
func hopKey(h *spoorv1.Hop) string {
	return fmt.Sprintf("%s %s %s %s", h.GetKey(), h.GetFrom(), h.GetTo(), assetName(h.GetAsset()))
}
