package publicapi

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/spoortrace/spoor/ledger"
)

// Etherscan serves an index of token transfers, whose heights are milliseconds, as
// version 2 of Etherscan does: a block is a second. most is how many rows it gives
// at most, whatever is asked for: it says so to nobody. 0: 10,000.
func Etherscan(idx Index, c ledger.Chain, most int) http.Handler {
	if most == 0 {
		most = 10_000
	}
	return &etherscan{idx, c, most}
}

type etherscan struct {
	idx   Index
	chain ledger.Chain
	most  int
}

func (e *etherscan) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	params, _ := e.chain.Params()
	var result any
	err := fmt.Errorf("Missing Or invalid Action name") //nolint:staticcheck // its words
	if q.Get("chainid") != strconv.FormatUint(params.ChainID, 10) {
		reply(w, map[string]any{"status": "0", "message": "NOTOK", "result": "Missing or unsupported chainid parameter"})
		return
	}
	switch q.Get("action") {
	case "eth_blockNumber":
		var tip ledger.BlockRef
		tip, err = e.idx.AsOf(r.Context(), e.chain)
		result = quantity(uint64(tip.Time)/1000 + 10) // empty blocks after the last transfer
	case "eth_getBlockByNumber":
		result, err = e.block(r.Context(), q.Get("tag"))
	case "eth_getTransactionByHash":
		result, err = e.tx(r.Context(), q.Get("txhash"))
	case "eth_getTransactionReceipt":
		result, err = e.receipt(r.Context(), q.Get("txhash"))
	case "txlistinternal":
		reply(w, map[string]any{"status": "0", "message": "No transactions found", "result": []any{}})
		return
	case "tokentx":
		e.list(w, r)
		return
	}
	if err != nil {
		reply(w, map[string]any{"jsonrpc": "2.0", "id": 1, "error": map[string]any{"code": -32602, "message": err.Error()}})
		return
	}
	reply(w, map[string]any{"jsonrpc": "2.0", "id": 1, "result": result})
}

func quantity(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }

// blockHash stands for that of a second.
func blockHash(second uint64) string {
	return "0x" + hex.EncodeToString(crypto.Keccak256(fmt.Append(nil, second)))
}

func (e *etherscan) block(ctx context.Context, tag string) (any, error) {
	tip, err := e.idx.AsOf(ctx, e.chain)
	if err != nil {
		return nil, err
	}
	second, err := strconv.ParseUint(strings.TrimPrefix(tag, "0x"), 16, 64)
	if err != nil {
		return nil, err
	}
	if second > uint64(tip.Time)/1000+10 {
		return nil, nil //nolint:nilnil // as a node has it
	}
	return map[string]any{"number": quantity(second), "hash": blockHash(second), "timestamp": quantity(second)}, nil
}

// find reads a transaction, all rows of it; none: nil.
func (e *etherscan) find(ctx context.Context, text string) ([]ledger.Tx, error) {
	id, err := ledger.ParseTxID(text)
	if err != nil {
		return nil, err
	}
	txs, err := e.idx.FindTx(ctx, e.chain, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil
	}
	return txs, err
}

func (e *etherscan) tx(ctx context.Context, text string) (any, error) {
	txs, err := e.find(ctx, text)
	if err != nil || txs == nil {
		return nil, err
	}
	t, second := txs[0].Transfers[0], uint64(txs[0].Time)/1000
	return map[string]any{
		"hash": "0x" + txs[0].ID.String(), "from": account(t.From).String(), "to": t.Asset.Contract.String(), "value": "0x0", "gasPrice": "0x0", "input": "0xa9059cbb",
		"blockHash": blockHash(second), "blockNumber": quantity(second), "transactionIndex": quantity(uint64(txs[0].Pos.Index())),
	}, nil
}

func (e *etherscan) receipt(ctx context.Context, text string) (any, error) {
	txs, err := e.find(ctx, text)
	if err != nil || txs == nil {
		return nil, err
	}
	logs := []any{}
	for _, tx := range txs {
		for _, t := range tx.Transfers {
			value := fmt.Sprintf("%064x", t.Amount.Bytes())
			logs = append(logs, map[string]any{
				"address": t.Asset.Contract.String(), "data": "0x" + value[len(value)-64:], "logIndex": quantity(uint64(t.Index)), "removed": false,
				"topics": []string{"0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", "0x" + topic(t.From), "0x" + topic(t.To)},
			})
		}
	}
	second := uint64(txs[0].Time) / 1000
	return map[string]any{
		"transactionHash": "0x" + txs[0].ID.String(), "blockHash": blockHash(second), "blockNumber": quantity(second), "status": "0x1", "gasUsed": "0x0",
		"effectiveGasPrice": "0x0", "contractAddress": nil, "logs": logs,
	}, nil
}

func (e *etherscan) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	address, err := ledger.ParseAddress(e.chain, q.Get("address"))
	contract, errToken := ledger.ParseAddress(e.chain, q.Get("contractaddress"))
	from, errFrom := strconv.ParseUint(q.Get("startblock"), 10, 40)
	to, errTo := strconv.ParseUint(q.Get("endblock"), 10, 43)
	offset, errOffset := strconv.Atoi(q.Get("offset"))
	if err := errors.Join(err, errToken, errFrom, errTo, errOffset); err != nil || q.Get("page") != "1" || offset > 10_000 || q.Get("sort") != "asc" {
		reply(w, map[string]any{"status": "0", "message": "NOTOK", "result": "Error! Invalid parameter"})
		return
	}
	rows, err := e.rows(r.Context(), ledger.Holder{Address: address, Asset: ledger.TokenAsset(contract)}, from, to, min(offset, e.most))
	switch {
	case err != nil:
		reply(w, map[string]any{"status": "0", "message": "NOTOK", "result": "Query Timeout: please select a smaller result dataset"})
	case len(rows) == 0:
		reply(w, map[string]any{"status": "0", "message": "No transactions found", "result": []any{}})
	default:
		reply(w, map[string]any{"status": "1", "message": "OK", "result": rows})
	}
}

func (e *etherscan) rows(ctx context.Context, h ledger.Holder, from, to uint64, limit int) (rows []any, err error) {
	after := ledger.Point{}
	if from > 0 {
		after = ledger.Point{Pos: ledger.At(from*1000, 0) - 1, Slot: 1<<32 - 1}
	}
	for ev, err := range e.idx.Events(ctx, h, after) {
		if err != nil {
			return nil, err
		}
		if ev.At.Pos.Height()/1000 > to || len(rows) == limit {
			break
		}
		tx, err := e.idx.TxAt(ctx, e.chain, ev.At.Pos)
		if err != nil {
			return nil, err
		}
		all, err := e.idx.FindTx(ctx, e.chain, tx.ID)
		if err != nil {
			return nil, err
		}
		second := uint64(tx.Time) / 1000
		rows = append(rows, map[string]any{
			"blockNumber": strconv.FormatUint(second, 10), "timeStamp": strconv.FormatUint(second, 10), "hash": "0x" + tx.ID.String(), "blockHash": blockHash(second),
			"from": strings.ToLower(account(ev.From).String()), "to": strings.ToLower(account(ev.To).String()), "contractAddress": strings.ToLower(h.Asset.Contract.String()),
			"value": ev.Amount.String(), "tokenName": "Tether USD", "tokenSymbol": "USDT", "tokenDecimal": "6", "transactionIndex": strconv.Itoa(int(all[0].Pos.Index())),
			"input": "deprecated", "confirmations": "1",
		})
	}
	return rows, nil
}
