package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
)

// createIndex makes a generation in a directory that does not exist: an empty
// one, or one with the base that fill writes and completes the head for.
func createIndex(ctx context.Context, dir string, engine Engine, h head, meta *Contents, minFree uint64, fill func(kv KV, h *head) error) (*index, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: generation: %w", err)
	}
	kv, err := openFilled(filepath.Join(dir, "engine"), engine, &h, fill)
	if err != nil {
		return nil, err
	}
	a, err := createAnchor(dir)
	if err != nil {
		return nil, errors.Join(err, kv.Close())
	}
	x := &index{dir: dir, chain: h.chain, kv: kv, anchor: a, journal: journal{dir}, raw: rawWriter{dir: dir}, minFree: minFree, refs: 1}
	x.raw.segment, x.raw.end = h.rawSegment, h.rawEnd
	if x.state.meta = meta; meta == nil {
		x.state.meta = &Contents{}
	} else {
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

// openFilled opens the engine of a new generation, and opens it again after it
// was filled: an engine chooses its buffers by what it holds, and looks at it.
func openFilled(dir string, engine Engine, h *head, fill func(kv KV, h *head) error) (KV, error) {
	kv, err := engine(dir)
	if err != nil || fill == nil {
		return kv, err
	}
	if err := errors.Join(fill(kv, h), kv.Close()); err != nil {
		return nil, err
	}
	return engine(dir)
}

// newHead is the head of an empty generation.
func newHead(c ledger.Chain, meta *Contents) head {
	params, _ := c.Params()
	none := mark{ref: ledger.BlockRef{Chain: c}}
	return head{
		format: formatVersion, chain: c, genesis: params.Genesis, export: meta != nil && meta.Export,
		epoch: 1, tip: none, folded: none, nextAddr: 1, nextAsset: 1,
	}
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
	x.half.Lock()
	defer x.half.Unlock()
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
		return nil, nil, fmt.Errorf("store: index format %d is older than %d, which this program writes: remove the folder of %s and ingest it again: %w", h.format, formatVersion, x.chain, ledger.ErrPrecondition)
	case h.chain != x.chain || h.genesis != params.Genesis:
		return nil, nil, fmt.Errorf("store: index of %s (genesis %.16s) in the place of %s: %w", h.chain, h.genesis, x.chain, ledger.ErrForeign)
	}
	return stored, h, nil
}

// load makes the state that readers see from what is published.
func (x *index) load(stored []byte, h *head) error {
	r, done := x.kv.View()
	defer done()
	held, leftover, err := loadOverlay(r, h)
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
	x.state = state{*h, stored, chain, layers(nil).of(chain), held, meta}
	x.unsure, x.leftover = false, leftover
	return nil
}
