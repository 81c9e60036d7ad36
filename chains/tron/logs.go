package tron

import (
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/proto"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

// First topics of events, and selectors of calls: Keccak-256 of their signatures.
const (
	topicTransfer    = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
	topicBlacklist   = "42e160154868087d6bfdc0ca23d96a1c1cfa32f1b72ba9ba27b69b98a0d819dc"
	topicUnblacklist = "d7e9ec6e6ecd65492dce6bf513cd6867560d49544421d0783ddf06e76c24470c"
	topicDestroy     = "61e6e66b0d6339b2980aecc6ccc0039736791f0ccde9ed512e789a7fbdd698c6"
	topicIssue       = "cb8241adb0c3fdb35b70c24ce35c5eb0c17af7431c99f827d44a445ca624176a"
	topicRedeem      = "702d5967f45f6513a38ffc42d6ba9bf230bd40e8f53b16363c7eb4fd2deb9a44" //nolint:gosec // a hash, no secret

	selectTransfer     = "a9059cbb"
	selectTransferFrom = "23b872dd"
)

// isTether reports TR7N..., whose issuer events are believed; anybody can write the same.
func (b *build) isTether(contract ledger.Address) bool {
	usdt, ok := ledger.AssetBySymbol(b.chain, "USDT")
	return ok && usdt.Contract == contract
}

// logs adds what the logs say or, without infos, what the call asked for.
func (m *assembly) logs() error {
	if m.info == nil {
		return m.called()
	}
	for i, l := range m.info.GetLog() {
		if len(l.GetAddress()) == 21 && l.GetAddress()[0] == 0x41 {
			l.Address = l.GetAddress()[1:]
		}
		if len(l.GetAddress()) != 20 {
			return fmt.Errorf("log %d: want a contract of 20 bytes, got %x", i, l.GetAddress())
		}
		m.log(l)
	}
	return m.lost()
}

func (m *assembly) log(l *protocol.TransactionInfo_Log) {
	contract := ledger.AccountAddress(m.b.chain, [20]byte(l.GetAddress()))
	topics := l.GetTopics()
	if len(topics) == 0 {
		return
	}
	first := hex.EncodeToString(topics[0])
	if first == topicTransfer {
		m.erc20(contract, topics, l.GetData())
		return
	}
	if m.b.isTether(contract) {
		m.issuer(contract, first, topics, l.GetData())
	}
}

// erc20 reads a Transfer strictly: three topics, addresses with twelve zero bytes
// before them, 32 bytes of data. A fourth topic is ERC-721's.
func (m *assembly) erc20(contract ledger.Address, topics [][]byte, data []byte) {
	if len(topics) != 3 || len(data) != 32 {
		return
	}
	from, ok1 := m.b.word(topics[1])
	to, ok2 := m.b.word(topics[2])
	if amount, err := ledger.AmountFromBytes(data); err == nil && ok1 && ok2 {
		m.move(ledger.Transfer{Kind: ledger.TransferToken, From: from, To: to, Asset: ledger.TokenAsset(contract), Amount: amount, Grade: ledger.GradeAttested})
	}
}

// word reads an address of the ABI; the zero address is nobody.
func (b *build) word(w []byte) (ledger.Address, bool) {
	if len(w) != 32 || string(w[:12]) != string(make([]byte, 12)) {
		return ledger.Address{}, false
	}
	if a := [20]byte(w[12:]); a != ([20]byte{}) {
		return ledger.AccountAddress(b.chain, a), true
	}
	return ledger.Address{}, true
}

// issuer reads what USDT does without a Transfer.
func (m *assembly) issuer(contract ledger.Address, first string, topics [][]byte, data []byte) {
	t := ledger.Transfer{Kind: ledger.TransferToken, Asset: ledger.TokenAsset(contract), Grade: ledger.GradeAttested}
	switch first {
	case topicBlacklist, topicUnblacklist:
		who, rest, ok := m.b.about(topics, data)
		if !ok || len(rest) != 0 {
			return
		}
		n := ledger.Notice{Kind: ledger.NoticeUnfrozen, Account: who, Contract: contract, Asset: t.Asset, Grade: ledger.GradeAttested}
		if first == topicBlacklist {
			n.Kind = ledger.NoticeFrozen
		}
		m.note(n)
	case topicDestroy:
		who, rest, ok := m.b.about(topics, data)
		amount, err := amountWord(rest)
		if ok && err == nil {
			t.Kind, t.From, t.Amount = ledger.TransferSeized, who, amount
			m.move(t)
		}
	case topicIssue, topicRedeem:
		amount, err := amountWord(data)
		if err != nil || len(topics) != 1 {
			return
		}
		caller, ok := m.caller(contract)
		if !ok {
			m.b.lack("who USDT was issued to or redeemed from")
			return
		}
		t.Amount, t.From = amount, caller
		if first == topicIssue {
			t.From, t.To = ledger.Address{}, caller
		}
		m.move(t)
	}
}

// caller is the only one who called a contract in this transaction: the owner of
// USDT is who its onlyOwner let in.
func (m *assembly) caller(contract ledger.Address) (ledger.Address, bool) {
	if target, _, ok := m.trigger(); ok && target == contract {
		return m.owner, true
	}
	var found ledger.Address
	for _, t := range m.info.GetInternalTransactions() {
		to, err1 := m.b.account(t.GetTransferToAddress())
		from, err2 := m.b.account(t.GetCallerAddress())
		if err1 != nil || err2 != nil || to != contract || t.GetRejected() {
			continue
		}
		if !found.IsZero() && found != from {
			return ledger.Address{}, false
		}
		found = from
	}
	return found, !found.IsZero()
}

// about reads an address that is indexed or comes first in the data.
func (b *build) about(topics [][]byte, data []byte) (ledger.Address, []byte, bool) {
	if len(topics) == 2 {
		a, ok := b.word(topics[1])
		return a, data, ok
	}
	if len(topics) != 1 || len(data) < 32 {
		return ledger.Address{}, nil, false
	}
	a, ok := b.word(data[:32])
	return a, data[32:], ok
}

func amountWord(w []byte) (ledger.Amount, error) {
	if len(w) != 32 {
		return ledger.Amount{}, fmt.Errorf("want 32 bytes, got %d", len(w))
	}
	return ledger.AmountFromBytes(w)
}

// trigger is the contract that the transaction calls, and with what.
func (m *assembly) trigger() (contract ledger.Address, data []byte, ok bool) {
	if m.tx.contract.GetType() != typeTriggerSmart {
		return ledger.Address{}, nil, false
	}
	var c protocol.TriggerSmartContract
	if proto.Unmarshal(m.tx.contract.GetParameter().GetValue(), &c) != nil {
		return ledger.Address{}, nil, false
	}
	contract, err := m.b.account(c.GetContractAddress())
	return contract, c.GetData(), err == nil
}

// order is what a call of transfer or transferFrom asks for. Wallets wrote
// addresses of 21 bytes into the ABI's word; contracts compiled for TRON cut them.
func (m *assembly) order() (t ledger.Transfer, ok bool) {
	contract, data, ok := m.trigger()
	if !ok || len(data) < 4 {
		return t, false
	}
	args := data[4:]
	t = ledger.Transfer{Kind: ledger.TransferToken, From: m.owner, Asset: ledger.TokenAsset(contract), Grade: ledger.GradeInferred}
	switch hex.EncodeToString(data[:4]) {
	case selectTransferFrom:
		if len(args) < 96 {
			return t, false
		}
		t.From, args = m.b.cut(args[:32]), args[32:]
	case selectTransfer:
		if len(args) < 64 {
			return t, false
		}
	default:
		return t, false
	}
	t.To = m.b.cut(args[:32])
	amount, err := ledger.AmountFromBytes(args[32:64])
	t.Amount = amount
	return t, err == nil && !t.From.IsZero() && !t.To.IsZero()
}

func (b *build) cut(word []byte) ledger.Address {
	if a := [20]byte(word[12:]); a != ([20]byte{}) {
		return ledger.AccountAddress(b.chain, a)
	}
	return ledger.Address{}
}

// called adds the transfer that a call asked for: there are no logs to say that it
// was made, only the block's word that the call succeeded.
func (m *assembly) called() error {
	t, ok := m.order()
	if !ok {
		return nil
	}
	t.Status = ledger.StatusOK
	if m.tx.said == 0 {
		t.Status = ledger.StatusUnknown
	}
	m.move(t)
	return nil
}

// lost refuses an info without the log that USDT writes for a transfer it accepted:
// it returns nothing unless it did, and the block says that the call succeeded.
func (m *assembly) lost() error {
	want, ok := m.order()
	if !ok || m.tx.said != 1 || !m.b.isTether(want.Asset.Contract) {
		return nil
	}
	for _, t := range m.out.Transfers {
		if t.Kind == ledger.TransferToken && t.Asset == want.Asset && t.From == want.From && t.To == want.To && t.Amount.Cmp(want.Amount) <= 0 {
			return nil
		}
	}
	return refuse(ledger.FaultMissing, m.b.subject, "transaction %s calls USDT's transfer with success, and no log tells of it", m.tx.id)
}
