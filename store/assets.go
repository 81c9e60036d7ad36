package store

import (
	"context"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// LatestAssets returns the assets that an address moved, those that it met last
// first, at most limit; more says that there are others. What lists stand for that
// are of no asset (notices, transfers of zero) is among them.
func (s *Snapshot) LatestAssets(_ context.Context, a ledger.Address, limit int) (assets []ledger.Asset, more bool, err error) {
	v, err := s.held(a.Chain)
	if err != nil || v == nil {
		return nil, false, err
	}
	young := v.youngAssets(a)
	ids, err := v.assetIDs(a)
	if err != nil {
		return nil, false, err
	}
	for _, asset := range slices.Backward(young) {
		if len(assets) == limit {
			return assets, true, nil
		}
		if !slices.Contains(assets, asset) {
			assets = append(assets, asset)
		}
	}
	for _, id := range slices.Backward(ids) {
		if len(assets) == limit {
			return assets, true, nil
		}
		asset, err := assetOf(v.rows, v.head.chain, id)
		if err != nil {
			return nil, false, err
		}
		if !slices.Contains(assets, asset) {
			assets = append(assets, asset)
		}
	}
	return assets, false, nil
}

// assetIDs returns the assets of an address in the base, in order of appearance.
func (v *view) assetIDs(a ledger.Address) ([]uint64, error) {
	addr, err := v.addressID(a)
	if err != nil || addr == 0 {
		return nil, err
	}
	h, err := v.home(addr)
	if err != nil {
		return nil, err
	}
	ids, err := loadAssets(v.rows, addr, h)
	return slices.DeleteFunc(ids, func(id uint64) bool { return id >= v.head.nextAsset }), err
}

// youngAssets returns those of the overlay, block by block, each in order of asset.
func (v *view) youngAssets(a ledger.Address) []ledger.Asset {
	var all []ledger.Asset
	for _, y := range v.held {
		var of []ledger.Asset
		for h := range y.events {
			if h.Address == a {
				of = append(of, h.Asset)
			}
		}
		slices.SortFunc(of, ledger.Asset.Compare)
		all = append(all, of...)
	}
	return all
}
