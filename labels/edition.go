package labels

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Edition says of which list a source is an edition. A complete one has every
// entry of the list as it stood when it was published, so that what an earlier
// edition had and it has not is over: those tags are valid until then. They stay
// in the log, and in views of earlier sequence numbers they are as they were.
//
// Of two editions the one that was published later is the newer, whatever the
// order in which they come; an older one than the log has is
// ledger.ErrPrecondition. A list that says nothing of its date counts as
// published when it is imported.
type Edition struct {
	List      string
	Published int64 // Unix milliseconds; 0: when it is imported
	Complete  bool
}

// dayAhead is how far a clock may be behind that of who publishes a list, in
// milliseconds. An edition of a day to come would keep out all that come until then.
const dayAhead = 24 * 60 * 60 * 1000

// ending is the end of a tag that a newer edition no longer has.
type ending struct {
	id       uint64
	at       int64 // Unix milliseconds: the tag holds before it
	sequence uint64
}

// listed is the list that a file is of, where its content does not say.
func listed(name, network string) string {
	if network == "" {
		return name
	}
	return name + " of " + network
}

// published returns when the newest complete edition of a list was published; 0 without one.
func (l *Log) published(list string) int64 {
	var last int64
	for _, i := range l.imports {
		if i.Kind == KindImport && i.List == list {
			last = max(last, i.Published)
		}
	}
	return last
}

// current refuses an edition that is older than the one in the log.
func (l *Log) current(name, list string, published int64) error {
	last := l.published(list)
	if published == 0 || published >= last {
		return nil
	}
	day := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateOnly) }
	return fmt.Errorf("%s: %s of %s, and the log has that of %s: %w", name, list, day(published), day(last), ledger.ErrPrecondition)
}

// succeed ends the tags of earlier editions that the list does not have any
// more; present are the keys of those that it has.
func (l *Log) succeed(b *batch, e Edition, present map[[16]byte]bool) error {
	standing := 0
	for _, i := range l.imports {
		if i.Kind != KindImport || i.List != e.List {
			continue
		}
		for id := i.FirstID; id < i.FirstID+uint64(i.Tags); id++ {
			if _, over := l.index.ended[id]; over || l.index.retracted[id] != 0 {
				continue
			}
			t, err := l.index.tag(l.file, id)
			if err != nil {
				return err
			}
			if t.ValidTo != 0 && t.ValidTo <= e.Published {
				continue // it was over by itself
			}
			if standing++; present[uniqueKey(t)] {
				continue
			}
			t.ValidTo = e.Published
			if err := b.end(t); err != nil {
				return err
			}
		}
	}
	if standing > 0 && standing == len(b.ends) {
		return ledger.Invalid(b.head.Name, "an edition of "+e.List+" that has at least one of its labels", fmt.Sprintf("none of %d", standing))
	}
	return nil
}

// stands reports whether the log has a tag of a complete edition, and whether it
// had it up to an edition that had it no more. Then it begins anew.
func (x *index) stands(log io.ReaderAt, t ledger.Tag) (holds, ended bool, err error) {
	want, again := encodeContent(t), false
	err = x.of(log, subject(t), func(have ledger.Tag, content []byte) bool {
		_, over := x.ended[have.ID]
		switch {
		case bytes.Equal(content, want):
			holds, ended = holds || !over, ended || over
		case !over && t.ValidFrom == 0:
			have.ValidFrom = 0
			again = again || bytes.Equal(encodeContent(have), want)
		}
		return !holds
	})
	return holds || (ended && again), ended, err
}

// until sets the end of a tag's validity, as it is known at a sequence.
func (x *index) until(t *ledger.Tag, sequence uint64) {
	if e, ok := x.ended[t.ID]; ok && e.sequence <= sequence {
		t.ValidTo = e.at
	}
}

// tag reads one tag by its id.
func (x *index) tag(log io.ReaderAt, id uint64) (ledger.Tag, error) {
	body, err := readAt(log, x.entries[id-1].offset)
	if err != nil {
		return ledger.Tag{}, err
	}
	t, _, ok := decodeTag(body)
	if !ok || t.ID != id {
		return ledger.Tag{}, fmt.Errorf("labels: tag %d: %w", id, ledger.ErrCorrupt)
	}
	return t, nil
}
