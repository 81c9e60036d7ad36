package server

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"golang.org/x/sync/singleflight"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/tracer/risk"
)

// Scoring is the judgment that screening asks: package risk, or what a test puts there.
type Scoring struct {
	Address  func(ctx context.Context, idx risk.Index, rules *risk.Rules, a ledger.Address, o risk.Options) (*risk.Assessment, error)
	Transfer func(ctx context.Context, idx risk.Index, rules *risk.Rules, p risk.Payment, o risk.Options) (*risk.Assessment, error)
	Rules    *risk.Rules // in force for a tenant that imported none
	Parse    func(name string, text []byte) (*risk.Rules, error)
}

// screenService implements the ScreeningService: an answer is a score over one
// view, kept for as long as nothing that it rests on changes.
type screenService struct {
	spoorv1.UnimplementedScreeningServiceServer
	data    *data
	score   *Scoring
	common  *ruleBook // of tenants who imported none
	tenants ruleBooks
	store   *screening.Store // nil: nothing is registered or watched
	pages   pager
	now     func() time.Time
	log     *slog.Logger
	cache   *answers
	flight  singleflight.Group
	wake    chan struct{} // tells the rescorer that there is work
	cases   *caseService  // of cases that are watched
	traces  *traces       // of traces that are watched
	asking  *lookout      // after what is watched
	outlets []outlet      // who is told of alerts

	failures atomic.Uint64 // scores again that went wrong

	cancel context.CancelFunc // ends the rescorer
	wait   sync.WaitGroup
}

// newScreens makes the service and, where something is registered or watched, starts what scores it again.
func (s *Server) newScreens() (*screenService, error) {
	score := s.cfg.Scoring
	if score == nil {
		rules, err := risk.DefaultRules()
		if err != nil {
			return nil, fmt.Errorf("server: default rules: %w", err)
		}
		score = &Scoring{Address: risk.Address, Transfer: risk.Transfer, Rules: rules, Parse: risk.ParseRules}
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &screenService{
		data: s.data, score: score, common: newRuleBook(score.Rules), store: s.cfg.Screening, pages: s.pages, now: time.Now, log: s.cfg.Log,
		cache: newAnswers(keptAnswers), wake: make(chan struct{}, 1), cancel: cancel, cases: s.cases, traces: s.traces,
	}
	m.outlets, m.asking = s.outlets(m.now), newLookout(m, s.traces)
	s.cases.changed, s.cases.asked = m.caseChanged, m.asking.want
	if m.store != nil {
		m.wait.Go(func() { m.run(ctx) })
		m.wait.Go(func() { m.asking.run(ctx) })
		for _, o := range m.outlets {
			m.wait.Go(func() { (&sender{m, o, orSecond(s.cfg.WebhookRetry)}).run(ctx) })
		}
	}
	return m, nil
}

func orSecond(d time.Duration) time.Duration {
	if d == 0 {
		return hookFirst
	}
	return d
}

// stop ends the rescorer and the webhooks, and waits for them.
func (s *screenService) stop() {
	s.cancel()
	s.wait.Wait()
}

// keptAnswers is how many screenings are kept, of some 2 KB each.
const keptAnswers = 20_000

// scoreFor is how long one score may take, whoever still waits for it.
const scoreFor = 30 * time.Second

// ScreenAddress scores the whole history of one address and its cluster.
func (s *screenService) ScreenAddress(ctx context.Context, m *spoorv1.ScreenAddressRequest) (*spoorv1.Screening, error) {
	a, err := ledger.ParseQualified(m.GetAddress())
	if err != nil {
		return nil, err
	}
	if Principal(ctx).Sandbox {
		if fixed := sandboxScreening(a); fixed != nil {
			return fixed, nil
		}
	}
	v, err := s.data.view(ctx)
	if err == nil {
		v, err = v.until(ctx, []ledger.Chain{a.Chain}, m.GetAsOf())
	}
	if err != nil {
		return nil, err
	}
	defer v.close()
	if err := s.fresh(ctx, v, a.Chain, m.GetMaxLagSeconds()); err != nil {
		return nil, err
	}
	kept, err := s.screen(ctx, v, a)
	if err != nil {
		return nil, err
	}
	answer, _ := proto.Clone(kept).(*spoorv1.Screening)
	if at := answer.GetAsOf(); m.GetAsOf() == "" && at.GetTime() != nil {
		at.Lag = durationpb.New(s.now().Sub(at.GetTime().AsTime()).Round(time.Second))
	}
	return answer, nil
}

// fresh refuses to answer from an index that is further behind than the caller allows.
func (s *screenService) fresh(ctx context.Context, v *view, c ledger.Chain, seconds uint32) error {
	head, err := v.AsOf(ctx, c)
	if err != nil || seconds == 0 {
		return err
	}
	lag := s.now().Sub(time.UnixMilli(head.Time)).Round(time.Second)
	if lag <= time.Duration(seconds)*time.Second {
		return nil
	}
	detail := info("LAGGING")
	detail.Metadata = map[string]string{"lag_seconds": fmt.Sprint(int64(lag / time.Second)), "network": string(c)}
	return withDetails(codes.Unavailable, fmt.Errorf("max_lag_seconds: %s is %s behind, at most %d s were allowed", c, lag, seconds), detail,
		&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
}

// basis is all that a screening depends on besides its address: two questions
// with one basis have one answer.
func (s *screenService) basis(ctx context.Context, v *view, tenant string, rules *ruleBook) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d\x00", tenant, v.labelSequence())
	h.Write(rules.sum[:])
	for _, c := range v.Chains() {
		head, err := v.AsOf(ctx, c)
		if err != nil {
			return "", err
		}
		sum, err := v.DigestAt(ctx, c, head.Height)
		if err != nil {
			return "", err
		}
		h.Write([]byte(c))
		h.Write(binary.BigEndian.AppendUint64(nil, head.Height))
		h.Write(head.Hash[:])
		h.Write(sum[:])
	}
	if s.store != nil {
		h.Write(binary.BigEndian.AppendUint64(nil, s.store.OwnVersion(tenant)))
	}
	return string(h.Sum(nil)), nil
}

// screen returns a kept answer, or makes it once for all who ask at the same
// time. The message is shared: nobody changes it.
func (s *screenService) screen(ctx context.Context, v *view, a ledger.Address) (*spoorv1.Screening, error) {
	tenant := Principal(ctx).Tenant
	rules, err := s.bookOf(tenant)
	if err != nil {
		return nil, err
	}
	basis, err := s.basis(ctx, v, tenant, rules)
	if err != nil {
		return nil, err
	}
	if v.without != 0 {
		return s.assess(ctx, v, rules.Rules, a)
	}
	key := basis + a.Qualified()
	if kept := s.cache.get(key); kept != nil {
		return kept, nil
	}
	made, err, _ := s.flight.Do(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), scoreFor)
		defer cancel()
		answer, err := s.assess(ctx, v, rules.Rules, a)
		if err == nil {
			s.cache.put(key, answer)
		}
		return answer, err
	})
	if err != nil {
		return nil, err
	}
	return made.(*spoorv1.Screening), nil //nolint:forcetypeassert // what the line above returned
}

func (s *screenService) assess(ctx context.Context, v *view, rules *risk.Rules, a ledger.Address) (*spoorv1.Screening, error) {
	found, err := s.score.Address(ctx, v.riskIndex(), rules, a, s.options(Principal(ctx).Tenant))
	if err != nil {
		return nil, err
	}
	m, err := v.screeningMessage(ctx, a.Chain, found)
	if err != nil {
		return nil, err
	}
	m.Address = a.String()
	return m, nil
}

// options are the tenant's own addresses and the prices that are known.
func (s *screenService) options(tenant string) risk.Options {
	o := risk.Options{Behaviors: true}
	if s.store != nil {
		own := s.store.Own(tenant)
		o.Own = func(a ledger.Address) bool { return own[a.Qualified()] }
	}
	if s.data.prices != nil {
		o.Price = s.price
	}
	return o
}

// price is an amount in millionths of a dollar.
func (s *screenService) price(a ledger.Asset, amount ledger.Amount, ms int64) (ledger.Amount, bool) {
	usd, _, ok := s.data.prices.Value(amount, ledger.InfoOf(a), ms)
	if !ok {
		return ledger.Amount{}, false
	}
	micros, err := ledger.ParseCoins(usd, 6)
	return micros, err == nil
}

// rulesOf is the tenant's own rule set, else the one in force for all.
func (s *screenService) rulesOf(tenant string) (*risk.Rules, error) {
	book, err := s.bookOf(tenant)
	if err != nil {
		return nil, err
	}
	return book.Rules, nil
}

func (s *screenService) bookOf(tenant string) (*ruleBook, error) {
	if s.store == nil {
		return s.common, nil
	}
	text, ok := s.store.Rules(tenant)
	if !ok {
		return s.common, nil
	}
	return s.tenants.of(tenant, text, s.score.Parse)
}
