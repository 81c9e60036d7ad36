package archive

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/ledger"
)

// transferTopic is keccak256("Transfer(address,address,uint256)"), of ERC-20 and ERC-721 alike.
const transferTopic = "\xdd\xf2\x52\xad\x1b\xe2\xc8\x9b\x69\xc2\xb0\x68\xfc\x37\x8d\xaa\x95\x2b\xa7\xf1\x63\xc4\xa1\x16\x28\xf5\x5a\x4d\xf5\x23\xb3\xef"

// etlEvent is a log, a row of token_transfers, or the two of one log.
type etlEvent struct {
	at    etlPlace
	tx    ledger.TxID
	index uint32
	log   *etlLog   // nil: only the transfer is given
	token *etlToken // nil: no transfer of a fungible token
}

// events joins logs and token_transfers, ordered by log index.
//
// token_transfers has everything with the topic of Transfer, NFTs among them,
// whose value is the id. Where the log is there it decides: a fungible
// transfer has two indexed addresses and 32 bytes of data. Without the log a
// row is believed.
func (b *etlBuild) events() ([]etlEvent, error) {
	var all []etlEvent
	at := map[uint32]int{}
	for i := range b.rows.logs {
		l := &b.rows.logs[i]
		at[l.v.index] = len(all)
		all = append(all, etlEvent{at: l.at, tx: l.v.tx, index: l.v.index, log: &l.v, token: l.v.transfer()})
	}
	for i := range b.rows.tokens {
		t := &b.rows.tokens[i]
		n, ok := at[t.v.index]
		if !ok {
			all = append(all, etlEvent{at: t.at, tx: t.v.tx, index: t.v.index, token: &t.v})
			continue
		}
		if e := all[n]; e.tx != t.v.tx || e.log.address != t.v.token || len(e.log.topics) < 32 || e.log.topics[:32] != transferTopic || e.token != nil && *e.token != t.v {
			return nil, b.set.contradiction(e.at, t.at, "another event with the same log_index")
		}
	}
	slices.SortFunc(all, func(x, y etlEvent) int { return cmp.Compare(x.index, y.index) })
	return all, nil
}

// transfer reads a log as a transfer of a fungible token, nil when it is none.
func (l *etlLog) transfer() *etlToken {
	t := &etlToken{tx: l.tx, index: l.index, token: l.address}
	if len(l.topics) != 3*32 || l.topics[:32] != transferTopic || len(l.data) != 32 {
		return nil
	}
	var zeros [12]byte
	if l.topics[32:44] != string(zeros[:]) || l.topics[64:76] != string(zeros[:]) {
		return nil
	}
	copy(t.from[:], l.topics[44:64])
	copy(t.to[:], l.topics[76:96])
	t.value, _ = ledger.AmountFromBytes([]byte(l.data)) // 32 bytes fit
	return t
}

// tokens writes the transaction's fungible transfers, and what single logs say
// besides. It returns the logs.
func (t *etlTxBuild) tokens() (logs []*types.Log) {
	for _, e := range t.logs[t.row.v.id] {
		x, moves := ledger.Transfer{}, e.token != nil
		if moves {
			x = ledger.Transfer{
				Kind: ledger.TransferToken, From: t.holder(e.token.from), To: t.holder(e.token.to),
				Asset: ledger.TokenAsset(t.account(e.token.token)), Amount: e.token.value,
			}
		}
		var notices []ledger.Notice
		if e.log != nil {
			l := t.log(e.log)
			logs = append(logs, l)
			if t.set.o.Logs != nil {
				x, moves, notices = t.set.o.Logs(l, t.row.v.from, t.row.v.to)
			}
		}
		next := t.slot + 1
		if moves {
			x.Index, x.Slot, x.Grade = e.index, t.slot, max(x.Grade, ledger.GradeAttested)
			t.tx.Transfers = append(t.tx.Transfers, x)
		}
		for i, n := range notices {
			n.Slot = t.slot + uint32(i)
			next = max(next, n.Slot+1)
			t.note(n)
		}
		t.slot = next
	}
	return logs
}

func (t *etlTxBuild) note(n ledger.Notice) {
	n.Grade = max(n.Grade, ledger.GradeAttested)
	t.tx.Notices = append(t.tx.Notices, n)
}

// holder is an account, or nobody for the zero address: a mint has no payer, a burn no payee.
func (b *etlBuild) holder(a [20]byte) ledger.Address {
	if a == ([20]byte{}) {
		return ledger.Address{}
	}
	return b.account(a)
}

// log is a row in go-ethereum's form.
func (t *etlTxBuild) log(l *etlLog) *types.Log {
	out := &types.Log{
		Address: l.address, Data: []byte(l.data), BlockNumber: t.height, TxHash: common.Hash(t.row.v.id), TxIndex: uint(t.row.v.index),
		BlockHash: common.Hash(t.block.Ref.Hash), Index: uint(l.index), BlockTimestamp: uint64(t.rows.time / 1000),
	}
	for i := 0; i < len(l.topics); i += 32 {
		out.Topics = append(out.Topics, common.BytesToHash([]byte(l.topics[i:i+32])))
	}
	return out
}

type withdrawal struct {
	to     [20]byte
	amount ledger.Amount
}

// gwei is the unit of withdrawals (EIP-4895).
const gwei = 1_000_000_000

// parseWithdrawals reads the column: JSON objects with commas between them, amounts in gwei.
func parseWithdrawals(text string) ([]withdrawal, error) {
	if text == "" {
		return nil, nil
	}
	if text[0] != '[' {
		text = "[" + text + "]"
	}
	var rows []struct {
		Address string      `json:"address"`
		Amount  json.Number `json:"amount"`
	}
	in := json.NewDecoder(bytes.NewReader([]byte(text)))
	if err := in.Decode(&rows); err != nil {
		return nil, noWithdrawal(err.Error())
	}
	all := make([]withdrawal, len(rows))
	for i, r := range rows {
		a, err := ledger.ParseAmount(r.Amount.String())
		if _, small := a.Uint64(); err != nil || !small {
			return nil, noWithdrawal("amount " + r.Amount.String())
		}
		if !common.IsHexAddress(r.Address) {
			return nil, noWithdrawal("address " + r.Address)
		}
		all[i] = withdrawal{common.HexToAddress(r.Address), product(a, ledger.NewAmount(gwei))}
	}
	return all, nil
}
