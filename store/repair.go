package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
)

// Repair builds the next generation of a network from the blocks that the
// current one still holds and proves, and puts it in force. It is the explicit
// answer to a RolledBackError or a damaged journal or anchor: what the engine
// lost in the middle of a batch cannot be trusted in place, so nothing of it is
// kept but whole blocks. Ingest goes on from the tip of the network that comes
// back, which is empty when the engine lost everything. If a block itself is
// damaged, Repair fails: remove the network's folder and ingest it afresh.
func (s *Store) Repair(ctx context.Context, c ledger.Chain) (*Network, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.networks[c] != nil {
		return nil, fmt.Errorf("store: network %s is open and sound: %w", c, ledger.ErrPrecondition)
	}
	dir := s.folder(c)
	name, err := readCurrent(dir)
	if err != nil {
		return nil, err
	}
	x, err := openDamaged(filepath.Join(dir, name), s.engine, c, s.o.MinFree)
	if err != nil {
		return nil, fmt.Errorf("store: network %s: %w", c, err)
	}
	n := &Network{chain: c, dir: dir, engine: s.engine, minFree: s.o.MinFree, cur: x}
	if err := n.rescue(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store: repair %s: %w", c, err), n.close())
	}
	s.networks[c] = n
	return n, nil
}

// rescue rebuilds a network that is not shared yet from its whole blocks.
func (n *Network) rescue(ctx context.Context) error {
	v, err := n.view(^uint64(0))
	if err != nil {
		return err
	}
	s := n.cur.current()
	blocks := func(func(*ledger.Block, error) bool) {}
	if v != nil {
		defer v.done()
		blocks = v.withRaw(ctx)
	}
	next, err := n.build(ctx, blocks, *s.meta, AppendOptions{KeepRaw: true, Target: s.head.tip.ref.Height})
	if err != nil {
		return err
	}
	return n.supersede(next)
}

// openDamaged opens a generation for Repair: its head as it is, whatever the
// anchor and the journal say.
func openDamaged(dir string, engine Engine, c ledger.Chain, minFree uint64) (*index, error) {
	kv, err := engine(filepath.Join(dir, "engine"))
	if err != nil {
		return nil, err
	}
	x := &index{dir: dir, chain: c, kv: kv, anchor: &anchor{}, raw: rawWriter{dir: dir}, minFree: minFree, refs: 1, unsure: true}
	stored, h, err := x.loadHead()
	var lost *RolledBackError
	switch {
	case errors.As(err, &lost): // no head at all
		x.state = state{head: head{chain: c}, meta: &Contents{}}
		return x, nil
	case err == nil:
		err = x.load(stored, h)
	}
	if err != nil {
		return nil, errors.Join(err, kv.Close())
	}
	return x, nil
}
