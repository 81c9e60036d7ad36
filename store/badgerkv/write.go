package badgerkv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// Write hands the ops to Badger in chunks. ledger.ErrExhausted when the disk is
// nearly full: what came before the chunk that found out is written.
func (k *kv) Write(ctx context.Context, ops []store.Op) error {
	k.writer.Lock()
	defer k.writer.Unlock()
	if k.isClosed() {
		return errClosed
	}
	for len(ops) > 0 {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("badgerkv: write: %w", err)
		}
		if err := checkSpace(k.dir, k.reserve+k.merging()); err != nil {
			return err
		}
		n, size := 0, int64(0)
		for n < len(ops) && size < k.chunk {
			size += int64(len(ops[n].Partition) + len(ops[n].Sort) + len(ops[n].Value))
			n++
		}
		if err := k.write(ops[:n]); err != nil {
			return fmt.Errorf("badgerkv: write: %w", err)
		}
		ops = ops[n:]
	}
	return nil
}

// merging is the space that a compaction may take before it frees any: that of
// the tables which it merges, at most those of level 0 and of the first level
// below that has any. What goes further down moves less; the reserve covers it.
func (k *kv) merging() uint64 {
	var sizes []int64
	for _, l := range k.db.Levels() {
		sizes = append(sizes, l.Size)
	}
	return mergingOf(sizes)
}

func mergingOf(sizes []int64) uint64 {
	total := sizes[0]
	for _, size := range sizes[1:] {
		if size > 0 {
			total += size
			break
		}
	}
	return uint64(total)
}

func (k *kv) write(ops []store.Op) (err error) {
	defer guard(&err)
	b := k.db.NewWriteBatch()
	defer b.Cancel()
	for _, op := range ops {
		key := rowKey(op.Partition, op.Sort)
		if op.Delete {
			err = b.Delete(key)
		} else {
			err = b.Set(key, op.Value)
		}
		if err != nil {
			return err
		}
	}
	return b.Flush()
}

// Publish makes everything before durable, then the pointer: a crash in between
// leaves the old pointer and rows above it that nobody reads. The pointer never
// becomes durable before what it publishes.
func (k *kv) Publish(ctx context.Context, partition, sort, old, next []byte, epoch uint64) error {
	k.writer.Lock()
	defer k.writer.Unlock()
	if k.isClosed() {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("badgerkv: publish: %w", err)
	}
	if err := checkSpace(k.dir, k.reserve/2+k.merging()); err != nil {
		return err
	}
	if err := k.publish(rowKey(partition, sort), old, next, epoch); err != nil {
		return fmt.Errorf("badgerkv: publish: %w", err)
	}
	return nil
}

func (k *kv) publish(pointer, old, next []byte, epoch uint64) (err error) {
	defer guard(&err)
	if err := k.mayPublish(pointer, old, epoch); err != nil {
		return err
	}
	if err := k.sync(); err != nil {
		return err
	}
	err = k.db.Update(func(txn *badger.Txn) error {
		if err := txn.Set(epochKey(pointer), binary.BigEndian.AppendUint64(nil, epoch)); err != nil {
			return err
		}
		return txn.Set(pointer, next)
	})
	if err != nil {
		return err
	}
	if err := k.sync(); err != nil {
		return err
	}
	return k.side.update()
}

// mayPublish judges the writer before the pointer; the writer's lock keeps both
// as they are.
func (k *kv) mayPublish(pointer, old []byte, epoch uint64) error {
	return k.db.View(func(txn *badger.Txn) error {
		last, err := read(txn, epochKey(pointer))
		if err != nil {
			return err
		}
		if last != nil && len(last) != 8 {
			return fmt.Errorf("epoch of %d bytes: %w", len(last), ledger.ErrCorrupt)
		}
		if last != nil && epoch < binary.BigEndian.Uint64(last) {
			return fmt.Errorf("epoch %d after %d: %w", epoch, binary.BigEndian.Uint64(last), store.ErrEpoch)
		}
		held, err := read(txn, pointer)
		if err != nil {
			return err
		}
		if (held == nil) != (old == nil) || !bytes.Equal(held, old) {
			return store.ErrConflict
		}
		return nil
	})
}

// read returns a row's value, nil when there is none.
func read(txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, readError(err)
	}
	return item.ValueCopy([]byte{})
}

// sync makes what Badger holds durable. Its own Sync covers only the memtable
// that is being written: one that is full and waits for its flush is synced by
// its file here, and so are the names of new files.
func (k *kv) sync() error {
	if err := k.db.Sync(); err != nil {
		return err
	}
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), memExt) {
			// A file that is gone has been flushed to a table, which Badger syncs.
			if err := syncFile(filepath.Join(k.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return syncFile(k.dir)
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
