package access

import (
	"crypto/sha256"
	"errors"
)

// Authenticate returns the key whose token was shown, and its tenant. Errors are
// ErrUnknownKey, which a token that is none is, too; ErrExpiredKey and
// ErrRevokedKey come with the key.
func (s *Store) Authenticate(token string) (Key, Tenant, error) {
	id, secret, ok := parseToken(token)
	if !ok {
		return Key{}, Tenant{}, ErrUnknownKey
	}
	return s.admit(id, sha256.Sum256(secret[:]), false)
}

// InForce returns the tenant of a key that was let in before, or why it would
// not be any more: ErrExpiredKey or ErrRevokedKey.
func (s *Store) InForce(id string) (Tenant, error) {
	s.mu.RLock()
	k, ok := s.keys[id]
	if !ok {
		s.mu.RUnlock()
		return Tenant{}, ErrUnknownKey
	}
	t := s.tenants[k.Tenant]
	s.mu.RUnlock()
	return t, k.check(k.proof, s.now())
}

// AuthenticateCertificate does the same for a client certificate whose private
// key the client has proven to hold.
func (s *Store) AuthenticateCertificate(fingerprint [sha256.Size]byte) (Key, Tenant, error) {
	s.mu.RLock()
	id, ok := s.certificates[fingerprint]
	s.mu.RUnlock()
	if !ok {
		return Key{}, Tenant{}, ErrUnknownKey
	}
	return s.admit(id, fingerprint, true)
}

// admit compares with a key that nobody has where there is none, so that an
// unknown id takes as long as a wrong secret. What a certificate's key keeps is
// public, and never passes as the hash of a secret.
func (s *Store) admit(id string, shown [sha256.Size]byte, certificate bool) (Key, Tenant, error) {
	s.mu.RLock()
	known := s.keys[id]
	if known == nil || known.Certificate != certificate {
		known = &Key{}
	}
	k := *known
	t := s.tenants[k.Tenant]
	s.mu.RUnlock()
	err := k.check(shown, s.now())
	if errors.Is(err, ErrUnknownKey) {
		return Key{}, Tenant{}, err
	}
	return k, t, err
}
