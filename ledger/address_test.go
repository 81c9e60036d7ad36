package ledger_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/ethereum/go-ethereum/common"
	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
)

func btcdParams() map[ledger.Chain]*chaincfg.Params {
	return map[ledger.Chain]*chaincfg.Params{
		"bitcoin": &chaincfg.MainNetParams, "bitcoin-testnet": &chaincfg.TestNet3Params, "bitcoin-signet": &chaincfg.SigNetParams,
		"bitcoin-regtest": &chaincfg.RegressionNetParams, "bitcoin-simnet": &chaincfg.SimNetParams,
	}
}

// drawScript draws output scripts of every kind, and noise.
func drawScript(t *rapid.T) []byte {
	p := func(n int) []byte { return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "program") }
	join := func(parts ...[]byte) []byte {
		var all []byte
		for _, part := range parts {
			all = append(all, part...)
		}
		return all
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return join([]byte{0x76, 0xa9, 20}, p(20), []byte{0x88, 0xac})
	case 1:
		return join([]byte{0xa9, 20}, p(20), []byte{0x87})
	case 2:
		return join([]byte{0, 20}, p(20))
	case 3:
		return join([]byte{0, 32}, p(32))
	case 4:
		return join([]byte{0x51, 32}, p(32))
	case 5:
		n := rapid.IntRange(2, 40).Draw(t, "length")
		return join([]byte{byte(rapid.IntRange(0x51, 0x60).Draw(t, "version")), byte(n)}, p(n))
	case 6:
		return join([]byte{33}, p(33), []byte{0xac})
	case 7:
		return join([]byte{0x6a}, p(rapid.IntRange(0, 60).Draw(t, "length")))
	case 8: // version 0 of a length that is no address
		n := rapid.IntRange(2, 40).Draw(t, "length")
		return join([]byte{0, byte(n)}, p(n))
	}
	return p(rapid.IntRange(0, 100).Draw(t, "length"))
}

// scripts: an address keeps its script, prints as btcd prints it and reads back as itself.
func scripts(t *rapid.T) {
	script := drawScript(t)
	for chain, params := range btcdParams() {
		a := ledger.ScriptAddress(chain, script)
		if got := a.Script(); hex.EncodeToString(got) != hex.EncodeToString(script) {
			t.Fatalf("script %x became %x", script, got)
		}
		back, err := ledger.ParseAddress(chain, a.String())
		if err != nil || back != a {
			t.Fatalf("%s: script %x prints %s, which reads %v, %v", chain, script, a, back, err)
		}
		if q, err := ledger.ParseQualified(a.Qualified()); err != nil || q != a {
			t.Fatalf("%s reads %v, %v", a.Qualified(), q, err)
		}
		if want := btcdText(t, a, params); want != "" && a.String() != want {
			t.Fatalf("%s: script %x prints %s, btcd says %s", chain, script, a, want)
		}
	}
}

// btcdText is the text of btcd for the kinds that it knows.
func btcdText(t *rapid.T, a ledger.Address, params *chaincfg.Params) string {
	var theirs address.Address
	var err error
	p := []byte(a.Payload)
	switch a.Kind {
	case ledger.KindP2PKH:
		theirs, err = address.NewAddressPubKeyHash(p, params)
	case ledger.KindP2SH:
		theirs, err = address.NewAddressScriptHashFromHash(p, params)
	case ledger.KindP2WPKH:
		theirs, err = address.NewAddressWitnessPubKeyHash(p, params)
	case ledger.KindP2WSH:
		theirs, err = address.NewAddressWitnessScriptHash(p, params)
	case ledger.KindP2TR:
		theirs, err = address.NewAddressTaproot(p, params)
	default:
		return ""
	}
	if err != nil {
		t.Fatalf("btcd: %v", err)
	}
	return theirs.EncodeAddress()
}

func TestScripts(t *testing.T) { rapid.Check(t, scripts) }

func FuzzScripts(f *testing.F) { fuzz(f, scripts) }

// accounts: EVM prints as go-ethereum does, TRON in base58check; every form reads back.
func accounts(t *rapid.T) {
	raw := [20]byte(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "bytes"))
	digits := hex.EncodeToString(raw[:])
	evm := ledger.AccountAddress("ethereum", raw)
	if want := common.Address(raw).Hex(); evm.String() != want {
		t.Fatalf("%s, go-ethereum says %s", evm, want)
	}
	for _, text := range []string{evm.String(), "0x" + digits, "0X" + strings.ToUpper(digits)} {
		if got, err := ledger.ParseAddress("ethereum", text); err != nil || got != evm {
			t.Fatalf("%s reads %v, %v", text, got, err)
		}
	}
	for _, chain := range []ledger.Chain{"tron", "tron-nile"} {
		a := ledger.AccountAddress(chain, raw)
		for _, text := range []string{a.String(), "41" + digits, "0x" + digits, "0x41" + digits, strings.ToUpper("41" + digits)} {
			if got, err := ledger.ParseAddress(chain, text); err != nil || got != a {
				t.Fatalf("%s: %s reads %v, %v", chain, text, got, err)
			}
		}
		if !strings.HasPrefix(a.String(), "T") || len(a.String()) != 34 {
			t.Fatalf("%x prints %s", raw, a)
		}
	}
}

func TestAccounts(t *testing.T) { rapid.Check(t, accounts) }

func FuzzAccounts(f *testing.F) { fuzz(f, accounts) }

// FuzzParseAddress: whatever is accepted prints a text that reads back as the
// same address; whatever is refused is refused with a short reason.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "script:6a", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "0xdAC17F958D2ee523a2206206994597C13D831ec7", "bc1pfeessrawgf"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, chain := range []ledger.Chain{"bitcoin", "bitcoin-regtest", "ethereum", "tron"} {
			a, err := ledger.ParseAddress(chain, s)
			if err != nil {
				if !errors.Is(err, ledger.ErrInvalid) || len(err.Error()) > 1000 {
					t.Fatalf("%s: %q: %v", chain, s, err)
				}
				continue
			}
			if text := a.String(); !strings.HasPrefix(text, "scripthash:") {
				if back, err := ledger.ParseAddress(chain, text); err != nil || back != a {
					t.Fatalf("%s: %q prints %q, which reads %v, %v", chain, s, text, back, err)
				}
			}
		}
	})
}
