package behavior

import (
	"context"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// The thresholds of a peel chain (judgment).
const (
	peelLinks  = 5   // transactions in a row
	peelWithin = day // from each to the next
	peelParts  = 3   // a link keeps all but a third, or less than that
	maxSpends  = 50  // of one address that are looked into, the latest
	maxLinks   = 100 // followed each way
)

// coinPatterns looks for the peel chains that an address has a part in.
func coinPatterns(ctx context.Context, idx Index, h ledger.Holder) (found []Finding, limits []string, err error) {
	spends := 0
	for e, err := range idx.EventsBefore(ctx, h, ledger.Point{Pos: ^ledger.Position(0), Slot: ^uint32(0)}) {
		if err != nil {
			return nil, nil, err
		}
		if e.From != h.Address {
			continue
		}
		if spends++; spends > maxSpends {
			return nil, []string{fmt.Sprintf("patterns: only the latest %d payments were looked at", maxSpends)}, nil
		}
		tx, err := idx.TxAt(ctx, h.Asset.Chain, e.At.Pos)
		if err != nil {
			return nil, nil, err
		}
		chain, err := peelChain(ctx, idx, tx)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", peelChainName, err)
		}
		if len(chain) >= peelLinks {
			message := fmt.Sprintf("%d payments in a row, each splitting the larger rest of the one before within 24 hours", len(chain))
			return []Finding{{peelChainName, message, chain[:min(len(chain), MaxEvidence)]}}, nil, nil
		}
	}
	return nil, nil, nil
}

// peelChain returns the run of links that a transaction is one of, oldest first:
// each splits one coin in two, and the larger part, two thirds or more, is the coin
// of the next, within the time.
func peelChain(ctx context.Context, idx Index, tx ledger.Tx) ([]Seen, error) {
	if !peels(&tx) {
		return nil, nil
	}
	chain := []Seen{peeled(&tx)}
	for at := tx; len(chain) <= maxLinks && at.Inputs[0].PrevPos != 0; {
		before, err := idx.TxAt(ctx, at.Chain, at.Inputs[0].PrevPos)
		if err != nil {
			return nil, err
		}
		if !peels(&before) || uint32(cluster.Rest(&before)) != at.Inputs[0].Prev.Index || at.Time-before.Time > peelWithin {
			break
		}
		chain, at = append(chain, peeled(&before)), before
	}
	slices.Reverse(chain)
	for at, left := tx, maxLinks; left > 0; left-- {
		next := at.Outputs[cluster.Rest(&at)].SpentBy
		if next == 0 {
			break
		}
		after, err := idx.TxAt(ctx, at.Chain, next)
		if err != nil {
			return nil, err
		}
		if !peels(&after) || after.Time-at.Time > peelWithin {
			break
		}
		chain, at = append(chain, peeled(&after)), after
	}
	return chain, nil
}

// peels reports a link. What goes on may be paid back to the payer.
func peels(tx *ledger.Tx) bool {
	rest := cluster.Rest(tx)
	if rest < 0 {
		return false
	}
	small, large := tx.Outputs[1-rest].Value, tx.Outputs[rest].Value
	part, _ := small.Plus(large).MulDiv(ledger.NewAmount(1), ledger.NewAmount(peelParts))
	return !part.Less(small)
}

// peeled is the smaller part of a link, as an inflow of its payee.
func peeled(tx *ledger.Tx) Seen {
	i := 1 - cluster.Rest(tx)
	out := &tx.Outputs[i]
	at := ledger.Point{Pos: tx.Pos, Slot: uint32(len(tx.Inputs) + i)}
	return Seen{
		Event: ledger.Event{At: at, Kind: ledger.TransferNative, From: tx.Inputs[0].Address, To: out.Address, Amount: out.Value},
		Asset: ledger.NativeAsset(tx.Chain), Time: tx.Time,
	}
}
