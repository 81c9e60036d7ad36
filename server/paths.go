package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/paths"
)

// What a search for paths looks at where it does not say (judgment).
const (
	pathHops    = 6
	pathResults = 10
	pathEvents  = 200_000 // all of them are held at a time
	pathAssets  = 10_000  // of the recipient, which may be an exchange
)

// What a search for paths came to, as printed.
const (
	pathFound  = "FOUND"
	pathNone   = "NONE_IN_INDEX"
	pathUnsure = "NONE_WITHIN_LIMITS"
)

// ways is one question for paths.
type ways struct {
	*lookup
	req    paths.Request
	answer *spoorv1.FindPathsResponse
}

// FindPaths says how money got from one address to another.
func (s *traces) FindPaths(ctx context.Context, m *spoorv1.FindPathsRequest) (*spoorv1.FindPathsResponse, error) {
	from, err := ledger.ParseQualified(m.GetFrom())
	if err != nil {
		return nil, renamed(err, "from")
	}
	to, err := ledger.ParseQualified(m.GetTo())
	if err != nil {
		return nil, renamed(err, "to")
	}
	release, err := s.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	q := &ways{lookup: &lookup{view: v, conv: v.converter(ctx), ctx: ctx}, answer: &spoorv1.FindPathsResponse{Follows: "transfers"}, req: paths.Request{
		From: from, To: to, Hops: pathHops, Limit: pathResults, ServicePayees: tracer.DefaultServicePayees, AccountEvents: tracer.DefaultAccountEvents, Events: min(s.maxEvents, pathEvents),
	}}
	if from.Chain.UTXO() {
		q.answer.Follows = "coins"
	}
	if m.GetMaxHops() > 0 {
		q.req.Hops = int(m.GetMaxHops())
	}
	if m.GetMaxResults() > 0 {
		q.req.Limit = int(m.GetMaxResults())
	}
	if q.answer.AsOf, q.answer.Coverage, err = q.basis(from.Chain); err != nil {
		return nil, err
	}
	if err := q.window(m.GetSince(), m.GetBefore()); err != nil {
		return nil, err
	}
	return q.answer, q.search(m.GetAsset())
}

// window turns times into positions: blocks from the one time on, before the other.
func (q *ways) window(since, before *timestamppb.Timestamp) error {
	end := func(t *timestamppb.Timestamp) (ledger.Position, error) {
		at := t.AsTime().UTC()
		height, err := q.view.heightOf(q.ctx, q.req.From.Chain, asOf{text: at.Format(time.RFC3339), ms: at.UnixMilli() - 1, byTime: true})
		return ledger.EndOf(height), err
	}
	var err error
	if since != nil {
		if q.req.Since, err = end(since); err != nil && isRefusal(err) {
			q.req.Since, err = 0, nil // the network begins later
		}
	}
	if err != nil || before == nil {
		return err
	}
	if since != nil && !since.AsTime().Before(before.AsTime()) {
		return ledger.Invalid("before", "a time after since", before.AsTime().Format(time.RFC3339))
	}
	q.req.Before, err = end(before)
	return err
}

func (q *ways) search(asset string) error {
	assets, err := q.assets(asset)
	if err != nil {
		return err
	}
	q.answer.Outcome = pathNone
	if q.answer.GetAssetsCut() {
		q.answer.Outcome = pathUnsure
	}
	for _, a := range assets {
		q.req.Asset = a
		found, err := paths.Find(q.ctx, q.view, q.req)
		if err != nil {
			return err
		}
		if err := q.add(a, found); err != nil {
			return err
		}
		if q.req.Events -= found.Events; q.req.Events <= 0 {
			q.req.Events = 1 // the budget is one over all assets; 0 would be none
		}
	}
	return nil
}

// assets is the one that was asked for, or those that both addresses moved.
func (q *ways) assets(text string) ([]ledger.Asset, error) {
	if q.req.From.Chain != q.req.To.Chain || q.req.From == q.req.To {
		return []ledger.Asset{ledger.NativeAsset(q.req.From.Chain)}, nil // is refused by the search
	}
	asset, err := q.view.parseAsset(q.ctx, tracer.Ref{Chain: q.req.From.Chain}, nil, text)
	if err != nil {
		return nil, err
	}
	if asset != nil {
		return []ledger.Asset{*asset}, nil
	}
	mine, more, err := q.view.LatestAssets(q.ctx, q.req.From, findAssets)
	if err != nil {
		return nil, err
	}
	theirs, moreTheirs, err := q.view.LatestAssets(q.ctx, q.req.To, pathAssets)
	q.answer.AssetsCut = more || moreTheirs
	both := slices.DeleteFunc(mine, func(a ledger.Asset) bool { return !slices.Contains(theirs, a) || ledger.Unfollowable(a) })
	slices.SortFunc(both, ledger.Asset.Compare)
	return both, err
}

func (q *ways) add(a ledger.Asset, found *paths.Answer) error {
	asset, err := q.conv.asset(a)
	if err != nil {
		return err
	}
	q.answer.Searched = append(q.answer.Searched, &spoorv1.PathSearch{
		Asset: asset, Events: int64(found.Events), Services: int64(found.Services), BusyAccounts: int64(found.Busy), AtMaxHops: int64(found.Deep), BudgetSpent: found.Spent,
	})
	q.answer.More = q.answer.GetMore() || found.More
	for _, p := range found.Paths {
		one := &spoorv1.Path{Asset: asset, Width: p.Width.String()}
		for _, step := range p.Steps {
			m, err := q.step(step)
			if err != nil {
				return err
			}
			one.Steps = append(one.Steps, m)
		}
		q.answer.Paths = append(q.answer.Paths, one)
	}
	switch {
	case len(q.answer.GetPaths()) > 0:
		q.answer.Outcome = pathFound
	case !found.Whole():
		q.answer.Outcome = pathUnsure
	}
	return nil
}

func (q *ways) step(s paths.Step) (*spoorv1.PathStep, error) {
	chain := q.req.From.Chain
	tx, err := q.view.TxAt(q.ctx, chain, s.At.Pos)
	if err != nil {
		return nil, err
	}
	index, grade := indexText(s.At.Slot), tx.Grade
	if !chain.UTXO() {
		index = eventIndex(tx, s.At.Slot)
	}
	if tx.Status == ledger.StatusUnknown {
		grade = ledger.GradeInferred
	}
	m := &spoorv1.PathStep{
		Ref: fmt.Sprintf("%s:%s:%s", chain, hashText(chain, tx.ID), index), From: s.From.String(), To: s.To.String(), Amount: s.Amount.String(),
		Height: q.conv.height(chain, s.At.Pos), Time: timeMessage(tx.Time), Grade: grade.String(),
	}
	m.ToLabels, err = q.conv.labels(s.To, tx.Time)
	return m, err
}
