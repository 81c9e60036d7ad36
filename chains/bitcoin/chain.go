package bitcoin

import (
	"fmt"
	"slices"

	"github.com/holiman/uint256"

	"github.com/spoortrace/spoor/ledger"
)

// medianSpan is the number of blocks of whose times a later block's must be
// above the median (Bitcoin Core, CBlockIndex::GetMedianTimePast).
const medianSpan = 11

// entry is what is kept of a header, 40 bytes: a chain of 900,000 takes 36 MB.
type entry struct {
	hash ledger.Hash
	Link
}

// headerChain is a chain of headers, each proven against those before it. It
// begins at genesis, or at a block that is taken for true. Entries lie in chunks
// of one difficulty period, so that a long chain grows without being copied.
type headerChain struct {
	network Network
	first   uint64 // height of the first entry
	trusted uint64 // height up to which the bits are not judged: too few blocks before
	next    uint64 // height after the last entry
	chunks  [][]entry
}

// newHeaderChain begins a chain with a header that is taken for true.
func newHeaderChain(n Network, height uint64, root Header) *headerChain {
	c := &headerChain{network: n, first: height, next: height, trusted: height}
	if height%period != 0 {
		// The period is not held from its first block on, which its target and the next follow from.
		c.trusted = (height/period + 1) * period
	}
	c.push(root)
	return c
}

func (c *headerChain) push(h Header) {
	if (c.next-c.first)%period == 0 {
		c.chunks = append(c.chunks, make([]entry, 0, period))
	}
	last := len(c.chunks) - 1
	c.chunks[last] = append(c.chunks[last], entry{h.Hash, Link{Bits: h.Bits, Time: h.Time}})
	c.next++
}

// at returns the entry at a height; first <= height < next.
func (c *headerChain) at(height uint64) entry {
	i := height - c.first
	return c.chunks[i/period][i%period]
}

// tip returns the last entry and its height.
func (c *headerChain) tip() (uint64, entry) { return c.next - 1, c.at(c.next - 1) }

// has reports whether a height is held.
func (c *headerChain) has(height uint64) bool { return c.first <= height && height < c.next }

// cut drops the entries from a height on; the first entry stays.
func (c *headerChain) cut(height uint64) {
	height = max(height, c.first+1)
	if height >= c.next {
		return
	}
	n := height - c.first
	c.chunks = c.chunks[:(n+period-1)/period]
	last := len(c.chunks) - 1
	c.chunks[last] = c.chunks[last][:(n-1)%period+1]
	c.next = height
}

// extend proves that a header follows the last entry, and takes it in: the link,
// the work, the bits that the network demands there, and a time after the median
// of the eleven blocks before.
func (c *headerChain) extend(h Header) (ledger.Fault, error) {
	height, parent := c.tip()
	height++
	field := fmt.Sprintf("header %s at height %d", h.Hash, height)
	if h.Parent != parent.hash {
		return ledger.FaultWrongParent, ledger.Invalid(field, "parent "+parent.hash.String(), h.Parent.String())
	}
	if err := c.network.Check(h); err != nil {
		return ledger.FaultHeader, err
	}
	if height > c.trusted {
		if want := c.network.NextBits(height, h.Time, func(back uint64) Link { return c.at(height - back).Link }); h.Bits != want {
			return ledger.FaultHeader, ledger.Invalid(field, fmt.Sprintf("the target %08x, which follows from the blocks before", want), fmt.Sprintf("%08x", h.Bits))
		}
	}
	if median, ok := c.medianTime(); ok && h.Time <= median {
		return ledger.FaultHeader, ledger.Invalid(field, fmt.Sprintf("a time above %d, the median of the blocks before", median), fmt.Sprintf("%d", h.Time))
	}
	if want, known := c.network.checkpoint(height); known && h.Hash != want {
		return ledger.FaultHeader, ledger.Invalid(field, "the block "+want.String()+" of this network", h.Hash.String())
	}
	c.push(h)
	return "", nil
}

// medianTime returns the median time of the last eleven entries; false where
// fewer are held, unless the chain begins at genesis.
func (c *headerChain) medianTime() (uint32, bool) {
	n := min(c.next-c.first, medianSpan)
	if n < medianSpan && c.first > 0 {
		return 0, false
	}
	times := make([]uint32, 0, medianSpan)
	for height := c.next - n; height < c.next; height++ {
		times = append(times, c.at(height).Time)
	}
	slices.Sort(times)
	return times[len(times)/2], true
}

// workFrom returns the work of the entries from a height on.
func (c *headerChain) workFrom(height uint64) uint256.Int {
	var sum uint256.Int
	for h := max(height, c.first); h < c.next; h++ {
		work := Work(c.at(h).Bits)
		sum.Add(&sum, &work)
	}
	return sum
}

// clone returns a chain that can be extended from a height on and leaves this
// one as it is. It shares the chunks that lie below.
func (c *headerChain) clone(height uint64) *headerChain {
	d := *c
	d.chunks = slices.Clone(c.chunks)
	d.cut(height)
	last := len(d.chunks) - 1
	d.chunks[last] = append(make([]entry, 0, period), d.chunks[last]...)
	return &d
}
