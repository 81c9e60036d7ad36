package screening

import (
	"context"
	"errors"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// What a Retry is of: the id or the address follows.
const (
	RetryTransfer = "T"
	RetryWatch    = "W"
)

// Retry is a transfer or a watch that is to be scored again at a time, whatever
// happens to it until then.
type Retry struct {
	What  string // RetryTransfer + id, or RetryWatch + NETWORK:ADDRESS
	Tries int    // that went wrong
	Due   int64  // Unix milliseconds
}

// rests moves what a score rests on, in the index of transfers (A) or of watches (a).
func (b *batch) rests(p, index, id string, before, now []string) {
	for _, e := range before {
		b.drop(p, index+e+"\x00"+id)
	}
	for _, e := range now {
		b.put(p, index+e+"\x00"+id, nil)
	}
}

// againAll asks for another score of everything that rests on an evidence.
func (b *batch) againAll(p, evidence string) error {
	for index, kind := range map[string]string{"A": RetryTransfer, "a": RetryWatch} {
		prefix := index + evidence + "\x00"
		found, err := b.scan(p, prefix)
		if err != nil {
			return err
		}
		for _, sort := range found {
			what := kind + strings.TrimPrefix(sort, prefix)
			if err := b.save(p, "Q"+what, &Retry{What: what}); err != nil {
				return err
			}
		}
	}
	return nil
}

// SetRetry keeps that something is to be scored again.
func (s *Store) SetRetry(ctx context.Context, tenant string, r Retry) error {
	return s.do(ctx, func(b *batch) error { return b.save(string(partition(tenant)), "Q"+r.What, &r) })
}

// DropRetry forgets it; there may be none.
func (s *Store) DropRetry(ctx context.Context, tenant, what string) error {
	return s.do(ctx, func(b *batch) error {
		b.drop(string(partition(tenant)), "Q"+what)
		return nil
	})
}

// Retries yields what is to be scored again, in no order that means anything, until yield says no.
func (s *Store) Retries(tenant string, yield func(Retry) bool) error {
	return s.read(func(_ getter, r store.Reader) error {
		for row, err := range r.Scan(partition(tenant), []byte("Q"), after("Q"), false) {
			if err != nil {
				return err
			}
			var one Retry
			if _, err := load(func(string, string) ([]byte, error) { return open(row.Value) }, "", string(row.Sort), &one); err != nil {
				return err
			}
			if !yield(one) {
				return nil
			}
		}
		return nil
	})
}

// Sweep is how far going over transfers has come, so that a stop ends none.
type Sweep struct {
	After string // the last id that was looked at
	Again bool   // from the beginning once it has come to the end
}

// StartSweep begins a sweep; one that runs will begin again after its end.
func (s *Store) StartSweep(ctx context.Context, tenant, kind string) error {
	return s.do(ctx, func(b *batch) error {
		var known Sweep
		found, err := load(b.get, string(partition(tenant)), "S"+kind, &known)
		if err != nil {
			return err
		}
		known.Again = found && known.After != ""
		return b.save(string(partition(tenant)), "S"+kind, &known)
	})
}

// Sweep reads a sweep; false: none runs.
func (s *Store) Sweep(tenant, kind string) (w Sweep, found bool, err error) {
	err = s.read(func(get getter, _ store.Reader) error {
		found, err = load(get, string(partition(tenant)), "S"+kind, &w)
		return err
	})
	return w, found, err
}

// MoveSweep keeps that a sweep came to an id; done: to the end.
func (s *Store) MoveSweep(ctx context.Context, tenant, kind, id string, done bool) error {
	return s.do(ctx, func(b *batch) error {
		p := string(partition(tenant))
		var known Sweep
		if _, err := load(b.get, p, "S"+kind, &known); err != nil {
			return err
		}
		switch {
		case !done:
			known.After = id
		case known.Again:
			known = Sweep{}
		default:
			b.drop(p, "S"+kind)
			return nil
		}
		return b.save(p, "S"+kind, &known)
	})
}

// TransfersAfter lists the ids of at most n transfers after one: of all, or of
// those that rest on an evidence.
func (s *Store) TransfersAfter(tenant, evidence, id string, n int) (ids []string, err error) {
	prefix := "T"
	if evidence != "" {
		prefix = "A" + evidence + "\x00"
	}
	err = s.read(func(_ getter, r store.Reader) error {
		for row, err := range r.Scan(partition(tenant), []byte(prefix+id+"\x00"), after(prefix), false) {
			if err != nil || len(ids) == n {
				return err
			}
			ids = append(ids, strings.TrimPrefix(string(row.Sort), prefix))
		}
		return nil
	})
	return ids, err
}

// ScoredBy returns the hash of the rules that everything of a tenant was scored by.
func (s *Store) ScoredBy(tenant string) (sum ledger.Hash, found bool, err error) {
	err = s.read(func(get getter, _ store.Reader) error {
		body, err := get(string(partition(tenant)), "V")
		if errors.Is(err, store.ErrAbsent) {
			return nil
		}
		found = copy(sum[:], body) == len(sum)
		return err
	})
	return sum, found, err
}

// SetScoredBy keeps it.
func (s *Store) SetScoredBy(ctx context.Context, tenant string, sum ledger.Hash) error {
	return s.do(ctx, func(b *batch) error {
		b.put(string(partition(tenant)), "V", sum[:])
		return nil
	})
}
