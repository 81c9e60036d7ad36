package evm

import (
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/spoortrace/spoor/ledger"
)

// parityTrace is an item of trace_block, the flat form of OpenEthereum, Erigon,
// Nethermind and Reth.
type parityTrace struct {
	Type      string       `json:"type"`
	Error     string       `json:"error"`
	BlockHash *common.Hash `json:"blockHash"`
	TxHash    *common.Hash `json:"transactionHash"`
	Place     *uint32      `json:"transactionPosition"`
	Path      []int        `json:"traceAddress"`
	Action    struct {
		CallType string          `json:"callType"`
		From     *common.Address `json:"from"`
		To       *common.Address `json:"to"`
		Value    *hexutil.Big    `json:"value"`
		Address  *common.Address `json:"address"`
		Refund   *common.Address `json:"refundAddress"`
		Balance  *hexutil.Big    `json:"balance"`
	} `json:"action"`
	Result *struct {
		Address *common.Address `json:"address"`
	} `json:"result"`
}

// decodeParity reads an answer of trace_block, which lists calls with their
// paths, and makes trees of them. Rewards are left to the rules of the chain.
func decodeParity(subject string, h *header, txs []*transaction, answer json.RawMessage) ([]*frame, error) {
	var list []parityTrace
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, refuse(ledger.FaultMalformed, subject, "%v", err)
	}
	all := make([]*frame, len(txs))
	for i := range list {
		t := &list[i]
		if t.BlockHash == nil || *t.BlockHash != h.hash {
			return nil, refuse(ledger.FaultLagging, subject, "trace %d is of block %v, want %s", i, t.BlockHash, h.hash)
		}
		if t.Type == "reward" || t.Place == nil {
			continue
		}
		n := int(*t.Place)
		if n >= len(txs) || t.TxHash == nil || *t.TxHash != txs[n].hash {
			return nil, refuse(ledger.FaultContents, subject, "trace %d is of transaction %d %v, which the block has not", i, n, t.TxHash)
		}
		f, ok := t.frame(txs[n])
		if !ok {
			return nil, refuse(ledger.FaultMalformed, subject, "trace %d: type %.20q, want call, create or suicide with its parties", i, t.Type)
		}
		if !attach(&all[n], f, t.Path) {
			return nil, refuse(ledger.FaultContents, subject, "trace %d: path %v follows none", i, t.Path)
		}
	}
	for n, f := range all {
		if f == nil && !txs[n].unrooted {
			return nil, refuse(ledger.FaultContents, subject, "transaction %d has no trace", n)
		}
	}
	return all, nil
}

// attach puts a frame where its path says: a path lists the number of the call in each frame from the outermost.
func attach(top **frame, f frame, path []int) bool {
	if len(path) == 0 {
		if *top != nil {
			return false
		}
		*top = &f
		return true
	}
	at := *top
	for depth, n := range path {
		if at == nil || n < 0 || n > len(at.calls) {
			return false
		}
		if depth == len(path)-1 {
			at.calls = append(at.calls, f)
			return n == len(at.calls)-1
		}
		if n == len(at.calls) {
			return false
		}
		at = &at.calls[n]
	}
	return false
}

func (t *parityTrace) frame(tx *transaction) (frame, bool) {
	a := &t.Action
	f := frame{value: wei(a.Value), err: t.Error}
	switch t.Type {
	case "call":
		kinds := map[string]string{"call": "CALL", "callcode": "CALLCODE", "delegatecall": "DELEGATECALL", "staticcall": "STATICCALL"}
		f.kind = kinds[a.CallType]
		if a.From == nil || a.To == nil || f.kind == "" {
			return f, false
		}
		f.from, f.to = *a.From, *a.To
	case "create":
		f.kind = "CREATE"
		if a.From == nil {
			return f, false
		}
		f.from = *a.From
		switch {
		case t.Result != nil && t.Result.Address != nil:
			f.to = *t.Result.Address
		case t.Error == "":
			return f, false
		case len(t.Path) == 0:
			f.to = tx.target()
		}
	case "suicide", "selfdestruct":
		f.kind, f.value = "SELFDESTRUCT", wei(a.Balance)
		if a.Address == nil || a.Refund == nil || a.Balance == nil {
			return f, false
		}
		f.from, f.to = *a.Address, *a.Refund
	default:
		return f, false
	}
	return f, true
}
