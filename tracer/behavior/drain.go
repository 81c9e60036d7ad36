package behavior

import (
	"context"
	"fmt"
	"iter"

	"github.com/spoortrace/spoor/ledger"
)

// The thresholds of an approval drain (judgment).
const (
	drainShare   = 90  // percent of what the victim had
	maxForeign   = 50  // transfers by others that are looked into
	maxNeighbors = 200 // transactions of the sender before, and after
	maxPast      = 1_000
)

// approvalDrain: nine tenths of a token that an account had were moved by a
// transaction that it did not send, to somebody whom it never paid before and who is
// no known service; and the same sender did so to another account within a day. The
// victim has sent a transaction itself before: without one nothing was approved, and
// a contract that forwards deposits never does. Shown by victim and by payee. The
// index keeps no approvals: where it lacks fees, nobody is known to have sent.
func approvalDrain(ctx context.Context, idx Index, h *history) (string, []Seen, error) {
	looked := 0
	for _, s := range h.events {
		if h.of.Asset.Native() || !h.counts(s) || !foreign(s) {
			continue
		}
		if looked++; looked > maxForeign {
			break
		}
		if is, err := drained(ctx, idx, s); err != nil || !is {
			if err != nil {
				return "", nil, err
			}
			continue
		}
		other, found, err := anotherVictim(ctx, idx, s)
		if err != nil {
			return "", nil, err
		}
		if found {
			return fmt.Sprintf("%d %% or more of a token moved by %s, who did not own it, and so it was with another account within 24 hours", drainShare, s.sender), []Seen{s, other}, nil
		}
	}
	return "", nil, nil
}

// foreign reports a transfer in a transaction of somebody else.
func foreign(s Seen) bool {
	return !s.sender.IsZero() && s.sender != s.From && !s.From.IsZero() && !s.To.IsZero() && s.From != s.To
}

// drained reports that a transfer took nearly all that its payer had, to somebody new.
func drained(ctx context.Context, idx Index, s Seen) (bool, error) {
	victim := ledger.Holder{Address: s.From, Asset: s.Asset}
	had, err := idx.Balance(ctx, victim, s.At)
	if err != nil {
		return false, err
	}
	if least, _ := had.Amount.MulDiv(ledger.NewAmount(drainShare), ledger.NewAmount(100)); s.Amount.Less(least) {
		return false, nil
	}
	if known, err := service(ctx, idx, s.To); err != nil || known {
		return false, err
	}
	n := 0
	for e, err := range idx.EventsBefore(ctx, victim, s.At) {
		if n++; err != nil || e.To == s.To || n > maxPast {
			return false, err
		}
	}
	n = 0
	for e, err := range idx.EventsBefore(ctx, ledger.Holder{Address: s.From, Asset: ledger.NativeAsset(s.From.Chain)}, s.At) {
		if n++; err != nil || n > maxPast {
			return false, err
		}
		if e.From == s.From && (e.Kind == ledger.TransferFee || e.Kind == ledger.TransferNative) {
			return true, nil
		}
	}
	return false, nil
}

// anotherVictim looks through what the sender of a drain sent within a day of it.
func anotherVictim(ctx context.Context, idx Index, of Seen) (Seen, bool, error) {
	sender := ledger.Holder{Address: of.sender, Asset: ledger.NativeAsset(of.sender.Chain)}
	for _, side := range []iter.Seq2[ledger.Event, error]{idx.EventsBefore(ctx, sender, of.At), idx.Events(ctx, sender, of.At)} {
		n := 0
		for e, err := range side {
			if err != nil {
				return Seen{}, false, err
			}
			if n++; n > maxNeighbors {
				break
			}
			if e.From != of.sender {
				continue
			}
			tx, err := idx.TxAt(ctx, of.sender.Chain, e.At.Pos)
			if err != nil {
				return Seen{}, false, err
			}
			if tx.Time-of.Time > day || of.Time-tx.Time > day {
				break
			}
			if s, found, err := victimIn(ctx, idx, of, &tx); err != nil || found {
				return s, found, err
			}
		}
	}
	return Seen{}, false, nil
}

// victimIn returns a drain of somebody else in a transaction, of a token that this
// program knows: what an unknown one says of balances is its maker's word.
func victimIn(ctx context.Context, idx Index, of Seen, tx *ledger.Tx) (Seen, bool, error) {
	for i := range tx.Transfers {
		t := &tx.Transfers[i]
		if t.Kind != ledger.TransferToken || t.Status == ledger.StatusFailed || t.From == of.From || !worth(t) {
			continue
		}
		e := ledger.Event{At: ledger.Point{Pos: tx.Pos, Slot: t.Slot}, Kind: t.Kind, From: t.From, To: t.To, Amount: t.Amount}
		s := seen(e, t.Asset, tx)
		if !foreign(s) || s.sender != of.sender {
			continue
		}
		if is, err := drained(ctx, idx, s); err != nil || is {
			return s, is, err
		}
	}
	return Seen{}, false, nil
}

func worth(t *ledger.Transfer) bool {
	info := ledger.InfoOf(t.Asset)
	return info.Known && !t.Amount.Less(info.Dust)
}
