// Package paths finds how money got from one address to another: chains of
// transfers of one asset, each of which pays whoever makes the next one, in the
// order in which they happened. It says that money could go that way, not whose
// it was; that is what a trace is for.
package paths

import (
	"context"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// maxPartials bounds the beginnings of paths that are held at a time (judgment).
const maxPartials = 1_000_000

// Request asks for paths. Zero limits of services and budgets mean no limit.
type Request struct {
	From, To ledger.Address // of one network
	Asset    ledger.Asset
	Since    ledger.Position // steps lie from here on
	Before   ledger.Position // and before it; 0: up to the as-of
	Hops     int             // steps of a path, from 1
	Limit    int             // paths, from 1

	ServicePayees int // as in a trace: beyond so many distinct payees an account is a service
	AccountEvents int // events that are read of one account
	Events        int // events that are read in all
}

// Step is one transfer, or one output of a transaction of coins.
type Step struct {
	At       ledger.Point // of an output the slot is its index
	From, To ledger.Address
	// Amount is what was paid in base units; on UTXO chains the first step's is at
	// most what the sender put into the transaction.
	Amount ledger.Amount
}

// Path is a chain of steps.
type Path struct {
	Width ledger.Amount // the smallest step
	Steps []Step
}

// Answer has the paths, the widest first, then the shortest, then the earliest
// to arrive, and all that was not looked at.
type Answer struct {
	Paths  []Path
	More   bool // there are more than were asked for
	Events int  // that were read

	Services int  // addresses at which it stopped, since they are services, mixers and the like
	Busy     int  // accounts of which not all events were read
	Deep     int  // places that were reached by as many steps as a path may have, and not left
	Spent    bool // a budget of the whole search was spent
}

// Whole reports that nothing within the index was left out: no path means that there is none.
func (a *Answer) Whole() bool { return a.Services+a.Busy+a.Deep == 0 && !a.Spent }

// Find looks for paths over one snapshot. On an account network a path is
// simple: no account is in it twice, since money that came back could have gone
// on at once. On a UTXO chain a path follows coins: each step is an output of the
// transaction that spends the output before, and the first is of a transaction
// that spends a coin of the sender. It never goes through an address at which a
// trace stops, nor through the recipient.
//
// The cost is that of the transfers within reach of the sender, at most
// req.Events; the recipient's own are never read, however many they are. Errors
// are those of the index, and ErrInvalid for two networks or equal addresses.
func Find(ctx context.Context, idx tracer.Index, req Request) (*Answer, error) {
	switch {
	case req.From.Chain != req.To.Chain || req.From.Chain != req.Asset.Chain:
		return nil, ledger.Invalid("to", "an address of "+string(req.From.Chain)+": paths stay on one network", req.To.Qualified())
	case req.From == req.To:
		return nil, ledger.Invalid("to", "another address than from", req.To.Qualified())
	case ledger.Unfollowable(req.Asset):
		return nil, ledger.Invalid("asset", "an asset that moves by transfers alone", req.Asset.String())
	}
	f := newFlood(ctx, idx, req)
	if err := f.run(); err != nil {
		return nil, fmt.Errorf("paths from %s: %w", req.From, err)
	}
	f.prune()
	return f.answer, f.choose()
}
