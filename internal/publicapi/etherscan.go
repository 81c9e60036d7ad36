package publicapi

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/spoortrace/spoor/ledger"
)

// Etherscan serves an index of transfers, whose heights are milliseconds, as version
// 2 of Etherscan does: a block is a second, and gas costs a unit. most is how many
// rows it gives at most, whatever is asked for: it says so to nobody. 0: 10,000.
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
	case "eth_getTransactionCount":
		result, err = e.count(r.Context(), q.Get("address"))
	case "txlistinternal", "tokentx", "txlist", "txsBeaconWithdrawal":
		if q.Get("txhash") != "" {
			e.internals(w, r)
			return
		}
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

// sent is who sent a transaction, to whom, with what value and fee.
func sent(tx *ledger.Tx) (from, to ledger.Address, value, fee ledger.Amount) {
	for _, t := range tx.Transfers {
		switch t.Kind {
		case ledger.TransferNative:
			from, to, value = t.From, t.To, t.Amount
		case ledger.TransferFee:
			from, fee = t.From, t.Amount
		case ledger.TransferInternal:
			if to.IsZero() {
				to = t.From
			}
		case ledger.TransferToken, ledger.TransferSeized:
			if to.IsZero() {
				from, to = t.From, t.Asset.Contract
			}
		}
	}
	return from, to, value, fee
}

func (e *etherscan) tx(ctx context.Context, text string) (any, error) {
	txs, err := e.find(ctx, text)
	if err != nil || txs == nil {
		return nil, err
	}
	second := uint64(txs[0].Time) / 1000
	from, to, value, _ := sent(&txs[0])
	return map[string]any{
		"hash": "0x" + txs[0].ID.String(), "from": account(from).String(), "to": to.String(), "value": "0x" + new(big.Int).SetBytes(value.Bytes()).Text(16), "gasPrice": "0x1", "input": "0xa9059cbb",
		"blockHash": blockHash(second), "blockNumber": quantity(second), "transactionIndex": quantity(uint64(txs[0].Pos.Index())),
	}, nil
}

// internals lists what contracts sent in a transaction.
func (e *etherscan) internals(w http.ResponseWriter, r *http.Request) {
	txs, err := e.find(r.Context(), r.URL.Query().Get("txhash"))
	rows := []any{}
	for _, tx := range txs {
		for _, t := range tx.Transfers {
			if t.Kind == ledger.TransferInternal {
				rows = append(rows, e.internal(&tx, t))
			}
		}
	}
	listed(w, rows, err)
}

func (e *etherscan) internal(tx *ledger.Tx, t ledger.Transfer) map[string]any {
	second := strconv.FormatInt(tx.Time/1000, 10)
	return map[string]any{
		"blockNumber": second, "timeStamp": second, "hash": "0x" + tx.ID.String(), "from": strings.ToLower(t.From.String()), "to": strings.ToLower(t.To.String()),
		"value": t.Amount.String(), "contractAddress": "", "input": "", "type": "call", "gas": "0", "gasUsed": "0", "traceId": "0", "isError": "0", "errCode": "",
	}
}

// count is how many transactions an account has sent.
func (e *etherscan) count(ctx context.Context, text string) (any, error) {
	a, err := ledger.ParseAddress(e.chain, text)
	if err != nil {
		return nil, err
	}
	n := uint64(0)
	for ev, err := range e.idx.Events(ctx, ledger.Holder{Address: a, Asset: ledger.NativeAsset(e.chain)}, ledger.Point{}) {
		if err != nil {
			return nil, err
		}
		if ev.Kind == ledger.TransferFee {
			n++
		}
	}
	return quantity(n), nil
}

func (e *etherscan) receipt(ctx context.Context, text string) (any, error) {
	txs, err := e.find(ctx, text)
	if err != nil || txs == nil {
		return nil, err
	}
	logs := []any{}
	for _, tx := range txs {
		for _, t := range tx.Transfers {
			if t.Kind != ledger.TransferToken {
				continue
			}
			value := fmt.Sprintf("%064x", t.Amount.Bytes())
			logs = append(logs, map[string]any{
				"address": t.Asset.Contract.String(), "data": "0x" + value[len(value)-64:], "logIndex": quantity(uint64(t.Index)), "removed": false,
				"topics": []string{"0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", "0x" + topic(t.From), "0x" + topic(t.To)},
			})
		}
	}
	second := uint64(txs[0].Time) / 1000
	_, _, _, fee := sent(&txs[0])
	gas, _ := fee.Uint64()
	return map[string]any{
		"transactionHash": "0x" + txs[0].ID.String(), "blockHash": blockHash(second), "blockNumber": quantity(second), "status": "0x1", "gasUsed": quantity(gas),
		"effectiveGasPrice": "0x1", "contractAddress": nil, "logs": logs,
	}, nil
}

func (e *etherscan) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	address, err := ledger.ParseAddress(e.chain, q.Get("address"))
	asset, errToken := ledger.NativeAsset(e.chain), error(nil)
	if text := q.Get("contractaddress"); text != "" {
		asset.Contract, errToken = ledger.ParseAddress(e.chain, text)
	}
	from, errFrom := strconv.ParseUint(q.Get("startblock"), 10, 40)
	to, errTo := strconv.ParseUint(q.Get("endblock"), 10, 43)
	offset, errOffset := strconv.Atoi(q.Get("offset"))
	if err := errors.Join(err, errToken, errFrom, errTo, errOffset); err != nil || q.Get("page") != "1" || offset > 10_000 || q.Get("sort") != "asc" {
		reply(w, map[string]any{"status": "0", "message": "NOTOK", "result": "Error! Invalid parameter"})
		return
	}
	rows, err := e.rows(r.Context(), q.Get("action"), ledger.Holder{Address: address, Asset: asset}, from, to, min(offset, e.most))
	listed(w, rows, err)
}

func listed(w http.ResponseWriter, rows []any, err error) {
	switch {
	case err != nil:
		reply(w, map[string]any{"status": "0", "message": "NOTOK", "result": "Query Timeout: please select a smaller result dataset"})
	case len(rows) == 0:
		reply(w, map[string]any{"status": "0", "message": "No transactions found", "result": []any{}})
	default:
		reply(w, map[string]any{"status": "1", "message": "OK", "result": rows})
	}
}

func (e *etherscan) rows(ctx context.Context, action string, h ledger.Holder, from, to uint64, limit int) (rows []any, err error) {
	after := ledger.Point{}
	if from > 0 {
		after = ledger.Point{Pos: ledger.At(from*1000, 0) - 1, Slot: 1<<32 - 1}
	}
	var last ledger.Position
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
		if h.Asset.Native() {
			if row := e.nativeRow(action, h, &tx, ev, last); row != nil {
				rows, last = append(rows, row), ev.At.Pos
			}
			continue
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

// nativeRow is an event of the native coin as a row of a list; nil: it is in another
// list, or was in a row before.
func (e *etherscan) nativeRow(action string, h ledger.Holder, tx *ledger.Tx, ev ledger.Event, last ledger.Position) map[string]any {
	second := strconv.FormatInt(tx.Time/1000, 10)
	switch {
	case action == "txsBeaconWithdrawal":
		if !tx.Coinbase {
			return nil
		}
		gwei, _ := ev.Amount.MulDiv(ledger.NewAmount(1), ledger.NewAmount(1_000_000_000))
		return map[string]any{"withdrawalIndex": "1", "validatorIndex": "1", "address": strings.ToLower(h.Address.String()), "amount": gwei.String(), "blockNumber": second, "timestamp": second}
	case tx.Coinbase, (action == "txlistinternal") != (ev.Kind == ledger.TransferInternal):
		return nil
	case action == "txlistinternal":
		return e.internal(tx, ledger.Transfer{From: ev.From, To: ev.To, Amount: ev.Amount})
	case ev.At.Pos == last:
		return nil
	}
	from, to, value, fee := sent(tx)
	return map[string]any{
		"blockNumber": second, "timeStamp": second, "hash": "0x" + tx.ID.String(), "blockHash": blockHash(uint64(tx.Time) / 1000), "transactionIndex": strconv.Itoa(int(tx.Pos.Index())),
		"from": strings.ToLower(from.String()), "to": strings.ToLower(to.String()), "contractAddress": "", "value": value.String(), "gas": fee.String(), "gasUsed": fee.String(),
		"gasPrice": "1", "isError": "0", "txreceipt_status": "1", "input": "0x", "nonce": "0", "confirmations": "1",
	}
}
