package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// AddressKind says how an Address's payload is to be read.
type AddressKind uint8

// The kinds. On a UTXO chain the identity is the script: the payload is the
// program of a standard script, else the whole script.
const (
	KindNone    AddressKind = iota
	KindScript              // any other script, whole: P2PK, bare multisig, OP_RETURN, non-standard
	KindP2PKH               // 20 bytes
	KindP2SH                // 20 bytes
	KindP2WPKH              // 20 bytes, witness version 0
	KindP2WSH               // 32 bytes, witness version 0
	KindP2TR                // 32 bytes, witness version 1
	KindWitness             // version byte, then a program of 2-40 bytes (BIP 141), P2A among them
	KindAccount             // 20 bytes: EVM and TRON
	KindRef                 // no owner: the Ref of notices, so that an index finds them by it
	KindNamed               // an account at a service, or its asset: a name of 1 to 128 visible ASCII characters
)

// Address is an owner on one chain. It is comparable; two addresses are the
// same owner exactly if they are equal. The text that people see is only its
// rendering.
type Address struct {
	Chain   Chain
	Kind    AddressKind
	Payload string // raw bytes
}

// ParseAddress reads an address of a chain in any form that its users know:
// Bitcoin base58check, bech32, bech32m and "script:HEX"; EVM hex, with its
// EIP-55 checksum verified when it is mixed case; TRON base58check, 41-hex and
// 0x forms.
func ParseAddress(c Chain, s string) (Address, error) {
	switch c.Family() {
	case FamilyBitcoin:
		return parseBitcoin(c, s)
	case FamilyEVM:
		return parseEVM(c, s)
	case FamilyTRON:
		return parseTRON(c, s)
	case FamilyService:
		return parseNamed(c, s)
	}
	_, err := ParseChain(string(c))
	return Address{}, err
}

// parseNamed reads what a service calls an account of its, or an asset.
func parseNamed(c Chain, s string) (Address, error) {
	visible := func(r rune) bool { return r > ' ' && r < 0x7f }
	if s == "" || len(s) > 128 || strings.IndexFunc(s, func(r rune) bool { return !visible(r) }) >= 0 {
		return Address{}, Invalid("address", "an account as the service names it, 1 to 128 visible ASCII characters", s)
	}
	return Address{Chain: c, Kind: KindNamed, Payload: s}, nil
}

// ParseQualified reads NETWORK:ADDRESS.
func ParseQualified(s string) (Address, error) {
	name, rest, ok := strings.Cut(s, ":")
	if !ok || rest == "" {
		return Address{}, Invalid("address", "NETWORK:ADDRESS such as tron:TR7N...", s)
	}
	c, err := ParseChain(name)
	if err != nil {
		return Address{}, err
	}
	return ParseAddress(c, rest)
}

// AccountAddress returns the account of a 20-byte address.
func AccountAddress(c Chain, b [20]byte) Address {
	return Address{Chain: c, Kind: KindAccount, Payload: string(b[:])}
}

// String prints the address as the chain's users know it. A script without an
// address prints as "script:HEX", or "scripthash:HEX" above 128 bytes.
func (a Address) String() string {
	switch {
	case a.Kind == KindNone:
		return ""
	case a.Kind == KindRef || a.Kind == KindNamed:
		return a.Payload
	case a.Kind != KindAccount:
		return bitcoinString(a)
	case a.Chain.Family() == FamilyTRON:
		return tronString(a)
	default:
		return evmString(a)
	}
}

// Qualified prints NETWORK:ADDRESS.
func (a Address) Qualified() string { return string(a.Chain) + ":" + a.String() }

// IsZero reports the absence of an address.
func (a Address) IsZero() bool { return a.Kind == KindNone }

// Key returns what identifies the address inside its chain: SHA-256 of the
// script (32 bytes) on a UTXO chain, the 20 bytes of an account elsewhere. A
// ref's key is the SHA-256 of "ref:" and the ref, cut to the chain's length; a
// name's that of "name:" and the name.
func (a Address) Key() []byte {
	if a.Kind == KindAccount {
		return []byte(a.Payload)
	}
	if a.Kind == KindRef {
		h := sha256.Sum256([]byte("ref:" + a.Payload))
		if a.Chain.UTXO() {
			return h[:]
		}
		return h[:20]
	}
	if a.Kind == KindNamed {
		h := sha256.Sum256([]byte("name:" + a.Payload))
		return h[:20]
	}
	h := sha256.Sum256(a.Script())
	return h[:]
}

// Compare orders addresses by chain, kind and payload.
func (a Address) Compare(b Address) int {
	if c := compareStrings(string(a.Chain), string(b.Chain)); c != 0 {
		return c
	}
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	return compareStrings(a.Payload, b.Payload)
}

// Burn reports that nothing can ever leave the address: the zero account and
// the widely used dead accounts, TRON's black hole, provably unspendable
// Bitcoin scripts (OP_RETURN first, or over 10,000 bytes).
func (a Address) Burn() bool {
	if a.Kind == KindScript {
		return unspendable([]byte(a.Payload))
	}
	if a.Kind != KindAccount {
		return false
	}
	switch hex.EncodeToString([]byte(a.Payload)) {
	case "0000000000000000000000000000000000000000",
		"000000000000000000000000000000000000dead",
		"dead000000000000000042069420694206942069":
		return true
	case "77944d19c052b73ee2286823aa83f8138cb7032f": // TRON's black hole, TLsV52sRDL79HXGGm9yzwKibb6BeruhUzy
		return a.Chain.Family() == FamilyTRON
	}
	return false
}

func compareStrings(a, b string) int { return strings.Compare(a, b) }
