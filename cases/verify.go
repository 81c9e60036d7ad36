package cases

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"github.com/spoortrace/spoor/internal/chainlog"
	"github.com/spoortrace/spoor/ledger"
)

// Report is what Verify found to hold.
type Report struct {
	Key   string // public key that signed
	Cases []CaseReport
}

// CaseReport is one case that holds.
type CaseReport struct {
	ID         ID
	Entries    uint64
	Root       string // of the tree, base64
	State      string // SHA-256 of the case that the log adds up to
	Exhibits   int    // whose files hold
	Strays     int    // files beside them that no entry names, from a crash
	Checkpoint []byte // to be kept elsewhere
}

// Check says what Verify trusts besides the folder.
type Check struct {
	Key     string        // public key that was written down elsewhere; empty: custody.pub
	Earlier map[ID][]byte // checkpoints that were kept elsewhere
}

// Verify reads DIR/cases without any secret: chain, tree and checkpoint of each
// log, the file of each exhibit, and that two replays agree. All that does not
// hold is in the error, ledger.ErrCorrupt; the report has the cases that do. No
// process may write meanwhile.
func Verify(dir string, check Check) (Report, error) {
	dir = filepath.Join(dir, "cases")
	verifier, key, err := chainlog.OpenPublic(filepath.Join(dir, "custody"))
	if check.Key != "" {
		key = check.Key
		if verifier, err = note.NewVerifier(key); err != nil {
			return Report{}, ledger.Invalid("key", "the text of custody.pub", key)
		}
	}
	if err != nil {
		return Report{}, fmt.Errorf("cases: %w", err)
	}
	ids, _, err := folders(dir)
	if err != nil {
		return Report{}, fmt.Errorf("cases: %w", err)
	}
	r := Report{Key: key}
	var broken []error
	seen := map[ID]bool{}
	for _, id := range ids {
		seen[id] = true
		one, err := verifyCase(dir, id, verifier, check.Earlier[id])
		if err != nil {
			broken = append(broken, fmt.Errorf("cases: case %s: %w", id, err))
			continue
		}
		r.Cases = append(r.Cases, one)
	}
	for id := range check.Earlier {
		if !seen[id] {
			broken = append(broken, fmt.Errorf("cases: case %s: %w: it is gone", id, ledger.ErrCorrupt))
		}
	}
	return r, errors.Join(broken...)
}

func verifyCase(dir string, id ID, verifier note.Verifier, earlier []byte) (r CaseReport, err error) {
	c, digest, at, err := replay(dir, id, verifier, earlier)
	if err != nil {
		return r, err
	}
	_, again, _, err := replay(dir, id, verifier, nil)
	if err != nil {
		return r, err
	}
	if again != digest {
		return r, fmt.Errorf("%w: two replays of one log differ", ledger.ErrCorrupt)
	}
	if _, err := os.Lstat(filepath.Join(dir, "keys", string(id))); c.Erased && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%w: it is recorded as erased, and its key is there", ledger.ErrCorrupt)
	}
	strays, err := verifyExhibits(filepath.Join(dir, string(id), "exhibits"), c.Exhibits)
	if err != nil {
		return r, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, string(id), "custody.checkpoint"))
	return CaseReport{id, c.Sequence, at.Root.String(), digest, len(c.Exhibits), strays, bytes.Clone(raw)}, err
}

func replay(dir string, id ID, verifier note.Verifier, earlier []byte) (c Case, digest string, at chainlog.Checkpoint, err error) {
	c.ID = id
	at, err = chainlog.Verify(filepath.Join(dir, string(id), "custody"), originOf(id), verifier, chainlog.Check{Earlier: earlier}, c.take)
	if err != nil {
		return c, "", at, err
	}
	if c.Sequence == 0 {
		return c, "", at, fmt.Errorf("%w: it was never opened", ledger.ErrCorrupt)
	}
	digest, err = c.Digest()
	return c, digest, at, err
}

// Digest is the SHA-256 of the case as JSON, in hex.
func (c *Case) Digest() (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// verifyExhibits compares each file with its hash and counts those that no entry names.
func verifyExhibits(dir string, want []Exhibit) (strays int, err error) {
	for _, x := range want {
		got, err := hashFile(filepath.Join(dir, x.SHA256))
		if err != nil {
			return 0, fmt.Errorf("%w: exhibit: %w", ledger.ErrCorrupt, err)
		}
		if got != x.SealedSHA256 {
			return 0, fmt.Errorf("%w: exhibit %s: the file has the hash %s, and entry %d says %s", ledger.ErrCorrupt, x.SHA256, got, x.Sequence, x.SealedSHA256)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("%w: exhibits: %w", ledger.ErrCorrupt, err)
	}
	return len(entries) - len(want), nil
}

func hashFile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
