package store

import (
	"context"

	"github.com/spoortrace/spoor/ledger"
)

// Source is a chain as a node or a service tells it, one block at a time. Its
// user trusts nothing of it: a block is verified against its own header by the
// source, and against the index by Append. Implementations are safe for
// concurrent use; they retry what passes by itself a few times, and every other
// error is a *ledger.SourceError or that of the context.
type Source interface {
	// Chain is the network that the source was found to serve when it was opened.
	Chain() ledger.Chain

	// Head returns the newest block and how much of the chain is final.
	Head(ctx context.Context) (ledger.Head, error)

	// Hash returns the hash of the block at a height of the source's present
	// chain; ledger.FaultLagging when it has none there.
	Hash(ctx context.Context, height uint64) (ledger.Hash, error)

	// Block returns the block at a height of the source's present chain, verified
	// against its own header; ledger.FaultLagging when it has none there.
	Block(ctx context.Context, height uint64) (*ledger.Block, error)
}

// Hinter is a Source that hears of new blocks by itself. A hint is never
// believed, only a reason to ask.
type Hinter interface {
	// Wait returns at a hint, or with the context's error.
	Wait(ctx context.Context) error
}
