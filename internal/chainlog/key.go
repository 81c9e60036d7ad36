package chainlog

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/spoortrace/spoor/ledger"
)

// Key signs checkpoints.
type Key struct {
	note.Signer
	Verifier note.Verifier
	Public   string // what NewVerifier takes, to be written down elsewhere
}

// OpenKey reads the files NAME.key and NAME.pub, or makes them where fresh says
// that nothing was signed yet: a log that lost its key is not given another.
func OpenKey(name, identity string, fresh bool) (k Key, err error) {
	raw, err := os.ReadFile(name + ".key")
	if errors.Is(err, os.ErrNotExist) && fresh {
		raw, err = makeKey(name, identity)
	}
	if errors.Is(err, os.ErrNotExist) {
		return k, fmt.Errorf("chainlog: %w: there are logs, and the key that signs them is gone: %w", ledger.ErrCorrupt, err)
	}
	if err != nil {
		return k, fmt.Errorf("chainlog: %w", err)
	}
	info, err := os.Stat(name + ".key")
	if err != nil {
		return k, fmt.Errorf("chainlog: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return k, ledger.Invalid(info.Name(), "a file that only its owner can read", fmt.Sprintf("mode %04o", info.Mode().Perm()))
	}
	if k.Signer, err = note.NewSigner(strings.TrimSpace(string(raw))); err != nil {
		return k, fmt.Errorf("chainlog: %s: %w", info.Name(), ledger.ErrCorrupt) // the cause might repeat the key
	}
	k.Verifier, k.Public, err = OpenPublic(name)
	if err == nil && (k.Verifier.Name() != k.Name() || k.Verifier.KeyHash() != k.KeyHash()) {
		err = fmt.Errorf("chainlog: %w: %s.pub is of another key", ledger.ErrCorrupt, name)
	}
	return k, err
}

// makeKey writes the public half first: without the private one, both are made anew.
func makeKey(name, identity string) ([]byte, error) {
	private, public, err := note.GenerateKey(rand.Reader, identity)
	if err != nil {
		return nil, err
	}
	if err := Replace(name+".pub", []byte(public+"\n"), 0o644); err != nil {
		return nil, err
	}
	raw := []byte(private + "\n")
	return raw, Replace(name+".key", raw, 0o600)
}

// OpenPublic reads NAME.pub.
func OpenPublic(name string) (note.Verifier, string, error) {
	raw, err := os.ReadFile(name + ".pub")
	if err != nil {
		return nil, "", fmt.Errorf("chainlog: %w: %w", ledger.ErrCorrupt, err)
	}
	text := strings.TrimSuffix(string(raw), "\n")
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, "", fmt.Errorf("chainlog: %s.pub: %w: %w", name, ledger.ErrCorrupt, err)
	}
	return v, text, nil
}
