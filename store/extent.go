package store

import (
	"context"
	"iter"

	"github.com/spoortrace/spoor/ledger"
)

// Extent is what a snapshot holds of a network, for saying what an answer rests on.
type Extent struct {
	Export  bool
	Fetched bool           // an export that is made of what services answered
	Heights bool           // an export whose heights are the chain's, and not milliseconds
	Spans   []Span         // runs of blocks linked by hash; none in an export
	Claims  []ledger.Claim // of an export
	Files   []File         // of an export
	// Final is the last height of the base, which no reorganisation replaces; nil
	// while everything is in the overlay, and in an export.
	Final         *uint64
	UnknownInputs uint64 // inputs whose coins are not known
}

// Extent returns what the snapshot holds of a network.
func (s *Snapshot) Extent(c ledger.Chain) (Extent, error) {
	v, err := s.of(c)
	if err != nil {
		return Extent{}, err
	}
	unknown := v.head.unknown
	for _, y := range v.held {
		unknown += uint64(y.unknown)
	}
	e := Extent{Export: v.head.export, Fetched: v.meta.Fetched, Heights: v.meta.Heights, Spans: v.spans, Claims: v.meta.Claims, Files: v.meta.Files, UnknownInputs: unknown}
	switch params, _ := c.Params(); {
	case e.Heights && v.head.folded.set:
		final := v.head.folded.ref.Height - min(params.ReorgBound, v.head.folded.ref.Height)
		e.Final = &final
	case v.head.folded.set && !v.head.export:
		final := min(v.head.folded.ref.Height, v.asOf.ref.Height)
		e.Final = &final
	}
	return e, nil
}

// Heights yields the heights of a network's blocks, ascending: in an export the
// milliseconds at which it holds transfers. It reads every block.
func (s *Snapshot) Heights(ctx context.Context, c ledger.Chain) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		v, err := s.of(c)
		if err != nil {
			yield(0, err)
			return
		}
		for b, err := range v.blocks(ctx) {
			if err != nil {
				yield(0, err)
				return
			}
			if !yield(b.Ref.Height, nil) {
				return
			}
		}
	}
}
