package main

import (
	"strconv"
	"strings"
)

// The families of networks.
const (
	familyBitcoin = "bitcoin"
	familyEVM     = "evm"
	familyTRON    = "tron"
	familyService = "service"
)

// network is what a check must know of a network besides its data.
type network struct {
	family   string
	chainID  uint64 // EVM, EIP-155
	keyHash  byte   // Bitcoin: version of an address that is the hash of a key
	codeHash byte   // Bitcoin: version of one that is the hash of a script
	prefix   string // Bitcoin: in front of a segwit address (BIP 173)
	easiest  uint32 // Bitcoin: the easiest target, as headers write it (chainparams.cpp of Bitcoin Core)
}

// networkOf knows a network by its name; "evm-" and a chain id is any other of that family, "service-" and a name the accounts of a service's
// customers, of which nothing can be proven.
func networkOf(name string) (network, bool) {
	switch name {
	case "bitcoin":
		return network{familyBitcoin, 0, 0x00, 0x05, "bc", 0x1d00ffff}, true
	case "bitcoin-testnet":
		return network{familyBitcoin, 0, 0x6f, 0xc4, "tb", 0x1d00ffff}, true
	case "bitcoin-signet":
		return network{familyBitcoin, 0, 0x6f, 0xc4, "tb", 0x1e0377ae}, true
	case "bitcoin-regtest":
		return network{familyBitcoin, 0, 0x6f, 0xc4, "bcrt", 0x207fffff}, true
	case "bitcoin-simnet":
		return network{familyBitcoin, 0, 0x3f, 0x7b, "sb", 0x207fffff}, true
	case "ethereum":
		return network{family: familyEVM, chainID: 1}, true
	case "bnb":
		return network{family: familyEVM, chainID: 56}, true
	case "polygon":
		return network{family: familyEVM, chainID: 137}, true
	case "arbitrum":
		return network{family: familyEVM, chainID: 42161}, true
	case "base":
		return network{family: familyEVM, chainID: 8453}, true
	case "tron", "tron-nile":
		return network{family: familyTRON}, true
	}
	if strings.HasPrefix(name, "service-") {
		return network{family: familyService}, true
	}
	digits, ok := strings.CutPrefix(name, "evm-")
	id, err := strconv.ParseUint(digits, 10, 64)
	return network{family: familyEVM, chainID: id}, ok && err == nil && id > 0 && digits == strconv.FormatUint(id, 10)
}

// movesAsAsked says of a TRON contract that its code moves what a plain call of transfer asks for, which no header shows: Tether's USDT alone.
func movesAsAsked(name, contract string) bool {
	return name == "tron" && contract == "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
}
