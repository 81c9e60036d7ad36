package tracer

import (
	"github.com/spoortrace/spoor/ledger"
)

// Defaults of a request (judgment, except Hops: known laundering needs 20).
const (
	DefaultServicePayees = 1_000
	DefaultAccountEvents = 10_000
	DefaultHops          = 64
	DefaultEvents        = 1_000_000
	// MinTagConfidence is the least confidence at which a tag stops a trace.
	MinTagConfidence = 20
)

// Seed is one victim payment: a transfer or an output of one transaction.
// Its label is its place in the request, from 1.
type Seed struct {
	Ref     string // as it was asked for
	Chain   ledger.Chain
	Tx      ledger.TxID
	Index   uint32 // as in a REF: see IndexText
	Kind    ledger.TransferKind
	At      ledger.Point
	Output  bool // a UTXO output; else a transfer
	From    ledger.Address
	Address ledger.Address // the payee
	Asset   ledger.Asset
	Amount  ledger.Amount // at most what was paid
	Time    int64         // Unix milliseconds
}

// Request is a question to replay. Zero limits mean no limit.
type Request struct {
	Seeds         []Seed
	Policy        Policy
	ServicePayees int // SUSPECTED_SERVICE beyond so many distinct payees; 0 turns it off
	AccountEvents int // events of one account in one trace
	Hops          int // depth
	Events        int // events of the whole trace, per chain
	// Floors override an asset's dust: a transfer whose traced units, over all
	// labels, are fewer is pruned; 0 prunes nothing.
	Floors  map[ledger.Asset]ledger.Amount
	NoFloor bool                    // nothing is pruned, whatever Floors says
	Through map[ledger.Address]bool // never a service, whatever its labels say
	StopAt  map[ledger.Address]bool
	// Heuristics lets crossings of tier T2 extend the trace; they are wrong at times.
	Heuristics bool
	// Grow is told from time to time how many bytes a replay holds, about; its error
	// ends the replay. nil: nobody is told.
	Grow func(bytes int64) error
	// FeesToCoinbase follows miner fees into the coinbase instead of ending them.
	FeesToCoinbase bool
}

// FloorOf returns the least traced amount of an asset that is followed.
func (r *Request) FloorOf(a ledger.Asset) ledger.Amount {
	if r.NoFloor {
		return ledger.Amount{}
	}
	if floor, ok := r.Floors[a]; ok {
		return floor
	}
	return ledger.InfoOf(a).Dust
}
