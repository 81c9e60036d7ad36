//go:build linux && amd64

package crashtest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// identity names a file for as long as it lives: numbers of inodes are used again.
type identity struct {
	inode uint64
	born  unix.StatxTimestamp
}

func identify(name string) (identity, error) {
	var s unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_INO|unix.STATX_BTIME, &s); err != nil {
		return identity{}, err
	}
	if s.Mask&unix.STATX_BTIME == 0 {
		return identity{}, fmt.Errorf("%s: the file system keeps no times of birth", name)
	}
	return identity{s.Ino, s.Btime}, nil
}

// disk is what would be left of a folder after a power cut: the names as of the
// last fsync of anything, since journaling file systems write names in order
// (ext4, XFS), and of each file what its last fsync or msync wrote.
//
// Syncs may overlap, and one that began earlier and ends later takes nothing back:
// each is numbered when it begins.
type disk struct {
	root    string
	begun   int
	listed  int                 // the number of the sync that names are of
	names   map[string]identity // files by path below the root
	folders []string
	files   map[identity]*image
	synced  map[identity]int // the number of the sync that a file's image is of
}

func newDisk(root string) (*disk, error) {
	d := &disk{root: root, files: map[identity]*image{}, synced: map[identity]int{}}
	names, folders, err := d.list()
	d.names, d.folders = names, folders
	for path, id := range names {
		im, rerr := readImage(filepath.Join(root, path))
		d.files[id], err = im, errors.Join(err, rerr)
	}
	return d, err
}

func (d *disk) list() (map[string]identity, []string, error) {
	names, folders := map[string]identity{}, []string{}
	err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		below, err := filepath.Rel(d.root, path)
		if err != nil || e.IsDir() {
			folders = append(folders, below)
			return err
		}
		id, err := identify(path)
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		names[below] = id
		return err
	})
	return names, folders, err
}

// synced is what one sync makes durable when it returns.
type synced struct {
	number  int
	names   map[string]identity // nil: not of this call
	folders []string
	file    identity
	content *image
}

// before reads what a sync of path is about to write.
func (d *disk) before(path string, namesToo bool) (*synced, error) {
	if path != d.root && !strings.HasPrefix(path, d.root+"/") {
		return nil, nil
	}
	d.begun++
	s := &synced{number: d.begun}
	var err error
	if namesToo {
		if s.names, s.folders, err = d.list(); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if s.file, err = identify(path); err == nil {
		s.content, err = readImage(path)
	}
	return s, err
}

func (d *disk) commit(s *synced) {
	if s.names != nil && s.number > d.listed {
		d.names, d.folders, d.listed = s.names, s.folders, s.number
	}
	if s.content != nil && s.number > d.synced[s.file] {
		d.files[s.file], d.synced[s.file] = s.content, s.number
	}
}

// cut writes what is left to a fresh folder. At worst nothing is left but what
// was synced; with luck the disk got further: all names, and of each file a
// random part of what was written.
func (d *disk) cut(to string, luck bool, rng *rand.Rand) error {
	names, folders := d.names, d.folders
	if luck {
		var err error
		if names, folders, err = d.list(); err != nil {
			return err
		}
	}
	for _, f := range folders {
		if err := os.MkdirAll(filepath.Join(to, f), 0o700); err != nil {
			return err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(names)) {
		im := d.files[names[path]]
		if im == nil {
			im = &image{}
		}
		if luck {
			written, err := readImage(filepath.Join(d.root, path))
			if err != nil {
				return err
			}
			im = mix(im, written, mapped(path), rng)
		}
		if err := im.write(filepath.Join(to, path)); err != nil {
			return err
		}
	}
	return nil
}

// mapped files are written by memory: any page may be on the disk before any other.
func mapped(path string) bool {
	return slices.Contains([]string{".mem", ".vlog", ".sst"}, filepath.Ext(path))
}

// mix returns a state that a file may be in between its last sync and the cut.
func mix(old, written *image, mapped bool, rng *rand.Rand) *image {
	if mapped {
		out := &image{size: written.size, pages: map[int64][]byte{}}
		for p := range written.pages {
			if b := old.pages[p]; b != nil {
				out.pages[p] = b
			}
			if rng.IntN(2) == 0 {
				out.pages[p] = written.pages[p]
			}
		}
		return out
	}
	if old.size >= written.size {
		return old
	}
	// Appended: a journaling file system writes the data before the length.
	return &image{size: old.size + rng.Int64N(written.size-old.size+1), pages: written.pages}
}
