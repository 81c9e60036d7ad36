package ledger

import "strconv"

// IndexBits is the width of the transaction index inside a Position.
const IndexBits = 20

// Position numbers a transaction in its chain: height * 2^20 + index in the
// block. It is independent of the order in which blocks arrive. The coinbase,
// which is paid by the fees of all others, takes the index after the last one.
// In an export without blocks the height is the time in Unix milliseconds and
// the index counts the rows of that millisecond.
type Position uint64

// At returns the position of the index-th transaction at a height.
func At(height uint64, index uint32) Position {
	return Position(height<<IndexBits | uint64(index))
}

// Height returns the block height (in an export: Unix milliseconds).
func (p Position) Height() uint64 { return uint64(p) >> IndexBits }

// Index returns the index in the block.
func (p Position) Index() uint32 { return uint32(p & (1<<IndexBits - 1)) }

// EndOf returns the first position above a height.
func EndOf(height uint64) Position { return At(height+1, 0) }

// Point is the place of one event in a chain's total order: the transaction
// and the slot inside it.
type Point struct {
	Pos  Position
	Slot uint32
}

// Compare orders points: -1, 0, 1.
func (p Point) Compare(q Point) int {
	switch {
	case p.Pos < q.Pos || (p.Pos == q.Pos && p.Slot < q.Slot):
		return -1
	case p == q:
		return 0
	}
	return 1
}

// Before reports p < q.
func (p Point) Before(q Point) bool { return p.Compare(q) < 0 }

// String prints "height:index:slot".
func (p Point) String() string {
	return strconv.FormatUint(p.Pos.Height(), 10) + ":" + strconv.FormatUint(uint64(p.Pos.Index()), 10) + ":" + strconv.FormatUint(uint64(p.Slot), 10)
}
