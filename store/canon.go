package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"strconv"

	"github.com/spoortrace/spoor/ledger"
)

// Canonical rows say what the chain says: hashes, owners and amounts, never ids,
// groups, sources or grades. One row is one line of text. The digest of a block
// is the SHA-256 of its lines; the digest of a tip is the SHA-256 of the digest
// of the tip before it (32 zeros for the first) and that of its block.
//
//	B height hash parent time header partial transactions
//	T index txid time status coinbase
//	I txid:output owner value        (or "I txid:output ?" when the coin is unknown)
//	O output owner value
//	X index slot kind from to contract token amount status
//	N slot kind account peer said-by contract token amount network ref
//
// An owner is its kind, a dot and its payload in hex, "-" when there is none.
type lines struct{ b []byte }

func (l *lines) word(s string) *lines { l.b = append(append(l.b, s...), ' '); return l }
func (l *lines) uint(v uint64) *lines { l.b = append(strconv.AppendUint(l.b, v, 10), ' '); return l }
func (l *lines) int(v int64) *lines   { l.b = append(strconv.AppendInt(l.b, v, 10), ' '); return l }

func (l *lines) hex(v []byte) *lines {
	if len(v) == 0 {
		return l.word("-")
	}
	l.b = append(hex.AppendEncode(l.b, v), ' ')
	return l
}

func (l *lines) owner(a ledger.Address) *lines {
	if a.IsZero() {
		return l.word("-")
	}
	l.b = append(strconv.AppendUint(l.b, uint64(a.Kind), 10), '.')
	l.b = append(hex.AppendEncode(l.b, []byte(a.Payload)), ' ')
	return l
}

func (l *lines) amount(a ledger.Amount) *lines {
	if v, ok := a.Uint64(); ok {
		return l.uint(v)
	}
	return l.word(a.String())
}

func (l *lines) coin(o ledger.OutPoint) *lines {
	l.b = append(hex.AppendEncode(l.b, o.Tx[:]), ':')
	return l.uint(uint64(o.Index))
}

func (l *lines) end() { l.b[len(l.b)-1] = '\n' }

func (l *lines) block(b *ledger.Block, txs int) {
	l.word("B").uint(b.Ref.Height).hex(b.Ref.Hash[:]).hex(b.Parent[:]).int(b.Ref.Time).hex(b.Header)
	l.hex([]byte(b.Partial)).uint(uint64(txs)).end()
}

func (l *lines) tx(tx *ledger.Tx) {
	l.word("T").uint(uint64(tx.Pos.Index())).hex(tx.ID[:]).int(tx.Time).uint(uint64(tx.Status))
	if tx.Coinbase {
		l.word("coinbase")
	}
	l.end()
	for i := range tx.Inputs {
		in := &tx.Inputs[i]
		l.word("I").coin(in.Prev)
		if in.Known {
			l.owner(in.Address).amount(in.Value).end()
		} else {
			l.word("?").end()
		}
	}
	for i := range tx.Outputs {
		l.word("O").uint(uint64(i)).owner(tx.Outputs[i].Address).amount(tx.Outputs[i].Value).end()
	}
	for i := range tx.Transfers {
		t := &tx.Transfers[i]
		l.word("X").uint(uint64(t.Index)).uint(uint64(t.Slot)).uint(uint64(t.Kind)).owner(t.From).owner(t.To)
		l.owner(t.Asset.Contract).hex([]byte(t.Asset.TokenID)).amount(t.Amount).uint(uint64(t.Status)).end()
	}
	for i := range tx.Notices {
		n := &tx.Notices[i]
		l.word("N").uint(uint64(n.Slot)).uint(uint64(n.Kind)).owner(n.Account).owner(n.Peer).owner(n.Contract)
		l.owner(n.Asset.Contract).hex([]byte(n.Asset.TokenID)).amount(n.Amount).hex([]byte(n.Network)).hex([]byte(n.Ref)).end()
	}
}

// chainDigest joins the digest of a block to that of the tip before it.
func chainDigest(prev, block ledger.Hash) ledger.Hash {
	return sha256.Sum256(append(prev[:], block[:]...))
}

// total is a sum mod 2^256 of hashes of rows: it does not depend on their order.
type total [4]uint64

func (t *total) add(h [32]byte) {
	var carry uint64
	for i := range t {
		t[i], carry = bits.Add64(t[i], binary.LittleEndian.Uint64(h[8*i:]), carry)
	}
}

func (t total) bytes() (b [32]byte) {
	for i, v := range t {
		binary.LittleEndian.PutUint64(b[8*i:], v)
	}
	return b
}

func totalFrom(b [32]byte) (t total) {
	for i := range t {
		t[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return t
}

// totals are the sums of the three kinds of rows: transactions, spends, events.
type totals struct{ txs, spends, events total }

// rowRoom is enough for most rows, so that hashing one allocates nothing.
const rowRoom = 512

// spendHash is the row "coin, spent by the transaction at".
func spendHash(made ledger.Position, index uint32, by ledger.Position) [32]byte {
	var room [rowRoom]byte
	l := lines{room[:0]}
	l.word("S").uint(uint64(made)).uint(uint64(index)).uint(uint64(by))
	return sha256.Sum256(l.b)
}

// eventHash is the row of one event in the list of one holder.
func eventHash(h ledger.Holder, e *ledger.Event) [32]byte {
	var room [rowRoom]byte
	l := lines{room[:0]}
	l.word("E").owner(h.Address).owner(h.Asset.Contract).hex([]byte(h.Asset.TokenID))
	l.uint(uint64(e.At.Pos)).uint(uint64(e.At.Slot)).uint(uint64(e.Kind)).owner(e.From).owner(e.To).amount(e.Amount)
	return sha256.Sum256(l.b)
}

// eventsOf yields the events of a transaction with the holder in whose list each
// stands, in total order: first the payer's, then the payee's. Failed transfers and
// unknown coins make none; token transfers of zero stand in a list of their own, by
// either side, which costs two entries of about 12 bytes each. On a UTXO chain an input is an
// outflow to nobody, an output an inflow from nobody; slots count inputs first.
// A notice is an event to oneself, of nothing, in the notice list of each of its
// subjects; those of a failed transaction make none.
func eventsOf(tx *ledger.Tx) func(yield func(ledger.Holder, ledger.Event) bool) {
	return func(yield func(ledger.Holder, ledger.Event) bool) {
		native, plain := ledger.NativeAsset(tx.Chain), tx.Plain()
		for i := range tx.Inputs {
			in := &tx.Inputs[i]
			e := ledger.Event{At: ledger.Point{Pos: tx.Pos, Slot: uint32(i)}, Kind: ledger.TransferNative, From: in.Address, Amount: in.Value}
			if in.Known && !in.Value.IsZero() && !yield(ledger.Holder{Address: in.Address, Asset: native}, e) {
				return
			}
		}
		for i := range tx.Outputs {
			out := &tx.Outputs[i]
			e := ledger.Event{At: ledger.Point{Pos: tx.Pos, Slot: uint32(len(tx.Inputs) + i)}, Kind: ledger.TransferNative, To: out.Address, Amount: out.Value}
			if !out.Value.IsZero() && !yield(ledger.Holder{Address: out.Address, Asset: native}, e) {
				return
			}
		}
		for i := range tx.Transfers {
			t := &tx.Transfers[i]
			asset := t.Asset
			if t.Amount.IsZero() && t.Kind == ledger.TransferToken {
				asset = ledger.ZeroAsset(tx.Chain)
			} else if t.Amount.IsZero() {
				continue
			}
			if t.Status == ledger.StatusFailed {
				continue
			}
			e := ledger.Event{At: ledger.Point{Pos: tx.Pos, Slot: t.Slot}, Kind: t.Kind, From: t.From, To: t.To, Amount: t.Amount, Plain: plain}
			if !t.From.IsZero() && !yield(ledger.Holder{Address: t.From, Asset: asset}, e) {
				return
			}
			if !t.To.IsZero() && t.To != t.From && !yield(ledger.Holder{Address: t.To, Asset: asset}, e) {
				return
			}
		}
		notices := ledger.NoticeAsset(tx.Chain)
		for i := range tx.Notices {
			n := &tx.Notices[i]
			if tx.Status == ledger.StatusFailed {
				return
			}
			for _, a := range n.Subjects(tx.Chain) {
				e := ledger.Event{At: ledger.Point{Pos: tx.Pos, Slot: n.Slot}, Kind: ledger.TransferNative, From: a, To: a}
				if !yield(ledger.Holder{Address: a, Asset: notices}, e) {
					return
				}
			}
		}
	}
}

// sideOf says how an event changes a holder.
func sideOf(h ledger.Address, e *ledger.Event) side {
	switch e.From {
	case e.To:
		return sideSelf
	case h:
		return sideOut
	}
	return sideIn
}
