package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
)

// scriptAddress prints what an output's script pays, as users of the network write it; a script without an address in full.
func (n network) scriptAddress(script []byte) string {
	size := len(script)
	switch {
	case size == 25 && bytes.HasPrefix(script, []byte{0x76, 0xa9, 20}) && bytes.HasSuffix(script, []byte{0x88, 0xac}):
		return base58Check(append([]byte{n.keyHash}, script[3:23]...))
	case size == 23 && bytes.HasPrefix(script, []byte{0xa9, 20}) && script[22] == 0x87:
		return base58Check(append([]byte{n.codeHash}, script[2:22]...))
	case (size == 22 || size == 34) && script[0] == 0 && int(script[1]) == size-2:
		return segwitAddress(n.prefix, 0, script[2:])
	case size >= 4 && size <= 42 && script[0] >= 0x51 && script[0] <= 0x60 && int(script[1]) == size-2:
		return segwitAddress(n.prefix, script[0]-0x50, script[2:])
	}
	return "script:" + hex.EncodeToString(script)
}

// account prints an account of 20 bytes.
func (n network) account(b [20]byte) string {
	if n.family == familyTRON {
		return base58Check(append([]byte{0x41}, b[:]...))
	}
	digits := []byte(hex.EncodeToString(b[:]))
	sum := keccak256(digits)
	for i, c := range digits { // EIP-55: capitals are a checksum
		if c >= 'a' && sum[i/2]>>(4*(1-i%2))&8 != 0 {
			digits[i] = c - 'a' + 'A'
		}
	}
	return "0x" + string(digits)
}

// hash prints a block's or transaction's hash, which is in printed order.
func (n network) hash(h [32]byte) string {
	if n.family == familyEVM {
		return "0x" + hex.EncodeToString(h[:])
	}
	return hex.EncodeToString(h[:])
}

// base58Check writes bytes in base 58 with four bytes of checksum.
func base58Check(b []byte) string {
	const digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	sum := doubleSHA256(b)
	b = append(bytes.Clone(b), sum[:4]...)
	n, base, digit := new(big.Int).SetBytes(b), big.NewInt(58), new(big.Int)
	var text []byte
	for n.Sign() > 0 {
		n.DivMod(n, base, digit)
		text = append(text, digits[digit.Int64()])
	}
	for _, c := range b {
		if c != 0 {
			break
		}
		text = append(text, digits[0])
	}
	for i, j := 0, len(text)-1; i < j; i, j = i+1, j-1 {
		text[i], text[j] = text[j], text[i]
	}
	return string(text)
}

// segwitAddress writes a witness program: bech32 for version 0 (BIP 173), bech32m above (BIP 350).
func segwitAddress(prefix string, version byte, program []byte) string {
	const digits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	values := []byte{version}
	var held, bits uint32
	for _, c := range program {
		held, bits = held<<8|uint32(c), bits+8
		for ; bits >= 5; bits -= 5 {
			values = append(values, byte(held>>(bits-5)&31))
		}
	}
	if bits > 0 {
		values = append(values, byte(held<<(5-bits)&31))
	}
	text := prefix + "1"
	for _, v := range append(values, bech32Sum(prefix, version, values)...) {
		text += string(digits[v])
	}
	return text
}

func bech32Sum(prefix string, version byte, values []byte) []byte {
	var all []byte
	for _, c := range []byte(prefix) {
		all = append(all, c>>5)
	}
	all = append(all, 0)
	for _, c := range []byte(prefix) {
		all = append(all, c&31)
	}
	all = append(append(all, values...), 0, 0, 0, 0, 0, 0)
	sum := uint32(1)
	for _, v := range all {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	if sum ^= 1; version > 0 {
		sum ^= 1 ^ 0x2bc830a3
	}
	digits := make([]byte, 6)
	for i := range digits {
		digits[i] = byte(sum >> (5 * (5 - i)) & 31)
	}
	return digits
}

func doubleSHA256(parts ...[]byte) [32]byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return sha256.Sum256(h.Sum(nil))
}
