package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
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

// createIndex makes an empty generation in a directory that does not exist.
func createIndex(ctx context.Context, dir string, engine Engine, c ledger.Chain, meta *Contents, minFree uint64) (*index, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: generation: %w", err)
	}
	kv, err := engine(filepath.Join(dir, "engine"))
	if err != nil {
		return nil, err
	}
	a, err := createAnchor(dir)
	if err != nil {
		return nil, errors.Join(err, kv.Close())
	}
	params, _ := c.Params()
	none := mark{ref: ledger.BlockRef{Chain: c}}
	h := head{format: formatVersion, chain: c, genesis: params.Genesis, epoch: 1, tip: none, folded: none, nextAddr: 1, nextAsset: 1}
	x := &index{dir: dir, chain: c, kv: kv, anchor: a, journal: journal{dir}, raw: rawWriter{dir: dir}, minFree: minFree, refs: 1}
	if x.state.meta = meta; meta == nil {
		x.state.meta = &Contents{}
	} else {
		h.export = meta.Export
		value := meta.encode()
		h.meta = sha256.Sum256(value)
		err = kv.Write(ctx, []Op{sealed(metaKey(), value)})
	}
	if err == nil {
		err = x.publish(ctx, h, nil, nil)
	}
	if err != nil {
		return nil, errors.Join(err, x.release())
	}
	return x, nil
}

// openIndex opens a generation, finishes what a crash left and compares it with its anchor.
func openIndex(ctx context.Context, dir string, engine Engine, c ledger.Chain, minFree uint64) (*index, error) {
	a, err := openAnchor(dir)
	if err != nil {
		return nil, err
	}
	kv, err := engine(filepath.Join(dir, "engine"))
	if err != nil {
		return nil, errors.Join(err, a.file.Close())
	}
	x := &index{dir: dir, chain: c, kv: kv, anchor: a, journal: journal{dir}, raw: rawWriter{dir: dir}, minFree: minFree, refs: 1}
	if err := x.recover(ctx); err != nil {
		return nil, errors.Join(err, x.release())
	}
	return x, nil
}

// recover reads the published head, finishes a batch that the journal holds and
// loads the overlay. It runs at open and after a write that broke off.
func (x *index) recover(ctx context.Context) error {
	stored, h, err := x.loadHead()
	if err != nil {
		return err
	}
	p, err := x.journal.read()
	if err != nil {
		return err
	}
	if p != nil && bytes.Equal(p.old, stored) {
		if err := x.apply(ctx, p.old, p.next, p.ops); err != nil {
			return err
		}
		if stored, h, err = x.loadHead(); err != nil {
			return err
		}
	}
	if err := x.anchor.check(h); err != nil {
		return err
	}
	if err := x.journal.clear(); err != nil {
		return err
	}
	return x.load(stored, h)
}

func (x *index) loadHead() ([]byte, *head, error) {
	r, done := x.kv.View()
	defer done()
	stored, err := r.Get(headKey().partition, headKey().sort)
	if errors.Is(err, ErrAbsent) {
		return nil, nil, &RolledBackError{
			Have: ledger.BlockRef{Chain: x.chain},
			Want: ledger.BlockRef{Chain: x.chain, Height: x.anchor.last.height, Hash: x.anchor.last.hash},
		}
	}
	if err != nil {
		return nil, nil, err
	}
	h, err := decodeHead(stored)
	if err != nil {
		return nil, nil, err
	}
	params, _ := x.chain.Params()
	switch {
	case h.format > formatVersion:
		return nil, nil, fmt.Errorf("store: index format %d: %w; this program knows format %d", h.format, ledger.ErrNewer, formatVersion)
	case h.format < formatVersion:
		return nil, nil, fmt.Errorf("store: index format %d is older than %d: build the index again: %w", h.format, formatVersion, ledger.ErrPrecondition)
	case h.chain != x.chain || h.genesis != params.Genesis:
		return nil, nil, fmt.Errorf("store: index of %s (genesis %.16s) in the place of %s: %w", h.chain, h.genesis, x.chain, ledger.ErrForeign)
	}
	return stored, h, nil
}

// load makes the state that readers see from what is published.
func (x *index) load(stored []byte, h *head) error {
	r, done := x.kv.View()
	defer done()
	held, err := loadOverlay(r, x.chain)
	if err != nil {
		return err
	}
	chain, err := chainTo(held, h.tip, h.folded)
	if err != nil {
		return err
	}
	meta, err := loadContents(viewRows{r}, h)
	if err != nil {
		return err
	}
	x.raw.segment, x.raw.end = h.rawSegment, h.rawEnd
	x.mu.Lock()
	defer x.mu.Unlock()
	x.state = state{*h, stored, chain, held, meta}
	x.unsure = false
	return nil
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
	x.state = state{next, stored, chain, held, x.state.meta}
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
	x.state, x.unsure = state{next, stored, chain, held, x.state.meta}, false
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
// off, they are left out when the overlay is loaded and deleted with a later fold.
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
func (x *index) room(size uint64) error {
	free, err := freeSpace(x.dir)
	if err != nil {
		return err
	}
	if want := x.minFree + 4*size; free < want {
		return fmt.Errorf("store: %d MiB free on the disk of %s, %d MiB wanted before the next write: %w", free>>20, x.dir, want>>20, ledger.ErrExhausted)
	}
	return nil
}
