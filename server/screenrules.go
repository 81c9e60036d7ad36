package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/tracer/risk"
)

// ImportRules puts a rule file in force for the caller's tenant.
func (s *screenService) ImportRules(ctx context.Context, m *spoorv1.ImportRulesRequest) (*spoorv1.RuleSet, error) {
	if s.store == nil {
		return nil, errNoStore
	}
	rules, err := s.score.Parse("rules", []byte(m.GetText()))
	if err != nil {
		return nil, err
	}
	if err := s.store.SetRules(ctx, Principal(ctx).Tenant, rules.Version, []byte(m.GetText())); err != nil {
		return nil, err
	}
	s.wakeUp()
	return ruleSet(rules), nil
}

// GetRules reads the rules in force.
func (s *screenService) GetRules(ctx context.Context, _ *spoorv1.GetRulesRequest) (*spoorv1.RuleSet, error) {
	rules, err := s.rulesOf(Principal(ctx).Tenant)
	if err != nil {
		return nil, err
	}
	return ruleSet(rules), nil
}

func ruleSet(r *risk.Rules) *spoorv1.RuleSet {
	sum := sha256.Sum256(r.Text)
	return &spoorv1.RuleSet{Version: r.Version, Text: string(r.Text), Sha256: hex.EncodeToString(sum[:]), Rules: uint32(len(r.Rules))}
}

// maxDifferences bounds the transfers that TestRules names.
const maxDifferences = 1000

// TestRules says what levels registered transfers have under other rules, without
// taking them. A rule looks at exposures alone, and these are kept with every
// score: they are evaluated, not found again. Who is labelled twice with the same
// confidence counts as under the rules in force. A withdrawal attempt to an address
// that is itself labelled is scored anew, for what was kept of it does not say
// whether its history was covered.
func (s *screenService) TestRules(ctx context.Context, m *spoorv1.TestRulesRequest) (*spoorv1.TestRulesResponse, error) {
	if s.store == nil {
		return nil, errNoStore
	}
	rules, err := s.score.Parse("rules", []byte(m.GetText()))
	if err != nil {
		return nil, err
	}
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	from, to := unixMillis(m.GetFrom()), unixMillis(m.GetTo())
	answer, counts := &spoorv1.TestRulesResponse{}, map[[2]string]uint64{}
	var bad error
	err = s.store.Each(ctx, Principal(ctx).Tenant, func(t screening.Transfer) bool {
		if t.State != screening.Scored || t.Registered < from || to != 0 && t.Registered >= to {
			return true
		}
		var level string
		var triggers []*spoorv1.Trigger
		if level, triggers, bad = s.underRules(ctx, v, &t, rules); bad != nil {
			return false
		}
		answer.Transfers++
		counts[[2]string{t.Level, level}]++
		if t.Level == level {
			return true
		}
		answer.Changed++
		if len(answer.GetDifferences()) < maxDifferences {
			answer.Differences = append(answer.Differences, &spoorv1.RuleDifference{ExternalId: t.ID, From: t.Level, To: level, Triggers: triggers})
		}
		return true
	})
	for pair, n := range counts {
		answer.Levels = append(answer.Levels, &spoorv1.LevelPair{From: pair[0], To: pair[1], Count: n})
	}
	slices.SortFunc(answer.GetLevels(), func(a, b *spoorv1.LevelPair) int {
		return cmp.Or(cmp.Compare(a.GetFrom(), b.GetFrom()), cmp.Compare(a.GetTo(), b.GetTo()))
	})
	return answer, cmp.Or(err, bad)
}

// underRules is the level of a transfer under other rules, with what triggers it.
func (s *screenService) underRules(ctx context.Context, v *view, t *screening.Transfer, rules *risk.Rules) (string, []*spoorv1.Trigger, error) {
	kept := &spoorv1.Screening{}
	if err := proto.Unmarshal(t.Result, kept); err != nil {
		return "", nil, fmt.Errorf("transfer %s: %w: %w", t.ID, err, ledger.ErrCorrupt)
	}
	if kept.GetRuleVersion() == "sandbox" {
		return kept.GetRisk(), kept.GetTriggers(), nil
	}
	a, err := assessed(ledger.Chain(t.Network), kept)
	if err != nil {
		return "", nil, fmt.Errorf("transfer %s: %w", t.ID, err)
	}
	if slices.ContainsFunc(a.Exposures, func(e risk.Exposure) bool { return e.Kind == risk.Ownership }) {
		q, err := questionOf(&t.Registration)
		if err != nil {
			return "", nil, err
		}
		m, _, err := s.watchedBy(ctx, v, rules, q.pays)
		return m.GetRisk(), m.GetTriggers(), err
	}
	a.Triggers, a.NotEvaluated = rules.Evaluate(a.Exposures, s.options(Principal(ctx).Tenant).Price, a.LastAt)
	rules.Settle(a)
	return a.Level.String(), triggerMessages(a.Triggers, rules.Version), nil
}

// assessed reads of a kept score what rules are about.
func assessed(c ledger.Chain, m *spoorv1.Screening) (*risk.Assessment, error) {
	a := &risk.Assessment{ReceivedPPM: m.GetLabelCoverage().GetReceivedPpm(), SentPPM: m.GetLabelCoverage().GetSentPpm(), LastAt: unixMillis(m.GetLastSeen())}
	switch m.GetState() {
	case risk.NoHistory.String():
		a.State = risk.NoHistory
	case risk.NotCovered.String():
		a.State = risk.NotCovered
	}
	for _, e := range m.GetExposures() {
		one, err := exposed(c, e)
		if err != nil {
			return nil, err
		}
		a.Exposures = append(a.Exposures, one)
	}
	return a, nil
}

func exposed(c ledger.Chain, m *spoorv1.Exposure) (e risk.Exposure, err error) {
	corrupt := func(err error) error {
		return fmt.Errorf("exposure to %s: %w: %w", m.GetCategory(), err, ledger.ErrCorrupt)
	}
	e.Category, e.MinHops, e.MaxHops = m.GetCategory(), int(m.GetMinHops()), int(m.GetMaxHops())
	e.Asset = ledger.NativeAsset(c)
	if contract := m.GetAsset().GetContract(); contract != "" {
		a, err := ledger.ParseAddress(c, contract)
		if err != nil {
			return e, corrupt(err)
		}
		e.Asset = ledger.TokenAsset(a)
	}
	if e.Amount, err = ledger.ParseAmount(m.GetAmount()); err != nil {
		return e, corrupt(err)
	}
	share, err := ledger.ParseCoins(m.GetPercentage(), 4)
	if err != nil {
		return e, corrupt(err)
	}
	ppm, _ := share.Uint64()
	e.PPM = uint32(ppm)
	if m.GetDirection() == risk.Sent.String() {
		e.Direction = risk.Sent
	}
	switch m.GetRiskType() {
	case "COUNTERPARTY":
		e.Kind = risk.Direct
	case "INDIRECT":
		e.Kind = risk.Indirect
	}
	return e, nil
}

// again scores a registered transfer on a view.
func (s *screenService) again(ctx context.Context, v *view, t *screening.Transfer) (*spoorv1.Screening, error) {
	q, err := questionOf(&t.Registration)
	if err != nil {
		return nil, err
	}
	_, m, err := s.judge(ctx, v, &t.Registration, q)
	return m, err
}
