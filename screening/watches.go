package screening

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// AddWatch watches, or sets note and who is told of what is watched.
func (s *Store) AddWatch(ctx context.Context, tenant string, w Watch) (Watch, error) {
	err := s.do(ctx, func(b *batch) error {
		p := string(partition(tenant))
		if _, err := b.secret(tenant); err != nil {
			return err
		}
		var known Watch
		found, err := load(b.get, p, "W"+w.Address, &known)
		if err != nil {
			return err
		}
		if found {
			known.Note, known.Own, known.Notify = w.Note, w.Own, w.Notify
			w = known
		} else {
			b.rests(p, "a", w.Address, nil, w.Evidence)
		}
		if err := b.setOwn(tenant, w.Address, w.Own); err != nil {
			return err
		}
		return b.save(p, "W"+w.Address, &w)
	})
	return w, err
}

// SetWatch keeps what scoring a watched address came to; one that is gone stays so.
func (s *Store) SetWatch(ctx context.Context, tenant string, w Watch) error {
	return s.do(ctx, func(b *batch) error {
		var known Watch
		found, err := load(b.get, string(partition(tenant)), "W"+w.Address, &known)
		if err != nil || !found {
			return err
		}
		b.rests(string(partition(tenant)), "a", w.Address, known.Evidence, w.Evidence)
		known.Level, known.Score, known.Rules, known.Evidence = w.Level, w.Score, w.Rules, w.Evidence
		return b.save(string(partition(tenant)), "W"+w.Address, &known)
	})
}

// SetAsked keeps when sources were asked of what is watched, and what they failed
// to tell; one that is gone stays so.
func (s *Store) SetAsked(ctx context.Context, tenant, address string, at int64, trouble string) error {
	return s.do(ctx, func(b *batch) error {
		p := string(partition(tenant))
		var w Watch
		found, err := load(b.get, p, "W"+address, &w)
		if err != nil || !found {
			return err
		}
		w.Asked, w.Trouble = at, trouble
		return b.save(p, "W"+address, &w)
	})
}

// RemoveWatch ends a watch; ledger.ErrNotFound when there is none.
func (s *Store) RemoveWatch(ctx context.Context, tenant, address string) error {
	return s.do(ctx, func(b *batch) error {
		p := string(partition(tenant))
		var w Watch
		found, err := load(b.get, p, "W"+address, &w)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("watch %.128s: %w", address, ledger.ErrNotFound)
		}
		b.rests(p, "a", address, w.Evidence, nil)
		b.drop(p, "W"+address)
		b.drop(p, "Q"+RetryWatch+address)
		return b.setOwn(tenant, address, false)
	})
}

// Watch reads one watch.
func (s *Store) Watch(tenant, address string) (w Watch, found bool, err error) {
	err = s.read(func(get getter, _ store.Reader) error {
		found, err = load(get, string(partition(tenant)), "W"+address, &w)
		return err
	})
	return w, found, err
}

// Watching lists the watched addresses whose score rests on something (see Transfer.Evidence).
func (s *Store) Watching(tenant, evidence string) ([]string, error) {
	return s.ids(tenant, "a"+evidence+"\x00")
}

// Watches returns the watches after an address, at most n, by address.
func (s *Store) Watches(tenant, address string, n int) (all []Watch, err error) {
	err = s.read(func(_ getter, r store.Reader) error {
		for row, err := range r.Scan(partition(tenant), []byte("W"+address+"\x00"), after("W"), false) {
			if err != nil || len(all) == n {
				return err
			}
			var w Watch
			if _, err := load(func(string, string) ([]byte, error) { return open(row.Value) }, "", "W", &w); err != nil {
				return err
			}
			all = append(all, w)
		}
		return nil
	})
	return all, err
}

// setOwn lists an address among the tenant's own, or takes it off the list. All
// whose score rests on it is to be scored again.
func (b *batch) setOwn(tenant, address string, own bool) error {
	p := string(partition(tenant))
	_, err := b.get(p, "O"+address)
	if err != nil && !errors.Is(err, store.ErrAbsent) {
		return err
	}
	switch listed := err == nil; {
	case own == listed:
		return nil
	case own:
		b.put(p, "O"+address, nil)
	default:
		b.drop(p, "O"+address)
	}
	b.touch(tenant)
	return b.againAll(p, address)
}

func (b *batch) touch(tenant string) {
	if b.touched == nil {
		b.touched = map[string]bool{}
	}
	b.touched[tenant] = true
}

// Own returns the tenant's own addresses. Nobody may change the map.
func (s *Store) Own(tenant string) map[string]bool { return s.state(tenant).own }

// OwnVersion changes whenever Own does.
func (s *Store) OwnVersion(tenant string) uint64 { return s.state(tenant).version }

// Rules returns the rule file that a tenant imported; false when it has none.
func (s *Store) Rules(tenant string) ([]byte, bool) {
	text := s.state(tenant).rules
	return text, text != nil
}

func (s *Store) state(tenant string) *tenantState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.watched[tenant]; t != nil {
		return t
	}
	return &tenantState{}
}

// SetRules puts a rule file in force. ledger.ErrPrecondition when another text
// of that version was in force before.
func (s *Store) SetRules(ctx context.Context, tenant, version string, text []byte) error {
	return s.do(ctx, func(b *batch) error {
		p := string(partition(tenant))
		if _, err := b.secret(tenant); err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		known, err := b.get(p, "r"+version)
		if err == nil && sha256.Sum256(known) != sum {
			return fmt.Errorf("rules: version %.64q is taken by another text: %w", version, ledger.ErrPrecondition)
		}
		if err != nil && !errors.Is(err, store.ErrAbsent) {
			return err
		}
		b.put(p, "r"+version, text)
		b.put(p, "R", text)
		b.touch(tenant)
		return nil
	})
}

// publish makes what a batch changed visible to those who do not read rows.
func (s *Store) publish(b *batch) {
	states := map[string]*tenantState{}
	for tenant := range b.touched {
		if t, err := s.loadState(tenant); err == nil {
			states[tenant] = t
		} else {
			s.broken = err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for tenant, t := range states {
		if before := s.watched[tenant]; before != nil {
			t.version = before.version + 1
		}
		s.watched[tenant] = t
	}
	if b.events {
		close(s.events)
		s.events = make(chan struct{})
	}
}

func (s *Store) loadState(tenant string) (*tenantState, error) {
	t := &tenantState{version: 1, own: map[string]bool{}}
	err := s.read(func(get getter, r store.Reader) error {
		for row, err := range r.Scan(partition(tenant), []byte("O"), after("O"), false) {
			if err != nil {
				return err
			}
			t.own[string(row.Sort[1:])] = true
		}
		text, err := get(string(partition(tenant)), "R")
		if errors.Is(err, store.ErrAbsent) {
			return nil
		}
		t.rules = text
		return err
	})
	return t, err
}

// Tenants lists the tenants that have rows.
func (s *Store) Tenants() (names []string, err error) {
	err = s.read(func(_ getter, r store.Reader) error {
		for row, err := range r.Scan(meta(), []byte("tenant"), after("tenant"), false) {
			if err != nil {
				return err
			}
			names = append(names, strings.TrimPrefix(string(row.Sort), "tenant"))
		}
		return nil
	})
	return names, err
}

func (s *Store) loadTenants() error {
	names, err := s.Tenants()
	for _, name := range names {
		if err == nil {
			s.watched[name], err = s.loadState(name)
		}
	}
	return err
}

// Mark is how far a network was looked at.
type Mark struct {
	Height uint64
	Hash   ledger.Hash
	Digest ledger.Hash // of all that is held up to there
}

// Seen returns the block up to which a network was looked at; false: none was.
func (s *Store) Seen(network string) (m Mark, found bool, err error) {
	err = s.read(func(get getter, _ store.Reader) error {
		found, err = load(get, string(meta()), "seen"+network, &m)
		return err
	})
	return m, found, err
}

// SetSeen keeps it.
func (s *Store) SetSeen(ctx context.Context, network string, m Mark) error {
	return s.do(ctx, func(b *batch) error { return b.save(string(meta()), "seen"+network, &m) })
}

// Delivered returns the last event that a webhook of a tenant took.
func (s *Store) Delivered(tenant, endpoint string) (n uint64, err error) {
	err = s.read(func(get getter, _ store.Reader) error {
		_, err := load(get, string(partition(tenant)), "H"+endpoint, &n)
		return err
	})
	return n, err
}

// SetDelivered keeps it.
func (s *Store) SetDelivered(ctx context.Context, tenant, endpoint string, n uint64) error {
	return s.do(ctx, func(b *batch) error { return b.save(string(partition(tenant)), "H"+endpoint, &n) })
}
