package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// round brings the index to the head that the source has; done when nothing is
// left to do.
func (f *follower) round(ctx context.Context) (done bool, err error) {
	s := f.sources[f.at]
	f.status.Source = s.name
	head, err := s.head(ctx)
	if err != nil {
		return false, err
	}
	f.status.Head, f.status.Final = head.Tip.Height, head.Final
	h, err := f.n.heights()
	if err != nil {
		return false, err
	}
	to := head.Tip.Height
	if f.o.To != nil {
		to = min(to, *f.o.To)
	}
	done = !f.o.Follow || f.o.To != nil && head.Tip.Height >= *f.o.To
	fork, err := h.fork(ctx, f.n, s, head)
	if err != nil {
		return false, err
	}
	from := f.from(fork)
	switch {
	case fork.set && head.Tip.Height < h.tip.ref.Height && fork.ref.Height >= head.Tip.Height:
		return f.lags(s, head, h, done)
	case from > to && fork == h.tip:
		return done, f.fold(ctx, head, h)
	case from > to:
		return done, nil
	}
	return done, f.take(ctx, s, head, stretch{from, to, fork, uint64(len(h.above(fork)))})
}

// from is the first height to fetch.
func (f *follower) from(fork mark) uint64 {
	switch {
	case fork.set && f.o.From != nil:
		return max(fork.ref.Height+1, *f.o.From)
	case fork.set:
		return fork.ref.Height + 1
	case f.o.From != nil:
		return *f.o.From
	}
	return 0
}

// lags is the end of a round with a source that has less than the index, and
// nothing else. Another source may have more.
func (f *follower) lags(s *served, head ledger.Head, h heights, done bool) (bool, error) {
	if f.behind++; done && f.behind >= len(f.sources) {
		return true, nil
	}
	return false, ledger.Untrue(ledger.FaultLagging, "head of "+s.name, fmt.Sprintf("height %d, the index is at %d", head.Tip.Height, h.tip.ref.Height))
}

// fold lets the overlay know of finality that moved without a block.
func (f *follower) fold(ctx context.Context, head ledger.Head, h heights) error {
	if head.Final == nil || h.folded != nil && *h.folded >= *head.Final {
		return nil
	}
	return f.n.Append(ctx, none, f.appendOptions(head))
}

func none(func(*ledger.Block, error) bool) {}

// stretch is a run of heights to fetch, above the block that the chains share.
type stretch struct {
	from, to uint64
	fork     mark
	replaces uint64 // blocks of the tip's chain above fork
}

func (f *follower) appendOptions(head ledger.Head) AppendOptions {
	return AppendOptions{
		KeepRaw: f.o.KeepRaw, ReorgBound: f.o.ReorgBound, BatchSize: f.o.BatchSize,
		Target: head.Tip.Height, Final: head.Final, MaxOverlay: f.o.MaxOverlay,
	}
}

// take fetches blocks and appends them in one run.
func (f *follower) take(ctx context.Context, s *served, head ledger.Head, r stretch) error {
	if err := f.proveHead(ctx, s, head, r); err != nil {
		return err
	}
	o := f.appendOptions(head)
	o.Progress = func(p Progress) {
		f.status.Tip, f.status.Replaced, f.status.Trouble = p.Tip, f.status.Replaced+r.replaces, nil
		r.replaces, f.failed, s.untrue = 0, 0, 0
		f.report()
	}
	err := f.n.Append(ctx, f.yielding(f.counted(f.fetch(ctx, s, r))), o)
	switch {
	case err == nil, errors.Is(err, ledger.ErrUntrue), errors.Is(err, ledger.ErrUnavailable):
		return err
	case errors.Is(err, ErrUnlinked), errors.Is(err, ErrBackfill):
		return &ledger.SourceError{Fault: ledger.FaultWrongParent, Subject: s.name, Err: err}
	case errors.Is(err, ledger.ErrInvalid):
		return &ledger.SourceError{Fault: ledger.FaultContents, Subject: s.name, Err: err}
	}
	return err
}

// proveHead asks for the block at the head before a run of which the head makes
// blocks final: a height that is only claimed must not put them out of the
// reach of reorgs.
func (f *follower) proveHead(ctx context.Context, s *served, head ledger.Head, r stretch) error {
	if head.Tip.Height-r.from < uint64(f.o.Parallel) {
		return nil
	}
	b, err := s.block(ctx, f.n.chain, head.Tip.Height)
	if err == nil && b.Ref.Hash != head.Tip.Hash {
		err = ledger.Untrue(ledger.FaultLagging, "head of "+s.name, "it is another block by now")
	}
	return err
}

// counted counts the blocks that Append takes.
func (f *follower) counted(blocks blockSeq) blockSeq {
	return func(yield func(*ledger.Block, error) bool) {
		for b, err := range blocks {
			if err != nil {
				yield(nil, err)
				return
			}
			f.status.Blocks, f.status.Txs = f.status.Blocks+1, f.status.Txs+uint64(len(b.Txs))
			if !yield(b, nil) {
				f.status.Blocks, f.status.Txs = f.status.Blocks-1, f.status.Txs-uint64(len(b.Txs))
				return
			}
		}
	}
}

// yielding ends a run between two blocks when somebody else wants to write.
func (f *follower) yielding(blocks blockSeq) blockSeq {
	return func(yield func(*ledger.Block, error) bool) {
		for b, err := range blocks {
			if !yield(b, err) {
				return
			}
			if f.cut = f.n.waiting.Load() > 0; f.cut {
				return
			}
		}
	}
}

func (f *follower) report() {
	if f.o.Report != nil {
		f.o.Report(f.status)
	}
}
