package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/spoortrace/spoor/ledger"
)

// castagnoli is the polynomial of CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers where a value stands and what it says, each part with its
// length, so that a value that turns up under another key is found out.
func checksum(partition, sort, value []byte) uint32 {
	var sum uint32
	var n [binary.MaxVarintLen64]byte
	for _, part := range [...][]byte{partition, sort, value} {
		sum = crc32.Update(sum, castagnoli, n[:binary.PutUvarint(n[:], uint64(len(part)))])
		sum = crc32.Update(sum, castagnoli, part)
	}
	return sum
}

// seal appends the checksum to a value.
func seal(k key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, checksum(k.partition, k.sort, value))
}

// unseal checks and cuts off the checksum.
func unseal(k key, stored []byte) ([]byte, error) {
	cut := len(stored) - 4
	if cut < 0 || checksum(k.partition, k.sort, stored[:cut]) != binary.BigEndian.Uint32(stored[cut:]) {
		return nil, fmt.Errorf("store: row %s: checksum: %w", k, ledger.ErrCorrupt)
	}
	return stored[:cut], nil
}

// Seal appends to a value the checksum that every row of the index ends with:
// CRC-32C over partition, sort key and value. It is for indexes derived from this one.
func Seal(partition, sort, value []byte) []byte { return seal(key{partition, sort}, value) }

// Unseal checks what Seal made and cuts the checksum off; ledger.ErrCorrupt.
func Unseal(partition, sort, stored []byte) ([]byte, error) {
	return unseal(key{partition, sort}, stored)
}

// encoder appends fields to a buffer.
type encoder struct{ b []byte }

func (e *encoder) uint(v uint64)          { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)            { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) byte(v byte)            { e.b = append(e.b, v) }
func (e *encoder) raw(v []byte)           { e.b = append(e.b, v...) }
func (e *encoder) bytes(v []byte)         { e.uint(uint64(len(v))); e.raw(v) }
func (e *encoder) string(v string)        { e.uint(uint64(len(v))); e.b = append(e.b, v...) }
func (e *encoder) amount(a ledger.Amount) { e.bytes(a.Bytes()) }
func (e *encoder) wide(w wide)            { e.bytes(w.bytes()) }
func (e *encoder) point(p ledger.Point)   { e.uint(uint64(p.Pos)); e.uint(uint64(p.Slot)) }

func (e *encoder) bool(v bool) {
	if v {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

func (e *encoder) address(a ledger.Address) {
	e.byte(byte(a.Kind))
	if a.Kind != ledger.KindNone {
		e.string(a.Payload)
	}
}

// decoder reads fields; after the first error everything reads as zero. The
// slices that it returns alias the buffer.
type decoder struct {
	b    []byte
	text string // the buffer as it was at first: strings are cut out of it; may be empty
	bad  bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) raw(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if v := d.raw(1); v != nil {
		return v[0]
	}
	return 0
}

// count reads the number of elements that follow, each of at least one byte.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) hash() (h [32]byte) {
	copy(h[:], d.raw(32))
	return h
}

func (d *decoder) amount() ledger.Amount {
	a, err := ledger.AmountFromBytes(d.bytes())
	if err != nil {
		d.fail()
	}
	return a
}

func (d *decoder) wide() wide {
	b := d.bytes()
	if len(b) > 8*len(wide{}) {
		d.fail()
		return wide{}
	}
	return wideFromBytes(b)
}

func (d *decoder) address(c ledger.Chain) ledger.Address {
	kind := ledger.AddressKind(d.byte())
	if kind == ledger.KindNone {
		return ledger.Address{}
	}
	return ledger.Address{Chain: c, Kind: kind, Payload: d.string()}
}

func (d *decoder) bytes() []byte { return d.raw(d.count()) }
func (d *decoder) bool() bool    { return d.byte() != 0 }
func (d *decoder) point() ledger.Point {
	return ledger.Point{Pos: ledger.Position(d.uint()), Slot: uint32(d.uint())}
}

// string reads a string, without an allocation where the text is at hand.
func (d *decoder) string() string {
	n := d.count()
	at := len(d.text) - len(d.b)
	b := d.raw(n)
	if d.text == "" || len(b) == 0 {
		return string(b)
	}
	return d.text[at : at+n]
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

// end reports what is wrong with the row: a short read, or bytes left over.
func (d *decoder) end(what string) error {
	if d.bad || len(d.b) != 0 {
		return fmt.Errorf("store: %s does not decode: %w", what, ledger.ErrCorrupt)
	}
	return nil
}
