package main

import (
	"encoding/binary"
	"hash"
	"math/bits"
)

// blake2b512 is BLAKE2b of 64 bytes without a key (RFC 7693), by which minisign hashes a file before it signs.
type blake2b512 struct {
	h      [8]uint64
	block  [128]byte
	filled int
	length uint64 // bytes that were mixed in; 2^64 are never reached
}

var _ hash.Hash = (*blake2b512)(nil)

func newBlake2b512() *blake2b512 {
	b := &blake2b512{}
	b.Reset()
	return b
}

// blakeStart are the first words of SHA-512 (section 2.6).
func blakeStart() [8]uint64 {
	return [8]uint64{
		0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
		0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
	}
}

// blakeOrder is in which order a round takes the words of a block (section 2.7).
func blakeOrder() [10][16]byte {
	return [10][16]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
		{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
		{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
		{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
		{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
		{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
		{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
		{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
		{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
	}
}

func (b *blake2b512) Reset() {
	*b = blake2b512{h: blakeStart()}
	b.h[0] ^= 0x01010000 ^ 64 // fanout 1, depth 1, no key, 64 bytes
}

func (b *blake2b512) Size() int { return 64 }

func (b *blake2b512) BlockSize() int { return len(b.block) }

// Write takes in bytes. The last block is mixed differently, so that a full one waits for what comes after it.
func (b *blake2b512) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if b.filled == len(b.block) {
			b.mix(len(b.block), false)
			b.filled = 0
		}
		taken := copy(b.block[b.filled:], p)
		b.filled += taken
		p = p[taken:]
	}
	return n, nil
}

// Sum appends the hash of what was written.
func (b *blake2b512) Sum(to []byte) []byte {
	last := *b
	clear(last.block[last.filled:])
	last.mix(last.filled, true)
	for _, word := range last.h {
		to = binary.LittleEndian.AppendUint64(to, word)
	}
	return to
}

// mix is the compression function F (section 3.2).
func (b *blake2b512) mix(bytes int, last bool) {
	b.length += uint64(bytes)
	var m, v [16]uint64
	for i := range m {
		m[i] = binary.LittleEndian.Uint64(b.block[8*i:])
	}
	start := blakeStart()
	copy(v[:], b.h[:])
	copy(v[8:], start[:])
	v[12] ^= b.length
	if last {
		v[14] = ^v[14]
	}
	order := blakeOrder()
	for round := range 12 {
		s := order[round%10]
		for i := range 4 {
			blakeG(&v, i, 4+i, 8+i, 12+i, m[s[2*i]], m[s[2*i+1]])
		}
		for i := range 4 {
			blakeG(&v, i, 4+(i+1)%4, 8+(i+2)%4, 12+(i+3)%4, m[s[8+2*i]], m[s[9+2*i]])
		}
	}
	for i := range b.h {
		b.h[i] ^= v[i] ^ v[i+8]
	}
}

// blakeG mixes four words with two of the block (section 3.1).
func blakeG(v *[16]uint64, a, b, c, d int, x, y uint64) {
	v[a] += v[b] + x
	v[d] = bits.RotateLeft64(v[d]^v[a], -32)
	v[c] += v[d]
	v[b] = bits.RotateLeft64(v[b]^v[c], -24)
	v[a] += v[b] + y
	v[d] = bits.RotateLeft64(v[d]^v[a], -16)
	v[c] += v[d]
	v[b] = bits.RotateLeft64(v[b]^v[c], -63)
}
