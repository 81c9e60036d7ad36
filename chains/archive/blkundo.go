package archive

import (
	"path/filepath"
	"strings"
	"sync"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/ledger"
)

// keptUndo is how many rev files stay listed in memory: blocks in height order
// come from one or two neighbouring files.
const keptUndo = 4

// undoFiles finds the coins that a block spends.
type undoFiles struct {
	network bitcoin.Network
	revs    map[int][]*blockFile  // rev*.dat, by number
	lists   map[string]*blockFile // coin lists, by the stem of the block file that they belong to
	only    *blockFile            // the list of the only block, whatever its name

	mutex  sync.Mutex
	listed []*undoList // of rev files; the most recent last
}

// newUndoFiles sorts the files by kind. A coin list is named after its block
// file; alone, that there is one block only, allows a list of any other name
// that was given itself. Lists that lie in a given directory and belong to no
// block are left alone.
func newUndoFiles(network bitcoin.Network, files, blocks []*blockFile, alone bool) (*undoFiles, error) {
	u := &undoFiles{network: network, revs: map[int][]*blockFile{}, lists: map[string]*blockFile{}}
	stems := map[string]bool{}
	for _, f := range blocks {
		stems[stem(f.path)] = true
	}
	for _, f := range files {
		name := strings.TrimSuffix(stem(f.path), "-undo")
		switch {
		case f.number != none:
			u.revs[f.number] = append(u.revs[f.number], f)
		case stems[name]:
			u.lists[name] = f
		case f.listed:
		case alone && u.only == nil:
			u.only = f
		default:
			return nil, ledger.Invalid("--undo", "rev*.dat, or a coin list named X-undo.raw after the block file X.raw", f.path)
		}
	}
	return u, nil
}

// stem is a file's name without its endings.
func stem(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), ".gz")
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// apply makes the block's inputs known where undo data for it is at hand. The
// record of a rev file is the block's if its checksum says so. A coin list has
// none: one that does not fit is an error.
func (u *undoFiles) apply(b *bitcoin.Block, source *blockFile) (coinState, error) {
	if list := u.listOf(source); list != nil {
		return coinsUndo, u.applyList(b, list)
	}
	for _, rev := range u.revs[source.number] {
		undo, found, err := u.find(b, rev)
		if err != nil {
			return coinsAbsent, err
		}
		if found {
			return coinsUndo, b.Apply(undo)
		}
	}
	return coinsAbsent, nil
}

func (u *undoFiles) listOf(source *blockFile) *blockFile {
	if list := u.lists[stem(source.path)]; list != nil {
		return list
	}
	return u.only
}

func (u *undoFiles) applyList(b *bitcoin.Block, list *blockFile) error {
	raw := make([]byte, list.size)
	if err := list.readAt(raw, 0); err != nil {
		return err
	}
	undo, err := b.DecodeCoinList(raw)
	if err != nil {
		return ledger.Invalid(list.path, "the coins that block "+b.Header.Hash.String()+" spends", err.Error())
	}
	return b.Apply(undo)
}

// find searches a rev file for the record of a block.
func (u *undoFiles) find(b *bitcoin.Block, rev *blockFile) (bitcoin.Undo, bool, error) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	list, err := u.list(rev)
	if err != nil {
		return nil, false, err
	}
	return list.find(b)
}

// list returns where the records of a rev file lie, from memory if it was asked of late.
func (u *undoFiles) list(rev *blockFile) (*undoList, error) {
	for i, l := range u.listed {
		if l.file == rev {
			u.listed = append(append(u.listed[:i], u.listed[i+1:]...), l)
			return l, nil
		}
	}
	l, err := listUndo(u.network, rev)
	if err != nil {
		return nil, err
	}
	if len(u.listed) == keptUndo {
		u.listed = u.listed[1:]
	}
	u.listed = append(u.listed, l)
	return l, nil
}
