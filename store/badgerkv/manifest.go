package badgerkv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// The side copy holds the MANIFEST as of the last publication. Badger deletes
// every table that its MANIFEST does not name, and a MANIFEST that was cut at a
// record, or zeroed from one, opens without a word. Apart from being appended to,
// a MANIFEST is rarely rewritten as a whole (10,000 deletions).
//
// File: CRC-32C of the rest (4 bytes, big-endian), a prefix of MANIFEST.
const (
	sideName  = "MANIFEST.copy"
	magicSize = 8 // of a MANIFEST
	frameSize = 8 // length and CRC-32C of a record
)

func castagnoli(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// side keeps the copy; it remembers what it has copied.
type side struct {
	dir  string
	size int64
	time time.Time
}

// update copies a MANIFEST that has changed since the last call. The MANIFEST is
// made durable first, so that a copy never is ahead of it.
func (s *side) update() error {
	f, err := os.Open(filepath.Join(s.dir, badger.ManifestFilename))
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && (info.Size() != s.size || !info.ModTime().Equal(s.time)) {
		if err = f.Sync(); err == nil {
			err = s.write(f.Name())
		}
		s.size, s.time = info.Size(), info.ModTime()
	}
	return errors.Join(err, f.Close())
}

func (s *side) write(manifest string) error {
	raw, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	end, err := records(raw) // Badger may be in the middle of the next record
	if err != nil {
		return err
	}
	sealed := binary.BigEndian.AppendUint32(nil, castagnoli(raw[:end]))
	temp := filepath.Join(s.dir, sideName+".tmp")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(sealed, raw[:end]...))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(s.dir, sideName)); err != nil {
		return err
	}
	return syncFile(s.dir)
}

// readSide returns the copied prefix, nil when there is no copy or a damaged one.
func readSide(dir string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, sideName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case len(raw) < 4+magicSize || castagnoli(raw[4:]) != binary.BigEndian.Uint32(raw):
		return nil, nil
	}
	return raw[4:], nil
}

// records returns where the last whole record ends. A record that is cut short is
// what a crash leaves; one of no bytes is Badger's only as the first, of a store
// that was empty, and elsewhere a run of zeros.
func records(raw []byte) (end int, err error) {
	if len(raw) < magicSize {
		return 0, corrupt("MANIFEST has %d bytes", len(raw))
	}
	end = magicSize
	for len(raw)-end >= frameSize {
		size := int(binary.BigEndian.Uint32(raw[end:]))
		if size == 0 && end > magicSize {
			return 0, corrupt("MANIFEST is zero at byte %d", end)
		}
		if size > len(raw)-end-frameSize {
			break
		}
		body := raw[end+frameSize:][:size]
		if castagnoli(body) != binary.BigEndian.Uint32(raw[end+4:]) {
			return 0, corrupt("MANIFEST: checksum of the record at byte %d", end)
		}
		end += frameSize + size
	}
	return end, nil
}

// continues reports whether a MANIFEST has its copy as a prefix, or was rewritten
// since: then its first record, which names all tables, is another one.
func continues(raw, copied []byte) bool {
	if copied == nil || bytes.HasPrefix(raw, copied) {
		return true
	}
	first := firstRecord(raw)
	return len(first) > 0 && !bytes.Equal(first, firstRecord(copied))
}

func firstRecord(raw []byte) []byte {
	if len(raw) < magicSize+frameSize {
		return nil
	}
	size := int(binary.BigEndian.Uint32(raw[magicSize:]))
	if size > len(raw)-magicSize-frameSize {
		return nil
	}
	return raw[magicSize+frameSize:][:size]
}
