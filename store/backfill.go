package store

import (
	"context"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// Backfill takes in what the index lacks between a height (FollowOptions.From;
// nil: 0) and its tip: blocks below its first one, and gaps. They are fetched in
// order of height and merged with the blocks held into the next generation,
// while Follow may go on beside it; they are seen when it is in force. An error
// or a crash before leaves the index as it was, and the next call begins anew.
// Sources are asked and judged as by Follow; the Tip that Report gets is that of
// the generation being built. ErrUnlinked: the source's blocks do
// not lead to those held.
func Backfill(ctx context.Context, n *Network, sources []Source, o FollowOptions) error {
	from := o.From
	o.From = nil
	f, err := newFollower(n, sources, o)
	if err != nil {
		return err
	}
	missing, err := n.missing(from)
	if err != nil || len(missing) == 0 {
		return err
	}
	h, err := n.heights()
	if err != nil {
		return err
	}
	// What the generation in force has folded is final, and nothing else is: the
	// next one must be able to follow every reorg that this one can.
	a := AppendOptions{Final: h.folded, KeepRaw: o.KeepRaw, ReorgBound: o.ReorgBound, BatchSize: o.BatchSize}
	a.Progress = func(p Progress) {
		f.status.Tip, f.status.Trouble = p.Tip, nil
		f.report()
	}
	return n.Rebuild(ctx, MergeBlocks(f.counted(f.steady(ctx, missing)), n.Blocks(ctx)), n.Contents(), a)
}

// missing returns the heights from a height to the tip that are not held.
func (n *Network) missing(from *uint64) ([]stretch, error) {
	v, err := n.view(^uint64(0))
	if err != nil || v == nil {
		return nil, err
	}
	defer v.done()
	var next uint64
	if from != nil {
		next = *from
	}
	var all []stretch
	var below mark
	for _, s := range v.spans {
		if next < s.From {
			all = append(all, stretch{from: next, to: s.From - 1, fork: below})
		}
		if s.To < next {
			continue
		}
		next = s.To + 1
		ref, _, err := v.digestAt(s.To)
		if err != nil {
			return nil, err
		}
		below = mark{set: true, ref: ref}
	}
	return all, nil
}

// steady yields the blocks of some stretches, of whichever source gives them.
func (f *follower) steady(ctx context.Context, missing []stretch) blockSeq {
	return func(yield func(*ledger.Block, error) bool) {
		for _, r := range missing {
			for r.from <= r.to {
				more, err := f.some(ctx, &r, yield)
				if !more {
					return
				}
				if err != nil {
					err = f.retry(ctx, err)
				}
				if err != nil {
					yield(nil, fmt.Errorf("store: back-fill of height %d: %w", r.from, err))
					return
				}
			}
		}
	}
}

// some yields what the source in use gives of a stretch and cuts it off the
// stretch; false when the caller wants no more.
func (f *follower) some(ctx context.Context, r *stretch, yield func(*ledger.Block, error) bool) (bool, error) {
	s := f.sources[f.at]
	f.status.Source = s.name
	for b, err := range f.fetch(ctx, s, *r) {
		if err != nil {
			return true, err
		}
		if !yield(b, nil) {
			return false, nil
		}
		r.from, r.fork = b.Ref.Height+1, mark{set: true, ref: b.Ref}
		f.failed, s.untrue = 0, 0
	}
	return true, nil
}
