package store

import (
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// coin is a previous output as the index holds it.
type coin struct {
	held    bool // the transaction that an outpoint names is held
	exists  bool // and it has such an output
	pos     ledger.Position
	index   uint32
	owner   ledger.Address
	value   ledger.Amount
	spender ledger.Position // 0: none
}

// coins is where inputs find what they spend.
type coins interface {
	// coin returns the output as it stood just before a position: of the last
	// transaction with that hash below it, since a duplicate coinbase (before
	// BIP 30) overwrote the coin of the earlier one.
	coin(op ledger.OutPoint, before ledger.Position) (coin, error)
	// spend notes the spender of an unspent coin.
	spend(c coin, by ledger.Position) error
}

// resolve gives the inputs of a transaction the owner, value and position of the
// coins that they spend, and marks those spent. What the source said of a coin
// must agree with what is held. It returns the number of inputs that stay unknown.
func resolve(tx *ledger.Tx, from coins) (unknown int, err error) {
	if tx.Coinbase {
		return 0, nil
	}
	for i := range tx.Inputs {
		in := &tx.Inputs[i]
		in.PrevPos = 0
		c, err := from.coin(in.Prev, tx.Pos)
		if err != nil {
			return unknown, err
		}
		if !c.held {
			if !in.Known {
				unknown++
			}
			continue
		}
		if err := checkCoin(tx, i, c); err != nil {
			return unknown, err
		}
		in.Address, in.Value, in.Known, in.PrevPos = c.owner, c.value, true, c.pos
		if err := from.spend(c, tx.Pos); err != nil {
			return unknown, err
		}
	}
	return unknown, nil
}

func checkCoin(tx *ledger.Tx, i int, c coin) error {
	in := &tx.Inputs[i]
	field := "transaction " + tx.ID.String() + ", input " + itoa(uint64(i))
	spends := "output " + itoa(uint64(in.Prev.Index)) + " of " + in.Prev.Tx.String()
	switch {
	case !c.exists:
		return ledger.Invalid(field, "an output that exists", spends)
	case c.spender != 0:
		return ledger.Invalid(field, "an unspent coin", spends+", spent at height "+itoa(c.spender.Height())+" index "+itoa(uint64(c.spender.Index())))
	case in.Known && (in.Address != c.owner || in.Value != c.value):
		return ledger.Invalid(field, "the coin that the index holds: "+c.owner.String()+" "+c.value.String(), in.Address.String()+" "+in.Value.String())
	}
	return nil
}

// overlayCoins finds coins in a block under way, in the chain below it and in the base.
type overlayCoins struct {
	base     base
	layers   layers
	from, to uint64 // heights of the chain; to is below from without one
	block    *young
}

func newOverlayCoins(b base, ls layers, chain []*young, block *young) *overlayCoins {
	o := &overlayCoins{base: b, layers: ls, from: 1, block: block}
	if n := len(chain); n > 0 {
		o.from, o.to = chain[0].at.ref.Height, chain[n-1].at.ref.Height
	}
	return o
}

func (o *overlayCoins) coin(op ledger.OutPoint, before ledger.Position) (coin, error) {
	if i := o.block.last(op.Tx, before); i >= 0 {
		return o.youngCoin(&o.block.block.Txs[i], op.Index), nil
	}
	var in *young
	made := -1
	for y := range o.layers.find(txHint(op.Tx), o.from, o.to) {
		if i := y.last(op.Tx, before); i >= 0 {
			in, made = y, i
		}
	}
	if in != nil {
		tx := in.tx(made)
		return o.youngCoin(&tx, op.Index), nil
	}
	c, err := o.base.coin(op, before)
	if err == nil && c.exists && c.spender == 0 {
		c.spender = o.spender(c.pos, c.index, o.from)
	}
	return c, err
}

// last returns the last transaction with a hash that lies before a position, -1 for none.
func (y *young) last(id ledger.TxID, before ledger.Position) int {
	for _, i := range slices.Backward(y.having(id)) {
		if y.places[i] < before {
			return i
		}
	}
	return -1
}

func (o *overlayCoins) youngCoin(tx *ledger.Tx, index uint32) coin {
	c := coin{held: true, pos: tx.Pos, index: index}
	if int64(index) < int64(len(tx.Outputs)) {
		out := &tx.Outputs[index]
		c.exists, c.owner, c.value, c.spender = true, out.Address, out.Value, o.spender(tx.Pos, index, tx.Pos.Height())
	}
	return c
}

// spender looks for a spend from a height on.
func (o *overlayCoins) spender(pos ledger.Position, index uint32, from uint64) ledger.Position {
	ref := coinRef{pos, index}
	if by := o.block.spends[ref]; by != 0 {
		return by
	}
	for y := range o.layers.find(coinHint(ref), from, o.to) {
		if by := y.spends[ref]; by != 0 {
			return by
		}
	}
	return 0
}

// spend notes the spend at once, so that a second input finds the coin spent.
func (o *overlayCoins) spend(c coin, by ledger.Position) error {
	o.block.spends[coinRef{c.pos, c.index}] = by
	return nil
}
