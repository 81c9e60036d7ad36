package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// What a search looks at where it does not say (judgment).
const (
	findWithin    = 24 * time.Hour
	findTolerance = 50 // thousandths
	findResults   = 20
	findAssets    = 64      // of one address, those that it met last
	findEvents    = 200_000 // of one address, in all its assets
)

// search is one question for payments without a hash.
type search struct {
	ctx       context.Context
	view      *view
	address   ledger.Address
	text      string // the amount as it came
	around    int64  // Unix milliseconds
	within    int64
	tolerance uint32
	looked    int
	cut       bool
	found     []foundTransfer
}

type foundTransfer struct {
	asset ledger.AssetInfo
	event ledger.Event
	tx    ledger.Tx
	off   ledger.Amount // of the amount, either way
	more  bool          // it moved more
	away  int64         // of the time, milliseconds, with its sign
}

// FindTransfers looks for payments by address, amount and time.
func (s *traces) FindTransfers(ctx context.Context, m *spoorv1.FindTransfersRequest) (*spoorv1.FindTransfersResponse, error) {
	a, err := ledger.ParseQualified(m.GetAddress())
	if err != nil {
		return nil, err
	}
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	q := &search{
		ctx: ctx, view: v, address: a, text: m.GetAmount(), around: m.GetAround().AsTime().UnixMilli(), within: m.GetWithinSeconds() * 1000, tolerance: findTolerance,
	}
	if q.within == 0 {
		q.within = findWithin.Milliseconds()
	}
	if m.TolerancePermille != nil {
		q.tolerance = m.GetTolerancePermille()
	}
	assets, err := q.assets(m.GetAsset())
	if err != nil {
		return nil, err
	}
	for _, asset := range assets {
		if err := q.look(asset, m.GetAsset() != ""); err != nil {
			return nil, err
		}
	}
	return q.answer(int(m.GetMaxResults()))
}

// assets are those to look through.
func (q *search) assets(text string) ([]ledger.Asset, error) {
	asset, err := q.view.parseAsset(q.ctx, tracer.Ref{Chain: q.address.Chain}, nil, text)
	if err != nil {
		return nil, err
	}
	if asset != nil {
		return []ledger.Asset{*asset}, nil
	}
	all, more, err := q.view.LatestAssets(q.ctx, q.address, findAssets)
	q.cut = more
	return all, err
}

// look searches one asset of the address. An amount that an asset cannot have
// (too many decimals) is an error only where that asset was asked for.
func (q *search) look(asset ledger.Asset, asked bool) error {
	info, err := q.view.info(asset)
	if err != nil {
		return err
	}
	want, err := ledger.ParseCoins(q.text, info.Decimals)
	if err != nil && (asked || q.text == "") {
		return err
	}
	if err != nil {
		return nil
	}
	from, err := q.begin()
	if err != nil {
		return err
	}
	slack, _ := want.MulDiv(ledger.NewAmount(uint64(q.tolerance)), ledger.NewAmount(1000))
	for e, err := range q.view.Events(q.ctx, ledger.Holder{Address: q.address, Asset: asset}, from) {
		if err != nil {
			return err
		}
		if q.looked++; q.looked > findEvents {
			q.cut = true
			return nil
		}
		off := ledger.Max(e.Amount.SubFloor(want), want.SubFloor(e.Amount))
		if e.To != q.address || e.From == q.address || slack.Less(off) {
			if later, err := q.after(e); err != nil || later {
				return err
			}
			continue
		}
		if err := q.take(info, e, off, want.Less(e.Amount)); err != nil {
			return err
		}
	}
	return nil
}

// begin is the point before the first event that may fit.
func (q *search) begin() (ledger.Point, error) {
	at := time.UnixMilli(q.around - q.within).UTC()
	height, err := q.view.heightOf(q.ctx, q.address.Chain, asOf{text: at.Format(time.RFC3339), ms: at.UnixMilli() - 1, byTime: true})
	if err != nil && isRefusal(err) {
		return ledger.Point{}, nil // the network begins later
	}
	return ledger.Point{Pos: ledger.At(height, 0)}, err
}

// after reports that an event, and so all that follow, is later than what is
// looked for. Blocks may be dated up to two hours before those below them.
func (q *search) after(e ledger.Event) (bool, error) {
	clock, err := q.view.Clock(q.ctx, q.address.Chain, e.At.Pos.Height())
	return clock > q.around+q.within+2*time.Hour.Milliseconds(), err
}

func (q *search) take(info ledger.AssetInfo, e ledger.Event, off ledger.Amount, more bool) error {
	tx, err := q.view.TxAt(q.ctx, q.address.Chain, e.At.Pos)
	if err != nil {
		return err
	}
	away := tx.Time - q.around
	if max(away, -away) <= q.within {
		q.found = append(q.found, foundTransfer{info, e, tx, off, more, away})
	}
	return nil
}

// sort puts the nearest in amount first, then in time.
func (q *search) sort() {
	slices.SortStableFunc(q.found, func(a, b foundTransfer) int {
		return cmp.Or(a.off.Cmp(b.off), cmp.Compare(max(a.away, -a.away), max(b.away, -b.away)), a.event.At.Compare(b.event.At))
	})
}

// candidates are the likeliest payments, each a REF with what it moved and when.
func (q *search) candidates(most int) (refs []string) {
	q.sort()
	for _, f := range q.found[:min(most, len(q.found))] {
		refs = append(refs, fmt.Sprintf("%s, %s %s, %s", f.ref(), f.event.Amount.Coins(f.asset.Decimals), f.asset.Symbol, timeOfMillis(f.tx.Time).Format(time.RFC3339)))
	}
	return refs
}

func (f *foundTransfer) ref() string {
	return fmt.Sprintf("%s:%s:%s", f.tx.Chain, hashText(f.tx.Chain, f.tx.ID), eventIndex(f.tx, f.event.At.Slot))
}

// answer lists what was found, the nearest in amount first, then in time.
func (q *search) answer(most int) (*spoorv1.FindTransfersResponse, error) {
	if most == 0 {
		most = findResults
	}
	q.sort()
	l := &lookup{view: q.view, conv: q.view.converter(q.ctx), ctx: q.ctx}
	m := &spoorv1.FindTransfersResponse{Found: int64(len(q.found)), Cut: q.cut}
	var err error
	if m.AsOf, m.Coverage, err = l.basis(q.address.Chain); err != nil {
		return nil, err
	}
	for _, f := range q.found[:min(most, len(q.found))] {
		one, err := l.found(f)
		if err != nil {
			return nil, err
		}
		m.Transfers = append(m.Transfers, one)
	}
	return m, nil
}

func (l *lookup) found(f foundTransfer) (*spoorv1.FoundTransfer, error) {
	asset, err := l.conv.asset(f.asset.Asset)
	if err != nil {
		return nil, err
	}
	off := f.off.String()
	if !f.more && !f.off.IsZero() {
		off = "-" + off
	}
	return &spoorv1.FoundTransfer{
		Ref: f.ref(), From: f.event.From.String(), To: f.event.To.String(), Asset: asset,
		Amount: f.event.Amount.String(), Time: timeMessage(f.tx.Time), AmountOff: off, SecondsOff: f.away / 1000,
	}, nil
}
