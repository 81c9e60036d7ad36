package bitcoin

import (
	"encoding/hex"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// MaxBlockSize is the largest serialised block in bytes, and the largest weight (BIP 141).
const MaxBlockSize = 4_000_000

// maxMoney is 21 million coins in satoshi: no output and no sum may exceed it.
const maxMoney = 21_000_000 * 100_000_000

// Network holds the constants of one network that its blocks are checked with.
type Network struct {
	Chain   ledger.Chain
	Genesis ledger.Hash
	Magic   [4]byte // frames records in block files
	Limit   uint32  // easiest target allowed, in the compact form of a header
	Halving uint64  // blocks between two halvings of the subsidy

	// A coinbase of a block at or above BIP34Height states its height. No such
	// block is easier than BIP34Bits or older than BIP34Time. 0: no such bound.
	BIP34Height uint64
	BIP34Bits   uint32
	BIP34Time   uint32

	retarget retargeting
}

// NetworkOf returns the constants of a chain of the Bitcoin family.
func NetworkOf(chain ledger.Chain) (Network, error) {
	var names []string
	for _, n := range networks() {
		if n.Chain == chain {
			return n.withGenesis(), nil
		}
		names = append(names, string(n.Chain))
	}
	return Network{}, ledger.Invalid("network", "one of "+strings.Join(names, ", "), string(chain))
}

// NetworkByMagic returns the chain whose block files are framed with these bytes, for a helpful refusal.
func NetworkByMagic(magic [4]byte) (ledger.Chain, bool) {
	for _, n := range networks() {
		if n.Magic == magic {
			return n.Chain, true
		}
	}
	return "", false
}

func (n Network) withGenesis() Network {
	p, _ := n.Chain.Params()
	b, _ := hex.DecodeString(p.Genesis)
	copy(n.Genesis[:], b)
	return n
}

// Sources: chainparams.cpp of Bitcoin Core, chaincfg of btcd. The bounds of
// mainnet are those of block 227,836 (of the same difficulty period), its time
// less the two hours by which a clock may be wrong.
func networks() []Network {
	return []Network{
		{
			Chain: "bitcoin", Magic: [4]byte{0xf9, 0xbe, 0xb4, 0xd9}, Limit: 0x1d00ffff, Halving: 210_000,
			BIP34Height: 227_931, BIP34Bits: 0x1a02816e, BIP34Time: 1_364_140_204 - 7200, retarget: retargetAlways,
		},
		{Chain: "bitcoin-testnet", Magic: [4]byte{0x0b, 0x11, 0x09, 0x07}, Limit: 0x1d00ffff, Halving: 210_000, BIP34Height: 21_111, retarget: retargetTestnet},
		{Chain: "bitcoin-signet", Magic: [4]byte{0x0a, 0x03, 0xcf, 0x40}, Limit: 0x1e0377ae, Halving: 210_000, BIP34Height: 1, retarget: retargetAlways},
		{Chain: "bitcoin-regtest", Magic: [4]byte{0xfa, 0xbf, 0xb5, 0xda}, Limit: 0x207fffff, Halving: 150, BIP34Height: 1, retarget: retargetNever},
		{Chain: "bitcoin-simnet", Magic: [4]byte{0x16, 0x1c, 0x14, 0x12}, Limit: 0x207fffff, Halving: 210_000, BIP34Height: 1, retarget: retargetTestnet},
	}
}

// Subsidy returns the new coins of a block in satoshi.
func (n Network) Subsidy(height uint64) uint64 {
	halvings := height / n.Halving
	if halvings >= 64 {
		return 0
	}
	return 50 * 100_000_000 >> halvings
}
