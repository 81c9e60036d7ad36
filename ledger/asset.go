package ledger

import (
	"encoding/hex"
	"strings"
)

// Asset is a thing that can be owned on one chain: the native coin (Contract
// and TokenID empty) or a token, identified by its contract and never by its
// symbol. TRON's TRC-10 tokens have a TokenID and no contract.
type Asset struct {
	Chain    Chain
	Contract Address // zero for the native asset
	TokenID  string  // decimal id inside a multi-token contract or of a TRC-10 token; empty elsewhere
}

// NativeAsset returns the chain's own coin.
func NativeAsset(c Chain) Asset { return Asset{Chain: c} }

// TokenAsset returns the token of a contract.
func TokenAsset(contract Address) Asset { return Asset{Chain: contract.Chain, Contract: contract} }

// Native reports whether the asset is the chain's own coin.
func (a Asset) Native() bool { return a.Contract == Address{} && a.TokenID == "" }

// NoticeAsset stands for a chain's notices where an index lists events by
// (account, asset): its events move nothing.
func NoticeAsset(c Chain) Asset { return Asset{Chain: c, TokenID: "notices"} }

// ZeroAsset stands for a chain's token transfers of zero where an index lists
// events by (account, asset). They move nothing and are in no list of their token:
// whoever likes can send them, in anybody's name. Only who looks for address
// poisoning reads them.
func ZeroAsset(c Chain) Asset { return Asset{Chain: c, TokenID: "zero transfers"} }

// String prints "bitcoin:native" or "tron:TR7N..."; with a token id, "...#17".
func (a Asset) String() string {
	if a.Native() {
		return string(a.Chain) + ":native"
	}
	s := string(a.Chain) + ":" + a.Contract.String()
	if a.TokenID != "" {
		s += "#" + a.TokenID
	}
	return s
}

// Compare orders assets by chain, then native first, then contract and token id.
func (a Asset) Compare(b Asset) int {
	if c := compareStrings(string(a.Chain), string(b.Chain)); c != 0 {
		return c
	}
	if c := a.Contract.Compare(b.Contract); c != 0 {
		return c
	}
	return compareStrings(a.TokenID, b.TokenID)
}

// AssetInfo is what is printed with an asset. Symbol and decimals of a token
// that the table below does not know are the claim of a file or a contract.
type AssetInfo struct {
	Asset    Asset
	Symbol   string
	Decimals int
	Known    bool   // from the table of this package, not claimed
	Dust     Amount // amounts below this carry no value: the trace's default floor
}

// InfoOf returns the symbol, decimals and dust of the native assets and of the
// stablecoins that this package knows by contract. An unknown token comes back
// with Known false, no symbol, 0 decimals and a dust of one base unit.
//
// The dust figures are judgment: USDT and USDC 1, BTC 1,000 sat, ETH 0.0003,
// TRX 1; other native assets 0.0003.
func InfoOf(a Asset) AssetInfo {
	info := AssetInfo{Asset: a, Dust: NewAmount(1)}
	p, ok := a.Chain.Params()
	if !ok {
		return info
	}
	if a.Native() {
		info.Symbol, info.Decimals, info.Known = p.Symbol, p.Decimals, true
		switch p.Family {
		case FamilyBitcoin:
			info.Dust = NewAmount(1_000)
		case FamilyTRON:
			info.Dust = NewAmount(1_000_000)
		case FamilyEVM:
			info.Dust = NewAmount(300_000_000_000_000)
		}
		return info
	}
	contract := hex.EncodeToString([]byte(a.Contract.Payload))
	for _, s := range stablecoins() {
		if s.chain == a.Chain && s.contract == contract && a.TokenID == "" {
			info.Symbol, info.Decimals, info.Known = s.symbol, s.decimals, true
			info.Dust = NewAmount(s.dust)
		}
	}
	return info
}

// KnownAssets are the native coin of a chain and the stablecoins that this package
// knows on it.
func KnownAssets(c Chain) []Asset {
	all := []Asset{NativeAsset(c)}
	for _, s := range stablecoins() {
		if contract, err := ParseAddress(c, "0x"+s.contract); s.chain == c && err == nil {
			all = append(all, TokenAsset(contract))
		}
	}
	return all
}

// AssetBySymbol returns the asset that people mean by a symbol on a chain: the
// native coin or a known stablecoin. False when this package knows none.
func AssetBySymbol(c Chain, symbol string) (Asset, bool) {
	if p, ok := c.Params(); ok && p.Symbol == symbol {
		return NativeAsset(c), true
	}
	for _, s := range stablecoins() {
		if s.chain == c && s.symbol == symbol {
			contract, err := ParseAddress(c, "0x"+s.contract)
			return TokenAsset(contract), err == nil
		}
	}
	return Asset{}, false
}

type stablecoin struct {
	chain            Chain
	contract, symbol string // the contract's 20 bytes in hex
	decimals         int
	dust             uint64
}

func stablecoins() []stablecoin {
	return []stablecoin{
		{"tron", "a614f803b6fd780986a42c78ec9c7f77e6ded13c", "USDT", 6, 1_000_000}, // TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t
		{"ethereum", "dac17f958d2ee523a2206206994597c13d831ec7", "USDT", 6, 1_000_000},
		{"ethereum", "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "USDC", 6, 1_000_000},
	}
}

// Unfollowable reports a token whose balances change without transfer events
// (rebasing) or whose transfers credit less than they say (fee on transfer).
// The list is judgment and short: stETH and AMPL rebase, PAXG and STA take fees.
func Unfollowable(a Asset) bool {
	if a.Chain != "ethereum" || a.Native() {
		return false
	}
	switch strings.ToLower(a.Contract.String()) {
	case "0xae7ab96520de3a18e5e111b5eaab095312d7fe84", // stETH
		"0xd46ba6d942050d489dbd938a2c909a5d5039a161", // AMPL
		"0x45804880de22913dafe09f4980848ece6ecbaf78", // PAXG
		"0xa7de087329bfcda5639247f96140f9dabe3deed1": // STA
		return true
	}
	return false
}
