package bitcoin

import (
	"crypto/sha256"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// Undo is what the transactions of one block spend: a list of coins for each
// transaction but the coinbase, in the order of its inputs.
type Undo [][]Coin

// Coin is a spent output. Its script may still be compressed.
type Coin struct {
	Value  uint64 // satoshi
	kind   byte   // of compression, or plainScript
	script []byte
}

// Shape is a digest of how many coins each transaction of a block spends. Undo
// data fits no block of another shape.
type Shape [32]byte

// minCoin is the least size of a coin in undo data: height, amount, script.
const minCoin = 1 + 1 + 1

// DecodeUndo reads a block's record of a rev*.dat file (Bitcoin Core, undo.h),
// in the present form and in the one before 0.15, which kept the version of the
// transaction that made the coin, and height 0 for all but its last coin.
func DecodeUndo(raw []byte) (Undo, error) {
	c := &cursor{data: raw}
	undo := make(Undo, c.count(1+minCoin))
	for i := range undo {
		undo[i] = make([]Coin, c.count(minCoin))
		for k := range undo[i] {
			undo[i][k] = readCoin(c)
		}
	}
	if c.err == nil && c.left() > 0 {
		c.fail("the end of the undo data")
	}
	if c.err != nil {
		return nil, fmt.Errorf("undo data: %w", c.err)
	}
	return undo, nil
}

func readCoin(c *cursor) Coin {
	if height := c.varInt() >> 1; height > 0 {
		c.varInt() // version: written as 0 by 0.15 and later
	}
	value, ok := expandAmount(c.varInt())
	if !ok {
		c.fail("an amount of at most 21 million coins")
	}
	coin := Coin{Value: value}
	coin.kind, coin.script = readCompressed(c)
	return coin
}

// DecodeCoinList reads the form in which bcoin keeps undo data of one block: the
// spent outputs one after another, in the order of the block's inputs.
func (b *Block) DecodeCoinList(raw []byte) (Undo, error) {
	c := &cursor{data: raw}
	undo := make(Undo, len(b.txs)-1)
	for i := range undo {
		undo[i] = make([]Coin, len(b.txs[i+1].Inputs))
		for k := range undo[i] {
			undo[i][k] = Coin{Value: c.uint64(), kind: plainScript, script: c.script()}
			if undo[i][k].Value > maxMoney {
				c.fail("an amount of at most 21 million coins")
			}
		}
	}
	if c.err == nil && c.left() > 0 {
		c.fail(fmt.Sprintf("the end of the list of coins that block %s spends", b.Header.Hash))
	}
	if c.err != nil {
		return nil, fmt.Errorf("coin list: %w", c.err)
	}
	return undo, nil
}

// Checksum returns what follows a record of a rev*.dat file: the double hash of
// the hash of the block's parent and the record.
func Checksum(parent ledger.Hash, undo []byte) [32]byte {
	h := sha256.New()
	internal := printed(parent)
	h.Write(internal[:])
	h.Write(undo)
	return sha256.Sum256(h.Sum(nil))
}

// Shape returns the shape of the undo data that the block needs.
func (b *Block) Shape() Shape {
	return shapeOf(len(b.txs)-1, func(i int) int { return len(b.txs[i+1].Inputs) })
}

// Shape returns the shape of the block that the undo data belongs to.
func (u Undo) Shape() Shape {
	return shapeOf(len(u), func(i int) int { return len(u[i]) })
}

func shapeOf(n int, count func(int) int) Shape {
	h := sha256.New()
	for i := range n {
		v := count(i)
		h.Write([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)})
	}
	return Shape(h.Sum(nil))
}

// Apply makes the inputs known. It fails, and changes nothing, when the undo
// data has another shape or contradicts a coin of the block itself. It proves
// nothing more: compare the Checksum first where there is one.
func (b *Block) Apply(undo Undo) error {
	if len(undo) != len(b.txs)-1 {
		return ledger.Invalid("undo data of block "+b.Header.Hash.String(), fmt.Sprintf("coins for %d transactions", len(b.txs)-1), fmt.Sprintf("%d", len(undo)))
	}
	inputs := make([][]ledger.Input, len(undo))
	for i := range undo {
		known, err := b.spend(&b.txs[i+1], undo[i])
		if err != nil {
			return fmt.Errorf("undo data of block %s: %w", b.Header.Hash, err)
		}
		inputs[i] = known
	}
	for i := range inputs {
		b.txs[i+1].Inputs = inputs[i]
	}
	b.unknown = 0
	return nil
}

func (b *Block) spend(tx *ledger.Tx, coins []Coin) ([]ledger.Input, error) {
	if len(coins) != len(tx.Inputs) {
		return nil, ledger.Invalid("transaction "+tx.ID.String(), fmt.Sprintf("%d coins", len(tx.Inputs)), fmt.Sprintf("%d", len(coins)))
	}
	known := make([]ledger.Input, len(coins))
	for k, coin := range coins {
		script, err := coin.Script()
		if err != nil {
			return nil, fmt.Errorf("transaction %s, input %d: %w", tx.ID, k, err)
		}
		in := tx.Inputs[k]
		owner, value := ledger.ScriptAddress(b.network.Chain, script), ledger.NewAmount(coin.Value)
		if in.Known && (in.Address != owner || in.Value != value) {
			return nil, ledger.Invalid(fmt.Sprintf("transaction %s, input %d", tx.ID, k),
				fmt.Sprintf("the coin of the block itself, %s of %s", in.Value, in.Address), fmt.Sprintf("%s of %s", value, owner))
		}
		in.Address, in.Value, in.Known = owner, value, true
		known[k] = in
	}
	return known, nil
}
