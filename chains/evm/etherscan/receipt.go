package etherscan

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/chains/evm"
	"github.com/spoortrace/spoor/chains/internal/reading"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

type receiptJSON struct {
	Tx      common.Hash     `json:"transactionHash"`
	Block   common.Hash     `json:"blockHash"`
	Status  *hexutil.Uint64 `json:"status"`
	Gas     *hexutil.Uint64 `json:"gasUsed"`
	Price   *hexutil.Big    `json:"effectiveGasPrice"`
	BlobGas hexutil.Uint64  `json:"blobGasUsed"`
	Blob    *hexutil.Big    `json:"blobGasPrice"`
	L1      *hexutil.Big    `json:"l1Fee"`
	Created *common.Address `json:"contractAddress"`
	Logs    []struct {
		Address common.Address  `json:"address"`
		Topics  []common.Hash   `json:"topics"`
		Data    hexutil.Bytes   `json:"data"`
		Index   *hexutil.Uint64 `json:"logIndex"`
		Removed bool            `json:"removed"`
	} `json:"logs"`
}

// readReceipt reads the last part of a transaction and makes it.
func (e *Etherscan) readReceipt(q ask.Question, body []byte) (ask.Answer, error) {
	p, err := progressOf(q)
	if err != nil {
		return ask.Answer{}, err
	}
	result, err := said(q, body)
	if err != nil {
		return ask.Answer{}, err
	}
	var r receiptJSON
	if err := json.Unmarshal(result, &r); err != nil || r.Gas == nil {
		return ask.Answer{}, reading.Malformed(q, "a receipt with gasUsed", string(result))
	}
	if r.Tx != common.Hash(q.Tx) || r.Block != p.Block {
		return ask.Answer{}, ledger.Untrue(ledger.FaultMismatched, q.String(), fmt.Sprintf("the receipt is of %s in block %s", r.Tx, r.Block))
	}
	if r.Status == nil {
		return ask.Answer{}, ask.Unsupported(q, "Etherscan (a receipt from before Byzantium)")
	}
	s := evm.Single{
		Hash: common.Hash(q.Tx), Height: p.Height, Index: p.Index, Time: p.Time, From: p.From, To: p.To, Value: p.Value.ToInt(), Failed: *r.Status == 0, Internals: p.Internals,
	}
	if r.Created != nil {
		s.Created = *r.Created
	}
	if s.Fee, err = r.fee(q, p); err != nil {
		return ask.Answer{}, err
	}
	for i, l := range r.Logs {
		if l.Index == nil || l.Removed {
			return ask.Answer{}, reading.Malformed(q, fmt.Sprintf("logIndex of log %d, which was not removed", i), "")
		}
		s.Logs = append(s.Logs, &types.Log{
			Address: l.Address, Topics: l.Topics, Data: l.Data, Index: uint(*l.Index), BlockNumber: p.Height, BlockHash: p.Block, TxHash: s.Hash, TxIndex: uint(p.Index),
		})
	}
	tx, err := e.logs.Transaction(s, e.notices)
	if err != nil {
		return ask.Answer{}, &ledger.SourceError{Fault: ledger.FaultContents, Subject: q.String(), Err: err}
	}
	ref := ledger.BlockRef{Chain: e.chain, Height: p.Height, Hash: ledger.Hash(p.Block), Time: p.Time}
	return ask.Answer{Txs: []ask.Placed{{Tx: tx, Block: ref, Indexed: true, Whole: true}}}, nil
}

// fee is what the sender paid for gas, blob gas, and to the chain below.
func (r *receiptJSON) fee(q ask.Question, p progress) (*big.Int, error) {
	price := r.Price
	if price == nil {
		price = p.GasPrice
	}
	if price == nil {
		return nil, reading.Malformed(q, "effectiveGasPrice, or the transaction's gasPrice", "")
	}
	fee := new(big.Int).Mul(new(big.Int).SetUint64(uint64(*r.Gas)), price.ToInt())
	if r.Blob != nil {
		fee.Add(fee, new(big.Int).Mul(new(big.Int).SetUint64(uint64(r.BlobGas)), r.Blob.ToInt()))
	}
	if r.L1 != nil {
		fee.Add(fee, r.L1.ToInt())
	}
	return fee, nil
}

type tokenJSON struct {
	Block    string `json:"blockNumber"`
	Time     string `json:"timeStamp"`
	Tx       string `json:"hash"`
	Hash     string `json:"blockHash"`
	From     string `json:"from"`
	To       string `json:"to"`
	Contract string `json:"contractAddress"`
	Value    string `json:"value"`
	Symbol   string `json:"tokenSymbol"`
	Decimals string `json:"tokenDecimal"`
	Index    string `json:"transactionIndex"`
}

// row is one transfer of a list.
type row struct {
	transfer ledger.Transfer
	tx       ledger.TxID
	block    ledger.BlockRef
	index    uint32
	info     ledger.AssetInfo
}

func (e *Etherscan) readHistory(q ask.Question, body []byte) (ask.Answer, error) {
	at, err := ask.WindowOf(q)
	if err != nil {
		return ask.Answer{}, err
	}
	result, err := said(q, body)
	if err != nil {
		return ask.Answer{}, err
	}
	var page []tokenJSON
	if err := json.Unmarshal(result, &page); err != nil {
		return ask.Answer{}, reading.Malformed(q, "a list of transfers", string(result))
	}
	var rows []row
	var heights []uint64
	for i, d := range page {
		r, err := e.row(q, i, d)
		if err != nil {
			return ask.Answer{}, err
		}
		rows, heights = append(rows, r), append(heights, r.block.Height)
	}
	take, next, err := at.Page(q, heights, false)
	if err != nil {
		return ask.Answer{}, err
	}
	a, err := e.transactions(q, rows[:take])
	if next != nil {
		a.Next = []ask.Question{*next}
	}
	return a, err
}

func (e *Etherscan) row(q ask.Question, i int, d tokenJSON) (r row, err error) {
	wrong := func(want, got string) error { return reading.Malformed(q, fmt.Sprintf("%s of row %d", want, i), got) }
	height, err := strconv.ParseUint(d.Block, 10, 43)
	if err != nil {
		return r, wrong("blockNumber", d.Block)
	}
	seconds, err := strconv.ParseInt(d.Time, 10, 40)
	if err != nil || seconds <= 0 {
		return r, wrong("timeStamp", d.Time)
	}
	hash, err := ledger.ParseTxID(d.Hash)
	if err != nil {
		return r, wrong("blockHash", d.Hash)
	}
	index, err := strconv.ParseUint(d.Index, 10, ledger.IndexBits)
	if err != nil {
		return r, wrong("transactionIndex", d.Index)
	}
	r.block, r.index = ledger.BlockRef{Chain: e.chain, Height: height, Hash: ledger.Hash(hash), Time: seconds * 1000}, uint32(index)
	if r.tx, err = ledger.ParseTxID(d.Tx); err != nil {
		return r, wrong("hash", d.Tx)
	}
	decimals, err := strconv.ParseUint(d.Decimals, 10, 6)
	if err != nil {
		return r, wrong("tokenDecimal", d.Decimals)
	}
	if r.transfer, err = e.transfer(q, i, d); err != nil {
		return r, err
	}
	r.info = ledger.AssetInfo{Asset: r.transfer.Asset, Symbol: d.Symbol, Decimals: int(decimals)}
	return r, nil
}

func (e *Etherscan) transfer(q ask.Question, i int, d tokenJSON) (t ledger.Transfer, err error) {
	var contract ledger.Address
	for _, one := range []struct {
		text string
		into *ledger.Address
	}{{d.From, &t.From}, {d.To, &t.To}, {d.Contract, &contract}} {
		if *one.into, err = ledger.ParseAddress(e.chain, one.text); err != nil {
			return t, reading.Malformed(q, fmt.Sprintf("an address of row %d", i), one.text)
		}
		if one.into != &contract && *one.into == ledger.AccountAddress(e.chain, [20]byte{}) {
			*one.into = ledger.Address{} // minted or burnt
		}
	}
	if t.Amount, err = ledger.ParseAmount(d.Value); err != nil {
		return t, reading.Malformed(q, fmt.Sprintf("a value of row %d in base units", i), d.Value)
	}
	t.Kind, t.Asset, t.Grade = ledger.TransferToken, ledger.TokenAsset(contract), ledger.GradeAttested
	if t.Asset != q.Holder.Asset || t.From != q.Holder.Address && t.To != q.Holder.Address {
		return t, ledger.Untrue(ledger.FaultMismatched, q.String(), fmt.Sprintf("row %d is of %s from %s to %s", i, t.Asset, t.From, t.To))
	}
	return t, nil
}

// transactions joins rows into transactions, each once, in their order.
func (e *Etherscan) transactions(q ask.Question, rows []row) (a ask.Answer, err error) {
	at := map[ledger.TxID]int{}
	for i, r := range rows {
		k, ok := at[r.tx]
		if !ok {
			k = len(a.Txs)
			at[r.tx] = k
			a.Txs = append(a.Txs, ask.Placed{
				Tx: ledger.Tx{ID: r.tx, Chain: e.chain, Pos: ledger.At(r.block.Height, r.index), Time: r.block.Time, Grade: ledger.GradeAttested}, Block: r.block, Indexed: true,
			})
		}
		p := &a.Txs[k]
		if p.Block != r.block || p.Tx.Pos.Index() != r.index {
			return ask.Answer{}, ledger.Untrue(ledger.FaultContents, q.String(), fmt.Sprintf("row %d has transaction %s in another place than the rows before", i, r.tx))
		}
		r.transfer.Index, r.transfer.Slot = uint32(len(p.Tx.Transfers)), uint32(len(p.Tx.Transfers))
		p.Tx.Transfers = append(p.Tx.Transfers, r.transfer)
		if len(a.Assets) == 0 {
			a.Assets = []ledger.AssetInfo{r.info}
		}
	}
	return a, nil
}
