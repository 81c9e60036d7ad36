package access_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/ledger"
)

// snapshot is what lies in a store's folder.
type snapshot struct{ log, head []byte }

func read(t testing.TB, dir string) (s snapshot) {
	t.Helper()
	var err, missing error
	s.log, err = os.ReadFile(filepath.Join(dir, "keys.log"))
	s.head, missing = os.ReadFile(filepath.Join(dir, "keys.head"))
	if err != nil || missing != nil && !errors.Is(missing, os.ErrNotExist) {
		t.Fatal(err, missing)
	}
	return s
}

func (s snapshot) write(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := os.WriteFile(filepath.Join(dir, "keys.log"), s.log, 0o600)
	if err == nil && s.head != nil {
		err = os.WriteFile(filepath.Join(dir, "keys.head"), s.head, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTorn cuts the log at every byte of its last write, with the head of before
// and of after it: a key that was acknowledged is there or the store refuses to
// open, and what was not is there whole or not at all.
func TestTorn(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	s := open(t, dir, c)
	_, first := newKey(t, s, plainKey)
	before := read(t, dir)
	_, second := newKey(t, s, plainKey)
	after := read(t, dir)
	for length := range len(after.log) + 1 {
		for _, head := range [][]byte{nil, before.head, after.head} {
			acknowledged := 0
			switch {
			case string(head) == string(before.head):
				acknowledged = len(before.log)
			case string(head) == string(after.head):
				acknowledged = len(after.log)
			}
			got, err := access.Open(snapshot{after.log[:length], head}.write(t), c.now)
			if length < acknowledged {
				if !errors.Is(err, ledger.ErrCorrupt) {
					t.Fatalf("%d of %d bytes: %v", length, acknowledged, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%d bytes, %d of them acknowledged: %v", length, acknowledged, err)
			}
			_, _, err1 := got.Authenticate(first)
			_, _, err2 := got.Authenticate(second)
			if (err1 == nil) != (length >= len(before.log)) || (err2 == nil) != (length == len(after.log)) {
				t.Errorf("%d bytes: first key %v, second %v", length, err1, err2)
			}
			if length%16 == 0 { // it goes on
				newKey(t, got, plainKey)
			}
			if err := got.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDamage: any byte of the log or its head that changes keeps the store from opening.
func TestDamage(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	s := open(t, dir, c)
	newKey(t, s, plainKey)
	newKey(t, s, plainKey)
	whole := read(t, dir)
	for at := range len(whole.log) + len(whole.head) {
		damaged := snapshot{append([]byte{}, whole.log...), append([]byte{}, whole.head...)}
		if at < len(whole.log) {
			damaged.log[at] ^= 1
		} else {
			damaged.head[at-len(whole.log)] ^= 1
		}
		if got, err := access.Open(damaged.write(t), c.now); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("byte %d: %v, %v", at, got, err)
		}
	}
}

// TestNoRoom: a key that cannot be written is none, nothing of it is left, and
// the store goes on once it can write again.
func TestNoRoom(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	s := open(t, dir, c)
	newKey(t, s, plainKey)
	whole := read(t, dir)
	block := filepath.Join(dir, "keys.head.new") // no head can be written while there is a folder of its name
	if err := os.Mkdir(block, 0o700); err != nil {
		t.Fatal(err)
	}
	if k, token, err := s.NewKey(plainKey, "test"); err == nil || token != "" || len(s.Keys()) != 1 {
		t.Errorf("a key that is not written: %v, %q, %v", k, token, err)
	}
	if _, err := s.Revoke(s.Keys()[0].ID, "test"); err == nil || !s.Keys()[0].Revoked.IsZero() {
		t.Errorf("a revocation that is not written: %v, %v", s.Keys()[0], err)
	}
	if got := read(t, dir); string(got.log) != string(whole.log) || string(got.head) != string(whole.head) {
		t.Errorf("left behind:\n%s", got.log)
	}
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	newKey(t, s, plainKey)
	same(t, "reopened", reopened(t, dir, c), s)
}
