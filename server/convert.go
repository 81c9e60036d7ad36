package server

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/prices"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// converter turns a trace into messages. labels and info answer from the
// snapshot that the trace was made on.
type converter struct {
	labels func(a ledger.Address, at int64) ([]*spoorv1.Label, error)
	info   func(a ledger.Asset) (ledger.AssetInfo, error)
	export func(c ledger.Chain) bool // the network has no block heights
	final  func(c ledger.Chain) *uint64
	prices *prices.Table
}

func timeMessage(ms int64) *timestamppb.Timestamp {
	if ms == 0 {
		return nil
	}
	return timestamppb.New(time.UnixMilli(ms))
}

func assetMessage(i ledger.AssetInfo) *spoorv1.Asset {
	m := &spoorv1.Asset{Network: string(i.Asset.Chain), TokenId: i.Asset.TokenID, Symbol: i.Symbol, Decimals: uint32(i.Decimals)}
	if !i.Asset.Native() {
		m.Contract = i.Asset.Contract.String()
	}
	return m
}

// hashText prints a transaction or block hash as the chain's users know it.
func hashText(c ledger.Chain, h [32]byte) string {
	s := ledger.TxID(h).String()
	if c.Family() == ledger.FamilyEVM {
		return "0x" + s
	}
	return s
}

func indexText(i uint32) string { return strconv.FormatUint(uint64(i), 10) }

func (c *converter) height(chain ledger.Chain, p ledger.Position) *uint32 {
	if c.export(chain) {
		return nil
	}
	h := uint32(p.Height())
	return &h
}

// The finality of a transfer, as printed.
const (
	tentative = "TENTATIVE" // its block may still be replaced
	final     = "FINAL"
)

func (c *converter) finality(chain ledger.Chain, p ledger.Position) string {
	if c.export(chain) {
		return ""
	}
	if to := c.final(chain); to != nil && p.Height() <= *to {
		return final
	}
	return tentative
}

// keyOf names a hop by the transfer that it is.
func keyOf(h tracer.Hop) string {
	return string(h.Chain) + ":" + hashText(h.Chain, h.Tx) + ":" + tracer.IndexText(h.Chain, h.Kind, h.Index)
}

func (c *converter) asset(a ledger.Asset) (*spoorv1.Asset, error) {
	i, err := c.info(a)
	if err != nil {
		return nil, err
	}
	return assetMessage(i), nil
}

func sharesMessage(shares []tracer.Segment) []*spoorv1.Share {
	var m []*spoorv1.Share
	for _, s := range shares {
		share := &spoorv1.Share{Seed: uint32(s.Label)}
		if !s.Amount.IsZero() {
			share.Dirty = s.Amount.String()
		}
		m = append(m, share)
	}
	return m
}

func (c *converter) seed(i int, s tracer.Seed) (*spoorv1.Seed, error) {
	asset, err := c.asset(s.Asset)
	return &spoorv1.Seed{
		Id: uint32(i + 1), Ref: s.Ref, Tx: hashText(s.Chain, s.Tx), Index: tracer.IndexText(s.Chain, s.Kind, s.Index), Address: s.Address.String(),
		Asset: asset, Amount: s.Amount.String(), Height: c.height(s.Chain, s.At.Pos), Time: timeMessage(s.Time),
	}, err
}

func (c *converter) hop(h tracer.Hop) (*spoorv1.Hop, error) {
	asset, err := c.asset(h.Asset)
	if err != nil {
		return nil, err
	}
	m := &spoorv1.Hop{
		Id: uint32(h.ID), Parent: uint32(h.Parent), Tx: hashText(h.Chain, h.Tx), Index: tracer.IndexText(h.Chain, h.Kind, h.Index), Key: keyOf(h),
		Finality: c.finality(h.Chain, h.At.Pos),
		Height:   c.height(h.Chain, h.At.Pos), Time: timeMessage(h.Time), From: h.From.String(), To: h.To.String(), Asset: asset,
		Amount: h.Amount.String(), Dirty: h.Dirty.String(), Shares: sharesMessage(h.Shares), Grade: h.Grade.String(), Depth: uint32(h.Depth),
	}
	for _, a := range h.FromOthers {
		m.FromOthers = append(m.FromOthers, a.String())
	}
	if m.Usd, m.UsdSource, err = c.worth(h.Dirty, h.Asset, h.Time); err != nil {
		return nil, err
	}
	if h.Crossing != nil {
		if m.Crossing, err = c.crossing(h.Crossing); err != nil {
			return nil, err
		}
		m.Tier = m.Crossing.GetTier()
		if h.Crossing.Tier != "T0" {
			m.Heuristic = h.Crossing.Rule
		}
	}
	if m.FromLabels, err = c.labels(h.From, h.Time); err != nil {
		return nil, err
	}
	m.ToLabels, err = c.labels(h.To, h.Time)
	return m, err
}

func (c *converter) crossing(x *tracer.Crossing) (*spoorv1.Crossing, error) {
	in, err := c.asset(x.AssetIn)
	if err != nil {
		return nil, err
	}
	out, err := c.asset(x.AssetOut)
	return &spoorv1.Crossing{
		Kind: x.Kind, Rule: x.Rule, Tier: x.Tier, Grade: x.Grade.String(), Id: x.ID, AssetIn: in, AmountIn: x.AmountIn.String(), DirtyIn: x.DirtyIn.String(),
		NetworkOut: string(x.Chain), TxOut: hashText(x.Chain, x.Tx), IndexOut: tracer.IndexText(x.Chain, x.TransferKind, x.Index), To: x.To.String(),
		AssetOut: out, AmountOut: x.AmountOut.String(), DirtyOut: x.DirtyOut.String(),
	}, err
}

func (c *converter) terminal(t tracer.Terminal) (*spoorv1.Terminal, error) {
	asset, err := c.asset(t.Asset)
	if err != nil {
		return nil, err
	}
	m := &spoorv1.Terminal{
		Address: t.Address.String(), Asset: asset, Dirty: t.Dirty.String(), Low: t.Low.String(), High: t.High.String(),
		Shares: sharesMessage(t.Shares), Reason: string(t.Reason), Bucket: t.Reason.Bucket().String(), Holder: t.Holder(),
		FreezableBy: t.FreezableBy(), At: hashText(t.Asset.Chain, t.Tx) + ":" + tracer.IndexText(t.Asset.Chain, t.Kind, t.Index), Via: t.Via.String(),
		BalanceNow: t.BalanceNow.String(), ArrivedAt: timeMessage(t.ArrivedAt), Hop: uint32(t.Hop),
		Finality: c.finality(t.Asset.Chain, t.At.Pos),
	}
	if t.Trivial && t.High.IsZero() {
		m.Low, m.High = "", ""
	}
	m.BoundsTrivial = t.Trivial
	if m.Usd, m.UsdSource, err = c.worth(t.Dirty, t.Asset, t.ArrivedAt); err != nil {
		return nil, err
	}
	if t.Reason == tracer.NotCovered || t.Reason == tracer.Pending {
		m.Position = c.position(t.Asset.Chain, t.LastKnown.Pos)
	}
	if m.Labels, err = c.labels(t.Address, t.ArrivedAt); err != nil {
		return nil, err
	}
	m.ViaLabels, err = c.labels(t.Via, t.ArrivedAt)
	return m, err
}

// worth annotates an amount with dollars; nothing where no price is known.
func (c *converter) worth(amount ledger.Amount, a ledger.Asset, at int64) (usd, source string, err error) {
	info, err := c.info(a)
	if err != nil {
		return "", "", err
	}
	usd, source, _ = c.prices.Value(amount, info, at)
	return usd, source, nil
}

func (c *converter) position(chain ledger.Chain, p ledger.Position) *spoorv1.Position {
	m := &spoorv1.Position{Height: c.height(chain, p), TxIndex: p.Index()}
	if m.Height == nil {
		m.Time = timeMessage(int64(p.Height()))
	}
	return m
}

func (c *converter) terminals(all []tracer.Terminal) ([]*spoorv1.Terminal, error) {
	var m []*spoorv1.Terminal
	for _, t := range all {
		one, err := c.terminal(t)
		if err != nil {
			return nil, err
		}
		m = append(m, one)
	}
	return m, nil
}

func (c *converter) sheets(sheets []tracer.Sheet) ([]*spoorv1.Conservation, error) {
	var m []*spoorv1.Conservation
	for _, s := range sheets {
		asset, err := c.asset(s.Asset)
		if err != nil {
			return nil, err
		}
		for _, r := range append([]tracer.Row{s.Total}, s.Rows...) {
			m = append(m, &spoorv1.Conservation{
				Network: string(s.Asset.Chain), Asset: asset, Seed: uint32(r.Label), Conserves: s.Conserves,
				Seeded: r.Seeded.String(), Collided: r.Collided.String(), ConvertedIn: r.ConvertedIn.String(), Resting: r.Resting.String(),
				Stopped: r.Stopped.String(), Burnt: r.Burnt.String(), Fees: r.Fees.String(), ConvertedOut: r.ConvertedOut.String(),
				Pruned: r.Pruned.String(), Pending: r.Pending.String(),
			})
		}
	}
	return m, nil
}

// trace converts everything but what the caller knows: name, state, request, pins, coverage, bounds.
func (c *converter) trace(t *tracer.Trace) (*spoorv1.Trace, error) {
	m := &spoorv1.Trace{Policy: t.Policy}
	var err error
	for i, s := range t.Seeds {
		one, err := c.seed(i, s)
		if err != nil {
			return nil, err
		}
		m.Seeds = append(m.Seeds, one)
	}
	for _, h := range t.Hops {
		one, err := c.hop(h)
		if err != nil {
			return nil, err
		}
		m.Hops = append(m.Hops, one)
	}
	if m.Terminals, err = c.terminals(t.Terminals); err != nil {
		return nil, err
	}
	if m.Conservation, err = c.sheets(t.Sheets); err != nil {
		return nil, err
	}
	for _, o := range t.Openings {
		asset, err := c.asset(o.Holder.Asset)
		if err != nil {
			return nil, err
		}
		m.AccountsWithAssumedOpening = append(m.AccountsWithAssumedOpening, &spoorv1.AssumedOpening{
			Address: o.Holder.Address.String(), Asset: asset, Opening: o.Deficit.String(), Kind: "lower_bound",
		})
	}
	for _, i := range t.Inputs {
		m.TransactionsWithAssumedInputs = append(m.TransactionsWithAssumedInputs, &spoorv1.AssumedInputs{
			Network: string(i.Chain), Tx: hashText(i.Chain, i.Tx), Amount: i.Assumed.String(), Kind: "lower_bound",
		})
	}
	return m, nil
}
