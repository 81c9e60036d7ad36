package evm

import (
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/ledger"
)

// scripted serves what a function says, method by method.
func scripted(t *testing.T, say func(method string, params []any) any) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c proxied
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, "one call at a time", http.StatusBadRequest)
			return
		}
		a := proxyAnswer{Version: "2.0", ID: c.ID, Result: say(c.Method, c.Params)}
		if a.Result == nil {
			a.Error = &rpc.Error{Code: -32601, Message: "no such method"}
		}
		_ = json.NewEncoder(w).Encode(a) // the client will see
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// blockJSON is a header as a node tells a block.
func blockJSON(t *testing.T, h *types.Header, more map[string]any) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(must[[]byte](t)(json.Marshal(h)), &fields); err != nil {
		t.Fatal(err)
	}
	fields["transactions"] = []any{}
	for k, v := range more {
		fields[k] = v
	}
	return fields
}

// TestUncles dials a node of mainnet by its real genesis block, and reads a block
// of before the merge: its uncle is asked for, proven by its hash, and paid.
func TestUncles(t *testing.T) {
	var real recorded
	readFile(t, "0.json", &real)
	uncle := &types.Header{Number: big.NewInt(8), Difficulty: big.NewInt(1), Coinbase: common.HexToAddress("0x77"), UncleHash: types.EmptyUncleHash, TxHash: types.EmptyTxsHash, ReceiptHash: types.EmptyReceiptsHash}
	h := &types.Header{
		Number: big.NewInt(10), Difficulty: big.NewInt(1), Coinbase: common.HexToAddress("0x88"), UncleHash: types.CalcUncleHash([]*types.Header{uncle}),
		TxHash: types.EmptyTxsHash, ReceiptHash: types.EmptyReceiptsHash,
	}
	told := *uncle
	url := scripted(t, func(method string, params []any) any {
		switch method {
		case "eth_chainId":
			return "0x1"
		case "eth_getBlockByNumber":
			if params[0] == "0x0" {
				return real.Block
			}
			if params[0] == "latest" || params[0] == "0xa" {
				return blockJSON(t, h, map[string]any{"uncles": []common.Hash{uncle.Hash()}})
			}
		case "eth_getUncleByBlockHashAndIndex":
			if params[0] == h.Hash().Hex() && params[1] == hexutil.EncodeUint64(0) {
				return blockJSON(t, &told, nil)
			}
		}
		return nil
	})
	node := must[*Node](t)(dial(t, url, NodeOptions{Chain: "ethereum"}))
	b := must[*ledger.Block](t)(node.Block(t.Context(), 10))
	want := "0:0 #0  -> 0x0000000000000000000000000000000000000088 5156250000000000000 of eth kind 2 status 0 proven\n" +
		"0:1 #1  -> 0x0000000000000000000000000000000000000077 3750000000000000000 of eth kind 2 status 0 proven\n"
	if got := rows(b); got != want || b.Grade != ledger.GradeProven || len(b.Raw) == 0 {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if head := must[ledger.Head](t)(node.Head(t.Context())); head.Final != nil || head.Tip.Height != 10 {
		t.Errorf("head %+v, want 10 and nothing final", head)
	}
	told.Coinbase = common.HexToAddress("0x99")
	_, err := node.Block(t.Context(), 10)
	wantFault(t, err, ledger.FaultRoot)
}

// TestUnknownHeaders: a chain that hashes more than the known fields is believed,
// and its blocks are attested; one that is known may not differ.
func TestUnknownHeaders(t *testing.T) {
	h := &types.Header{Number: big.NewInt(10), Difficulty: new(big.Int), UncleHash: types.EmptyUncleHash, TxHash: types.EmptyTxsHash, ReceiptHash: types.EmptyReceiptsHash}
	url := scripted(t, func(method string, _ []any) any {
		switch method {
		case "eth_chainId":
			return "0xa86a"
		case "eth_getBlockByNumber":
			return blockJSON(t, h, map[string]any{"hash": common.HexToHash("0x1234"), "extDataHash": common.HexToHash("0x5678")})
		}
		return nil
	})
	node := must[*Node](t)(dial(t, url, NodeOptions{Chain: "evm-43114"}))
	b := must[*ledger.Block](t)(node.Block(t.Context(), 10))
	if b.Grade != ledger.GradeAttested || len(b.Header) != 0 || b.Ref.Hash != ledger.Hash(common.HexToHash("0x1234")) {
		t.Errorf("grade %s, %d bytes of header, hash %s; want attested, none, the stated one", b.Grade, len(b.Header), b.Ref.Hash)
	}
	_, err := node.Block(t.Context(), 11)
	wantFault(t, err, ledger.FaultWrongBlock)
	text := must[[]byte](t)(json.Marshal(blockJSON(t, h, map[string]any{"hash": common.HexToHash("0x1234")})))
	_, err = newDecoder(t, "bnb", Contracts{}).whole("block", &answers{block: text})
	wantFault(t, err, ledger.FaultHeader)
}
