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
	ids, err := v.assetIDs(a)
	if err != nil {
		return nil, false, err
	}
	var young []ledger.Asset // those that it met in the overlay
	for _, asset := range v.youngAssets(a) {
		id, err := v.assetID(asset)
		if err != nil {
			return nil, false, err
		}
		if !slices.Contains(young, asset) && (id == 0 || !slices.Contains(ids, id)) {
			young = append(young, asset)
		}
	}
	slices.Reverse(young)
	assets = young[:min(limit, len(young))]
	left := limit - len(assets)
	for _, id := range slices.Backward(ids[max(0, len(ids)-left):]) {
		asset, err := assetOf(v.rows, v.head.chain, id)
		if err != nil {
			return nil, false, err
		}
		assets = append(assets, asset)
	}
	return assets, len(young)+len(ids) > limit, nil
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
	for y := range v.knowing(addressHint(a)) {
		var of []ledger.Asset
		for h := range y.events(a) {
			if !slices.Contains(of, h.Asset) {
				of = append(of, h.Asset)
			}
		}
		slices.SortFunc(of, ledger.Asset.Compare)
		all = append(all, of...)
	}
	return all
}
