package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"sort"
)

// The limits of numbers in a zip; what reaches them stands in a zip64 field (APPNOTE.TXT, section 4.3).
const (
	zip16 = 1<<16 - 1
	zip32 = 1<<32 - 1
)

// zipEntry is a file of the zip; all bytes of its headers follow from these.
type zipEntry struct {
	name     string
	bytes    []byte
	offset   uint64
	checksum uint32
}

// zipSum is the SHA-256 of the one zip that a package of these files can be. A zip with another has bytes that say something else, or nothing.
func (p *pack) zipSum() string {
	sum := sha256.New()
	p.writeZip(sum)
	return hex.EncodeToString(sum.Sum(nil))
}

// writeZip writes that zip: entries sorted by name, stored, dated 1980-01-01, with sizes in front of the bytes and zip64 fields where a number
// needs them. What it writes to is memory or a hash, which take all bytes.
func (p *pack) writeZip(w io.Writer) {
	var entries []zipEntry
	for path, b := range p.files {
		entries = append(entries, zipEntry{name: p.name + "/data/" + path, bytes: b})
	}
	for path, b := range p.tags {
		entries = append(entries, zipEntry{name: p.name + "/" + path, bytes: b})
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].name < entries[j].name })
	at := uint64(0)
	var directory []byte
	for _, e := range entries {
		e.offset, e.checksum = at, crc32.ChecksumIEEE(e.bytes)
		header := e.header()
		_, _ = w.Write(header)
		_, _ = w.Write(e.bytes)
		directory = append(directory, e.row()...)
		at += uint64(len(header)) + e.size()
	}
	_, _ = w.Write(directory)
	_, _ = w.Write(zipEnd(uint64(len(entries)), uint64(len(directory)), at))
}

func (e *zipEntry) size() uint64 { return uint64(len(e.bytes)) }

// header is what stands in front of the entry's bytes.
func (e *zipEntry) header() []byte {
	var wide []uint64
	if e.size() >= zip32 {
		wide = []uint64{e.size(), e.size()}
	}
	b := append([]byte("PK\x03\x04"), e.shared(wide)...)
	return append(append(b, e.name...), zipWide(wide)...)
}

// row is the entry's row of the directory.
func (e *zipEntry) row() []byte {
	var wide []uint64
	if e.size() >= zip32 {
		wide = []uint64{e.size(), e.size()}
	}
	if e.offset >= zip32 {
		wide = append(wide, e.offset)
	}
	b := append([]byte("PK\x01\x02"), 45, 3) // made by version 4.5 on Unix, whose mode of files stands below
	b = append(b, e.shared(wide)...)
	b = append(b, make([]byte, 6)...) // no comment, one disk, no attributes
	b = binary.LittleEndian.AppendUint32(b, 0o100644<<16)
	b = binary.LittleEndian.AppendUint32(b, uint32(min(e.offset, zip32)))
	return append(append(b, e.name...), zipWide(wide)...)
}

// shared are the fields that both have: from the version that is needed to the length of what follows on the name.
func (e *zipEntry) shared(wide []uint64) []byte {
	version := byte(10)
	if wide != nil {
		version = 45
	}
	b := []byte{version, 0, 0, 0, 0, 0, 0, 0, 0x21, 0} // no flags, stored, 1980-01-01 00:00
	size := uint32(min(e.size(), zip32))
	b = binary.LittleEndian.AppendUint32(b, e.checksum)
	b = binary.LittleEndian.AppendUint32(b, size)
	b = binary.LittleEndian.AppendUint32(b, size)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(e.name)))
	return binary.LittleEndian.AppendUint16(b, uint16(len(zipWide(wide))))
}

// zipWide is the extra field of numbers that need 64 bits.
func zipWide(numbers []uint64) []byte {
	if numbers == nil {
		return nil
	}
	b := []byte{1, 0, byte(8 * len(numbers)), 0}
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

// zipEnd is what stands behind the directory of so many entries and bytes, which begins at a place.
func zipEnd(entries, size, at uint64) []byte {
	var b []byte
	if entries >= zip16 || size >= zip32 || at >= zip32 {
		b = append(b, "PK\x06\x06"...)
		b = binary.LittleEndian.AppendUint64(b, 44)
		b = append(b, 45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		for _, n := range []uint64{entries, entries, size, at} {
			b = binary.LittleEndian.AppendUint64(b, n)
		}
		b = append(b, "PK\x06\x07\x00\x00\x00\x00"...)
		b = binary.LittleEndian.AppendUint64(b, at+size)
		b = append(b, 1, 0, 0, 0)
	}
	b = append(b, "PK\x05\x06\x00\x00\x00\x00"...)
	count := uint16(min(entries, zip16))
	b = binary.LittleEndian.AppendUint16(b, count)
	b = binary.LittleEndian.AppendUint16(b, count)
	b = binary.LittleEndian.AppendUint32(b, uint32(min(size, zip32)))
	b = binary.LittleEndian.AppendUint32(b, uint32(min(at, zip32)))
	return append(b, 0, 0)
}
