package labels

import (
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// tickers maps what tag packs write as network (or as currency, where they
// leave the network out) onto a chain. A token names no chain by itself: USDT
// and USDC without a network are read from the address's form (networkOf).
// "" is a network that people tag and we do not index: its tags are counted and left out.
var tickers = map[string]ledger.Chain{
	"BTC": "bitcoin", "XBT": "bitcoin", "BITCOIN": "bitcoin",
	"ETH": "ethereum", "ETHEREUM": "ethereum", "WETH": "ethereum",
	"TRX": "tron", "TRON": "tron", "TRC20": "tron",
	"BSC": "bnb", "BNB": "bnb", "BEP20": "bnb",
	"MATIC": "polygon", "POLYGON": "polygon", "POL": "polygon",
	"ARB": "arbitrum", "ARBITRUM": "arbitrum", "BASE": "base",
	"BCH": "", "LTC": "", "ZEC": "", "XMR": "", "DASH": "", "BTG": "", "ETC": "", "BSV": "", "XRP": "", "EOS": "", "EOSIO": "", "ALGO": "",
	"OP": "", "CELO": "", "XDAI": "", "FTM": "", "BTT": "", "XVG": "", "HBAR": "", "TON": "", "KCC": "", "KCS": "", "SOL": "", "DOGE": "", "AVAX": "", "BEP2": "", "ADA": "", "DOT": "",
}

// networkOf returns the chain of a tag; false when we do not index it. Names
// that no table knows are networks of others, too: a pack is not refused for them.
func networkOf(name, address string) (ledger.Chain, bool) {
	if c, err := ledger.ParseChain(strings.ToLower(name)); err == nil {
		return c, true
	}
	switch upper := strings.ToUpper(name); {
	case tickers[upper] != "":
		return tickers[upper], true
	case upper != "USDT" && upper != "USDC" && upper != "TETHER":
		return "", false
	}
	return chainOfForm(address)
}

// chainOfForm returns the network whose form an address has, before any checksum
// is looked at. 0x is read as ethereum: every EVM network has that form, and a
// list that names none means the first of them. USDT on Omni lives at a Bitcoin
// address, whose owner is what is tagged.
func chainOfForm(address string) (ledger.Chain, bool) {
	switch {
	case strings.HasPrefix(address, "0x") || strings.HasPrefix(address, "0X"):
		return "ethereum", true
	case len(address) == 34 && strings.HasPrefix(address, "T"):
		return "tron", true
	case len(address) >= 26 && (strings.HasPrefix(address, "1") || strings.HasPrefix(address, "3") || strings.HasPrefix(strings.ToLower(address), "bc1")):
		return "bitcoin", true
	}
	return "", false
}
