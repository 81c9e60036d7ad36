package evm

import (
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/spoortrace/spoor/ledger"
)

// wanted describes the transfer that a bridge's log is about. What is nil or
// zero the log does not say.
type wanted struct {
	in       bool
	contract common.Address // the protocol's side of it
	log      int            // place of the log among the transaction's
	account  ledger.Address // the other side
	asset    *ledger.Asset
	amount   *ledger.Amount
	role     *bridgeEvent
}

// find returns the transfer that fits best, -1 when none does: the parties that
// the log names, then the asset, then the one nearest to the log. A log that
// says no amount is about the last transfer before it (out), or the last one
// between it and the protocol's next log (in: fees to relayers come first).
func (r *reading) find(w wanted) int {
	best, most, near := -1, 0, 0
	from, to := r.window(w)
	for i := range r.tx.Transfers {
		t := &r.tx.Transfers[i]
		if r.used[i] || t.Amount.IsZero() || t.Status == ledger.StatusFailed || t.Kind == ledger.TransferFee || t.Kind == ledger.TransferSeized {
			continue
		}
		if w.amount != nil && t.Amount != *w.amount || w.amount == nil && (t.Kind != ledger.TransferToken || t.Index < from || t.Index >= to) {
			continue
		}
		if w.asset != nil && w.asset.Native() && !t.Asset.Native() {
			continue
		}
		if w.in && r.passedOn(t) {
			continue
		}
		points, distance := w.points(t), r.distance(t, w)
		if points == 0 {
			continue
		}
		if points > most || points == most && distance < near {
			best, most, near = i, points, distance
		}
	}
	return best
}

// passedOn reports a token that its payee gives away whole in the same
// transaction: an anyToken that is minted to be exchanged for what it holds.
func (r *reading) passedOn(t *ledger.Transfer) bool {
	return t.Kind == ledger.TransferToken && slices.ContainsFunc(r.tx.Transfers, func(u ledger.Transfer) bool {
		return u.Slot > t.Slot && u.From == t.To && u.Asset == t.Asset && u.Amount == t.Amount
	})
}

// points says how well the parties and the asset fit; 0: not at all.
func (w *wanted) points(t *ledger.Transfer) int {
	theirs, ours := t.To, t.From
	if w.in {
		theirs, ours = t.From, t.To
	}
	// Who is paid is named; who pays may have another do it.
	if ours.IsZero() || w.in && !w.account.IsZero() && ours != w.account {
		return 0
	}
	points := 0
	if !w.account.IsZero() && ours == w.account {
		points += 4
	}
	switch {
	case theirs == ledger.AccountAddress(t.Asset.Chain, w.contract):
		points += 4
	case w.asset != nil && !theirs.IsZero() && theirs == w.asset.Contract:
		points += 4 // a token that holds another one, as Multichain's do
	case theirs.IsZero():
		points += 2 // burnt here, to be minted there
	}
	if points > 0 && w.asset != nil && t.Asset == *w.asset {
		points++
	}
	return points
}

// window is the range of log indices in which a transfer whose amount is not said must lie.
func (r *reading) window(w wanted) (from, to uint32) {
	at := uint32(r.logs[w.log].Index)
	if !w.in {
		return 0, at
	}
	to = ^uint32(0)
	for _, l := range r.logs[w.log+1:] {
		if l.Address == r.logs[w.log].Address && len(l.Topics) > 0 && l.Topics[0] == r.logs[w.log].Topics[0] {
			to = uint32(l.Index)
			break
		}
	}
	return at + 1, to
}

// distance orders transfers that fit equally: by log index from the log, but
// the latest first where the amount is not said. The native coin's have no index.
func (r *reading) distance(t *ledger.Transfer, w wanted) int {
	at := int(r.logs[w.log].Index)
	switch {
	case t.Kind != ledger.TransferToken:
		return 1 << 32
	case w.amount == nil && w.in:
		return -int(t.Index)
	case int(t.Index) > at:
		return int(t.Index) - at
	}
	return at - int(t.Index)
}
