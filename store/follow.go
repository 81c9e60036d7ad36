package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// FollowOptions say how far to read a source, and how. The zero value reads
// from the tip of the index to the head of the source, and ends there.
type FollowOptions struct {
	// From is the first height, where the index is empty; nil: 0. In an index that
	// holds blocks, a From below the run that its tip belongs to is a back-fill
	// (ErrBackfill: see Backfill); one above the tip leaves a gap.
	From *uint64
	// To is the last height; nil: the source's head.
	To *uint64
	// Follow goes on as blocks arrive, until the context ends.
	Follow bool
	// Parallel is how many blocks are fetched at a time; 0: 4. They are taken in in order.
	Parallel int
	// MaxBytes bounds the blocks in memory that were fetched and not yet taken in,
	// by their estimated size; 0: 256 MiB. One block is always fetched.
	MaxBytes int
	// Poll is how long to wait for a new block; 0: 2 s.
	Poll time.Duration
	// Timeout bounds the call for a block, a sixth of it those for the head and
	// for a hash; 0: 30 s. A connection that is half open ends in ledger.FaultTimeout.
	Timeout time.Duration
	// MaxOverlay is the number of blocks that may wait to become final; 0: 4,096,
	// or the reorg bound where that is more. A chain whose finality stalls beyond
	// it stops with ErrStalled, since the overlay is held in memory.
	MaxOverlay int
	// KeepRaw, ReorgBound and BatchSize are those of AppendOptions.
	KeepRaw    bool
	ReorgBound *uint64
	BatchSize  int
	// Report is called after every publication, and when trouble begins or ends.
	Report func(FollowStatus)
}

// FollowStatus says how far the index is behind a source.
type FollowStatus struct {
	Chain    ledger.Chain
	Source   string
	Tip      ledger.BlockRef // of the index; zero when it is empty
	Head     uint64          // height of the source's head
	Final    *uint64         // as ledger.Head.Final
	Blocks   uint64          // taken in by this call, replaced ones included
	Txs      uint64          // in them
	Replaced uint64          // blocks of the overlay that a reorg replaced, in this call
	Trouble  error           // what is being retried; nil: nothing
}

const (
	defaultParallel   = 4
	defaultPoll       = 2 * time.Second
	defaultTimeout    = 30 * time.Second
	defaultMaxOverlay = 4096
	defaultMaxBytes   = 256 << 20
)

// follower is one call of Follow. Only its own goroutine touches it.
type follower struct {
	n       *Network
	o       FollowOptions
	sources []*served
	at      int  // the source in use
	cut     bool // the last round ended early, for another writer
	failed  int  // rounds that failed since one made progress
	status  FollowStatus
}

// Follow takes in the blocks of a source: it finds where the source's chain
// leaves that of the index, replaces what a reorg replaced and goes on to the
// head. With several sources, the next one is asked when one fails; one whose
// answers do not hold (ledger.ErrUntrue) several times in a row is set aside, and
// when all are, Follow returns the fault of the last. What passes by itself
// (ledger.ErrUnavailable, a full disk) is retried: for ever with FollowOptions.Follow,
// a few times without.
//
// A source whose chain leaves that of the index below its base halts it with
// ErrDeepReorg; nothing is rebuilt. A head below the tip is a source that lags,
// unless a hash proves another branch. What has been reported as a tip is
// durable; the error of the context means nothing else.
func Follow(ctx context.Context, n *Network, sources []Source, o FollowOptions) error {
	f, err := newFollower(n, sources, o)
	if err != nil {
		return err
	}
	for {
		done, err := f.round(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err == nil && f.cut:
			f.cut = false
		case err == nil && done:
			return nil
		case err == nil:
			f.recovered()
			err = f.wait(ctx)
		default:
			err = f.retry(ctx, err)
		}
		if err != nil {
			return err
		}
	}
}

func newFollower(n *Network, sources []Source, o FollowOptions) (*follower, error) {
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxOverlay <= 0 {
		o.MaxOverlay = defaultMaxOverlay
	}
	f := &follower{n: n, o: o, status: FollowStatus{Chain: n.chain}}
	for i, s := range sources {
		if s.Chain() != n.chain {
			return nil, ledger.Untrue(ledger.FaultWrongChain, "source "+nameOf(s, i), fmt.Sprintf("want %s, got %s", n.chain, s.Chain()))
		}
		f.sources = append(f.sources, &served{Source: s, name: nameOf(s, i), timeout: o.Timeout})
	}
	if len(f.sources) == 0 {
		return nil, ledger.Invalid("sources of "+string(n.chain), "at least one", "none")
	}
	h, err := f.n.heights()
	if err != nil {
		return nil, err
	}
	if o.From != nil && h.tip.set && *o.From < h.first {
		return nil, fmt.Errorf("store: %s from height %d, the index begins at %d: %w", n.chain, *o.From, h.first, ErrBackfill)
	}
	f.status.Tip = h.tip.ref
	return f, nil
}

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
		return done, f.fold(ctx, head)
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
	if done && len(f.sources) == 1 {
		return true, nil
	}
	return false, ledger.Untrue(ledger.FaultLagging, "head of "+s.name, fmt.Sprintf("height %d, the index is at %d", head.Tip.Height, h.tip.ref.Height))
}

// fold lets the overlay know of finality that moved without a block.
func (f *follower) fold(ctx context.Context, head ledger.Head) error {
	if head.Final == nil {
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
