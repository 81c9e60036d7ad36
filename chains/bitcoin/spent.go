package bitcoin

import (
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// DecodeSpent reads the spent outputs of the block in the form of Bitcoin Core's
// REST interface, spenttxouts/HASH.bin (v30, rest.cpp, SerializeBlockUndo): a
// list for each transaction, an empty one for the coinbase, of outputs as a
// transaction serialises them. It must fit the block's shape to the byte.
func (b *Block) DecodeSpent(raw []byte) (Undo, error) {
	c := &cursor{data: raw}
	if n := c.compactSize(); c.err == nil && n != uint64(len(b.txs)) {
		return nil, ledger.Invalid("spent outputs", fmt.Sprintf("lists for %d transactions", len(b.txs)), fmt.Sprintf("%d", n))
	}
	undo := make(Undo, 0, len(b.txs)-1)
	for i := range b.txs {
		n := c.compactSize()
		if c.err != nil {
			break
		}
		if want := uint64(len(b.txs[i].Inputs)); n != want {
			return nil, ledger.Invalid("spent outputs of transaction "+b.txs[i].ID.String(), fmt.Sprintf("%d", want), fmt.Sprintf("%d", n))
		}
		coins := make([]Coin, n)
		for k := range coins {
			coins[k] = Coin{Value: c.uint64(), kind: plainScript, script: c.script()}
			if coins[k].Value > maxMoney {
				c.fail("an amount of at most 21 million coins")
			}
		}
		if i > 0 {
			undo = append(undo, coins)
		}
	}
	if c.err == nil && c.left() > 0 {
		c.fail("the end of the spent outputs")
	}
	if c.err != nil {
		return nil, fmt.Errorf("spent outputs: %w", c.err)
	}
	return undo, nil
}
