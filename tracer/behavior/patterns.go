package behavior

import (
	"context"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// pattern is an exact predicate over what an address did in one asset. A further one
// is a function and a row.
type pattern struct {
	name string
	find func(h *history) (message string, shown []Seen)
	// ask is instead of find where the history is not enough.
	ask func(ctx context.Context, idx Index, h *history) (message string, shown []Seen, err error)
}

func patterns() []pattern {
	return []pattern{
		{name: "fan_in", find: fanIn},
		{name: "fan_out", find: fanOut},
		{name: "gather_scatter", find: gatherScatter},
		{name: "rapid_pass_through", find: passThrough},
		{name: "structuring", find: structuring},
		{name: "equal_splits", find: equalSplits},
		{name: "round_trip", find: roundTrip},
		{name: "address_poisoning", find: poisoning},
		{name: "approval_drain", ask: approvalDrain},
		{name: "dormancy_break", find: dormancy},
	}
}

// peelChainName is the pattern of UTXO networks.
const peelChainName = "peel_chain"

// Names lists the patterns of a network in order.
func Names(c ledger.Chain) []string {
	if c.UTXO() {
		return []string{peelChainName}
	}
	var names []string
	for _, p := range patterns() {
		names = append(names, p.name)
	}
	return names
}

// Patterns returns what is found in the latest transfers of a holder, and what was
// not looked at. On UTXO networks that is the peel chain alone: there an address
// hardly acts twice.
func Patterns(ctx context.Context, idx Index, h ledger.Holder) (found []Finding, limits []string, err error) {
	if h.Address.Chain.UTXO() {
		return coinPatterns(ctx, idx, h)
	}
	all, cut, err := past(ctx, idx, h)
	if err != nil {
		return nil, nil, err
	}
	if cut {
		limits = append(limits, fmt.Sprintf("patterns: only the latest %d transfers were looked at", MaxEvents))
	}
	cut, err = all.hear(ctx, idx)
	if err != nil {
		return nil, nil, err
	}
	if cut {
		limits = append(limits, fmt.Sprintf("address_poisoning: only the latest %d transfers of zero, and %d of each of %d unknown tokens, were looked at", maxZeros, maxOfToken, maxUnknown))
	}
	for _, p := range patterns() {
		message, shown, err := p.look(ctx, idx, &all)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", p.name, err)
		}
		if message != "" {
			found = append(found, Finding{p.name, message, shown[:min(len(shown), MaxEvidence)]})
		}
	}
	return found, limits, nil
}

func (p *pattern) look(ctx context.Context, idx Index, h *history) (string, []Seen, error) {
	if p.ask != nil {
		return p.ask(ctx, idx, h)
	}
	message, shown := p.find(h)
	return message, shown, nil
}

// The thresholds of patterns. All are judgment; docs/method.md, Patterns, has them.
const (
	day           = 24 * 60 * 60 * 1000 // milliseconds
	crowd         = 10                  // distinct payers (payees) within a day
	passWithin    = 60 * 60 * 1000      // a mule forwards within an hour
	passShare     = 90                  // percent of what came
	passTimes     = 3
	threshold     = 10_000 // dollars: many reporting rules; only stablecoins are compared
	nearThreshold = 90     // percent of it
	structured    = 3      // payments below it within a day
	splits        = 3      // equal payments to distinct payees within an hour
	backWithin    = 7 * day
	backShare     = 90 // percent
	asleep        = 365 * day
)

// crowded finds the first day in which many others paid, or were paid.
func crowded(h *history, in bool) []Seen {
	var window []Seen
	times := map[ledger.Address]int{} // in the window
	for _, s := range h.events {
		if h.in(s) != in || !h.counts(s) {
			continue
		}
		for len(window) > 0 && s.Time-window[0].Time > day {
			gone := h.other(window[0])
			if times[gone]--; times[gone] == 0 {
				delete(times, gone)
			}
			window = window[1:]
		}
		window = append(window, s)
		times[h.other(s)]++
		if len(times) >= crowd {
			return window
		}
	}
	return nil
}

func others(h *history, seen []Seen) map[ledger.Address]bool {
	all := map[ledger.Address]bool{}
	for _, s := range seen {
		all[h.other(s)] = true
	}
	return all
}

func fanIn(h *history) (string, []Seen) {
	shown := crowded(h, true)
	if shown == nil {
		return "", nil
	}
	return fmt.Sprintf("%d payers within 24 hours", len(others(h, shown))), shown
}

func fanOut(h *history) (string, []Seen) {
	shown := crowded(h, false)
	if shown == nil {
		return "", nil
	}
	return fmt.Sprintf("%d payees within 24 hours", len(others(h, shown))), shown
}

// gatherScatter: a fan-in, and within a day of its end a fan-out.
func gatherScatter(h *history) (string, []Seen) {
	in, out := crowded(h, true), crowded(h, false)
	if in == nil || out == nil {
		return "", nil
	}
	gap := out[0].Time - in[len(in)-1].Time
	if gap < -day || gap > day {
		return "", nil
	}
	return fmt.Sprintf("gathered from %d, then scattered to %d", len(others(h, in)), len(others(h, out))), append(slices.Clone(in), out...)
}

// passThrough: several times, nine tenths of what came went on within an hour.
func passThrough(h *history) (string, []Seen) {
	times := 0
	var shown []Seen
	for i, in := range h.events {
		if !h.in(in) || !h.counts(in) {
			continue
		}
		var out ledger.Amount
		var gone []Seen
		for _, s := range h.events[i+1:] {
			if s.Time-in.Time > passWithin || h.in(s) {
				break
			}
			out = out.Plus(s.Amount)
			gone = append(gone, s)
		}
		if least, _ := in.Amount.MulDiv(ledger.NewAmount(passShare), ledger.NewAmount(100)); len(gone) > 0 && !out.Less(least) {
			times++
			shown = append(append(shown, in), gone...)
		}
	}
	if times < passTimes {
		return "", nil
	}
	return fmt.Sprintf("%d times, %d %% or more of what came went on within an hour", times, passShare), shown
}

// structuring: payments just below the threshold at which they would be reported.
func structuring(h *history) (string, []Seen) {
	info := ledger.InfoOf(h.of.Asset)
	if !info.Known || h.of.Asset.Native() || info.Decimals != 6 {
		return "", nil
	}
	most := ledger.NewAmount(threshold * 1_000_000)
	least := ledger.NewAmount(threshold * 10_000 * nearThreshold)
	var window []Seen
	for _, s := range h.events {
		if s.Amount.Less(least) || !s.Amount.Less(most) {
			continue
		}
		for len(window) > 0 && s.Time-window[0].Time > day {
			window = window[1:]
		}
		if window = append(window, s); len(window) >= structured {
			return fmt.Sprintf("%d payments of %d %% of 10,000 dollars or more, and less than that, within 24 hours", len(window), nearThreshold), window
		}
	}
	return "", nil
}

// equalSplits: one amount to several within an hour.
func equalSplits(h *history) (string, []Seen) {
	for i, first := range h.events {
		if h.in(first) || !h.counts(first) {
			continue
		}
		shown := []Seen{first}
		for _, s := range h.events[i+1:] {
			if s.Time-first.Time > passWithin {
				break
			}
			if !h.in(s) && s.Amount == first.Amount && !others(h, shown)[s.To] {
				shown = append(shown, s)
			}
		}
		if len(shown) >= splits {
			return fmt.Sprintf("%d equal payments to different payees within an hour", len(shown)), shown
		}
	}
	return "", nil
}

// roundTrip: most of a payment came back from its payee within a week.
func roundTrip(h *history) (string, []Seen) {
	for i, out := range h.events {
		if h.in(out) || !h.counts(out) {
			continue
		}
		least, _ := out.Amount.MulDiv(ledger.NewAmount(backShare), ledger.NewAmount(100))
		for _, s := range h.events[i+1:] {
			if s.Time-out.Time > backWithin {
				break
			}
			if h.in(s) && s.From == out.To && !s.Amount.Less(least) && !out.Amount.Less(s.Amount) {
				return fmt.Sprintf("%d %% or more of a payment came back within a week", backShare), []Seen{out, s}
			}
		}
	}
	return "", nil
}

// dormancy: a payment after a year without any transfer.
func dormancy(h *history) (string, []Seen) {
	for i := 1; i < len(h.events); i++ {
		if before, s := h.events[i-1], h.events[i]; !h.in(s) && h.counts(s) && s.Time-before.Time > asleep {
			return fmt.Sprintf("paid after %d days without a transfer", (s.Time-before.Time)/day), []Seen{before, s}
		}
	}
	return "", nil
}
