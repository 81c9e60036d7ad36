package bitcoin

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// THORChain takes its orders from the OP_RETURN output of a payment to one of
// its vaults, and writes there what a payment of its own answers. Sources:
// docs.thorchain.org, "Transaction Memos"; thornode, x/thorchain/memo.
//
//	SWAP:ASSET:DESTINATION[:...]   also s and =: the coin leaves for another network
//	OUT:TXID                       paid for the inbound transaction TXID
//	REFUND:TXID                    paid back
//
// The id of a crossing is the inbound transaction on both sides:
// "thorchain:" and its hash, 64 hex digits in small letters without 0x. Forks of
// THORChain write the same memos and are not told apart.
//
// Anybody can write a memo. A swap memo is therefore inferred, and nothing leaves
// Bitcoin by it unless another network paid out under the same id.
//
// Who sends is not told by a block that lacks the coins it spends, and the same
// block must read the same with and without them: Account of a swap is the vault
// that was paid, as Contract is. The recipient is not kept; it may be a name, or an
// address of a form that this network does not have.
const (
	memoProtocol = "thorchain:"
	maxMemo      = 250 // bytes (thornode, constants: MaxMemoSize)
)

// memo is what a THORChain memo says.
type memo struct {
	out     bool // a swap: the coin leaves
	txid    string
	network ledger.Chain // a swap's, empty where it is none of ours
}

// parseMemo reads the text of a memo; false for everything that is not one of
// the three, to the letter.
func parseMemo(text string) (memo, bool) {
	parts := strings.Split(text, ":")
	if len(text) > maxMemo || len(parts) < 2 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return memo{}, false
	}
	switch strings.ToLower(parts[0]) {
	case "swap", "s", "=":
		return parseSwap(parts)
	case "out", "refund":
		digits := strings.ToLower(parts[1])
		id, err := hex.DecodeString(digits)
		if err != nil || len(id) != 32 || len(parts) > 2 || strings.Trim(digits, "0") == "" {
			return memo{}, false
		}
		return memo{txid: digits}, true
	}
	return memo{}, false
}

func parseSwap(parts []string) (memo, bool) {
	if len(parts) < 3 || parts[1] == "" || parts[2] == "" {
		return memo{}, false
	}
	asset, ok := parseMemoAsset(parts[1])
	if !ok {
		return memo{}, false
	}
	return memo{out: true, network: asset}, true
}

// parseMemoAsset reads CHAIN.ASSET, or one of the short forms, and returns the
// network. A synthetic, trade or secured asset (CHAIN/, CHAIN~, CHAIN-) stays with THORChain.
func parseMemoAsset(s string) (ledger.Chain, bool) {
	s = strings.ToUpper(s)
	if long, ok := shortAssets()[s]; ok {
		s = long
	}
	if i := strings.IndexAny(s, "./~"); i > 0 && i < len(s)-1 && alphanumeric(s[:i]) {
		if s[i] != '.' {
			return "", true
		}
		return memoNetworks()[s[:i]], true
	}
	return "", false
}

func alphanumeric(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
}

// shortAssets are the abbreviations of docs.thorchain.org, "Memo Length
// Reduction". Those that a fork of THORChain reads otherwise name no network here.
func shortAssets() map[string]string {
	return map[string]string{
		"A": "A.A", "B": "BTC.BTC", "C": "C.C", "N": "BNB.BNB", "S": "BSC.BNB", "D": "D.D", "E": "ETH.ETH",
		"F": "BASE.ETH", "G": "GAIA.ATOM", "L": "LTC.LTC", "R": "THOR.RUNE", "X": "XRP.XRP",
	}
}

// memoNetworks are THORChain's names of networks that have a name here.
func memoNetworks() map[string]ledger.Chain {
	return map[string]ledger.Chain{
		"ETH": "ethereum", "BSC": "bnb", "BASE": "base", "AVAX": "evm-43114", "TRON": "tron", "BTC": "bitcoin",
	}
}

// memoText returns what an output script of OP_RETURN and one push carries.
func memoText(script string) (string, bool) {
	const opReturn, opPushData1 = 0x6a, 0x4c
	switch {
	case len(script) < 3 || script[0] != opReturn:
		return "", false
	case script[1] < opPushData1 && int(script[1]) == len(script)-2:
		return script[2:], true
	case script[1] == opPushData1 && int(script[2]) == len(script)-3:
		return script[3:], true
	}
	return "", false
}

// readMemo gives a transaction of one OP_RETURN output the notice that it
// carries. The money is the first output with a value: a vault is paid there,
// and a vault pays there, the change comes after it.
func readMemo(tx *ledger.Tx) {
	i := slices.IndexFunc(tx.Outputs, isReturn)
	if i < 0 || tx.Chain != "bitcoin" || slices.ContainsFunc(tx.Outputs[i+1:], isReturn) {
		return
	}
	text, ok := memoText(tx.Outputs[i].Address.Payload)
	if !ok {
		return
	}
	m, ok := parseMemo(text)
	paid := slices.IndexFunc(tx.Outputs, func(o ledger.Output) bool { return !o.Value.IsZero() && !isReturn(o) })
	if !ok || paid < 0 {
		return
	}
	to := tx.Outputs[paid]
	n := ledger.Notice{
		Kind: ledger.NoticeBridgeIn, Account: to.Address, Asset: ledger.NativeAsset(tx.Chain), Amount: to.Value,
		Ref: memoProtocol + m.txid, Grade: ledger.GradeInferred,
	}
	if m.out {
		n.Kind, n.Network, n.Contract, n.Ref = ledger.NoticeBridgeOut, m.network, to.Address, memoProtocol+tx.ID.String()
	}
	tx.Notices = append(tx.Notices, n)
}

func isReturn(o ledger.Output) bool {
	return o.Address.Kind == ledger.KindScript && strings.HasPrefix(o.Address.Payload, "\x6a")
}
