package evm

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/ledger"
)

// FuzzBlock feeds answers of a node: whatever they are, they end in a block or in
// a named fault.
func FuzzBlock(f *testing.F) {
	for _, height := range []int{1755634, 1755635, 483920} {
		a := mainnet(f, height)
		receipts := must[[]byte](f)(json.Marshal(a.receipts))
		f.Add([]byte(a.block), receipts, []byte("[]"), []byte("[]"))
	}
	for _, name := range []string{"subtraces", "error", "create", "suicide"} {
		var r recorded
		readFile(f, "trace-"+name+".json", &r)
		f.Add([]byte(r.Block), []byte("[]"), []byte(r.Calls), []byte(r.Parity))
	}
	d := newDecoder(f, testChain, Contracts{})
	f.Fuzz(func(t *testing.T, block, receipts, calls, parity []byte) {
		a := &answers{block: block}
		if json.Unmarshal(receipts, &a.receipts) != nil || !json.Valid(block) {
			return
		}
		if json.Valid(calls) && len(calls) > 2 {
			a.calls = calls
		} else if json.Valid(parity) && len(parity) > 2 {
			a.parity = parity
		}
		b, err := d.whole("block", a)
		if _, named := ledger.FaultOf(err); err != nil && !named {
			t.Errorf("%v, want a named fault", err)
		}
		if err == nil && b == nil {
			t.Error("neither a block nor an error")
		}
	})
}

// FuzzTraces feeds traces to the transactions of a real block.
func FuzzTraces(f *testing.F) {
	for _, name := range []string{"subtraces", "error", "create", "suicide"} {
		var r recorded
		readFile(f, "trace-"+name+".json", &r)
		f.Add([]byte(r.Calls), []byte(r.Parity))
	}
	var r recorded
	readFile(f, "1755635.json", &r)
	f.Fuzz(func(t *testing.T, calls, parity []byte) {
		for _, a := range []*answers{{calls: calls}, {parity: parity}} {
			if a.block, a.receipts = r.Block, r.Receipts; a.calls == nil && a.parity == nil {
				continue
			}
			_, err := newDecoder(t, "ethereum", Contracts{}).whole("block", a)
			if _, named := ledger.FaultOf(err); err != nil && !named {
				t.Errorf("%v, want a named fault", err)
			}
		}
	})
}

// FuzzRawReceipt splits receipts as go-ethereum decodes them: what both take reads
// the same, and what ours takes is canonical.
func FuzzRawReceipt(f *testing.F) {
	for _, raw := range rawOf(f, modernBlocks(f)[0])[:20] {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var kind uint64
		if len(raw) > 0 && raw[0] < 0x80 {
			kind = uint64(raw[0])
		}
		var ours receipt
		var bloom types.Bloom
		took := ours.split(raw, kind, &bloom, &logRoom{})
		var theirs types.Receipt
		err := theirs.UnmarshalBinary(raw)
		if kind <= 4 && (kind == 0 || len(raw) > 1) && took != (err == nil) {
			t.Fatalf("%s: ours %v, go-ethereum %v", hexutil.Bytes(raw), took, err)
		}
		if took && err == nil && (ours.cumulated != theirs.CumulativeGasUsed || !sameLogs(ours.logs, theirs.Logs) || bloom != theirs.Bloom) {
			t.Errorf("%s: %+v, want %+v", hexutil.Bytes(raw), ours, theirs)
		}
	})
}
