package tracer

import (
	"context"
	"iter"

	"github.com/spoortrace/spoor/ledger"
)

// Index is what replay asks of one snapshot. Every answer is as of the
// snapshot's last block per chain: nothing above it is ever seen, neither
// events nor spends nor deficits, and answers do not change while it is held.
// Implementations are safe for concurrent use.
type Index interface {
	// AsOf returns the last block that the snapshot sees on a chain, or
	// ErrNotFound when it holds nothing of that chain.
	AsOf(ctx context.Context, chain ledger.Chain) (ledger.BlockRef, error)

	// FindTx returns the transactions with an id in position order, ErrNotFound
	// when there is none. It is more than one for the duplicate coinbases of
	// before BIP 30, and in an export, where each row of a transaction is a
	// record with a position of its own and one Transfer.
	FindTx(ctx context.Context, chain ledger.Chain, id ledger.TxID) ([]ledger.Tx, error)

	// TxAt returns the transaction at a position, ErrNotFound when there is none.
	TxAt(ctx context.Context, chain ledger.Chain, pos ledger.Position) (ledger.Tx, error)

	// BlockTxs yields the transactions of one block in position order (the
	// coinbase last); nothing when the block is not held.
	BlockTxs(ctx context.Context, chain ledger.Chain, height uint64) iter.Seq2[ledger.Tx, error]

	// Events yields the in- and outflows of a holder strictly after a point, in
	// total order. Amounts of zero, failed transfers are not listed. The cost is
	// one seek, then sequential; never the history before the point.
	Events(ctx context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error]

	// Balance returns what the holder had just before a point.
	Balance(ctx context.Context, h ledger.Holder, before ledger.Point) (ledger.Balance, error)

	// PayeeAt returns the point at which the holder paid its n-th distinct payee
	// (n from 1; receipts, self-transfers and amounts below the asset's dust do
	// not count), and false when it has paid fewer.
	PayeeAt(ctx context.Context, h ledger.Holder, n int) (ledger.Point, bool, error)

	// Covered reports whether every block (in an export: every transfer of that
	// account) from a position to the as-of is held, and lacks no transfer of the
	// holder's asset. The last block of a run that does not reach down to genesis
	// covers nothing.
	Covered(ctx context.Context, h ledger.Holder, from ledger.Position) (bool, error)

	// Chains returns the networks that the snapshot holds, by name.
	Chains() []ledger.Chain

	// Clock returns the running maximum of block times (Unix milliseconds) up to a
	// height: what orders events across networks.
	Clock(ctx context.Context, chain ledger.Chain, height uint64) (int64, error)

	// Notices yields what was noted of an account, or under a ref
	// (ledger.RefAddress), strictly after a point, in total order. What a failed
	// transaction noted is not listed.
	Notices(ctx context.Context, subject ledger.Address, after ledger.Point) iter.Seq2[ledger.Noted, error]

	// Tags returns all attributions of an address, in log order.
	Tags(ctx context.Context, a ledger.Address) ([]ledger.Tag, error)
}

// Backwards is what an index also answers that holds its events in both directions.
type Backwards interface {
	// EventsBefore yields the in- and outflows of a holder strictly before a point,
	// the latest first.
	EventsBefore(ctx context.Context, h ledger.Holder, before ledger.Point) iter.Seq2[ledger.Event, error]
}
