package archive

import (
	"fmt"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// field is what a column means.
type field uint8

const (
	fieldExtra   field = iota // known, and not needed
	fieldTx                   // transaction hash
	fieldMillis               // Unix milliseconds
	fieldSeconds              // Unix seconds
	fieldTime                 // Unix seconds or milliseconds, or a date with its zone
	fieldDateUTC              // a date, UTC by its header
	fieldFrom
	fieldTo
	fieldRaw   // base units
	fieldCoins // whole coins
	fieldIn    // whole native coins, received ...
	fieldOut   // ... or sent; one of the two is zero
	fieldToken // contract, or the native coin
	fieldSymbol
	fieldDecimals
	fieldFromTag
	fieldToTag
	fieldStatus    // ok or failed, or Tronscan's mark
	fieldResult    // java-tron's contractRet
	fieldFinal     // Tronscan's finalResult, in the same words
	fieldIsError   // Etherscan: 1 is failed
	fieldReceipt   // Etherscan: 0 is failed
	fieldConfirmed // Tronscan: false is not final
	fieldWallet    // whose download the row is from
	fieldLog       // index of the transfer in its transaction or block
	fieldParent    // Etherscan: marks the export of internal transactions
	fields
)

// columns lists the names that are known, lower case and without anything but
// letters and digits. Sources: our own form; Tronscan's API fields as people
// write them to CSV (transaction_id, block_ts, quant, contractRet, ...);
// Tronscan's web export (Txn Hash, Time(UTC), From, To, Amount/TokenID,
// Token); Etherscan's exports of ERC-20 transfers ("Transaction Hash" or
// "Txhash", Blockno, UnixTimestamp, "DateTime (UTC)", From, To, TokenValue,
// USDValueDayOfTx, ContractAddress, TokenName, TokenSymbol), of one token
// (Quantity, Method), of transactions (Value_IN(ETH), Value_OUT(ETH), Status,
// ErrCode) and of internal transactions (ParentTxFrom, TxTo).
//
// A date must say its zone, in the cell or in the header: a bare "Time" is refused.
var columns = map[string]field{
	"txid": fieldTx, "transactionid": fieldTx, "txhash": fieldTx, "transactionhash": fieldTx, "txnhash": fieldTx, "hash": fieldTx,
	"tsms": fieldMillis, "unixtimestamp": fieldSeconds,
	"timestamp": fieldTime, "blockts": fieldTime, "blocktimestamp": fieldTime, "time": fieldTime, "datetime": fieldTime,
	"datetimeutc": fieldDateUTC, "timeutc": fieldDateUTC, "dateutc": fieldDateUTC,
	"fromaddress": fieldFrom, "from": fieldFrom, "transferfromaddress": fieldFrom,
	"toaddress": fieldTo, "to": fieldTo, "transfertoaddress": fieldTo, "txto": fieldTo,
	"amountraw": fieldRaw, "quant": fieldRaw,
	"amount": fieldCoins, "tokenvalue": fieldCoins, "quantity": fieldCoins, "value": fieldCoins, "amounttokenid": fieldCoins,
	"token": fieldToken, "tokenid": fieldToken, "contractaddress": fieldToken, "tokenaddress": fieldToken,
	"symbol": fieldSymbol, "tokensymbol": fieldSymbol, "tokenabbr": fieldSymbol,
	"decimals": fieldDecimals, "tokendecimal": fieldDecimals, "tokendecimals": fieldDecimals,
	"fromtag": fieldFromTag, "fromaddresstag": fieldFromTag, "totag": fieldToTag, "toaddresstag": fieldToTag,
	"status": fieldStatus, "contractret": fieldResult, "contractreturn": fieldResult, "result": fieldResult, "finalresult": fieldFinal,
	"iserror": fieldIsError, "txreceiptstatus": fieldReceipt, "confirmed": fieldConfirmed,
	"wallet": fieldWallet,
	"log":    fieldLog, "logindex": fieldLog, "eventindex": fieldLog,
	"parenttxfrom": fieldParent,

	"tronscanrisk": fieldExtra, "risktx": fieldExtra, "risktransaction": fieldExtra, "tokenname": fieldExtra,
	"tokentype": fieldExtra, "tokenlevel": fieldExtra, "block": fieldExtra, "blockno": fieldExtra, "blocknumber": fieldExtra, "age": fieldExtra,
	"method": fieldExtra, "type": fieldExtra, "usdvaluedayoftx": fieldExtra, "errcode": fieldExtra, "parenttxto": fieldExtra,
	"privatenote": fieldExtra, "nonce": fieldExtra, "revert": fieldExtra,
}

// columnPrefixes are names that end in a coin or a price.
var columnPrefixes = []struct {
	prefix string
	field  field
}{
	{"valuein", fieldIn},
	{"valueout", fieldOut},
	{"currentvalue", fieldExtra},
	{"historicalprice", fieldExtra},
	{"txnfee", fieldExtra},
	{"parenttx", fieldExtra},
}

// layout says where each field is: its index in the record, or -1.
type layout struct {
	at      [fields]int
	names   []string // the header as written
	ignored []string
}

// newLayout reads a header and refuses one that has a column twice.
func newLayout(file string, header []string) (layout, error) {
	l := layout{names: append([]string(nil), header...)}
	for f := range l.at {
		l.at[f] = -1
	}
	for i, name := range l.names {
		f, known := columnField(name)
		switch {
		case !known:
			l.ignored = append(l.ignored, name)
		case f == fieldExtra:
		case l.at[f] >= 0:
			return layout{}, ledger.Invalid(place(file, 1, i+1), fmt.Sprintf("one column of its kind; %q is there already", l.names[l.at[f]]), name)
		default:
			l.at[f] = i
		}
	}
	return l, l.check(file)
}

func columnField(name string) (field, bool) {
	name, _, _ = strings.Cut(name, "@") // "CurrentValue @ $2038.09/Eth"
	plain := strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			return r
		}
		return -1
	}, strings.ToLower(name))
	if f, ok := columns[plain]; ok {
		return f, true
	}
	for _, p := range columnPrefixes {
		if strings.HasPrefix(plain, p.prefix) {
			return p.field, true
		}
	}
	return fieldExtra, false
}

// check names the column that is missing.
func (l *layout) check(file string) error {
	wanted := []struct {
		any  []field
		name string
	}{
		{[]field{fieldTx}, "tx_id (or Transaction Hash)"},
		{[]field{fieldMillis, fieldSeconds, fieldTime, fieldDateUTC}, "ts_ms (or UnixTimestamp, DateTime (UTC))"},
		{[]field{fieldFrom}, "from_address (or From)"},
		{[]field{fieldTo}, "to_address (or To)"},
		{[]field{fieldRaw, fieldCoins, fieldIn}, "amount_raw (or TokenValue, Quantity, Amount)"},
	}
	for _, w := range wanted {
		if !l.has(w.any...) {
			return ledger.Invalid(place(file, 1, 1), "a column "+w.name, strings.Join(l.names, ","))
		}
	}
	if l.has(fieldIn) != l.has(fieldOut) {
		return ledger.Invalid(place(file, 1, 1), "Value_IN and Value_OUT together", strings.Join(l.names, ","))
	}
	return nil
}

func (l *layout) has(any ...field) bool {
	for _, f := range any {
		if l.at[f] >= 0 {
			return true
		}
	}
	return false
}
