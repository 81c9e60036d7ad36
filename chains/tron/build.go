package tron

import (
	"strconv"
	"strings"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

// build makes one block of what has been checked.
type build struct {
	chain    ledger.Chain
	h        *header
	subject  string
	noInfos  bool
	internal bool // the node is known to keep internal transactions

	called  bool // a contract was called with success
	inner   bool // an internal transaction came
	opaque  bool // TRX or TRC-10 moved in ways that are not followed
	unknown []string
}

func (b *build) native() ledger.Asset { return ledger.NativeAsset(b.chain) }

func (b *build) block(source string, answer *protocol.BlockExtention, txs []*tx, infos []*protocol.TransactionInfo) (*ledger.Block, error) {
	out := &ledger.Block{
		Ref: b.h.ref(b.chain), Parent: b.h.parent, Header: b.h.raw, Raw: rawBlock(answer), Source: source, Grade: ledger.GradeAttested, Txs: make([]ledger.Tx, len(txs)),
	}
	for i, t := range txs {
		m := &assembly{b: b, tx: t, out: &out.Txs[i]}
		if infos != nil {
			m.info = infos[i]
		}
		*m.out = ledger.Tx{ID: t.id, Chain: b.chain, Pos: ledger.At(b.h.number, uint32(i)), Time: b.h.time, Grade: ledger.GradeProven}
		if err := m.transaction(); err != nil {
			if _, ok := ledger.FaultOf(err); ok {
				return nil, err
			}
			return nil, refuse(ledger.FaultContents, b.subject, "transaction %d: %v", i, err)
		}
	}
	out.Partial = b.partial()
	return out, nil
}

// partial says what is missing, in one order.
func (b *build) partial() string {
	var lacks []string
	if b.noInfos {
		lacks = append(lacks, ledger.PartialReceipts)
	}
	if b.noInfos || b.opaque || b.called && !b.inner && !b.internal {
		lacks = append(lacks, ledger.PartialInternal)
	}
	return strings.Join(append(lacks, b.unknown...), " and ")
}

// lack marks the block once for each reason.
func (b *build) lack(what string) {
	for _, u := range b.unknown {
		if u == what {
			return
		}
	}
	b.unknown = append(b.unknown, what)
}

// assembly makes one transaction.
type assembly struct {
	b     *build
	tx    *tx
	info  *protocol.TransactionInfo // nil: the node gives none
	owner ledger.Address
	out   *ledger.Tx
	slot  uint32
}

func (m *assembly) move(t ledger.Transfer) {
	t.Index, t.Slot = uint32(len(m.out.Transfers)), m.slot
	m.out.Transfers = append(m.out.Transfers, t)
	m.slot++
}

func (m *assembly) note(n ledger.Notice) {
	n.Slot = m.slot
	m.out.Notices = append(m.out.Notices, n)
	m.slot++
}

// transaction adds in this order: what was signed, internal transactions, logs,
// the fee. How internal transactions and logs interleave the node does not tell;
// they are of different assets.
func (m *assembly) transaction() error {
	if m.tx.contract == nil {
		m.b.lack("a transaction without a contract")
		return m.fee()
	}
	kind := m.tx.contract.GetType()
	how := mannerOf(kind)
	if err := m.payer(how); err != nil {
		return err
	}
	if m.failed() {
		m.out.Status = ledger.StatusFailed
		return m.fee()
	}
	if len(m.tx.raw.GetContract()) > 1 {
		m.b.lack("transactions of several contracts")
	}
	switch how {
	case mannerUnknown:
		m.b.lack("contract type " + strconv.Itoa(int(kind)))
	case mannerOpaque:
		m.b.opaque = true
	}
	if how == mannerRead {
		if err := m.contract(); err != nil {
			return err
		}
	}
	if err := m.internals(); err != nil {
		return err
	}
	if err := m.logs(); err != nil {
		return err
	}
	return m.fee()
}

// payer reads the owner. Those of genesis are no accounts: nobody pays there.
func (m *assembly) payer(how manner) error {
	owner, err := ownerOf(m.tx.contract)
	if err != nil {
		return err
	}
	m.owner, err = m.b.account(owner)
	if err != nil && (m.b.h.number == 0 || how == mannerUnknown || m.tx.contract.GetType() == 51) {
		return nil // genesis; unknown; a shielded transfer names its owner only where it has one
	}
	return err
}

// failed reports that nothing but the fee moves. What old blocks do not say, the
// info does.
func (m *assembly) failed() bool {
	return m.tx.failed() || m.info.GetResult() != 0 || m.tx.said == 0 && m.info.GetReceipt().GetResult() > 1
}

func (m *assembly) fee() error {
	amount, err := quantity(m.info.GetFee())
	if err == nil && !amount.IsZero() && m.owner.IsZero() {
		m.b.lack("who paid a fee")
		return nil
	}
	if err == nil && !amount.IsZero() {
		m.move(ledger.Transfer{Kind: ledger.TransferFee, From: m.owner, Asset: m.b.native(), Amount: amount, Grade: ledger.GradeAttested})
	}
	return err
}

// internals adds internal transactions. Contracts lend and withdraw stake in the
// same list, where the value says how much, and moves nothing.
func (m *assembly) internals() error {
	if m.tx.calls() {
		m.b.called = true
	}
	for _, t := range m.info.GetInternalTransactions() {
		m.b.inner = true
		if t.GetRejected() {
			continue
		}
		switch note := string(t.GetNote()); {
		case note == "call" || note == "create" || note == "suicide":
			if err := m.inner(t, false); err != nil {
				return err
			}
		case note == "withdrawReward":
			if err := m.inner(t, true); err != nil {
				return err
			}
		case staking(note):
		default:
			m.b.lack("internal transactions " + strconv.Quote(note[:min(len(note), 40)]))
		}
	}
	return nil
}

// staking are the notes of internal transactions that move nothing: the stake of a
// contract stays its own, what it delegates too. What one gets back and leaves to
// its heir (withdrawExpireUnfreezeWhileSuiciding) is in the value of "suicide" already.
func staking(note string) bool {
	for _, p := range []string{"freeze", "unfreeze", "delegateResource", "unDelegateResource", "voteWitness", "withdrawExpireUnfreeze", "cancelAllUnfreeze"} {
		if strings.HasPrefix(note, p) {
			return true
		}
	}
	return false
}

func (m *assembly) inner(t *protocol.InternalTransaction, minted bool) error {
	for _, v := range t.GetCallValueInfo() {
		amount, err := quantity(v.GetCallValue())
		if err != nil {
			return err
		}
		if amount.IsZero() {
			continue
		}
		asset := m.b.native()
		if v.GetTokenId() != "" {
			if asset, err = m.b.trc10(v.GetTokenId()); err != nil {
				return err
			}
		}
		from, err := m.b.account(t.GetCallerAddress())
		if err != nil {
			return err
		}
		to, err := m.b.account(t.GetTransferToAddress())
		if err != nil {
			return err
		}
		switch {
		case minted:
			from = ledger.Address{}
		case from == to && string(t.GetNote()) == "suicide":
			to = ledger.Address{} // what a contract leaves to itself is burnt
		}
		m.move(ledger.Transfer{Kind: ledger.TransferInternal, From: from, To: to, Asset: asset, Amount: amount, Grade: ledger.GradeAttested})
	}
	return nil
}
