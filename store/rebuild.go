package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spoortrace/spoor/ledger"
)

// Rebuild builds the next generation from blocks in order of height and puts it
// in force by moving CURRENT. Append goes on with the generation before
// meanwhile; the blocks that it took in are taken over at the end. Readers of
// the generation before finish undisturbed; it is removed with the last of them.
// An error leaves the network as it was: ErrDeepReorg and ErrUnlinked when what
// came meanwhile does not fit what was built.
func (n *Network) Rebuild(ctx context.Context, blocks iter.Seq2[*ledger.Block, error], c Contents, o AppendOptions) error {
	n.rebuilding.Lock()
	defer n.rebuilding.Unlock()
	old := n.pin()
	defer old.done()
	from := old.current()
	o.Target = max(o.Target, from.head.tip.ref.Height)
	next, err := n.build(ctx, blocks, c, o)
	if err != nil {
		return err
	}
	if err := n.overtake(ctx, old.index, from, next, o); err != nil {
		return errors.Join(err, next.discard())
	}
	defer n.write.Unlock()
	if err := n.supersede(next); err != nil {
		return err
	}
	return n.removeLoads("")
}

// fewBlocks is how many blocks may be left to take over while Append waits.
const fewBlocks = 8

// overtake adds to the next generation what Append gave the old one since a
// state. All but the last blocks are added while Append goes on; without an
// error it returns with write held.
func (n *Network) overtake(ctx context.Context, old *index, since state, next *index, o AppendOptions) error {
	for {
		now := old.current()
		if f := now.head.folded; f.set && !now.head.export {
			o.Final = &f.ref.Height // the overlay is that of the old generation
		}
		if came := now.head.tip.ref.Height - min(since.head.tip.ref.Height, now.head.tip.ref.Height); came <= fewBlocks {
			break
		}
		if err := next.append(ctx, old.since(ctx, since), o); err != nil {
			return err
		}
		since = now
	}
	n.waiting.Add(1)
	n.write.Lock()
	n.waiting.Add(-1)
	err := next.append(ctx, old.since(ctx, since), o)
	if err != nil {
		n.write.Unlock()
	}
	return err
}

// since yields the blocks of the tip's chain above the last one that it has in
// common with a state before. The base never loses a block, so that there is one.
func (x *index) since(ctx context.Context, before state) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		if x.current().head.tip == before.head.tip {
			return
		}
		v, err := x.view(^uint64(0))
		if err != nil || v == nil {
			if err != nil {
				yield(nil, err)
			}
			return
		}
		defer v.done()
		from, err := v.after(before)
		for h := from; err == nil && h <= v.asOf.ref.Height; h++ {
			var s *stored
			if _, s, err = v.blockAt(h); err == nil && s != nil {
				if err = s.withRaw(v.dir); err == nil && !yield(s.Block, ctx.Err()) {
					return
				}
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// after returns the height above the last block that a state has in common with the view.
func (v *view) after(before state) (uint64, error) {
	for _, y := range slices.Backward(before.chain) {
		ref, _, err := v.digestAt(y.at.ref.Height)
		if err == nil && ref.Hash == y.at.ref.Hash {
			return ref.Height + 1, nil
		}
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return 0, err
		}
	}
	if f := before.head.folded; f.set {
		return f.ref.Height + 1, nil
	}
	for row, err := range v.blockRows() {
		if err != nil {
			return 0, err
		}
		return row.block.Ref.Height, nil
	}
	return v.held[0].at.ref.Height, nil
}

// build makes the next generation from blocks. The caller releases it.
func (n *Network) build(ctx context.Context, blocks iter.Seq2[*ledger.Block, error], c Contents, o AppendOptions) (*index, error) {
	number, err := generationNumber(n.generation())
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(n.dir, "gen-"+strconv.Itoa(number+1))
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if c.Export {
		o.ReorgBound = new(uint64)
	}
	pull, stop := iter.Pull2(blocks)
	defer stop()
	few, next := pulled(pull).few(n.chain, o)
	if !few {
		x, err := n.load(ctx, dir, next, c, o)
		switch {
		case errors.Is(err, errOther):
			return n.build(ctx, blocks, c, o)
		case !errors.Is(err, errUnfit):
			return x, err
		}
		again, stop := iter.Pull2(blocks)
		defer stop()
		next = again
	}
	x, err := createIndex(ctx, dir, n.engine, newHead(n.chain, &c), &c, n.minFree, nil)
	if err != nil {
		return nil, err
	}
	if err := x.append(ctx, next.rest, o); err != nil {
		return nil, errors.Join(err, x.discard())
	}
	return x, nil
}

// discard gives up a generation that was never in force.
func (x *index) discard() error {
	x.dead = true
	return x.release()
}

// supersede puts a generation in force, or discards it.
func (n *Network) supersede(next *index) error {
	if err := writeCurrent(n.dir, filepath.Base(next.dir)); err != nil {
		return errors.Join(err, next.discard())
	}
	n.mu.Lock()
	old := n.cur
	n.cur = next
	n.mu.Unlock()
	old.mu.Lock()
	old.dead = true
	old.mu.Unlock()
	return old.release()
}

// Blocks yields the blocks of the current generation in order of height, with
// raw forms where they are kept. Together with MergeBlocks it feeds Rebuild.
func (n *Network) Blocks(ctx context.Context) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		v, err := n.view(^uint64(0))
		if err != nil {
			yield(nil, err)
			return
		}
		if v == nil {
			return
		}
		for b, err := range v.withRaw(ctx) {
			if !yield(b, err) || err != nil {
				break
			}
		}
		if err := v.close(); err != nil {
			yield(nil, err)
		}
	}
}

// withRaw yields only what its digest proves: a generation is built from it.
func (v *view) withRaw(ctx context.Context) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		for s, err := range v.blocks(ctx) {
			if err == nil {
				err = s.check()
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if err := s.withRaw(v.dir); err != nil {
				yield(nil, err)
				return
			}
			if !yield(s.Block, nil) {
				return
			}
		}
	}
}

// withRaw fills in the raw form, where it is kept.
func (s *stored) withRaw(dir string) (err error) {
	if s.raw.kept {
		s.Raw, err = readRaw(dir, s.raw)
	}
	return err
}
