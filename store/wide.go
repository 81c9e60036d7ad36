package store

import (
	"math/bits"

	"github.com/spoortrace/spoor/ledger"
)

// wide is an unsigned integer of 320 bits, little-endian limbs: the sum of up
// to 2^64 amounts. A hostile token can move 2^256-1 units in every transfer;
// its cumulative sums leave 256 bits although no balance does.
type wide [5]uint64

func wideOf(a ledger.Amount) wide { return wideFromBytes(a.Bytes()) }

// wideFromBytes reads a big-endian integer of at most 40 bytes.
func wideFromBytes(b []byte) (w wide) {
	for i, v := range b {
		at := len(b) - 1 - i
		w[at/8] |= uint64(v) << (at % 8 * 8)
	}
	return w
}

// bytes returns the minimal big-endian form; 0 is empty.
func (w wide) bytes() []byte {
	var b []byte
	for i := 8*len(w) - 1; i >= 0; i-- {
		v := byte(w[i/8] >> (i % 8 * 8))
		if v != 0 || len(b) > 0 {
			b = append(b, v)
		}
	}
	return b
}

// add returns w+o, or ErrOverflow.
func (w wide) add(o wide) (wide, error) {
	var carry uint64
	for i := range w {
		w[i], carry = bits.Add64(w[i], o[i], carry)
	}
	if carry != 0 {
		return wide{}, ledger.ErrOverflow
	}
	return w, nil
}

// sub returns w-o modulo 2^320; the caller knows that o <= w.
func (w wide) sub(o wide) wide {
	var borrow uint64
	for i := range w {
		w[i], borrow = bits.Sub64(w[i], o[i], borrow)
	}
	return w
}

func (w wide) less(o wide) bool {
	for i := len(w) - 1; i >= 0; i-- {
		if w[i] != o[i] {
			return w[i] < o[i]
		}
	}
	return false
}

// amount returns w, or ErrOverflow when it leaves 256 bits.
func (w wide) amount() (ledger.Amount, error) { return ledger.AmountFromBytes(w.bytes()) }
