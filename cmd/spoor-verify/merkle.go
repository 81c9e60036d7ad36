package main

import "crypto/sha256"

// merkleRoot is the tree hash of RFC 6962, section 2.1: leaves and nodes are told apart by a byte in front, and the left half of n leaves is
// the largest power of two below n.
func merkleRoot(leaves [][]byte) [32]byte {
	if len(leaves) == 0 {
		return sha256.Sum256(nil)
	}
	hashes := make([][32]byte, len(leaves))
	for i, leaf := range leaves {
		hashes[i] = sha256.Sum256(append([]byte{0}, leaf...))
	}
	return merkleNode(hashes)
}

func merkleNode(hashes [][32]byte) [32]byte {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := 1
	for half*2 < len(hashes) {
		half *= 2
	}
	left, right := merkleNode(hashes[:half]), merkleNode(hashes[half:])
	both := append([]byte{1}, left[:]...)
	return sha256.Sum256(append(both, right[:]...))
}
