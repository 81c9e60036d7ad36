package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// heights is what Follow needs to know of the index: the blocks that a reorg
// may leave standing, ascending, the last of the base first.
type heights struct {
	tip    mark
	marks  []mark
	folded *uint64 // height of the base; nil: nothing is folded
	first  uint64  // of the linked run that the tip belongs to
}

func (n *Network) heights() (heights, error) {
	x := n.pin()
	defer x.done()
	s := x.current()
	if s.head.export {
		return heights{}, fmt.Errorf("store: %s is a set of exports and follows no source: %w", n.chain, ledger.ErrPrecondition)
	}
	h := heights{tip: s.head.tip}
	if s.head.folded.set {
		h.marks, h.folded = append(h.marks, s.head.folded), &s.head.folded.ref.Height
	}
	spans := s.head.spans
	for _, y := range s.chain {
		h.marks, spans = append(h.marks, y.at), extend(spans, y.prev, y.block)
	}
	h.first = runStart(spans, h.tip.ref.Height)
	return h, nil
}

// above returns the marks of the tip's chain above a block.
func (h heights) above(fork mark) []mark {
	i := slices.IndexFunc(h.marks, func(m mark) bool { return m.ref.Height > fork.ref.Height })
	if i < 0 || !fork.set {
		return nil
	}
	return h.marks[i:]
}

// fork returns the highest block of the tip's chain that the source's chain has
// too, unset for an empty index. It asks for few hashes: blocks under a block
// that both have are the same, so it doubles its steps down, then halves.
func (h heights) fork(ctx context.Context, n *Network, s *served, head ledger.Head) (mark, error) {
	if !h.tip.set || head.Tip.Hash == h.tip.ref.Hash {
		return h.tip, nil
	}
	end := len(h.marks)
	for end > 0 && h.marks[end-1].ref.Height > head.Tip.Height {
		end--
	}
	if end == 0 {
		return n.forkInBase(ctx, s, head)
	}
	marks := h.marks[:end]
	has, differs := -1, end
	for at, step := end-1, 1; has < 0; at, step = max(at-step, 0), 2*step {
		same, err := s.has(ctx, marks[at].ref)
		switch {
		case err != nil:
			return mark{}, err
		case same:
			has = at
		case at == 0:
			return mark{}, s.deep(marks[0].ref)
		default:
			differs = at
		}
	}
	for has+1 < differs {
		middle := (has + differs) / 2
		same, err := s.has(ctx, marks[middle].ref)
		switch {
		case err != nil:
			return mark{}, err
		case same:
			has = middle
		default:
			differs = middle
		}
	}
	return marks[has], nil
}

// forkInBase compares the head of a source that lies below everything that can
// be replaced: it lags, or it is on a chain that the index must not follow.
func (n *Network) forkInBase(ctx context.Context, s *served, head ledger.Head) (mark, error) {
	v, err := n.view(head.Tip.Height)
	if err != nil {
		return mark{}, err
	}
	if v == nil {
		return mark{}, ledger.Untrue(ledger.FaultLagging, "head of "+s.name, fmt.Sprintf("height %d lies below the first block of the index", head.Tip.Height))
	}
	defer v.done()
	same, err := s.has(ctx, v.asOf.ref)
	if err == nil && !same {
		err = s.deep(v.asOf.ref)
	}
	if err != nil {
		return mark{}, err
	}
	at := v.asOf
	at.ref.Height = head.Tip.Height // below a gap, what both have ends at the head
	return at, nil
}

// deep says that a source left the chain below what may be replaced. One that
// had called the block final contradicts itself.
func (s *served) deep(ref ledger.BlockRef) error {
	err := fmt.Errorf("store: %s does not have block %s at height %d of the index: %w", s.name, ref.Hash, ref.Height, ErrDeepReorg)
	if s.final != nil && *s.final >= ref.Height {
		return &ledger.SourceError{Fault: ledger.FaultFinality, Subject: s.name, Detail: "it had called height " + itoa(*s.final) + " final", Err: err}
	}
	return err
}

// full reports an error of the disk, which passes when somebody makes room.
func full(err error) bool {
	return errors.Is(err, ledger.ErrExhausted) && !errors.Is(err, ErrStalled)
}
