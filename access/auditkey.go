package access

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/spoortrace/spoor/ledger"
)

// start is where an audit log goes on.
type start struct {
	checkpoint
	head head
}

// openKey reads the key and the checkpoint, or makes the key of a new log.
func (a *Audit) openKey(dir string) (s start, err error) {
	name := filepath.Join(dir, auditKeyName)
	s.head.name = filepath.Join(dir, auditCheckpointName)
	raw, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		raw, err = makeKey(dir)
	}
	if err != nil {
		return s, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return s, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return s, ledger.Invalid(auditKeyName, "a file that only its owner can read", fmt.Sprintf("mode %04o", info.Mode().Perm()))
	}
	if a.signer, err = note.NewSigner(strings.TrimSpace(string(raw))); err != nil {
		return s, fmt.Errorf("%s: %w", auditKeyName, ledger.ErrCorrupt) // the cause might repeat the key
	}
	a.secret = sha256.Sum256(append([]byte("subjects of "), raw...))
	s.head.text, err = os.ReadFile(s.head.name)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil // nothing was acknowledged
	}
	if err != nil {
		return s, err
	}
	verifier, err := readVerifier(dir)
	if err != nil {
		return s, err
	}
	s.checkpoint, err = openCheckpoint(s.head.text, verifier)
	s.head.mark = s.mark
	return s, err
}

// makeKey makes the key of a log that has no line. A log that lost its key is not given another.
func makeKey(dir string) ([]byte, error) {
	if info, err := os.Stat(filepath.Join(dir, auditLogName)); err == nil && info.Size() > 0 {
		return nil, fmt.Errorf("%s: %w: there is a log, and the key that signs it is gone", auditKeyName, ledger.ErrCorrupt)
	}
	private, public, err := note.GenerateKey(rand.Reader, auditKey)
	if err != nil {
		return nil, err
	}
	// The public half first: without the private one, both are made anew.
	if _, err := replace(filepath.Join(dir, auditPubName), []byte(public+"\n")); err != nil {
		return nil, err
	}
	raw := []byte(private + "\n")
	_, err = replace(filepath.Join(dir, auditKeyName), raw)
	return raw, err
}

func readVerifier(dir string) (note.Verifier, error) {
	raw, err := os.ReadFile(filepath.Join(dir, auditPubName))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	}
	v, err := note.NewVerifier(strings.TrimSuffix(string(raw), "\n"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", auditPubName, ledger.ErrCorrupt, err)
	}
	return v, nil
}
