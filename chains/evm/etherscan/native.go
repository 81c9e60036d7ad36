package etherscan

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"

	"github.com/spoortrace/spoor/chains/internal/reading"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// nativeJSON is a row of any of the three lists of a native coin; each has some of
// the fields.
type nativeJSON struct {
	Block    string  `json:"blockNumber"`
	Time     string  `json:"timeStamp"`
	Tx       string  `json:"hash"`
	Hash     string  `json:"blockHash"`
	Index    string  `json:"transactionIndex"`
	From     string  `json:"from"`
	To       string  `json:"to"`
	Created  string  `json:"contractAddress"`
	Value    string  `json:"value"`
	GasUsed  string  `json:"gasUsed"`
	GasPrice string  `json:"gasPrice"`
	IsError  *string `json:"isError"`
	// Of withdrawals.
	Seconds string `json:"timestamp"`
	Address string `json:"address"`
	Amount  string `json:"amount"` // Gwei
}

// readNative reads a page of one of the lists, and goes on to the next list after
// the last page.
func (e *Etherscan) readNative(q ask.Question, body []byte) (ask.Answer, error) {
	at, err := ask.WindowOf(q)
	if err != nil {
		return ask.Answer{}, err
	}
	result, err := said(q, body)
	if err != nil {
		return ask.Answer{}, err
	}
	var page []nativeJSON
	if err := json.Unmarshal(result, &page); err != nil {
		return ask.Answer{}, reading.Malformed(q, "a list of transactions", string(result))
	}
	var rows []ask.Placed
	var heights []uint64
	for i, d := range page {
		n, err := e.native(q, i, d)
		if err != nil {
			return ask.Answer{}, err
		}
		rows, heights = append(rows, n), append(heights, n.Block.Height)
	}
	take, next, err := at.Page(q, heights, false)
	if err != nil {
		return ask.Answer{}, err
	}
	a := ask.Answer{Txs: ask.Joined(rows[:take])}
	if next == nil {
		next = e.nextList(q)
	}
	if next != nil {
		a.Next = []ask.Question{*next}
	}
	return a, nil
}

func (e *Etherscan) nextList(q ask.Question) *ask.Question {
	q.Cursor = ""
	switch {
	case q.Part == "":
		q.Part = partInternals
	case q.Part == partInternals && e.withdraws():
		q.Part = partWithdrawals
	default:
		return nil
	}
	return &q
}

// native reads a row: a transaction with what it moved of the holder's coin.
func (e *Etherscan) native(q ask.Question, i int, d nativeJSON) (n ask.Placed, err error) {
	wrong := func(want, got string) error { return reading.Malformed(q, fmt.Sprintf("%s of row %d", want, i), got) }
	if q.Part == partWithdrawals {
		d.Time = d.Seconds
	}
	height, err := strconv.ParseUint(d.Block, 10, 43)
	if err != nil {
		return n, wrong("blockNumber", d.Block)
	}
	seconds, err := strconv.ParseInt(d.Time, 10, 40)
	if err != nil || seconds <= 0 {
		return n, wrong("timeStamp", d.Time)
	}
	n.Block = ledger.BlockRef{Chain: e.chain, Height: height, Time: seconds * 1000}
	n.Tx = ledger.Tx{Chain: e.chain, Time: n.Block.Time, Grade: ledger.GradeAttested}
	switch q.Part {
	case partWithdrawals:
		return n, e.withdrawal(q, i, d, &n)
	case partInternals:
	default:
		hash, err := ledger.ParseTxID(d.Hash)
		if err != nil {
			return n, wrong("blockHash", d.Hash)
		}
		index, err := strconv.ParseUint(d.Index, 10, ledger.IndexBits)
		if err != nil {
			return n, wrong("transactionIndex", d.Index)
		}
		n.Block.Hash, n.Tx.Pos, n.Indexed = ledger.Hash(hash), ledger.At(height, uint32(index)), true
	}
	if n.Tx.ID, err = ledger.ParseTxID(d.Tx); err != nil {
		return n, wrong("hash", d.Tx)
	}
	return n, e.moved(q, i, d, &n)
}

// moved adds the value that a row moved, and of a transaction what its sender paid.
func (e *Etherscan) moved(q ask.Question, i int, d nativeJSON, n *ask.Placed) error {
	wrong := func(want, got string) error { return reading.Malformed(q, fmt.Sprintf("%s of row %d", want, i), got) }
	if d.To == "" {
		d.To = d.Created
	}
	from, err := ledger.ParseAddress(e.chain, d.From)
	if err != nil {
		return wrong("from", d.From)
	}
	to, err := ledger.ParseAddress(e.chain, d.To)
	if err != nil {
		return wrong("to", d.To)
	}
	value, err := ledger.ParseAmount(d.Value)
	if err != nil {
		return wrong("a value in base units", d.Value)
	}
	if d.IsError == nil || *d.IsError != "0" && *d.IsError != "1" {
		return wrong("isError 0 or 1", "")
	}
	if from != q.Holder.Address && to != q.Holder.Address {
		return ledger.Untrue(ledger.FaultMismatched, q.String(), fmt.Sprintf("row %d is from %s to %s", i, d.From, d.To))
	}
	kind := ledger.TransferNative
	if q.Part == partInternals {
		kind = ledger.TransferInternal
	}
	if *d.IsError == "0" && !value.IsZero() {
		n.Tx.Transfers = append(n.Tx.Transfers, ledger.Transfer{Kind: kind, From: from, To: to, Asset: q.Holder.Asset, Amount: value, Grade: ledger.GradeAttested})
	}
	if q.Part == partInternals || from != q.Holder.Address {
		return nil
	}
	gas, okGas := new(big.Int).SetString(d.GasUsed, 10)
	price, okPrice := new(big.Int).SetString(d.GasPrice, 10)
	if !okGas || !okPrice || gas.Sign() < 0 || price.Sign() < 0 {
		return wrong("gasUsed and gasPrice", d.GasUsed+" "+d.GasPrice)
	}
	fee, err := ledger.ParseAmount(gas.Mul(gas, price).String())
	if err != nil {
		return wrong("gasUsed and gasPrice", d.GasUsed+" "+d.GasPrice)
	}
	if !fee.IsZero() {
		n.Tx.Transfers = append(n.Tx.Transfers, ledger.Transfer{Kind: ledger.TransferFee, From: from, Asset: q.Holder.Asset, Amount: fee, Grade: ledger.GradeAttested})
	}
	return nil
}

// withdrawal reads what a validator was paid. It is in no transaction: one that is
// named by the number of the block stands for it.
func (e *Etherscan) withdrawal(q ask.Question, i int, d nativeJSON, n *ask.Placed) error {
	wrong := func(want, got string) error { return reading.Malformed(q, fmt.Sprintf("%s of row %d", want, i), got) }
	to, err := ledger.ParseAddress(e.chain, d.Address)
	if err != nil || to != q.Holder.Address {
		return wrong("the address that was asked for as that", d.Address)
	}
	gwei, ok := new(big.Int).SetString(d.Amount, 10)
	if !ok || gwei.Sign() < 0 {
		return wrong("an amount in Gwei", d.Amount)
	}
	amount, err := ledger.ParseAmount(gwei.Mul(gwei, big.NewInt(params.GWei)).String())
	if err != nil {
		return wrong("an amount in Gwei", d.Amount)
	}
	n.Tx.ID, n.Tx.Coinbase = creditsOf(n.Block.Height), true
	if !amount.IsZero() {
		n.Tx.Transfers = []ledger.Transfer{{Kind: ledger.TransferInternal, To: to, Asset: q.Holder.Asset, Amount: amount, Grade: ledger.GradeAttested}}
	}
	return nil
}

// creditsOf names the credits of a block.
func creditsOf(height uint64) ledger.TxID {
	return ledger.TxID(common.BigToHash(new(big.Int).SetUint64(height)))
}
