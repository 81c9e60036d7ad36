package main

import (
	"encoding/binary"
	"math/bits"
)

// keccakRate is how many bytes Keccak-256 takes in before it mixes.
const keccakRate = 136

// keccak256 is Keccak-256 with the padding of before FIPS 202 (0x01), which is what Ethereum calls by that name.
func keccak256(parts ...[]byte) [32]byte {
	var text []byte
	for _, p := range parts {
		text = append(text, p...)
	}
	padded := make([]byte, (len(text)/keccakRate+1)*keccakRate)
	copy(padded, text)
	padded[len(text)] ^= 0x01
	padded[len(padded)-1] ^= 0x80
	var a [25]uint64
	for ; len(padded) > 0; padded = padded[keccakRate:] {
		for i := range keccakRate / 8 {
			a[i] ^= binary.LittleEndian.Uint64(padded[8*i:])
		}
		keccakMix(&a)
	}
	var sum [32]byte
	for i := range 4 {
		binary.LittleEndian.PutUint64(sum[8*i:], a[i])
	}
	return sum
}

// keccakMix is the permutation Keccak-f[1600] (FIPS 202, section 3). Lane (x, y) is a[x+5*y].
func keccakMix(a *[25]uint64) {
	lfsr := uint16(1)
	for range 24 {
		keccakTheta(a)
		keccakRhoPi(a)
		for y := 0; y < 25; y += 5 { // chi
			row := [5]uint64(a[y : y+5])
			for x := range 5 {
				a[y+x] = row[x] ^ ^row[(x+1)%5]&row[(x+2)%5]
			}
		}
		for j := range 7 { // iota: its constants come out of a shift register (section 3.2.5)
			a[0] ^= uint64(lfsr&1) << (1<<j - 1)
			if lfsr <<= 1; lfsr&0x100 != 0 {
				lfsr ^= 0x171
			}
		}
	}
}

func keccakTheta(a *[25]uint64) {
	var column [5]uint64
	for i, lane := range a {
		column[i%5] ^= lane
	}
	for i := range a {
		a[i] ^= column[(i+4)%5] ^ bits.RotateLeft64(column[(i+1)%5], 1)
	}
}

func keccakRhoPi(a *[25]uint64) {
	x, y, lane := 1, 0, a[1]
	for t := 1; t <= 24; t++ {
		x, y = y, (2*x+3*y)%5
		a[x+5*y], lane = bits.RotateLeft64(lane, t*(t+1)/2), a[x+5*y]
	}
}
