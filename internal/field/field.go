// Package field reads and writes the fields of small binary records: numbers as
// varints, texts as their length and their bytes. What it reads was checksummed
// before, so that an error is a record that we did not write.
package field

import "encoding/binary"

// AppendText appends a text's length and its bytes.
func AppendText(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

// Reader reads from the front of B; after the first thing that is not there,
// Bad is set and everything reads as zero.
type Reader struct {
	B   []byte
	Bad bool
}

// Whole reports whether the record was read to its end, without an error.
func (r *Reader) Whole() bool { return !r.Bad && len(r.B) == 0 }

// Raw returns the next n bytes, which are the record's own.
func (r *Reader) Raw(n uint64) []byte {
	if n > uint64(len(r.B)) {
		r.Fail()
		return nil
	}
	out := r.B[:n]
	r.B = r.B[n:]
	return out
}

// Byte returns the next byte.
func (r *Reader) Byte() byte {
	if b := r.Raw(1); b != nil {
		return b[0]
	}
	return 0
}

// Text returns the next text.
func (r *Reader) Text() string { return string(r.Raw(r.Uint())) }

// Uint returns the next number that has no sign.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.B)
	if !r.skip(n) {
		return 0
	}
	return v
}

// Int returns the next number that has a sign.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.B)
	if !r.skip(n) {
		return 0
	}
	return v
}

// Fail marks the record as one that we did not write.
func (r *Reader) Fail() { r.B, r.Bad = nil, true }

// skip moves over a number of n bytes; false: there is none.
func (r *Reader) skip(n int) bool {
	if n <= 0 {
		r.Fail()
		return false
	}
	r.B = r.B[n:]
	return true
}
