package archive

import (
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// etlTable is a table of ethereum-etl.
type etlTable uint8

const (
	etlBlocks etlTable = iota
	etlTransactions
	etlReceipts
	etlTraces
	etlLogs
	etlTokenTransfers
	etlTables
)

func (t etlTable) String() string {
	return [...]string{"blocks", "transactions", "receipts", "traces", "logs", "token_transfers"}[t]
}

// Columns by which a table is known, and without which it is of no use. Names
// are those of ethereum-etl's docs/schema.md, which BigQuery's public tables
// share; the transactions of BigQuery carry their receipt as receipt_status,
// receipt_gas_used and so on. Other columns are not needed.
var etlColumns = [etlTables][]string{
	etlBlocks:         {"number", "hash", "parent_hash", "timestamp"},
	etlTransactions:   {"hash", "block_hash", "block_number", "transaction_index", "from_address", "to_address", "value"},
	etlReceipts:       {"transaction_hash", "block_number", "gas_used", "status"},
	etlTraces:         {"block_number", "transaction_index", "from_address", "to_address", "value", "trace_type", "trace_address"},
	etlLogs:           {"log_index", "transaction_hash", "block_number", "address", "data", "topics"},
	etlTokenTransfers: {"token_address", "from_address", "to_address", "value", "transaction_hash", "log_index", "block_number"},
}

// etlTableOf finds the table of a header, the one that has most of its columns.
func etlTableOf(file string, header []string) (etlTable, error) {
	for i, name := range header {
		if slices.Contains(header[:i], name) {
			return 0, ledger.Invalid(place(file, 1, i+1), "each column once", name)
		}
	}
	best, most := etlTables, 0
	for t, columns := range etlColumns {
		if n := len(columns); n > most && !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(header, c) }) {
			best, most = etlTable(t), n
		}
	}
	if best == etlTables {
		return 0, ledger.Invalid(place(file, 1, 1), "the columns of a table of ethereum-etl ("+etlWanted()+")", strings.Join(header, ","))
	}
	return best, nil
}

func etlWanted() string {
	var all []string
	for t, columns := range etlColumns {
		all = append(all, etlTable(t).String()+": "+strings.Join(columns, ","))
	}
	return strings.Join(all, "; ")
}

// Rows. All of them are comparable: what an optional column leaves open is the
// zero value, which fill takes from another row of the same thing.
type (
	etlBlock struct {
		hash, parent ledger.Hash
		miner        [20]byte
		hasMiner     bool
		staked       bool  // proof of stake: no reward but the tips
		time         int64 // Unix milliseconds
		baseFee      ledger.Amount
		txs          int64 // 1 + transaction_count; 0: not said
		withdrawals  string
	}
	etlTx struct {
		id              ledger.TxID
		block           ledger.Hash
		index           uint32
		from, to        [20]byte
		creates         bool // to is empty
		hasPrice        bool
		gas             ledger.Amount // its limit; 0: not said
		value, gasPrice ledger.Amount
		nonce           uint64
		time            int64 // Unix milliseconds; 0: not said
	}
	etlReceipt struct {
		tx       ledger.TxID
		status   etlStatus
		gas      ledger.Amount
		price    ledger.Amount // per unit of gas; 0: that of the transaction
		extra    ledger.Amount // blob gas and what an L2 pays for L1
		contract [20]byte      // that the transaction created
		hasGas   bool
		early    bool // of before Byzantium: it has a state root, where later ones have the status
	}
	etlTrace struct {
		tx       ledger.TxID // zero: not said, or of no transaction
		index    int64       // -1: of no transaction
		path     string      // trace_address, four bytes each, so that order of text is order of calls
		kind     etlTraceKind
		from, to [20]byte
		hasFrom  bool
		hasTo    bool
		value    ledger.Amount
		failed   bool // by itself: an ancestor's failure is found from the path
	}
	etlLog struct {
		tx      ledger.TxID
		index   uint32
		address [20]byte
		topics  string // 32 bytes each
		data    string
	}
	etlToken struct {
		tx              ledger.TxID
		index           uint32
		token, from, to [20]byte
		value           ledger.Amount
	}
)

// etlStatus is what a receipt says; before Byzantium it says nothing.
type etlStatus uint8

const (
	etlUnsaid etlStatus = iota
	etlOK
	etlFailed
)

// etlTraceKind is what a trace does with its value.
type etlTraceKind uint8

const (
	etlNothing etlTraceKind = iota // delegatecall, staticcall, callcode: the value stays where it is
	etlCall
	etlCreate
	etlSuicide
	etlReward // a block's or an uncle's
	etlGiven  // genesis, and the DAO fork: no transaction moves it
)

// fills are the rows whose optional columns another table form may lack.
func (x *etlBlock) fill(y *etlBlock) {
	if y.hasMiner && !x.hasMiner {
		x.miner, x.hasMiner = y.miner, true
	}
	x.staked = x.staked || y.staked
	x.txs, x.baseFee = max(x.txs, y.txs), ledger.Max(x.baseFee, y.baseFee)
	if x.withdrawals == "" {
		x.withdrawals = y.withdrawals
	}
}

func (x *etlTx) fill(y *etlTx) {
	if x.time == 0 {
		x.time = y.time
	}
	if !x.hasPrice {
		x.gasPrice, x.hasPrice = y.gasPrice, y.hasPrice
	}
	x.nonce, x.gas = max(x.nonce, y.nonce), ledger.Max(x.gas, y.gas)
}

func (x *etlReceipt) fill(y *etlReceipt) {
	if x.status == etlUnsaid {
		x.status = y.status
	}
	if !x.hasGas {
		x.gas, x.hasGas = y.gas, y.hasGas
	}
	if x.price.IsZero() {
		x.price = y.price
	}
	x.early = x.early || y.early
	if x.extra.IsZero() {
		x.extra = y.extra
	}
	if x.contract == ([20]byte{}) {
		x.contract = y.contract
	}
}

func (x *etlTrace) fill(y *etlTrace) {
	if x.tx == (ledger.TxID{}) {
		x.tx = y.tx
	}
}

func (x *etlLog) fill(*etlLog)     {}
func (x *etlToken) fill(*etlToken) {}
