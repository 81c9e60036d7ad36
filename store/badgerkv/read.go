package badgerkv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// View reads the state as of now; it holds Close up until it is closed.
func (k *kv) View() (store.Reader, func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return view{}, func() {}
	}
	k.views.Add(1)
	txn := k.db.NewTransaction(false)
	return view{txn}, sync.OnceFunc(func() {
		txn.Discard()
		k.views.Done()
	})
}

// view is a read transaction; without one the store is closed. Tables are mapped:
// a disk that cannot read a page raises a fault, which every method turns into
// an error.
type view struct{ txn *badger.Txn }

// Get returns a copy of the value.
func (v view) Get(partition, sort []byte) (value []byte, err error) {
	if v.txn == nil {
		return nil, errClosed
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer guard(&err)
	item, err := v.txn.Get(rowKey(partition, sort))
	if err == nil {
		value, err = item.ValueCopy(nil)
	}
	if err != nil {
		return nil, readError(err)
	}
	if value == nil {
		value = []byte{}
	}
	return value, nil
}

func readError(err error) error {
	switch {
	case errors.Is(err, badger.ErrKeyNotFound):
		return store.ErrAbsent
	case errors.Is(err, badger.ErrDiscardedTxn), errors.Is(err, badger.ErrDBClosed):
		return fmt.Errorf("badgerkv: %w", err)
	}
	return fmt.Errorf("badgerkv: %w: %w", err, ledger.ErrCorrupt)
}

// Scan iterates over the mapped tables; values are not copied.
func (v view) Scan(partition, from, to []byte, reverse bool) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		if v.txn == nil {
			yield(store.Row{}, errClosed)
			return
		}
		c := newCursor(v.txn, partition, from, to, reverse)
		defer c.close()
		for {
			row, ok, err := c.next()
			if err != nil {
				yield(store.Row{}, err)
				return
			}
			if !ok || !yield(row, nil) {
				return
			}
		}
	}
}

// All implements store.Whole. Badger's own order is that of a Loader.
func (v view) All() iter.Seq2[store.Op, error] {
	return func(yield func(store.Op, error) bool) {
		if v.txn == nil {
			yield(store.Op{}, errClosed)
			return
		}
		c := &cursor{txn: v.txn, first: []byte{ownRows + 1}}
		defer c.close()
		for {
			row, ok, err := c.next()
			if !ok && err == nil {
				return
			}
			var op store.Op
			if err == nil {
				op, err = rowOf(row)
			}
			if !yield(op, err) || err != nil {
				return
			}
		}
	}
}

// rowOf takes the key of a row apart.
func rowOf(row store.Row) (store.Op, error) {
	size, n := binary.Uvarint(row.Sort)
	end := uint64(n) + size - 1
	if n <= 0 || size == 0 || uint64(len(row.Sort)) <= end || row.Sort[end] != separator {
		return store.Op{}, corrupt("key %x is no row's", row.Sort)
	}
	return store.Op{Partition: row.Sort[n:end], Sort: row.Sort[end+1:], Value: row.Value}, nil
}

// cursor walks one span of rows.
type cursor struct {
	txn     *badger.Txn
	it      *badger.Iterator
	prefix  []byte
	first   []byte // where to seek
	stop    []byte // the first key that is not wanted any more; nil: the partition's end
	skip    []byte // a key that the seek may hit and that is outside
	reverse bool
}

func newCursor(txn *badger.Txn, partition, from, to []byte, reverse bool) *cursor {
	c := &cursor{txn: txn, reverse: reverse, prefix: rowKey(partition, nil)}
	if !reverse {
		c.first = rowKey(partition, from)
		if to != nil {
			c.stop = rowKey(partition, to)
		}
		return c
	}
	c.first = endPartition(nil, partition, above)
	if to != nil {
		c.first = rowKey(partition, to)
		c.skip = c.first
	}
	if from != nil {
		c.stop = rowKey(partition, from)
	}
	return c
}

// next returns the following row; ok is false after the last one. Only what
// Badger does is guarded: a panic of the consumer is not Badger's.
func (c *cursor) next() (row store.Row, ok bool, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer guard(&err)
	c.step()
	if !c.it.Valid() {
		return row, false, nil
	}
	item := c.it.Item()
	if c.past(item.Key()) {
		return row, false, nil
	}
	// Inline values are slices of the table or block, valid until the next step.
	err = item.Value(func(v []byte) error {
		row = store.Row{Sort: item.Key()[len(c.prefix):], Value: v}
		return nil
	})
	if err != nil {
		return row, false, readError(err)
	}
	return row, true, nil
}

func (c *cursor) step() {
	if c.it != nil {
		c.it.Next()
		return
	}
	o := badger.DefaultIteratorOptions
	o.PrefetchValues, o.Prefix, o.Reverse = false, c.prefix, c.reverse
	c.it = c.txn.NewIterator(o)
	c.it.Seek(c.first)
	if c.skip != nil && c.it.Valid() && string(c.it.Item().Key()) == string(c.skip) {
		c.it.Next()
	}
}

func (c *cursor) past(key []byte) bool {
	switch {
	case c.stop == nil:
		return false
	case c.reverse:
		return string(key) < string(c.stop)
	}
	return string(key) >= string(c.stop)
}

func (c *cursor) close() {
	if c.it != nil {
		c.it.Close()
	}
}
