package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/btcsuite/btcd/address/v2/base58"
	"github.com/btcsuite/btcd/address/v2/bech32"
)

// Script opcodes that the standard forms are made of.
const (
	opPushData20 = 0x14
	opPushData32 = 0x20
	op1          = 0x51
	op16         = 0x60
	opReturn     = 0x6a
	opDup        = 0x76
	opEqual      = 0x87
	opEqVerify   = 0x88
	opHash160    = 0xa9
	opCheckSig   = 0xac
	maxScript    = 10_000 // consensus limit: a longer script can never be spent
)

// ScriptAddress returns the owner that an output script pays. It never fails:
// what is no standard form keeps its whole script.
func ScriptAddress(c Chain, script []byte) Address {
	n := len(script)
	address := func(k AddressKind, payload []byte) Address {
		return Address{Chain: c, Kind: k, Payload: string(payload)}
	}
	switch {
	case n == 25 && script[0] == opDup && script[1] == opHash160 && script[2] == opPushData20 && script[23] == opEqVerify && script[24] == opCheckSig:
		return address(KindP2PKH, script[3:23])
	case n == 23 && script[0] == opHash160 && script[1] == opPushData20 && script[22] == opEqual:
		return address(KindP2SH, script[2:22])
	case n == 22 && script[0] == 0 && script[1] == opPushData20:
		return address(KindP2WPKH, script[2:])
	case n == 34 && script[0] == 0 && script[1] == opPushData32:
		return address(KindP2WSH, script[2:])
	case n == 34 && script[0] == op1 && script[1] == opPushData32:
		return address(KindP2TR, script[2:])
	case n >= 4 && n <= 42 && script[0] >= op1 && script[0] <= op16 && int(script[1]) == n-2:
		return address(KindWitness, append([]byte{script[0] - op1 + 1}, script[2:]...))
	}
	return address(KindScript, script)
}

// Script returns the output script that pays a Bitcoin address; nil for an account.
func (a Address) Script() []byte {
	p := []byte(a.Payload)
	switch a.Kind {
	case KindP2PKH:
		return append(append([]byte{opDup, opHash160, opPushData20}, p...), opEqVerify, opCheckSig)
	case KindP2SH:
		return append(append([]byte{opHash160, opPushData20}, p...), opEqual)
	case KindP2WPKH:
		return append([]byte{0, opPushData20}, p...)
	case KindP2WSH:
		return append([]byte{0, opPushData32}, p...)
	case KindP2TR:
		return append([]byte{op1, opPushData32}, p...)
	case KindWitness:
		return append([]byte{p[0] + op1 - 1, byte(len(p) - 1)}, p[1:]...)
	case KindScript:
		return p
	case KindNone, KindAccount, KindRef:
	}
	return nil
}

// PubKeyHashOf returns the P2PKH address of the key in a pay-to-pubkey script,
// which explorers show in its place. It is another identity: it pays the same
// owner only if that is stated.
func (a Address) PubKeyHashOf() (Address, bool) {
	s := []byte(a.Payload)
	n := len(s)
	if a.Kind != KindScript || (n != 35 && n != 67) || int(s[0]) != n-2 || s[n-1] != opCheckSig {
		return Address{}, false
	}
	return Address{Chain: a.Chain, Kind: KindP2PKH, Payload: string(hash160(s[1 : n-1]))}, true
}

func unspendable(script []byte) bool {
	return len(script) > maxScript || (len(script) > 0 && script[0] == opReturn)
}

func bitcoinString(a Address) string {
	params, _ := a.Chain.Params()
	p := []byte(a.Payload)
	switch a.Kind {
	case KindP2PKH:
		return base58.CheckEncode(p, params.P2PKH)
	case KindP2SH:
		return base58.CheckEncode(p, params.P2SH)
	case KindP2WPKH, KindP2WSH:
		return segwit(params.HRP, 0, p)
	case KindP2TR:
		return segwit(params.HRP, 1, p)
	case KindWitness:
		return segwit(params.HRP, p[0], p[1:])
	case KindScript, KindNone, KindAccount:
	}
	if len(p) > 128 {
		h := sha256.Sum256(p)
		return "scripthash:" + hex.EncodeToString(h[:])
	}
	return "script:" + hex.EncodeToString(p)
}

// segwit encodes a witness program: bech32 for version 0 (BIP 173), bech32m above (BIP 350).
func segwit(hrp string, version byte, program []byte) string {
	data, err := bech32.ConvertBits(program, 8, 5, true)
	if err != nil {
		return ""
	}
	encode := bech32.EncodeM
	if version == 0 {
		encode = bech32.Encode
	}
	s, err := encode(hrp, append([]byte{version}, data...))
	if err != nil {
		return ""
	}
	return s
}

func parseBitcoin(c Chain, s string) (Address, error) {
	params, _ := c.Params()
	if h, ok := strings.CutPrefix(s, "script:"); ok {
		script, err := hex.DecodeString(h)
		if err != nil {
			return Address{}, Invalid("address", "script: and the script in hex", s)
		}
		return ScriptAddress(c, script), nil
	}
	if i := strings.LastIndexByte(s, '1'); i > 0 && knownHRP(strings.ToLower(s[:i])) {
		return parseSegwit(c, params, s)
	}
	payload, version, err := base58.CheckDecode(s)
	switch {
	case err != nil && looksLike(s, "0x", "T") != "":
		return Address{}, Invalid("address", "a "+string(c)+" address; this one is of "+looksLike(s, "0x", "T"), s)
	case err != nil:
		return Address{}, Invalid("address", "a "+string(c)+" address in base58check or bech32 ("+err.Error()+")", s)
	case len(payload) == 20 && version == params.P2PKH:
		return Address{Chain: c, Kind: KindP2PKH, Payload: string(payload)}, nil
	case len(payload) == 20 && version == params.P2SH:
		return Address{Chain: c, Kind: KindP2SH, Payload: string(payload)}, nil
	case len(payload) == 20 && version == tronPrefix:
		return Address{}, Invalid("address", "a "+string(c)+" address; this one is of tron", s)
	}
	return Address{}, Invalid("address", "an address of "+string(c)+"; this one is of another network (version byte "+itoa(int(version))+")", s)
}

func parseSegwit(c Chain, params Params, s string) (Address, error) {
	hrp, data, encoding, err := bech32.DecodeGeneric(s)
	if err != nil || len(data) < 1 {
		why := "empty"
		if err != nil {
			why = err.Error()
		}
		return Address{}, Invalid("address", "a valid bech32 address ("+why+")", s)
	}
	if hrp != params.HRP {
		return Address{}, Invalid("address", "an address of "+string(c)+" (prefix "+params.HRP+"1); this one is of another network", s)
	}
	version := data[0]
	if (version == 0) != (encoding == bech32.Version0) {
		return Address{}, Invalid("address", "bech32 for witness version 0, bech32m above (BIP 350)", s)
	}
	program, err := bech32.ConvertBits(data[1:], 5, 8, false)
	n := len(program)
	if err != nil || version > 16 || n < 2 || n > 40 || (version == 0 && n != 20 && n != 32) {
		return Address{}, Invalid("address", "a witness program of BIP 141", s)
	}
	opcode := byte(0)
	if version > 0 {
		opcode = op1 + version - 1
	}
	return ScriptAddress(c, append([]byte{opcode, byte(n)}, program...)), nil
}

func knownHRP(s string) bool {
	for _, c := range Networks() {
		if hrp := named(c).HRP; hrp != "" && hrp == s {
			return true
		}
	}
	return false
}

// looksLike guesses which family a text belongs to, for a helpful refusal.
func looksLike(s, evm, tron string) string {
	switch {
	case strings.HasPrefix(s, evm) && len(s) == 42:
		return "an EVM chain"
	case strings.HasPrefix(s, tron) && len(s) == 34:
		return "tron"
	}
	return ""
}
