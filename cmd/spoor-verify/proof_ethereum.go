package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
)

// ethereumProof is a transaction and its receipt with their ways to the roots of a header.
type ethereumProof struct {
	Block       string   `json:"block"`
	ID          string   `json:"id"`
	Header      string   `json:"header"`
	Index       uint32   `json:"index"`
	Transaction []string `json:"transaction"`
	Receipt     []string `json:"receipt"`
	Before      []string `json:"receipt_before,omitempty"` // the receipt before, where the gas between them must tell the outcome
}

// showEthereum checks a proof down to the block's hash, and reads what the transaction moved: its own value, and what its logs say.
func (n network) showEthereum(name string, p ethereumProof) (shown, error) {
	raw, err := hexBytes(p.Header)
	if err != nil {
		return shown{}, err
	}
	h, err := readEthereumHeader(raw)
	if err != nil {
		return shown{}, err
	}
	hash := keccak256(raw)
	if err := agree("block", p.Block, hash); err != nil {
		return shown{}, err
	}
	tx, err := trieAt(h.transactions, uint64(p.Index), p.Transaction)
	if err != nil {
		return shown{}, fmt.Errorf("transaction: %w", err)
	}
	id := keccak256(tx)
	if err := agree("id", p.ID, id); err != nil {
		return shown{}, err
	}
	t, err := readEthereumTx(tx)
	if err != nil {
		return shown{}, fmt.Errorf("transaction: %w", err)
	}
	if t.chainID != 0 && t.chainID != n.chainID {
		return shown{}, fmt.Errorf("it is signed for the network %d, and %s is %d", t.chainID, name, n.chainID)
	}
	r, err := p.receipt(h.receipts, t)
	if err != nil {
		return shown{}, fmt.Errorf("receipt: %w", err)
	}
	return shown{block: n.hash(hash), tx: n.hash(id), height: h.height, index: int(p.Index), time: h.time, moves: n.ethereumMoves(name, t, r)}, nil
}

// ethereumHeader is what is read of a header.
type ethereumHeader struct {
	transactions, receipts [32]byte
	height                 uint64
	time                   int64 // Unix milliseconds
}

// readEthereumHeader reads a header. Forks append fields, so that it has 15 or more.
func readEthereumHeader(raw []byte) (h ethereumHeader, err error) {
	f, err := rlpList(raw)
	if err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	if len(f) < 15 || f[4].list || len(f[4].body) != 32 || f[5].list || len(f[5].body) != 32 {
		return h, fmt.Errorf("a header of %d fields, or without its roots", len(f))
	}
	h.transactions, h.receipts = [32]byte(f[4].body), [32]byte(f[5].body)
	if h.height, err = f[8].size(); err != nil {
		return h, fmt.Errorf("header: height: %w", err)
	}
	seconds, err := f[11].size()
	if err != nil || seconds > 1<<53 {
		return h, errors.New("header: a time that is no number of seconds")
	}
	h.time = int64(seconds) * 1000
	return h, nil
}

// receipt checks the receipt, and finds out whether the transaction succeeded.
func (p ethereumProof) receipt(root [32]byte, t ethereumTx) (r ethereumReceipt, err error) {
	raw, err := trieAt(root, uint64(p.Index), p.Receipt)
	if err != nil {
		return r, err
	}
	if r, err = readEthereumReceipt(raw); err != nil {
		return r, err
	}
	if r.kind != t.kind || r.outcome == outcomeFailed && len(r.logs) > 0 {
		return r, fmt.Errorf("it is of type %d with %d logs, for a transaction of type %d", r.kind, len(r.logs), t.kind)
	}
	if r.outcome != outcomeUnknown || p.Index == 0 {
		if p.Before != nil {
			return r, errors.New("the receipt before is there without need")
		}
		return r.judged(t.gas, 0)
	}
	if raw, err = trieAt(root, uint64(p.Index)-1, p.Before); err != nil {
		return r, fmt.Errorf("the one before: %w", err)
	}
	before, err := readEthereumReceipt(raw)
	if err != nil {
		return r, fmt.Errorf("the one before: %w", err)
	}
	return r.judged(t.gas, before.gas)
}

// judged tells the outcome of a receipt of before Byzantium: a failure took all gas and left no log.
func (r ethereumReceipt) judged(limit, before uint64) (ethereumReceipt, error) {
	if r.gas < before {
		return r, fmt.Errorf("it counts %d gas, and the one before %d", r.gas, before)
	}
	if r.outcome == outcomeUnknown && (len(r.logs) > 0 || r.gas-before < limit) {
		r.outcome = outcomeOK
	}
	return r, nil
}

func trieAt(root [32]byte, place uint64, nodes []string) ([]byte, error) {
	raw := make([][]byte, len(nodes))
	for i, text := range nodes {
		b, err := hexBytes(text)
		if err != nil {
			return nil, err
		}
		raw[i] = b
	}
	return trieValue(root, place, raw)
}

// ethereumMoves are the transfers that the header commits to. What contracts send to each other is in no root.
func (n network) ethereumMoves(name string, t ethereumTx, r ethereumReceipt) []shownMove {
	var all []shownMove
	if r.outcome != outcomeFailed {
		all = append(all, shownMove{
			kind: "native", log: -1, from: n.account(t.from), to: n.account(t.to), asset: name + ":native", amount: t.value.String(), certain: r.outcome == outcomeOK,
		})
	}
	for i, l := range r.logs {
		if m, ok := n.tokenMove(name, l); ok {
			m.log = i
			all = append(all, m)
		}
	}
	return all
}

// tokenMove reads a log as ERC-20 has it: Transfer(address,address,uint256) with both addresses as topics. The zero address is nobody.
func (n network) tokenMove(name string, l ethereumLog) (m shownMove, ok bool) {
	event := keccak256([]byte("Transfer(address,address,uint256)"))
	if len(l.topics) != 3 || l.topics[0] != event || len(l.data) != 32 {
		return m, false
	}
	from, ok1 := n.topicAccount(l.topics[1])
	to, ok2 := n.topicAccount(l.topics[2])
	amount := new(big.Int).SetBytes(l.data)
	return shownMove{kind: "token", from: from, to: to, asset: name + ":" + n.account(l.contract), amount: amount.String(), certain: true}, ok1 && ok2
}

func (n network) topicAccount(topic [32]byte) (string, bool) {
	account := [20]byte(topic[12:])
	if !bytes.Equal(topic[:12], make([]byte, 12)) {
		return "", false
	}
	if account == [20]byte{} {
		return "", true
	}
	return n.account(account), true
}
