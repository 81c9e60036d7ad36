package archive

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/holiman/uint256"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/ledger"
)

// forest is how the headers hang together.
type forest struct {
	child, sibling []int32 // of each entry: its last child, and the child of its parent before it
	trees          []tree
	work           []uint256.Int // of each entry, from the root of its tree on
}

// tree is all blocks that stand on the same absent parent, or the genesis block
// and all that stand on it.
type tree struct {
	roots   []int32
	genesis bool
	height  uint64 // of the roots
	grade   ledger.Grade
	chain   []int32 // its branch with the most work, roots first
}

// link gives every block its height and picks the chain.
func (f *Files) link(o Options, held map[ledger.Hash]int32) error {
	w, err := f.forest(held)
	if err != nil {
		return err
	}
	if err := f.heights(o, w.trees); err != nil {
		return err
	}
	for i := range w.trees {
		if err := f.grow(w, &w.trees[i]); err != nil {
			return err
		}
	}
	if err := f.join(w.trees); err != nil {
		return err
	}
	f.count(w)
	return nil
}

func (f *Files) forest(held map[ledger.Hash]int32) (*forest, error) {
	n := len(f.entries)
	w := &forest{child: slices.Repeat([]int32{none}, n), sibling: slices.Repeat([]int32{none}, n), work: make([]uint256.Int, n)}
	loose := map[ledger.Hash]int{} // trees by the absent parent of their roots
	for i := range f.entries {
		e, index := &f.entries[i], int32(i)
		if prev, ok := held[e.parent]; ok {
			e.prev, w.sibling[i], w.child[prev] = prev, w.child[prev], index
			continue
		}
		known, ok := loose[e.parent]
		switch {
		case e.hash == f.network.Genesis:
			w.trees = append(w.trees, tree{roots: []int32{index}, genesis: true})
		case e.parent == ledger.Hash{}:
			return nil, ledger.Invalid(f.place(index), "the genesis block of "+string(f.network.Chain)+", "+f.network.Genesis.String(), e.hash.String())
		case ok:
			w.trees[known].roots = append(w.trees[known].roots, index)
		default:
			loose[e.parent] = len(w.trees)
			w.trees = append(w.trees, tree{roots: []int32{index}, grade: ledger.GradeAttested})
		}
	}
	return w, nil
}

// place names where an entry lies.
func (f *Files) place(i int32) string {
	return f.sources[f.entries[i].file].at(f.entries[i].offset)
}

// grow gives the blocks of a tree their heights and finds its best branch. On a
// tree that begins with the genesis block the difficulty must follow the clock.
func (f *Files) grow(w *forest, t *tree) error {
	best := t.roots[0]
	stack := slices.Clone(t.roots)
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		e := &f.entries[i]
		e.height, e.grade = t.height, t.grade
		w.work[i] = bitcoin.Work(e.bits)
		if e.prev != none {
			e.height = f.entries[e.prev].height + 1
			w.work[i].Add(&w.work[i], &w.work[e.prev])
		}
		if t.genesis && e.height > 0 {
			if want := f.network.NextBits(e.height, e.time, f.ancestors(i)); e.bits != want {
				return ledger.Invalid(f.place(i), fmt.Sprintf("the target %08x, which follows from the blocks before %s", want, e.hash), fmt.Sprintf("%08x", e.bits))
			}
		}
		if c := w.work[i].Cmp(&w.work[best]); c > 0 || (c == 0 && bytes.Compare(e.hash[:], f.entries[best].hash[:]) < 0) {
			best = i
		}
		for c := w.child[i]; c != none; c = w.sibling[c] {
			stack = append(stack, c)
		}
	}
	for i := best; i != none; i = f.entries[i].prev {
		t.chain = append(t.chain, i)
	}
	slices.Reverse(t.chain)
	return nil
}

// ancestors returns a function to the n-th block before an entry; asked for
// growing n, as it is, it never walks a link twice.
func (f *Files) ancestors(i int32) func(back uint64) bitcoin.Link {
	at, walked := i, uint64(0)
	return func(back uint64) bitcoin.Link {
		for ; walked < back; walked++ {
			at = f.entries[at].prev
		}
		return bitcoin.Link{Bits: f.entries[at].bits, Time: f.entries[at].time}
	}
}

// join lays the branches of all trees one after another. What competes with the
// chain from the genesis block is stale; other contradictions are refused.
func (f *Files) join(trees []tree) error {
	var base []int32
	for _, t := range trees {
		if t.genesis {
			base = t.chain
		}
	}
	var chains [][]int32
	for _, t := range trees {
		if t.genesis || t.height >= uint64(len(base)) {
			chains = append(chains, t.chain)
		}
	}
	slices.SortStableFunc(chains, func(a, b []int32) int {
		return cmp.Compare(f.entries[a[0]].height, f.entries[b[0]].height)
	})
	for _, c := range chains {
		if err := f.follows(c[0]); err != nil {
			return err
		}
		f.chain = append(f.chain, c...)
	}
	return nil
}

// follows checks that a block may come after the chain so far: above its head,
// and linked to it where there is no gap.
func (f *Files) follows(i int32) error {
	if len(f.chain) == 0 {
		return nil
	}
	last, e := f.chain[len(f.chain)-1], &f.entries[i]
	head := &f.entries[last]
	if e.height > head.height+1 || (e.height == head.height+1 && e.parent == head.hash) {
		return nil
	}
	return ledger.Invalid(f.place(i), fmt.Sprintf("a block that fits block %d, %s (%s)", head.height, head.hash, f.place(last)),
		fmt.Sprintf("block %d, %s", e.height, e.hash))
}

// count writes the report about the chain.
func (f *Files) count(w *forest) {
	on := make([]bool, len(f.entries))
	for _, i := range f.chain {
		on[i] = true
		if f.entries[i].grade != ledger.GradeProven {
			f.report.Attested++
		}
	}
	for i := range f.entries {
		if e := &f.entries[i]; !on[i] {
			f.report.Stale = append(f.report.Stale, f.ref(e))
		}
	}
	slices.SortFunc(f.report.Stale, func(a, b ledger.BlockRef) int {
		return cmp.Or(cmp.Compare(a.Height, b.Height), bytes.Compare(a.Hash[:], b.Hash[:]))
	})
	for _, t := range w.trees {
		if t.genesis {
			f.report.Work = w.work[t.chain[len(t.chain)-1]]
		}
	}
}

func (f *Files) ref(e *entry) ledger.BlockRef {
	return ledger.BlockRef{Chain: f.network.Chain, Height: e.height, Hash: e.hash, Time: int64(e.time) * 1000}
}
