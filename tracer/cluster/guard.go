package cluster

import (
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Contradiction returns the labels by which two of the parts that a guess would
// join have different owners: each part names actors, and none is named by both.
// A part whose own labels disagree contradicts only what shares none of them.
func Contradiction(parts [][]ledger.Tag) (x, y ledger.Tag, found bool) {
	for i, part := range parts {
		for _, other := range parts[:i] {
			a, b := actors(other), actors(part)
			shared := slices.ContainsFunc(a, func(s ledger.Tag) bool {
				return slices.ContainsFunc(b, func(t ledger.Tag) bool { return s.Actor == t.Actor })
			})
			if len(a) > 0 && len(b) > 0 && !shared {
				return a[0], b[0], true
			}
		}
	}
	return ledger.Tag{}, ledger.Tag{}, false
}

// actors are the tags that name one.
func actors(tags []ledger.Tag) []ledger.Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(t ledger.Tag) bool { return t.Actor == "" })
}
