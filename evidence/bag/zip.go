package bag

import (
	"encoding/binary"
	"math"
)

// Signatures and constants of the zip format, APPNOTE.TXT 6.3.10, section 4.3.
const (
	sigLocal     = 0x04034b50
	sigCentral   = 0x02014b50
	sigEnd64     = 0x06064b50
	sigLocator64 = 0x07064b50
	sigEnd       = 0x06054b50

	sizeCentral   = 46
	sizeEnd64     = 56
	sizeLocator64 = 20
	sizeEnd       = 22

	madeBy    = 3<<8 | 45 // Unix, as the mode below is read only then
	mode      = 0o100644 << 16
	date      = 1<<5 | 1 // 1980-01-01, the first that the format knows
	version   = 10       // stored files
	version64 = 45
	extra64   = 1
	most16    = math.MaxUint16 // and above: the number stands in a zip64 field
	most32    = math.MaxUint32
)

// longestDirectory bounds what a reader holds of a zip that may be hostile: about a million files.
const longestDirectory = 1 << 28

// entry is one file of the zip. Its bytes are as follow from these four and from nothing else.
type entry struct {
	name   string // ASCII, so that the flag for UTF-8 is never needed
	crc    uint32
	size   uint64
	offset uint64 // of its local header
}

// end returns the offset behind the entry's bytes.
func (e entry) end() uint64 { return e.offset + uint64(len(e.local())) + e.size }

// place gives each entry its offset, one right behind the other, and returns that of the directory.
func place(entries []entry) uint64 {
	var at uint64
	for i := range entries {
		entries[i].offset = at
		at = entries[i].end()
	}
	return at
}

// local returns the header in front of the entry's bytes. Here zip64 takes both sizes or none.
func (e entry) local() []byte {
	var extra []byte
	needed := uint16(version)
	if e.size >= most32 {
		needed = version64
		extra = field64(e.size, e.size)
	}
	b := binary.LittleEndian.AppendUint32(nil, sigLocal)
	b = e.common(b, needed)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(extra)))
	b = append(b, e.name...)
	return append(b, extra...)
}

// central returns the entry's row of the directory.
func (e entry) central() []byte {
	var large []uint64
	if e.size >= most32 {
		large = append(large, e.size, e.size)
	}
	if e.offset >= most32 {
		large = append(large, e.offset)
	}
	var extra []byte
	needed := uint16(version)
	if len(large) > 0 {
		needed = version64
		extra = field64(large...)
	}
	b := binary.LittleEndian.AppendUint32(nil, sigCentral)
	b = binary.LittleEndian.AppendUint16(b, madeBy)
	b = e.common(b, needed)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(extra)))
	b = append(b, make([]byte, 6)...) // no comment, first disk, no internal attributes
	b = binary.LittleEndian.AppendUint32(b, mode)
	b = binary.LittleEndian.AppendUint32(b, clip(e.offset))
	b = append(b, e.name...)
	return append(b, extra...)
}

// common appends what both headers of an entry say alike, from the version to the length of the name.
func (e entry) common(b []byte, needed uint16) []byte {
	b = binary.LittleEndian.AppendUint16(b, needed)
	b = append(b, make([]byte, 6)...) // no flags, stored, midnight
	b = binary.LittleEndian.AppendUint16(b, date)
	b = binary.LittleEndian.AppendUint32(b, e.crc)
	b = binary.LittleEndian.AppendUint32(b, clip(e.size))
	b = binary.LittleEndian.AppendUint32(b, clip(e.size))
	return binary.LittleEndian.AppendUint16(b, uint16(len(e.name)))
}

// directory returns all that stands behind the last entry's bytes, for entries that were placed.
func directory(entries []entry, at uint64) []byte {
	var b []byte
	for _, e := range entries {
		b = append(b, e.central()...)
	}
	count, size := uint64(len(entries)), uint64(len(b))
	if count >= most16 || size >= most32 || at >= most32 {
		b = appendEnd64(b, count, size, at)
	}
	short := uint16(min(count, most16))
	b = binary.LittleEndian.AppendUint32(b, sigEnd)
	b = append(b, make([]byte, 4)...) // one disk
	b = binary.LittleEndian.AppendUint16(b, short)
	b = binary.LittleEndian.AppendUint16(b, short)
	b = binary.LittleEndian.AppendUint32(b, clip(size))
	b = binary.LittleEndian.AppendUint32(b, clip(at))
	return append(b, 0, 0) // no comment
}

func appendEnd64(b []byte, count, size, at uint64) []byte {
	b = binary.LittleEndian.AppendUint32(b, sigEnd64)
	b = binary.LittleEndian.AppendUint64(b, sizeEnd64-12) // of what follows
	b = binary.LittleEndian.AppendUint16(b, madeBy)
	b = binary.LittleEndian.AppendUint16(b, version64)
	b = append(b, make([]byte, 8)...) // one disk
	b = binary.LittleEndian.AppendUint64(b, count)
	b = binary.LittleEndian.AppendUint64(b, count)
	b = binary.LittleEndian.AppendUint64(b, size)
	b = binary.LittleEndian.AppendUint64(b, at)
	b = binary.LittleEndian.AppendUint32(b, sigLocator64)
	b = append(b, make([]byte, 4)...)
	b = binary.LittleEndian.AppendUint64(b, at+size)
	return binary.LittleEndian.AppendUint32(b, 1)
}

// field64 is the one extra field that an entry can have.
func field64(numbers ...uint64) []byte {
	b := binary.LittleEndian.AppendUint16(nil, extra64)
	b = binary.LittleEndian.AppendUint16(b, uint16(8*len(numbers)))
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

// clip is n, or the largest number where n stands in a zip64 field.
func clip(n uint64) uint32 { return uint32(min(n, most32)) }
