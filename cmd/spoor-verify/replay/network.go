package replay

import (
	"cmp"
	"slices"
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

// familyOf knows a network by its name; "evm-" and a chain id is any other of that family, "service-" and a name the accounts of a service's
// customers. Of one that is not known, it is "".
func familyOf(network string) string {
	switch network {
	case "bitcoin", "bitcoin-testnet", "bitcoin-signet", "bitcoin-regtest", "bitcoin-simnet":
		return familyBitcoin
	case "ethereum", "bnb", "polygon", "arbitrum", "base":
		return familyEVM
	case "tron", "tron-nile":
		return familyTRON
	}
	if digits, ok := strings.CutPrefix(network, "evm-"); ok && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return familyEVM
	}
	if _, ok := strings.CutPrefix(network, "service-"); ok {
		return familyService
	}
	return ""
}

func isUTXO(network string) bool { return familyOf(network) == familyBitcoin }

func native(network string) string { return network + ":native" }

func onNetwork(network, asset string) bool { return strings.HasPrefix(asset, network+":") }

// indexText writes a transfer's index as people name it.
func indexText(network, kind string, index uint32) string {
	text := strconv.FormatUint(uint64(index), 10)
	switch {
	case isUTXO(network):
	case kind == "internal":
		return "i" + text
	case kind == "native" && familyOf(network) == familyEVM:
		return "n"
	}
	return text
}

// sorted brings findings into the order of their subjects.
func sorted(found []Finding) []Finding {
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Subject, b.Subject), strings.Compare(a.Want, b.Want), strings.Compare(a.Got, b.Got))
	})
	return found
}
