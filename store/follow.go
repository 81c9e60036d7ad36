package store

import (
	"context"
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
	behind  int  // rounds in which a source had less than the index
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
