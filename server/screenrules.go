package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

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

// TestRules scores registered transfers under other rules, without taking them.
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
	other := &screenService{data: s.data, score: &Scoring{Address: s.score.Address, Transfer: s.score.Transfer, Rules: rules}, common: newRuleBook(rules), now: s.now, log: s.log, cache: newAnswers(1000)}
	from, to := unixMillis(m.GetFrom()), unixMillis(m.GetTo())
	answer, counts := &spoorv1.TestRulesResponse{}, map[[2]string]uint64{}
	var bad error
	err = s.store.Each(ctx, Principal(ctx).Tenant, func(t screening.Transfer) bool {
		if t.State != screening.Scored || t.Registered < from || to != 0 && t.Registered >= to {
			return true
		}
		var now *spoorv1.Screening
		if now, bad = other.again(ctx, v, &t); bad != nil {
			return false
		}
		answer.Transfers++
		counts[[2]string{t.Level, now.GetRisk()}]++
		if t.Level != now.GetRisk() && len(answer.GetDifferences()) < maxDifferences {
			answer.Differences = append(answer.Differences, &spoorv1.RuleDifference{ExternalId: t.ID, From: t.Level, To: now.GetRisk(), Triggers: now.GetTriggers()})
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

// again scores a registered transfer on a view.
func (s *screenService) again(ctx context.Context, v *view, t *screening.Transfer) (*spoorv1.Screening, error) {
	q, err := questionOf(&t.Registration)
	if err != nil {
		return nil, err
	}
	_, m, err := s.judge(ctx, v, &t.Registration, q)
	return m, err
}
