package evm

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
)

// BenchmarkReceipts proves the receipts of a mainnet block (182 of them, 410
// logs) and finds their transfers: from consensus bytes, from a node's JSON, and
// with go-ethereum's own types from either.
func BenchmarkReceipts(b *testing.B) {
	m, d := modernBlocks(b)[1], newDecoder(b, "ethereum", Contracts{})
	raws := rawOf(b, m)
	read := func(b *testing.B, receipts []*receipt, err error) {
		found := 0
		for i, rec := range receipts {
			for _, l := range rec.logs {
				if d.read(l, m.txs[i], nil).moves {
					found++
				}
			}
		}
		if err != nil || found != 212 {
			b.Fatalf("%d transfers, %v", found, err)
		}
	}
	b.Run("bytes", func(b *testing.B) {
		for b.Loop() {
			receipts, err := decodeRaw("block", m.h, m.txs, raws, nil)
			read(b, receipts, err)
		}
	})
	b.Run("json", func(b *testing.B) {
		for b.Loop() {
			receipts, err := d.rules.decodeReceipts("block", m.h, m.txs, m.receipts)
			read(b, receipts, err)
		}
	})
	b.Run("bytes, types.Receipts", func(b *testing.B) {
		for b.Loop() {
			all := make(types.Receipts, len(raws))
			for i, raw := range raws {
				all[i] = new(types.Receipt)
				if err := all[i].UnmarshalBinary(raw); err != nil {
					b.Fatal(err)
				}
			}
			theirs(b, d, m, all)
		}
	})
	b.Run("json, types.Receipts", func(b *testing.B) {
		texts := theirJSON(b, m, raws)
		for b.Loop() {
			all := make(types.Receipts, len(texts))
			for i, text := range texts {
				all[i] = new(types.Receipt)
				if err := json.Unmarshal(text, all[i]); err != nil {
					b.Fatal(err)
				}
			}
			theirs(b, d, m, all)
		}
	})
}

// BenchmarkTransfers finds the transfers in consensus bytes without proving them:
// what the decoding alone costs.
func BenchmarkTransfers(b *testing.B) {
	m, d := modernBlocks(b)[1], newDecoder(b, "ethereum", Contracts{})
	raws := rawOf(b, m)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			var bloom types.Bloom
			var room logRoom
			for i, raw := range raws {
				var rec receipt
				if !rec.split(raw, m.txs[i].kind, &bloom, &room) {
					b.Fatal(i)
				}
				for _, l := range rec.logs {
					d.read(l, m.txs[i], nil)
				}
			}
		}
	})
	b.Run("types.Receipts", func(b *testing.B) {
		for b.Loop() {
			for i, raw := range raws {
				var r types.Receipt
				if err := r.UnmarshalBinary(raw); err != nil {
					b.Fatal(err)
				}
				for _, l := range r.Logs {
					d.read(l, m.txs[i], nil)
				}
			}
		}
	})
}

// theirs proves receipts as go-ethereum does (core.BlockValidator): bloom filters
// from the logs, root from the encoding.
func theirs(b *testing.B, d *decoder, m *modern, all types.Receipts) {
	bloom, found := types.Bloom{}, 0
	for i, r := range all {
		own := types.CreateBloom(r)
		merge(&bloom, &own)
		for _, l := range r.Logs {
			if d.read(l, m.txs[i], nil).moves {
				found++
			}
		}
	}
	if types.DeriveSha(all, trie.NewStackTrie(nil)) != m.h.ReceiptHash || bloom != m.h.Bloom || found != 212 {
		b.Fatalf("%d transfers", found)
	}
}

// theirJSON gives the receipts every field that go-ethereum demands.
func theirJSON(b *testing.B, m *modern, raws []hexutil.Bytes) []json.RawMessage {
	var texts []json.RawMessage
	for i, raw := range raws {
		var r types.Receipt
		if err := r.UnmarshalBinary(raw); err != nil {
			b.Fatal(err)
		}
		r.TxHash, r.BlockHash = m.txs[i].hash, m.h.hash
		texts = append(texts, must[[]byte](b)(json.Marshal(&r)))
	}
	return texts
}

// BenchmarkBlock makes blocks of all of a node's answers about one with 19
// transactions; the senders are recovered from signatures.
func BenchmarkBlock(b *testing.B) {
	n := start(b, gethtest.Options{})
	var all []*answers
	contracts := play(b, n, func(height uint64) { all = append(all, ask(b, n, height)) })
	d := newDecoder(b, testChain, contracts)
	for b.Loop() {
		must[*ledger.Block](b)(d.whole("block", all[5]))
	}
}
