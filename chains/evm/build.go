package evm

import (
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/spoortrace/spoor/ledger"
)

// decoder turns answers into blocks. It holds no state.
type decoder struct {
	rules   rules
	topics  topics
	notices TxNotices // bridges; nil: none
	source  string
}

// answers are what a node said of one block.
type answers struct {
	block    json.RawMessage
	rest     json.RawMessage   // the block without its transactions; see split
	txs      []json.RawMessage // its transactions
	receipts []json.RawMessage
	// rawReceipts are the receipts in their consensus bytes instead, and blobPrice
	// what blob gas cost in the block.
	rawReceipts []hexutil.Bytes
	blobPrice   *big.Int
	calls       json.RawMessage // debug_traceBlockByHash
	parity      json.RawMessage // trace_block
	uncles      []json.RawMessage
	raws        map[int]hexutil.Bytes // canonical bytes of transactions of foreign types
}

// split takes the transactions out of the block, so that the megabytes they make
// are not read again with every look at the few fields of the header.
func (a *answers) split(subject string) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(a.block, &fields); err != nil {
		return refuse(ledger.FaultMalformed, subject, "%v", err)
	}
	if txs := fields["transactions"]; len(txs) > 0 {
		if err := json.Unmarshal(txs, &a.txs); err != nil {
			return refuse(ledger.FaultMalformed, subject, "transactions: %v", err)
		}
	}
	delete(fields, "transactions")
	var err error
	if a.rest, err = json.Marshal(fields); err != nil {
		return refuse(ledger.FaultMalformed, subject, "%v", err)
	}
	return nil
}

// blockAnswer is what is read of a block beside its header and transactions.
type blockAnswer struct {
	Uncles      []common.Hash       `json:"uncles"`
	Withdrawals []*types.Withdrawal `json:"withdrawals"`
}

// content is a block that was checked against its header.
type content struct {
	h           *header
	txs         []*transaction
	receipts    []*receipt
	traces      []*frame // nil entries, or none, where no trace tells
	uncles      []*types.Header
	withdrawals []*types.Withdrawal
	grade       ledger.Grade
	partial     string
}

// open reads a block answer and checks everything that its header has a root of,
// receipts excepted.
func (d *decoder) open(subject string, h *header, a *answers) (*content, error) {
	var b blockAnswer
	if err := json.Unmarshal(a.rest, &b); err != nil {
		return nil, refuse(ledger.FaultMalformed, subject, "%v", err)
	}
	c := &content{h: h, withdrawals: b.Withdrawals, grade: ledger.GradeProven}
	if !h.proven {
		c.grade = ledger.GradeAttested
	}
	if len(a.txs) >= 1<<ledger.IndexBits-1 {
		return nil, refuse(ledger.FaultTooLarge, subject, "%d transactions", len(a.txs))
	}
	list := make(items, 0, len(a.txs))
	for i, answer := range a.txs {
		tx, err := d.rules.decodeTx(subject, i, answer, a.raws[i])
		if err != nil {
			return nil, err
		}
		if tx.unrooted && i != len(a.txs)-1 {
			return nil, refuse(ledger.FaultContents, subject, "transaction %d is unsigned, and not the last", i)
		}
		c.txs = append(c.txs, tx)
		switch {
		case tx.unrooted:
		case tx.raw == nil:
			c.grade, list = ledger.GradeAttested, nil
		case list != nil:
			list = append(list, tx.raw)
		}
	}
	if err := d.rules.roots(subject, c, list, a.uncles); err != nil {
		return nil, err
	}
	for i, tx := range c.txs {
		if err := d.rules.sender(subject, i, tx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// decode checks all answers against each other and makes a block of them.
func (d *decoder) decode(subject string, h *header, a *answers) (*ledger.Block, error) {
	c, err := d.open(subject, h, a)
	if err != nil {
		return nil, err
	}
	if a.rawReceipts != nil {
		c.receipts, err = decodeRaw("receipts of "+subject, h, c.txs, a.rawReceipts, a.blobPrice)
	} else {
		c.receipts, err = d.rules.decodeReceipts("receipts of "+subject, h, c.txs, a.receipts)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case len(c.txs) == 0:
	case a.calls != nil:
		c.traces, err = decodeCalls("traces of "+subject, c.txs, a.calls)
	case a.parity != nil:
		c.traces, err = decodeParity("traces of "+subject, h, c.txs, a.parity)
	default:
		c.partial = ledger.PartialInternal
	}
	if err != nil {
		return nil, err
	}
	for _, f := range c.traces {
		if f != nil && f.lacking {
			c.partial = ledger.PartialInternal
		}
	}
	if d.rules.irregular != 0 && h.Number.Uint64() == d.rules.irregular {
		c.partial = ledger.PartialInternal
	}
	return d.block(subject, c)
}

func (d *decoder) block(subject string, c *content) (*ledger.Block, error) {
	h := c.h
	b := &ledger.Block{
		Ref: h.ref(d.rules.chain), Parent: ledger.Hash(h.ParentHash), Header: h.encoded, Source: d.source, Grade: c.grade, Partial: c.partial,
	}
	sum := fees{new(big.Int), new(big.Int), new(big.Int)}
	for i := range c.txs {
		tx, err := d.transaction(subject, c, i, &sum)
		if err != nil {
			return nil, err
		}
		b.Txs = append(b.Txs, *tx)
	}
	if credits := d.rules.rewards(h, c.uncles, c.withdrawals, sum, c.grade); len(credits) > 0 && h.Number.Sign() > 0 {
		tx, err := d.credits(subject, c, credits)
		if err != nil {
			return nil, err
		}
		b.Txs = append(b.Txs, *tx)
	}
	raw, err := c.serialise()
	b.Raw = raw
	return b, err
}

// serialise makes the bytes of the block as nodes exchange them, followed by those
// of the list of its receipts; nothing when some are not known.
func (c *content) serialise() ([]byte, error) {
	if c.grade != ledger.GradeProven || len(c.h.encoded) == 0 || len(c.uncles) == 0 && c.h.UncleHash != types.EmptyUncleHash {
		return nil, nil
	}
	var txs, recs []rlp.RawValue
	for i, tx := range c.txs {
		if tx.unrooted {
			continue
		}
		txs, recs = append(txs, embed(tx.kind, tx.raw)), append(recs, embed(tx.kind, c.receipts[i].encoded))
	}
	parts := []any{rlp.RawValue(c.h.encoded), txs, c.uncles}
	if c.h.WithdrawalsHash != nil {
		parts = append(parts, c.withdrawals)
	}
	block, err := rlp.EncodeToBytes(parts)
	if err != nil {
		return nil, err
	}
	list, err := rlp.EncodeToBytes(recs)
	return append(block, list...), err
}

// embed is how typed bytes stand in a list: as a string (EIP-2718).
func embed(kind uint64, b []byte) rlp.RawValue {
	if kind == 0 {
		return b
	}
	s, _ := rlp.EncodeToBytes(b) // a string always encodes
	return s
}
