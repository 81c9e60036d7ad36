package bitcoin

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/holiman/uint256"

	"github.com/spoortrace/spoor/ledger"
)

// HeaderSize is the length of a serialised header in bytes.
const HeaderSize = 80

// Header is a block header. Hashes are in printed order.
type Header struct {
	Hash    ledger.Hash
	Parent  ledger.Hash
	Merkle  ledger.Hash
	Version int32
	Time    uint32 // Unix seconds
	Bits    uint32 // target, compact
}

// ParseHeader reads the first 80 bytes of raw and hashes them. It judges nothing.
func ParseHeader(raw []byte) (Header, error) {
	if len(raw) < HeaderSize {
		return Header{}, ledger.Invalid("block header", "80 bytes", fmt.Sprintf("%d bytes", len(raw)))
	}
	h := Header{
		Hash: printed(doubleHash(raw[:HeaderSize])), Parent: printed([32]byte(raw[4:36])), Merkle: printed([32]byte(raw[36:68])),
		Version: int32(binary.LittleEndian.Uint32(raw)), Time: binary.LittleEndian.Uint32(raw[68:]), Bits: binary.LittleEndian.Uint32(raw[72:]),
	}
	return h, nil
}

// Check proves the header's work: its bits are a target that the network
// allows, and its hash meets that target.
func (n Network) Check(h Header) error {
	target, ok := expand(h.Bits)
	limit, _ := expand(n.Limit)
	if !ok || target.IsZero() || target.Gt(&limit) {
		return ledger.Invalid("block "+h.Hash.String()+", bits", fmt.Sprintf("a target of %s, at most %08x", n.Chain, n.Limit), fmt.Sprintf("%08x", h.Bits))
	}
	if hash := new(uint256.Int).SetBytes32(h.Hash[:]); hash.Gt(&target) {
		return ledger.Invalid("block header", fmt.Sprintf("a hash that meets its target %08x", h.Bits), h.Hash.String())
	}
	return nil
}

// Work returns the expected number of hashes behind a header with these bits: 2^256 / (target + 1).
func Work(bits uint32) uint256.Int {
	var work uint256.Int
	target, ok := expand(bits)
	if !ok || target.IsZero() {
		return work
	}
	// 2^256 does not fit; ^target/(target+1) + 1 is the same number.
	work.Not(&target)
	target.AddUint64(&target, 1)
	work.Div(&work, &target)
	work.AddUint64(&work, 1)
	return work
}

// expand reads a compact target as Bitcoin Core's arith_uint256 does; false when
// it is negative or leaves 256 bits.
func expand(bits uint32) (target uint256.Int, ok bool) {
	size, word := uint(bits>>24), uint64(bits&0x007fffff)
	if size <= 3 {
		word >>= 8 * (3 - size)
		target.SetUint64(word)
	} else {
		target.SetUint64(word)
		target.Lsh(&target, 8*(size-3))
	}
	negative := word != 0 && bits&0x00800000 != 0
	overflow := word != 0 && (size > 34 || (word > 0xff && size > 33) || (word > 0xffff && size > 32))
	return target, !negative && !overflow
}

// compact is the inverse of expand, which loses all but the first bits.
func compact(target *uint256.Int) uint32 {
	size := uint((target.BitLen() + 7) / 8)
	var word uint64
	if size <= 3 {
		word = target.Uint64() << (8 * (3 - size))
	} else {
		word = new(uint256.Int).Rsh(target, 8*(size-3)).Uint64()
	}
	if word&0x00800000 != 0 { // the sign bit
		word >>= 8
		size++
	}
	return uint32(size)<<24 | uint32(word)
}

func doubleHash(b []byte) [32]byte {
	first := sha256.Sum256(b)
	return sha256.Sum256(first[:])
}

// printed turns a hash from the order in which it is computed to the one in
// which people print it, and back.
func printed(h [32]byte) [32]byte {
	slices.Reverse(h[:])
	return h
}
