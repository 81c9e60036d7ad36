package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// pulled is a run of blocks, one at a time, as iter.Pull2 gives them.
type pulled func() (*ledger.Block, error, bool)

// rest yields what is left.
func (p pulled) rest(yield func(*ledger.Block, error) bool) {
	for b, err, ok := p(); ok && yield(b, err); {
		b, err, ok = p()
	}
}

// behind puts blocks before the others.
func (p pulled) behind(first []*ledger.Block) pulled {
	return func() (*ledger.Block, error, bool) {
		if len(first) == 0 {
			return p()
		}
		b := first[0]
		first[0], first = nil, first[1:]
		return b, nil, true
	}
}

// ending gives an error, if there is one, before the others.
func (p pulled) ending(err error) pulled {
	return func() (*ledger.Block, error, bool) {
		if e := err; e != nil {
			err = nil
			return nil, e, true
		}
		return p()
	}
}

// few looks at the first blocks and reports whether a batch or two hold them
// all, but for those that a reorg may reach. The blocks come back in full.
func (p pulled) few(c ledger.Chain, o AppendOptions) (bool, pulled) {
	left := o.BatchSize
	if left <= 0 {
		left = defaultBatch
	}
	var first []*ledger.Block
	for left >= 0 {
		b, err, ok := p()
		if err != nil || !ok {
			return true, p.ending(err).behind(first)
		}
		first = append(first, b)
		if b.Ref.Height >= o.settled(c, b.Ref.Height) {
			return true, p.behind(first)
		}
		for i := range b.Txs {
			left -= unitsOf(&b.Txs[i])
		}
	}
	return false, p.behind(first)
}

// load builds a generation by a load, and appends what is left of the blocks.
// errUnfit: a block is out of order or contradicts others, or the engine is no
// Loader; nothing is left of the generation then. errOther: begin again.
func (n *Network) load(ctx context.Context, dir string, blocks pulled, c Contents, o AppendOptions) (*index, error) {
	work, err := n.loadDir(c, o)
	if err != nil {
		return nil, err
	}
	next, err := n.loadIn(ctx, work, dir, blocks, c, o)
	if err != nil && !goesOn(ctx, err) {
		err = errors.Join(err, os.RemoveAll(dir), os.RemoveAll(work))
	}
	return next, err
}

// goesOn reports an end after which the same job may be asked for again with more
// success; its segments are kept for it.
func goesOn(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, ledger.ErrExhausted)
}

// loadDir makes the directory of the segments of a job; those of others go.
func (n *Network) loadDir(c Contents, o AppendOptions) (string, error) {
	var e encoder
	e.uint(formatVersion)
	e.string(o.Job)
	e.bool(o.KeepRaw)
	e.bytes(c.encode())
	sum := sha256.Sum256(e.b)
	name := fmt.Sprintf("load-%x", sum[:8])
	keep := name
	if o.Job == "" {
		keep = ""
	}
	if err := n.removeLoads(keep); err != nil {
		return "", err
	}
	dir := filepath.Join(n.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("store: load: %w", err)
	}
	return dir, nil
}

// removeLoads removes what loads left, but for one.
func (n *Network) removeLoads(keep string) error {
	entries, err := os.ReadDir(n.dir)
	for _, e := range entries {
		if err == nil && strings.HasPrefix(e.Name(), "load-") && e.Name() != keep {
			err = os.RemoveAll(filepath.Join(n.dir, e.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("store: load: %w", err)
	}
	return nil
}

// loadIn loads with the segments of a directory.
func (n *Network) loadIn(ctx context.Context, work, dir string, next pulled, c Contents, o AppendOptions) (*index, error) {
	h := newHead(n.chain, &c)
	l := newLoad(ctx, work, h, o)
	l.minFree = n.minFree
	left, err := l.read(func(height uint64) uint64 { return o.settled(n.chain, height) }, next)
	if err != nil {
		return nil, errors.Join(err, l.raw.close())
	}
	x, err := createIndex(ctx, dir, n.engine, h, &c, n.minFree, func(kv KV, h *head) error { return l.fill(kv, h, dir) })
	if err != nil {
		return nil, errors.Join(err, l.raw.close())
	}
	if left == nil {
		return x, nil
	}
	if err := x.append(ctx, next.behind([]*ledger.Block{left}).rest, o); err != nil {
		return nil, errors.Join(err, x.discard())
	}
	return x, nil
}

// fill writes the base into an engine and completes its head.
func (l *load) fill(kv KV, h *head, dir string) error {
	loader, ok := kv.(Loader)
	if !ok {
		return errUnfit
	}
	if err := loader.Load(l.ctx, l.write); err != nil {
		return err
	}
	if err := l.handRaw(dir); err != nil {
		return err
	}
	l.head.tip = l.head.folded
	*h = l.head
	return nil
}
