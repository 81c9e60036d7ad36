package ledger_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// TestSegwitVectors are the valid addresses of BIP 350 (those of BIP 173 for version 0 among them) with their scripts.
func TestSegwitVectors(t *testing.T) {
	for _, v := range []struct {
		chain        ledger.Chain
		text, script string
	}{
		{"bitcoin", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"},
		{"bitcoin-testnet", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7", "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"},
		{"bitcoin", "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y", "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6"},
		{"bitcoin", "BC1SW50QGDZ25J", "6002751e"},
		{"bitcoin", "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"},
		{"bitcoin-testnet", "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy", "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"},
		{"bitcoin-testnet", "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c", "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"},
		{"bitcoin", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"},
		{"bitcoin", "bc1pfeessrawgf", "51024e73"}, // P2A
	} {
		a, err := ledger.ParseAddress(v.chain, v.text)
		if err != nil || hex.EncodeToString(a.Script()) != v.script || a.String() != strings.ToLower(v.text) {
			t.Errorf("%s reads script %x and prints %s, %v; want script %s", v.text, a.Script(), a, err, v.script)
		}
	}
}

// TestBadBitcoin are the invalid addresses of BIP 350 and BIP 173 on the
// network of their prefix, and mistakes that people make.
func TestBadBitcoin(t *testing.T) {
	for _, v := range []struct{ chain, text, says string }{
		{"bitcoin", "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut", ""}, // unknown prefix
		{"bitcoin", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "bech32m"},
		{"bitcoin-testnet", "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf", "bech32m"},
		{"bitcoin", "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL", "bech32m"},
		{"bitcoin", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "bech32 for"},
		{"bitcoin-testnet", "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47", "bech32 for"},
		{"bitcoin", "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", "bech32"}, // o is no letter of it
		{"bitcoin", "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", "witness"},
		{"bitcoin", "bc1pw5dgrnzv", "witness"},
		{"bitcoin", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav", "witness"},
		{"bitcoin", "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "witness"},
		{"bitcoin-testnet", "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq", "bech32"}, // mixed case
		{"bitcoin", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", "witness"},
		{"bitcoin-testnet", "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j", "witness"},
		{"bitcoin", "bc1gmk9yu", ""},
		{"bitcoin", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7", "another network"},
		{"bitcoin", "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "another network"},
		{"bitcoin", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "tron"},
		{"bitcoin", "0xdAC17F958D2ee523a2206206994597C13D831ec7", "an EVM chain"},
		{"bitcoin", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "checksum"},
		{"bitcoin", "", ""},
		{"bitcoin", "script:6", "hex"},
		{"tron", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", "checksum"},
		{"tron", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "another chain"},
		{"tron", "41a614f803b6fd780986a42c78ec9c7f77e6ded13", ""},
		{"tron", "0xa614f803b6fd780986a42c78ec9c7f77e6ded1", ""},
		{"ethereum", "0xdAC17F958D2ee523a2206206994597C13D831ec", "40 hex digits"},
		{"ethereum", "dAC17F958D2ee523a2206206994597C13D831ec7", "40 hex digits"},
		{"ethereum", "0xdAC17F958D2ee523a2206206994597C13D831EC7", "checksum mismatch at character 40"},
		{"ethereum", "0xDAC17F958D2ee523a2206206994597C13D831ec7", "checksum mismatch at character 3"},
		{"atlantis", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "network"},
	} {
		a, err := ledger.ParseAddress(ledger.Chain(v.chain), v.text)
		if !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), v.says) {
			t.Errorf("%s on %s reads %v, %v; want a refusal that says %q", v.text, v.chain, a, err, v.says)
		}
	}
}

// TestEIP55Vectors are the checksums of the standard.
func TestEIP55Vectors(t *testing.T) {
	for _, want := range []string{
		"0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
		"0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
	} {
		a, err := ledger.ParseAddress("ethereum", strings.ToLower(want))
		if err != nil || a.String() != want {
			t.Errorf("%s prints %s, %v", want, a, err)
		}
	}
}

// TestFamousAddresses ties texts that people know to what they stand for.
func TestFamousAddresses(t *testing.T) {
	for _, v := range []struct{ chain, text, payload string }{
		{"tron", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "a614f803b6fd780986a42c78ec9c7f77e6ded13c"}, // USDT
		{"bitcoin", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "62e907b15cbf27d5425399ebf6f0fb50ebb88f18"},
		{"bitcoin", "3P14159f73E4gFr7JterCCQh9QjiTjiZrG", "e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a"},
	} {
		a, err := ledger.ParseAddress(ledger.Chain(v.chain), v.text)
		if err != nil || hex.EncodeToString([]byte(a.Payload)) != v.payload || a.String() != v.text {
			t.Errorf("%s is %x and prints %s, %v; want %s", v.text, a.Payload, a, err, v.payload)
		}
	}
}

// TestPubKeyHashOf: the genesis key pays to the address that explorers show, and is another identity.
func TestPubKeyHashOf(t *testing.T) {
	script, err := hex.DecodeString("4104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac")
	if err != nil {
		t.Fatal(err)
	}
	a := ledger.ScriptAddress("bitcoin", script)
	shown, ok := a.PubKeyHashOf()
	if !ok || shown.String() != "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa" || shown == a {
		t.Errorf("%s is shown as %s, %v", a, shown, ok)
	}
	if _, ok := shown.PubKeyHashOf(); ok {
		t.Error("a P2PKH has no key to show")
	}
}

func TestBurn(t *testing.T) {
	zero := [20]byte{}
	dead := [20]byte{18: 0xde, 19: 0xad}
	blackhole, err := ledger.ParseAddress("tron", "TLsV52sRDL79HXGGm9yzwKibb6BeruhUzy")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := ledger.AccountAddress("ethereum", [20]byte([]byte(blackhole.Payload)))
	for _, v := range []struct {
		a    ledger.Address
		want bool
	}{
		{ledger.AccountAddress("tron", zero), true},
		{ledger.AccountAddress("ethereum", dead), true},
		{blackhole, true},
		{elsewhere, false},
		{ledger.AccountAddress("ethereum", [20]byte{1}), false},
		{ledger.ScriptAddress("bitcoin", []byte{0x6a, 1, 2}), true},
		{ledger.ScriptAddress("bitcoin", make([]byte, 10_001)), true},
		{ledger.ScriptAddress("bitcoin", make([]byte, 10_000)), false},
		{ledger.ScriptAddress("bitcoin", nil), false},
	} {
		if got := v.a.Burn(); got != v.want {
			t.Errorf("burn %.40s: %v", v.a, got)
		}
	}
}
