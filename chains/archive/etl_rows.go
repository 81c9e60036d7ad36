package archive

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

func (c *etlCells) block() (x etlBlock) {
	x.hash, x.parent, x.time = c.hash("hash"), c.hash("parent_hash"), c.time("timestamp")
	x.hasMiner = c.bytes("miner", x.miner[:])
	x.baseFee = c.price("base_fee_per_gas")
	x.staked = c.text("difficulty") == "0" && c.has("withdrawals")
	if c.text("transaction_count") != "" {
		x.txs = 1 + int64(c.number("transaction_count", 1<<ledger.IndexBits))
	}
	x.withdrawals = strings.Clone(c.text("withdrawals"))
	if _, err := parseWithdrawals(x.withdrawals); err != nil {
		c.wrong("withdrawals", err.Error())
	}
	return x
}

func (c *etlCells) tx() (x etlTx) {
	x.id, x.block = ledger.TxID(c.hash("hash")), c.hash("block_hash")
	x.index = uint32(c.number("transaction_index", 1<<ledger.IndexBits-2)) // the last is the coinbase's
	x.from = c.address("from_address")
	x.creates = !c.bytes("to_address", x.to[:])
	x.value, x.gasPrice, x.hasPrice = c.amount("value"), c.price("gas_price"), c.text("gas_price") != ""
	x.nonce, x.gas = c.optional("nonce", 1<<63), ledger.NewAmount(c.optional("gas", 1<<62))
	if c.text("block_timestamp") != "" {
		x.time = c.time("block_timestamp")
	}
	return x
}

// receipt reads a row of receipts, or the receipt in a row of BigQuery's transactions.
func (c *etlCells) receipt(id, prefix string) (x etlReceipt) {
	x.tx = ledger.TxID(c.hash(id))
	switch c.text(prefix + "status") {
	case "":
	case "1":
		x.status = etlOK
	case "0":
		x.status = etlFailed
	default:
		c.wrong(prefix+"status", "1, 0, or nothing before Byzantium")
	}
	x.early = c.text(prefix+"root") != ""
	x.hasGas = c.text(prefix+"gas_used") != ""
	x.gas = ledger.NewAmount(c.optional(prefix+"gas_used", 1<<62))
	x.price = c.price(prefix + "effective_gas_price")
	blobs := ledger.NewAmount(c.optional(prefix+"blob_gas_used", 1<<62))
	x.extra = c.price(prefix + "l1_fee").Plus(product(blobs, c.price(prefix+"blob_gas_price")))
	c.bytes(prefix+"contract_address", x.contract[:])
	return x
}

func (c *etlCells) trace() (x etlTrace) {
	c.bytes("transaction_hash", x.tx[:])
	x.index = -1
	if c.text("transaction_index") != "" {
		x.index = int64(c.number("transaction_index", 1<<ledger.IndexBits-2))
	}
	x.kind = c.traceKind()
	if (x.kind == etlReward || x.kind == etlGiven) != (x.index < 0) {
		c.wrong("transaction_index", "one for what a transaction does, none for rewards")
	}
	x.hasFrom, x.hasTo = c.bytes("from_address", x.from[:]), c.bytes("to_address", x.to[:])
	x.value = c.amount("value")
	x.failed = c.text("error") != "" || c.text("status") == "0"
	if s := c.text("status"); s != "" && s != "0" && s != "1" {
		c.wrong("status", "1, 0 or nothing")
	}
	x.path = c.path("trace_address")
	return x
}

// traceKind reads what a trace does with value: a call that lends code
// (delegatecall, callcode) or may change nothing (staticcall) moves none.
func (c *etlCells) traceKind() etlTraceKind {
	switch c.text("trace_type") {
	case "call":
		switch c.text("call_type") {
		case "call", "":
			return etlCall
		case "delegatecall", "staticcall", "callcode":
			return etlNothing
		}
		c.wrong("call_type", "call, callcode, delegatecall or staticcall")
	case "create", "create2":
		return etlCreate
	case "suicide", "selfdestruct":
		return etlSuicide
	case "reward":
		return etlReward
	case "genesis", "daofork":
		return etlGiven
	default:
		c.wrong("trace_type", "call, create, suicide, reward, genesis or daofork")
	}
	return etlNothing
}

// path reads trace_address, "0,2,1", into four bytes a step.
func (c *etlCells) path(column string) string {
	text := strings.Trim(c.text(column), "[]")
	if text == "" {
		return ""
	}
	var b []byte
	for step := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(step), 10, 32)
		if err != nil {
			c.wrong(column, "numbers with commas between them")
			return ""
		}
		b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return string(b)
}

func (c *etlCells) log() (x etlLog) {
	x.tx, x.index = ledger.TxID(c.hash("transaction_hash")), uint32(c.number("log_index", 1<<31))
	x.address = c.address("address")
	var topics strings.Builder
	if text := strings.Trim(c.text("topics"), "[]"); text != "" {
		for topic := range strings.SplitSeq(text, ",") {
			digits, ok := strings.CutPrefix(strings.Trim(topic, ` '"`), "0x")
			b, err := hex.DecodeString(digits)
			if !ok || err != nil || len(b) != 32 {
				c.wrong("topics", "0x and 64 hex digits each, with commas between them")
				return x
			}
			topics.Write(b)
		}
	}
	if topics.Len() > 4*32 {
		c.wrong("topics", "at most 4")
	}
	x.topics = topics.String()
	data, err := hex.DecodeString(strings.TrimPrefix(c.text("data"), "0x"))
	if err != nil {
		c.wrong("data", "0x and hex digits")
	}
	x.data = string(data)
	return x
}

func (c *etlCells) token() (x etlToken) {
	x.tx, x.index = ledger.TxID(c.hash("transaction_hash")), uint32(c.number("log_index", 1<<31))
	x.token, x.from, x.to = c.address("token_address"), c.address("from_address"), c.address("to_address")
	x.value = c.amount("value")
	return x
}
