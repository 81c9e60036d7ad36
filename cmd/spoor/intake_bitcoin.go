package main

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
)

// bitcoin takes in block files: the blocks above the tip are appended, and if
// some lie below it and are missing, the network is built again with them.
func (in *intake) bitcoin(ctx context.Context, req *spoorv1.BitcoinBlocks, progress progressFunc) (*spoorv1.IngestResult, error) {
	chain, err := network(req.GetNetwork(), "bitcoin", ledger.FamilyBitcoin, "bitcoin or one of its test networks")
	if err != nil {
		return nil, err
	}
	held, err := in.held(ctx, chain)
	if err != nil {
		return nil, err
	}
	progress(&spoorv1.Progress{Phase: "scan", Network: string(chain), Unit: "blocks"})
	options := archive.Options{Chain: chain, Blocks: req.GetBlockPaths(), Undo: req.GetUndoPaths(), HeightOf: heightOf(ctx, held)}
	if req.Height != nil {
		height := uint64(req.GetHeight())
		options.Height = &height
	}
	files, err := archive.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	n, err := in.create(ctx, chain)
	if err != nil {
		return nil, err
	}
	before, err := n.Status()
	if err != nil {
		return nil, err
	}
	t, err := newTally(n, before)
	if err != nil {
		return nil, err
	}
	o := store.AppendOptions{Memory: in.memory, KeepRaw: req.GetKeepRaw(), Target: files.Head().Height, Job: jobOf(req), Progress: in.reporter(chain, "write", int64(files.Len()), "blocks", progress,
		func(p store.Progress) int64 {
			return min(int64(p.Blocks-min(before.Blocks, p.Blocks)), int64(files.Len()))
		})}
	err = takeIn(ctx, n, files, t, before, o)
	if err = errors.Join(err, t.close()); err != nil {
		return nil, subject(chain, err)
	}
	for _, b := range files.Report().Stale {
		in.log.Info("left out a block of a branch with less work", "network", chain, "height", b.Height, "hash", b.Hash.String())
	}
	return t.result(chain, files.Report()), nil
}

// jobOf names a request, so that a repetition can go on where it was cut off.
func jobOf(req *spoorv1.BitcoinBlocks) string {
	return fmt.Sprintf("blocks %q undo %q", req.GetBlockPaths(), req.GetUndoPaths())
}

// takeIn chooses how blocks come in: few beside those held are appended, many
// make the next generation, whose rows are sorted in one go; and where a block
// below the tip is missing there is no other way.
func takeIn(ctx context.Context, n *store.Network, files *archive.Files, t *tally, before store.Status, o store.AppendOptions) error {
	above := uint64(0)
	if !before.Empty {
		above = before.Tip.Height + 1
	}
	if uint64(files.Size(above)) >= max(leastSorted, before.Txs*rawTx/2) {
		err := rebuild(ctx, n, files, t, o)
		if err == nil || ctx.Err() != nil || errors.Is(err, ledger.ErrExhausted) {
			return err
		}
		t.reset() // something is wrong with a block: what comes before it is to be kept
	}
	err := n.Append(ctx, t.count(files.All(ctx)), o)
	if !errors.Is(err, store.ErrBackfill) {
		return err
	}
	t.reset()
	return rebuild(ctx, n, files, t, o)
}

const (
	leastSorted = 32 << 20 // bytes of raw blocks from which sorting them pays
	rawTx       = 400      // bytes of a raw transaction, about
)

// rebuild makes the next generation of the blocks held and those of the files.
func rebuild(ctx context.Context, n *store.Network, files *archive.Files, t *tally, o store.AppendOptions) error {
	if t.before == nil { // raw forms are hashed even where they are not kept
		return n.Rebuild(ctx, t.count(files.All(ctx)), n.Contents(), o)
	}
	merged := store.MergeBlocks(n.Blocks(ctx), t.count(withoutRaw(files.All(ctx), o.KeepRaw)))
	o.KeepRaw = true // of the blocks that have raw forms: those that are kept already stay kept
	return n.Rebuild(ctx, merged, n.Contents(), o)
}

// withoutRaw drops raw forms unless they are to be kept.
func withoutRaw(blocks iter.Seq2[*ledger.Block, error], keep bool) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		for b, err := range blocks {
			if err == nil && !keep {
				b.Raw = nil
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// heightOf answers where a block hash stands in the index. The table is made
// at the first question: only files that do not begin at genesis ask.
func heightOf(ctx context.Context, n *store.Network) func(ledger.Hash) (uint64, ledger.Grade, bool) {
	if n == nil {
		return nil
	}
	type place struct {
		height uint64
		grade  ledger.Grade
	}
	var known map[ledger.Hash]place
	return func(h ledger.Hash) (uint64, ledger.Grade, bool) {
		if known == nil {
			known = map[ledger.Hash]place{}
			for b, err := range n.Blocks(ctx) {
				if err != nil {
					break // without an answer the files' own heights decide
				}
				known[b.Ref.Hash] = place{b.Ref.Height, b.Grade}
			}
		}
		p, ok := known[h]
		return p.height, p.grade, ok
	}
}

// tally counts what of the files is new to the index as it was before.
type tally struct {
	chain        ledger.Chain
	before       *store.Snapshot // nil: the network was empty
	blocks, held int64
	txs, outs    int64
}

func newTally(n *store.Network, before store.Status) (*tally, error) {
	t := &tally{chain: n.Chain()}
	if before.Empty {
		return t, nil
	}
	var err error
	t.before, err = n.Snapshot(0)
	return t, err
}

func (t *tally) reset() { t.blocks, t.held, t.txs, t.outs = 0, 0, 0, 0 }

func (t *tally) close() error {
	if t.before == nil {
		return nil
	}
	return t.before.Close()
}

// count passes blocks on and counts them.
func (t *tally) count(blocks iter.Seq2[*ledger.Block, error]) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		for b, err := range blocks {
			if err == nil {
				err = t.add(b)
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

func (t *tally) add(b *ledger.Block) error {
	if t.before != nil {
		ref, err := t.before.BlockRef(context.Background(), t.chain, b.Ref.Height)
		switch {
		case err == nil && ref.Hash == b.Ref.Hash:
			t.held++
			return nil
		case err != nil && !errors.Is(err, ledger.ErrNotFound):
			return err
		}
	}
	t.blocks++
	t.txs += int64(len(b.Txs))
	for i := range b.Txs {
		t.outs += int64(len(b.Txs[i].Outputs) + len(b.Txs[i].Transfers))
	}
	return nil
}

// result says what came in, and in a sentence each what did not.
func (t *tally) result(chain ledger.Chain, r archive.Report) *spoorv1.IngestResult {
	m := &spoorv1.IngestResult{
		Network: string(chain), Blocks: t.blocks, Transactions: t.txs, Transfers: t.outs, Duplicates: t.held + int64(r.Duplicates),
	}
	for _, p := range r.Truncated {
		m.Warnings = append(m.Warnings, fmt.Sprintf("%s: the block at byte %d is cut off at the end of the file", p.File, p.Offset))
	}
	for _, p := range r.Skipped {
		m.Warnings = append(m.Warnings, fmt.Sprintf("%s: %d bytes at byte %d belong to no block", p.File, p.Bytes, p.Offset))
	}
	return m
}
