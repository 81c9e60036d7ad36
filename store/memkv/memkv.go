// Package memkv keeps a store in memory: for tests, and for runs whose index
// nobody needs afterwards. Nothing survives the process. Within it an engine
// remembers its directories, and closing one forgets what was not published, as
// a power cut would.
package memkv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// New returns an engine with no stores. A store is known by its directory,
// which is made when it is missing: removing the directory removes the store.
func New() store.Engine {
	e := &engine{stores: map[string]*kv{}}
	return e.open
}

type engine struct {
	mu     sync.Mutex
	stores map[string]*kv
}

func (e *engine) open(dir string) (store.KV, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("memkv: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		delete(e.stores, dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("memkv: %w", err)
	}
	k := e.stores[dir]
	if k == nil {
		k = &kv{seed: maphash.MakeSeed(), epochs: map[string]uint64{}}
		e.stores[dir] = k
	}
	return k, k.open(dir)
}

var errClosed = errors.New("memkv: store is closed")

// kv is one store. The mutex guards every field; trees that a view holds are
// never changed.
type kv struct {
	seed maphash.Seed

	mu         sync.Mutex
	isOpen     bool
	root       *node
	published  *node
	generation uint64
	epochs     map[string]uint64 // of each pointer
}

func (k *kv) open(dir string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.isOpen {
		return fmt.Errorf("memkv: %s: %w", dir, ledger.ErrBusy)
	}
	k.isOpen = true
	return nil
}

// View returns the rows as they are, for as long as the reader is kept.
func (k *kv) View() (store.Reader, func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.isOpen {
		return view{err: errClosed}, func() {}
	}
	k.generation++
	return view{root: k.root}, func() {}
}

// Write applies the ops at once.
func (k *kv) Write(ctx context.Context, ops []store.Op) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memkv: write: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.isOpen {
		return errClosed
	}
	for _, op := range ops {
		if !op.Delete {
			k.put(op.Partition, op.Sort, op.Value)
		} else if k.root.find(op.Partition, op.Sort) != nil {
			k.root = k.root.drop(op.Partition, op.Sort, k.generation)
		}
	}
	return nil
}

func (k *kv) put(partition, sort, value []byte) {
	var h maphash.Hash
	h.SetSeed(k.seed)
	// A hash takes every write.
	_, _ = h.Write(partition)
	_, _ = h.Write(sort)
	k.root = k.root.put(&node{
		partition: bytes.Clone(partition), sort: bytes.Clone(sort), value: bytes.Clone(value),
		priority: h.Sum64(), generation: k.generation,
	})
}

// Publish sets the pointer; what was written before it survives Close.
func (k *kv) Publish(ctx context.Context, partition, sort, old, next []byte, epoch uint64) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memkv: publish: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.isOpen {
		return errClosed
	}
	pointer := fmt.Sprintf("%x/%x", partition, sort)
	if epoch < k.epochs[pointer] {
		return fmt.Errorf("memkv: publish with epoch %d after %d: %w", epoch, k.epochs[pointer], store.ErrEpoch)
	}
	held := k.root.find(partition, sort)
	if (held == nil) != (old == nil) || held != nil && !bytes.Equal(held.value, old) {
		return fmt.Errorf("memkv: publish: %w", store.ErrConflict)
	}
	k.put(partition, sort, next)
	k.epochs[pointer] = epoch
	k.published = k.root
	k.generation++
	return nil
}

// Close forgets what was not published. Views stay readable.
func (k *kv) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.isOpen {
		return errClosed
	}
	k.isOpen, k.root = false, k.published
	k.generation++
	return nil
}

type view struct {
	root *node
	err  error
}

// Get returns a copy of the value.
func (v view) Get(partition, sort []byte) ([]byte, error) {
	if v.err != nil {
		return nil, v.err
	}
	n := v.root.find(partition, sort)
	if n == nil {
		return nil, store.ErrAbsent
	}
	return append([]byte{}, n.value...), nil
}

// Scan yields the rows that the view holds.
func (v view) Scan(partition, from, to []byte, reverse bool) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		if v.err != nil {
			yield(store.Row{}, v.err)
			return
		}
		if from != nil && to != nil && slices.Compare(from, to) >= 0 {
			return
		}
		v.root.walk(span{partition, from, to}, reverse, yield)
	}
}
