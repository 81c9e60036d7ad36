package tron

import (
	"context"
	"fmt"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

// Block returns the block at a height of the node's present chain, verified as the
// package says.
func (n *Node) Block(ctx context.Context, height uint64) (*ledger.Block, error) {
	subject := fmt.Sprintf("block %d of %s", height, n.name)
	answer, h, err := n.fetch(ctx, height)
	if err != nil {
		return nil, err
	}
	txs, err := readTxs(subject, h, answer)
	if err != nil {
		return nil, err
	}
	b := &build{chain: n.o.Chain, h: h, subject: subject, noInfos: n.o.NoInfos && height > 0, internal: n.o.Internal}
	var infos []*protocol.TransactionInfo
	if len(txs) > 0 && height > 0 && !n.o.NoInfos {
		if infos, err = n.infos(ctx, h, txs); err != nil {
			return nil, err
		}
		if !b.internal && quiet(txs, infos) {
			if b.internal, err = n.keeps(ctx, height); err != nil {
				return nil, err
			}
		}
	}
	return b.block(n.name, answer, txs, infos)
}

// infos asks for the infos of a block and holds them against it.
func (n *Node) infos(ctx context.Context, h *header, txs []*tx) ([]*protocol.TransactionInfo, error) {
	subject := fmt.Sprintf("infos of block %d of %s", h.number, n.name)
	infos, err := n.askInfos(ctx, subject, h.number)
	if err != nil {
		return nil, err
	}
	// Behind a balancer another node may be asked, which has not run a new block yet.
	if final := n.settled(); len(infos) == 0 && final != nil && h.number > final.Height {
		return nil, refuse(ledger.FaultLagging, subject, "none yet, want %d; the block is not solidified", len(txs))
	}
	return infos, checkInfos(subject, h, txs, infos)
}

func (n *Node) askInfos(ctx context.Context, subject string, height uint64) ([]*protocol.TransactionInfo, error) {
	list, err := ask(ctx, n, subject, n.wallet.GetTransactionInfoByBlockNum, &protocol.NumberMessage{Num: int64(height)})
	return list.GetTransactionInfo(), err
}

// quiet reports a block in which contracts were called with success and no
// internal transaction came: there was none, or the node keeps none.
func quiet(txs []*tx, infos []*protocol.TransactionInfo) bool {
	called := false
	for i, t := range txs {
		if len(infos[i].GetInternalTransactions()) > 0 {
			return false
		}
		called = called || t.calls() && !t.failed()
	}
	return called
}

// Whether a node kept internal transactions is found out for a stretch of blocks
// by the few before it: asked for each quiet block, a node that keeps none would
// be asked for everything several times.
const (
	stretch = 64
	probes  = 4
)

// keeps reports that the node kept internal transactions just before the stretch
// that a height lies in. The order in which blocks are asked for does not matter.
func (n *Node) keeps(ctx context.Context, height uint64) (bool, error) {
	first := height / stretch * stretch
	n.mu.Lock()
	kept, known := n.kept[first]
	n.mu.Unlock()
	if known {
		return kept, nil
	}
	for h := first; !kept && h > 1 && first-h < probes; {
		h--
		infos, err := n.askInfos(ctx, fmt.Sprintf("infos of block %d of %s", h, n.name), h)
		if err != nil {
			return false, err
		}
		for _, i := range infos {
			kept = kept || uint64(i.GetBlockNumber()) == h && len(i.GetInternalTransactions()) > 0
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kept == nil {
		n.kept = map[uint64]bool{}
	}
	n.kept[first] = kept
	return kept, nil
}
