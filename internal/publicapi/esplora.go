package publicapi

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/spoortrace/spoor/ledger"
)

// Raw gives the serialised transactions of a block, without witnesses, and its
// header: what an index of coins does not keep.
type Raw interface {
	// Block returns the header and the transactions in the order of the block.
	Block(height uint64) (header []byte, txs []RawTx, err error)
}

// RawTx is what of a transaction an index does not keep.
type RawTx struct {
	ID        ledger.TxID
	Version   uint32
	LockTime  uint32
	Scripts   [][]byte // of inputs
	Sequences []uint32
	Prevs     []ledger.OutPoint // of inputs, the coinbase's too
}

// Esplora serves an index as Esplora does.
func Esplora(idx Index, raw Raw, c ledger.Chain) http.Handler {
	e := &esplora{idx, raw, c}
	m := http.NewServeMux()
	m.HandleFunc("GET /blocks", e.blocks)
	m.HandleFunc("GET /blocks/{height}", e.blocks)
	m.HandleFunc("GET /tx/{id}", e.tx)
	m.HandleFunc("GET /tx/{id}/outspends", e.spends)
	m.HandleFunc("GET /tx/{id}/merkle-proof", e.proof)
	m.HandleFunc("GET /address/{address}", e.stats)
	m.HandleFunc("GET /address/{address}/txs/chain", e.list)
	m.HandleFunc("GET /address/{address}/txs/chain/{last}", e.list)
	return m
}

type esplora struct {
	idx   Index
	raw   Raw
	chain ledger.Chain
}

func (e *esplora) blocks(w http.ResponseWriter, r *http.Request) {
	tip, err := e.idx.AsOf(r.Context(), e.chain)
	from := tip.Height
	if s := r.PathValue("height"); s != "" && err == nil {
		var n uint64
		if n, err = strconv.ParseUint(s, 10, 64); err == nil && n > tip.Height {
			http.Error(w, "Block not found", http.StatusNotFound)
			return
		}
		from = n
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	all := []map[string]any{}
	for h := from; len(all) < 10; h-- {
		ref, err := e.idx.BlockRef(r.Context(), e.chain, h)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		one := map[string]any{"id": ref.Hash.String(), "height": h, "timestamp": ref.Time / 1000}
		if raw, _, err := e.raw.Block(h); err == nil && len(raw) >= 80 {
			one["previousblockhash"], one["merkle_root"] = printed(raw[4:36]), printed(raw[36:68])
			for name, at := range map[string]int{"version": 0, "bits": 72, "nonce": 76} {
				one[name] = binary.LittleEndian.Uint32(raw[at:])
			}
		}
		all = append(all, one)
		if h == 0 {
			break
		}
	}
	reply(w, all)
}

// printed is a hash in the order in which it is printed.
func printed(hash []byte) string {
	h := slices.Clone(hash)
	slices.Reverse(h)
	return hex.EncodeToString(h)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// find reads a transaction and what of it the index does not keep.
func (e *esplora) find(ctx context.Context, w http.ResponseWriter, text string) (tx ledger.Tx, raw RawTx, pos int, ok bool) {
	id, err := ledger.ParseTxID(text)
	if err != nil {
		http.Error(w, "Invalid hex string", http.StatusBadRequest)
		return tx, raw, 0, false
	}
	txs, err := e.idx.FindTx(ctx, e.chain, id)
	if err != nil {
		http.Error(w, "Transaction not found", http.StatusNotFound)
		return tx, raw, 0, false
	}
	tx = txs[len(txs)-1]
	_, all, err := e.raw.Block(tx.Pos.Height())
	for i := range all {
		if all[i].ID == id && err == nil {
			return tx, all[i], i, true
		}
	}
	http.Error(w, fmt.Sprint("no raw form: ", err), http.StatusInternalServerError)
	return tx, raw, 0, false
}

func (e *esplora) status(ctx context.Context, height uint64) (map[string]any, error) {
	ref, err := e.idx.BlockRef(ctx, e.chain, height)
	return map[string]any{"confirmed": true, "block_height": height, "block_hash": ref.Hash.String(), "block_time": ref.Time / 1000}, err
}

func output(a ledger.Address, v ledger.Amount) map[string]any {
	n, _ := v.Uint64()
	return map[string]any{"scriptpubkey": hex.EncodeToString(a.Script()), "scriptpubkey_type": "unknown", "value": n}
}

// of lists the transactions of a path's address, the newest first.
func (e *esplora) of(w http.ResponseWriter, r *http.Request) (ids []ledger.TxID, ok bool) {
	a, err := ledger.ParseAddress(e.chain, r.PathValue("address"))
	if err != nil {
		http.Error(w, "Invalid Bitcoin address", http.StatusBadRequest)
		return nil, false
	}
	var at []ledger.Position
	for ev, err := range e.idx.Events(r.Context(), ledger.Holder{Address: a, Asset: ledger.NativeAsset(e.chain)}, ledger.Point{}) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return nil, false
		}
		at = append(at, ev.At.Pos)
	}
	slices.Sort(at)
	at = slices.Compact(at)
	slices.Reverse(at)
	for _, pos := range at {
		tx, err := e.idx.TxAt(r.Context(), e.chain, pos)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return nil, false
		}
		ids = append(ids, tx.ID)
	}
	return ids, true
}

func (e *esplora) stats(w http.ResponseWriter, r *http.Request) {
	if ids, ok := e.of(w, r); ok {
		reply(w, map[string]any{"address": r.PathValue("address"), "chain_stats": map[string]any{"tx_count": len(ids)}, "mempool_stats": map[string]any{"tx_count": 0}})
	}
}

// esploraRows is how many transactions are on a page.
const esploraRows = 25

func (e *esplora) list(w http.ResponseWriter, r *http.Request) {
	ids, ok := e.of(w, r)
	if !ok {
		return
	}
	if last := r.PathValue("last"); last != "" {
		i := slices.IndexFunc(ids, func(id ledger.TxID) bool { return id.String() == last })
		ids = ids[i+1:] // whoever names none of the list begins at its start
	}
	rows := []any{}
	for _, id := range ids[:min(len(ids), esploraRows)] {
		tx, raw, _, ok := e.find(r.Context(), w, id.String())
		if !ok {
			return
		}
		row, err := e.print(r.Context(), tx, raw)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		rows = append(rows, row)
	}
	reply(w, rows)
}

func (e *esplora) tx(w http.ResponseWriter, r *http.Request) {
	tx, raw, _, ok := e.find(r.Context(), w, r.PathValue("id"))
	if !ok {
		return
	}
	row, err := e.print(r.Context(), tx, raw)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, row)
}

func (e *esplora) print(ctx context.Context, tx ledger.Tx, raw RawTx) (map[string]any, error) {
	status, err := e.status(ctx, tx.Pos.Height())
	if err != nil {
		return nil, err
	}
	var in, out uint64
	ins, outs := []map[string]any{}, []map[string]any{}
	for i, prev := range raw.Prevs {
		one := map[string]any{
			"txid": prev.Tx.String(), "vout": prev.Index, "prevout": nil, "scriptsig": hex.EncodeToString(raw.Scripts[i]),
			"is_coinbase": tx.Coinbase, "sequence": raw.Sequences[i],
		}
		if !tx.Coinbase {
			v, _ := tx.Inputs[i].Value.Uint64()
			in += v
			one["prevout"] = output(tx.Inputs[i].Address, tx.Inputs[i].Value)
		}
		ins = append(ins, one)
	}
	for _, o := range tx.Outputs {
		v, _ := o.Value.Uint64()
		out += v
		outs = append(outs, output(o.Address, o.Value))
	}
	fee := uint64(0)
	if !tx.Coinbase {
		fee = in - out
	}
	return map[string]any{
		"txid": tx.ID.String(), "version": raw.Version, "locktime": raw.LockTime, "vin": ins, "vout": outs, "fee": fee, "status": status,
	}, nil
}

func (e *esplora) spends(w http.ResponseWriter, r *http.Request) {
	tx, _, _, ok := e.find(r.Context(), w, r.PathValue("id"))
	if !ok {
		return
	}
	all := []map[string]any{}
	for i, o := range tx.Outputs {
		if o.SpentBy == 0 {
			all = append(all, map[string]any{"spent": false})
			continue
		}
		by, err := e.idx.TxAt(r.Context(), e.chain, o.SpentBy)
		var status map[string]any
		if err == nil {
			status, err = e.status(r.Context(), o.SpentBy.Height())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		vin := 0
		for j, in := range by.Inputs {
			if in.Prev == (ledger.OutPoint{Tx: tx.ID, Index: uint32(i)}) {
				vin = j
			}
		}
		all = append(all, map[string]any{"spent": true, "txid": by.ID.String(), "vin": vin, "status": status})
	}
	reply(w, all)
}

func (e *esplora) proof(w http.ResponseWriter, r *http.Request) {
	tx, _, pos, ok := e.find(r.Context(), w, r.PathValue("id"))
	if !ok {
		return
	}
	_, all, err := e.raw.Block(tx.Pos.Height())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var ids [][32]byte
	for _, t := range all {
		ids = append(ids, t.ID)
	}
	reply(w, map[string]any{"block_height": tx.Pos.Height(), "merkle": branch(ids, pos), "pos": pos})
}
