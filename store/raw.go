package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
)

// segmentSize is the size above which the next raw block begins a new segment file.
const segmentSize = 256 << 20

// rawRef says where the raw form of a block lies and what it must hash to. The
// hash is kept even when the bytes are not, so that they can be read again from
// their source and checked.
type rawRef struct {
	size            uint64 // 0: there is no raw form
	hash            ledger.Hash
	kept            bool
	segment, offset uint64
}

func (r rawRef) encode(e *encoder) {
	e.uint(r.size)
	if r.size == 0 {
		return
	}
	e.raw(r.hash[:])
	e.bool(r.kept)
	e.uint(r.segment)
	e.uint(r.offset)
}

func decodeRawRef(in *decoder) rawRef {
	r := rawRef{size: in.uint()}
	if r.size != 0 {
		r.hash, r.kept, r.segment, r.offset = in.hash(), in.bool(), in.uint(), in.uint()
	}
	return r
}

func segmentName(dir string, segment uint64) string {
	return filepath.Join(dir, fmt.Sprintf("raw-%05d.seg", segment))
}

// rawWriter appends raw blocks to segment files. What lies above the end that a
// head publishes is garbage of a crash and is written over.
type rawWriter struct {
	dir          string
	segment, end uint64
	file         *os.File
	opened       uint64 // the segment that file is
}

// put stores a raw block, or only its hash when it is not to be kept. The bytes
// are durable after sync.
func (w *rawWriter) put(raw []byte, keep bool) (rawRef, error) {
	if len(raw) == 0 {
		return rawRef{}, nil
	}
	ref := rawRef{size: uint64(len(raw)), hash: sha256.Sum256(raw)}
	if !keep {
		return ref, nil
	}
	if w.end+ref.size > segmentSize && w.end > 0 {
		if err := w.sync(); err != nil {
			return rawRef{}, err
		}
		if err := w.close(); err != nil {
			return rawRef{}, err
		}
		w.segment, w.end = w.segment+1, 0
	}
	if w.file != nil && w.opened != w.segment {
		if err := w.close(); err != nil {
			return rawRef{}, err
		}
	}
	if w.file == nil {
		f, err := os.OpenFile(segmentName(w.dir, w.segment), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return rawRef{}, fmt.Errorf("store: raw segment: %w", err)
		}
		w.file, w.opened = f, w.segment
	}
	if _, err := w.file.WriteAt(raw, int64(w.end)); err != nil {
		return rawRef{}, fmt.Errorf("store: raw segment: %w", err)
	}
	ref.kept, ref.segment, ref.offset = true, w.segment, w.end
	w.end += ref.size
	return ref, nil
}

// sync makes everything that was put durable, the file's name included.
func (w *rawWriter) sync() error {
	if w.file == nil {
		return nil
	}
	return errors.Join(w.file.Sync(), syncDir(w.dir))
}

func (w *rawWriter) close() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return err
}

// readRaw returns the bytes that a reference names, checked.
func readRaw(dir string, ref rawRef) ([]byte, error) {
	f, err := os.Open(segmentName(dir, ref.segment))
	if err != nil {
		return nil, corrupt("raw segment %d: %v", ref.segment, err)
	}
	defer f.Close()
	raw := make([]byte, ref.size)
	if _, err := f.ReadAt(raw, int64(ref.offset)); err != nil {
		return nil, corrupt("raw segment %d at %d: %v", ref.segment, ref.offset, err)
	}
	if sha256.Sum256(raw) != ref.hash {
		return nil, corrupt("raw segment %d at %d: checksum", ref.segment, ref.offset)
	}
	return raw, nil
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
