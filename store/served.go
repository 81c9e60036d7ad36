package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// served is a source with what Follow remembers of it. Its methods bound each
// call in time and check what every answer must say of itself.
type served struct {
	Source
	name    string
	timeout time.Duration
	final   *uint64 // the highest that it has stated
	untrue  int     // answers in a row that did not hold
	aside   error   // why it is not asked any more
}

// nameOf is what a source calls itself, or its number.
func nameOf(s Source, i int) string {
	if named, ok := s.(fmt.Stringer); ok {
		return named.String()
	}
	return "source " + itoa(uint64(i+1))
}

// call bounds one question in time. An error that names no fault is one of the server.
func (s *served) call(ctx context.Context, limit time.Duration, subject string, ask func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := ask(bounded)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if _, ok := ledger.FaultOf(err); ok {
		return err
	}
	fault := ledger.FaultServerError
	if errors.Is(err, context.DeadlineExceeded) {
		fault = ledger.FaultTimeout
	}
	return &ledger.SourceError{Fault: fault, Subject: subject + " of " + s.name, Err: err}
}

// head returns the head; what is final never moves back.
func (s *served) head(ctx context.Context) (ledger.Head, error) {
	var head ledger.Head
	err := s.call(ctx, s.timeout/6, "head", func(ctx context.Context) (err error) {
		head, err = s.Head(ctx)
		return err
	})
	if err != nil {
		return head, err
	}
	switch {
	case head.Final != nil && *head.Final > head.Tip.Height:
		return head, ledger.Untrue(ledger.FaultFinality, "head of "+s.name, fmt.Sprintf("height %d is final, the head is at %d", *head.Final, head.Tip.Height))
	case head.Final != nil && s.final != nil && *head.Final < *s.final:
		return head, ledger.Untrue(ledger.FaultFinality, "head of "+s.name, fmt.Sprintf("height %d is final, %d was", *head.Final, *s.final))
	case head.Final == nil && s.final != nil:
		// A node that has just started knows of no final block yet.
		head.Final = new(min(*s.final, head.Tip.Height))
	case head.Final != nil:
		s.final = new(*head.Final)
	}
	return head, nil
}

// has reports whether a block is on the source's present chain.
func (s *served) has(ctx context.Context, ref ledger.BlockRef) (bool, error) {
	var hash ledger.Hash
	err := s.call(ctx, s.timeout/6, "hash at height "+itoa(ref.Height), func(ctx context.Context) (err error) {
		hash, err = s.Hash(ctx, ref.Height)
		return err
	})
	return hash == ref.Hash, err
}

// block returns the block at a height, on top of parent where that is known.
func (s *served) block(ctx context.Context, c ledger.Chain, height uint64) (*ledger.Block, error) {
	var b *ledger.Block
	err := s.call(ctx, s.timeout, "block "+itoa(height), func(ctx context.Context) (err error) {
		b, err = s.Block(ctx, height)
		return err
	})
	if err == nil && (b == nil || b.Ref.Height != height || b.Ref.Chain != c) {
		err = ledger.Untrue(ledger.FaultWrongBlock, "block "+itoa(height)+" of "+s.name, "another height or chain")
	}
	return b, err
}

// follows checks that a block stands on the one before it.
func (s *served) follows(prev mark, b *ledger.Block) error {
	if !prev.set || b.Ref.Height != prev.ref.Height+1 || b.Parent == prev.ref.Hash {
		return nil
	}
	return ledger.Untrue(ledger.FaultWrongParent, "block "+itoa(b.Ref.Height)+" of "+s.name,
		fmt.Sprintf("want parent %s, got %s", prev.ref.Hash, b.Parent))
}
