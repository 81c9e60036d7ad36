package archive

import (
	"slices"

	"github.com/holiman/uint256"

	"github.com/spoortrace/spoor/ledger"
)

// Report says what became of everything that lay in the files.
type Report struct {
	Found      int // blocks, repeated ones too
	Duplicates int // of these, found before
	Stale      []ledger.BlockRef
	Truncated  []Place     // blocks whose end is missing, at the end of their file
	Skipped    []Place     // bytes that belong to no block; zero padding is not listed
	Attested   int         // blocks that are not linked to the genesis block
	Work       uint256.Int // behind the chain from the genesis block, in hashes

	// Of the blocks that were read so far:
	WithUndo    int // coins that they spend came from undo data
	WithoutUndo int // they spend coins that the index has to know
}

// Place is a range of bytes in a file.
type Place struct {
	File   string
	Offset int64
	Bytes  int64
}

// maxPlaces bounds a report on hostile files; the last place then stands for all that follow.
const maxPlaces = 1000

func addPlace(list []Place, p Place) []Place {
	if len(list) < maxPlaces {
		return append(list, p)
	}
	list[maxPlaces-1].Bytes += p.Bytes
	return list
}

// Report returns what is known so far.
func (f *Files) Report() Report {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	r := f.report
	r.Stale, r.Truncated, r.Skipped = slices.Clone(r.Stale), slices.Clone(r.Truncated), slices.Clone(r.Skipped)
	for _, state := range f.coins {
		switch state {
		case coinsUndo:
			r.WithUndo++
		case coinsAbsent:
			r.WithoutUndo++
		case coinsUnread, coinsOwn:
		}
	}
	return r
}
