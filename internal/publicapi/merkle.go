package publicapi

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// branch lists the siblings on the way from one of a block's transactions to the
// root, as people print hashes.
func branch(ids [][32]byte, at int) []string {
	level := make([][32]byte, len(ids))
	for i, id := range ids {
		level[i] = turned(id)
	}
	way := []string{}
	for len(level) > 1 {
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		sibling := turned(level[at^1])
		way = append(way, hex.EncodeToString(sibling[:]))
		var above [][32]byte
		for i := 0; i < len(level); i += 2 {
			once := sha256.Sum256(append(slices.Clone(level[i][:]), level[i+1][:]...))
			above = append(above, sha256.Sum256(once[:]))
		}
		level, at = above, at/2
	}
	return way
}

func turned(h [32]byte) [32]byte {
	slices.Reverse(h[:])
	return h
}
