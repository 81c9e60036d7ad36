package archive

import (
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/spoortrace/spoor/ledger"
)

// etlTxBuild makes one transaction: its own value, what contracts sent, its
// logs, the fee. Slots count them in that order; a CSV file does not say how
// calls and logs interleave.
type etlTxBuild struct {
	*etlBuild
	row    *placed[etlTx]
	tx     ledger.Tx
	calls  []placed[etlTrace] // in order; the first is the transaction itself
	status etlStatus
	slot   uint32
}

func (b *etlBuild) tx(row *placed[etlTx]) (ledger.Tx, error) {
	x := &row.v
	t := &etlTxBuild{etlBuild: b, row: row, calls: b.traces[int64(x.index)]}
	t.tx = ledger.Tx{
		ID: x.id, Chain: b.set.Chain, Pos: ledger.At(b.height, x.index), Time: b.rows.time, Grade: ledger.GradeAttested,
	}
	if t.tx.Pos == 0 {
		return t.tx, ledger.Invalid(b.set.place(row.at), "no transaction in block 0", x.id.String())
	}
	if err := t.outcome(); err != nil {
		return t.tx, err
	}
	t.tx.Status = map[etlStatus]ledger.Status{etlOK: ledger.StatusOK, etlFailed: ledger.StatusFailed, etlUnsaid: ledger.StatusUnknown}[t.status]
	if err := t.native(); err != nil {
		return t.tx, err
	}
	t.internal()
	logs := t.tokens()
	t.fee()
	if t.set.o.Notices != nil {
		for _, n := range t.set.o.Notices(&t.tx, logs) {
			t.note(n)
		}
	}
	return t.tx, nil
}

// outcome finds whether the transaction took effect. Its receipt says so since
// Byzantium, its trace always, and only one that succeeded has logs. Before
// Byzantium a failure took all gas, so that one with gas left succeeded.
func (t *etlTxBuild) outcome() error {
	type voice struct {
		status etlStatus
		at     etlPlace
	}
	var voices []voice
	if r := t.receipts[t.row.v.id]; r != nil && r.v.status != etlUnsaid {
		voices = append(voices, voice{r.v.status, r.at})
	}
	if r := t.receipts[t.row.v.id]; r != nil && r.v.early && r.v.status == etlUnsaid && r.v.hasGas && r.v.gas.Less(t.row.v.gas) {
		voices = append(voices, voice{etlOK, r.at})
	}
	if len(t.calls) > 0 && t.calls[0].v.path == "" {
		status := etlOK
		if t.calls[0].v.failed {
			status = etlFailed
		}
		voices = append(voices, voice{status, t.calls[0].at})
	}
	if logs := t.logs[t.row.v.id]; len(logs) > 0 {
		voices = append(voices, voice{etlOK, logs[0].at})
	}
	for _, v := range voices {
		if v.status != voices[0].status {
			return t.set.contradiction(voices[0].at, v.at, "transaction "+t.row.v.id.String()+": one says ok, the other failed")
		}
		t.status = v.status
	}
	return nil
}

// native writes the transaction's own value.
func (t *etlTxBuild) native() error {
	x := &t.row.v
	if err := t.likeTrace(); err != nil {
		return err
	}
	to, err := t.payee()
	if err != nil {
		return err
	}
	if x.creates && t.status == etlOK {
		t.created(to, x.from)
	}
	if x.value.IsZero() {
		return nil
	}
	t.add(ledger.Transfer{Kind: ledger.TransferNative, From: t.account(x.from), To: t.account(to), Amount: x.value})
	last := &t.tx.Transfers[len(t.tx.Transfers)-1]
	last.Status = t.tx.Status
	if last.Status == ledger.StatusUnknown {
		last.Grade = ledger.GradeInferred
	}
	return nil
}

// likeTrace checks the first trace against the transaction that it traces.
func (t *etlTxBuild) likeTrace() error {
	x := &t.row.v
	if len(t.calls) == 0 || t.calls[0].v.path != "" {
		return nil
	}
	c := &t.calls[0].v
	same := c.from == x.from && c.value == x.value && (c.kind == etlCreate) == x.creates && (x.creates || c.to == x.to)
	if !same {
		return t.set.contradiction(t.row.at, t.calls[0].at, "another payer, payee or value of transaction "+x.id.String())
	}
	return nil
}

// payee is whom the value went to. That of a transaction without one is the
// contract that it created: as the receipt or trace names it, else as Ethereum
// derives it from payer and nonce (Yellow Paper, section 7).
func (t *etlTxBuild) payee() ([20]byte, error) {
	x := &t.row.v
	if !x.creates {
		return x.to, nil
	}
	to := [20]byte(crypto.CreateAddress(common.Address(x.from), x.nonce))
	if r := t.receipts[x.id]; r != nil && r.v.contract != ([20]byte{}) {
		to = r.v.contract
	}
	if len(t.calls) > 0 && t.calls[0].v.path == "" && t.calls[0].v.hasTo {
		c := &t.calls[0]
		if r := t.receipts[x.id]; r != nil && r.v.contract != ([20]byte{}) && r.v.contract != c.v.to {
			return to, t.set.contradiction(r.at, c.at, "another contract created by transaction "+x.id.String())
		}
		to = c.v.to
	}
	return to, nil
}

// internal writes what contracts sent. A call that failed takes with it all that it called.
func (t *etlTxBuild) internal() {
	var failed []string
	index := uint32(0)
	for i := range t.calls {
		c := &t.calls[i].v
		if c.failed {
			failed = append(failed, c.path)
		}
		if undone(failed, c.path) || c.path == "" || c.kind == etlNothing {
			continue
		}
		if !c.hasFrom || !c.hasTo { // old nodes do not say what a selfdestruct moved
			t.noEffect = true
			continue
		}
		if c.kind == etlCreate {
			t.created(c.to, c.from)
		}
		if c.value.IsZero() {
			continue
		}
		t.add(ledger.Transfer{Index: index, Kind: ledger.TransferInternal, From: t.account(c.from), To: t.account(c.to), Amount: c.value})
		index++
	}
}

func undone(failed []string, path string) bool {
	for _, f := range failed {
		if strings.HasPrefix(path, f) {
			return true
		}
	}
	return false
}

// fee writes what the transaction cost its sender, whether it failed or not.
// The base fee is burnt; the rest is the producer's.
func (t *etlTxBuild) fee() {
	x, r := &t.row.v, t.receipts[t.row.v.id]
	if r == nil || !r.v.hasGas || r.v.price.IsZero() && !x.hasPrice {
		t.feeless = true
		return
	}
	price := r.v.price
	if price.IsZero() {
		price = x.gasPrice
	}
	total := product(r.v.gas, price).Plus(r.v.extra)
	base := ledger.Amount{}
	if t.header != nil {
		base = t.header.v.baseFee
	}
	t.tips = t.tips.Plus(product(r.v.gas, price.SubFloor(base)))
	if !total.IsZero() {
		t.add(ledger.Transfer{Kind: ledger.TransferFee, From: t.account(x.from), Amount: total})
	}
}

// created notes a contract and who made it, in the next slot.
func (t *etlTxBuild) created(contract, by [20]byte) {
	t.note(ledger.Notice{Slot: t.slot, Kind: ledger.NoticeCreated, Account: t.account(contract), Peer: t.account(by)})
	t.slot++
}

// add appends a transfer of the native coin in the next slot.
func (t *etlTxBuild) add(x ledger.Transfer) {
	x.Slot, x.Asset, x.Grade = t.slot, ledger.NativeAsset(t.set.Chain), ledger.GradeAttested
	t.tx.Transfers = append(t.tx.Transfers, x)
	t.slot++
}

func (b *etlBuild) account(a [20]byte) ledger.Address { return ledger.AccountAddress(b.set.Chain, a) }

// product multiplies what is bounded where it was read: 2^62 units at most 2^128 each.
func product(a, b ledger.Amount) ledger.Amount {
	p, _ := a.MulDiv(b, ledger.NewAmount(1))
	return p
}

// coinbase writes what no transaction moved: rewards, the producer's share of
// fees, withdrawals from the stake, the coins of the genesis block. They are
// one record after the last transaction, its id the block's hash.
func (b *etlBuild) coinbase() error {
	var given []ledger.Transfer
	native := func(from, to ledger.Address, amount ledger.Amount) {
		if !amount.IsZero() {
			n := uint32(len(given))
			given = append(given, ledger.Transfer{
				Index: n, Slot: n, Kind: ledger.TransferInternal, From: from, To: to, Asset: ledger.NativeAsset(b.set.Chain), Amount: amount, Grade: ledger.GradeAttested,
			})
		}
	}
	for _, t := range b.traces[-1] {
		var from ledger.Address
		if t.v.hasFrom && t.v.kind == etlGiven {
			from = b.account(t.v.from)
		}
		if !t.v.hasTo {
			return ledger.Invalid(b.set.place(t.at), "to_address of a reward", "")
		}
		native(from, b.account(t.v.to), t.v.value)
	}
	if b.header != nil && b.header.v.hasMiner && !b.feeless {
		native(ledger.Address{}, b.account(b.header.v.miner), b.tips)
	}
	if b.header != nil {
		withdrawals, err := parseWithdrawals(b.header.v.withdrawals)
		if err != nil {
			return err
		}
		for _, w := range withdrawals {
			native(ledger.Address{}, b.account(w.to), w.amount)
		}
	}
	if len(given) == 0 {
		return nil
	}
	index := uint32(0)
	if n := len(b.rows.txs); n > 0 {
		index = b.rows.txs[n-1].v.index + 1
	}
	if b.height == 0 {
		index = max(index, 1) // position 0 names nothing
	}
	b.block.Txs = append(b.block.Txs, ledger.Tx{
		ID: ledger.TxID(b.block.Ref.Hash), Chain: b.set.Chain, Pos: ledger.At(b.height, index), Time: b.rows.time,
		Coinbase: true, Grade: ledger.GradeAttested, Transfers: given,
	})
	return nil
}

// rewarded reports that all the producer was given is known.
func (b *etlBuild) rewarded() bool {
	if b.header != nil && b.header.v.staked || b.height == 0 && len(b.traces[-1]) > 0 {
		return true
	}
	for _, t := range b.traces[-1] {
		if t.v.kind == etlReward {
			return b.header != nil && b.header.v.hasMiner || b.tips.IsZero()
		}
	}
	return false
}

// noWithdrawal is an error of the column withdrawals.
func noWithdrawal(what string) error {
	return fmt.Errorf("withdrawals as ethereum-etl writes them: %s", what)
}
