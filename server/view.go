package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// data is what the services answer from.
type data struct {
	store  *store.Store
	labels *labels.Log
	adding sync.Mutex // of labels by hand: looking whether one is there, and adding it
}

// view is the index as one question sees it: every network at its own as-of,
// and the labels up to one sequence number. It is a tracer.Index.
type view struct {
	*store.Snapshot
	tags *labels.View
	data *data
}

// view pins everything at its tip.
func (d *data) view(ctx context.Context) (*view, error) {
	snap, err := d.store.Snapshot(ctx, nil)
	if err != nil {
		return nil, err
	}
	tags, err := d.labels.View(0)
	if err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	return &view{Snapshot: snap, tags: tags, data: d}, nil
}

// close releases the snapshot; what it pinned is gone either way.
func (v *view) close() {
	_ = v.Close()
}

// Tags implements tracer.Index.
func (v *view) Tags(ctx context.Context, a ledger.Address) ([]ledger.Tag, error) {
	if a.IsZero() {
		return nil, nil
	}
	return v.tags.Tags(ctx, a)
}

func (v *view) labelSequence() uint64 { return v.tags.Sequence() }

func (v *view) export(c ledger.Chain) bool {
	extent, err := v.Extent(c)
	return err == nil && extent.Export
}

// until cuts the networks of a question at its as-of: a height, a time with
// zone, or nothing for the tip. It takes v over: v is closed when it returns an
// error or another view.
func (v *view) until(ctx context.Context, chains []ledger.Chain, asOf string) (*view, error) {
	if asOf == "" {
		return v, nil
	}
	defer v.close()
	cut := map[ledger.Chain]uint64{}
	for _, c := range chains {
		height, err := v.heightOf(ctx, c, asOf)
		if err != nil {
			return nil, err
		}
		cut[c] = height
	}
	snap, err := v.data.store.Snapshot(ctx, cut)
	if err != nil {
		return nil, err
	}
	return &view{Snapshot: snap, tags: v.tags, data: v.data}, nil
}

// heightOf reads an as-of on one chain. A height above the tip is refused; a
// time is that of the last block that is not younger.
func (v *view) heightOf(ctx context.Context, c ledger.Chain, asOf string) (uint64, error) {
	head, err := v.AsOf(ctx, c)
	if err != nil {
		return 0, err
	}
	if n, err := strconv.ParseUint(asOf, 10, 63); err == nil {
		switch {
		case v.export(c):
			return 0, ledger.Invalid("as_of", "a time with zone: "+string(c)+" is held as exports, which have no heights", asOf)
		case n > head.Height:
			return 0, fmt.Errorf("as_of %d: %s is indexed to height %d: %w", n, c, head.Height, ledger.ErrPrecondition)
		}
		return n, nil
	}
	t, err := time.Parse(time.RFC3339, asOf)
	if err != nil {
		return 0, ledger.Invalid("as_of", "a height or a time with zone such as 2022-01-05T17:55:12Z", asOf)
	}
	ms := t.UnixMilli()
	if v.export(c) {
		return uint64(max(ms, 0)), nil
	}
	return v.lastBlockBy(ctx, c, ms)
}

// lastBlockBy returns the height of the last block whose time is not after ms.
func (v *view) lastBlockBy(ctx context.Context, c ledger.Chain, ms int64) (uint64, error) {
	extent, err := v.Extent(c)
	if err != nil {
		return 0, err
	}
	k := &clock{ctx: ctx, view: v, chain: c}
	for _, span := range slices.Backward(extent.Spans) {
		height, ok := k.lastBy(span.From, span.To+1, ms)
		if k.err != nil {
			return 0, k.err
		}
		if ok {
			return height, nil
		}
	}
	return 0, fmt.Errorf("as_of: %s holds no block up to that time: %w", c, ledger.ErrPrecondition)
}

// clock reads the times of a chain's blocks; the first error stays.
type clock struct {
	ctx   context.Context //nolint:containedctx // one call
	view  *view
	chain ledger.Chain
	err   error
}

func (k *clock) at(height uint64) int64 {
	if k.err != nil {
		return 0
	}
	ref, err := k.view.BlockRef(k.ctx, k.chain, height)
	k.err = err
	return ref.Time
}

// medianWindow is of how many blocks before it the median is older than a
// Bitcoin block. A block's own clock may be hours ahead, so that the times of
// blocks are in no order; the medians are.
const medianWindow = 11

// median is that of the blocks before a height, the median time past of BIP 113.
func (k *clock) median(height uint64) int64 {
	times := make([]int64, medianWindow)
	for i := range times {
		times[i] = k.at(height - uint64(i) - 1)
	}
	slices.Sort(times)
	return times[medianWindow/2]
}

// lastBy finds the last of the linked blocks from one height up to another (not
// included) whose time is not after ms. Where the median before a block is not
// before ms, that block and all later ones are younger; of the window below
// that height half are not.
func (k *clock) lastBy(from, to uint64, ms int64) (uint64, bool) {
	low, high := min(from+medianWindow, to), to
	for low < high && k.err == nil {
		middle := (low + high) / 2
		if k.median(middle) < ms {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for h := low; h > from && k.err == nil; h-- {
		if k.at(h-1) <= ms {
			return h - 1, k.err == nil
		}
	}
	return 0, false
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
		info: v.info, export: v.export,
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
