package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/btcsuite/btcd/address/v2/base58"
	"golang.org/x/crypto/ripemd160" //nolint:staticcheck // HASH160 is defined by it
	"golang.org/x/crypto/sha3"
)

const tronPrefix = 0x41

func hash160(b []byte) []byte {
	h := sha256.Sum256(b)
	r := ripemd160.New()
	r.Write(h[:])
	return r.Sum(nil)
}

// evmString prints the EIP-55 checksummed form.
func evmString(a Address) string {
	return "0x" + checksummed(hex.EncodeToString([]byte(a.Payload)))
}

// checksummed capitalises the letters whose nibble in keccak256(lower-case hex) is 8 or more (EIP-55).
func checksummed(lower string) string {
	h := sha3.NewLegacyKeccak256()
	h.Write([]byte(lower))
	sum := h.Sum(nil)
	out := []byte(lower)
	for i, ch := range out {
		nibble := sum[i/2] >> 4
		if i%2 == 1 {
			nibble = sum[i/2] & 0xf
		}
		if ch >= 'a' && nibble >= 8 {
			out[i] = ch - 'a' + 'A'
		}
	}
	return string(out)
}

func parseEVM(c Chain, s string) (Address, error) {
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok {
		digits, ok = strings.CutPrefix(s, "0X")
	}
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != 20 {
		return Address{}, Invalid("address", "a "+string(c)+" address: 0x and 40 hex digits", s)
	}
	lower := strings.ToLower(digits)
	if digits != lower && digits != strings.ToUpper(digits) {
		if want := checksummed(lower); digits != want {
			return Address{}, Invalid("address", "an EIP-55 address; checksum mismatch at character "+itoa(3+mismatch(digits, want)), s)
		}
	}
	return Address{Chain: c, Kind: KindAccount, Payload: string(raw)}, nil
}

func mismatch(a, b string) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

func tronString(a Address) string { return base58.CheckEncode([]byte(a.Payload), tronPrefix) }

// parseTRON reads T... (base58check over 0x41 and 20 bytes), 41 and 40 hex
// digits, and 0x and 40 hex digits (TRON's own checksum-free EVM form).
func parseTRON(c Chain, s string) (Address, error) {
	digits, isHex := s, len(s) == 42 && strings.HasPrefix(s, "41")
	if h, ok := strings.CutPrefix(s, "0x"); ok {
		digits, isHex = "41"+strings.TrimPrefix(h, "41"), len(h) == 40 || len(h) == 42
		if len(h) == 40 {
			digits = "41" + h
		}
	}
	if isHex {
		raw, err := hex.DecodeString(digits)
		if err != nil || len(raw) != 21 || raw[0] != tronPrefix {
			return Address{}, Invalid("address", "a "+string(c)+" address: T..., 41 and 40 hex digits, or 0x and 40 hex digits", s)
		}
		return Address{Chain: c, Kind: KindAccount, Payload: string(raw[1:])}, nil
	}
	payload, version, err := base58.CheckDecode(s)
	if err != nil {
		return Address{}, Invalid("address", "a "+string(c)+" address: T... in base58check ("+err.Error()+")", s)
	}
	if version != tronPrefix || len(payload) != 20 {
		return Address{}, Invalid("address", "a "+string(c)+" address; this one is of another chain", s)
	}
	return Address{Chain: c, Kind: KindAccount, Payload: string(payload)}, nil
}
