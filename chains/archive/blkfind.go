package archive

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/ledger"
)

// finder turns the paths that were given into files of blocks and of undo data.
type finder struct {
	network      bitcoin.Network
	blocks, undo []*blockFile
	seen         map[string]bool
	unpacked     int // bytes held in memory
}

// find fills the finder. The order of the answer is that of the paths, and that
// of the names inside a directory.
func (f *finder) find(blocks, undo []string) error {
	f.seen = map[string]bool{}
	if len(blocks) == 0 {
		return ledger.Invalid("--blocks", "files or directories of blocks", "none")
	}
	for _, path := range blocks {
		if err := f.path("--blocks", path, false); err != nil {
			return err
		}
	}
	for _, path := range undo {
		if err := f.path("--undo", path, true); err != nil {
			return err
		}
	}
	return nil
}

// path takes one file, or the files of a directory that are of the right kind by their names.
func (f *finder) path(flag, path string, undo bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return ledger.Invalid(flag, "a file or directory", path+": "+err.Error())
	}
	if !info.IsDir() {
		_, isUndo := kindByName(filepath.Base(path))
		return f.file(path, undo || isUndo, false)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			continue
		}
		isBlocks, isUndo := kindByName(e.Name())
		if isUndo || (isBlocks && !undo) {
			if err := f.file(name, isUndo, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// file opens a file, once however often it is named.
func (f *finder) file(path string, undo, listed bool) error {
	full, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if f.seen[full] {
		return nil
	}
	f.seen[full] = true
	file, err := openFile(path)
	if err != nil {
		return err
	}
	file.listed = listed
	if f.unpacked += len(file.memory); f.unpacked > maxUnpacked {
		return ledger.Invalid(path, tooMuch(), "more")
	}
	if undo {
		f.undo = append(f.undo, file)
	} else {
		f.blocks = append(f.blocks, file)
	}
	return nil
}

// kindByName says what a file of a directory holds.
func kindByName(name string) (isBlocks, isUndo bool) {
	plain := strings.TrimSuffix(name, ".gz")
	ext := filepath.Ext(plain)
	switch {
	case plain == "xor.dat" || !slices.Contains([]string{".dat", ".raw", ".blk", ".hex"}, ext):
		return false, false
	case strings.HasSuffix(strings.TrimSuffix(plain, ext), "-undo"):
		return false, true
	case numbered.MatchString(name):
		return name[:3] == "blk", name[:3] == "rev"
	}
	return true, false
}
