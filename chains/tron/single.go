package tron

import (
	"crypto/sha256"

	"google.golang.org/protobuf/proto"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

// Single is one transaction apart from its block: what was signed, how it ended,
// and what the node noted of it.
type Single struct {
	Raw     []byte // raw_data: its SHA-256 is the transaction's id
	Outcome int32  // contract_ret: 0 not said, 1 success, others are failures
	Info    *protocol.TransactionInfo
}

// ID is the transaction's id.
func (s Single) ID() ledger.TxID { return sha256.Sum256(s.Raw) }

// Transaction reads everything that it moved, as a node's block would have it;
// Pos is not set. lacks says what is not followed in it, as ledger.Block.Partial
// does; empty when it is whole. The error is of form, or names amounts or
// accounts that cannot be.
func (s Single) Transaction(c ledger.Chain) (out ledger.Tx, lacks string, err error) {
	raw, err := proto.Marshal(&protocol.Transaction{RawData: s.Raw, Ret: []*protocol.Transaction_Result{{ContractRet: s.Outcome}}})
	if err != nil {
		return out, "", err
	}
	t, err := readTx(raw)
	if err != nil {
		return out, "", err
	}
	b := &build{chain: c, h: &header{number: uint64(s.Info.GetBlockNumber()), time: s.Info.GetBlockTimeStamp()}, internal: true}
	out = ledger.Tx{ID: t.id, Chain: c, Time: s.Info.GetBlockTimeStamp(), Grade: ledger.GradeAttested}
	m := &assembly{b: b, tx: t, info: s.Info, out: &out}
	if err := m.transaction(); err != nil {
		return out, "", err
	}
	return out, b.partial(), nil
}

// Internals reads what contracts sent, apart from the transaction in which they
// did; lacks is that of Transaction.
func Internals(c ledger.Chain, sent []*protocol.InternalTransaction) (moves []ledger.Transfer, lacks string, err error) {
	b := &build{chain: c, internal: true}
	m := &assembly{b: b, tx: &tx{}, info: &protocol.TransactionInfo{InternalTransactions: sent}, out: &ledger.Tx{}}
	if err := m.internals(); err != nil {
		return nil, "", err
	}
	return m.out.Transfers, b.partial(), nil
}
