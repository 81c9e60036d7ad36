package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/spoortrace/spoor/ledger"
)

// index is one open generation of a network: an engine, its anchor, journal and
// raw segments. One goroutine at a time writes; state is what readers see.
type index struct {
	dir     string
	chain   ledger.Chain
	kv      KV
	anchor  *anchor
	journal journal
	raw     rawWriter
	minFree uint64
	unsure  bool // a write broke off: look at the engine again before the next

	// half is held while rows of a batch of the base are written that its head does
	// not publish yet: a copy taken then could never be written to again.
	half sync.Mutex

	memo     *memo // of readers; guarded by mu
	leftover []Op  // deletes of overlay rows that no head names; before the next write

	mu    sync.Mutex
	state state
	refs  int  // snapshots, and one while it is the current generation
	dead  bool // superseded: removed with its last reader
}

// state is one published state; it is never changed, only replaced.
type state struct {
	head   head
	stored []byte // the head as it is stored
	chain  []*young
	layers layers                 // of the chain
	held   map[ledger.Hash]*young // the chain's blocks and their siblings
	meta   *Contents
}

func (x *index) current() state {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state
}

func (x *index) retain() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.refs++
}

// release closes the index with its last user; a superseded one is removed.
func (x *index) release() error {
	x.mu.Lock()
	x.refs--
	last, dead := x.refs == 0, x.dead
	x.mu.Unlock()
	if !last {
		return nil
	}
	err := errors.Join(x.raw.close(), x.anchor.close(), x.kv.Close())
	if dead {
		err = errors.Join(err, os.RemoveAll(x.dir))
	}
	return err
}

// publish moves the head, then the anchor, then what readers see. The rows that
// the head stands on were written before.
func (x *index) publish(ctx context.Context, next head, chain []*young, held map[ledger.Hash]*young) error {
	old := x.current()
	next.seq, next.epoch = old.head.seq+1, max(old.head.epoch, 1)
	stored := next.encode()
	if err := x.kv.Publish(ctx, headKey().partition, headKey().sort, old.stored, stored, next.epoch); err != nil {
		x.unsure = true
		return fmt.Errorf("store: publish height %d: %w", next.tip.ref.Height, err)
	}
	if err := x.anchor.add(anchorOf(&next)); err != nil {
		x.unsure = true
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.state = state{next, stored, chain, old.layers.of(chain), held, x.state.meta}
	return nil
}

// commit publishes a batch of the base through the journal. The overlay's chain
// above the folded block goes on.
func (x *index) commit(ctx context.Context, b *batch, chain []*young) error {
	old := x.current()
	ops, err := b.finish()
	if err != nil {
		return err
	}
	next := b.head
	next.seq, next.epoch = old.head.seq+1, max(old.head.epoch, 1)
	next.tip = next.folded
	if len(chain) > 0 {
		next.tip = chain[len(chain)-1].at
	}
	if err := x.room(opsSize(ops)); err != nil {
		return err
	}
	if err := x.raw.sync(); err != nil {
		return err
	}
	stored := next.encode()
	x.half.Lock()
	defer x.half.Unlock()
	x.unsure = true // until all of it is done
	if err := x.journal.write(old.stored, stored, ops); err != nil {
		return err
	}
	if err := x.apply(ctx, old.stored, stored, ops); err != nil {
		return err
	}
	if err := errors.Join(x.anchor.add(anchorOf(&next)), x.journal.clear()); err != nil {
		return err
	}
	held := reachable(old.held, next.folded)
	x.mu.Lock()
	x.state, x.unsure = state{next, stored, chain, old.layers.of(chain), held, x.state.meta}, false
	x.mu.Unlock()
	return x.drop(ctx, old.held, held)
}

// apply writes the ops of a batch and publishes its head. It may be repeated.
func (x *index) apply(ctx context.Context, old, next []byte, ops []Op) error {
	h, err := decodeHead(next)
	if err != nil {
		return err
	}
	if err := x.kv.Write(ctx, ops); err != nil {
		return fmt.Errorf("store: write up to height %d: %w", h.folded.ref.Height, err)
	}
	if err := x.kv.Publish(ctx, headKey().partition, headKey().sort, old, next, h.epoch); err != nil {
		return fmt.Errorf("store: publish height %d: %w", h.folded.ref.Height, err)
	}
	return nil
}

// drop deletes the rows of overlay blocks that no tip can reach. If it breaks
// off, they are deleted when the overlay is loaded.
func (x *index) drop(ctx context.Context, was, is map[ledger.Hash]*young) error {
	var ops []Op
	for _, hash := range slices.SortedFunc(maps.Keys(was), func(a, b ledger.Hash) int { return bytes.Compare(a[:], b[:]) }) {
		if is[hash] == nil {
			ops = append(ops, was[hash].dropOps()...)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return x.kv.Write(ctx, ops)
}

func opsSize(ops []Op) (n uint64) {
	for _, op := range ops {
		n += uint64(len(op.Partition) + len(op.Sort) + len(op.Value))
	}
	return n
}

// room refuses to write when the disk would come near its end: a full disk
// kills an engine that maps its files.
func (x *index) room(size uint64) error { return room(x.dir, x.minFree, size) }

func room(dir string, minFree, size uint64) error {
	free, err := freeSpace(dir)
	if err != nil {
		return err
	}
	if want := minFree + 4*size; free < want {
		return fmt.Errorf("store: %d MiB free on the disk of %s, %d MiB wanted before the next write: %w", free>>20, dir, want>>20, ledger.ErrExhausted)
	}
	return nil
}
