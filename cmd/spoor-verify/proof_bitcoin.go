package main

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// bitcoinLeaf is a transaction with its way to a header's merkle root. The block's coinbase comes along to show how deep the tree is: without
// it two hashes of the tree could pass for a transaction, or a transaction of 64 bytes for two hashes (CVE-2017-12842).
type bitcoinLeaf struct {
	Block          string   `json:"block"`
	ID             string   `json:"id"`
	Header         string   `json:"header"`
	Index          uint32   `json:"index"`
	Branch         []string `json:"branch,omitempty"`
	Coinbase       string   `json:"coinbase,omitempty"`
	CoinbaseBranch []string `json:"coinbase_branch,omitempty"`
	Tx             string   `json:"tx"`
}

// bitcoinProof is a transaction with those that it spends: each once, in the order of the inputs.
type bitcoinProof struct {
	bitcoinLeaf
	Previous []bitcoinLeaf `json:"previous,omitempty"`
}

// deepest bounds merkle branches: no block has 2^20 transactions.
const deepest = 20

// provenTx is a transaction that stands in a block with work behind it.
type provenTx struct {
	bitcoinTx
	block  string
	index  uint32
	height uint64
	time   int64
}

// showBitcoin checks a proof from its bytes to the work of its headers.
func (n network) showBitcoin(p bitcoinProof) (shown, error) {
	t, err := n.checkLeaf(p.bitcoinLeaf)
	if err != nil {
		return shown{}, err
	}
	spent, err := n.checkSpent(t, p.Previous)
	if err != nil {
		return shown{}, err
	}
	s := shown{block: p.Block, tx: p.ID, height: t.height, index: int(t.index), depth: len(p.Branch), time: t.time, amounts: true}
	for _, out := range t.outputs {
		s.outputs = append(s.outputs, shownOutput{n.scriptAddress(out.script), new(big.Int).SetUint64(out.value)})
	}
	if t.index == 0 {
		return s, nil
	}
	in, out := new(big.Int), new(big.Int)
	for _, spend := range t.inputs {
		one := shownInput{tx: spend.printed(), index: spend.index}
		if from, ok := spent[one.tx]; ok {
			if int64(spend.index) >= int64(len(from.outputs)) {
				return s, fmt.Errorf("an input spends output %d of %s, which has %d", spend.index, one.tx, len(from.outputs))
			}
			paid := from.outputs[spend.index]
			one.known, one.address, one.value = true, n.scriptAddress(paid.script), new(big.Int).SetUint64(paid.value)
			in.Add(in, one.value)
		}
		s.amounts = s.amounts && one.known
		s.inputs = append(s.inputs, one)
	}
	for _, o := range s.outputs {
		out.Add(out, o.value)
	}
	if s.amounts && in.Cmp(out) < 0 || in.Cmp(big.NewInt(mostSatoshi)) > 0 {
		return s, fmt.Errorf("it pays %d out of %d", out, in)
	}
	return s, nil
}

// checkSpent checks the transactions that are spent: each is named by an input, in their order, and stands before this one.
func (n network) checkSpent(t provenTx, previous []bitcoinLeaf) (map[string]provenTx, error) {
	var wanted []string
	for _, in := range t.inputs {
		if id := in.printed(); !slices.Contains(wanted, id) {
			wanted = append(wanted, id)
		}
	}
	spent, at := map[string]provenTx{}, 0
	for i, leaf := range previous {
		from, err := n.checkLeaf(leaf)
		if err != nil {
			return nil, fmt.Errorf("spent transaction %d: %w", i, err)
		}
		for at < len(wanted) && wanted[at] != leaf.ID {
			at++
		}
		if at++; at > len(wanted) {
			return nil, fmt.Errorf("spent transaction %d: no input spends %s, or not at that place", i, leaf.ID)
		}
		if from.block == t.block && from.index >= t.index {
			return nil, fmt.Errorf("spent transaction %d: it is number %d of the block in which number %d spends it", i, from.index, t.index)
		}
		spent[leaf.ID] = from
	}
	return spent, nil
}

// checkLeaf checks that a transaction stands at its place in a block with work.
func (n network) checkLeaf(p bitcoinLeaf) (t provenTx, err error) {
	header, err := n.checkHeader(p)
	if err != nil {
		return t, err
	}
	root := [32]byte(header[36:68])
	if t.bitcoinTx, err = climbBitcoin(p.Tx, p.Index, p.Branch, root); err != nil {
		return t, err
	}
	if err := agree("id", p.ID, printedOrder(t.id)); err != nil {
		return t, err
	}
	if t.isCoinbase() != (p.Index == 0) {
		return t, errors.New("a coinbase that is not the first of its block, or a first that is none")
	}
	first := t.bitcoinTx
	if p.Index == 0 && (p.Coinbase != "" || p.CoinbaseBranch != nil) {
		return t, errors.New("a coinbase beside the coinbase")
	}
	if p.Index > 0 {
		if first, err = climbBitcoin(p.Coinbase, 0, p.CoinbaseBranch, root); err != nil {
			return t, fmt.Errorf("coinbase: %w", err)
		}
		if !first.isCoinbase() || len(p.CoinbaseBranch) != len(p.Branch) {
			return t, errors.New("the coinbase is none, or lies at another depth")
		}
	}
	t.block, t.index, t.time = p.Block, p.Index, int64(binary.LittleEndian.Uint32(header[68:]))*1000
	if version := int32(binary.LittleEndian.Uint32(header)); version >= 2 {
		t.height = first.statedHeight()
	}
	return t, nil
}

// climbBitcoin goes from a transaction to the root. Bit i of the place says on which side its node lies at level i. A node that lies to the
// right of its equal is a copy: the last of an odd level stands for itself only on the left (CVE-2012-2459).
func climbBitcoin(tx string, index uint32, branch []string, root [32]byte) (bitcoinTx, error) {
	raw, err := hexBytes(tx)
	if err != nil {
		return bitcoinTx{}, err
	}
	t, err := readBitcoinTx(raw)
	if err != nil {
		return t, err
	}
	if len(branch) > deepest || uint64(index)>>len(branch) != 0 {
		return t, fmt.Errorf("place %d in a tree of depth %d", index, len(branch))
	}
	node := t.id
	for i, text := range branch {
		sibling, err := hexHash(text)
		if err != nil {
			return t, err
		}
		if index>>i&1 == 0 {
			node = doubleSHA256(node[:], sibling[:])
			continue
		}
		if sibling == node {
			return t, errors.New("the transaction stands in the tree as its own copy (CVE-2012-2459)")
		}
		node = doubleSHA256(sibling[:], node[:])
	}
	if node != root {
		return t, fmt.Errorf("its branch leads to %x, the header's root is %x", node, root)
	}
	return t, nil
}

// checkHeader checks a header's hash and that it meets its target, which is not easier than the network's easiest.
func (n network) checkHeader(p bitcoinLeaf) ([]byte, error) {
	header, err := hexBytes(p.Header)
	if err != nil {
		return nil, err
	}
	if len(header) != 80 {
		return nil, fmt.Errorf("a header of %d bytes", len(header))
	}
	id := printedOrder(doubleSHA256(header))
	if err := agree("block", p.Block, id); err != nil {
		return nil, err
	}
	target, easiest := expandTarget(binary.LittleEndian.Uint32(header[72:])), expandTarget(n.easiest)
	if target.Sign() <= 0 || target.Cmp(easiest) > 0 || new(big.Int).SetBytes(id[:]).Cmp(target) > 0 {
		return nil, fmt.Errorf("block %s shows no work: its target is %x", hex.EncodeToString(id[:]), target)
	}
	return header, nil
}

// expandTarget reads a target as headers write it: an exponent of 256, a sign and 23 bits.
func expandTarget(bits uint32) *big.Int {
	target, exponent := big.NewInt(int64(bits&0x7fffff)), int(bits>>24)-3
	if exponent < 0 {
		target.Rsh(target, uint(-8*exponent))
	} else {
		target.Lsh(target, uint(8*exponent))
	}
	if bits&0x800000 != 0 {
		target.Neg(target)
	}
	return target
}

// printedOrder turns a hash from the order in which it is computed to that in which it is printed, and back.
func printedOrder(h [32]byte) [32]byte {
	slices.Reverse(h[:])
	return h
}
