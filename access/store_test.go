package access_test

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/ledger"
)

// clock is a time that a test moves by hand.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClock() *clock { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)} }

func open(t testing.TB, dir string, c *clock) *access.Store {
	t.Helper()
	s, err := access.Open(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // once more, where a test closed it
	return s
}

func newKey(t testing.TB, s *access.Store, k access.Key) (access.Key, string) {
	t.Helper()
	made, token, err := s.NewKey(k, "test")
	if err != nil {
		t.Fatal(err)
	}
	return made, token
}

var plainKey = access.Key{Tenant: "acme", Name: "desk", Role: access.Screener}

// same compares what a store holds.
func same(t testing.TB, what string, got, want *access.Store) {
	t.Helper()
	if d := cmp.Diff(want.Keys(), got.Keys(), cmpopts.IgnoreUnexported(access.Key{})); d != "" {
		t.Errorf("%s: keys: %s", what, d)
	}
	if d := cmp.Diff(want.Tenants(), got.Tenants()); d != "" {
		t.Errorf("%s: tenants: %s", what, d)
	}
}

func TestKeys(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	s := open(t, dir, c)
	k, token := newKey(t, s, plainKey)
	short, shortToken := newKey(t, s, access.Key{Tenant: "acme", Name: "short", Role: access.Reader, Expires: c.at.Add(time.Hour)})
	if err := s.SetTenant(access.Tenant{Name: "acme", Rate: 7, Sandbox: true, WebhookHosts: []string{"hooks.example:8443"}}, "test"); err != nil {
		t.Fatal(err)
	}
	got, tenant, err := s.Authenticate(token)
	if err != nil || got.ID != k.ID || got.Role != access.Screener || tenant.Rate != 7 || !tenant.Sandbox {
		t.Fatalf("key %v of %v: %v", got, tenant, err)
	}
	c.at = c.at.Add(time.Hour)
	if got, _, err := s.Authenticate(shortToken); !errors.Is(err, access.ErrExpiredKey) || got.ID != short.ID {
		t.Errorf("an expired key: %v", err)
	}
	if _, err := s.Revoke(k.ID, "test"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Authenticate(token); !errors.Is(err, access.ErrRevokedKey) {
		t.Errorf("a revoked key: %v", err)
	}
	if _, err := s.Revoke(k.ID, "test"); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("revoked twice: %v", err)
	}
	if _, err := s.Revoke("0123456789abcdef", "test"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("revoked what is none: %v", err)
	}
	if _, err := access.Open(dir, c.now); !errors.Is(err, ledger.ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	again := reopened(t, dir, c)
	same(t, "reopened", again, s)
	if _, _, err := again.Authenticate(token); !errors.Is(err, access.ErrRevokedKey) {
		t.Errorf("a revoked key after reopening: %v", err)
	}
}

// reopened opens a copy of a store's files, as a process after a crash would.
func reopened(t testing.TB, dir string, c *clock) *access.Store {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return open(t, to, c)
}

// TestWrongTokens: every token but the one that was given is no key, and an
// expired or revoked key is called so only to who has its secret.
func TestWrongTokens(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c)
	k, token := newKey(t, s, plainKey)
	if _, err := s.Revoke(k.ID, "test"); err != nil {
		t.Fatal(err)
	}
	wrong := []string{
		"", " ", token + " ", " " + token, token[:len(token)-1], token + "0", strings.ToUpper(token), strings.TrimPrefix(token, "spoor_"),
		"spoor_" + k.ID + "_" + strings.Repeat("0", 64), "spoor_0000000000000000_" + token[len(token)-64:], "spoor_" + k.ID, "Bearer " + token,
	}
	for i := range token {
		wrong = append(wrong, token[:i]+flipped(token[i])+token[i+1:])
	}
	for _, w := range wrong {
		if got, tenant, err := s.Authenticate(w); !errors.Is(err, access.ErrUnknownKey) || got.ID != "" || tenant.Name != "" {
			t.Errorf("%q: %v, %v, %v", w, got, tenant, err)
		}
	}
}

func flipped(b byte) string {
	if b == '0' {
		return "1"
	}
	return "0"
}

// TestCertificate: a certificate is known by its fingerprint, which is public
// and no secret of a token.
func TestCertificate(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c)
	print := sha256.Sum256([]byte("certificate"))
	k, err := s.NewCertificate(plainKey, print, "test")
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := s.AuthenticateCertificate(print); err != nil || got.ID != k.ID || !got.Certificate {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := s.NewCertificate(plainKey, print, "test"); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("the same certificate twice: %v", err)
	}
	if _, _, err := s.AuthenticateCertificate(sha256.Sum256(nil)); !errors.Is(err, access.ErrUnknownKey) {
		t.Errorf("another certificate: %v", err)
	}
	if _, err := s.Revoke(k.ID, "test"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.AuthenticateCertificate(print); !errors.Is(err, access.ErrRevokedKey) {
		t.Errorf("a revoked certificate: %v", err)
	}
}

func TestRefusedKeys(t *testing.T) {
	c := newClock()
	s := open(t, t.TempDir(), c)
	for field, k := range map[string]access.Key{
		"role":    {Tenant: "acme", Name: "x", Role: "root"},
		"tenant":  {Tenant: "../acme", Name: "x", Role: access.Reader},
		"name":    {Tenant: "acme", Name: "a\nb", Role: access.Reader},
		"expires": {Tenant: "acme", Name: "x", Role: access.Reader, Expires: c.at},
	} {
		var invalid *ledger.InvalidError
		if _, _, err := s.NewKey(k, "test"); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, _, err := s.NewKey(access.Key{Tenant: access.LocalTenant, Name: "x", Role: access.Reader}, "test"); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a key of those without a key: %v", err)
	}
	for _, bad := range []access.Tenant{
		{Name: ""}, {Name: "a", Rate: 1 << 30}, {Name: "a", WebhookHosts: []string{"http://x"}}, {Name: "a", WebhookHosts: []string{"x:99999"}},
	} {
		if err := s.SetTenant(bad, "test"); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if len(s.Keys())+len(s.Tenants()) != 0 {
		t.Errorf("kept %v and %v", s.Keys(), s.Tenants())
	}
}

// TestFiles: only this user can read the files, and no secret is in them.
func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "access")
	s := open(t, dir, newClock())
	_, token := newKey(t, s, plainKey)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", f.Name(), info.Mode(), err)
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil || strings.Contains(string(text), token[len(token)-64:]) {
			t.Errorf("%s holds the secret, or cannot be read: %v", f.Name(), err)
		}
	}
}
