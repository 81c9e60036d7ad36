package bitcoin

import (
	"fmt"

	"github.com/holiman/uint256"

	"github.com/spoortrace/spoor/ledger"
)

// Prove checks that a transaction is in the block of a header, by the siblings on
// the way from its id to the merkle root (from the bottom up), and that the
// header has the work that a block of that height must have. The error is
// ledger.ErrInvalid and names what does not hold.
//
// What the header does not say is its height: that is believed. Nobody can make
// such a header without as much work as a block of the chain took, up to eightfold
// (see floor).
func (n Network) Prove(id ledger.TxID, siblings []ledger.Hash, index uint32, height uint64, raw []byte) (Header, error) {
	h, err := n.worked(height, raw)
	if err != nil {
		return h, err
	}
	if len(siblings) > 32 || uint64(index)>>len(siblings) != 0 {
		return h, ledger.Invalid("merkle branch", fmt.Sprintf("an index below 2^%d", len(siblings)), fmt.Sprintf("%d", index))
	}
	node := printed(id)
	for level, sibling := range siblings {
		other := printed(sibling)
		pair := append(node[:], other[:]...)
		if index>>level&1 == 1 {
			pair = append(other[:], node[:]...)
		}
		node = doubleHash(pair)
	}
	if root := ledger.Hash(printed(node)); root != h.Merkle {
		return h, ledger.Invalid("merkle branch of "+id.String(), "a way to the root "+h.Merkle.String(), root.String())
	}
	return h, nil
}

// worked reads a header that has the work of a block at a height.
func (n Network) worked(height uint64, raw []byte) (Header, error) {
	h, err := ParseHeader(raw)
	if err == nil {
		err = n.Check(h)
	}
	if err != nil {
		return h, err
	}
	if target, _ := expand(h.Bits); target.Gt(n.floor(height)) {
		return h, ledger.Invalid("block "+h.Hash.String()+", bits", fmt.Sprintf("the work of a block at %d of %s", height, n.Chain), fmt.Sprintf("%08x", h.Bits))
	}
	return h, nil
}

// Bury checks that headers follow a block at a height, each the child of the one
// before it and with the work of its time.
func (n Network) Bury(h Header, height uint64, above [][]byte) error {
	for i, raw := range above {
		next, err := n.worked(height+1+uint64(i), raw)
		if err != nil {
			return err
		}
		if next.Parent != h.Hash {
			return ledger.Invalid("block "+next.Hash.String()+", parent", h.Hash.String(), next.Parent.String())
		}
		h = next
	}
	return nil
}

// easing is how much easier than a known block a later one may be. Bitcoin's
// difficulty has fallen by less than half from any of these blocks to any later one.
const easing = 8

// floor is the easiest target that a block at a height can have had, from the bits
// of real blocks below it; where none is known, the network's limit.
func (n Network) floor(height uint64) *uint256.Int {
	bits := n.Limit
	if n.Chain == "bitcoin" {
		for _, known := range []struct {
			height uint64
			bits   uint32
		}{
			{169_482, 0x1a0b350c},
			{227_836, 0x1a02816e},
			{300_025, 0x1900896c},
			{363_703, 0x1816418e},
			{400_000, 0x1806b99f},
			{482_683, 0x18013ce9},
			{696_394, 0x1712180b},
		} {
			if height >= known.height {
				bits = known.bits
			}
		}
	}
	target, _ := expand(bits)
	limit, _ := expand(n.Limit)
	if _, over := target.MulOverflow(&target, uint256.NewInt(easing)); over || target.Gt(&limit) {
		return &limit
	}
	return &target
}
