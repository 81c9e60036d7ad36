package evm

import (
	_ "embed"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/ledger"
)

// TxNotices reads what the logs of a transaction say besides transfers. It is
// given the transaction with its transfers and notices in their slots, and all
// its logs in order, and returns notices whose slots no other notice of the
// transaction has. Their Grade is GradeProven: the caller lowers it to that of the logs.
type TxNotices func(tx *ledger.Tx, logs []*types.Log) []ledger.Notice

// Bridges reads the logs of bridges that a registry names. A log is read only
// if a registered contract of its network wrote it, and only if it is exactly
// the event that the registry declares: anybody can write the same event, and
// such a log says nothing. It is safe for concurrent use.
type Bridges struct {
	wrapped map[ledger.Chain]ledger.Address
	events  map[emitter][]*bridgeEvent
}

// emitter is what a log is found by.
type emitter struct {
	chain    ledger.Chain
	contract common.Address
	topic    common.Hash
}

// nativeAsset is the asset of events that are about the native coin alone.
const nativeAsset = "$native"

//go:embed bridges.yaml
var bundledBridges []byte

// BundledBridges is the registry that comes with the program; its head documents the form.
func BundledBridges() []byte { return slices.Clone(bundledBridges) }

// NewBridges reads registries, strictly: an unknown key, a malformed signature
// or address, a field that its event does not have, or two readings of one
// contract's event are ledger.ErrInvalid and name the place. A later registry
// adds to the earlier ones.
func NewBridges(registries ...[]byte) (*Bridges, error) {
	b := &Bridges{wrapped: map[ledger.Chain]ledger.Address{}, events: map[emitter][]*bridgeEvent{}}
	for _, text := range registries {
		if err := b.load(text); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Notices is a TxNotices: a NoticeBridgeOut where money leaves the network, a
// NoticeBridgeIn where it arrives. Ref is PROTOCOL:ID, the same on both sides.
//
// A notice is about the transfer by which the money moved, where the
// transaction has it: Account is its payer (out) or payee (in), Asset and
// Amount are its own, Slot is its slot unless another notice is there.
// Contract is who wrote the log.
func (b *Bridges) Notices(tx *ledger.Tx, logs []*types.Log) []ledger.Notice {
	r := reading{b: b, tx: tx, logs: logs, used: map[int]bool{}}
	for i, l := range logs {
		if len(l.Topics) == 0 {
			continue
		}
		for _, e := range b.events[emitter{tx.Chain, l.Address, l.Topics[0]}] {
			r.read(e, i)
		}
	}
	return r.notices
}

// reading is one transaction being read.
type reading struct {
	b       *Bridges
	tx      *ledger.Tx
	logs    []*types.Log
	used    map[int]bool // transfers that a notice is about
	notices []ledger.Notice
}

// read adds the notice of a log, if it is one.
func (r *reading) read(e *bridgeEvent, at int) {
	fields, ok := r.fields(e, at)
	if !ok {
		return
	}
	n := ledger.Notice{Kind: e.kind, Contract: ledger.AccountAddress(r.tx.Chain, r.logs[at].Address), Network: e.protocol.network(fields[e.network].text)}
	n.Ref = e.ref(r, fields, at)
	w := wanted{in: e.kind == ledger.NoticeBridgeIn, contract: e.counter(fields, r.logs[at].Address), log: at, role: e}
	if v, ok := fields[e.amount]; ok && v.isAmount {
		w.amount = &v.amount
	} else if e.amount != "" {
		return // an amount that is none
	}
	if v, ok := fields[e.account]; ok && v.isAddress {
		w.account = ledger.AccountAddress(r.tx.Chain, v.address)
	}
	if v, ok := fields[e.asset]; ok && v.isAddress || e.asset == nativeAsset {
		asset := r.asset(v.address) // the zero address is the native coin
		w.asset = &asset
	}
	if v, ok := fields[e.peer]; ok && v.isAddress && v.address != ([20]byte{}) {
		n.Peer = ledger.AccountAddress(r.tx.Chain, v.address)
	}
	if r.settle(&n, w) {
		r.notices = append(r.notices, n)
	}
}

// settle fills in who, what and how much: from the transfer that moved it, else
// from the log alone. False: nobody can say.
func (r *reading) settle(n *ledger.Notice, w wanted) bool {
	slot := r.nextSlot()
	if i := r.find(w); i >= 0 {
		t := &r.tx.Transfers[i]
		r.used[i] = true
		n.Asset, n.Amount, n.Account = t.Asset, t.Amount, t.From
		if w.in {
			n.Account = t.To
		}
		if !r.taken(t.Slot) {
			slot = t.Slot
		}
	} else {
		if w.account.IsZero() || w.asset == nil || w.amount == nil {
			return false
		}
		n.Account, n.Asset, n.Amount = w.account, *w.asset, *w.amount
		if r.unwrapped(&n.Asset, n.Amount) {
			n.Asset = ledger.NativeAsset(r.tx.Chain)
		}
	}
	n.Slot = slot
	return !n.Account.IsZero()
}

// unwrapped reports that the coin itself was paid, which only a trace shows: no
// transfer fits, and the asset is the wrapped coin, or a token over it and as
// much of the wrapped coin was made or undone in the transaction.
func (r *reading) unwrapped(asset *ledger.Asset, amount ledger.Amount) bool {
	wrapped, ok := r.b.wrapped[r.tx.Chain]
	if !ok || asset.Contract == wrapped {
		return ok
	}
	return slices.ContainsFunc(r.tx.Transfers, func(t ledger.Transfer) bool {
		return t.Asset.Contract == wrapped && t.Amount == amount && (t.From.IsZero() || t.To.IsZero())
	})
}

// asset is a token, or the native coin where protocols write no address or 0xeee...
func (r *reading) asset(a [20]byte) ledger.Asset {
	if a == ([20]byte{}) || a == [20]byte(common.HexToAddress("0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee")) {
		return ledger.NativeAsset(r.tx.Chain)
	}
	return ledger.TokenAsset(ledger.AccountAddress(r.tx.Chain, a))
}

// taken reports a slot that a notice has.
func (r *reading) taken(slot uint32) bool {
	has := func(n ledger.Notice) bool { return n.Slot == slot }
	return slices.ContainsFunc(r.tx.Notices, has) || slices.ContainsFunc(r.notices, has)
}

// nextSlot is after everything.
func (r *reading) nextSlot() uint32 {
	next := uint32(0)
	for _, t := range r.tx.Transfers {
		next = max(next, t.Slot+1)
	}
	for _, all := range [][]ledger.Notice{r.tx.Notices, r.notices} {
		for _, n := range all {
			next = max(next, n.Slot+1)
		}
	}
	return next
}
