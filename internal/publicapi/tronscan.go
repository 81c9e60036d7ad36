package publicapi

import (
	"net/http"
	"strconv"

	"github.com/spoortrace/spoor/ledger"
)

// Tronscan serves an index of token transfers as Tronscan does: of single
// transactions it tells nothing that is used.
func Tronscan(idx Index, c ledger.Chain) http.Handler {
	s := &tronscan{idx, c}
	m := http.NewServeMux()
	m.HandleFunc("GET /api/block", s.block)
	m.HandleFunc("GET /api/token_trc20/transfers", s.list)
	return m
}

type tronscan struct {
	idx   Index
	chain ledger.Chain
}

func (s *tronscan) block(w http.ResponseWriter, r *http.Request) {
	tip, err := s.idx.AsOf(r.Context(), s.chain)
	if err != nil || r.URL.Query().Get("limit") != "1" {
		http.Error(w, "no block", http.StatusInternalServerError)
		return
	}
	reply(w, map[string]any{"total": 1, "data": []any{map[string]any{"hash": tip.Hash.String(), "number": 70_000_000, "timestamp": tip.Time, "confirmed": true}}})
}

// mostTotal is what a total is cut to.
const mostTotal = 10_000

func (s *tronscan) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	address, err := ledger.ParseAddress(s.chain, q.Get("relatedAddress"))
	contract, errToken := ledger.ParseAddress(s.chain, q.Get("contract_address"))
	limit, errLimit := strconv.Atoi(q.Get("limit"))
	if err != nil || errToken != nil || errLimit != nil || limit > 50 {
		w.WriteHeader(http.StatusBadRequest)
		reply(w, map[string]any{"message": "some parameters are invalid or out of range"})
		return
	}
	from, to := uint64(0), ^uint64(0)
	if text := q.Get("start_timestamp"); text != "" {
		from, _ = strconv.ParseUint(text, 10, 44)
		to, _ = strconv.ParseUint(q.Get("end_timestamp"), 10, 44)
	}
	rows, total := []any{}, 0
	for e, err := range s.idx.Events(r.Context(), ledger.Holder{Address: address, Asset: ledger.TokenAsset(contract)}, ledger.Point{}) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if h := e.At.Pos.Height(); h < from || h > to {
			continue
		}
		total++
		if len(rows) == limit {
			continue
		}
		tx, err := s.idx.TxAt(r.Context(), s.chain, e.At.Pos)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		rows = append(rows, map[string]any{
			"transaction_id": tx.ID.String(), "block_ts": tx.Time, "from_address": account(e.From).String(), "to_address": account(e.To).String(), "contract_address": contract.String(),
			"quant": e.Amount.String(), "confirmed": true, "contractRet": "SUCCESS", "finalResult": "SUCCESS", "event_type": "Transfer",
			"tokenInfo": map[string]any{"tokenAbbr": "USDT", "tokenDecimal": 6, "tokenId": contract.String()},
		})
	}
	reply(w, map[string]any{"total": min(total, mostTotal), "rangeTotal": total, "contractInfo": map[string]any{}, "token_transfers": rows})
}
