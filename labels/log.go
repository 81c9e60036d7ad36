package labels

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Log keeps tags. Two files in its folder:
//
//	labels.log   16 bytes of magic and version, then frames. An import, an added
//	             tag and a retraction are one batch: any number of tags,
//	             actors and ends of tags, ended by a commit frame. Each commit
//	             carries the chain hash of the batch before it; a batch's chain
//	             hash is SHA-256 over that hash and every byte of the batch.
//	labels.head  one line: length, sequence number and chain hash of the last
//	             batch that was acknowledged, with a checksum; replaced by rename
//
// The log is synced first, the head then, and only then a caller hears of
// success. If we were to crash before the first, the tail is no batch and is
// cut off at open; between the two, the batch is whole and is kept. Whatever is
// damaged below the length in the head is ledger.ErrCorrupt: it was
// acknowledged once, and no guess is made.
//
// A Log is safe for use by several goroutines, and by one process: it holds a
// lock on its file. Tags stay on disk; memory holds some 40 bytes a tag.
type Log struct {
	dir  string
	file *os.File
	cut  int64

	writing sync.Mutex // held for a whole batch; the writer reads what mu guards without mu
	end     int64      // length of the committed log
	chain   [32]byte   // chain hash of the last batch
	broken  error      // a write failed and could not be undone; only reopening helps

	mu      sync.RWMutex // held by readers, and by the writer to make a batch visible
	index   index
	imports []Import
}

// Kind says what a batch did.
type Kind uint8

// The kinds of batches.
const (
	KindImport Kind = iota + 1
	KindAdd
	KindRetract
	// KindChecked says that a source was looked at again and had not changed. It
	// is written for sources that go stale only.
	KindChecked
)

// Import is one batch of the log.
type Import struct {
	Sequence uint64 // from 1, without gaps
	Kind     Kind
	Name     string   // file; label of an added tag; reason of a retraction
	SHA256   [32]byte // of the file's text; zero for the others
	Recorded int64    // Unix milliseconds
	FirstID  uint64   // tags FirstID to FirstID+Tags-1 came with it
	Retracts uint64   // id of the tag that a retraction takes back
	Format   string   // name of the file's format; empty in the first logs
	Creator  string   // who made the file, as it says
	MaxAge   int64    // milliseconds after which the source is stale; 0: never
	Actors   int      // actors that came with it
	List     string   // what the file is an edition of; empty in the first logs
	// Published is when that edition was (Unix milliseconds), if it is complete.
	Published int64
	Ended     int // tags of earlier editions that it no longer has
	Report
	// Known is set on the answer to an import of a file that the log holds
	// already: nothing was written, and this is the import that holds it.
	Known bool
	// Endings are the tags that ended, as they are from then on; only on the answer.
	Endings []ledger.Tag
}

// Source is where an import takes its tags from.
type Source struct {
	Name   string
	SHA256 [32]byte
	Tags   iter.Seq2[ledger.Tag, error]
	// Actors are read before Tags; nil: none. Those that the log holds word for
	// word are left out.
	Actors  iter.Seq2[Actor, error]
	Report  *Report // filled while Tags is read; nil when nobody counts
	Format  string
	Creator string
	// MaxAge is how long the source may be left alone before it is stale; 0: the
	// default of its content (defaultMaxAge).
	MaxAge time.Duration
	// Again reads the tags of a file that the log holds already: options that
	// differ make other tags of it.
	Again bool
	// Edition is filled by the time that the first of Tags is read; nil: of no list.
	Edition *Edition
	// Dry finds out what the import would do, and writes nothing.
	Dry bool
}

// Imports returns every batch in order.
func (l *Log) Imports() []Import {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.imports)
}

// Sequence returns the number of the last batch, 0 when there is none.
func (l *Log) Sequence() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return uint64(len(l.imports))
}

// Cut returns how many bytes of an unfinished batch Open cut off.
func (l *Log) Cut() int64 { return l.cut }

// Close releases the file. Views must not be used any more.
func (l *Log) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.file.Close()
}

// Import adds the tags of one source as one batch: all of them or, at the first
// error of the source or of the disk, none. Tags that the log holds already,
// word for word, are counted and not written, retracted ones among them: only
// Add brings those back. A file that was imported before adds nothing (Known).
func (l *Log) Import(ctx context.Context, src Source, recorded int64) (Import, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	for _, i := range l.imports {
		if src.Again || src.SHA256 == [32]byte{} {
			break
		}
		if i.Kind == KindImport && i.SHA256 == src.SHA256 {
			i.Known = true
			if err := l.current(src.Name, i.List, i.Published); err != nil || src.Dry {
				return i, err
			}
			return i, l.checked(i, src.Name, recorded)
		}
	}
	report := src.Report
	if report == nil {
		report = &Report{}
	}
	head := Import{Kind: KindImport, Name: src.Name, SHA256: src.SHA256, Recorded: recorded, Format: src.Format, Creator: src.Creator}
	fill := func(b *batch) error {
		if err := l.fillActors(b, src); err != nil {
			return err
		}
		return l.fillTags(ctx, b, src, report)
	}
	if src.Dry {
		return l.dry(head, report, fill)
	}
	return l.batch(head, report, fill)
}

// fillTags writes the tags of a source that the log does not hold, and ends
// those that it no longer has.
func (l *Log) fillTags(ctx context.Context, b *batch, src Source, report *Report) error {
	var age sanctions
	edition := src.Edition
	if edition == nil {
		edition = &Edition{}
	}
	present := map[[16]byte]bool{}
	for tag, err := range src.Tags {
		if err != nil {
			return err
		}
		if b.tags%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		age.see(tag)
		if edition.Complete {
			present[uniqueKey(tag)] = true
		}
		if err := l.fillTag(b, tag, *edition, report); err != nil {
			return err
		}
	}
	b.head.MaxAge, b.head.List = age.maxAge(src.MaxAge).Milliseconds(), edition.List
	if !edition.Complete {
		return nil
	}
	b.head.Published = edition.Published
	if b.head.Recorded+dayAhead < edition.Published {
		return ledger.Invalid(src.Name, "a date of issue that has been", time.UnixMilli(edition.Published).UTC().Format(time.DateOnly))
	}
	if err := l.current(src.Name, edition.List, edition.Published); err != nil {
		return err
	}
	err := l.succeed(b, *edition, present)
	b.head.Ended = len(b.ends)
	return err
}

// fillTag writes one tag unless the log holds it.
func (l *Log) fillTag(b *batch, tag ledger.Tag, e Edition, report *Report) error {
	known, err := l.index.holds(l.file, tag)
	if known && e.Complete {
		var ended bool
		if known, ended, err = l.index.stands(l.file, tag); ended && tag.ValidFrom == 0 {
			tag.ValidFrom = e.Published // it is on the list again
		}
	}
	if err != nil {
		return err
	}
	if known {
		report.Repeated++
		return nil
	}
	report.Tags++
	return b.tag(tag)
}

// checked notes that a source which goes stale was looked at again.
func (l *Log) checked(i Import, name string, recorded int64) error {
	if i.MaxAge == 0 {
		return nil
	}
	head := Import{Kind: KindChecked, Name: name, SHA256: i.SHA256, Recorded: recorded, Format: i.Format, MaxAge: i.MaxAge}
	_, err := l.batch(head, &Report{}, func(*batch) error { return nil })
	return err
}

// Add appends a single tag and returns it with its id. The batch of a private
// tag does not name it, since everyone sees the list of batches.
func (l *Log) Add(tag ledger.Tag, recorded int64) (ledger.Tag, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	name := tag.Label
	if tag.Tenant != "" {
		name = "private label"
	}
	done, err := l.batch(Import{Kind: KindAdd, Name: name, Recorded: recorded}, &Report{Tags: 1}, func(b *batch) error { return b.tag(tag) })
	tag.ID, tag.Recorded = done.FirstID, recorded
	return tag, err
}

// Retract takes a tag back, with a reason. The tag stays in the log and in views
// of earlier sequence numbers. ledger.ErrNotFound without such a tag,
// ledger.ErrPrecondition when it is retracted.
func (l *Log) Retract(id uint64, reason string, recorded int64) (Import, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.retractable(id); err != nil {
		return Import{}, err
	}
	return l.batch(Import{Kind: KindRetract, Name: reason, Recorded: recorded, Retracts: id}, &Report{}, func(*batch) error { return nil })
}

// Retractable returns what Retract would answer, and retracts nothing.
func (l *Log) Retractable(id uint64) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.retractable(id)
}

func (l *Log) retractable(id uint64) error {
	if id == 0 || id > l.index.count() {
		return fmt.Errorf("labels: tag %d: %w", id, ledger.ErrNotFound)
	}
	if at, ok := l.index.retracted[id]; ok {
		return fmt.Errorf("labels: tag %d was retracted at sequence %d: %w", id, at, ledger.ErrPrecondition)
	}
	return nil
}

// batch writes what fill adds and a commit frame, syncs, and then lets readers see it.
func (l *Log) batch(head Import, report *Report, fill func(*batch) error) (Import, error) {
	if l.broken != nil {
		return Import{}, l.broken
	}
	b := l.newBatch(io.NewOffsetWriter(l.file, l.end), head)
	err := fill(b)
	if err == nil {
		b.head.Report = *report
		err = b.write(encodeCommit(b.head, l.chain))
	}
	if err == nil {
		err = b.file.Flush()
	}
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		return Import{}, l.undo(head.Name, err, false)
	}
	chain := [32]byte(b.sum.Sum(nil))
	if err := writeHead(l.dir, b.head.Sequence, b.at, chain); err != nil {
		return Import{}, l.undo(head.Name, err, true)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end, l.chain = b.at, chain
	l.index.commit(b.head, b.pending, b.actors, b.ends)
	l.imports = append(l.imports, b.head)
	return b.answer(), nil
}

func (l *Log) newBatch(to io.Writer, head Import) *batch {
	head.Sequence, head.FirstID = uint64(len(l.imports))+1, l.index.count()+1
	b := &batch{file: bufio.NewWriterSize(to, 1<<16), sum: sha256.New(), at: l.end, head: head, index: &l.index}
	b.sum.Write(l.chain[:])
	return b
}

// dry does what batch does up to where anything is written.
func (l *Log) dry(head Import, report *Report, fill func(*batch) error) (Import, error) {
	b := l.newBatch(io.Discard, head)
	if err := fill(b); err != nil {
		return Import{}, fmt.Errorf("labels: %s: %w", head.Name, err)
	}
	b.head.Report = *report
	return b.answer(), nil
}

// undo cuts off what a failed batch wrote. Where writing the head failed, it may
// be the new one all the same, so the log takes no more batches unless the old
// one is back for certain.
func (l *Log) undo(name string, cause error, head bool) error {
	var err error
	if head {
		err = writeHead(l.dir, uint64(len(l.imports)), l.end, l.chain)
	}
	if err == nil {
		err = l.file.Truncate(l.end)
	}
	if err != nil {
		l.broken = fmt.Errorf("labels: a batch failed and could not be undone, open the log again: %w", err)
	}
	return fmt.Errorf("labels: %s: %w", name, cause)
}

// lock keeps a second process out.
func lock(file *os.File) error {
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("labels: %s: %w by another process", filepath.Base(file.Name()), ledger.ErrBusy)
	}
	return nil
}
