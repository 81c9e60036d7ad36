package proof

import (
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"

	"github.com/spoortrace/spoor/ledger"
)

// ethereumTx is what is read of a transaction.
type ethereumTx struct {
	kind    byte
	chainID uint64 // 0 where none is signed (before EIP-155)
	nonce   uint64
	gas     uint64
	from    [20]byte
	to      [20]byte // of a creation: the contract that is made
	value   ledger.Amount
}

// layout says where the fields of a type of transaction stand: EIP-155, 2930, 1559, 4844, 7702. The signature is in the last three.
type layout struct{ items, nonce, gas, to int }

func layoutOf(kind byte) (layout, bool) {
	switch kind {
	case 0:
		return layout{9, 0, 2, 3}, true
	case 1:
		return layout{11, 1, 3, 4}, true
	case 2:
		return layout{12, 1, 4, 5}, true
	case 3:
		return layout{14, 1, 4, 5}, true
	case 4:
		return layout{13, 1, 4, 5}, true
	}
	return layout{}, false
}

// unwrap splits the type off a transaction or receipt (EIP-2718).
func unwrap(field string, b []byte) (byte, []byte, error) {
	if len(b) == 0 {
		return 0, nil, ledger.Invalid(field, "bytes", "none")
	}
	if b[0] >= 0xc0 {
		return 0, b, nil
	}
	if b[0] < 1 || b[0] > 4 {
		return 0, nil, ledger.Invalid(field, "one of type 0 to 4", fmt.Sprint(b[0]))
	}
	return b[0], b[1:], nil
}

// readEthereumTx reads a transaction and recovers its sender.
func readEthereumTx(b []byte) (ethereumTx, error) {
	kind, body, err := unwrap("transaction", b)
	if err != nil {
		return ethereumTx{}, err
	}
	all, err := readList("transaction", body)
	if err != nil {
		return ethereumTx{}, err
	}
	l, ok := layoutOf(kind)
	if !ok || len(all) != l.items {
		return ethereumTx{}, ledger.Invalid("transaction", fmt.Sprintf("%d fields of type %d", l.items, kind), fmt.Sprint(len(all)))
	}
	t := ethereumTx{kind: kind}
	var ok1, ok2, ok3 bool
	t.nonce, ok1 = all[l.nonce].integer()
	t.gas, ok2 = all[l.gas].integer()
	value, ok3 := all[l.to+1].wide()
	if !ok1 || !ok2 || !ok3 {
		return t, ledger.Invalid("transaction", "numbers for nonce, gas and value", "others")
	}
	if t.value, err = ledger.AmountFromBytes(value[:]); err != nil {
		return t, err
	}
	if err := t.sender(all); err != nil {
		return t, err
	}
	return t, t.payee(all[l.to])
}

// payee reads who is paid; a contract that is made has the address of its maker and his nonce.
func (t *ethereumTx) payee(to item) error {
	switch {
	case to.fixed(20):
		t.to = [20]byte(to.body)
	case to.fixed(0):
		made := keccak(putList(append([]byte{0x80 + 20}, t.from[:]...), putInteger(t.nonce)))
		t.to = [20]byte(made[12:])
	default:
		return ledger.Invalid("transaction", "an address of 20 bytes, or none", fmt.Sprintf("%x", to.raw))
	}
	return nil
}

// sender recovers who signed.
func (t *ethereumTx) sender(all []item) error {
	n := len(all) - 3
	v, ok := all[n].integer()
	r, ok2 := all[n+1].wide()
	s, ok3 := all[n+2].wide()
	if !ok || !ok2 || !ok3 {
		return ledger.Invalid("transaction", "three numbers for a signature", "others")
	}
	var signed [][]byte
	for _, it := range all[:n] {
		signed = append(signed, it.raw)
	}
	envelope := []byte{t.kind}
	switch {
	case t.kind > 0:
		if t.chainID, ok = all[0].integer(); !ok || t.chainID == 0 {
			return ledger.Invalid("transaction", "a chain id", fmt.Sprintf("%x", all[0].raw))
		}
	case v == 27 || v == 28:
		envelope, v = nil, v-27
	case v >= 35+2:
		t.chainID = (v - 35) / 2
		signed = append(signed, putInteger(t.chainID), putInteger(0), putInteger(0))
		envelope, v = nil, (v-35)%2
	default:
		v = 2
	}
	if v > 1 {
		return ledger.Invalid("transaction", "a signature's parity", fmt.Sprint(v))
	}
	hash := keccak(envelope, putList(signed...))
	compact := append([]byte{27 + byte(v)}, r[:]...)
	key, _, err := ecdsa.RecoverCompact(append(compact, s[:]...), hash[:])
	if err != nil {
		return ledger.Invalid("transaction", "a signature", err.Error())
	}
	public := keccak(key.SerializeUncompressed()[1:])
	t.from = [20]byte(public[12:])
	return nil
}

// receipt is what is read of a receipt.
type receipt struct {
	kind   byte
	silent bool // it has a state root in place of an outcome (before Byzantium)
	failed bool
	gas    uint64 // of this and all transactions before it in the block
	logs   []EthereumLog
}

func readReceipt(b []byte) (receipt, error) {
	kind, body, err := unwrap("receipt", b)
	if err != nil {
		return receipt{}, err
	}
	all, err := readList("receipt", body)
	if err != nil {
		return receipt{}, err
	}
	if len(all) != 4 || !all[2].fixed(256) || !all[3].list {
		return receipt{}, ledger.Invalid("receipt", "outcome, gas, bloom filter and logs", fmt.Sprintf("%d fields", len(all)))
	}
	r := receipt{kind: kind}
	switch outcome := all[0]; {
	case outcome.fixed(32):
		r.silent = true
	case outcome.fixed(0):
		r.failed = true
	case !outcome.fixed(1) || outcome.body[0] != 1:
		return r, ledger.Invalid("receipt", "an outcome", fmt.Sprintf("%x", outcome.raw))
	}
	var ok bool
	if r.gas, ok = all[1].integer(); !ok {
		return r, ledger.Invalid("receipt", "gas", fmt.Sprintf("%x", all[1].raw))
	}
	logs, err := readItems(all[3].body)
	if err != nil {
		return r, err
	}
	for i, it := range logs {
		l, err := readLog(it)
		if err != nil {
			return r, fmt.Errorf("receipt, log %d: %w", i, err)
		}
		r.logs = append(r.logs, l)
	}
	return r, nil
}

func readLog(it item) (EthereumLog, error) {
	parts, err := readList("log", it.raw)
	if err != nil {
		return EthereumLog{}, err
	}
	if len(parts) != 3 || !parts[0].fixed(20) || !parts[1].list || parts[2].list {
		return EthereumLog{}, ledger.Invalid("log", "an address, topics and data", fmt.Sprintf("%x", it.raw))
	}
	l := EthereumLog{Contract: [20]byte(parts[0].body), Data: parts[2].body}
	topics, err := readItems(parts[1].body)
	if err != nil {
		return l, err
	}
	for _, topic := range topics {
		if !topic.fixed(32) {
			return l, ledger.Invalid("log", "topics of 32 bytes", fmt.Sprintf("%x", topic.raw))
		}
		l.Topics = append(l.Topics, [32]byte(topic.body))
	}
	return l, nil
}
