package store

import (
	"errors"

	"github.com/spoortrace/spoor/ledger"
)

// The first row of a record holds what never changes (its body) and the first
// outputs; further outputs lie in rows of their own, so that a spend rewrites
// little.
const (
	firstOutputs = 4
	partOutputs  = 64
)

// output is a coin in a record: owner id, value, and the position of the
// transaction that spends it, 0 for none.
type output struct {
	owner   uint64
	value   ledger.Amount
	spender ledger.Position
}

// record is the first row: body decodes to everything but the outputs.
type record struct {
	body    []byte
	outputs []output
}

// partOf returns the row and the place in it of an output.
func partOf(index uint32) (part, at uint32) {
	if index < firstOutputs {
		return 0, index
	}
	return 1 + (index-firstOutputs)/partOutputs, (index - firstOutputs) % partOutputs
}

func encodeOutputs(e *encoder, outs []output, pos ledger.Position) {
	e.uint(uint64(len(outs)))
	for _, o := range outs {
		e.uint(o.owner)
		e.amount(o.value)
		if o.spender == 0 {
			e.uint(0)
		} else {
			e.uint(uint64(o.spender - pos))
		}
	}
}

func decodeOutputs(in *decoder, pos ledger.Position) []output {
	outs := make([]output, in.count())
	for i := range outs {
		outs[i] = output{owner: in.uint(), value: in.amount()}
		if delta := in.uint(); delta != 0 {
			outs[i].spender = pos + ledger.Position(delta)
		}
	}
	return outs
}

func (r *record) encode(pos ledger.Position) []byte {
	var e encoder
	r.encodeTo(&e, pos)
	return e.b
}

func (r *record) encodeTo(e *encoder, pos ledger.Position) {
	e.bytes(r.body)
	encodeOutputs(e, r.outputs, pos)
}

func decodeRecord(value []byte, pos ledger.Position) (*record, error) {
	in := decoder{b: value}
	r := &record{body: in.bytes(), outputs: decodeOutputs(&in, pos)}
	return r, in.end("record")
}

// txid returns the hash that the body begins with.
func (r *record) txid() (id ledger.TxID) {
	copy(id[:], r.body)
	return id
}

// body is a transaction without outputs, with ids in place of addresses.
type body struct {
	tx        ledger.Tx // ID, Pos, Time, Coinbase, Status, Grade and the counts of the slices
	nOutputs  int
	inputs    []inputIDs
	transfers []transferIDs
	notices   []noticeIDs
}

type noticeIDs struct {
	ledger.Notice
	account, peer, contract, asset uint64
}

type inputIDs struct {
	ledger.Input
	owner uint64
}

type transferIDs struct {
	ledger.Transfer
	from, to, asset uint64
}

func (b *body) encode() []byte {
	var e encoder
	b.encodeTo(&e)
	return e.b
}

func (b *body) encodeTo(e *encoder) {
	e.raw(b.tx.ID[:])
	e.int(b.tx.Time)
	flags := byte(b.tx.Status)<<1 | byte(b.tx.Grade)<<4
	if b.tx.Coinbase {
		flags |= 1
	}
	e.byte(flags)
	e.uint(uint64(b.nOutputs))
	e.uint(uint64(len(b.inputs)))
	for _, in := range b.inputs {
		e.raw(in.Prev.Tx[:])
		e.uint(uint64(in.Prev.Index))
		e.uint(uint64(in.PrevPos))
		e.bool(in.Known)
		if in.Known {
			e.uint(in.owner)
			e.amount(in.Value)
		}
	}
	e.uint(uint64(len(b.transfers)))
	for _, t := range b.transfers {
		e.uint(uint64(t.Index))
		e.uint(uint64(t.Slot))
		e.byte(byte(t.Kind) | byte(t.Status)<<3 | byte(t.Grade)<<6)
		e.uint(t.from)
		e.uint(t.to)
		e.uint(t.asset)
		e.amount(t.Amount)
	}
	e.uint(uint64(len(b.notices)))
	for _, n := range b.notices {
		e.uint(uint64(n.Slot))
		e.byte(byte(n.Kind))
		e.byte(byte(n.Grade))
		e.uint(n.account)
		e.uint(n.peer)
		e.uint(n.contract)
		e.uint(n.asset)
		e.amount(n.Amount)
		e.string(string(n.Network))
		e.string(n.Ref)
	}
}

func decodeBody(value []byte, pos ledger.Position) (*body, error) {
	in := decoder{b: value}
	b := &body{tx: ledger.Tx{ID: in.hash(), Pos: pos, Time: in.int()}}
	flags := in.byte()
	b.tx.Coinbase, b.tx.Status, b.tx.Grade = flags&1 != 0, ledger.Status(flags>>1&7), ledger.Grade(flags>>4)
	b.nOutputs = int(in.uint())
	b.inputs = make([]inputIDs, in.count())
	for i := range b.inputs {
		v := &b.inputs[i]
		v.Prev = ledger.OutPoint{Tx: in.hash(), Index: uint32(in.uint())}
		v.PrevPos, v.Known = ledger.Position(in.uint()), in.bool()
		if v.Known {
			v.owner, v.Value = in.uint(), in.amount()
		}
	}
	b.transfers = make([]transferIDs, in.count())
	for i := range b.transfers {
		t := &b.transfers[i]
		t.Index, t.Slot = uint32(in.uint()), uint32(in.uint())
		kind := in.byte()
		t.Kind, t.Status, t.Grade = ledger.TransferKind(kind&7), ledger.Status(kind>>3&7), ledger.Grade(kind>>6)
		t.from, t.to, t.asset, t.Amount = in.uint(), in.uint(), in.uint(), in.amount()
	}
	b.notices = make([]noticeIDs, in.count())
	for i := range b.notices {
		n := &b.notices[i]
		n.Slot, n.Kind, n.Grade = uint32(in.uint()), ledger.NoticeKind(in.byte()), ledger.Grade(in.byte())
		n.account, n.peer, n.contract, n.asset = in.uint(), in.uint(), in.uint(), in.uint()
		n.Amount, n.Network, n.Ref = in.amount(), ledger.Chain(in.string()), in.string()
	}
	return b, in.end("transaction")
}

// loadRecord returns the first row of a record; ErrAbsent is passed on.
func (l layout) loadRecord(r rows, pos ledger.Position) (*record, error) {
	value, err := r.row(l.recordKey(pos, 0))
	if err != nil {
		return nil, err
	}
	return decodeRecord(value, pos)
}

// loadOutputs returns a further row of outputs.
func (l layout) loadOutputs(r rows, pos ledger.Position, part uint32) ([]output, error) {
	value, err := r.row(l.recordKey(pos, part))
	if errors.Is(err, ErrAbsent) {
		return nil, corrupt("part %d of record %d is missing", part, pos)
	}
	if err != nil {
		return nil, err
	}
	in := decoder{b: value}
	outs := decodeOutputs(&in, pos)
	return outs, in.end("outputs")
}

// allOutputs returns every output of a record that has n of them.
func (l layout) allOutputs(r rows, pos ledger.Position, rec *record, n int) ([]output, error) {
	outs := rec.outputs
	if n > len(outs) {
		// n is not believed before the rows are seen.
		outs = append(make([]output, 0, min(n, 1<<20)), outs...)
	}
	for part := uint32(1); len(outs) < n; part++ {
		more, err := l.loadOutputs(r, pos, part)
		if err != nil {
			return nil, err
		}
		if len(more) == 0 {
			break
		}
		outs = append(outs, more...)
	}
	if len(outs) != n {
		return nil, corrupt("record %d has %d of %d outputs", pos, len(outs), n)
	}
	return outs, nil
}

// nOutputs is the number of outputs that the body states.
func (r *record) nOutputs() uint64 {
	in := decoder{b: r.body}
	in.hash()
	in.int()
	in.byte()
	return in.uint()
}
