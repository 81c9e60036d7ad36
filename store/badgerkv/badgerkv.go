// Package badgerkv keeps a store in a directory with Badger v4.
//
// Badger alone promises less than store.KV asks. Its Sync leaves a memtable that
// is full and waits for its flush to the page cache; it answers "not found" when
// files that it holds are damaged, skips the rest of a damaged log in silence,
// deletes tables which a cut MANIFEST does not name, and ends the process on a
// table that is cut. So this package syncs what Badger leaves out, checks every
// file before Badger opens it (check.go), keeps a copy of the MANIFEST to compare
// with, and stops writing while the disk still has room, since Badger's mapped
// files turn a full disk into SIGBUS. What slips through is the store's to find:
// every row has a checksum and nothing rests on a row's absence.
package badgerkv

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/dgraph-io/badger/v4"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// Options size an engine. The zero value is for indexes of gigabytes.
type Options struct {
	// MemTable is the size of a write buffer in bytes, at least 1 MiB; 0: 64 MiB.
	// Up to four of them are held in memory. Below 8 MiB, values of more than an
	// eighth of it go to a value log, which nothing ever shortens.
	MemTable int64
	// Cache is the memory for blocks of tables in bytes; 0: 256 MiB.
	Cache int64
	// Reserve is the free space in bytes that writing leaves for work in the
	// background, beside what the next compaction may take; a store opens with half
	// of it. 0: 16 write buffers.
	Reserve uint64
	// VerifyUpTo is the size of all tables in bytes up to which every block is
	// checked when a store opens; above it only every index is. 0: 1 GiB.
	VerifyUpTo int64
	// Log takes Badger's own messages; nil drops them.
	Log *slog.Logger
}

// Small are the options for a store that is expected to stay below a few hundred megabytes.
func Small() Options { return Options{MemTable: 8 << 20, Cache: 16 << 20} }

// New returns the engine.
func New(o Options) store.Engine {
	if o.MemTable == 0 {
		o.MemTable = 64 << 20
	}
	o.MemTable = max(o.MemTable, 1<<20)
	if o.Cache == 0 {
		o.Cache = 256 << 20
	}
	if o.Reserve == 0 {
		o.Reserve = 16 * uint64(o.MemTable)
	}
	if o.VerifyUpTo == 0 {
		o.VerifyUpTo = 1 << 30
	}
	return func(dir string) (store.KV, error) {
		k, err := open(dir, o)
		if err != nil {
			return nil, fmt.Errorf("badgerkv: open %s: %w", dir, err)
		}
		return k, nil
	}
}

const (
	// inlineUpTo is the size from which a value goes to a value log instead of the
	// tables: the most that Badger takes. The store has no values of that size.
	inlineUpTo = 1 << 20
	// valueLogSize bounds a value log file.
	valueLogSize = 64 << 20
)

// settings are Badger's. One writer: no conflicts to detect. Tables are checked
// before Badger opens them, and its own checks of blocks turn damage into "not
// found": they stay off.
func settings(dir string, o Options) badger.Options {
	return badger.DefaultOptions(dir).
		WithMemTableSize(o.MemTable).
		WithNumMemtables(3).
		WithBlockCacheSize(o.Cache).
		WithIndexCacheSize(o.Cache / 4).
		WithValueLogFileSize(valueLogSize).
		WithValueThreshold(min(inlineUpTo, o.MemTable/8)).
		WithMaxLevels(levels).
		WithNumVersionsToKeep(1).
		WithNumCompactors(2).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithSyncWrites(false).
		WithLogger(messages(o.Log))
}

// kv is an open store.
type kv struct {
	dir     string
	o       Options
	reserve uint64
	chunk   int64 // bytes that go to Badger between two looks at the free space
	db      *badger.DB
	lock    *os.File

	writer sync.Mutex // serialises Write, Publish and Close
	side   side       // guarded by writer

	mu     sync.Mutex
	closed bool
	views  sync.WaitGroup
}

var errClosed = errors.New("badgerkv: store is closed")

func open(dir string, o Options) (_ *kv, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	k := &kv{dir: dir, o: o, reserve: o.Reserve, chunk: o.MemTable / 4, lock: lock, side: side{dir: dir}}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if err := check(dir, o); err != nil {
		return nil, err
	}
	if k.db, err = openBadger(settings(dir, o)); err != nil {
		return nil, err
	}
	if err := k.side.update(); err != nil {
		return nil, errors.Join(err, k.db.Close())
	}
	return k, nil
}

func openBadger(o badger.Options) (db *badger.DB, err error) {
	defer guard(&err)
	db, err = badger.Open(o)
	if err == nil {
		return db, nil
	}
	text := err.Error()
	if strings.Contains(text, "Cannot acquire directory lock") {
		return nil, fmt.Errorf("%w by another program that uses Badger", ledger.ErrBusy)
	}
	// Badger flattens errors to text, so a refusal of the system is known by its words.
	for _, e := range []syscall.Errno{syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENOSPC, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if strings.Contains(text, e.Error()) {
			return nil, fmt.Errorf("%s: %w", text, e)
		}
	}
	return nil, fmt.Errorf("%s: %w", text, ledger.ErrCorrupt)
}

// guard turns a panic of Badger, which is how it meets most damage, into an error.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("badgerkv: badger panics: %v: %w", r, ledger.ErrCorrupt)
	}
}

// Close flushes and releases the store. It waits for the views that are open,
// since a view of a closed Badger reads memory that is gone.
func (k *kv) Close() error {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return errClosed
	}
	k.closed = true
	k.mu.Unlock()
	k.views.Wait()

	k.writer.Lock()
	defer k.writer.Unlock()
	err := k.db.Close()
	if err == nil {
		err = k.side.update()
	}
	if err = errors.Join(err, k.lock.Close()); err != nil {
		return fmt.Errorf("badgerkv: close: %w", err)
	}
	return nil
}

func (k *kv) isClosed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.closed
}
