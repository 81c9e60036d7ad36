package archive

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/ledger"
)

// Options say which block files to read.
type Options struct {
	Chain ledger.Chain
	// Blocks are files and directories: blk*.dat files of Bitcoin Core, single
	// blocks, raw or in hex; each may be gzipped. Of a directory only files whose
	// names end in .dat, .raw, .blk or .hex (and .gz) are read, not those below it.
	Blocks []string
	// Undo are rev*.dat files, coin lists of single blocks ("X-undo.raw" belongs
	// to "X.raw"), or directories of them. Those in a directory of Blocks are used, too.
	Undo []string
	// Height is of the one block whose height nothing else tells.
	Height *uint64
	// HeightOf returns the height and grade of a block that the index holds
	// already; nil: it holds none.
	HeightOf func(ledger.Hash) (height uint64, grade ledger.Grade, ok bool)
}

// Files are the blocks of the chain with the most work among a set of block
// files, in height order and perhaps with gaps. Only headers are kept in memory,
// 125 bytes a block (450 while Open runs). All methods may be called concurrently.
type Files struct {
	network bitcoin.Network
	sources []*blockFile
	undo    *undoFiles

	entries []entry // every block that was found, once
	chain   []int32 // of entries, by height

	mutex  sync.Mutex
	report Report
	coins  []coinState // of each entry
}

// entry is one block that was found.
type entry struct {
	hash, parent ledger.Hash
	height       uint64
	offset       int64
	size         uint32
	bits, time   uint32
	file         int32
	prev         int32 // entry of the parent, or none
	grade        ledger.Grade
}

const none = -1

// Open finds the blocks in the files and the chain that they form: from the
// genesis block along the headers with the most work (of equal work, the lower
// hash). Branches off it are left out and reported.
//
// A block that is not linked to the genesis block has the height that follows,
// in this order, from a parent that is given or that HeightOf knows; from its
// coinbase, where bitcoin.Block.StatedHeight believes it; from Options.Height.
// Else Open refuses. Such blocks, and all that stand on them, are attested
// (unless HeightOf says that they stand on proven ones).
//
// Headers are proven here, bodies when they are read.
func Open(ctx context.Context, o Options) (*Files, error) {
	network, err := bitcoin.NetworkOf(o.Chain)
	if err != nil {
		return nil, err
	}
	f := &Files{network: network}
	finder := finder{network: network}
	if err := finder.find(o.Blocks, o.Undo); err != nil {
		return nil, err
	}
	f.sources = finder.blocks
	held, err := f.scan(ctx)
	if err != nil {
		return nil, err
	}
	if len(f.entries) == 0 {
		return nil, ledger.Invalid("--blocks", "files with blocks of "+string(o.Chain), fmt.Sprintf("%q, which hold none", o.Blocks))
	}
	if err := f.link(o, held); err != nil {
		return nil, err
	}
	if f.undo, err = newUndoFiles(network, finder.undo, f.sources, len(f.chain) == 1); err != nil {
		return nil, err
	}
	return f, nil
}

// scan lists the blocks of every file, and where each is in the list.
func (f *Files) scan(ctx context.Context) (map[ledger.Hash]int32, error) {
	held := map[ledger.Hash]int32{}
	for i, source := range f.sources {
		s := scanner{file: source, network: f.network, report: &f.report}
		err := s.run(ctx, func(h bitcoin.Header, offset int64, size uint32) {
			f.report.Found++
			if _, again := held[h.Hash]; again {
				f.report.Duplicates++
				return
			}
			held[h.Hash] = int32(len(f.entries))
			f.entries = append(f.entries, entry{
				hash: h.Hash, parent: h.Parent, bits: h.Bits, time: h.Time,
				file: int32(i), offset: offset, size: size, prev: none,
			})
		})
		if err != nil {
			return nil, err
		}
	}
	f.coins = make([]coinState, len(f.entries))
	return held, nil
}

// Head returns the highest block.
func (f *Files) Head() ledger.BlockRef {
	return f.ref(&f.entries[f.chain[len(f.chain)-1]])
}

// Len returns the number of blocks.
func (f *Files) Len() int { return len(f.chain) }

// Size returns the bytes of the raw blocks from a height on.
func (f *Files) Size(from uint64) (n int64) {
	for _, i := range f.chain {
		if e := &f.entries[i]; e.height >= from {
			n += int64(e.size)
		}
	}
	return n
}

// Block returns the block at a height, read and proven again; ledger.ErrNotFound
// when the files do not hold it. An error names the file and the offset.
func (f *Files) Block(ctx context.Context, height uint64) (*ledger.Block, error) {
	i, ok := slices.BinarySearchFunc(f.chain, height, func(i int32, h uint64) int {
		switch at := f.entries[i].height; {
		case at < h:
			return -1
		case at > h:
			return 1
		}
		return 0
	})
	if !ok {
		return nil, fmt.Errorf("block %d of the given files: %w", height, ledger.ErrNotFound)
	}
	return f.read(ctx, f.chain[i])
}

// All yields every block in height order. It ends at the first error.
func (f *Files) All(ctx context.Context) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		for _, i := range f.chain {
			b, err := f.read(ctx, i)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}
