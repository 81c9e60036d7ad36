package bitcoin

import (
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// StatedHeight returns the height that the coinbase states, and whether it may
// be believed without the blocks before (BIP 34). The rule: version 2 or later,
// a height from which on the network demands the statement, and work and time
// that no block had before. Earlier blocks could state any number.
func (b *Block) StatedHeight() (height uint64, ok bool) {
	height, ok = scriptNumber(b.script)
	n := b.network
	if !ok || b.Header.Version < 2 || height < n.BIP34Height || b.Header.Time < n.BIP34Time {
		return 0, false
	}
	if n.BIP34Bits != 0 {
		target, _ := expand(b.Header.Bits)
		easiest, _ := expand(n.BIP34Bits)
		ok = !target.Gt(&easiest)
	}
	return height, ok
}

// scriptNumber reads the number that a script pushes first, in its shortest form.
func scriptNumber(script []byte) (uint64, bool) {
	if len(script) == 0 {
		return 0, false
	}
	const op1, op16 = 0x51, 0x60
	n := int(script[0])
	switch {
	case n >= op1 && n <= op16:
		return uint64(n - op1 + 1), true
	case n < 1 || n > 5 || len(script) < 1+n || script[n]&0x80 != 0: // none, too long, cut off, negative
		return 0, false
	case script[n] == 0 && (n == 1 || script[n-1]&0x80 == 0): // not the shortest form
		return 0, false
	}
	var v uint64
	for i := n; i > 0; i-- {
		v = v<<8 | uint64(script[i])
	}
	return v, true
}

// At gives the block its height, checked against the one that its coinbase must
// state, and returns it for the index. source says where it came from. A
// transaction whose inputs are all known may not pay out more than it takes in,
// and when that is so for all, the coinbase no more than subsidy and fees. The
// result shares memory with b: use one At a block.
func (b *Block) At(height uint64, grade ledger.Grade, source string) (*ledger.Block, error) {
	if err := b.checkHeight(height); err != nil {
		return nil, err
	}
	if err := b.checkFees(height); err != nil {
		return nil, err
	}
	ref := ledger.BlockRef{Chain: b.network.Chain, Height: height, Hash: b.Header.Hash, Time: int64(b.Header.Time) * 1000}
	for i := range b.txs {
		b.txs[i].Pos = ledger.At(height, uint32(i))
		b.txs[i].Grade = grade
	}
	b.txs[0].Pos = ledger.At(height, uint32(len(b.txs))) // paid by the fees of all others
	return &ledger.Block{
		Ref: ref, Parent: b.Header.Parent, Header: b.raw[:HeaderSize:HeaderSize], Raw: b.raw,
		Source: source, Grade: grade, Txs: b.txs,
	}, nil
}

func (b *Block) checkHeight(height uint64) error {
	field := "block " + b.Header.Hash.String()
	if (height == 0) != (b.Header.Hash == b.network.Genesis) {
		return ledger.Invalid(field+", height", "0 for the genesis block and for no other", fmt.Sprintf("%d", height))
	}
	if height >= 1<<(64-ledger.IndexBits)-1 {
		return ledger.Invalid(field+", height", "a height below 2^44", fmt.Sprintf("%d", height))
	}
	stated, ok := scriptNumber(b.script)
	enforced := b.network.BIP34Height > 1 // private networks began to demand it later, if ever
	if enforced && height >= b.network.BIP34Height && (!ok || stated != height) {
		return ledger.Invalid(field+", height", fmt.Sprintf("%d, stated by its coinbase (BIP 34)", height), fmt.Sprintf("%d", stated))
	}
	return nil
}

func (b *Block) checkFees(height uint64) error {
	var fees uint64
	for i := range b.txs[1:] {
		tx := &b.txs[1+i]
		if slices.ContainsFunc(tx.Inputs, func(in ledger.Input) bool { return !in.Known }) {
			continue
		}
		in, out := total(tx)
		if out > in {
			return ledger.Invalid(fmt.Sprintf("block %s, transaction %s", b.Header.Hash, tx.ID), fmt.Sprintf("outputs of at most %d, its inputs", in), fmt.Sprintf("%d", out))
		}
		fees += in - out
	}
	if b.unknown > 0 {
		return nil
	}
	_, claimed := total(&b.txs[0])
	if most := b.network.Subsidy(height) + fees; claimed > most {
		return ledger.Invalid(fmt.Sprintf("block %s, coinbase", b.Header.Hash), fmt.Sprintf("at most %d, subsidy and fees", most), fmt.Sprintf("%d", claimed))
	}
	return nil
}

// total sums up a transaction. Each value was at most maxMoney and a block has
// fewer than 2^17 inputs, so that nothing wraps.
func total(tx *ledger.Tx) (in, out uint64) {
	for i := range tx.Inputs {
		v, _ := tx.Inputs[i].Value.Uint64()
		in += v
	}
	for i := range tx.Outputs {
		v, _ := tx.Outputs[i].Value.Uint64()
		out += v
	}
	return in, out
}
