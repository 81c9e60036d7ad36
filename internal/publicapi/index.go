// Package publicapi serves an index as public APIs serve theirs: the same paths,
// fields, page sizes and errors, over HTTP on loopback. It is for tests: what is
// fetched through it must be what the index has.
package publicapi

import (
	"context"
	"iter"

	"github.com/spoortrace/spoor/ledger"
)

// Index is what is served; a *store.Snapshot is one.
type Index interface {
	AsOf(ctx context.Context, chain ledger.Chain) (ledger.BlockRef, error)
	BlockRef(ctx context.Context, chain ledger.Chain, height uint64) (ledger.BlockRef, error)
	FindTx(ctx context.Context, chain ledger.Chain, id ledger.TxID) ([]ledger.Tx, error)
	TxAt(ctx context.Context, chain ledger.Chain, pos ledger.Position) (ledger.Tx, error)
	BlockTxs(ctx context.Context, chain ledger.Chain, height uint64) iter.Seq2[ledger.Tx, error]
	Events(ctx context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error]
}
