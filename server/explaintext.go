package server

import (
	"fmt"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// accountArithmetic is the rule of an account with the figures of one outflow,
// in base units: B is the balance, d the traced part of it, x what is paid.
func accountArithmetic(policy string, w *tracer.Working, x ledger.Amount) string {
	b, d, q := tracer.Total(w.Held), tracer.Traced(w.Held), tracer.Traced(w.Taken)
	switch policy {
	case "fifo":
		return fmt.Sprintf("the first %s of the queue of %s leave; traced of them: %s", x, b, q)
	case "lifo":
		return fmt.Sprintf("the last %s of the stack of %s leave; traced of them: %s", x, b, q)
	case "haircut":
		return fmt.Sprintf("floor(traced * paid / held) = floor(%s * %s / %s) = %s", d, x, b, q)
	case "dirty-first", "tiho":
		return fmt.Sprintf("min(traced, paid) = min(%s, %s) = %s", d, x, q)
	case "libr":
		return fmt.Sprintf("max(0, traced - (held - paid)) = max(0, %s - (%s - %s)) = %s", d, b, x, q)
	}
	return fmt.Sprintf("all of the %s that are paid, while anything is traced: %s", x, q)
}

// coinArithmetic is the rule of a transaction of coins with the figures of one
// output, in base units.
func coinArithmetic(policy string, w *tracer.Working, slot uint32) string {
	total, d, q := tracer.Total(w.Held), tracer.Traced(w.Held), tracer.Traced(w.Taken)
	var before ledger.Amount
	for _, s := range w.Slots[:slot] {
		before = before.Plus(s)
	}
	place := fmt.Sprintf("output %d of %s, after %s in the outputs before it", slot, w.Slots[slot], before)
	switch policy {
	case "fifo":
		return fmt.Sprintf("the inputs of %s are poured into the outputs in listed order, from the first; %s; traced of what falls there: %s", total, place, q)
	case "lifo":
		return fmt.Sprintf("the inputs of %s are poured into the outputs in listed order, from the last; %s; traced of what falls there: %s", total, place, q)
	case "haircut":
		share, _ := d.MulDiv(w.Slots[slot], total)
		return fmt.Sprintf("floor(traced * output / inputs) = floor(%s * %s / %s) = %s, and what the floors leave goes to the largest remainders: %s", d, w.Slots[slot], total, share, q)
	case "dirty-first":
		return fmt.Sprintf("the %s traced units fill the outputs in listed order; %s; min(output, traced left) = %s", d, place, q)
	case "tiho":
		return fmt.Sprintf("the %s traced units fill the outputs from the largest down; output %d of %s gets %s", d, slot, w.Slots[slot], q)
	case "libr":
		return fmt.Sprintf("the %s clean units fill the outputs in listed order, and traced ones what is left; %s; traced: %s", total.SubFloor(d), place, q)
	}
	return fmt.Sprintf("every output is wholly traced while anything of the inputs is: %s", q)
}

// crossingText is the rule of a crossing with its figures.
func crossingText(c *tracer.Crossing) string {
	return fmt.Sprintf("%s by %s (%s, %s): floor(received * traced / given) over all parts of it, this one %s of %s given, so %s of %s received are traced",
		c.Kind, c.Rule, c.Tier, c.Grade, c.DirtyIn, c.AmountIn, c.DirtyOut, c.AmountOut)
}

// stopText says why a trace ends at a payee where no label decides.
func stopText(r tracer.Reason, req tracer.Request, h tracer.Hop) string {
	switch r {
	case tracer.StoppedByUser:
		return "the request says to stop at this address"
	case tracer.SuspectedService:
		return fmt.Sprintf("it had paid more than %d distinct payees of this asset by then", req.ServicePayees)
	case tracer.Pending:
		return fmt.Sprintf("a limit of the trace: the hop has depth %d of %d, or the budget of events was spent", h.Depth, req.Hops)
	case tracer.Burn:
		return "nobody can spend what is paid there"
	case tracer.UnsupportedAsset:
		return "balances of this asset change without transfers, so that it cannot be followed"
	case tracer.BridgeUnmatched:
		return "the other leg of the bridge is not in the index, or not the only one"
	case tracer.Contract:
		return "the exchange has more than one beneficiary"
	case tracer.Seized:
		return "the issuer destroyed what the account held"
	case tracer.Unspent, tracer.Frozen, tracer.Service, tracer.DepositAddress, tracer.Mixer, tracer.CoinJoin, tracer.NotCovered, tracer.Issued, tracer.Pruned:
	}
	return ""
}
