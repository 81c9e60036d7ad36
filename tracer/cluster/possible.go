package cluster

import (
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// possible reports that two owners could have paid the same amount to somebody
// each: some value goes to two new scripts or more, and the inputs can be split in
// two groups that could each have paid it.
func (s *shape) possible() bool {
	if len(s.inScripts)+s.unknown < 2 {
		return false
	}
	fresh := map[uint64]map[ledger.Address]bool{}
	for _, c := range s.out {
		if _, own := s.inScripts[c.owner]; own || c.value <= dust {
			continue
		}
		if fresh[c.value] == nil {
			fresh[c.value] = map[ledger.Address]bool{}
		}
		fresh[c.value][c.owner] = true
	}
	for d, scripts := range fresh {
		if len(scripts) >= 2 && (s.unknown > 0 || splits(slices.Sorted(maps.Values(s.inScripts)), d-max(1_000, d/100))) {
			return true
		}
	}
	return false
}

// tries bounds the search for a split; beyond it there may be one, and the veto holds.
const tries = 1 << 16

// splits reports that the totals, ascending, can be cut in two groups of at least
// need each.
func splits(totals []uint64, need uint64) bool {
	var sum uint64
	for _, t := range totals {
		sum += t
	}
	largest := totals[len(totals)-1]
	switch {
	case sum < 2*need:
		return false
	case largest >= need:
		return sum-largest >= need
	case sum >= 3*need:
		return true // every total is below need: adding one by one stops below twice that
	}
	left := tries
	return reaches(totals, need, sum-need, sum, &left)
}

// reaches reports that some of the totals add up to between low and high; rest is
// the sum of all of them.
func reaches(totals []uint64, low, high, rest uint64, left *int) bool {
	if *left--; *left <= 0 {
		return true
	}
	n := len(totals)
	if rest < low || n == 0 {
		return false
	}
	last := totals[n-1]
	if last >= low && last <= high {
		return true
	}
	if last < low && reaches(totals[:n-1], low-last, high-last, rest-last, left) {
		return true
	}
	return reaches(totals[:n-1], low, high, rest-last, left)
}
