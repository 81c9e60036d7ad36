package publicapi

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/ledger"
)

// Blockbook serves an index as Blockbook does.
func Blockbook(idx Index, raw Raw, c ledger.Chain) http.Handler {
	b := &blockbook{esplora{idx, raw, c}}
	m := http.NewServeMux()
	m.HandleFunc("GET /api/v2", b.status)
	m.HandleFunc("GET /api/v2/block/{height}", b.block)
	m.HandleFunc("GET /api/v2/block-index/{height}", b.index)
	m.HandleFunc("GET /api/v2/tx/{id}", b.tx)
	return m
}

type blockbook struct{ esplora }

func failed(w http.ResponseWriter, text string) {
	w.WriteHeader(http.StatusBadRequest)
	reply(w, map[string]any{"error": text})
}

func (b *blockbook) status(w http.ResponseWriter, r *http.Request) {
	tip, err := b.idx.AsOf(r.Context(), b.chain)
	if err != nil {
		failed(w, err.Error())
		return
	}
	reply(w, map[string]any{
		"blockbook": map[string]any{"coin": "Bitcoin", "inSync": true, "bestHeight": tip.Height},
		"backend":   map[string]any{"chain": "main", "blocks": tip.Height, "bestBlockHash": tip.Hash.String()},
	})
}

// ref reads the block of a path's height.
func (b *blockbook) ref(w http.ResponseWriter, r *http.Request) (ledger.BlockRef, bool) {
	height, err := strconv.ParseUint(r.PathValue("height"), 10, 32)
	if err != nil {
		failed(w, "Block not found")
		return ledger.BlockRef{}, false
	}
	ref, err := b.idx.BlockRef(r.Context(), b.chain, height)
	if err != nil {
		failed(w, "Block not found")
	}
	return ref, err == nil
}

func (b *blockbook) block(w http.ResponseWriter, r *http.Request) {
	if ref, ok := b.ref(w, r); ok {
		reply(w, map[string]any{"page": 1, "totalPages": 1, "hash": ref.Hash.String(), "height": ref.Height, "time": ref.Time / 1000, "txs": []any{}})
	}
}

func (b *blockbook) index(w http.ResponseWriter, r *http.Request) {
	if ref, ok := b.ref(w, r); ok {
		reply(w, map[string]any{"blockHash": ref.Hash.String()})
	}
}

// side prints who has a coin: only scripts that have an address are one.
func side(a ledger.Address, v ledger.Amount) map[string]any {
	is := a.Kind != ledger.KindScript && a.Kind != ledger.KindWitness
	one := map[string]any{"value": v.String(), "isAddress": is}
	if is {
		one["addresses"] = []string{a.String()}
	}
	return one
}

func (b *blockbook) tx(w http.ResponseWriter, r *http.Request) {
	rec := &hidden{ResponseWriter: w}
	tx, raw, _, ok := b.find(r.Context(), rec, r.PathValue("id"))
	if !ok {
		failed(w, "Transaction '"+r.PathValue("id")+"' not found")
		return
	}
	ref, err := b.idx.BlockRef(r.Context(), b.chain, tx.Pos.Height())
	if err != nil {
		failed(w, err.Error())
		return
	}
	m := wire.MsgTx{Version: int32(raw.Version), LockTime: raw.LockTime}
	ins, outs := []any{}, []any{}
	var in, out uint64
	for i, prev := range raw.Prevs {
		hash, _ := chainhash.NewHashFromStr(prev.Tx.String())
		m.TxIn = append(m.TxIn, &wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: *hash, Index: prev.Index}, SignatureScript: raw.Scripts[i], Sequence: raw.Sequences[i]})
		one := map[string]any{"isAddress": false, "value": "0"}
		if !tx.Coinbase {
			one = side(tx.Inputs[i].Address, tx.Inputs[i].Value)
			one["txid"], one["vout"] = prev.Tx.String(), prev.Index
			v, _ := tx.Inputs[i].Value.Uint64()
			in += v
		}
		one["n"] = i
		ins = append(ins, one)
	}
	for i, o := range tx.Outputs {
		v, _ := o.Value.Uint64()
		out += v
		m.TxOut = append(m.TxOut, &wire.TxOut{Value: int64(v), PkScript: o.Address.Script()})
		one := side(o.Address, o.Value)
		one["n"], one["hex"] = i, hex.EncodeToString(o.Address.Script())
		if o.SpentBy != 0 {
			by, err := b.idx.TxAt(r.Context(), b.chain, o.SpentBy)
			if err != nil {
				failed(w, err.Error())
				return
			}
			one["spent"] = true
			if r.URL.Query().Get("spending") == "true" {
				one["spentTxId"], one["spentHeight"] = by.ID.String(), by.Pos.Height()
			}
		}
		outs = append(outs, one)
	}
	fees := uint64(0)
	if !tx.Coinbase {
		fees = in - out
	}
	var whole bytes.Buffer
	if err := m.SerializeNoWitness(&whole); err != nil {
		failed(w, err.Error())
		return
	}
	reply(w, map[string]any{
		"txid": tx.ID.String(), "vin": ins, "vout": outs, "blockHash": ref.Hash.String(), "blockHeight": ref.Height, "blockTime": ref.Time / 1000,
		"fees": fmt.Sprint(fees), "hex": hex.EncodeToString(whole.Bytes()),
	})
}

// hidden swallows what would be said.
type hidden struct{ http.ResponseWriter }

func (hidden) WriteHeader(int)             {}
func (hidden) Write(b []byte) (int, error) { return len(b), nil }
