package server

import (
	"context"
	"iter"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/risk"
)

// freezeConfidence is that of what the ledger itself says (ledger_immanent).
const freezeConfidence = 100

// freezing is the view as a score sees it: with the freezes of issuers as tags.
type freezing struct{ *view }

func (v *view) riskIndex() risk.Index { return freezing{v} }

// Tags implements tracer.Index: the label log, then what issuers froze.
func (s freezing) Tags(ctx context.Context, a ledger.Address) ([]ledger.Tag, error) {
	tags, err := s.view.Tags(ctx, a)
	if err != nil || a.IsZero() || a.Kind == ledger.KindRef || a.Chain.UTXO() {
		return tags, err
	}
	frozen, err := s.freezes(ctx, a)
	if err != nil || len(frozen) == 0 {
		return tags, err
	}
	return append(tags[:len(tags):len(tags)], frozen...), nil
}

// freezes turns every spell in which an issuer blocks an account into a tag
// that holds as long. They have no number in the label log, and cannot be
// retracted: the chain says so.
func (s freezing) freezes(ctx context.Context, a ledger.Address) ([]ledger.Tag, error) {
	if _, err := s.AsOf(ctx, a.Chain); err != nil {
		return nil, nil // a network that is not held has no notices
	}
	var tags []ledger.Tag
	for n, err := range s.Notices(ctx, a, ledger.Point{}) {
		if err != nil {
			return nil, err
		}
		switch {
		case n.Account != a:
		case n.Kind == ledger.NoticeFrozen:
			tags = append(tags, freezeTag(a, n))
		case n.Kind == ledger.NoticeUnfrozen:
			for i := range tags {
				if tags[i].ValidTo == 0 && tags[i].Actor == n.Asset.String() {
					tags[i].ValidTo = n.Time
				}
			}
		}
	}
	return tags, nil
}

func freezeTag(a ledger.Address, n ledger.Noted) ledger.Tag {
	return ledger.Tag{
		Address: a, Chain: a.Chain, Label: "blocked by the issuer of " + ledger.InfoOf(n.Asset).Symbol, Category: "issuer_frozen", Actor: n.Asset.String(),
		Source: "transaction " + hashText(a.Chain, n.Tx), Confidence: freezeConfidence, ValidFrom: n.Time, Recorded: n.Time,
	}
}

// Cluster implements risk.Index where a network has no clusters: everyone for themselves.
func (s freezing) Cluster(ctx context.Context, a ledger.Address) (ledger.Cluster, error) {
	if known, ok := any(s.view).(clusters); ok {
		return known.Cluster(ctx, a)
	}
	head, err := s.AsOf(ctx, a.Chain)
	return ledger.Cluster{Name: a, Size: 1, AsOf: head}, err
}

// Members implements risk.Index.
func (s freezing) Members(ctx context.Context, c ledger.Cluster) iter.Seq2[ledger.Address, error] {
	if known, ok := any(s.view).(clusters); ok {
		return known.Members(ctx, c)
	}
	return func(yield func(ledger.Address, error) bool) { yield(c.Name, nil) }
}

// ClusterTags implements risk.Index.
func (s freezing) ClusterTags(ctx context.Context, c ledger.Cluster) ([]ledger.Tag, error) {
	if known, ok := any(s.view).(clusters); ok {
		return known.ClusterTags(ctx, c)
	}
	return nil, nil
}

// clusters is what a view that has clusters answers.
type clusters interface {
	Cluster(ctx context.Context, a ledger.Address) (ledger.Cluster, error)
	Members(ctx context.Context, c ledger.Cluster) iter.Seq2[ledger.Address, error]
	ClusterTags(ctx context.Context, c ledger.Cluster) ([]ledger.Tag, error)
}

// screeningMessage converts an assessment; of whom it is, the caller knows.
func (v *view) screeningMessage(ctx context.Context, c ledger.Chain, a *risk.Assessment) (*spoorv1.Screening, error) {
	head, err := v.AsOf(ctx, c)
	if err != nil {
		return nil, err
	}
	m := &spoorv1.Screening{
		Network: string(c), Risk: a.Level.String(), RiskReason: a.Reason, State: a.State.String(), AsOf: v.asOfMessage(head),
		RuleVersion: a.RuleVersion, LabelSequence: v.labelSequence(), Limits: a.Limits, FirstSeen: timeMessage(a.FirstAt), LastSeen: timeMessage(a.LastAt),
		LabelCoverage: &spoorv1.LabelCoverage{ReceivedPpm: a.ReceivedPPM, SentPpm: a.SentPPM, TagSets: v.tagSets()},
		Finality:      v.finalityAt(c, head.Height), Heuristics: v.data.errorRates(a.Used...),
	}
	if a.State == risk.Scored {
		score := uint32(a.Score)
		m.RiskScore = &score
	}
	if m.Coverage, err = v.networkCoverage(c); err != nil {
		return nil, err
	}
	if !a.Cluster.Name.IsZero() {
		m.Cluster = &spoorv1.Cluster{Network: string(c), Name: a.Cluster.Name.String(), Tier: a.Cluster.Tier.String(), Size: a.Cluster.Size, AsOfHeight: a.Cluster.AsOf.Height}
	}
	for _, t := range a.Tags {
		m.AddressIdentifications = append(m.AddressIdentifications, v.labelMessage(t))
	}
	for _, e := range a.Exposures {
		one, err := v.exposureMessage(e, head.Time)
		if err != nil {
			return nil, err
		}
		m.Exposures = append(m.Exposures, one)
	}
	m.Triggers, m.NotEvaluated = triggerMessages(a.Triggers, a.RuleVersion), triggerMessages(a.NotEvaluated, a.RuleVersion)
	for _, b := range a.Behaviors {
		m.DetectedBehaviors = append(m.DetectedBehaviors, &spoorv1.Behavior{
			Pattern: b.Pattern, Message: b.Message, Transfers: stepTexts(c, b.Steps), ErrorRate: strings.Join(v.data.errorRates(b.Pattern), "; "),
		})
	}
	return m, nil
}

func (v *view) finalityAt(c ledger.Chain, height uint64) string {
	if v.export(c) {
		return final
	}
	if to := v.final(c); to != nil && height <= *to {
		return final
	}
	return tentative
}

func (v *view) exposureMessage(e risk.Exposure, at int64) (*spoorv1.Exposure, error) {
	asset, err := v.info(e.Asset)
	if err != nil {
		return nil, err
	}
	m := &spoorv1.Exposure{
		Category: e.Category, Direction: e.Direction.String(), Asset: assetMessage(asset), Amount: e.Amount.String(), Percentage: percentage(e.PPM),
		MinHops: uint32(e.MinHops), MaxHops: uint32(e.MaxHops), Low: e.Low.String(), High: e.High.String(), Rule: "haircut",
	}
	if known, ok := labels.CategoryOf(e.Category); ok {
		m.CategoryId = int32(known.KYT)
	}
	m.RiskType, m.ExposureType = kindTexts(e.Kind)
	m.Usd, m.UsdSource, _ = v.data.prices.Value(e.Amount, asset, at)
	for _, p := range e.Paths {
		m.Paths = append(m.Paths, &spoorv1.ExposurePath{
			Address: p.Entity.String(), Label: v.labelMessage(p.Tag), Amount: p.Amount.String(), Hops: uint32(p.Hops), Transfers: stepTexts(e.Asset.Chain, p.Transfers),
		})
	}
	return m, nil
}

func kindTexts(k risk.Kind) (riskType, exposureType string) {
	switch k {
	case risk.Ownership:
		return "OWNERSHIP", ""
	case risk.Direct:
		return "COUNTERPARTY", "DIRECT"
	}
	return "INDIRECT", "INDIRECT"
}

// percentage writes parts per million with four decimals.
func percentage(ppm uint32) string {
	decimals := strconv.Itoa(10_000 + int(ppm%10_000))
	return strconv.Itoa(int(ppm/10_000)) + "." + decimals[1:]
}

// stepTexts names transfers as REFs, with their network where it is not that of the answer.
func stepTexts(c ledger.Chain, steps []risk.Step) []string {
	var all []string
	for _, s := range steps {
		text := hashText(s.Chain, s.Tx) + ":" + tracer.IndexText(s.Chain, s.Kind, s.Index)
		if s.Chain != c {
			text = string(s.Chain) + ":" + text
		}
		all = append(all, text)
	}
	return all
}

func triggerMessages(all []risk.Trigger, version string) []*spoorv1.Trigger {
	var ms []*spoorv1.Trigger
	for _, t := range all {
		m := &spoorv1.Trigger{
			RuleId: t.Rule.ID, RuleVersion: version, Category: t.Categories, Risk: t.Rule.Level.String(), Score: uint32(t.Rule.Score),
			Thresholds: thresholds(t.Rule), Message: t.Message,
		}
		if t.NotWhy != "" {
			m.Message = t.NotWhy
		}
		if t.Rule.Kind != risk.Ownership {
			_, m.ExposureType = kindTexts(t.Rule.Kind)
			m.Direction = t.Rule.Direction.String()
			if t.Rule.AnySide {
				m.Direction = ""
			}
		}
		ms = append(ms, m)
	}
	return ms
}

// thresholds writes a rule's thresholds as the rule file does.
func thresholds(r risk.Rule) []string {
	var all []string
	decimals := 0
	if r.Asset != nil {
		decimals = ledger.InfoOf(*r.Asset).Decimals
		all = append(all, "asset: "+r.Asset.String())
	}
	for _, t := range []struct {
		name     string
		amount   *ledger.Amount
		decimals int
	}{{"min_amount", r.MinAmount, decimals}, {"max_amount", r.MaxAmount, decimals}, {"min_usd", r.MinMicros, 6}, {"max_usd", r.MaxMicros, 6}} {
		if t.amount != nil {
			all = append(all, t.name+": "+t.amount.Decimal(t.decimals))
		}
	}
	if r.MinPPM > 0 {
		all = append(all, "percentage: "+percentage(r.MinPPM))
	}
	return all
}
