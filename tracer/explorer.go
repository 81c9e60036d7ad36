package tracer

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// explorer is one site: the network of its plain pages (empty: it must be
// named), and the networks that a part of the path names.
type explorer struct {
	plain ledger.Chain
	paths map[string]ledger.Chain
}

func explorers() map[string]explorer {
	esplora := explorer{"bitcoin", map[string]ledger.Chain{"testnet": "bitcoin-testnet", "signet": "bitcoin-signet"}}
	return map[string]explorer{
		"mempool.space": esplora, "blockstream.info": esplora,
		"blockchair.com":    {"", map[string]ledger.Chain{"bitcoin": "bitcoin", "ethereum": "ethereum", "tron": "tron", "bnb": "bnb"}},
		"blockchain.com":    {"", map[string]ledger.Chain{"btc": "bitcoin", "eth": "ethereum"}},
		"etherscan.io":      {plain: "ethereum"},
		"bscscan.com":       {plain: "bnb"},
		"polygonscan.com":   {plain: "polygon"},
		"arbiscan.io":       {plain: "arbitrum"},
		"basescan.org":      {plain: "base"},
		"tronscan.org":      {plain: "tron"},
		"tronscan.io":       {plain: "tron"},
		"nile.tronscan.org": {plain: "tron-nile"},
	}
}

const explorerWanted = "a transaction page of mempool.space, blockstream.info, blockchair.com, blockchain.com, the etherscan family or tronscan.org"

// network reads the parts of a page's path before the hash. A part that names
// neither a known network nor the page's kind may name a network that we do
// not know: a hash must not be looked up in another one than its page shows.
func (e explorer) network(parts []string) (ledger.Chain, string) {
	chain := e.plain
	for _, part := range parts {
		part = strings.ToLower(part)
		if c, ok := e.paths[part]; ok {
			chain = c
			continue
		}
		switch part {
		case "", "explorer", "transaction", "transactions":
			continue
		}
		if len(part) != 2 { // tx, or a language
			return "", part
		}
	}
	return chain, ""
}

func parseURL(text string) (Ref, error) {
	ref := Ref{Text: text}
	u, err := url.Parse(text)
	if err != nil {
		return ref, ledger.Invalid("ref", refWanted, text)
	}
	page := u.Path + "/" + u.Fragment
	found := regexp.MustCompile(`/(?:0x)?([0-9a-fA-F]{64})(?:$|[/?&:])`).FindStringSubmatchIndex(page)
	site, known := explorers()[strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")]
	if !known || found == nil {
		return ref, ledger.Invalid("ref", explorerWanted, text)
	}
	chain, strange := site.network(strings.Split(page[:found[0]], "/"))
	if strange != "" || chain == "" {
		return ref, ledger.Invalid("ref", explorerWanted+"; of network "+quoted(strange)+" nothing is known", text)
	}
	ref.Chain = chain
	if ref.Tx, err = ledger.ParseTxID(page[found[2]:found[3]]); err != nil {
		return ref, err
	}
	rest := page[found[3]:] + "?" + u.RawQuery
	if vout := regexp.MustCompile(`(?:vout=|output:|^:)([0-9]+)`).FindStringSubmatch(rest); vout != nil && chain.UTXO() {
		return ref, ref.parsePick(vout[1])
	}
	return ref, nil
}

func quoted(part string) string {
	if len(part) > 20 {
		part = part[:20] + "..."
	}
	return strconv.Quote(part)
}
