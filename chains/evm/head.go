package evm

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/ledger"
)

// header asks for a block by its height in hex, or by a tag, and returns its
// header; FaultLagging when there is none.
func (n *Node) header(ctx context.Context, at string) (*header, error) {
	var answer json.RawMessage
	if err := n.client.Call(ctx, "eth_getBlockByNumber", &answer, at, false); err != nil {
		return nil, err
	}
	subject := fmt.Sprintf("block %s of %s", at, n.client)
	if !present(answer) {
		return nil, refuse(ledger.FaultLagging, subject, "the node has no such block")
	}
	return decodeHeader(subject, answer, n.believe)
}

// Hash returns the hash of the block at a height of the node's present chain.
func (n *Node) Hash(ctx context.Context, height uint64) (ledger.Hash, error) {
	h, err := n.header(ctx, hexutil.EncodeUint64(height))
	if err != nil {
		return ledger.Hash{}, err
	}
	return ledger.Hash(h.hash), h.is(fmt.Sprintf("block %d of %s", height, n.client), height)
}

// Head returns the newest block and the height up to which the node calls the
// chain final. The final block may neither move back nor be replaced.
func (n *Node) Head(ctx context.Context) (ledger.Head, error) {
	var latest, final json.RawMessage
	calls := []*rpc.Call{{Method: "eth_getBlockByNumber", Params: []any{"latest", false}, Result: &latest}}
	if n.final != "" {
		calls = append(calls, &rpc.Call{Method: "eth_getBlockByNumber", Params: []any{n.final, false}, Result: &final})
	}
	if err := n.client.Batch(ctx, calls); err != nil {
		return ledger.Head{}, err
	}
	for _, c := range calls {
		if c.Err != nil && (c.Result != &final || !notYet(c.Err)) {
			return ledger.Head{}, c.Err
		}
	}
	subject := "head of " + n.client.String()
	if !present(latest) {
		return ledger.Head{}, refuse(ledger.FaultLagging, subject, "the node has no newest block")
	}
	tip, err := decodeHeader(subject, latest, n.believe)
	if err != nil {
		return ledger.Head{}, err
	}
	head := ledger.Head{Tip: tip.ref(n.Chain())}
	if !present(final) {
		return head, nil
	}
	end, err := decodeHeader(n.final+" block of "+n.client.String(), final, n.believe)
	if err != nil {
		return ledger.Head{}, err
	}
	ref := end.ref(n.Chain())
	head.Final = &ref.Height
	return head, n.settle(head.Tip, ref)
}

// settle holds a final block against the head and against those named before.
func (n *Node) settle(tip, final ledger.BlockRef) error {
	subject := n.final + " block of " + n.client.String()
	if final.Height > tip.Height || final.Height == tip.Height && final.Hash != tip.Hash {
		return refuse(ledger.FaultFinality, subject, "block %d %s is final, the head is block %d %s", final.Height, final.Hash, tip.Height, tip.Hash)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if last := n.finalized; last != nil {
		if final.Height < last.Height {
			return refuse(ledger.FaultFinality, subject, "block %d is final, block %d was", final.Height, last.Height)
		}
		if final.Height == last.Height && final.Hash != last.Hash {
			return refuse(ledger.FaultFinality, subject, "block %d is %s, it was final as %s", final.Height, final.Hash, last.Hash)
		}
	}
	n.finalized = &final
	return nil
}
