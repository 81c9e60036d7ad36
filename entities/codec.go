package entities

import (
	"encoding/binary"

	"github.com/spoortrace/spoor/internal/field"
	"github.com/spoortrace/spoor/ledger"
)

// node is one address of a forest.
type node struct {
	address ledger.Address
	entered uint64 // height of the block that brought it into the forest
	first   uint64 // height of its first event
	parent  string // key; empty: nothing joined it yet
	height  uint64 // at which it was linked
	link    uint64 // number of the link, in the order of the chain
	join    ledger.Join
}

// sums are what a root knows of its cluster.
type sums struct {
	size        uint64
	name        string // key of the first-seen member
	nameFirst   uint64 // height at which it was first seen
	in, out     ledger.Amount
	events      uint64
	first, last ledger.Position
}

// head is how far a store is.
type head struct {
	height uint64
	digest ledger.Hash
	links  uint64
}

// format counts the forms of rows and the rules of joins: clusters of another one
// are built anew.
const format = 2

func (h head) encode() []byte {
	b := []byte{format}
	b = binary.AppendUvarint(b, h.height)
	b = append(b, h.digest[:]...)
	return binary.AppendUvarint(b, h.links)
}

func decodeHead(b []byte) (h head, ok bool) {
	d := decoder{field.Reader{B: b}}
	ok = d.Byte() == format
	h.height = d.Uint()
	copy(h.digest[:], d.Raw(32))
	h.links = d.Uint()
	return h, ok && d.Whole()
}

func appendAddress(b []byte, a ledger.Address) []byte {
	return field.AppendText(append(b, byte(a.Kind)), a.Payload)
}

func (n *node) encode() []byte {
	b := appendAddress(nil, n.address)
	b = binary.AppendUvarint(binary.AppendUvarint(b, n.entered), n.first)
	b = field.AppendText(b, n.parent)
	if n.parent == "" {
		return b
	}
	b = binary.AppendUvarint(b, n.height)
	b = binary.AppendUvarint(b, n.link)
	b = appendAddress(appendAddress(b, n.join.A), n.join.B)
	b = append(b, byte(n.join.Tier))
	b = field.AppendText(field.AppendText(b, n.join.Heuristic), n.join.Detail)
	b = append(b, n.join.Tx[:]...)
	return binary.AppendUvarint(b, uint64(n.join.Pos))
}

func decodeNode(c ledger.Chain, b []byte) (n node, ok bool) {
	d := decoder{field.Reader{B: b}}
	n.address = d.address(c)
	n.entered, n.first = d.Uint(), d.Uint()
	if n.parent = d.Text(); n.parent == "" {
		return n, d.Whole()
	}
	n.height, n.link = d.Uint(), d.Uint()
	n.join.A, n.join.B = d.address(c), d.address(c)
	n.join.Tier = ledger.Tier(d.Byte())
	n.join.Heuristic, n.join.Detail = d.Text(), d.Text()
	copy(n.join.Tx[:], d.Raw(32))
	n.join.Pos = ledger.Position(d.Uint())
	return n, d.Whole() && n.join.Tier <= ledger.TierBehavior
}

func (s *sums) encode() []byte {
	b := binary.AppendUvarint(nil, s.size)
	b = field.AppendText(b, s.name)
	b = binary.AppendUvarint(b, s.nameFirst)
	b = field.AppendText(field.AppendText(b, string(s.in.Bytes())), string(s.out.Bytes()))
	b = binary.AppendUvarint(b, s.events)
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(s.first)), uint64(s.last))
}

func decodeSums(b []byte) (s sums, ok bool) {
	d := decoder{field.Reader{B: b}}
	s.size, s.name, s.nameFirst = d.Uint(), d.Text(), d.Uint()
	s.in, s.out = d.amount(), d.amount()
	s.events, s.first, s.last = d.Uint(), ledger.Position(d.Uint()), ledger.Position(d.Uint())
	return s, d.Whole()
}

// decoder reads the fields of a row.
type decoder struct{ field.Reader }

func (d *decoder) amount() ledger.Amount {
	a, err := ledger.AmountFromBytes([]byte(d.Text()))
	d.Bad = d.Bad || err != nil
	return a
}

func (d *decoder) address(c ledger.Chain) ledger.Address {
	kind := ledger.AddressKind(d.Byte())
	return ledger.Address{Chain: c, Kind: kind, Payload: d.Text()}
}
