package labels

import (
	"encoding/binary"
	"slices"

	"github.com/spoortrace/spoor/internal/field"
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
	out := field.AppendText(nil, string(t.Chain))
	if t.Tx != nil {
		out = append(append(out, 1), t.Tx[:]...)
	} else {
		out = field.AppendText(append(out, 0, byte(t.Address.Kind)), t.Address.Payload)
	}
	for _, s := range []string{t.Label, t.Source, t.Category, t.Abuse, t.Actor, t.Context, t.Pack, t.Creator} {
		out = field.AppendText(out, s)
	}
	out = binary.AppendUvarint(out, uint64(len(t.Concepts)))
	for _, c := range t.Concepts {
		out = field.AppendText(out, c)
	}
	for _, n := range []int64{int64(t.Confidence), boolInt(t.Definer), t.ValidFrom, t.ValidTo, t.LastMod} {
		out = binary.AppendVarint(out, n)
	}
	if more(t) {
		out = field.AppendText(field.AppendText(out, t.Type), t.Tenant)
	}
	return out
}

// decodeTag reads a body whose checksum held. ok is false for one that we did not write.
func decodeTag(body []byte) (t ledger.Tag, content []byte, ok bool) {
	d := field.Reader{B: body}
	kind := d.Byte()
	if kind != frameTag && kind != frameTagMore {
		return t, nil, false
	}
	t.ID, t.Recorded = d.Uint(), d.Int()
	content = d.B
	t.Chain = ledger.Chain(d.Text())
	if d.Byte() == 1 {
		t.Tx = &ledger.TxID{}
		copy(t.Tx[:], d.Raw(32))
	} else {
		t.Address = ledger.Address{Chain: t.Chain, Kind: ledger.AddressKind(d.Byte()), Payload: d.Text()}
	}
	for _, s := range []*string{&t.Label, &t.Source, &t.Category, &t.Abuse, &t.Actor, &t.Context, &t.Pack, &t.Creator} {
		*s = d.Text()
	}
	for n := d.Uint(); n > 0 && !d.Bad; n-- {
		t.Concepts = append(t.Concepts, d.Text())
	}
	t.Confidence, t.Definer = int(d.Int()), d.Int() == 1
	t.ValidFrom, t.ValidTo, t.LastMod = d.Int(), d.Int(), d.Int()
	if kind == frameTagMore {
		t.Type, t.Tenant = d.Text(), d.Text()
		d.Bad = d.Bad || !more(t)
	}
	return t, content, d.Whole()
}

// encodeActor makes the body of an actor: texts, lists and a time.
func encodeActor(a Actor) []byte {
	out := []byte{frameActor}
	for _, s := range []string{a.ID, a.Label, a.URI, a.Context, a.Pack} {
		out = field.AppendText(out, s)
	}
	for _, list := range [][]string{a.Categories, a.Jurisdictions, a.Aliases} {
		out = binary.AppendUvarint(out, uint64(len(list)))
		for _, s := range list {
			out = field.AppendText(out, s)
		}
	}
	return binary.AppendVarint(out, a.LastMod)
}

func decodeActor(body []byte) (a Actor, ok bool) {
	d := field.Reader{B: body}
	if d.Byte() != frameActor {
		return a, false
	}
	for _, s := range []*string{&a.ID, &a.Label, &a.URI, &a.Context, &a.Pack} {
		*s = d.Text()
	}
	for _, list := range []*[]string{&a.Categories, &a.Jurisdictions, &a.Aliases} {
		for n := d.Uint(); n > 0 && !d.Bad; n-- {
			*list = append(*list, d.Text())
		}
	}
	a.LastMod = d.Int()
	return a, d.Whole()
}

// encodeEnd makes the body that says until when a tag is valid.
func encodeEnd(id uint64, at int64) []byte {
	return binary.AppendVarint(binary.AppendUvarint([]byte{frameEnd}, id), at)
}

func decodeEnd(body []byte) (e ending, ok bool) {
	d := field.Reader{B: body}
	ok = d.Byte() == frameEnd
	e.id, e.at = d.Uint(), d.Int()
	return e, ok && d.Whole()
}

// encodeCommit makes the body that ends a batch.
func encodeCommit(i Import, previous [32]byte) []byte {
	out := append([]byte{frameCommit}, previous[:]...)
	out = binary.AppendUvarint(out, i.Sequence)
	out = append(out, byte(i.Kind))
	out = field.AppendText(out, i.Name)
	out = append(out, i.SHA256[:]...)
	out = binary.AppendVarint(out, i.Recorded)
	for _, n := range []uint64{i.FirstID, i.Retracts, uint64(i.Tags), uint64(i.Repeated), uint64(i.Refused), uint64(len(i.Refusals))} {
		out = binary.AppendUvarint(out, n)
	}
	for _, s := range i.Refusals {
		out = field.AppendText(out, s)
	}
	var names []string
	for name := range i.Skipped {
		names = append(names, name)
	}
	slices.Sort(names)
	out = binary.AppendUvarint(out, uint64(len(names)))
	for _, name := range names {
		out = binary.AppendUvarint(field.AppendText(out, name), uint64(i.Skipped[name]))
	}
	if i.Format != "" || i.Creator != "" || i.MaxAge != 0 || i.Actors != 0 || i.List != "" {
		out = field.AppendText(field.AppendText(out, i.Format), i.Creator)
		out = binary.AppendUvarint(binary.AppendVarint(out, i.MaxAge), uint64(i.Actors))
	}
	if i.List != "" {
		out = binary.AppendUvarint(binary.AppendVarint(field.AppendText(out, i.List), i.Published), uint64(i.Ended))
	}
	return out
}

func decodeCommit(body []byte) (i Import, previous [32]byte, ok bool) {
	d := field.Reader{B: body}
	if d.Byte() != frameCommit {
		return i, previous, false
	}
	copy(previous[:], d.Raw(32))
	i.Sequence, i.Kind, i.Name = d.Uint(), Kind(d.Byte()), d.Text()
	copy(i.SHA256[:], d.Raw(32))
	i.Recorded, i.FirstID, i.Retracts = d.Int(), d.Uint(), d.Uint()
	i.Tags, i.Repeated, i.Refused = int(d.Uint()), int(d.Uint()), int(d.Uint())
	for n := d.Uint(); n > 0 && !d.Bad; n-- {
		i.Refusals = append(i.Refusals, d.Text())
	}
	for n := d.Uint(); n > 0 && !d.Bad; n-- {
		if i.Skipped == nil {
			i.Skipped = map[string]int{}
		}
		name := d.Text()
		i.Skipped[name] = int(d.Uint())
	}
	if len(d.B) > 0 { // commits of the first logs end here
		i.Format, i.Creator, i.MaxAge, i.Actors = d.Text(), d.Text(), d.Int(), int(d.Uint())
	}
	if len(d.B) > 0 { // and those of a batch that is of no list here
		i.List, i.Published, i.Ended = d.Text(), d.Int(), int(d.Uint())
		if i.List == "" {
			return i, previous, false // no log says that
		}
	}
	return i, previous, d.Whole()
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
