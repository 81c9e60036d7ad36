package access

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/spoortrace/spoor/ledger"
)

// AuditCheck says what VerifyAudit trusts besides the folder itself.
type AuditCheck struct {
	Key     string // public key that was written down elsewhere; empty: that of the folder
	Earlier []byte // checkpoint that was kept elsewhere; nil: none
}

// AuditReport is what VerifyAudit found to hold.
type AuditReport struct {
	Events     uint64
	Root       string // of the tree, base64
	Key        string // public key that signed
	Checkpoint []byte // to be kept elsewhere
}

// VerifyAudit reads an audit log from its first line, gives each event to each,
// and verifies the chain, the tree and the signature. It needs no key that is
// secret, and the log may be in use. What does not hold is ledger.ErrCorrupt,
// with the line where it begins; events that each has had by then hold up to
// there only.
func VerifyAudit(dir string, check AuditCheck, each func(Event) error) (AuditReport, error) {
	report, err := verifyAudit(dir, check, each)
	if err != nil {
		return AuditReport{}, fmt.Errorf("access: audit log: %w", err)
	}
	return report, nil
}

func verifyAudit(dir string, check AuditCheck, each func(Event) error) (r AuditReport, err error) {
	verifier, key, err := trustedVerifier(dir, check.Key)
	if err != nil {
		return r, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, auditCheckpointName))
	if err != nil {
		return r, fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	}
	last, err := openCheckpoint(raw, verifier)
	if err != nil {
		return r, err
	}
	var earlier checkpoint
	if check.Earlier != nil {
		if earlier, err = openCheckpoint(check.Earlier, verifier); err != nil {
			return r, fmt.Errorf("the earlier one: %w", err)
		}
		if earlier.size > last.size {
			return r, fmt.Errorf("%w: it has %d events and had %d", ledger.ErrCorrupt, last.size, earlier.size)
		}
	}
	if err := replay(filepath.Join(dir, auditLogName), last, earlier, each); err != nil {
		return r, err
	}
	if err := nothingBeyond(dir, last.Bytes); err != nil {
		return r, err
	}
	return AuditReport{last.size, last.root().String(), key, raw}, nil
}

func trustedVerifier(dir, key string) (note.Verifier, string, error) {
	if key == "" {
		raw, err := os.ReadFile(filepath.Join(dir, auditPubName))
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
		}
		v, err := readVerifier(dir)
		return v, strings.TrimSuffix(string(raw), "\n"), err
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, "", ledger.Invalid("key", "the text of audit.pub", key)
	}
	return v, key, nil
}

// replay reads the log up to the length of its checkpoint.
func replay(name string, last, earlier checkpoint, each func(Event) error) error {
	var seen checkpoint
	var end mark
	held := earlier.size == 0
	take := func(body []byte, after mark) error {
		seen = checkpoint{after, seen.with(body)}
		if seen.size == earlier.size {
			held = seen.text() == earlier.text()
		}
		var line eventLine
		if err := decode(body, &line); err != nil {
			return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
		}
		return each(eventOf(after.Lines, line))
	}
	err := readJournal(name, last.Bytes, func(r io.Reader) (err error) {
		end, err = scan(r, mark{}, take)
		return err
	})
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	case errors.Is(err, errTorn):
		return fmt.Errorf("%w: line %d: %w", ledger.ErrCorrupt, end.Lines+1, err)
	case err != nil:
		return err
	case !held:
		return fmt.Errorf("%w: its first %d events are not those of the earlier checkpoint", ledger.ErrCorrupt, earlier.size)
	case seen.text() != last.text():
		return fmt.Errorf("%w: its %d lines are not the %d events that were signed", ledger.ErrCorrupt, end.Lines, last.size)
	}
	return nil
}

// nothingBeyond wants the log to end where the checkpoint says. While a process
// writes, lines come first and their checkpoint at once after them.
func nothingBeyond(dir string, signed int64) error {
	const patience = 20
	for try := range patience {
		size, err := length(filepath.Join(dir, auditLogName))
		if err != nil {
			return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
		}
		if size == signed {
			return nil
		}
		if !inUse(filepath.Join(dir, auditLogName)) {
			break
		}
		if verifier, err := readVerifier(dir); err == nil {
			raw, _ := os.ReadFile(filepath.Join(dir, auditCheckpointName))
			if newer, err := openCheckpoint(raw, verifier); err == nil && newer.Bytes > signed {
				return nil // a process adds to it; what was signed before holds
			}
		}
		if try < patience-1 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	return fmt.Errorf("%w: there are lines beyond the checkpoint, from a crash or by hand; spoor serve signs them with a remark", ledger.ErrCorrupt)
}

// inUse says whether a process holds the lock of a journal.
func inUse(name string) bool {
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

// AuditSubject is what Subject makes of a name, for who may read the key of the log.
func AuditSubject(dir, name string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, auditKeyName))
	if err != nil {
		return "", fmt.Errorf("access: audit log: %w", err)
	}
	return subject(sha256.Sum256(append([]byte("subjects of "), raw...)), []byte(name)), nil
}
