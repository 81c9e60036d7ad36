package main

import (
	"errors"
	"fmt"
	"math/big"
)

// ethereumTx is what is read of a transaction.
type ethereumTx struct {
	kind     byte
	chainID  uint64 // 0: none is signed, as before EIP-155
	nonce    uint64
	gas      uint64
	from, to [20]byte // to: of a creation, the contract that it makes
	value    *big.Int
}

// txLayout says where fields of a type of transaction stand: none (EIP-155), 2930, 1559, 4844, 7702. Payee and value follow on the gas limit.
func txLayout(kind byte) (fields, nonce, gas int) {
	switch kind {
	case 0:
		return 9, 0, 2
	case 1:
		return 11, 1, 3
	case 2:
		return 12, 1, 4
	case 3:
		return 14, 1, 4
	}
	return 13, 1, 4
}

// typed splits the type off (EIP-2718).
func typed(b []byte) (kind byte, fields []rlpItem, err error) {
	if len(b) == 0 {
		return 0, nil, errRLP
	}
	if b[0] < 0xc0 {
		if kind, b = b[0], b[1:]; kind < 1 || kind > 4 {
			return 0, nil, fmt.Errorf("type %d is not known", kind)
		}
	}
	fields, err = rlpList(b)
	return kind, fields, err
}

func readEthereumTx(b []byte) (t ethereumTx, err error) {
	kind, f, err := typed(b)
	if err != nil {
		return t, err
	}
	t.kind = kind
	count, nonce, gas := txLayout(kind)
	if len(f) != count {
		return t, fmt.Errorf("%d fields of type %d, which has %d", len(f), kind, count)
	}
	if t.nonce, err = f[nonce].size(); err != nil {
		return t, err
	}
	if t.gas, err = f[gas].size(); err != nil {
		return t, err
	}
	if t.value, err = f[gas+2].number(32); err != nil {
		return t, err
	}
	if err := t.recoverSender(f); err != nil {
		return t, err
	}
	switch to := f[gas+1]; {
	case !to.list && len(to.body) == 20:
		t.to = [20]byte(to.body)
	case !to.list && len(to.body) == 0:
		sum := keccak256(rlpJoin(rlpBytes(t.from[:]), rlpNumber(t.nonce)))
		t.to = [20]byte(sum[12:])
	default:
		return t, fmt.Errorf("a payee of %d bytes", len(to.body))
	}
	return t, nil
}

// recoverSender finds who signed: the last three fields are v, r and s, and those before are signed.
func (t *ethereumTx) recoverSender(f []rlpItem) error {
	n := len(f) - 3
	v, err := f[n].size()
	if err != nil {
		return err
	}
	r, err := f[n+1].number(32)
	if err != nil {
		return err
	}
	s, err := f[n+2].number(32)
	if err != nil {
		return err
	}
	var signed [][]byte
	for _, it := range f[:n] {
		signed = append(signed, it.whole)
	}
	var prefix []byte
	switch {
	case t.kind > 0:
		prefix = []byte{t.kind}
		if t.chainID, err = f[0].size(); err != nil || t.chainID == 0 || v > 1 {
			return errors.New("a chain id or a parity that is none")
		}
	case v == 27 || v == 28:
		v -= 27
	case v >= 37:
		t.chainID, v = (v-35)/2, (v-35)%2
		signed = append(signed, rlpNumber(t.chainID), rlpNumber(0), rlpNumber(0))
	default:
		return fmt.Errorf("a signature with v = %d", v)
	}
	t.from, err = recoverAccount(keccak256(prefix, rlpJoin(signed...)), r, s, v == 1)
	return err
}

// The outcomes of a transaction.
const (
	outcomeUnknown = iota
	outcomeOK
	outcomeFailed
)

// ethereumReceipt is what is read of a receipt.
type ethereumReceipt struct {
	kind    byte
	outcome int    // unknown before Byzantium, where a state root stands in its place
	gas     uint64 // of the block's transactions up to this one
	logs    []ethereumLog
}

type ethereumLog struct {
	contract [20]byte
	topics   [][32]byte
	data     []byte
}

func readEthereumReceipt(b []byte) (r ethereumReceipt, err error) {
	kind, f, err := typed(b)
	if err != nil {
		return r, err
	}
	if len(f) != 4 || f[0].list || f[2].list || len(f[2].body) != 256 || !f[3].list {
		return r, fmt.Errorf("%d fields, or others than outcome, gas, filter and logs", len(f))
	}
	r.kind = kind
	switch outcome := f[0].body; {
	case len(outcome) == 0:
		r.outcome = outcomeFailed
	case len(outcome) == 1 && outcome[0] == 1:
		r.outcome = outcomeOK
	case len(outcome) != 32:
		return r, fmt.Errorf("an outcome of %x", outcome)
	}
	if r.gas, err = f[1].size(); err != nil {
		return r, err
	}
	logs, err := rlpItems(f[3].body)
	if err != nil {
		return r, err
	}
	for i, it := range logs {
		l, err := readEthereumLog(it)
		if err != nil {
			return r, fmt.Errorf("log %d: %w", i, err)
		}
		r.logs = append(r.logs, l)
	}
	return r, nil
}

func readEthereumLog(it rlpItem) (l ethereumLog, err error) {
	f, err := rlpList(it.whole)
	if err != nil {
		return l, err
	}
	if len(f) != 3 || f[0].list || len(f[0].body) != 20 || !f[1].list || f[2].list {
		return l, errors.New("other fields than address, topics and data")
	}
	l.contract, l.data = [20]byte(f[0].body), f[2].body
	topics, err := rlpItems(f[1].body)
	if err != nil {
		return l, err
	}
	for _, topic := range topics {
		if topic.list || len(topic.body) != 32 {
			return l, errors.New("a topic that is not of 32 bytes")
		}
		l.topics = append(l.topics, [32]byte(topic.body))
	}
	return l, nil
}
