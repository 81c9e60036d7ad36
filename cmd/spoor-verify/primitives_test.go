package main

import (
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
)

// Published vectors: the Keccak team's of the submission's padding, and what Ethereum's protocol fixes.
func TestKeccak(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
		"abc":                               "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
		"Transfer(address,address,uint256)": "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
		"\x80":                              "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421", // root of an empty trie
	} {
		if sum := keccak256([]byte(text)); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%q: got %x, want %s", text, sum, want)
		}
	}
	for n := range 3 * keccakRate { // the parts are one text
		text := []byte(strings.Repeat("s", n))
		if keccak256(text) != keccak256(text[:n/2], text[n/2:]) {
			t.Errorf("%d bytes in two parts have another hash", n)
		}
	}
}

// Vectors of RFC 7693, appendix A, and of its reference implementation.
func TestBlake2b(t *testing.T) {
	for text, want := range map[string]string{
		"":    "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce",
		"abc": "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
	} {
		b := newBlake2b512()
		_, _ = b.Write([]byte(text))
		if got := hex.EncodeToString(b.Sum(nil)); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	for n := range 400 { // however it is written, it is one text
		text := []byte(strings.Repeat("blake", 80))[:n]
		whole, pieces := newBlake2b512(), newBlake2b512()
		_, _ = whole.Write(text)
		for i := range text {
			_, _ = pieces.Write(text[i : i+1])
		}
		if hex.EncodeToString(whole.Sum(nil)) != hex.EncodeToString(pieces.Sum(nil)) {
			t.Errorf("%d bytes: the hash depends on how they are written", n)
		}
	}
}

// The example of EIP-155: the key 0x4646...46 signs, and its account is recovered.
func TestRecoverAccount(t *testing.T) {
	raw, err := hex.DecodeString("f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := readEthereumTx(raw)
	if err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(tx.from[:]) != "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f" || tx.chainID != 1 || tx.nonce != 9 || tx.value.String() != "1000000000000000000" {
		t.Errorf("got %+v", tx)
	}
	c, base := secp256k1()
	if end := c.sum(base, c.n, base, new(big.Int)); end.z.Sign() != 0 {
		t.Error("n times the base point is not infinity")
	}
	x, y := c.plain(c.sum(base, new(big.Int).Sub(c.n, big.NewInt(2)), base, big.NewInt(1)))
	if x.Cmp(base.x) != 0 || new(big.Int).Add(y, base.y).Cmp(c.p) != 0 {
		t.Error("n-1 times the base point is not its mirror")
	}
	for name, r := range map[string]*big.Int{"no r": new(big.Int), "r of n": c.n, "r of no point": big.NewInt(5)} {
		if _, err := recoverAccount([32]byte{1}, r, big.NewInt(1), false); err == nil {
			t.Errorf("%s: a key is recovered", name)
		}
	}
}

// Vectors of BIP 49, BIP 173, BIP 350, EIP-55 and of TRON's documents.
func TestAddresses(t *testing.T) {
	for script, want := range map[string]string{
		"76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac":                   "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
		"a914336caa13e08b96080a32b5d818d59b4ab3b3674287":                       "bitcoin-testnet:2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2",
		"0014751e76e8199196d454941c45d1b3a323f1433bd6":                         "bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
		"00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262": "bitcoin-testnet:tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
		"512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798": "bitcoin:bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
		"6002751e":                             "bitcoin:bc1sw50qgdz25j",
		"5210751e76e8199196d454941c45d1b3a323": "bitcoin:bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
		"6a0568656c6c6f":                       "bitcoin:script:6a0568656c6c6f",
		"001476":                               "bitcoin:script:001476",
		"":                                     "bitcoin:script:",
	} {
		b, err := hex.DecodeString(script)
		if err != nil {
			t.Fatal(err)
		}
		name, text, _ := strings.Cut(want, ":")
		if n, _ := networkOf(name); n.scriptAddress(b) != text {
			t.Errorf("%s: got %s, want %s", script, n.scriptAddress(b), want)
		}
	}
	for digits, want := range map[string]string{
		"5aaeb6053f3e94c9b9a09f33669435e7ef1beaed": "ethereum:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		"d1220a0cf47c7b9be7a2e6ba89f429762e7b9adb": "ethereum:0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
		"a614f803b6fd780986a42c78ec9c7f77e6ded13c": "tron:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
	} {
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		name, text, _ := strings.Cut(want, ":")
		if n, _ := networkOf(name); n.account([20]byte(b)) != text {
			t.Errorf("%s: got %s, want %s", digits, n.account([20]byte(b)), want)
		}
	}
}

// A number has one serialisation in RLP.
func TestRLP(t *testing.T) {
	for text, ok := range map[string]bool{
		"80": true, "00": true, "8180": true, "8101": false, "b800": false, "b838": false, "b90038": false, "c0": true, "c180": true, "c2": false, "f800": false, "": false, "bfffffffffffffffff": false,
	} {
		b, _ := hex.DecodeString(text)
		if _, _, err := rlpSplit(b); (err == nil) != ok {
			t.Errorf("%q: %v, want read: %v", text, err, ok)
		}
	}
	for n, want := range map[uint64]string{0: "80", 1: "01", 127: "7f", 128: "8180", 1 << 16: "83010000"} {
		if got := hex.EncodeToString(rlpNumber(n)); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

// Targets as headers write them.
func TestTargets(t *testing.T) {
	for bits, want := range map[uint32]string{
		0x1d00ffff: "ffff0000000000000000000000000000000000000000000000000000", 0x05009234: "92340000", 0x04923456: "-12345600", 0x01123456: "12", 0x01003456: "0",
	} {
		if got := expandTarget(bits).Text(16); got != want {
			t.Errorf("%08x: got %s, want %s", bits, got, want)
		}
	}
}
