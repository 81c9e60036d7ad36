package labels

import (
	"encoding/binary"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// A tag's body: type, id, recorded, then the content, on which repetition is
// judged: chain, 1 and the transaction hash or 0, kind and payload of the
// address, texts, concepts, numbers. A tag that has a type or a tenant is of
// frame type frameTagMore, and its content ends with those two texts. A text is
// its length and its bytes; numbers are varints.

func encodeTag(t ledger.Tag) []byte {
	kind := byte(frameTag)
	if more(t) {
		kind = frameTagMore
	}
	out := binary.AppendUvarint([]byte{kind}, t.ID)
	out = binary.AppendVarint(out, t.Recorded)
	return append(out, encodeContent(t)...)
}

func more(t ledger.Tag) bool { return t.Type != "" || t.Tenant != "" }

func encodeContent(t ledger.Tag) []byte {
	out := appendText(nil, string(t.Chain))
	if t.Tx != nil {
		out = append(append(out, 1), t.Tx[:]...)
	} else {
		out = appendText(append(out, 0, byte(t.Address.Kind)), t.Address.Payload)
	}
	for _, s := range []string{t.Label, t.Source, t.Category, t.Abuse, t.Actor, t.Context, t.Pack, t.Creator} {
		out = appendText(out, s)
	}
	out = binary.AppendUvarint(out, uint64(len(t.Concepts)))
	for _, c := range t.Concepts {
		out = appendText(out, c)
	}
	for _, n := range []int64{int64(t.Confidence), boolInt(t.Definer), t.ValidFrom, t.ValidTo, t.LastMod} {
		out = binary.AppendVarint(out, n)
	}
	if more(t) {
		out = appendText(appendText(out, t.Type), t.Tenant)
	}
	return out
}

// decodeTag reads a body whose checksum held. ok is false for one that we did not write.
func decodeTag(body []byte) (t ledger.Tag, content []byte, ok bool) {
	d := decoder{in: body}
	kind := d.byte()
	if kind != frameTag && kind != frameTagMore {
		return t, nil, false
	}
	t.ID, t.Recorded = d.uint(), d.int()
	content = d.in
	t.Chain = ledger.Chain(d.text())
	if d.byte() == 1 {
		t.Tx = &ledger.TxID{}
		copy(t.Tx[:], d.bytes(32))
	} else {
		t.Address = ledger.Address{Chain: t.Chain, Kind: ledger.AddressKind(d.byte()), Payload: d.text()}
	}
	for _, s := range []*string{&t.Label, &t.Source, &t.Category, &t.Abuse, &t.Actor, &t.Context, &t.Pack, &t.Creator} {
		*s = d.text()
	}
	for n := d.uint(); n > 0 && !d.bad; n-- {
		t.Concepts = append(t.Concepts, d.text())
	}
	t.Confidence, t.Definer = int(d.int()), d.int() == 1
	t.ValidFrom, t.ValidTo, t.LastMod = d.int(), d.int(), d.int()
	if kind == frameTagMore {
		t.Type, t.Tenant = d.text(), d.text()
		d.bad = d.bad || !more(t)
	}
	return t, content, !d.bad && len(d.in) == 0
}

// encodeActor makes the body of an actor: texts, lists and a time.
func encodeActor(a Actor) []byte {
	out := []byte{frameActor}
	for _, s := range []string{a.ID, a.Label, a.URI, a.Context, a.Pack} {
		out = appendText(out, s)
	}
	for _, list := range [][]string{a.Categories, a.Jurisdictions, a.Aliases} {
		out = binary.AppendUvarint(out, uint64(len(list)))
		for _, s := range list {
			out = appendText(out, s)
		}
	}
	return binary.AppendVarint(out, a.LastMod)
}

func decodeActor(body []byte) (a Actor, ok bool) {
	d := decoder{in: body}
	if d.byte() != frameActor {
		return a, false
	}
	for _, s := range []*string{&a.ID, &a.Label, &a.URI, &a.Context, &a.Pack} {
		*s = d.text()
	}
	for _, list := range []*[]string{&a.Categories, &a.Jurisdictions, &a.Aliases} {
		for n := d.uint(); n > 0 && !d.bad; n-- {
			*list = append(*list, d.text())
		}
	}
	a.LastMod = d.int()
	return a, !d.bad && len(d.in) == 0
}

// encodeEnd makes the body that says until when a tag is valid.
func encodeEnd(id uint64, at int64) []byte {
	return binary.AppendVarint(binary.AppendUvarint([]byte{frameEnd}, id), at)
}

func decodeEnd(body []byte) (e ending, ok bool) {
	d := decoder{in: body}
	ok = d.byte() == frameEnd
	e.id, e.at = d.uint(), d.int()
	return e, ok && !d.bad && len(d.in) == 0
}

// encodeCommit makes the body that ends a batch.
func encodeCommit(i Import, previous [32]byte) []byte {
	out := append([]byte{frameCommit}, previous[:]...)
	out = binary.AppendUvarint(out, i.Sequence)
	out = append(out, byte(i.Kind))
	out = appendText(out, i.Name)
	out = append(out, i.SHA256[:]...)
	out = binary.AppendVarint(out, i.Recorded)
	for _, n := range []uint64{i.FirstID, i.Retracts, uint64(i.Tags), uint64(i.Repeated), uint64(i.Refused), uint64(len(i.Refusals))} {
		out = binary.AppendUvarint(out, n)
	}
	for _, s := range i.Refusals {
		out = appendText(out, s)
	}
	var names []string
	for name := range i.Skipped {
		names = append(names, name)
	}
	slices.Sort(names)
	out = binary.AppendUvarint(out, uint64(len(names)))
	for _, name := range names {
		out = binary.AppendUvarint(appendText(out, name), uint64(i.Skipped[name]))
	}
	if i.Format != "" || i.Creator != "" || i.MaxAge != 0 || i.Actors != 0 || i.List != "" {
		out = appendText(appendText(out, i.Format), i.Creator)
		out = binary.AppendUvarint(binary.AppendVarint(out, i.MaxAge), uint64(i.Actors))
	}
	if i.List != "" {
		out = binary.AppendUvarint(binary.AppendVarint(appendText(out, i.List), i.Published), uint64(i.Ended))
	}
	return out
}

func decodeCommit(body []byte) (i Import, previous [32]byte, ok bool) {
	d := decoder{in: body}
	if d.byte() != frameCommit {
		return i, previous, false
	}
	copy(previous[:], d.bytes(32))
	i.Sequence, i.Kind, i.Name = d.uint(), Kind(d.byte()), d.text()
	copy(i.SHA256[:], d.bytes(32))
	i.Recorded, i.FirstID, i.Retracts = d.int(), d.uint(), d.uint()
	i.Tags, i.Repeated, i.Refused = int(d.uint()), int(d.uint()), int(d.uint())
	for n := d.uint(); n > 0 && !d.bad; n-- {
		i.Refusals = append(i.Refusals, d.text())
	}
	for n := d.uint(); n > 0 && !d.bad; n-- {
		if i.Skipped == nil {
			i.Skipped = map[string]int{}
		}
		name := d.text()
		i.Skipped[name] = int(d.uint())
	}
	if len(d.in) > 0 { // commits of the first logs end here
		i.Format, i.Creator, i.MaxAge, i.Actors = d.text(), d.text(), d.int(), int(d.uint())
	}
	if len(d.in) > 0 { // and those of a batch that is of no list here
		i.List, i.Published, i.Ended = d.text(), d.int(), int(d.uint())
	}
	return i, previous, !d.bad && len(d.in) == 0
}

func appendText(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// decoder reads from the front; bad stays set after the first thing that is not there.
type decoder struct {
	in  []byte
	bad bool
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.in)) {
		d.bad, d.in = true, nil
		return nil
	}
	out := d.in[:n]
	d.in = d.in[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) text() string { return string(d.bytes(d.uint())) }

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.in)
	d.skip(n)
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.in)
	d.skip(n)
	return v
}

func (d *decoder) skip(n int) {
	if n <= 0 {
		d.bad, d.in = true, nil
		return
	}
	d.in = d.in[n:]
}
