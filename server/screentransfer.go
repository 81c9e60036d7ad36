package server

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/risk"
)

// pendingFor is how long a transfer may stay unseen.
const pendingFor = 24 * time.Hour

var errNoStore = fmt.Errorf("this server keeps no transfers, alerts or watches: %w", ledger.ErrPrecondition)

// RegisterTransfer registers a transfer, durably, and scores it when it is seen.
func (s *screenService) RegisterTransfer(ctx context.Context, m *spoorv1.RegisterTransferRequest) (*spoorv1.RegisteredTransfer, error) {
	r := screening.Registration{
		Kind: screening.KindTransfer, Network: m.GetNetwork(), Asset: m.GetAsset(), Reference: m.GetTransferReference(), Direction: m.GetDirection(),
		Amount: m.GetAssetAmount(), Output: m.GetOutputAddress(), Time: unixMillis(m.GetTransferTimestamp()),
	}
	return s.register(ctx, m.GetUserId(), r, m.GetMaxLagSeconds())
}

// RegisterWithdrawalAttempt scores where a withdrawal would go.
func (s *screenService) RegisterWithdrawalAttempt(ctx context.Context, m *spoorv1.RegisterWithdrawalAttemptRequest) (*spoorv1.RegisteredTransfer, error) {
	r := screening.Registration{
		Kind: screening.KindAttempt, Network: m.GetNetwork(), Asset: m.GetAsset(), Reference: m.GetAttemptIdentifier(), Direction: "SENT",
		Amount: m.GetAssetAmount(), Output: m.GetAddress(), Time: unixMillis(m.GetAttemptTimestamp()),
	}
	return s.register(ctx, m.GetUserId(), r, m.GetMaxLagSeconds())
}

func (s *screenService) register(ctx context.Context, user string, r screening.Registration, maxLag uint32) (*spoorv1.RegisteredTransfer, error) {
	if s.store == nil {
		return nil, errNoStore
	}
	q, err := questionOf(&r)
	if err != nil {
		return nil, err
	}
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	if err := s.fresh(ctx, v, q.chain, maxLag); err != nil && (maxLag > 0 || !errors.Is(err, ledger.ErrNotFound)) {
		return nil, err
	}
	tenant := Principal(ctx).Tenant
	before, err := s.basisOf(ctx, v, tenant)
	if err != nil {
		return nil, err
	}
	result, found, err := s.judge(ctx, v, &r, q)
	if err != nil {
		return nil, err
	}
	if result.State == screening.Mismatched {
		return nil, fmt.Errorf("%s: the chain holds another amount, asset or payee: %w", r.Reference, ledger.ErrPrecondition)
	}
	first := screening.Result{State: screening.Pending}
	if len(found.GetTriggers()) == 0 { // no alert is to be raised before the result is kept
		if first, err = withBody(result, found); err != nil {
			return nil, err
		}
	}
	t, known, err := s.store.RegisterScored(ctx, tenant, user, r, first, s.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	if known && t.State == screening.Expired {
		return nil, fmt.Errorf("%s was registered before and expired unseen: %w", t.ID, ledger.ErrPrecondition)
	}
	if t, err = s.keep(ctx, tenant, &t, result, found, v, "TRANSFER"); err != nil {
		return nil, err
	}
	if err := s.overtaken(ctx, tenant, before, screening.RetryTransfer+t.ID); err != nil {
		return nil, err
	}
	return s.transferMessage(ctx, tenant, &t)
}

func (s *screenService) basisOf(ctx context.Context, v *view, tenant string) (string, error) {
	book, err := s.bookOf(tenant)
	if err != nil {
		return "", err
	}
	return s.basis(ctx, v, tenant, book)
}

// overtaken has something scored again whose basis changed while it was scored and
// kept: the rescorer may have looked at the change before there was anything to score.
func (s *screenService) overtaken(ctx context.Context, tenant, before, what string) error {
	v, err := s.data.view(ctx)
	if err != nil {
		return err
	}
	defer v.close()
	after, err := s.basisOf(ctx, v, tenant)
	if err != nil || after == before {
		return err
	}
	defer s.wakeUp()
	return s.store.SetRetry(ctx, tenant, screening.Retry{What: what})
}

// asked is a registration in the index's words.
type asked struct {
	chain ledger.Chain
	asset ledger.Asset
	pays  ledger.Address // zero: not stated
	ref   tracer.Ref     // of a transfer
}

// questionOf reads a registration; what it cannot mean is refused before anything is kept.
func questionOf(r *screening.Registration) (q asked, err error) {
	if q.chain, err = ledger.ParseChain(r.Network); err != nil {
		return q, err
	}
	if q.asset, err = assetOf(q.chain, r.Asset); err != nil {
		return q, err
	}
	if r.Output != "" {
		if q.pays, err = ledger.ParseAddress(q.chain, r.Output); err != nil {
			return q, err
		}
	}
	if r.Amount != "" {
		if _, err := ledger.ParseCoins(r.Amount, ledger.InfoOf(q.asset).Decimals); err != nil {
			return q, ledger.Invalid("asset_amount", "whole coins of "+q.asset.String(), r.Amount)
		}
	}
	if r.Kind == screening.KindAttempt {
		return q, nil
	}
	if q.ref, err = tracer.ParseRef(string(q.chain) + ":" + r.Reference); err != nil {
		return q, ledger.Invalid("transfer_reference", "txhash:index or txhash:address", r.Reference)
	}
	return q, nil
}

// assetOf reads a symbol or a contract; nothing is the native coin.
func assetOf(c ledger.Chain, text string) (ledger.Asset, error) {
	native := ledger.NativeAsset(c)
	if text == "" || text == "native" || strings.EqualFold(text, ledger.InfoOf(native).Symbol) {
		return native, nil
	}
	if asset, ok := ledger.AssetBySymbol(c, text); ok {
		return asset, nil
	}
	contract, err := ledger.ParseAddress(c, text)
	if err != nil || c.UTXO() {
		return native, ledger.Invalid("asset", "native, a known symbol or a contract of "+string(c), text)
	}
	return ledger.TokenAsset(contract), nil
}

// judge scores a registration on a view. What the view does not hold yet is PENDING.
func (s *screenService) judge(ctx context.Context, v *view, r *screening.Registration, q asked) (screening.Result, *spoorv1.Screening, error) {
	if fixed := sandboxScreening(q.pays); fixed != nil && Principal(ctx).Sandbox {
		return screening.Result{State: fixedState(fixed), Level: fixed.GetRisk()}, fixed, nil
	}
	if r.Kind == screening.KindAttempt {
		m, evidence, err := s.watched(ctx, v, q.pays)
		if err != nil {
			return screening.Result{}, nil, err
		}
		return screening.Result{State: screening.Scored, Level: m.GetRisk(), Height: uint64(m.GetAsOf().GetHeight()), Evidence: evidence}, m, nil
	}
	seeds, err := tracer.Resolve(ctx, v, []ledger.Chain{q.chain}, q.ref, nil)
	if errors.Is(err, ledger.ErrNotFound) {
		return screening.Result{State: screening.Pending}, nil, nil
	}
	if err != nil {
		return screening.Result{}, nil, err
	}
	fits, err := q.fitting(seeds, r.Amount)
	if err != nil {
		return screening.Result{}, nil, err
	}
	tx := hex.EncodeToString(seeds[0].Tx[:])
	if len(fits) == 0 {
		return screening.Result{State: screening.Mismatched, Tx: tx, Height: seeds[0].At.Pos.Height()}, nil, nil
	}
	return s.judgePayments(ctx, v, r, fits)
}

// fitting are the payments that a registration can be of.
func (q *asked) fitting(seeds []tracer.Seed, amount string) (fits []tracer.Seed, err error) {
	var want, sum ledger.Amount
	if amount != "" {
		if want, err = ledger.ParseCoins(amount, ledger.InfoOf(q.asset).Decimals); err != nil {
			return nil, err
		}
	}
	for _, seed := range seeds {
		if seed.Asset != q.asset || !q.pays.IsZero() && seed.Address != q.pays {
			continue
		}
		fits = append(fits, seed)
		sum = sum.Plus(seed.Amount)
	}
	if amount != "" && sum.Cmp(want) != 0 {
		return nil, nil
	}
	return fits, nil
}

// judgePayments scores each payment of a reference; the highest score counts.
func (s *screenService) judgePayments(ctx context.Context, v *view, r *screening.Registration, seeds []tracer.Seed) (screening.Result, *spoorv1.Screening, error) {
	tenant := Principal(ctx).Tenant
	rules, err := s.rulesOf(tenant)
	if err != nil {
		return screening.Result{}, nil, err
	}
	direction := risk.Received
	if r.Direction == risk.Sent.String() {
		direction = risk.Sent
	}
	var top *risk.Assessment
	read := newFootprint(v.riskIndex())
	options := read.options(s.options(tenant))
	for _, seed := range seeds {
		read.noteAddress(seed.Address)
		read.noteAddress(seed.From)
		found, err := s.score.Transfer(ctx, read, rules, risk.Payment{Seed: seed, Direction: direction}, options)
		if err != nil {
			return screening.Result{}, nil, err
		}
		if top == nil || found.Level > top.Level || found.Level == top.Level && found.Score > top.Score {
			top = found
		}
	}
	m, err := v.screeningMessage(ctx, seeds[0].Chain, top)
	if err != nil {
		return screening.Result{}, nil, err
	}
	m.Finality = v.finalityAt(seeds[0].Chain, seeds[0].At.Pos.Height())
	result := screening.Result{
		State: screening.Scored, Tx: hex.EncodeToString(seeds[0].Tx[:]), Level: m.GetRisk(), Height: uint64(m.GetAsOf().GetHeight()), Evidence: read.list(),
	}
	return result, m, nil
}

// watched scores an address as screen does, and lists what the score rests on.
func (s *screenService) watched(ctx context.Context, v *view, a ledger.Address) (*spoorv1.Screening, []string, error) {
	rules, err := s.rulesOf(Principal(ctx).Tenant)
	if err != nil {
		return nil, nil, err
	}
	return s.watchedBy(ctx, v, rules, a)
}

func (s *screenService) watchedBy(ctx context.Context, v *view, rules *risk.Rules, a ledger.Address) (*spoorv1.Screening, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, scoreFor)
	defer cancel()
	read := newFootprint(v.riskIndex())
	read.noteAddress(a)
	read.note(eventsOf(a))
	found, err := s.score.Address(ctx, read, rules, a, read.options(s.options(Principal(ctx).Tenant)))
	if err != nil {
		return nil, nil, err
	}
	m, err := v.screeningMessage(ctx, a.Chain, found)
	if err != nil {
		return nil, nil, err
	}
	m.Address = a.String()
	return m, read.list(), nil
}

// addressesOf lists everyone whom a transaction is about.
func addressesOf(tx *ledger.Tx) []ledger.Address {
	var all []ledger.Address
	for _, in := range tx.Inputs {
		all = append(all, in.Address)
	}
	for _, o := range tx.Outputs {
		all = append(all, o.Address)
	}
	for _, t := range tx.Transfers {
		all = append(all, t.From, t.To)
	}
	for _, n := range tx.Notices {
		all = append(all, n.Account)
	}
	return all
}

func fixedState(m *spoorv1.Screening) string {
	if m.GetState() == screening.Pending {
		return screening.Pending
	}
	return screening.Scored
}

// keep makes a result durable and raises the alerts that follow from it. They come
// first, for they are raised once however often: were we to crash between the two,
// the same would be found again.
func (s *screenService) keep(ctx context.Context, tenant string, t *screening.Transfer, r screening.Result, m *spoorv1.Screening, v *view, cause string) (screening.Transfer, error) {
	r, err := withBody(r, m)
	if err != nil {
		return *t, err
	}
	if m != nil {
		if t.State != screening.Scored {
			cause = "TRANSFER"
		}
		alert := screening.Alert{Type: cause, Transfer: t.ID, Network: t.Network}
		if err := s.raiseAll(ctx, tenant, alert, m, v, nil); err != nil {
			return *t, err
		}
	}
	if t.State == r.State && t.Tx == r.Tx && bytes.Equal(t.Result, r.Body) {
		return *t, nil
	}
	return s.store.SetResult(ctx, tenant, t.ID, r, s.now().UnixMilli())
}

// withBody is a result with the score that it is of, if there is one.
func withBody(r screening.Result, m *spoorv1.Screening) (screening.Result, error) {
	if m == nil {
		return r, nil
	}
	var err error
	if r.Body, err = (proto.MarshalOptions{Deterministic: true}).Marshal(m); err != nil {
		return r, fmt.Errorf("screening: %w", err)
	}
	return r, nil
}

// GetTransfer reads a registered transfer with its latest score.
func (s *screenService) GetTransfer(ctx context.Context, m *spoorv1.GetTransferRequest) (*spoorv1.RegisteredTransfer, error) {
	if s.store == nil {
		return nil, errNoStore
	}
	t, err := s.store.Transfer(ctx, Principal(ctx).Tenant, m.GetExternalId())
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, absent("transfer", m.GetExternalId(), "no such transfer or attempt")
	}
	if err != nil {
		return nil, err
	}
	return s.transferMessage(ctx, Principal(ctx).Tenant, &t)
}

// EraseUser destroys the key of a user's id.
func (s *screenService) EraseUser(ctx context.Context, m *spoorv1.EraseUserRequest) (*spoorv1.EraseUserResponse, error) {
	if s.store == nil {
		return nil, errNoStore
	}
	n, err := s.store.EraseUser(ctx, Principal(ctx).Tenant, m.GetUserId())
	return &spoorv1.EraseUserResponse{Transfers: n}, err
}

func (s *screenService) transferMessage(ctx context.Context, tenant string, t *screening.Transfer) (*spoorv1.RegisteredTransfer, error) {
	m := &spoorv1.RegisteredTransfer{
		ExternalId: t.ID, Kind: t.Kind, UserId: t.User, Network: t.Network, TransferReference: t.Reference, Direction: t.Direction, OutputAddress: t.Output,
		TransferTimestamp: timeMessage(t.Time), State: t.State, Updated: timeMessage(t.Updated), Registered: timeMessage(t.Registered),
	}
	q, err := questionOf(&t.Registration)
	if err != nil {
		return nil, err
	}
	m.Asset = assetMessage(ledger.InfoOf(q.asset))
	if t.Amount != "" {
		amount, err := ledger.ParseCoins(t.Amount, ledger.InfoOf(q.asset).Decimals)
		if err != nil {
			return nil, err
		}
		m.AssetAmount = amount.String()
	}
	if t.Tx != "" {
		id, err := ledger.ParseTxID(t.Tx)
		if err != nil {
			return nil, err
		}
		m.Tx = hashText(q.chain, id)
	}
	if t.Result != nil {
		m.Screening = &spoorv1.Screening{}
		if err := proto.Unmarshal(t.Result, m.Screening); err != nil {
			return nil, fmt.Errorf("transfer %s: %w: %w", t.ID, err, ledger.ErrCorrupt)
		}
	}
	alerts, err := s.store.AlertsOf(ctx, tenant, t.ID)
	for _, a := range alerts {
		one, bad := alertMessage(&a)
		m.Alerts, err = append(m.Alerts, one), errors.Join(err, bad)
	}
	return m, err
}
