package evm

import (
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/ledger"
)

// Single is one transaction apart from its block, as a service tells it.
type Single struct {
	Hash      common.Hash
	Height    uint64
	Index     uint32 // in its block
	Time      int64  // Unix milliseconds
	From      common.Address
	To        *common.Address // nil: it creates a contract
	Created   common.Address  // that contract
	Value     *big.Int
	Fee       *big.Int
	Failed    bool
	Logs      []*types.Log // with their indices in the block
	Internals []Internal   // in order of execution, those that failed left out
}

// Internal is value that a contract sent.
type Internal struct {
	From, To common.Address
	Value    *big.Int
	Creates  bool // To was created by it
}

// Transaction makes the transaction of the index: its own value, what contracts
// sent, its logs, the fee; a service does not tell how internal transfers and
// logs interleave. Everything is attested. An amount beyond 256 bits is
// ledger.ErrOverflow.
func (r *LogReader) Transaction(s Single, notices TxNotices) (ledger.Tx, error) {
	m := &single{r: r, out: ledger.Tx{
		ID: ledger.TxID(s.Hash), Chain: r.d.rules.chain, Pos: ledger.At(s.Height, s.Index), Time: s.Time, Grade: ledger.GradeAttested,
	}}
	to := s.Created
	if s.To != nil {
		to = *s.To
	}
	if s.Failed {
		m.out.Status = ledger.StatusFailed
	} else if s.To == nil {
		m.note(ledger.Notice{Kind: ledger.NoticeCreated, Account: r.d.rules.address(to), Peer: r.d.rules.address(s.From)})
	}
	if s.Value.Sign() > 0 {
		m.move(ledger.Transfer{Kind: ledger.TransferNative, From: r.d.rules.address(s.From), To: r.d.rules.address(to), Status: m.out.Status}, s.Value)
	}
	if !s.Failed {
		m.inside(s, to, notices)
	}
	if s.Fee.Sign() > 0 {
		m.move(ledger.Transfer{Kind: ledger.TransferFee, From: r.d.rules.address(s.From)}, s.Fee)
	}
	return m.out, m.err
}

// single is a transaction in the making; err is the first.
type single struct {
	r    *LogReader
	out  ledger.Tx
	slot uint32
	err  error
}

// inside adds what took effect: internal transfers, then logs.
func (m *single) inside(s Single, to common.Address, notices TxNotices) {
	for i, t := range s.Internals {
		if t.Creates {
			m.note(ledger.Notice{Kind: ledger.NoticeCreated, Account: m.r.d.rules.address(t.To), Peer: m.r.d.rules.address(t.From)})
		}
		if t.Value.Sign() > 0 {
			m.move(ledger.Transfer{Index: uint32(i), Kind: ledger.TransferInternal, From: m.r.d.rules.address(t.From), To: m.r.d.rules.address(t.To)}, t.Value)
		}
	}
	for _, l := range s.Logs {
		t, moves, said := m.r.Read(l, s.From, to)
		next := m.slot
		if moves {
			t.Index, t.Slot, t.Grade = uint32(l.Index), m.slot, max(t.Grade, ledger.GradeAttested)
			m.out.Transfers = append(m.out.Transfers, t)
			next++
		}
		for _, n := range said {
			m.note(n)
		}
		m.slot = max(m.slot, next)
	}
	if notices == nil {
		return
	}
	for _, n := range notices(&m.out, s.Logs) {
		n.Grade = max(n.Grade, ledger.GradeAttested)
		m.out.Notices = append(m.out.Notices, n)
	}
}

// move adds a transfer of the native coin in the next slot.
func (m *single) move(t ledger.Transfer, value *big.Int) {
	var err error
	if t.Amount, err = amount(value); err != nil && m.err == nil {
		m.err = err
	}
	t.Slot, t.Asset, t.Grade = m.slot, m.r.d.rules.native(), ledger.GradeAttested
	m.out.Transfers = append(m.out.Transfers, t)
	m.slot++
}

func (m *single) note(n ledger.Notice) {
	n.Slot, n.Grade = m.slot, ledger.GradeAttested
	m.out.Notices = append(m.out.Notices, n)
	m.slot++
}

// Prove reads a transaction from its whole block, as a node answers
// eth_getBlockByHash (with transactions) and eth_getBlockReceipts: the block's hash
// is computed again, transactions and receipts by the roots in its header. What
// contracts sent is in neither, and left out. The error is a *ledger.SourceError;
// ledger.ErrNotFound when the block has no such transaction.
func (r *LogReader) Prove(block json.RawMessage, receipts []json.RawMessage, id ledger.TxID) (ledger.Tx, ledger.BlockRef, error) {
	a := &answers{block: block, receipts: receipts}
	subject := "the block of " + common.Hash(id).Hex()
	if err := a.split(subject); err != nil {
		return ledger.Tx{}, ledger.BlockRef{}, err
	}
	h, err := decodeHeader(subject, a.rest, !r.d.rules.exact)
	if err != nil {
		return ledger.Tx{}, ledger.BlockRef{}, err
	}
	b, err := r.d.decode(subject, h, a)
	if err != nil {
		return ledger.Tx{}, ledger.BlockRef{}, err
	}
	for _, tx := range b.Txs {
		if tx.ID == id && !tx.Coinbase {
			return tx, b.Ref, nil
		}
	}
	return ledger.Tx{}, ledger.BlockRef{}, fmt.Errorf("%s has no such transaction: %w", subject, ledger.ErrNotFound)
}
