package ledger

import (
	"strconv"
	"strings"
)

// Chain names one network as users write it: "bitcoin", "tron", "ethereum".
type Chain string

// Family is the kind of protocol that a chain speaks.
type Family uint8

// The families. Bitcoin is UTXO-based; EVM and TRON keep accounts. A service is
// no chain: its accounts are those of its customers, as it disclosed them.
const (
	FamilyUnknown Family = iota
	FamilyBitcoin
	FamilyEVM
	FamilyTRON
	FamilyService
)

// Params are the constants of one network.
type Params struct {
	Chain    Chain
	Family   Family
	Genesis  string // hash of block 0 as printed; empty where the network is identified by ChainID alone
	ChainID  uint64 // EIP-155; 0 elsewhere
	P2PKH    byte   // Bitcoin: version byte of a pay-to-pubkey-hash address
	P2SH     byte   // Bitcoin: version byte of a pay-to-script-hash address
	HRP      string // Bitcoin: human-readable part of a segwit address (BIP 173)
	Symbol   string // native asset
	Decimals int    // native asset
	// ReorgBound is the number of blocks below the tip that may still be
	// replaced: 100 on Bitcoin (coinbase maturity), 64 on Ethereum (two
	// epochs), 19 on TRON (solidified by 19 of 27 producers).
	ReorgBound uint64
}

// Params returns the network's constants, and false for a name that is not
// known. "evm-" and a chain id names any EVM network that has no name here, and
// "service-" and an entity's id the accounts of its customers.
func (c Chain) Params() (Params, bool) {
	if _, ok := c.Service(); ok {
		return Params{Chain: c, Family: FamilyService}, true
	}
	if id, ok := strings.CutPrefix(string(c), "evm-"); ok {
		return unnamedEVM(c, id)
	}
	p := named(c)
	return p, p.Family != FamilyUnknown
}

// Family returns the chain's family, FamilyUnknown for a name that is not known.
// It is asked for every address, so that the names stand here once more.
func (c Chain) Family() Family {
	switch c {
	case "bitcoin", "bitcoin-testnet", "bitcoin-signet", "bitcoin-regtest", "bitcoin-simnet":
		return FamilyBitcoin
	case "tron", "tron-nile":
		return FamilyTRON
	case "ethereum", "bnb", "polygon", "arbitrum", "base":
		return FamilyEVM
	}
	p, _ := c.Params()
	return p.Family
}

// UTXO reports whether value on this chain is held in outputs, not accounts.
func (c Chain) UTXO() bool { return c.Family() == FamilyBitcoin }

const servicePrefix = "service-"

// ServiceChain names the accounts of a service's customers. An entity's id is 1
// to 64 small letters, digits, dots, dashes and underscores.
func ServiceChain(entity string) (Chain, error) {
	c := Chain(servicePrefix + entity)
	if _, ok := c.Service(); !ok {
		return "", Invalid("entity", "1 to 64 small letters, digits, dots, dashes or underscores", entity)
	}
	return c, nil
}

// Service returns the entity whose customers' accounts a network stands for.
func (c Chain) Service() (entity string, ok bool) {
	entity, ok = strings.CutPrefix(string(c), servicePrefix)
	const known = "abcdefghijklmnopqrstuvwxyz0123456789._-"
	return entity, ok && entity != "" && len(entity) <= 64 && strings.Trim(entity, known) == ""
}

// ParseChain reads a network's name.
func ParseChain(s string) (Chain, error) {
	if _, ok := Chain(s).Params(); ok {
		return Chain(s), nil
	}
	return "", Invalid("network", "one of "+strings.Join(chainNames(), ", ")+", evm-CHAINID, or service-ENTITY", s)
}

// unnamedEVM gives a network that is known by its chain id alone the constants
// of Ethereum: 18 decimals, and a reorg bound for sources that name no final block.
func unnamedEVM(c Chain, id string) (Params, bool) {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil || n == 0 || id != strconv.FormatUint(n, 10) {
		return Params{}, false
	}
	for _, other := range Networks() {
		if named(other).ChainID == n {
			return Params{}, false // it has a name, and one network has one name
		}
	}
	return Params{Chain: c, Family: FamilyEVM, ChainID: n, Symbol: "COIN", Decimals: 18, ReorgBound: 64}, true
}

func chainNames() []string {
	var names []string
	for _, c := range Networks() {
		names = append(names, string(c))
	}
	return names
}

// Networks lists those that have a name.
func Networks() []Chain {
	return []Chain{
		"bitcoin", "bitcoin-testnet", "bitcoin-signet", "bitcoin-regtest", "bitcoin-simnet",
		"ethereum", "bnb", "polygon", "arbitrum", "base", "tron", "tron-nile",
	}
}

// named returns the constants of one of the networks. It is asked for every
// transfer, hence a switch.
func named(c Chain) Params {
	switch c {
	case "bitcoin":
		return Params{Chain: c, Family: FamilyBitcoin, Genesis: "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f", P2PKH: 0x00, P2SH: 0x05, HRP: "bc", Symbol: "BTC", Decimals: 8, ReorgBound: 100}
	case "bitcoin-testnet":
		return Params{Chain: c, Family: FamilyBitcoin, Genesis: "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943", P2PKH: 0x6f, P2SH: 0xc4, HRP: "tb", Symbol: "tBTC", Decimals: 8, ReorgBound: 100}
	case "bitcoin-signet":
		return Params{Chain: c, Family: FamilyBitcoin, Genesis: "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6", P2PKH: 0x6f, P2SH: 0xc4, HRP: "tb", Symbol: "sBTC", Decimals: 8, ReorgBound: 100}
	case "bitcoin-regtest":
		return Params{Chain: c, Family: FamilyBitcoin, Genesis: "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206", P2PKH: 0x6f, P2SH: 0xc4, HRP: "bcrt", Symbol: "rBTC", Decimals: 8, ReorgBound: 100}
	case "bitcoin-simnet":
		return Params{Chain: c, Family: FamilyBitcoin, Genesis: "683e86bd5c6d110d91b94b97137ba6bfe02dbbdb8e3dff722a669b5d69d77af6", P2PKH: 0x3f, P2SH: 0x7b, HRP: "sb", Symbol: "simBTC", Decimals: 8, ReorgBound: 100}
	case "ethereum":
		return Params{Chain: c, Family: FamilyEVM, Genesis: "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3", ChainID: 1, Symbol: "ETH", Decimals: 18, ReorgBound: 64}
	case "bnb":
		return Params{Chain: c, Family: FamilyEVM, ChainID: 56, Symbol: "BNB", Decimals: 18, ReorgBound: 64}
	case "polygon":
		return Params{Chain: c, Family: FamilyEVM, ChainID: 137, Symbol: "POL", Decimals: 18, ReorgBound: 512}
	case "arbitrum":
		return Params{Chain: c, Family: FamilyEVM, ChainID: 42161, Symbol: "ETH", Decimals: 18, ReorgBound: 64}
	case "base":
		return Params{Chain: c, Family: FamilyEVM, ChainID: 8453, Symbol: "ETH", Decimals: 18, ReorgBound: 64}
	case "tron":
		return Params{Chain: c, Family: FamilyTRON, Genesis: "00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc", ChainID: 728126428, Symbol: "TRX", Decimals: 6, ReorgBound: 19}
	case "tron-nile":
		return Params{Chain: c, Family: FamilyTRON, Genesis: "0000000000000000d698d4192c56cb6be724a558448e2684802de4d6cd8690dc", ChainID: 3448148188, Symbol: "TRX", Decimals: 6, ReorgBound: 19}
	}
	return Params{}
}

func itoa(n int) string { return strconv.Itoa(n) }
