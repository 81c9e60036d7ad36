package evm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/ledger"
)

// assembly is a transaction in the making.
type assembly struct {
	d         *decoder
	c         *content
	tx        *transaction
	rec       *receipt
	out       *ledger.Tx
	slot      uint32 // of what comes next
	internals uint32 // number of internal transfers
}

// transaction makes a transaction of the index: native and token transfers in
// order of execution, then its fee. sum collects what it paid for gas.
func (d *decoder) transaction(subject string, c *content, i int, sum *fees) (*ledger.Tx, error) {
	tx, rec := c.txs[i], c.receipts[i]
	var top *frame
	if c.traces != nil {
		top = c.traces[i]
	}
	steps, err := c.h.steps("traces of "+subject, i, tx, rec, top)
	if err != nil {
		return nil, err
	}
	ref := c.h.ref(d.rules.chain)
	m := &assembly{d: d, c: c, tx: tx, rec: rec, out: &ledger.Tx{
		ID: ledger.TxID(tx.hash), Chain: ref.Chain, Pos: ledger.At(ref.Height, uint32(i)), Time: ref.Time, Status: rec.status, Grade: max(c.grade, tx.grade),
	}}
	if rec.status == ledger.StatusUnknown {
		m.out.Grade = ledger.GradeInferred
	}
	if tx.mint != nil && tx.mint.Sign() > 0 {
		err = m.native(step{kind: stepInternal, to: tx.from, value: tx.mint}, m.out.Grade)
	}
	for k := 0; k < len(steps) && err == nil; k++ {
		err = m.step(steps[k])
	}
	if err == nil {
		err = m.fee(sum)
	}
	if err == nil && m.d.notices != nil {
		m.bridges()
	}
	if err != nil {
		return nil, refuse(ledger.FaultContents, subject, "transaction %d: %v", i, err)
	}
	return m.out, nil
}

func (m *assembly) step(s step) error {
	switch s.kind {
	case stepValue:
		if s.value.Sign() == 0 && (!m.tx.silent || m.tx.unrooted) {
			return nil // a call; nothing was to be paid
		}
		return m.native(s, m.out.Grade)
	case stepInternal, stepBurn:
		return m.native(s, max(m.out.Grade, ledger.GradeAttested))
	case stepCreate:
		grade := m.out.Grade
		if s.from != m.tx.from || s.to != m.tx.target() {
			grade = max(grade, ledger.GradeAttested)
		}
		m.note(ledger.Notice{Kind: ledger.NoticeCreated, Account: m.d.rules.address(s.to), Peer: m.d.rules.address(s.from)}, grade)
	case stepLog:
		m.log(s)
	}
	return nil
}

func (m *assembly) native(s step, grade ledger.Grade) error {
	value, err := amount(s.value)
	if err != nil {
		return err
	}
	t := ledger.Transfer{
		Slot: m.slot, Kind: ledger.TransferNative, From: m.d.rules.address(s.from), To: m.d.rules.address(s.to),
		Asset: m.d.rules.native(), Amount: value, Status: m.rec.status, Grade: grade,
	}
	if s.kind != stepValue {
		t.Kind, t.Index, t.Status = ledger.TransferInternal, m.internals, ledger.StatusOK
		m.internals++
	}
	if s.kind == stepBurn {
		t.To = ledger.Address{}
	}
	if s.kind == stepInternal && s.from == (common.Address{}) {
		t.From = ledger.Address{}
	}
	m.out.Transfers = append(m.out.Transfers, t)
	m.slot++
	return nil
}

// log adds what a log says; the transfer and the notices of one log share their first slot.
func (m *assembly) log(s step) {
	l := m.rec.logs[s.log]
	grade := m.logGrade()
	said := m.d.read(l, m.tx, s.caller)
	next := m.slot
	if said.moves {
		t := said.transfer
		t.Index, t.Slot, t.Grade = uint32(m.rec.first+s.log), m.slot, max(t.Grade, grade)
		m.out.Transfers = append(m.out.Transfers, t)
		next++
	}
	for _, n := range said.notices {
		m.note(n, grade)
	}
	m.slot = max(m.slot, next)
}

// bridges adds what the registry of bridges reads in the transaction's logs.
func (m *assembly) bridges() {
	logs := make([]*types.Log, len(m.rec.logs))
	for i, l := range m.rec.logs {
		full := *l
		full.BlockNumber, full.BlockHash = m.c.h.Number.Uint64(), m.c.h.hash
		full.TxHash, full.TxIndex, full.Index = m.tx.hash, uint(m.out.Pos.Index()), uint(m.rec.first+i)
		logs[i] = &full
	}
	for _, n := range m.d.notices(m.out, logs) {
		n.Grade = max(n.Grade, m.logGrade())
		m.out.Notices = append(m.out.Notices, n)
	}
}

// logGrade is that of what logs say.
func (m *assembly) logGrade() ledger.Grade {
	if m.rec.unrooted {
		return max(m.c.grade, ledger.GradeAttested)
	}
	return m.c.grade
}

func (m *assembly) note(n ledger.Notice, grade ledger.Grade) {
	n.Slot, n.Grade = m.slot, grade
	m.out.Notices = append(m.out.Notices, n)
	m.slot++
}

// fee adds the one outflow for gas (and blob gas, and the L1 fee of the OP stack),
// and counts to whom its parts go.
func (m *assembly) fee(sum *fees) error {
	if m.rec.unrooted {
		return nil
	}
	price, grade, err := m.gasPrice()
	if err != nil {
		return err
	}
	gas := new(big.Int).SetUint64(m.rec.gasUsed)
	paid := new(big.Int).Mul(gas, price)
	if price.Sign() > 0 {
		base := m.c.h.BaseFee
		if base == nil || base.Cmp(price) > 0 {
			base = new(big.Int)
		}
		burnt := new(big.Int).Mul(gas, base)
		sum.base.Add(sum.base, burnt)
		sum.tips.Add(sum.tips, new(big.Int).Sub(paid, burnt))
	}
	if m.tx.std != nil && m.tx.std.Type() == types.BlobTxType {
		blob, g, err := m.blobFee()
		if err != nil {
			return err
		}
		paid.Add(paid, blob)
		grade = max(grade, g)
	}
	if m.rec.l1Fee != nil && m.tx.kind != depositType && m.d.rules.deposits {
		paid.Add(paid, m.rec.l1Fee)
		sum.l1.Add(sum.l1, m.rec.l1Fee)
		grade = max(grade, ledger.GradeAttested)
	}
	value, err := amount(paid)
	if err != nil || value.IsZero() {
		return err
	}
	m.out.Transfers = append(m.out.Transfers, ledger.Transfer{
		Slot: m.slot, Kind: ledger.TransferFee, From: m.d.rules.address(m.tx.from), Asset: m.d.rules.native(), Amount: value, Grade: grade,
	})
	m.slot++
	return nil
}

// credits makes the pseudo-transaction of what a block pays by itself: it comes
// after all others and has the block's hash as its id.
func (d *decoder) credits(subject string, c *content, credits []credit) (*ledger.Tx, error) {
	ref := c.h.ref(d.rules.chain)
	tx := &ledger.Tx{
		ID: ledger.TxID(ref.Hash), Chain: ref.Chain, Pos: ledger.At(ref.Height, uint32(len(c.txs))), Time: ref.Time, Coinbase: true, Grade: c.grade,
	}
	for i, p := range credits {
		value, err := amount(p.value)
		if err != nil {
			return nil, refuse(ledger.FaultContents, subject, "reward %d: %v", i, err)
		}
		tx.Transfers = append(tx.Transfers, ledger.Transfer{
			Index: uint32(i), Slot: uint32(i), Kind: ledger.TransferInternal, To: d.rules.address(p.to), Asset: d.rules.native(), Amount: value, Grade: p.grade,
		})
	}
	return tx, nil
}
