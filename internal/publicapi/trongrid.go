package publicapi

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spoortrace/spoor/ledger"
)

// Signed gives what was signed of a transaction, which an index does not keep.
type Signed func(id ledger.TxID) (raw []byte, ok bool)

// TronGrid serves an index of transfers as TronGrid does. most is how many
// rows it gives at most, whatever is asked for: it says so to nobody. 0: 200.
func TronGrid(idx Index, signed Signed, c ledger.Chain, most int) http.Handler {
	if most == 0 {
		most = 200
	}
	g := &tronGrid{idx, signed, c, most}
	m := http.NewServeMux()
	m.HandleFunc("/walletsolidity/getnowblock", g.now)
	m.HandleFunc("POST /wallet/gettransactionbyid", g.tx)
	m.HandleFunc("POST /wallet/gettransactioninfobyid", g.info)
	m.HandleFunc("GET /v1/accounts/{address}/transactions/trc20", g.list)
	m.HandleFunc("GET /v1/accounts/{address}/transactions", g.list)
	return m
}

type tronGrid struct {
	idx    Index
	signed Signed
	chain  ledger.Chain
	most   int
}

func (g *tronGrid) now(w http.ResponseWriter, r *http.Request) {
	tip, err := g.idx.AsOf(r.Context(), g.chain)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, map[string]any{"blockID": tip.Hash.String(), "block_header": map[string]any{"raw_data": map[string]any{"number": 70_000_000, "timestamp": tip.Time}}})
}

// find reads the transaction that a posted value names, all rows of it.
func (g *tronGrid) find(w http.ResponseWriter, r *http.Request) (id ledger.TxID, txs []ledger.Tx, ok bool) {
	var m struct{ Value string }
	err := json.NewDecoder(r.Body).Decode(&m)
	if err == nil {
		id, err = ledger.ParseTxID(m.Value)
	}
	if err != nil {
		reply(w, map[string]any{"Error": "class java.lang.IllegalArgumentException : " + err.Error()})
		return id, nil, false
	}
	if txs, err = g.idx.FindTx(r.Context(), g.chain, id); err != nil {
		reply(w, map[string]any{})
		return id, nil, false
	}
	return id, txs, true
}

func (g *tronGrid) tx(w http.ResponseWriter, r *http.Request) {
	id, txs, ok := g.find(w, r)
	if !ok {
		return
	}
	raw, ok := g.signed(id)
	if !ok {
		http.Error(w, "nobody has what was signed", http.StatusInternalServerError)
		return
	}
	ended := "SUCCESS"
	if txs[0].Status == ledger.StatusFailed {
		ended = "REVERT"
	}
	reply(w, map[string]any{"ret": []any{map[string]any{"contractRet": ended}}, "txID": id.String(), "raw_data": map[string]any{}, "raw_data_hex": hex.EncodeToString(raw)})
}

func (g *tronGrid) info(w http.ResponseWriter, r *http.Request) {
	id, txs, ok := g.find(w, r)
	if !ok {
		return
	}
	logs, inside, fee, earned := []any{}, []any{}, ledger.Amount{}, ledger.Amount{}
	for _, tx := range txs {
		for _, t := range tx.Transfers {
			switch {
			case t.Kind == ledger.TransferFee:
				fee = t.Amount
			case t.Kind == ledger.TransferInternal && t.From.IsZero():
				earned = t.Amount
			case t.Kind == ledger.TransferInternal:
				inside = append(inside, map[string]any{
					"caller_address": hexOf(t.From), "transferTo_address": hexOf(t.To), "callValueInfo": []any{map[string]any{"callValue": number(t.Amount)}}, "note": "63616c6c",
				})
			}
			if t.Kind == ledger.TransferToken && tx.Status != ledger.StatusFailed {
				value := fmt.Sprintf("%064x", t.Amount.Bytes())
				logs = append(logs, map[string]any{
					"address": hex.EncodeToString([]byte(t.Asset.Contract.Payload)), "data": value[len(value)-64:],
					"topics": []string{"ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", topic(t.From), topic(t.To)},
				})
			}
		}
	}
	reply(w, map[string]any{
		"id": id.String(), "blockNumber": 1 + txs[0].Time/3000, "blockTimeStamp": txs[0].Time, "contractResult": []string{""}, "receipt": map[string]any{"result": "SUCCESS"}, "log": logs,
		"internal_transactions": inside, "fee": number(fee), "withdraw_amount": number(earned),
	})
}

func hexOf(a ledger.Address) string { return "41" + hex.EncodeToString([]byte(a.Payload)) }

func number(a ledger.Amount) uint64 {
	n, _ := a.Uint64()
	return n
}

// nativeRow is an event of TRX as a row of an account's transactions; nil: it was in
// a row before.
func (g *tronGrid) nativeRow(tx *ledger.Tx, ev ledger.Event, last ledger.Position) (map[string]any, error) {
	if ev.Kind == ledger.TransferInternal && !ev.From.IsZero() {
		return map[string]any{
			"internal_tx_id": tx.ID.String(), "tx_id": tx.ID.String(), "block_timestamp": tx.Time, "from_address": hexOf(ev.From), "to_address": hexOf(ev.To),
			"data": map[string]any{"note": "call", "rejected": false, "call_value": map[string]any{"_": number(ev.Amount)}},
		}, nil
	}
	if ev.At.Pos == last {
		return nil, nil //nolint:nilnil // nothing more
	}
	raw, ok := g.signed(tx.ID)
	if !ok {
		return nil, fmt.Errorf("nobody has what was signed of %s", tx.ID)
	}
	fee, earned := ledger.Amount{}, ledger.Amount{}
	for _, t := range tx.Transfers {
		switch {
		case t.Kind == ledger.TransferFee:
			fee = t.Amount
		case t.Kind == ledger.TransferInternal && t.From.IsZero():
			earned = t.Amount
		}
	}
	return map[string]any{
		"txID": tx.ID.String(), "raw_data_hex": hex.EncodeToString(raw), "raw_data": map[string]any{}, "ret": []any{map[string]any{"contractRet": "SUCCESS", "fee": number(fee)}},
		"blockNumber": 1 + tx.Time/3000, "block_timestamp": tx.Time, "withdraw_amount": number(earned), "internal_transactions": []any{}, "net_fee": 0, "energy_fee": number(fee),
	}, nil
}

func topic(a ledger.Address) string {
	return fmt.Sprintf("%024x", 0) + hex.EncodeToString([]byte(account(a).Payload))
}

// account prints nobody as the zero account, as logs do.
func account(a ledger.Address) ledger.Address {
	if a.IsZero() {
		a.Payload = string(make([]byte, 20))
	}
	return a
}

func (g *tronGrid) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	address, err := ledger.ParseAddress(g.chain, r.PathValue("address"))
	asset, errToken := ledger.NativeAsset(g.chain), error(nil)
	if text := q.Get("contract_address"); text != "" {
		asset.Contract, errToken = ledger.ParseAddress(g.chain, text)
	}
	from, errFrom := strconv.ParseUint(q.Get("min_timestamp"), 10, 44)
	to, errTo := strconv.ParseUint(q.Get("max_timestamp"), 10, 44)
	limit, errLimit := strconv.Atoi(q.Get("limit"))
	if err != nil || errToken != nil || errFrom != nil || errTo != nil || errLimit != nil || limit > 200 || q.Get("order_by") != "block_timestamp,asc" {
		w.WriteHeader(http.StatusBadRequest)
		reply(w, map[string]any{"success": false, "error": "Invalid parameter", "statusCode": 400})
		return
	}
	data, more, err := g.rows(r.Context(), ledger.Holder{Address: address, Asset: asset}, from, to, min(limit, g.most))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	meta := map[string]any{"at": 1_700_000_000_000, "page_size": len(data)}
	if more && limit <= g.most { // who caps in silence says nothing of it
		meta["fingerprint"] = "abc"
	}
	reply(w, map[string]any{"data": data, "success": true, "meta": meta})
}

func (g *tronGrid) rows(ctx context.Context, h ledger.Holder, from, to uint64, limit int) (data []any, more bool, err error) {
	data = []any{}
	after := ledger.Point{}
	if from > 0 {
		after = ledger.Point{Pos: ledger.At(from, 0) - 1, Slot: 1<<32 - 1}
	}
	var last ledger.Position
	for e, err := range g.idx.Events(ctx, h, after) {
		if err != nil {
			return nil, false, err
		}
		if e.At.Pos.Height() > to {
			break
		}
		if len(data) == limit {
			return data, true, nil
		}
		tx, err := g.idx.TxAt(ctx, g.chain, e.At.Pos)
		if err != nil {
			return nil, false, err
		}
		if h.Asset.Native() {
			row, err := g.nativeRow(&tx, e, last)
			if err != nil {
				return nil, false, err
			}
			if row != nil && row["txID"] != nil {
				last = e.At.Pos
			}
			if row != nil {
				data = append(data, row)
			}
			continue
		}
		data = append(data, map[string]any{
			"transaction_id": tx.ID.String(), "token_info": map[string]any{"symbol": "USDT", "address": h.Asset.Contract.String(), "decimals": 6, "name": "Tether USD"},
			"block_timestamp": tx.Time, "from": account(e.From).String(), "to": account(e.To).String(), "type": "Transfer", "value": e.Amount.String(),
		})
	}
	return data, false, nil
}
