package badgerkv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/spoortrace/spoor/ledger"
)

// levels is the number of levels of tables.
const levels = 7

const (
	memExt   = ".mem"
	vlogExt  = ".vlog"
	tableExt = ".sst"
)

func corrupt(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ledger.ErrCorrupt)...)
}

// check reads the files of a directory before Badger does, and refuses with
// ledger.ErrCorrupt what Badger would answer with silence or with the end of the
// process:
//
//	MANIFEST  must be whole and must continue its side copy (manifest.go)
//	*.sst     every table it names must be there, index and blocks sound (table.go)
//	*.mem     the logs must follow each other without a gap (wal.go)
//
// The last log may end early: a crash leaves it so, and a damaged one cannot be
// told from that. What it lost was newer than everything else, so that the store
// is whole as of an earlier publication; the anchor of package store tells.
func check(dir string, o Options) error {
	files, err := list(dir)
	if err != nil {
		return err
	}
	tables, err := checkManifest(dir, files)
	if err != nil {
		return err
	}
	newest, sizes, err := checkTables(dir, tables, o.VerifyUpTo)
	if err != nil {
		return err
	}
	if err := checkSpace(dir, o.Reserve/2+mergingOf(sizes)); err != nil {
		return err
	}
	leftover, err := checkLogs(dir, files.with(memExt), newest)
	if err != nil {
		return err
	}
	return tidy(dir, files, leftover)
}

// tidy removes what keeps Badger from opening and holds nothing: logs of no
// bytes, which a kill leaves between the making or emptying of a file and what
// follows; logs left over by a power cut; the statistics of value logs, which
// nobody collects; and the registry of encryption keys, of which there are none.
func tidy(dir string, files listing, leftover []string) error {
	for name, size := range files {
		empty := size == 0 && (strings.HasSuffix(name, memExt) || strings.HasSuffix(name, vlogExt))
		if !empty && name != "DISCARD" && name != "KEYREGISTRY" && !slices.Contains(leftover, name) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// listing has the sizes of a directory's files by name.
type listing map[string]int64

func list(dir string) (listing, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := listing{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		files[e.Name()] = info.Size()
	}
	return files, nil
}

// with returns the names with an extension, sorted: the logs are numbered with
// leading zeros.
func (l listing) with(ext string) []string {
	var names []string
	for name := range l {
		if strings.HasSuffix(name, ext) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// checkManifest returns the tables that a sound MANIFEST names; none in a fresh
// directory.
func checkManifest(dir string, files listing) (map[uint64]badger.TableManifest, error) {
	raw, err := os.ReadFile(filepath.Join(dir, badger.ManifestFilename))
	copied, sideErr := readSide(dir)
	switch {
	case sideErr != nil:
		return nil, sideErr
	case errors.Is(err, fs.ErrNotExist):
		if copied != nil || len(files.with(tableExt)) > 0 || len(files.with(memExt)) > 0 {
			return nil, corrupt("MANIFEST is missing beside files that it should name")
		}
		return nil, nil
	case err != nil:
		return nil, err
	}
	if _, err := records(raw); err != nil {
		return nil, err
	}
	tables, err := replay(dir)
	if err != nil {
		return nil, err
	}
	if name := unnamed(files, tables); copied == nil && name != "" {
		return nil, corrupt("MANIFEST does not name %s, and its copy is missing or damaged", name)
	}
	if !continues(raw, copied) {
		return nil, corrupt("MANIFEST has %d bytes that do not continue the %d of its copy", len(raw), len(copied))
	}
	return tables, nil
}

// unnamed returns a table that is there and that no MANIFEST names: what a crash
// may leave, and what a cut MANIFEST would leave.
func unnamed(files listing, tables map[uint64]badger.TableManifest) string {
	for _, name := range files.with(tableExt) {
		id, ok := table.ParseFileID(name)
		if _, named := tables[id]; !ok || !named {
			return name
		}
	}
	return ""
}

// replay reads the MANIFEST with Badger's own code.
func replay(dir string) (tables map[uint64]badger.TableManifest, err error) {
	defer guard(&err)
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if err != nil {
		return nil, err
	}
	m, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, corrupt("MANIFEST: %v", err)
	}
	for id, t := range m.Tables {
		if t.Level >= levels || t.KeyID != 0 {
			return nil, corrupt("MANIFEST: table %d is at level %d with key %d", id, t.Level, t.KeyID)
		}
	}
	return m.Tables, nil
}
