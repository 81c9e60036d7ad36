package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"golang.org/x/sync/errgroup"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/ledger"
)

// Block returns the block at a height of the node's present chain, checked
// against its own header. Everything but the block itself is asked for by its
// hash, so that a reorganisation in between shows as FaultLagging.
func (n *Node) Block(ctx context.Context, height uint64) (*ledger.Block, error) {
	subject := fmt.Sprintf("block %d of %s", height, n.client)
	a := &answers{}
	if err := n.client.Call(ctx, "eth_getBlockByNumber", &a.block, hexutil.EncodeUint64(height), true); err != nil {
		return nil, err
	}
	if !present(a.block) {
		return nil, refuse(ledger.FaultLagging, subject, "the node has no such block")
	}
	if err := a.split(subject); err != nil {
		return nil, err
	}
	h, err := decodeHeader(subject, a.rest, n.believe)
	if err != nil {
		return nil, err
	}
	if err := h.is(subject, height); err != nil {
		return nil, err
	}
	o, err := n.outline(subject, a)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	if len(o.txs) > 0 {
		group.Go(func() error { return n.askReceipts(ctx, h, o, a) })
		group.Go(func() error { return n.askTraces(ctx, n.traces, h, a) })
	}
	group.Go(func() error { return n.askUncles(ctx, h, o.uncles, a) })
	group.Go(func() error { return n.askRaw(ctx, h, o, a) })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return n.decoder.decode(subject, h, a)
}

// outline is what must be known of a block to ask for the rest.
type outline struct {
	txs    []txOutline
	uncles int
}

type txOutline struct {
	Type hexutil.Uint64 `json:"type"`
	Hash common.Hash    `json:"hash"`
}

func (n *Node) outline(subject string, a *answers) (*outline, error) {
	var b blockAnswer
	if err := json.Unmarshal(a.rest, &b); err != nil {
		return nil, refuse(ledger.FaultMalformed, subject, "%v", err)
	}
	const most = 2 // an Ethereum block has at most two uncles
	if len(b.Uncles) > most {
		return nil, refuse(ledger.FaultContents, subject, "want at most %d uncles, got %d", most, len(b.Uncles))
	}
	o := &outline{txs: make([]txOutline, len(a.txs)), uncles: len(b.Uncles)}
	for i, tx := range a.txs {
		if err := json.Unmarshal(tx, &o.txs[i]); err != nil {
			return nil, refuse(ledger.FaultMalformed, subject, "transaction %d: %v", i, err)
		}
	}
	return o, nil
}

// askReceipts asks for all receipts at once, or one by one in a batch where the
// node cannot.
func (n *Node) askReceipts(ctx context.Context, h *header, o *outline, a *answers) error {
	if n.raw {
		return n.askRawReceipts(ctx, h, o, a)
	}
	if !n.single.Load() {
		var answer json.RawMessage
		err := n.client.Call(ctx, "eth_getBlockReceipts", &answer, h.hash)
		answered := new(rpc.Error)
		switch {
		case errors.As(err, &answered) && unserved(answered):
			n.single.Store(true)
		case err != nil:
			return err
		case !present(answer):
			return refuse(ledger.FaultLagging, n.about("receipts", h), "the node has the block no more")
		default:
			if err := json.Unmarshal(answer, &a.receipts); err != nil {
				return refuse(ledger.FaultMalformed, n.about("receipts", h), "%v", err)
			}
			return nil
		}
	}
	a.receipts = make([]json.RawMessage, len(o.txs))
	calls := make([]*rpc.Call, len(o.txs))
	for i, tx := range o.txs {
		calls[i] = &rpc.Call{Method: "eth_getTransactionReceipt", Params: []any{tx.Hash}, Result: &a.receipts[i]}
	}
	return n.batch(ctx, n.about("receipts", h), calls, a.receipts)
}

// askRawReceipts asks for the consensus bytes of all receipts, and for one whole
// receipt of a blob transaction, since they do not tell the price of blob gas.
func (n *Node) askRawReceipts(ctx context.Context, h *header, o *outline, a *answers) error {
	if err := n.client.Call(ctx, "debug_getRawReceipts", &a.rawReceipts, h.hash); err != nil {
		return err
	}
	if a.rawReceipts == nil {
		return refuse(ledger.FaultLagging, n.about("receipts", h), "the node has the block no more")
	}
	for _, tx := range o.txs {
		if tx.Type != types.BlobTxType {
			continue
		}
		var one receiptAnswer
		if err := n.client.Call(ctx, "eth_getTransactionReceipt", &one, tx.Hash); err != nil {
			return err
		}
		if one.BlockHash == nil || *one.BlockHash != h.hash {
			return refuse(ledger.FaultLagging, n.about("receipts", h), "that of %s is of block %v", tx.Hash, one.BlockHash)
		}
		a.blobPrice = (*big.Int)(one.BlobGasPrice)
		return nil
	}
	return nil
}

// batch makes calls of which none may fail or be null.
func (n *Node) batch(ctx context.Context, subject string, calls []*rpc.Call, results []json.RawMessage) error {
	if err := n.client.Batch(ctx, calls); err != nil {
		return err
	}
	for i, c := range calls {
		if c.Err != nil {
			return c.Err
		}
		if !present(results[i]) {
			return refuse(ledger.FaultLagging, subject, "%s: item %d is gone", c.Method, i)
		}
	}
	return nil
}

// askTraces asks for execution traces. A node that has dropped the state it would
// need leaves the block without: its Partial will say so.
func (n *Node) askTraces(ctx context.Context, m traceMethod, h *header, a *answers) error {
	var err error
	var answer json.RawMessage
	switch {
	case m == tracesNone || h.Number.Sign() == 0:
		return nil
	case m == tracesCalls:
		options := map[string]any{"tracer": "callTracer", "tracerConfig": map[string]any{"withLog": true}, "timeout": "60s"}
		err = n.client.Call(ctx, "debug_traceBlockByHash", &answer, h.hash, options)
		a.calls = answer
	case m == tracesParity:
		err = n.client.Call(ctx, "trace_block", &answer, hexutil.EncodeBig(h.Number))
		a.parity = answer
	}
	if answered := new(rpc.Error); errors.As(err, &answered) && forgotten(answered) {
		a.calls, a.parity = nil, nil
		return nil
	}
	if err == nil && !present(answer) {
		return refuse(ledger.FaultLagging, n.about("traces", h), "the node has the block no more")
	}
	return err
}

// forgotten reports that a node no longer has the state that a trace starts from.
func forgotten(e *rpc.Error) bool {
	text := strings.ToLower(e.Message)
	for _, s := range []string{"historical state", "missing trie node", "state not available", "state is not available", "state is pruned", "pruned history"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// askUncles asks for the headers of uncles where they are paid.
func (n *Node) askUncles(ctx context.Context, h *header, count int, a *answers) error {
	if count == 0 || n.decoder.rules.reward != rewardEthereum || h.merged() {
		return nil
	}
	a.uncles = make([]json.RawMessage, count)
	calls := make([]*rpc.Call, count)
	for i := range calls {
		calls[i] = &rpc.Call{Method: "eth_getUncleByBlockHashAndIndex", Params: []any{h.hash, hexutil.Uint64(i)}, Result: &a.uncles[i]}
	}
	return n.batch(ctx, n.about("uncles", h), calls, a.uncles)
}

// askRaw asks for the bytes of transactions of types that only their chain knows.
// Without them the block is attested.
func (n *Node) askRaw(ctx context.Context, h *header, o *outline, a *answers) error {
	if !n.decoder.rules.foreign {
		return nil
	}
	var calls []*rpc.Call
	var places []int
	for i, tx := range o.txs {
		if !knows(uint64(tx.Type)) {
			places = append(places, i)
			calls = append(calls, &rpc.Call{Method: "eth_getRawTransactionByBlockHashAndIndex", Params: []any{h.hash, hexutil.Uint64(i)}, Result: new(hexutil.Bytes)})
		}
	}
	if len(calls) == 0 {
		return nil
	}
	if err := n.client.Batch(ctx, calls); err != nil {
		return err
	}
	a.raws = map[int]hexutil.Bytes{}
	for k, c := range calls {
		answered := new(rpc.Error)
		switch raw := *c.Result.(*hexutil.Bytes); {
		case c.Err == nil && len(raw) > 0:
			a.raws[places[k]] = raw
		case c.Err != nil && !errors.As(c.Err, &answered):
			return c.Err
		}
	}
	return nil
}

func (n *Node) about(what string, h *header) string {
	return fmt.Sprintf("%s of block %d %s of %s", what, h.Number, h.hash, n.client)
}
