package bitcoin

import "github.com/holiman/uint256"

// retargeting is how a network's difficulty follows its clock.
type retargeting uint8

const (
	retargetAlways  retargeting = iota // every 2,016 blocks
	retargetTestnet                    // so, and the easiest target after 20 minutes without a block
	retargetNever
)

const (
	period         = 2016
	periodSeconds  = 14 * 24 * 60 * 60
	testnetSeconds = 20 * 60
)

// Link is what the difficulty of later blocks follows from.
type Link struct{ Bits, Time uint32 }

// NextBits returns the bits that the block at a height, above 0, with this time
// must have. ancestor(1) is its parent, ancestor(n) the n-th block before it.
// Source: GetNextWorkRequired of Bitcoin Core, pow.cpp.
func (n Network) NextBits(height uint64, time uint32, ancestor func(back uint64) Link) uint32 {
	parent := ancestor(1)
	switch {
	case n.retarget == retargetNever:
		return parent.Bits
	case height%period == 0:
		return n.adjusted(parent, ancestor(period))
	case n.retarget == retargetAlways:
		return parent.Bits
	case int64(time) > int64(parent.Time)+testnetSeconds:
		return n.Limit
	}
	// The last target that was no exception: of the period's first block if all others were.
	bits := parent.Bits
	for back := uint64(1); bits == n.Limit && (height-back)%period != 0; {
		back++
		bits = ancestor(back).Bits
	}
	return bits
}

// adjusted scales the target by the time that the last 2,015 blocks took (one
// short of the period, as Bitcoin has it), by a factor of at most 4.
func (n Network) adjusted(last, first Link) uint32 {
	seconds := min(max(int64(last.Time)-int64(first.Time), periodSeconds/4), periodSeconds*4)
	target, _ := expand(last.Bits)
	_, over := target.MulDivOverflow(&target, uint256.NewInt(uint64(seconds)), uint256.NewInt(periodSeconds))
	if limit, _ := expand(n.Limit); over || target.Gt(&limit) {
		return n.Limit
	}
	return compact(&target)
}
