package bitcoin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// maxSpent bounds the spent outputs of a block in bytes. A block has fewer than
// 100,000 inputs; scripts of spent outputs are short, but for the few that a
// chain keeps up to 10,000 bytes of.
const maxSpent = 256 << 20

// Block returns the block at a height, as of the last call of Head, with every
// check of Decode and At, and with what its inputs spend where the node says so
// cheaply, or From is above 0. The node's word on a coin is checked for shape and
// for sums that add up; whether it is true the index knows.
func (n *Node) Block(ctx context.Context, height uint64) (*ledger.Block, error) {
	want, err := n.entry(ctx, height)
	if err != nil {
		return nil, err
	}
	subject := fmt.Sprintf("block %d, %s", height, want.hash)
	raw, err := n.raw(ctx, subject, want.hash)
	if err != nil {
		return nil, err
	}
	header, err := ParseHeader(raw)
	switch {
	case err != nil:
		return nil, fault(ledger.FaultMalformed, subject, err)
	case header.Hash != want.hash:
		return nil, ledger.Untrue(ledger.FaultWrongBlock, subject, "got block "+header.Hash.String())
	}
	b, f, err := readBlock(n.o.Chain, raw)
	if err != nil {
		return nil, fault(f, subject, err)
	}
	if err := n.spend(ctx, subject, b); err != nil {
		return nil, err
	}
	block, err := b.At(height, n.grade, n.source)
	if err != nil {
		return nil, fault(ledger.FaultContents, subject, err)
	}
	return block, nil
}

// raw reads a serialised block. What REST does not give, JSON-RPC says why.
func (n *Node) raw(ctx context.Context, subject string, hash ledger.Hash) ([]byte, error) {
	if n.serves.rest {
		raw, err := n.client.Get(ctx, "/rest/block/"+hash.String()+".bin", MaxBlockSize)
		if f, _ := ledger.FaultOf(err); f != ledger.FaultUnsupported {
			return raw, err
		}
	}
	var text string
	if err := n.call(ctx, "getblock of "+subject, "getblock", &text, hash.String(), 0); err != nil {
		return nil, err
	}
	if len(text) > 2*MaxBlockSize {
		return nil, ledger.Untrue(ledger.FaultTooLarge, subject, fmt.Sprintf("want at most %d bytes, got %d", MaxBlockSize, len(text)/2))
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, fault(ledger.FaultMalformed, subject, errors.New("want a block in hex"))
	}
	return raw, nil
}

// spend gives the inputs of a block their coins, where the node tells them.
func (n *Node) spend(ctx context.Context, subject string, b *Block) error {
	if b.Unknown() == 0 {
		return nil
	}
	var undo Undo
	var err error
	switch {
	case n.serves.spent:
		undo, err = n.restSpent(ctx, subject, b)
		if f, _ := ledger.FaultOf(err); f == ledger.FaultUnsupported && n.o.From == 0 {
			return nil // pruned, or loaded from a snapshot; the index knows the coins
		}
	case n.o.From > 0 && n.jsonCoins():
		undo, err = n.jsonSpent(ctx, subject, b)
	}
	if err != nil || undo == nil {
		return err
	}
	if err := b.Apply(undo); err != nil {
		return fault(ledger.FaultContents, subject, err)
	}
	return nil
}

func (n *Node) restSpent(ctx context.Context, subject string, b *Block) (Undo, error) {
	raw, err := n.client.Get(ctx, "/rest/spenttxouts/"+b.Header.Hash.String()+".bin", maxSpent)
	if err != nil {
		return nil, err
	}
	undo, err := b.DecodeSpent(raw)
	if err != nil {
		return nil, fault(ledger.FaultContents, "spent outputs of "+subject, err)
	}
	return undo, nil
}

func (n *Node) jsonCoins() bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return !n.noCoins
}
