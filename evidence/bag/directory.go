package bag

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/spoortrace/spoor/ledger"
)

// readDirectory reads names, sizes and checksums from the end of the zip, places the entries as Write would, and compares the whole directory
// with that of a zip of these entries.
func readDirectory(r io.ReaderAt, size int64) ([]entry, error) {
	at, length, err := findDirectory(r, size)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, size-int64(at))
	if _, err := r.ReadAt(raw, int64(at)); err != nil && err != io.EOF {
		return nil, fmt.Errorf("directory: %w", err)
	}
	entries, err := parseDirectory(raw[:length], uint64(size))
	if err != nil {
		return nil, err
	}
	if got := place(entries); got != at {
		return nil, fmt.Errorf("directory: %w: the files in it take %d bytes, and it begins at %d", ledger.ErrCorrupt, got, at)
	}
	if !bytes.Equal(directory(entries, at), raw) {
		return nil, fmt.Errorf("directory: %w: not in the form in which it is written", ledger.ErrCorrupt)
	}
	return entries, nil
}

// findDirectory returns where the directory begins and how long its rows are. Both lie within the file; no more is known of them.
func findDirectory(r io.ReaderAt, size int64) (at, length uint64, err error) {
	tail := make([]byte, min(size, sizeEnd64+sizeLocator64+sizeEnd))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, 0, fmt.Errorf("directory: %w", err)
	}
	if len(tail) < sizeEnd || binary.LittleEndian.Uint32(tail[len(tail)-sizeEnd:]) != sigEnd {
		return 0, 0, noEnd(r, size)
	}
	end := tail[len(tail)-sizeEnd:]
	length, at = uint64(binary.LittleEndian.Uint32(end[12:])), uint64(binary.LittleEndian.Uint32(end[16:]))
	count := binary.LittleEndian.Uint16(end[10:])
	if (count == most16 || length == most32 || at == most32) && len(tail) == sizeEnd64+sizeLocator64+sizeEnd {
		length, at = binary.LittleEndian.Uint64(tail[40:]), binary.LittleEndian.Uint64(tail[48:])
	}
	if at > uint64(size) || length > uint64(size)-at || uint64(size)-at-length > uint64(len(tail)) {
		return 0, 0, fmt.Errorf("directory: %w: %d bytes from %d on do not end a file of %d", ledger.ErrCorrupt, length, at, size)
	}
	if length > longestDirectory {
		return 0, 0, fmt.Errorf("directory: %w: %d bytes, more than %d", ledger.ErrExhausted, length, longestDirectory)
	}
	return at, length, nil
}

// noEnd tells a damaged package from what never was one.
func noEnd(r io.ReaderAt, size int64) error {
	head := make([]byte, 4)
	if _, err := r.ReadAt(head, 0); err == nil && binary.LittleEndian.Uint32(head) == sigLocal {
		return fmt.Errorf("%w: the zip does not end as one: it was cut, or something was put behind it", ledger.ErrCorrupt)
	}
	return fmt.Errorf("%w: no package: %d bytes that are no zip", ledger.ErrInvalid, size)
}

// parseDirectory takes from each row what an entry is made of. The rest of the row is compared later, whole.
func parseDirectory(raw []byte, size uint64) ([]entry, error) {
	var entries []entry
	for len(raw) > 0 {
		e, n, err := parseRow(raw, size)
		if err != nil {
			return nil, fmt.Errorf("directory: row %d: %w", len(entries)+1, err)
		}
		if len(entries) > 0 && entries[len(entries)-1].name >= e.name {
			return nil, fmt.Errorf("directory: row %d: %w: %q stands behind %q", len(entries)+1, ledger.ErrCorrupt, e.name, entries[len(entries)-1].name)
		}
		entries = append(entries, e)
		raw = raw[n:]
	}
	return entries, nil
}

func parseRow(raw []byte, size uint64) (e entry, n int, err error) {
	if len(raw) < sizeCentral || binary.LittleEndian.Uint32(raw) != sigCentral {
		return e, 0, fmt.Errorf("%w: no row of a zip's directory", ledger.ErrCorrupt)
	}
	name, extra := int(binary.LittleEndian.Uint16(raw[28:])), int(binary.LittleEndian.Uint16(raw[30:]))
	n = sizeCentral + name + extra
	if len(raw) < n {
		return e, 0, fmt.Errorf("%w: it was cut", ledger.ErrCorrupt)
	}
	e.crc = binary.LittleEndian.Uint32(raw[16:])
	e.size = uint64(binary.LittleEndian.Uint32(raw[24:]))
	e.name = string(raw[sizeCentral : sizeCentral+name])
	if e.size == most32 && extra >= 12 { // id and length of the field, then the size
		e.size = binary.LittleEndian.Uint64(raw[sizeCentral+name+4:])
	}
	if e.size > size {
		return e, 0, fmt.Errorf("%w: %q has %d bytes in a zip of %d", ledger.ErrCorrupt, e.name, e.size, size)
	}
	return e, n, nil
}
