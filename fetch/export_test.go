package fetch

import (
	"fmt"
	"maps"
	"slices"
)

// Unlike says in what the facts of a fetcher are other than those that its logs
// give when they are read again; nothing: in nothing.
func (f *Fetcher) Unlike() (all []string) {
	for _, c := range slices.Sorted(maps.Keys(f.networks)) {
		n := f.networks[c]
		if n.pin == nil {
			continue
		}
		live := n.facts.describe()
		again := &network{chain: n.chain, clocked: n.clocked, options: n.options, sources: n.sources, log: n.log}
		if err := again.recall(); err != nil || again.pin == nil || again.pin.ref != n.pin.ref {
			all = append(all, fmt.Sprintf("%s: pin %+v, want %+v: %v", c, again.pin, n.pin, err))
			continue
		}
		recalled := again.facts.describe()
		for _, line := range slices.Sorted(maps.Keys(live)) {
			if !recalled[line] {
				all = append(all, "only while it runs: "+line)
			}
		}
		for _, line := range slices.Sorted(maps.Keys(recalled)) {
			if !live[line] {
				all = append(all, "only when read again: "+line)
			}
		}
	}
	return all
}

func (f *facts) describe() map[string]bool {
	all := map[string]bool{}
	for id, t := range f.txs {
		if t.Block.Height > f.pin.Height {
			continue // in no index
		}
		all[fmt.Sprintf("%s in %v %t %t proven %t: %v %v %v", id, t.Block, t.Whole, t.Indexed, t.proven, t.Tx.Inputs, t.Tx.Outputs, t.Tx.Transfers)] = true
	}
	for of, s := range f.spends {
		all[fmt.Sprintf("%v: %+v", of, s)] = true
	}
	for h, ranges := range f.lists {
		all[fmt.Sprintf("%v: %v", h, ranges)] = true
	}
	for q, said := range f.disputes {
		all[fmt.Sprintf("%v: %s", q, said)] = true
	}
	return all
}
