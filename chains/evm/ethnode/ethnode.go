// Package ethnode asks an Ethereum node, or whoever offers its JSON-RPC, for what
// proves a transaction that another service told of: its whole block with the
// receipts, of which the header has the roots. It tells no history, for which a
// node has no answer.
package ethnode

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/spoortrace/spoor/chains/evm"
	"github.com/spoortrace/spoor/chains/internal/reading"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// Node is the API of one network.
type Node struct {
	chain ledger.Chain
	logs  *evm.LogReader
}

// New returns the adapter of an EVM network.
func New(c ledger.Chain) (*Node, error) {
	logs, err := evm.NewLogReader(c)
	if err != nil {
		return nil, err
	}
	return &Node{c, logs}, nil
}

// Chain implements ask.Service.
func (n *Node) Chain() ledger.Chain { return n.chain }

// Clocked implements ask.Service: a node tells heights.
func (n *Node) Clocked() bool { return false }

// partBlock is the second part of a proof: the block with its receipts. The cursor
// is the block's hash.
const partBlock = "block"

func call(id int, method string, params ...any) string {
	body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params}) // strings and booleans
	return string(body)
}

// Request implements ask.Service.
func (n *Node) Request(q ask.Question) (ask.Request, error) {
	switch {
	case q.Kind == ask.Head:
		return ask.Request{Body: call(1, "eth_getBlockByNumber", "finalized", false)}, nil
	case q.Kind == ask.Block:
		return ask.Request{Body: call(1, "eth_getBlockByNumber", hexutil.EncodeUint64(q.Range.From), false)}, nil
	case q.Kind == ask.Proof && q.Part == "":
		return ask.Request{Body: call(1, "eth_getTransactionReceipt", "0x"+q.Tx.String())}, nil
	case q.Kind == ask.Proof:
		return ask.Request{Body: "[" + call(1, "eth_getBlockByHash", q.Cursor, true) + "," + call(2, "eth_getBlockReceipts", q.Cursor) + "]"}, nil
	}
	return ask.Request{}, ask.Unsupported(q, "a node")
}

// Read implements ask.Service.
func (n *Node) Read(q ask.Question, status int, body []byte) (ask.Answer, error) {
	if status != http.StatusOK {
		return ask.Answer{}, ledger.Untrue(ledger.FaultUnsupported, q.String(), fmt.Sprintf("HTTP %d: %.100q", status, body))
	}
	switch q.Kind {
	case ask.Head, ask.Block:
		return n.readBlock(q, body)
	case ask.Proof:
		if q.Part == partBlock {
			return n.readProof(q, body)
		}
		return readReceipt(q, body)
	case ask.Tx, ask.Spends, ask.History, ask.Count:
	}
	return ask.Answer{}, ask.Unsupported(q, "a node")
}

// answer is one JSON-RPC response.
type answer struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// result reads what it says; nil where that is nothing.
func (a *answer) result(q ask.Question) (json.RawMessage, error) {
	if a.Error != nil {
		fault := ledger.FaultUnsupported
		if text := strings.ToLower(a.Error.Message); a.Error.Code == -32005 || strings.Contains(text, "limit") || strings.Contains(text, "too many") {
			fault = ledger.FaultBusy
		}
		return nil, &ledger.SourceError{Fault: fault, Subject: q.String(), Detail: fmt.Sprintf("it says %.200q (%d)", a.Error.Message, a.Error.Code)}
	}
	if len(a.Result) == 0 {
		return nil, reading.Malformed(q, "a result or an error", "")
	}
	if string(a.Result) == "null" {
		return nil, nil
	}
	return a.Result, nil
}

func (n *Node) readBlock(q ask.Question, body []byte) (ask.Answer, error) {
	var a answer
	if err := reading.JSON(q, "the node", body, &a); err != nil {
		return ask.Answer{}, err
	}
	result, err := a.result(q)
	if err != nil {
		return ask.Answer{}, err
	}
	if result == nil {
		return ask.Answer{}, &ledger.SourceError{Fault: ledger.FaultLagging, Subject: q.String(), Detail: "it has no such block"}
	}
	var b struct {
		Number *hexutil.Uint64 `json:"number"`
		Hash   common.Hash     `json:"hash"`
		Time   hexutil.Uint64  `json:"timestamp"`
	}
	if err := json.Unmarshal(result, &b); err != nil || b.Number == nil || b.Hash == (common.Hash{}) || b.Time > 1<<40 {
		return ask.Answer{}, reading.Malformed(q, "a block with number, hash and timestamp", string(result[:min(len(result), 60)]))
	}
	if q.Kind == ask.Block && uint64(*b.Number) != q.Range.From {
		return ask.Answer{}, &ledger.SourceError{Fault: ledger.FaultLagging, Subject: q.String(), Detail: fmt.Sprintf("block %d came", *b.Number)}
	}
	ref := ledger.BlockRef{Chain: n.chain, Height: uint64(*b.Number), Hash: ledger.Hash(b.Hash), Time: int64(b.Time) * 1000}
	return ask.Answer{Head: &ledger.Head{Tip: ref}}, nil
}

func readReceipt(q ask.Question, body []byte) (ask.Answer, error) {
	var a answer
	if err := reading.JSON(q, "the node", body, &a); err != nil {
		return ask.Answer{}, err
	}
	result, err := a.result(q)
	if err != nil {
		return ask.Answer{}, err
	}
	if result == nil {
		return ask.Answer{}, fmt.Errorf("%s: the node has no such transaction: %w", q, ledger.ErrNotFound)
	}
	var r struct {
		Tx    common.Hash `json:"transactionHash"`
		Block common.Hash `json:"blockHash"`
	}
	if err := json.Unmarshal(result, &r); err != nil || r.Block == (common.Hash{}) {
		return ask.Answer{}, reading.Malformed(q, "a receipt with blockHash", string(result[:min(len(result), 60)]))
	}
	if ledger.TxID(r.Tx) != q.Tx {
		return ask.Answer{}, ledger.Untrue(ledger.FaultMismatched, q.String(), "the receipt is of "+r.Tx.Hex())
	}
	q.Part, q.Cursor = partBlock, r.Block.Hex()
	return ask.Answer{Next: []ask.Question{q}}, nil
}

// readProof reads the block with its receipts, and finds the transaction in it.
func (n *Node) readProof(q ask.Question, body []byte) (ask.Answer, error) {
	var both []answer
	if err := reading.JSON(q, "the node", body, &both); err != nil {
		return ask.Answer{}, err
	}
	results := map[int]json.RawMessage{}
	for i := range both {
		result, err := both[i].result(q)
		if err != nil {
			return ask.Answer{}, err
		}
		results[both[i].ID] = result
	}
	if results[1] == nil || results[2] == nil {
		return ask.Answer{}, &ledger.SourceError{Fault: ledger.FaultLagging, Subject: q.String(), Detail: "it has the block no more, or not its receipts"}
	}
	var receipts []json.RawMessage
	if err := json.Unmarshal(results[2], &receipts); err != nil {
		return ask.Answer{}, reading.Malformed(q, "a list of receipts", string(results[2][:min(len(results[2]), 60)]))
	}
	tx, ref, err := n.logs.Prove(results[1], receipts, q.Tx)
	if _, named := ledger.FaultOf(err); err != nil && !named && !errors.Is(err, ledger.ErrNotFound) {
		err = &ledger.SourceError{Fault: ledger.FaultContents, Subject: q.String(), Err: err}
	}
	if err != nil {
		return ask.Answer{}, err
	}
	if tx.Grade != ledger.GradeProven || common.Hash(ref.Hash).Hex() != q.Cursor {
		return ask.Answer{}, ledger.Untrue(ledger.FaultUnsupported, q.String(), "its block cannot be computed again")
	}
	return ask.Answer{Proven: &ask.Proven{Tx: q.Tx, Block: ref, Index: tx.Pos.Index(), Transfers: tx.Transfers}}, nil
}
