package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// asOf is a data cut-off as users write it.
type asOf struct {
	text   string
	height uint64
	ms     int64
	byTime bool
}

// parseAsOf reads a height or a time with zone; nothing is the zero asOf.
func parseAsOf(text string) (asOf, error) {
	if text == "" {
		return asOf{}, nil
	}
	if n, err := strconv.ParseUint(text, 10, 63); err == nil {
		return asOf{text: text, height: n}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return asOf{}, ledger.Invalid("as_of", "a height or a time with zone such as 2022-01-05T17:55:12Z", text)
	}
	return asOf{text: text, ms: t.UnixMilli(), byTime: true}, nil
}

// heightOf finds an as-of on one chain. A height above the tip is refused; a
// time is that of the last block that is not younger.
func (v *view) heightOf(ctx context.Context, c ledger.Chain, at asOf) (uint64, error) {
	head, err := v.AsOf(ctx, c)
	if err != nil {
		return 0, err
	}
	export := v.export(c)
	switch {
	case export && at.byTime:
		return uint64(max(at.ms, 0)), nil
	case export:
		return 0, ledger.Invalid("as_of", "a time with zone: "+string(c)+" is held as exports, which have no heights", at.text)
	case at.byTime:
		return v.lastBlockBy(ctx, c, at.ms)
	case at.height > head.Height:
		return 0, fmt.Errorf("as_of %d: %s is indexed to height %d: %w", at.height, c, head.Height, ledger.ErrPrecondition)
	}
	return at.height, nil
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
