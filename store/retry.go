package store

import (
	"context"
	"errors"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

const (
	untrueLimit  = 4               // answers in a row that do not hold, then a source is set aside
	failureLimit = 8               // failed rounds in a row for each source, where nobody follows
	longestPause = 5 * time.Second // between two attempts
)

// retry decides what a failed round means: another attempt after a pause, nil,
// or the end.
func (f *follower) retry(ctx context.Context, err error) error {
	s := f.sources[f.at]
	f.failed++
	switch {
	case errors.Is(err, ledger.ErrUntrue), errors.Is(err, ErrDeepReorg):
		if s.untrue++; s.untrue >= untrueLimit {
			s.aside = err
		}
		if !f.next() {
			return err
		}
	case errors.Is(err, ledger.ErrUnavailable):
		if !f.o.Follow && f.failed >= failureLimit*len(f.sources) {
			return err
		}
		f.next()
	case !full(err) || !f.o.Follow:
		return err
	}
	f.status.Trouble = err
	f.report()
	return sleep(ctx, f.pause())
}

// next moves on to the next source that is not set aside; false when all are.
func (f *follower) next() bool {
	for range f.sources {
		f.at = (f.at + 1) % len(f.sources)
		if f.sources[f.at].aside == nil {
			return true
		}
	}
	return false
}

// pause grows with the rounds that failed, once every source had its turn.
func (f *follower) pause() time.Duration {
	d := f.o.Poll / 16
	for i := len(f.sources); i < f.failed && d < longestPause; i++ {
		d *= 2
	}
	return min(d, longestPause, 4*f.o.Poll)
}

// recovered ends trouble after a round that went well.
func (f *follower) recovered() {
	f.failed, f.sources[f.at].untrue = 0, 0
	if f.status.Trouble != nil {
		f.status.Trouble = nil
		f.report()
	}
}

// wait returns when there may be a new block: at a hint, or after Poll. Hints
// that come faster than blocks can are not all believed.
func (f *follower) wait(ctx context.Context) error {
	hinter, ok := f.sources[f.at].Source.(Hinter)
	if !ok {
		return sleep(ctx, f.o.Poll)
	}
	least := f.o.Poll / 16
	if err := sleep(ctx, least); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, f.o.Poll-least)
	defer cancel()
	if err := hinter.Wait(bounded); err != nil {
		<-bounded.Done() // it cannot hint: poll
	}
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
