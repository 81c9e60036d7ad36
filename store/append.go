package store

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/spoortrace/spoor/ledger"
)

// AppendOptions tune one run of Append or Rebuild. The zero value is good.
type AppendOptions struct {
	// KeepRaw stores the raw form of every block that has one; proofs need it.
	KeepRaw bool
	// Target is the height of the source's head. Blocks deeper below it than the
	// reorg bound go straight into the base, in large batches.
	Target uint64
	// ReorgBound is the number of blocks below the tip that may be replaced;
	// nil: the network's own (ledger.Params).
	ReorgBound *uint64
	// Final is the height up to which the source says that no block will be
	// replaced: what is at or below it goes into the base, and nothing above it. nil: the
	// reorg bound below the tip. If ReorgBound is given too, both must hold.
	Final *uint64
	// MaxOverlay is the number of blocks of the tip's chain that may wait in the
	// overlay, ErrStalled beyond; 0: any number.
	MaxOverlay int
	// BatchSize is the number of transactions, coins and transfers after which a
	// batch of the base is published; 0: 200,000.
	BatchSize int
	// Memory bounds what a rebuild holds of the rows that it sorts, in bytes, beside
	// the engine's own; 0: 256 MiB. The rest waits in files.
	Memory int64
	// Job names what is being read, paths and options, so that a rebuild of the same
	// job goes on where one was cut off; empty: it begins anew.
	Job string
	// Progress is called after every publication, and while a rebuild sorts.
	Progress func(Progress)
}

// Progress says how far a run is.
type Progress struct {
	Tip    ledger.BlockRef
	Blocks uint64 // blocks in the index
	Txs    uint64 // transactions in its base
	// Step is what a rebuild does with blocks that it has read: "names", "coins",
	// "records" or "lists", the Done-th of Total parts; empty for all else.
	Step        string
	Done, Total uint64
}

// The errors of Append for blocks that do not follow the tip. All of them match
// ledger.ErrPrecondition; nothing of the block is stored.
var (
	// ErrDeepReorg: the block replaces one below the reorg bound. The index halts;
	// somebody must decide whether the source or the index is wrong.
	ErrDeepReorg = fmt.Errorf("reorg below the bound: %w", ledger.ErrPrecondition)
	// ErrBackfill: the block lies below the tip and is not held. Rebuild with
	// MergeBlocks takes it in.
	ErrBackfill = fmt.Errorf("below the tip of the index: %w", ledger.ErrPrecondition)
	// ErrUnlinked: the block's parent is not the block held at the height below.
	ErrUnlinked = fmt.Errorf("does not follow the index: %w", ledger.ErrPrecondition)
)

// ErrStalled means that more blocks wait to become final than
// AppendOptions.MaxOverlay allows.
var ErrStalled = fmt.Errorf("finality stalls: %w", ledger.ErrExhausted)

const defaultBatch = 200_000

// appender is one run over an index.
type appender struct {
	*index
	o     AppendOptions
	bound uint64
	batch *batch
	done  func() // of the batch's view
	last  *batch // published, its rows still in memory; nil after anything else was
}

func (x *index) append(ctx context.Context, blocks iter.Seq2[*ledger.Block, error], o AppendOptions) error {
	params, _ := x.chain.Params()
	w := &appender{index: x, o: o, bound: params.ReorgBound}
	if o.ReorgBound != nil {
		w.bound = *o.ReorgBound
	}
	if o.BatchSize <= 0 {
		w.o.BatchSize = defaultBatch
	}
	if x.unsure {
		if err := x.recover(ctx); err != nil {
			return err
		}
	}
	if err := x.clear(ctx); err != nil {
		return err
	}
	err := w.run(ctx, blocks)
	w.drop()
	return err
}

// clear deletes what a crash left in the overlay. It is durable with the next
// publication, the first one that could cover such rows.
func (x *index) clear(ctx context.Context) error {
	if len(x.leftover) == 0 {
		return nil
	}
	if err := x.kv.Write(ctx, x.leftover); err != nil {
		return fmt.Errorf("store: clear the overlay: %w", err)
	}
	x.leftover = nil
	return nil
}

func (w *appender) run(ctx context.Context, blocks iter.Seq2[*ledger.Block, error]) error {
	for b, err := range blocks {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = w.take(ctx, b)
		}
		if err != nil {
			// What came before is verified and stays.
			return errors.Join(err, w.flush(context.WithoutCancel(ctx)))
		}
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	return w.fold(ctx)
}

// tip is the last block taken in, published or not.
func (w *appender) tip() mark {
	if w.batch != nil {
		return w.batch.head.folded
	}
	return w.current().head.tip
}

// take finds the place of a block: after the tip, on another branch of the
// overlay, or nowhere.
func (w *appender) take(ctx context.Context, given *ledger.Block) error {
	b, err := normalise(w.chain, given)
	if err != nil {
		return fmt.Errorf("store: block %d: %w", given.Ref.Height, err)
	}
	tip := w.tip()
	switch {
	case !tip.set || b.Parent == tip.ref.Hash && b.Ref.Height == tip.ref.Height+1:
		return w.extend(ctx, b)
	case w.current().head.export && b.Ref.Height > tip.ref.Height:
		return w.extend(ctx, b)
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	return w.place(ctx, b)
}

// settled returns the number of heights, from 0, that no reorg can reach with
// a tip at a height or above.
func (w *appender) settled(tip uint64) uint64 {
	return w.o.settled(w.chain, max(tip, w.tip().ref.Height))
}

// settled is the same for a chain.
func (o *AppendOptions) settled(c ledger.Chain, tip uint64) uint64 {
	params, _ := c.Params()
	bound := params.ReorgBound
	if o.ReorgBound != nil {
		bound = *o.ReorgBound
	}
	tip = max(tip, o.Target)
	deep := tip - min(tip, bound) + 1
	if tip < bound {
		deep = 0
	}
	switch {
	case o.Final == nil:
		return deep
	case o.ReorgBound == nil:
		return min(*o.Final, tip) + 1
	}
	return min(*o.Final+1, deep)
}

// extend takes a block after the tip, linked to it or above a gap.
func (w *appender) extend(ctx context.Context, b *ledger.Block) error {
	if b.Ref.Height >= w.settled(b.Ref.Height) {
		if err := w.flush(ctx); err != nil {
			return err
		}
		return w.addYoung(ctx, b, w.current().chain)
	}
	if w.batch == nil {
		if err := w.foldTo(ctx, b.Ref.Height); err != nil {
			return err
		}
		w.begin()
	}
	if err := w.batch.add(b, nil, w.o.KeepRaw); err != nil {
		// The batch may hold part of the block: it is dropped, and what came
		// before it is not acknowledged.
		w.drop()
		return fmt.Errorf("store: block %d: %w", b.Ref.Height, err)
	}
	if w.batch.units >= w.o.BatchSize {
		return w.flush(ctx)
	}
	return nil
}

// begin opens a batch on the published base. Raw blocks that an unpublished
// batch wrote are written over.
func (w *appender) begin() {
	r, done := w.kv.View()
	h := w.current().head
	w.raw.segment, w.raw.end = h.rawSegment, h.rawEnd
	if w.done = done; w.last != nil && w.last.head.folded == h.folded {
		w.batch = w.last.carry(h, viewRows{r})
	} else {
		w.batch = newBatch(h, viewRows{r}, &w.raw)
	}
	w.last = nil
}

func (w *appender) drop() {
	if w.batch != nil {
		w.done()
		w.batch, w.done = nil, nil
	}
}

// flush publishes the batch under way.
func (w *appender) flush(ctx context.Context) error {
	if w.batch == nil {
		return nil
	}
	b := w.batch
	err := w.commit(ctx, b, nil)
	w.drop()
	if err == nil {
		w.last = b
		w.report()
	}
	return err
}

// fold moves the final blocks of the overlay into the base.
func (w *appender) fold(ctx context.Context) error {
	n := w.settled(0)
	if n == 0 {
		return nil
	}
	return w.foldTo(ctx, n-1)
}

// foldTo moves the overlay blocks of the tip's chain up to a height.
func (w *appender) foldTo(ctx context.Context, height uint64) error {
	chain := w.current().chain
	if len(chain) == 0 || chain[0].at.ref.Height > height {
		return nil
	}
	w.begin()
	defer w.drop()
	for len(chain) > 0 && chain[0].at.ref.Height <= height && w.batch.units < w.o.BatchSize {
		y := chain[0]
		b, err := normalise(w.chain, y.whole())
		if err != nil {
			return err
		}
		if err := w.batch.add(b, &y.raw, false); err != nil {
			return fmt.Errorf("store: fold block %d: %w", b.Ref.Height, err)
		}
		chain = chain[1:]
	}
	b := w.batch
	if err := w.commit(ctx, b, chain); err != nil {
		return err
	}
	w.drop()
	w.last = b
	return w.foldTo(ctx, height)
}

func (w *appender) report() {
	if w.o.Progress == nil {
		return
	}
	s := w.current()
	w.o.Progress(Progress{Tip: s.head.tip.ref, Blocks: s.head.blocks + uint64(len(s.chain)), Txs: s.head.txs})
}
