package tracer

import (
	"github.com/spoortrace/spoor/ledger"
)

// Hop is one transfer (or one output of a UTXO transaction) that carried
// traced units.
type Hop struct {
	ID     int // from 1, in replay order
	Parent int // the hop that first brought traced units to From; 0 where From held none: a seed's own transfer
	Depth  int // 1 for a seed's own transfer
	Chain  ledger.Chain
	Tx     ledger.TxID
	Index  uint32 // as in a REF: see IndexText
	Kind   ledger.TransferKind
	At     ledger.Point
	Time   int64 // Unix milliseconds
	From   ledger.Address
	// FromOthers are the other owners of traced inputs of a UTXO transaction.
	FromOthers []ledger.Address
	To         ledger.Address
	Asset      ledger.Asset
	Amount     ledger.Amount // of the whole transfer
	Dirty      ledger.Amount // traced units in it
	Shares     []Segment     // per label, ascending; under poison the labels with amount 0
	Grade      ledger.Grade
	Crossing   *Crossing // how the traced units went on in another asset or network; nil: they did not
}

// Terminal is where traced units are at the as-of, or where they left the trace.
type Terminal struct {
	Address ledger.Address
	Asset   ledger.Asset
	Dirty   ledger.Amount
	// Low and High bound what any rule that conserves can put here (Bound); equal
	// to Dirty before they are computed. Trivial says that they were not to be had:
	// 0, and all that was seeded or came by crossings.
	Low, High ledger.Amount
	Trivial   bool
	Shares    []Segment
	Reason    Reason
	// Tx and Index name the outpoint that holds it or the last transfer that
	// brought it; At is its place.
	Tx        ledger.TxID
	Index     uint32
	Kind      ledger.TransferKind
	At        ledger.Point
	Via       ledger.Address // the address just before
	Hop       int            // the hop that brought it; 0 when it was pruned
	ArrivedAt int64          // Unix milliseconds
	// LastKnown is the last position that the answer rests on: for NOT_COVERED
	// the last known event, for PENDING the position reached.
	LastKnown  ledger.Point
	BalanceNow ledger.Amount // of the asset at the address (of the coin, on UTXO chains) at the as-of
	Coin       bool          // an output, spent or resting
	Rests      bool          // what an account or an unspent coin still holds; else the end of one transfer
	ClosedAt   ledger.Point  // the event before which the ledger of an account was closed with all it held; zero: it was not
}

// Opening is an account whose opening balance had to be assumed.
type Opening struct {
	Holder  ledger.Holder
	Deficit ledger.Amount // the least unknown opening that keeps its known balances non-negative
}

// Inputs names a transaction of which some inputs are unknown.
type Inputs struct {
	Chain   ledger.Chain
	Tx      ledger.TxID
	Assumed ledger.Amount // the clean lot taken for them: a lower bound
}

// Trace is the answer to a Request as of one snapshot.
type Trace struct {
	Policy    string
	Seeds     []Seed
	AsOf      []ledger.BlockRef // one per chain of the seeds, by name
	Hops      []Hop
	Terminals []Terminal      // most money first inside an asset
	Sheets    []Sheet         // one per (network, asset)
	Openings  []Opening       // assumed, by holder
	Opened    []ledger.Holder // accounts whose ledger was opened: their whole history counts; sorted
	Inputs    []Inputs        // assumed, in replay order
	Events    int             // events that replay looked at
}
