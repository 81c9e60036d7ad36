package risk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// assess turns what the replays found into an assessment.
func (b *book) assess(ctx context.Context, f *flows) (*Assessment, error) {
	a := &Assessment{Cluster: b.cluster, RuleVersion: b.rules.Version}
	totalIn, totalOut := f.in.without(f.totalIn), f.out.without(f.totalOut)
	a.Exposures = append(b.exposures(f.in, Received, totalIn), b.exposures(f.out, Sent, totalOut)...)
	if err := b.namePaths(ctx, a.Exposures); err != nil {
		return nil, err
	}
	a.ReceivedPPM, a.SentPPM = labelled(f.in, totalIn), labelled(f.out, totalOut)
	if b.cut {
		// Of what was not read nobody knows whose it is: no rule that triggers, no score.
		a.ReceivedPPM, a.SentPPM = 0, 0
	}
	switch {
	case !f.history:
		a.State, a.Reason = NoHistory, "no transfer of it is held"
	case !f.covered:
		a.State, a.Reason = NotCovered, "the index does not hold all of its transfers"
	case len(f.totalIn)+len(f.totalOut) == 0 && !b.cut:
		a.State, a.Reason = NoHistory, "no transfer of a known asset and of no less than dust is held"
	}
	if f.history {
		for _, part := range []struct {
			at ledger.Point
			to *int64
		}{{f.firstAt, &a.FirstAt}, {f.lastAt, &a.LastAt}} {
			tx, err := b.idx.TxAt(ctx, b.network, part.at.Pos)
			if err != nil {
				return nil, err
			}
			*part.to = tx.Time
		}
	}
	b.decide(a)
	a.Limits = b.limits
	return a, nil
}

// own adds who the address itself is, and judges again.
func (b *book) own(ctx context.Context, address ledger.Address, a *Assessment) error {
	tags, err := b.tags(ctx, address)
	if err != nil {
		return err
	}
	a.Tags = tags
	now, err := b.now(ctx, address.Chain)
	if err != nil {
		return err
	}
	// A label that does not hold as of the snapshot is shown and does not count. One that
	// began after the last transfer does: who is listed, or frozen, often moves no more.
	var owned []Exposure
	for _, t := range tags {
		same := func(e Exposure) bool { return e.Category == t.Category }
		if !counts(&t, max(now, a.LastAt, 1)) || slices.ContainsFunc(owned, same) {
			continue
		}
		owned = append(owned, Exposure{Category: t.Category, Kind: Ownership, Asset: ledger.NativeAsset(address.Chain), Paths: []Path{{Entity: address, Tag: t}}})
	}
	if len(owned) > 0 {
		a.Exposures = append(owned, a.Exposures...)
		b.decide(a)
	}
	return nil
}

// now is the time (Unix milliseconds) of the last block that is seen; 0 where none is held.
func (b *book) now(ctx context.Context, c ledger.Chain) (int64, error) {
	tip, err := b.idx.AsOf(ctx, c)
	if errors.Is(err, ledger.ErrNotFound) {
		return 0, nil
	}
	return tip.Time, err
}

// decide applies the rules. Who is labelled is known even where nothing is covered.
func (b *book) decide(a *Assessment) {
	a.Triggers, a.NotEvaluated = b.rules.Evaluate(a.Exposures, b.options.Price, a.LastAt)
	a.Used = nil
	for name := range b.used {
		a.Used = append(a.Used, name)
	}
	slices.Sort(a.Used)
	b.rules.Settle(a)
}

// Settle sets score, level, state and reason of an assessment from its triggers.
func (s *Rules) Settle(a *Assessment) {
	counted := a.Triggers
	if a.State == NoHistory || a.State == NotCovered {
		// Who it is is known all the same; what it did is not.
		counted = slices.DeleteFunc(slices.Clone(counted), func(t Trigger) bool { return t.Rule.Kind != Ownership })
		if len(counted) == 0 {
			a.Score, a.Level = 0, None
			return
		}
	}
	if len(counted) > 0 {
		top := counted[0]
		a.State, a.Score, a.Level = Scored, top.Rule.Score, top.Rule.Level
		a.Reason = fmt.Sprintf("%s by rule %s: %s", top.Rule.Level, top.Rule.ID, top.Message)
		return
	}
	if a.ReceivedPPM < s.MinLabelledPPM && a.SentPPM < s.MinLabelledPPM {
		a.State, a.Score, a.Level = TooLittleLabelled, 0, None
		a.Reason = fmt.Sprintf("no rule triggered, and of its value only %s %% came from, and %s %% went to, anybody who is known", Percent(a.ReceivedPPM), Percent(a.SentPPM))
		return
	}
	a.State, a.Score, a.Level, a.Reason = Scored, 0, Low, "no rule triggered"
}

// Evaluate returns the rules that trigger on exposures, the highest first, and
// those that cannot be evaluated. ms is the time at which amounts are priced.
func (s *Rules) Evaluate(exposures []Exposure, price Price, ms int64) (triggered, unknown []Trigger) {
	for _, rule := range s.Rules {
		for i := range exposures {
			t, state := rule.judge(&exposures[i], price, ms)
			t.Exposure = i
			switch state {
			case yes:
				triggered = append(triggered, t)
			case unpriced:
				unknown = append(unknown, t)
			case no:
			}
		}
	}
	slices.SortStableFunc(triggered, func(x, y Trigger) int {
		return cmp.Or(cmp.Compare(y.Rule.Score, x.Rule.Score), cmp.Compare(x.Rule.ID, y.Rule.ID))
	})
	return triggered, unknown
}

type answer uint8

const (
	no answer = iota
	yes
	unpriced
)

// judge asks one rule of one exposure.
func (r *Rule) judge(e *Exposure, price Price, ms int64) (Trigger, answer) {
	t := Trigger{Rule: *r, Categories: e.Category}
	if !Within(e.Category, r.Category) || e.Kind != r.Kind || e.Kind != Ownership && !r.AnySide && e.Direction != r.Direction {
		return t, no
	}
	if e.Kind == Ownership {
		t.Message = fmt.Sprintf("it is labelled %s (%s, by %s, confidence %d)", e.Category, e.Paths[0].Tag.Label, e.Paths[0].Tag.Source, e.Paths[0].Tag.Confidence)
		return t, yes
	}
	switch {
	case r.Asset != nil && *r.Asset != e.Asset,
		r.MinAmount != nil && e.Amount.Less(*r.MinAmount),
		r.MaxAmount != nil && !e.Amount.Less(*r.MaxAmount),
		e.PPM < r.MinPPM, e.Amount.IsZero():
		return t, no
	}
	info := ledger.InfoOf(e.Asset)
	t.Message = fmt.Sprintf("%s %s %s of %s, %s %% of all, %s", e.Direction, info.Asset.Chain, e.Amount.Coins(info.Decimals)+" "+info.Symbol, e.Category, Percent(e.PPM), hops(e))
	if r.MinMicros == nil && r.MaxMicros == nil {
		return t, yes
	}
	micros, ok := worth(e, price, ms)
	if !ok {
		t.NotWhy = "no price of " + info.Symbol
		return t, unpriced
	}
	if r.MinMicros != nil && micros.Less(*r.MinMicros) || r.MaxMicros != nil && !micros.Less(*r.MaxMicros) {
		return t, no
	}
	return t, yes
}

// worth is what an exposure is worth in millionths of a dollar. Stablecoins are
// taken at 1 where nobody gives a price.
func worth(e *Exposure, price Price, ms int64) (ledger.Amount, bool) {
	if price != nil {
		return price(e.Asset, e.Amount, ms)
	}
	info := ledger.InfoOf(e.Asset)
	return e.Amount, info.Known && !e.Asset.Native() && info.Decimals == 6
}

func hops(e *Exposure) string {
	switch {
	case e.Kind == Direct:
		return "directly"
	case e.MinHops == e.MaxHops:
		return fmt.Sprintf("%d transfers away", e.MinHops)
	}
	return fmt.Sprintf("%d to %d transfers away", e.MinHops, e.MaxHops)
}

// Percent prints parts per million as percent with four decimals.
func Percent(ppm uint32) string { return fmt.Sprintf("%d.%04d", ppm/10_000, ppm%10_000) }
