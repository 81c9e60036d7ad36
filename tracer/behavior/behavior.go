// Package behavior says what the owner of an account does: deposit addresses of
// exchanges and whom they join (tier T2), and patterns of laundering. Each finding is
// an exact predicate over one snapshot and comes with the transfers that show it. It
// is worked out on demand, since it rests on labels as well as on blocks.
package behavior

import (
	"context"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// Finding is a pattern with its evidence.
type Finding struct {
	Pattern string
	Message string // one sentence with its figures
	Events  []Seen // the transfers that show it, in chain order, at most MaxEvidence
}

// Seen is one transfer.
type Seen struct {
	ledger.Event
	Asset ledger.Asset
	Time  int64 // Unix milliseconds

	sender ledger.Address // whose transaction it is; zero where that is not known
}

// The bounds of one question (judgment). What they cut off is said.
const (
	MaxEvents   = 5_000 // transfers of one address that are looked at, the latest
	MaxEvidence = 20
)

// Index is what is asked of a snapshot.
type Index interface {
	tracer.Index
	tracer.Backwards

	// LatestAssets returns the assets that an address moved, those that it met last
	// first, at most limit; more says that there are others. ledger.ZeroAsset is one
	// of them where there were token transfers of zero.
	LatestAssets(ctx context.Context, a ledger.Address, limit int) (assets []ledger.Asset, more bool, err error)
}

// history is what an address did in one asset, oldest first.
type history struct {
	of     ledger.Holder
	events []Seen
	dust   ledger.Amount
	noise  []Seen // what moves nothing of value: zero and unknown tokens
}

// past reads the latest MaxEvents transfers of a holder; cut reports that there are more.
func past(ctx context.Context, idx Index, h ledger.Holder) (history, bool, error) {
	out := history{of: h, dust: ledger.InfoOf(h.Asset).Dust}
	cut := false
	for e, err := range idx.EventsBefore(ctx, h, ledger.Point{Pos: ^ledger.Position(0), Slot: ^uint32(0)}) {
		if err != nil {
			return out, false, err
		}
		if e.Kind == ledger.TransferFee || e.From == e.To {
			continue
		}
		if len(out.events) == MaxEvents {
			cut = true
			break
		}
		tx, err := idx.TxAt(ctx, h.Asset.Chain, e.At.Pos)
		if err != nil {
			return out, false, err
		}
		out.events = append(out.events, seen(e, h.Asset, &tx))
	}
	for i, j := 0, len(out.events)-1; i < j; i, j = i+1, j-1 {
		out.events[i], out.events[j] = out.events[j], out.events[i]
	}
	return out, cut, nil
}

// seen is an event with what its transaction says. Whoever pays the fee, which
// stands last, sent it; else he whose native coins it moves, which stand first.
func seen(e ledger.Event, asset ledger.Asset, tx *ledger.Tx) Seen {
	s := Seen{Event: e, Asset: asset, Time: tx.Time}
	if len(tx.Transfers) == 0 {
		return s
	}
	if first := &tx.Transfers[0]; first.Kind == ledger.TransferNative {
		s.sender = first.From
	}
	if last := &tx.Transfers[len(tx.Transfers)-1]; last.Kind == ledger.TransferFee {
		s.sender = last.From
	}
	return s
}

// in reports that the holder was paid.
func (h *history) in(s Seen) bool { return s.To == h.of.Address }

// other is the other side of a transfer.
func (h *history) other(s Seen) ledger.Address {
	if h.in(s) {
		return s.From
	}
	return s.To
}

// counts reports a transfer of no less than dust.
func (h *history) counts(s Seen) bool { return !s.Amount.Less(h.dust) }

// exchange returns the label by which an address is of an exchange at a time.
func exchange(ctx context.Context, idx tracer.Index, a ledger.Address, ms int64) (ledger.Tag, bool, error) {
	tags, err := idx.Tags(ctx, a)
	for _, t := range tags {
		switch t.Category {
		case "exchange", "no_kyc_exchange", "instant_exchange", "p2p_exchange":
			if t.Tx == nil && t.Confidence >= tracer.MinTagConfidence && t.ValidAt(ms) {
				return t, true, err
			}
		}
	}
	return ledger.Tag{}, false, err
}

// service reports an address that is labelled with any category that says whose it is.
func service(ctx context.Context, idx tracer.Index, a ledger.Address) (bool, error) {
	return labelled(ctx, idx, a, func(string) bool { return true })
}

// labelled reports an address with a label of a category that says whose it is, and
// that counts.
func labelled(ctx context.Context, idx tracer.Index, a ledger.Address, counts func(category string) bool) (bool, error) {
	tags, err := idx.Tags(ctx, a)
	for _, t := range tags {
		if counts(t.Category) && t.Category != "" && t.Category != "none" && t.Confidence >= tracer.MinTagConfidence {
			return true, err
		}
	}
	return false, err
}
