package labels

import (
	"strconv"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Options say what a file leaves out, for every tag in it; what the file says
// itself stands. The zero value adds nothing.
type Options struct {
	// Network of lists that name none: ours (ethereum) or a ticker (XBT). USDT and
	// USDC stand for the network whose form the address has.
	Network    string
	Label      string
	Category   string // our id, or a KYT id
	Source     string
	Confidence int // 1-100; 0: the format's own, or unknown (5)
	// MaxAge is when the source is stale; 0: 7 days for a list of sanctions, else never.
	MaxAge time.Duration
	// Complete says that the file is the whole list (Edition), as OFAC's are anyway.
	Complete bool
	// DryRun finds out what the import would do, and writes nothing.
	DryRun bool
}

// check refuses what no tag could carry, and puts the category in our words.
func (o *Options) check() error {
	for name, text := range map[string]string{"network": o.Network, "label": o.Label, "source": o.Source} {
		if len(text) > maxOption || strings.ContainsRune(text, 0) {
			return ledger.Invalid(name, "at most 1024 bytes without NUL", text[:min(len(text), maxOption)])
		}
	}
	if o.Network != "" && !knownNetwork(o.Network) {
		return ledger.Invalid("network", "a network or its ticker, such as ethereum or XBT", o.Network)
	}
	if o.Category != "" {
		c, ok := ParseCategory(o.Category)
		if !ok {
			return ledger.Invalid("category", "a category such as exchange, or a KYT id", o.Category)
		}
		o.Category = c.ID
	}
	if o.Confidence < 0 || o.Confidence > 100 {
		return ledger.Invalid("confidence", "1 to 100", strconv.Itoa(o.Confidence))
	}
	if o.MaxAge < 0 {
		return ledger.Invalid("max_age", "a positive duration", o.MaxAge.String())
	}
	return nil
}

const maxOption = 1024

// knownNetwork says whether a name is a network, indexed or not.
func knownNetwork(name string) bool {
	if _, err := ledger.ParseChain(strings.ToLower(name)); err == nil {
		return true
	}
	upper := strings.ToUpper(name)
	_, ok := tickers[upper]
	return ok || upper == "USDT" || upper == "USDC"
}

// chainIDs are the networks of EVM chain ids (EIP-155), by which Forta names its folders.
var chainIDs = map[string]string{
	"1": "ethereum", "10": "OP", "56": "bnb", "100": "XDAI", "137": "polygon", "250": "FTM", "8453": "base", "42161": "arbitrum", "43114": "AVAX",
}

// explorers are the networks of the folders that etherscan-labels keeps.
var explorers = map[string]string{
	"etherscan": "ethereum", "bscscan": "bnb", "polygonscan": "polygon", "arbiscan": "arbitrum", "optimism": "OP", "ftmscan": "FTM", "snowtrace": "AVAX", "avalanche": "AVAX",
	"celo": "CELO", "gnosis": "XDAI",
}

// NetworkOf guesses the network of a list by the folders it lies in, as two
// published collections have them: Forta's labels/CHAINID/file.csv, and
// etherscan-labels' data/EXPLORER/... "" where the path says nothing.
func NetworkOf(path string) string {
	parts := strings.Split(strings.ToLower(strings.ReplaceAll(path, `\`, "/")), "/")
	for i := 0; i+2 < len(parts); i++ {
		if network := explorers[parts[i+1]]; parts[i] == "data" && network != "" {
			return network
		}
	}
	if n := len(parts); n >= 3 && parts[n-3] == "labels" {
		return chainIDs[parts[n-2]]
	}
	return ""
}
