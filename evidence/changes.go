package evidence

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Changes lists the figures in which a package differs from the one whose place it
// takes, a line each: what, before -> after. A figure that one of them has not is
// "none" there.
func Changes(before, after *Dossier) []string {
	was, is := before.figures(), after.figures()
	names := map[string]bool{}
	for _, all := range []map[string]string{was, is} {
		for name := range all {
			names[name] = true
		}
	}
	lines := []string{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if was[name] != is[name] {
			lines = append(lines, fmt.Sprintf("%s: %s -> %s", name, orNone(was[name]), orNone(is[name])))
		}
	}
	return lines
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// figures are those that a package is read for, by name.
func (d *Dossier) figures() map[string]string {
	all := map[string]string{
		"rule on UTXO networks": d.Method.UTXO.Name, "rule in accounts": d.Method.Account.Name, "allocation": d.Method.Allocation,
		"transfers": fmt.Sprint(len(d.Ledger)), "label log": fmt.Sprint("entry ", d.Cover.LabelSequence),
	}
	for _, b := range d.Cover.AsOf {
		all["data cut-off of "+b.Network] = fmt.Sprintf("height %d, block %s", b.Height, b.Hash)
	}
	for _, p := range d.Payments {
		name := "payment " + p.Payment + " of " + p.Victim + " in " + p.Asset
		all[name+", amount"], all[name+", status"] = p.Amount, p.Status
	}
	for _, h := range d.Holdings {
		name := "held at " + h.Network + ":" + h.Address + " of " + h.Asset
		all[name+", traced"], all[name+", recoverable"], all[name+", balance"], all[name+", seized"] = h.Traced, h.Recoverable, h.BalanceNow, h.Seized
		all[name+", holder"] = strings.TrimSuffix(h.Holder+", "+h.FreezableBy, ", ")
	}
	for _, a := range d.Shares {
		name := a.Victim + " in " + a.Asset
		all[name+", lost"], all[name+", traced"], all[name+", allocated"] = a.Lost, a.Traced, a.Allocated
	}
	return all
}
