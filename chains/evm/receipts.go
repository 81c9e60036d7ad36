package evm

import (
	"bytes"
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/spoortrace/spoor/ledger"
)

// receipt is what became of a transaction.
type receipt struct {
	status    ledger.Status // unknown before Byzantium, unless it can be told
	cumulated uint64
	gasUsed   uint64
	logs      []*types.Log
	first     int // the block-wide index of the first log
	unrooted  bool
	encoded   []byte // its consensus bytes

	// What no root proves; nil when it was not stated.
	price, blobPrice, l1Fee *big.Int
}

type receiptAnswer struct {
	BlockHash         *common.Hash    `json:"blockHash"`
	TransactionHash   *common.Hash    `json:"transactionHash"`
	Root              hexutil.Bytes   `json:"root"`
	Status            *hexutil.Uint64 `json:"status"`
	CumulativeGasUsed *hexutil.Uint64 `json:"cumulativeGasUsed"`
	LogsBloom         *types.Bloom    `json:"logsBloom"`
	Logs              []logAnswer     `json:"logs"`
	EffectiveGasPrice *hexutil.Big    `json:"effectiveGasPrice"`
	BlobGasPrice      *hexutil.Big    `json:"blobGasPrice"`
	L1Fee             *hexutil.Big    `json:"l1Fee"`
	DepositNonce      *hexutil.Uint64 `json:"depositNonce"`
	DepositVersion    *hexutil.Uint64 `json:"depositReceiptVersion"`
}

type logAnswer struct {
	Address *common.Address `json:"address"`
	Topics  []common.Hash   `json:"topics"`
	Data    hexutil.Bytes   `json:"data"`
}

// receiptFields are the consensus fields of a receipt.
type receiptFields struct {
	PostStateOrStatus []byte
	CumulativeGasUsed uint64
	Bloom             types.Bloom
	Logs              []*types.Log
	DepositNonce      *uint64 `rlp:"optional"` // OP stack, since Canyon
	DepositVersion    *uint64 `rlp:"optional"`
}

// decodeReceipts reads the receipts of a block's transactions and holds them
// against its header: number, bloom filter, root.
func (r rules) decodeReceipts(subject string, h *header, txs []*transaction, answers []json.RawMessage) ([]*receipt, error) {
	if len(answers) < len(txs) {
		return nil, refuse(ledger.FaultMissing, subject, "want %d receipts, got %d", len(txs), len(answers))
	}
	if len(answers) > len(txs) {
		return nil, refuse(ledger.FaultContents, subject, "want %d receipts, got %d", len(txs), len(answers))
	}
	all, bloom, list := make([]*receipt, len(txs)), types.Bloom{}, make(items, 0, len(txs))
	for i, answer := range answers {
		rec, own, err := decodeReceipt(subject, i, h, txs[i], answer)
		if err != nil {
			return nil, err
		}
		all[i] = rec
		if rec.unrooted = txs[i].unrooted; !rec.unrooted {
			merge(&bloom, &own)
			list = append(list, rec.encoded)
		}
	}
	if bloom != h.Bloom {
		return nil, refuse(ledger.FaultBloom, subject, "the logs of the receipts are not those of the header")
	}
	if sum := root(list); sum != h.ReceiptHash {
		return nil, refuse(ledger.FaultRoot, subject, "receiptsRoot %s, the receipts make %s", h.ReceiptHash, sum)
	}
	return all, number(subject, txs, all)
}

func merge(sum, one *types.Bloom) {
	for i := range sum {
		sum[i] |= one[i]
	}
}

func decodeReceipt(subject string, i int, h *header, tx *transaction, answer json.RawMessage) (*receipt, types.Bloom, error) {
	var a receiptAnswer
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, types.Bloom{}, refuse(ledger.FaultMalformed, subject, "receipt %d: %v", i, err)
	}
	if a.CumulativeGasUsed == nil || a.TransactionHash == nil || a.BlockHash == nil || (a.Status == nil) == (len(a.Root) == 0) {
		return nil, types.Bloom{}, refuse(ledger.FaultMalformed, subject, "receipt %d: want hashes, gas, and a status or a state root", i)
	}
	if *a.BlockHash != h.hash {
		return nil, types.Bloom{}, refuse(ledger.FaultLagging, subject, "receipt %d is of block %s, want %s", i, a.BlockHash, h.hash)
	}
	if *a.TransactionHash != tx.hash {
		return nil, types.Bloom{}, refuse(ledger.FaultContents, subject, "receipt %d is of transaction %s, want %s", i, a.TransactionHash, tx.hash)
	}
	rec := &receipt{cumulated: uint64(*a.CumulativeGasUsed), price: (*big.Int)(a.EffectiveGasPrice), blobPrice: (*big.Int)(a.BlobGasPrice), l1Fee: (*big.Int)(a.L1Fee)}
	for k, l := range a.Logs {
		if l.Address == nil {
			return nil, types.Bloom{}, refuse(ledger.FaultMalformed, subject, "receipt %d, log %d: want an address", i, k)
		}
		rec.logs = append(rec.logs, &types.Log{Address: *l.Address, Topics: l.Topics, Data: l.Data})
	}
	bloom := types.CreateBloom(&types.Receipt{Logs: rec.logs})
	if a.LogsBloom != nil && *a.LogsBloom != bloom {
		return nil, bloom, refuse(ledger.FaultBloom, subject, "receipt %d: its bloom filter is not that of its logs", i)
	}
	return rec, bloom, rec.encode(subject, i, tx.kind, bloom, &a)
}

// encode makes the consensus bytes (EIP-658, EIP-2718) and reads the status out of them.
func (rec *receipt) encode(subject string, i int, kind uint64, bloom types.Bloom, a *receiptAnswer) error {
	f := receiptFields{PostStateOrStatus: a.Root, CumulativeGasUsed: rec.cumulated, Bloom: bloom, Logs: rec.logs}
	rec.status = ledger.StatusUnknown
	if a.Status != nil {
		switch uint64(*a.Status) {
		case types.ReceiptStatusSuccessful:
			f.PostStateOrStatus, rec.status = []byte{1}, ledger.StatusOK
		case types.ReceiptStatusFailed:
			f.PostStateOrStatus, rec.status = nil, ledger.StatusFailed
		default:
			return refuse(ledger.FaultMalformed, subject, "receipt %d: want status 0 or 1, got %d", i, uint64(*a.Status))
		}
	}
	if kind == depositType && a.DepositVersion != nil {
		f.DepositNonce, f.DepositVersion = (*uint64)(a.DepositNonce), (*uint64)(a.DepositVersion)
	}
	var b bytes.Buffer
	if kind != 0 {
		b.WriteByte(byte(kind))
	}
	if err := rlp.Encode(&b, &f); err != nil || kind > 0x7f {
		return refuse(ledger.FaultMalformed, subject, "receipt %d of type %d: %v", i, kind, err)
	}
	rec.encoded = b.Bytes()
	return nil
}

// number gives each receipt its own gas and its logs their indexes in the block.
func number(subject string, txs []*transaction, all []*receipt) error {
	var gas uint64
	logs := 0
	for i, rec := range all {
		if rec.unrooted {
			rec.first = logs
			continue
		}
		if rec.cumulated < gas {
			return refuse(ledger.FaultContents, subject, "receipt %d: cumulative gas %d after %d", i, rec.cumulated, gas)
		}
		rec.gasUsed, gas = rec.cumulated-gas, rec.cumulated
		rec.first = logs
		logs += len(rec.logs)
		if rec.status == ledger.StatusFailed && len(rec.logs) > 0 {
			return refuse(ledger.FaultContents, subject, "receipt %d: it failed and has %d logs", i, len(rec.logs))
		}
		if rec.status == ledger.StatusUnknown && (len(rec.logs) > 0 || rec.gasUsed < txs[i].gas) {
			rec.status = ledger.StatusOK // before Byzantium a failure took all gas
		}
	}
	return nil
}
