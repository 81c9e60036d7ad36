package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// tronProof is a transaction with its way to a header's txTrieRoot. Its outcome is among its bytes.
type tronProof struct {
	Block  string        `json:"block"`
	ID     string        `json:"id"`
	Header string        `json:"header"` // raw data, of which the block's id is made
	Branch []tronSibling `json:"branch,omitempty"`
	Tx     string        `json:"tx"` // signed data, signatures, outcome
}

// tronSibling is a hash on one side. At a level where a node is carried up, there is none.
type tronSibling struct {
	Left  string `json:"left,omitempty"`
	Right string `json:"right,omitempty"`
}

// showTron checks a proof down to the block's id. The branch shows that the transaction is in the block, not at which place.
func (n network) showTron(name string, p tronProof) (shown, error) {
	header, err := hexBytes(p.Header)
	if err != nil {
		return shown{}, err
	}
	h := pbRead(header)
	time, root, height := h.number(1), h.text(2), h.number(7)
	if h.err != nil || time < 0 || height < 0 || len(root) != 32 {
		return shown{}, errors.New("a header without time, height or root")
	}
	block := sha256.Sum256(header)
	binary.BigEndian.PutUint64(block[:8], uint64(height))
	if err := agree("block", p.Block, block); err != nil {
		return shown{}, err
	}
	tx, err := hexBytes(p.Tx)
	if err != nil {
		return shown{}, err
	}
	if err := climbTron(tx, p.Branch, [32]byte(root)); err != nil {
		return shown{}, err
	}
	outer := pbRead(tx)
	raw, outcome := outer.text(1), outer.text(5)
	if outer.err != nil {
		return shown{}, fmt.Errorf("transaction: %w", outer.err)
	}
	id := sha256.Sum256(raw)
	if err := agree("id", p.ID, id); err != nil {
		return shown{}, err
	}
	return shown{block: p.Block, tx: p.ID, height: uint64(height), index: -1, time: time, moves: n.tronMoves(name, raw, outcome)}, nil
}

// climbTron goes from a transaction to the root. One of 64 bytes could be two hashes of the tree; a real one is longer by its signature.
func climbTron(tx []byte, branch []tronSibling, root [32]byte) error {
	if len(tx) == 64 || len(branch) > deepest {
		return fmt.Errorf("a transaction of %d bytes at a depth of %d", len(tx), len(branch))
	}
	node := sha256.Sum256(tx)
	for _, s := range branch {
		if (s.Left == "") == (s.Right == "") {
			return errors.New("a sibling on both sides or on none")
		}
		sibling, err := hexHash(s.Left + s.Right)
		if err != nil {
			return err
		}
		both := append(node[:], sibling[:]...)
		if s.Left != "" {
			both = append(sibling[:], node[:]...)
		}
		node = sha256.Sum256(both)
	}
	if node != root {
		return fmt.Errorf("its branch leads to %x, the header's root is %x", node, root)
	}
	return nil
}

// tronMoves are the transfers that the signed bytes order and whose success they state (contractResult 1). What is not of the one form that is
// read here shows none; what states no outcome, as old blocks do, shows its transfers without certainty.
func (n network) tronMoves(name string, raw, outcome []byte) []shownMove {
	result := pbRead(outcome)
	failed, state := result.number(2), result.number(3)
	body := pbRead(raw)
	contract := pbRead(body.text(11))
	kind, parameter := contract.number(1), pbRead(contract.text(2))
	url, value := string(parameter.text(1)), parameter.text(2)
	if result.err != nil || body.err != nil || contract.err != nil || parameter.err != nil || failed != 0 || state < 0 || state > 1 {
		return nil
	}
	var all []shownMove
	switch {
	case kind == 1 && strings.HasSuffix(url, "/protocol.TransferContract"):
		all = n.tronPayment(name, value)
	case kind == 31 && strings.HasSuffix(url, "/protocol.TriggerSmartContract"):
		all = n.tronCall(name, value)
	}
	for i := range all {
		all[i].log, all[i].certain = -1, all[i].certain && state == 1
	}
	return all
}

// tronPayment reads a payment of TRX.
func (n network) tronPayment(name string, value []byte) []shownMove {
	m := pbRead(value)
	from, ok1 := n.tronAccount(m.text(1))
	to, ok2 := n.tronAccount(m.text(2))
	amount := m.number(3)
	if m.err != nil || !ok1 || !ok2 || amount <= 0 {
		return nil
	}
	return []shownMove{{kind: "native", from: from, to: to, asset: name + ":native", amount: strconv.FormatInt(amount, 10), certain: true}}
}

// tronCall reads a call of a contract: the TRX that it carries, and, where it is a plain transfer or transferFrom, the tokens.
func (n network) tronCall(name string, value []byte) []shownMove {
	m := pbRead(value)
	caller, ok1 := n.tronAccount(m.text(1))
	contract, ok2 := n.tronAccount(m.text(2))
	carried, data, tokens := m.number(3), m.text(4), m.number(5)
	if m.err != nil || !ok1 || !ok2 || carried < 0 || tokens != 0 {
		return nil
	}
	var all []shownMove
	if carried > 0 {
		all = append(all, shownMove{kind: "native", from: caller, to: contract, asset: name + ":native", amount: strconv.FormatInt(carried, 10), certain: true})
	}
	token := shownMove{kind: "token", from: caller, asset: name + ":" + contract, certain: movesAsAsked(name, contract)}
	var selector string
	if len(data) >= 4 {
		selector, data = hex.EncodeToString(data[:4]), data[4:]
	}
	ok := true
	switch {
	case selector == "23b872dd" && len(data) == 96: // transferFrom(address,address,uint256)
		token.from, ok = n.wordAccount(data[:32])
		data = data[32:]
	case selector != "a9059cbb" || len(data) != 64: // transfer(address,uint256)
		return all
	}
	to, ok3 := n.wordAccount(data[:32])
	if !ok || !ok3 {
		return all
	}
	token.to, token.amount = to, new(big.Int).SetBytes(data[32:]).String()
	return append(all, token)
}

// tronAccount reads 21 bytes of which the first is 41.
func (n network) tronAccount(b []byte) (string, bool) {
	if len(b) != 21 || b[0] != 0x41 {
		return "", false
	}
	return n.account([20]byte(b[1:])), true
}

// wordAccount reads an address in a word of a call. Wallets of TRON often leave the 41 before it, which contracts ignore.
func (n network) wordAccount(word []byte) (string, bool) {
	for i, c := range word[:12] {
		if c != 0 && (i != 11 || c != 0x41) {
			return "", false
		}
	}
	return n.account([20]byte(word[12:])), true
}
