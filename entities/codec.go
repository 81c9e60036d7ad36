package entities

import (
	"encoding/binary"

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
	d := decoder{b: b}
	ok = d.byte() == format
	h.height = d.uint()
	copy(h.digest[:], d.raw(32))
	h.links = d.uint()
	return h, ok && d.whole()
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendAddress(b []byte, a ledger.Address) []byte {
	return appendText(append(b, byte(a.Kind)), a.Payload)
}

func (n *node) encode() []byte {
	b := appendAddress(nil, n.address)
	b = binary.AppendUvarint(binary.AppendUvarint(b, n.entered), n.first)
	b = appendText(b, n.parent)
	if n.parent == "" {
		return b
	}
	b = binary.AppendUvarint(b, n.height)
	b = binary.AppendUvarint(b, n.link)
	b = appendAddress(appendAddress(b, n.join.A), n.join.B)
	b = append(b, byte(n.join.Tier))
	b = appendText(appendText(b, n.join.Heuristic), n.join.Detail)
	b = append(b, n.join.Tx[:]...)
	return binary.AppendUvarint(b, uint64(n.join.Pos))
}

func decodeNode(c ledger.Chain, b []byte) (n node, ok bool) {
	d := decoder{b: b}
	n.address = d.address(c)
	n.entered, n.first = d.uint(), d.uint()
	if n.parent = d.text(); n.parent == "" {
		return n, d.whole()
	}
	n.height, n.link = d.uint(), d.uint()
	n.join.A, n.join.B = d.address(c), d.address(c)
	n.join.Tier = ledger.Tier(d.byte())
	n.join.Heuristic, n.join.Detail = d.text(), d.text()
	copy(n.join.Tx[:], d.raw(32))
	n.join.Pos = ledger.Position(d.uint())
	return n, d.whole() && n.join.Tier <= ledger.TierBehavior
}

func (s *sums) encode() []byte {
	b := binary.AppendUvarint(nil, s.size)
	b = appendText(b, s.name)
	b = binary.AppendUvarint(b, s.nameFirst)
	b = appendText(appendText(b, string(s.in.Bytes())), string(s.out.Bytes()))
	b = binary.AppendUvarint(b, s.events)
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(s.first)), uint64(s.last))
}

func decodeSums(b []byte) (s sums, ok bool) {
	d := decoder{b: b}
	s.size, s.name, s.nameFirst = d.uint(), d.text(), d.uint()
	s.in, s.out = d.amount(), d.amount()
	s.events, s.first, s.last = d.uint(), ledger.Position(d.uint()), ledger.Position(d.uint())
	return s, d.whole()
}

// decoder reads fields; after the first error everything reads as zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) whole() bool { return !d.bad && len(d.b) == 0 }

func (d *decoder) raw(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if v := d.raw(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) text() string { return string(d.raw(d.uint())) }

func (d *decoder) amount() ledger.Amount {
	a, err := ledger.AmountFromBytes([]byte(d.text()))
	d.bad = d.bad || err != nil
	return a
}

func (d *decoder) address(c ledger.Chain) ledger.Address {
	kind := ledger.AddressKind(d.byte())
	return ledger.Address{Chain: c, Kind: kind, Payload: d.text()}
}
