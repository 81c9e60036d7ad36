package evm

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/ledger"
)

// frame is one call of an execution trace.
type frame struct {
	kind     string // opcode: CALL, CREATE, SELFDESTRUCT, ...
	from, to common.Address
	value    *big.Int
	err      string // why it failed
	calls    []frame
	logs     []frameLog
	// ordered says of the outermost frame that its logs are in place among the calls.
	ordered bool
	// lacking says of the outermost frame that a self-destruct does not tell what it moved.
	lacking bool
}

// frameLog is a log with the number of calls that its frame had made before.
type frameLog struct {
	address  common.Address
	topics   []common.Hash
	data     []byte
	position int
}

func (f *frame) failed() bool { return f.err != "" }

func (f *frame) creates() bool { return f.kind == "CREATE" || f.kind == "CREATE2" }

// moves reports an inner call that gives its value to another account. A
// delegate call carries its caller's value along, a callcode pays itself.
func (f *frame) moves() bool { return (f.kind == "CALL" || f.creates()) && f.value.Sign() > 0 }

func (l *frameLog) equal(o *types.Log) bool {
	return l.address == o.Address && slices.Equal(l.topics, o.Topics) && bytes.Equal(l.data, o.Data)
}

// callAnswer is a frame of geth's callTracer.
type callAnswer struct {
	Type  string          `json:"type"`
	From  *common.Address `json:"from"`
	To    *common.Address `json:"to"`
	Value *hexutil.Big    `json:"value"`
	Error string          `json:"error"`
	Calls []callAnswer    `json:"calls"`
	Logs  []struct {
		Address  common.Address  `json:"address"`
		Topics   []common.Hash   `json:"topics"`
		Data     hexutil.Bytes   `json:"data"`
		Position *hexutil.Uint64 `json:"position"`
	} `json:"logs"`
}

// decodeCalls reads an answer of debug_traceBlockByHash with the callTracer.
func decodeCalls(subject string, txs []*transaction, answer json.RawMessage) ([]*frame, error) {
	var results []struct {
		TxHash *common.Hash `json:"txHash"`
		Result *callAnswer  `json:"result"`
		Error  string       `json:"error"`
	}
	if err := json.Unmarshal(answer, &results); err != nil {
		return nil, refuse(ledger.FaultMalformed, subject, "%v", err)
	}
	all := make([]*frame, len(txs))
	// What nodes append to the block they need not trace.
	for len(results) < len(txs) && len(txs) > 0 && txs[len(txs)-1].unrooted {
		txs = txs[:len(txs)-1]
	}
	if len(results) != len(txs) {
		return nil, refuse(ledger.FaultContents, subject, "want %d traces, got %d", len(txs), len(results))
	}
	for i, r := range results {
		if r.Error != "" || r.Result == nil {
			return nil, refuse(ledger.FaultServerError, subject, "transaction %d was not traced: %.120q", i, r.Error)
		}
		if r.TxHash != nil && *r.TxHash != txs[i].hash {
			return nil, refuse(ledger.FaultContents, subject, "trace %d is of transaction %s, want %s", i, r.TxHash, txs[i].hash)
		}
		f := &frame{}
		f.ordered = true
		if !f.fill(r.Result, f) {
			return nil, refuse(ledger.FaultMalformed, subject, "trace %d: a call of an unknown type or without its caller", i)
		}
		if f.ordered = f.ordered && f.hasLogs(); !f.ordered {
			f.dropLogs()
		}
		if f.to == (common.Address{}) && f.creates() && f.failed() {
			f.to = txs[i].target() // geth leaves out what was not made
		}
		all[i] = f
	}
	return all, nil
}

// fill takes over a call; top is the outermost. False when it makes no sense.
func (f *frame) fill(a *callAnswer, top *frame) bool {
	f.kind, f.value, f.err = a.Type, wei(a.Value), a.Error
	switch f.kind {
	case "CALL", "CREATE", "CREATE2", "CALLCODE", "DELEGATECALL", "STATICCALL":
		if a.From == nil || a.To == nil && (!f.creates() || !f.failed()) {
			return false
		}
	case "SELFDESTRUCT":
		if a.From == nil || a.To == nil || a.Value == nil { // geth before 1.10
			top.lacking = true
			return true
		}
	default:
		return false
	}
	f.from = *a.From
	if a.To != nil {
		f.to = *a.To
	}
	for _, l := range a.Logs {
		if l.Position == nil { // geth before 1.14
			top.ordered = false
			break
		}
		f.logs = append(f.logs, frameLog{l.Address, l.Topics, l.Data, int(min(*l.Position, hexutil.Uint64(len(a.Calls))))})
	}
	f.calls = make([]frame, len(a.Calls))
	for i := range a.Calls {
		if !f.calls[i].fill(&a.Calls[i], top) {
			return false
		}
	}
	return true
}

// dropLogs forgets logs whose place is not known.
func (f *frame) dropLogs() {
	f.logs = nil
	for i := range f.calls {
		f.calls[i].dropLogs()
	}
}

// hasLogs reports a trace that tells of logs.
func (f *frame) hasLogs() bool {
	return len(f.logs) > 0 || slices.ContainsFunc(f.calls, func(c frame) bool { return c.hasLogs() })
}
