package server

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spoortrace/spoor/entities"
	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/prices"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// data is what the services answer from.
type data struct {
	store  *store.Store
	labels *labels.Log
	// entities is the index of clusters; nil: everybody stands for himself.
	entities  *entities.Set
	clusters  *clusterer // builds them; nil with entities
	spreading sync.Mutex // guards spreads
	spreads   map[spreadKey]*spread
	prices    *prices.Table       // nil: the rule of stablecoins alone
	published map[string][]string // error rates, by heuristic
	tagSets   atomic.Pointer[tagSets]
	adding    sync.Mutex // of labels by hand: looking whether one is there, and adding it
}

// view is the index as one question sees it: every network at its own as-of,
// and the labels up to one sequence number. It is a tracer.Index.
type view struct {
	*store.Snapshot
	tags *labels.View
	// without is a tag that is left out as if it were retracted; 0: none. Nothing
	// that such a view answers is kept.
	without uint64
	data    *data

	pinning sync.Mutex // guards pinned
	pinned  *entities.View
}

// view pins everything at its tip.
func (d *data) view(ctx context.Context) (*view, error) { return d.viewOf(ctx, nil) }

// viewOf is a view of a snapshot, which it takes over; nil: of the store.
func (d *data) viewOf(ctx context.Context, snap *store.Snapshot) (*view, error) {
	if snap == nil {
		var err error
		if snap, err = d.store.Snapshot(ctx, nil); err != nil {
			return nil, err
		}
	}
	tags, err := d.labels.ViewOf(0, Principal(ctx).Tenant)
	if err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	return &view{Snapshot: snap, tags: tags, data: d}, nil
}

// close releases the snapshot; what it pinned is gone either way.
func (v *view) close() {
	if v.pinned != nil {
		_ = v.pinned.Close()
	}
	_ = v.Close()
}

// Tags implements tracer.Index.
func (v *view) Tags(ctx context.Context, a ledger.Address) ([]ledger.Tag, error) {
	if a.IsZero() {
		return nil, nil
	}
	tags, err := v.tags.Tags(ctx, a)
	return v.leaveOut(tags), err
}

// leaveOut drops the tag that the view is without; the list is the caller's own.
func (v *view) leaveOut(tags []ledger.Tag) []ledger.Tag {
	if v.without == 0 {
		return tags
	}
	return slices.DeleteFunc(tags, func(t ledger.Tag) bool { return t.ID == v.without })
}

func (v *view) labelSequence() uint64 { return v.tags.Sequence() }

// export reports a network whose heights are milliseconds.
func (v *view) export(c ledger.Chain) bool {
	extent, err := v.Extent(c)
	return err == nil && extent.Export && !extent.Heights
}

// final is the height up to which no reorganisation replaces a block; nil: none.
func (v *view) final(c ledger.Chain) *uint64 {
	extent, err := v.Extent(c)
	if err != nil {
		return nil
	}
	return extent.Final
}

// until cuts the networks of a question at its as-of: a height, a time with
// zone, or nothing for the tip. It takes v over: v is closed when it returns an
// error or another view.
func (v *view) until(ctx context.Context, chains []ledger.Chain, text string) (*view, error) {
	if text == "" {
		return v, nil
	}
	defer v.close()
	at, err := parseAsOf(text)
	if err != nil {
		return nil, err
	}
	cut := map[ledger.Chain]uint64{}
	for _, c := range chains {
		height, err := v.heightOf(ctx, c, at)
		if err != nil {
			return nil, err
		}
		cut[c] = height
	}
	snap, err := v.data.store.Snapshot(ctx, cut)
	if err != nil {
		return nil, err
	}
	return &view{Snapshot: snap, tags: v.tags, without: v.without, data: v.data}, nil
}

// info returns what is known of an asset: from the table, else what a file claimed.
func (v *view) info(a ledger.Asset) (ledger.AssetInfo, error) {
	return v.AssetInfo(context.Background(), a)
}

// parseAsset reads an asset by symbol, "native", or contract, on the network of
// a payment; nil for none.
func (v *view) parseAsset(ctx context.Context, ref tracer.Ref, chains []ledger.Chain, text string) (*ledger.Asset, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no asset was asked for
	}
	chain := ref.Chain
	for _, c := range chains {
		if chain != "" {
			break
		}
		if _, err := v.FindTx(ctx, c, ref.Tx); err == nil {
			chain = c
		}
	}
	if chain == "" {
		return nil, nil //nolint:nilnil // the payment is not held: that is what is wrong
	}
	if text == "native" {
		asset := ledger.NativeAsset(chain)
		return &asset, nil
	}
	if asset, ok := ledger.AssetBySymbol(chain, text); ok {
		return &asset, nil
	}
	contract, err := ledger.ParseAddress(chain, text)
	if err != nil || chain.UTXO() {
		return nil, ledger.Invalid("asset", "native, a known symbol or a contract of "+string(chain), text)
	}
	asset := ledger.TokenAsset(contract)
	return &asset, nil
}

// converter answers a converter's questions from this view.
func (v *view) converter(ctx context.Context) *converter {
	known := map[ledger.Address][]ledger.Tag{}
	return &converter{
		info: v.info, export: v.export, final: v.final, prices: v.data.prices,
		labels: func(a ledger.Address, at int64) ([]*spoorv1.Label, error) {
			tags, ok := known[a]
			if !ok {
				var err error
				if tags, err = v.Tags(ctx, a); err != nil {
					return nil, err
				}
				known[a] = tags
			}
			var m []*spoorv1.Label
			for _, t := range tags {
				if t.ValidAt(at) {
					m = append(m, v.labelMessage(t))
				}
			}
			return m, nil
		},
	}
}

func (v *view) asOfMessage(ref ledger.BlockRef) *spoorv1.AsOf {
	m := &spoorv1.AsOf{Network: string(ref.Chain), BlockHash: hashText(ref.Chain, ref.Hash), Time: timeMessage(ref.Time)}
	if !v.export(ref.Chain) {
		height := uint32(ref.Height)
		m.Height = &height
	}
	return m
}
