package store

import (
	"bytes"
	"context"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Summary is what the index holds of one asset of an address, as of the snapshot.
type Summary struct {
	Asset ledger.Asset
	ledger.Balance
	// Received and Sent are totals; ledger.ErrOverflow is no reason to refuse an
	// answer here: Saturated says that one of them, or the balance, stands at
	// 2^256-1 because a token moves more than there can be.
	Received, Sent ledger.Amount
	Saturated      bool
	Ins, Outs      uint64 // events; a self-transfer counts in neither
	Events         uint64
	First, Last    ledger.Point
}

// AddressSummary returns a summary of each asset that an address held, in order
// of asset; none when it is not in the index.
func (s *Snapshot) AddressSummary(ctx context.Context, a ledger.Address) ([]Summary, error) {
	v, err := s.held(a.Chain)
	if err != nil || v == nil {
		return nil, err
	}
	assets, err := v.assetsOf(a)
	if err != nil {
		return nil, err
	}
	var all []Summary
	for _, asset := range assets {
		if asset == ledger.NoticeAsset(a.Chain) || asset == ledger.ZeroAsset(a.Chain) {
			continue
		}
		sum, err := s.summary(ctx, v, ledger.Holder{Address: a, Asset: asset})
		if err != nil {
			return nil, err
		}
		if sum.Events > 0 {
			all = append(all, sum)
		}
	}
	return all, nil
}

// assetsOf returns the assets of an address, those of the overlay included.
func (v *view) assetsOf(a ledger.Address) ([]ledger.Asset, error) {
	ids, err := v.assetIDs(a)
	if err != nil {
		return nil, err
	}
	var assets []ledger.Asset
	for _, id := range ids {
		asset, err := assetOf(v.rows, v.head.chain, id)
		if err != nil {
			return nil, err
		}
		assets = append(assets, asset)
	}
	assets = append(assets, v.youngAssets(a)...)
	slices.SortFunc(assets, ledger.Asset.Compare)
	return slices.Compact(assets), nil
}

func (s *Snapshot) summary(ctx context.Context, v *view, h ledger.Holder) (Summary, error) {
	_, end, err := v.sums(h, ledger.Point{Pos: ^ledger.Position(0)})
	if err != nil {
		return Summary{}, err
	}
	sum := Summary{Asset: h.Asset, Ins: end.ins, Outs: end.outs, Events: end.n}
	if sum.Balance, err = balanceOf(end, end); err != nil {
		sum.Saturated = true
		sum.Amount, sum.Deficit = greatest(), sum.saturate(end.deficit)
	}
	sum.Received, sum.Sent = sum.saturate(end.in), sum.saturate(end.out)
	for e, err := range s.Events(ctx, h, ledger.Point{}) {
		if err != nil {
			return Summary{}, err
		}
		sum.First = e.At
		break
	}
	for e, err := range s.EventsBefore(ctx, h, ledger.Point{Pos: ^ledger.Position(0)}) {
		if err != nil {
			return Summary{}, err
		}
		sum.Last = e.At
		break
	}
	return sum, nil
}

func (s *Summary) saturate(w wide) ledger.Amount {
	a, err := w.amount()
	if err != nil {
		s.Saturated = true
		return greatest()
	}
	return a
}

// greatest is 2^256-1.
func greatest() ledger.Amount {
	a, _ := ledger.AmountFromBytes(bytes.Repeat([]byte{0xff}, 32)) // 32 bytes always fit
	return a
}
