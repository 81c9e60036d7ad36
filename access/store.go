package access

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Store keeps tenants and keys in the files keys.log (a journal) and keys.head
// (its mark) of one folder. Nothing is ever taken out: a revocation is a line of
// its own. All of it is in memory, some 300 bytes a key.
//
// A Store is safe for use by several goroutines, and by one process.
type Store struct {
	now func() time.Time
	cut int64

	writing sync.Mutex // held while the journal grows; guards it
	journal *journal

	mu           sync.RWMutex
	keys         map[string]*Key // replaced, never changed
	certificates map[[sha256.Size]byte]string
	tenants      map[string]Tenant
}

// Open opens or makes a store. ledger.ErrBusy when another process has it,
// ledger.ErrCorrupt when a key that was acknowledged is damaged.
func Open(dir string, now func() time.Time) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	acknowledged, err := readHead(filepath.Join(dir, "keys.head"))
	if err != nil {
		return nil, err
	}
	s := &Store{now: now, keys: map[string]*Key{}, certificates: map[[sha256.Size]byte]string{}, tenants: map[string]Tenant{}}
	s.journal, s.cut, err = openJournal(filepath.Join(dir, "keys.log"), mark{}, acknowledged, func(body []byte, _ mark) error { return s.apply(body) })
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close releases the files.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.journal.close()
}

// Cut returns how many bytes of an unfinished write Open cut off.
func (s *Store) Cut() int64 { return s.cut }

// apply takes one line of the journal in.
func (s *Store) apply(body []byte) error {
	var e entry
	if err := decode(body, &e); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.Tenant != nil:
		t := tenantOf(e.Tenant)
		if err := t.valid(); err != nil {
			return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
		}
		s.tenants[t.Name] = t
	case e.Key != nil:
		k, err := keyOf(e.Key, e.Time)
		if err != nil {
			return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
		}
		s.keys[k.ID] = &k
		if k.Certificate {
			s.certificates[k.proof] = k.ID
		}
	case s.keys[e.Revoke] != nil:
		k := *s.keys[e.Revoke]
		k.Revoked = e.Time
		s.keys[k.ID] = &k
	default:
		return fmt.Errorf("%w: a line that is no tenant, no key and no revocation", ledger.ErrCorrupt)
	}
	return nil
}

// write makes entries durable, and only then visible.
func (s *Store) write(entries ...entry) error {
	var bodies [][]byte
	for _, e := range entries {
		body, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("access: %w", err)
		}
		bodies = append(bodies, body)
	}
	if err := s.journal.append(bodies, func(after mark) ([]byte, error) { return formatHead(after), nil }); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	for _, body := range bodies {
		if err := s.apply(body); err != nil {
			return err
		}
	}
	return nil
}

// stamp is the time as it is kept, so that what is answered equals what is read again.
func (s *Store) stamp() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

// NewKey makes a key for k.Tenant with k's name, role and expiry, and returns it
// with its token, which is not kept. A tenant that is new gets the default
// limits. by is the id of the key that asked, or a name.
func (s *Store) NewKey(k Key, by string) (made Key, token string, err error) {
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return Key{}, "", fmt.Errorf("access: %w", err)
	}
	k.Certificate, k.proof = false, sha256.Sum256(secret[:])
	made, err = s.add(k, by)
	if err != nil {
		return Key{}, "", err
	}
	return made, formatToken(made.ID, secret), nil
}

// NewCertificate does the same for a client certificate, by the SHA-256 of its
// DER form. ledger.ErrInvalid when a key has that certificate already.
func (s *Store) NewCertificate(k Key, fingerprint [sha256.Size]byte, by string) (Key, error) {
	k.Certificate, k.proof = true, fingerprint
	return s.add(k, by)
}

func (s *Store) add(k Key, by string) (Key, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	now := s.stamp()
	if !k.Expires.IsZero() {
		k.Expires = k.Expires.UTC().Truncate(time.Millisecond)
	}
	if err := k.valid(now); err != nil {
		return Key{}, fmt.Errorf("access: %w", err)
	}
	s.mu.RLock()
	_, known := s.tenants[k.Tenant]
	twice, taken := s.certificates[k.proof]
	s.mu.RUnlock()
	if k.Certificate && taken {
		return Key{}, fmt.Errorf("access: %w", ledger.Invalid("certificate", "one that no key has", "that of key "+twice))
	}
	var id [idText / 2]byte
	if _, err := rand.Read(id[:]); err != nil {
		return Key{}, fmt.Errorf("access: %w", err)
	}
	k.ID, k.Created, k.Revoked = hex.EncodeToString(id[:]), now, time.Time{}
	entries := []entry{{Time: now, By: by, Key: entryOfKey(k)}}
	if !known {
		entries = append([]entry{{Time: now, By: by, Tenant: &tenantEntry{Name: k.Tenant}}}, entries...)
	}
	return k, s.write(entries...)
}

// Revoke ends a key from now on. ledger.ErrNotFound without such a key,
// ledger.ErrPrecondition when it is revoked already.
func (s *Store) Revoke(id, by string) (Key, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	k, ok := s.Key(id)
	switch {
	case !ok:
		return Key{}, fmt.Errorf("access: key %.40q: %w", id, ledger.ErrNotFound)
	case !k.Revoked.IsZero():
		return k, fmt.Errorf("access: key %s was revoked at %s: %w", id, k.Revoked.Format(time.RFC3339), ledger.ErrPrecondition)
	}
	if err := s.write(entry{Time: s.stamp(), By: by, Revoke: id}); err != nil {
		return k, err
	}
	k, _ = s.Key(id)
	return k, nil
}

// SetTenant makes a tenant, or replaces its settings.
func (s *Store) SetTenant(t Tenant, by string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := t.valid(); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	return s.write(entry{Time: s.stamp(), By: by, Tenant: entryOf(t)})
}

// Key returns a key by its id.
func (s *Store) Key(id string) (Key, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if k := s.keys[id]; k != nil {
		return *k, true
	}
	return Key{}, false
}

// Keys returns every key, the revoked and expired ones too, the oldest first.
func (s *Store) Keys() []Key {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]Key, 0, len(s.keys))
	for _, k := range s.keys {
		all = append(all, *k)
	}
	slices.SortFunc(all, func(a, b Key) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return all
}

// Tenant returns a tenant by its name.
func (s *Store) Tenant(name string) (Tenant, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, ok := s.tenants[name]
	t.WebhookHosts = slices.Clone(t.WebhookHosts)
	return t, ok
}

// Tenants returns every tenant, by name.
func (s *Store) Tenants() []Tenant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]Tenant, 0, len(s.tenants))
	for _, t := range s.tenants {
		t.WebhookHosts = slices.Clone(t.WebhookHosts)
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Tenant) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
