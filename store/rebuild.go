package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
)

// Blocks yields the blocks of the current generation in order of height, with
// raw forms where they are kept. Together with MergeBlocks it feeds Rebuild.
func (n *Network) Blocks(ctx context.Context) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		v, err := n.view(^uint64(0))
		if err != nil {
			yield(nil, err)
			return
		}
		if v == nil {
			return
		}
		for b, err := range v.withRaw(ctx) {
			if !yield(b, err) || err != nil {
				break
			}
		}
		if err := v.close(); err != nil {
			yield(nil, err)
		}
	}
}

func (v *view) withRaw(ctx context.Context) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		for s, err := range v.blocks(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			if s.raw.kept {
				if s.Raw, err = readRaw(v.dir, s.raw); err != nil {
					yield(nil, err)
					return
				}
			}
			if !yield(s.Block, nil) {
				return
			}
		}
	}
}

// MergeBlocks merges two series of blocks, each in order of height, into one.
// A block that both have comes once, as the one that knows more of its coins;
// different blocks at one height are an error that names both.
func MergeBlocks(a, b iter.Seq2[*ledger.Block, error]) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		nextA, stopA := iter.Pull2(a)
		defer stopA()
		nextB, stopB := iter.Pull2(b)
		defer stopB()
		x, errX, okX := nextA()
		y, errY, okY := nextB()
		for okX || okY {
			if err := errors.Join(errX, errY); err != nil {
				yield(nil, err)
				return
			}
			var out *ledger.Block
			takeX := okX && (!okY || x.Ref.Height <= y.Ref.Height)
			takeY := okY && (!okX || y.Ref.Height <= x.Ref.Height)
			switch {
			case takeX && takeY && x.Ref.Hash != y.Ref.Hash:
				yield(nil, fmt.Errorf("store: height %d: blocks %s and %s: %w", x.Ref.Height, x.Ref.Hash, y.Ref.Hash, ErrDeepReorg))
				return
			case takeX && takeY:
				out = fuller(x, y)
			case takeX:
				out = x
			default:
				out = y
			}
			if !yield(out, nil) {
				return
			}
			if takeX {
				x, errX, okX = nextA()
			}
			if takeY {
				y, errY, okY = nextB()
			}
		}
	}
}

// fuller picks between two forms of one block: fewer unknown coins, then the
// better grade, then the first. A raw form is taken from either.
func fuller(a, b *ledger.Block) *ledger.Block {
	pick, other := a, b
	if ua, ub := unknownInputs(a), unknownInputs(b); ub < ua || ub == ua && b.Grade < a.Grade {
		pick, other = b, a
	}
	if len(pick.Raw) == 0 && len(other.Raw) > 0 {
		c := *pick
		c.Raw = other.Raw
		return &c
	}
	return pick
}

func unknownInputs(b *ledger.Block) (n int) {
	for i := range b.Txs {
		for j := range b.Txs[i].Inputs {
			if !b.Txs[i].Coinbase && !b.Txs[i].Inputs[j].Known {
				n++
			}
		}
	}
	return n
}

// Repair builds the next generation of a network from the blocks that the
// current one still holds and proves, and puts it in force. It is the explicit
// answer to a RolledBackError or a damaged journal or anchor: what the engine
// lost in the middle of a batch cannot be trusted in place, so nothing of it is
// kept but whole blocks. Ingest goes on from the tip of the network that comes
// back. If a block itself is damaged, the network must be ingested afresh.
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
	v, err := n.view(^uint64(0))
	if err == nil {
		blocks := func(func(*ledger.Block, error) bool) {}
		contents := *x.current().meta
		if v != nil {
			blocks = v.withRaw(ctx)
			defer v.done()
		}
		o := AppendOptions{KeepRaw: true, Target: x.current().head.tip.ref.Height}
		err = n.rebuild(ctx, blocks, contents, o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: repair %s: %w", c, err), n.close())
	}
	s.networks[c] = n
	return n, nil
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
	if err == nil {
		err = x.load(stored, h)
	}
	if err != nil {
		return nil, errors.Join(err, kv.Close())
	}
	return x, nil
}
