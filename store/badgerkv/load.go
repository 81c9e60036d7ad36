package badgerkv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/ristretto/v2/z"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

const (
	loadBuffer  = 4 << 20 // bytes of rows that go to Badger at once
	loadVersion = 1       // of every row
	// loadTable makes tables of the last level 32 times as large, for each of which
	// Badger sets twice that memory aside, a table a stream.
	loadTable = 512 << 10
)

// Load implements store.Loader by Badger's StreamWriter: sorted rows become
// tables of the last level, which nothing merges again.
func (k *kv) Load(ctx context.Context, write func(to store.Streams) error) error {
	k.writer.Lock()
	defer k.writer.Unlock()
	if k.isClosed() {
		return errClosed
	}
	if err := k.load(ctx, write); err != nil {
		return fmt.Errorf("badgerkv: load: %w", err)
	}
	return nil
}

func (k *kv) load(ctx context.Context, write func(to store.Streams) error) (err error) {
	defer guard(&err)
	if err := k.mustBeEmpty(); err != nil {
		return err
	}
	if err := k.reopen(settings(k.dir, k.o).WithBaseTableSize(loadTable)); err != nil {
		return err
	}
	l := &loading{kv: k, ctx: ctx, to: k.db.NewStreamWriter(), last: map[uint32][]byte{}, buf: z.NewBuffer(2*loadBuffer, "load")}
	defer func() { err = errors.Join(err, l.buf.Release()) }()
	if err := l.to.Prepare(); err != nil {
		l.to.Cancel()
		return err
	}
	if err = write(l); err == nil {
		err = l.flush()
	}
	if err != nil {
		l.to.Cancel()
		return err
	}
	if err := l.to.Flush(); err != nil {
		return err
	}
	if err := k.reopen(settings(k.dir, k.o)); err != nil {
		return err
	}
	if err := k.syncTables(); err != nil {
		return err
	}
	return k.side.update()
}

// reopen changes Badger's settings. There is no view: whoever loads a store is
// alone with it.
func (k *kv) reopen(o badger.Options) error {
	if err := k.db.Close(); err != nil {
		return err
	}
	db, err := openBadger(o)
	if err == nil {
		k.db = db
	}
	return err
}

// mustBeEmpty refuses a store with rows: StreamWriter would delete them.
func (k *kv) mustBeEmpty() error {
	return k.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{})
		defer it.Close()
		if it.Rewind(); it.Valid() {
			return fmt.Errorf("the store has rows: %w", ledger.ErrPrecondition)
		}
		return nil
	})
}

func (k *kv) syncTables() error {
	entries, err := os.ReadDir(k.dir)
	for _, e := range entries {
		if err == nil && strings.HasSuffix(e.Name(), tableExt) {
			err = syncFile(filepath.Join(k.dir, e.Name()))
		}
	}
	return errors.Join(err, syncFile(k.dir))
}

// loading is one Load under way.
type loading struct {
	kv   *kv
	ctx  context.Context
	to   *badger.StreamWriter
	buf  *z.Buffer
	last map[uint32][]byte // key by stream
}

// Put implements store.Streams.
func (l *loading) Put(stream uint32, op store.Op) error {
	key := rowKey(op.Partition, op.Sort)
	// Badger would end the process.
	if last := l.last[stream]; last != nil && bytes.Compare(last, key) >= 0 {
		return fmt.Errorf("row %x after %x in stream %d: %w", key, last, stream, ledger.ErrPrecondition)
	}
	l.last[stream] = key
	badger.KVToBuffer(&pb.KV{Key: key, Value: op.Value, Version: loadVersion, StreamId: stream}, l.buf)
	if l.buf.LenNoPadding() < loadBuffer {
		return nil
	}
	return l.flush()
}

// End implements store.Streams: the stream's last table is written, and its
// buffer given back.
func (l *loading) End(stream uint32) error {
	if l.last[stream] == nil {
		return nil
	}
	delete(l.last, stream)
	badger.KVToBuffer(&pb.KV{StreamId: stream, StreamDone: true}, l.buf)
	return l.flush()
}

func (l *loading) flush() error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if err := checkSpace(l.kv.dir, l.kv.reserve); err != nil {
		return err
	}
	err := l.to.Write(l.buf)
	l.buf.Reset()
	return err
}
