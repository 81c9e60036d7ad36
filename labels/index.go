package labels

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// index finds the records of a subject: for each hash the newest tag, and from
// each tag the one before it. The hash is seeded, so that nobody can make
// addresses that collide, and what it finds is compared in full.
type index struct {
	seed      maphash.Seed
	newest    map[uint64]uint32 // hash of the subject -> id
	entries   []entry           // of tag id i+1
	retracted map[uint64]uint64 // id -> sequence of its retraction
	ended     map[uint64]ending // id -> its end by a newer edition of its list
	lastID    []uint64          // of batch i+1
	actors    map[string][]actorEntry
}

type entry struct {
	key     uint64
	offset  int64
	before  uint32 // id of the tag before it with that hash; 0: none
	chain   uint16 // of the hash of its network: what differs is of another
	definer bool
}

// actorEntry is one record of an actor; a later one stands for it from its sequence on.
type actorEntry struct {
	id       string
	offset   int64
	sequence uint64
}

func newIndex() index {
	return index{seed: maphash.MakeSeed(), newest: map[uint64]uint32{}, retracted: map[uint64]uint64{}, ended: map[uint64]ending{}, actors: map[string][]actorEntry{}}
}

func (x *index) entry(t ledger.Tag, offset int64) entry {
	return entry{key: x.hash(subject(t)), offset: offset, chain: uint16(x.hash(string(t.Chain))), definer: t.Definer}
}

func (x *index) hash(subject string) uint64 { return maphash.String(x.seed, subject) }

func (x *index) count() uint64 { return uint64(len(x.entries)) }

// commit makes a batch visible.
func (x *index) commit(head Import, tags []entry, actors []actorEntry, ends []ending) {
	for _, e := range ends {
		e.sequence = head.Sequence
		x.ended[e.id] = e
	}
	for _, a := range actors {
		a.sequence = head.Sequence
		x.actors[a.id] = append(x.actors[a.id], a)
	}
	for _, e := range tags {
		e.before = x.newest[e.key]
		x.entries = append(x.entries, e)
		x.newest[e.key] = uint32(len(x.entries))
	}
	if head.Kind == KindRetract {
		x.retracted[head.Retracts] = head.Sequence
	}
	x.lastID = append(x.lastID, x.count())
}

// of calls see with every tag of a subject, newest first, until it returns false.
func (x *index) of(log io.ReaderAt, subjectOf string, see func(t ledger.Tag, content []byte) bool) error {
	for id := x.newest[x.hash(subjectOf)]; id != 0; {
		e := x.entries[id-1]
		body, err := readAt(log, e.offset)
		if err != nil {
			return err
		}
		t, content, ok := decodeTag(body)
		if !ok || t.ID != uint64(id) {
			return fmt.Errorf("labels: tag %d at byte %d: %w", id, e.offset, ledger.ErrCorrupt)
		}
		if subject(t) == subjectOf && !see(t, content) {
			return nil
		}
		id = e.before
	}
	return nil
}

// holds reports whether the log has the tag word for word.
func (x *index) holds(log io.ReaderAt, t ledger.Tag) (bool, error) {
	want, found := encodeContent(t), false
	err := x.of(log, subject(t), func(_ ledger.Tag, content []byte) bool {
		found = bytes.Equal(content, want)
		return !found
	})
	return found, err
}

// View answers as of one sequence number, whatever is imported or retracted
// later, and as one tenant sees it: everyone's labels and its own private ones.
type View struct {
	log      *Log
	sequence uint64
	tenant   string
}

// View pins a sequence number; 0 is the last one. It sees no private label.
// ledger.ErrNotFound above the last.
func (l *Log) View(sequence uint64) (*View, error) { return l.ViewOf(sequence, "") }

// ViewOf is View for a tenant, whose private labels it sees.
func (l *Log) ViewOf(sequence uint64, tenant string) (*View, error) {
	last := l.Sequence()
	if sequence == 0 {
		sequence = last
	}
	if sequence > last {
		return nil, fmt.Errorf("labels: sequence %d, the last is %d: %w", sequence, last, ledger.ErrNotFound)
	}
	return &View{l, sequence, tenant}, nil
}

// Sequence returns what an answer that rests on the view prints.
func (v *View) Sequence() uint64 { return v.sequence }

// Tags returns all attributions of an address, in log order.
// ledger.ErrCorrupt when a record no longer has its checksum.
func (v *View) Tags(_ context.Context, a ledger.Address) ([]ledger.Tag, error) {
	return v.tags(addressSubject(a))
}

// TxTags returns all attributions of a transaction, in log order.
func (v *View) TxTags(_ context.Context, c ledger.Chain, id ledger.TxID) ([]ledger.Tag, error) {
	return v.tags(subject(ledger.Tag{Chain: c, Tx: &id}))
}

func (v *View) tags(subjectOf string) ([]ledger.Tag, error) {
	v.log.mu.RLock()
	defer v.log.mu.RUnlock()
	x := &v.log.index
	if v.sequence == 0 {
		return nil, nil
	}
	last := x.lastID[v.sequence-1]
	var tags []ledger.Tag
	err := x.of(v.log.file, subjectOf, func(t ledger.Tag, _ []byte) bool {
		if t.ID <= last && v.sees(t) {
			x.until(&t, v.sequence)
			tags = append(tags, t)
		}
		return true
	})
	slices.Reverse(tags)
	return tags, err
}
