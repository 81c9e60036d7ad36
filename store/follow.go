package store

import (
	"context"
	"errors"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// FollowOptions say how far to read a source, and how. The zero value reads
// from the tip of the index to the head of the source, and ends there.
type FollowOptions struct {
	// From is the first height, where the index is empty; nil: 0. In an index that
	// holds blocks, a From below its tip is a back-fill (ErrBackfill).
	From *uint64
	// To is the last height; nil: the source's head.
	To *uint64
	// Follow goes on as blocks arrive, until the context ends.
	Follow bool
	// Parallel is how many blocks are fetched at a time; 0: 4. They are taken in in order.
	Parallel int
	// Poll is how long to wait for a new block; 0: 2 s.
	Poll time.Duration
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

// Follow takes in the blocks of a source.
func Follow(ctx context.Context, n *Network, sources []Source, o FollowOptions) error {
	return errors.New("store: follow")
}
