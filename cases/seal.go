package cases

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spoortrace/spoor/internal/chainlog"
	"github.com/spoortrace/spoor/ledger"
)

// Person is what is known of a victim. It is stored sealed.
type Person struct {
	Name    string `json:"name"`
	Contact string `json:"contact,omitempty"`
	Text    string `json:"text,omitempty"`
}

// Remarks are the free texts of a payment. They are stored sealed.
type Remarks struct {
	BankLeg string `json:"bank_leg,omitempty"`
	Note    string `json:"note,omitempty"`
}

// caseKey seals what one case has of persons.
type caseKey [32]byte

// seal encrypts with a fresh nonce. about binds the box to its place: one that
// was moved does not open.
func (k caseKey) seal(plain []byte, about string) ([]byte, error) {
	gcm, err := k.gcm()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return gcm.Seal(nonce, nonce, plain, []byte(about)), nil
}

func (k caseKey) open(box []byte, about string) ([]byte, error) {
	gcm, err := k.gcm()
	if err != nil {
		return nil, err
	}
	if len(box) < gcm.NonceSize() {
		return nil, fmt.Errorf("%w: %s: a sealed text of %d bytes", ledger.ErrCorrupt, about, len(box))
	}
	plain, err := gcm.Open(nil, box[:gcm.NonceSize()], box[gcm.NonceSize():], []byte(about))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ledger.ErrCorrupt, about, err)
	}
	return plain, nil
}

func (k caseKey) gcm() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (k caseKey) sealJSON(v any, about string) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return k.seal(plain, about)
}

func (k caseKey) openJSON(box []byte, about string, into any) error {
	plain, err := k.open(box, about)
	if err != nil {
		return err
	}
	return decode(plain, into)
}

// match is the same for the same name, whatever its case and spaces.
func (k caseKey) match(name string) string {
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte("victim " + strings.ToLower(strings.Join(strings.Fields(name), " "))))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// makeKey draws the key of a case and keeps it, wrapped where there is a key for that.
func (s *Store) makeKey(id ID) error {
	var k caseKey
	if _, err := rand.Read(k[:]); err != nil {
		return err
	}
	return s.keepKey(id, k)
}

func (s *Store) keepKey(id ID, k caseKey) error {
	text := "key " + hex.EncodeToString(k[:]) + "\n"
	if s.wrap != nil {
		box, err := s.wrap.seal(k[:], "key of "+string(id))
		if err != nil {
			return err
		}
		text = "wrapped " + hex.EncodeToString(box) + "\n"
	}
	return chainlog.Replace(s.keyName(id), []byte(text), 0o600)
}

func (s *Store) keyName(id ID) string { return filepath.Join(s.dir, "keys", string(id)) }

// keyOf reads the key of a case. Where it was erased the error is ErrPrecondition.
func (s *Store) keyOf(c *Case) (k caseKey, err error) {
	if c.Erased {
		return k, errErased
	}
	raw, err := os.ReadFile(s.keyName(c.ID))
	if errors.Is(err, os.ErrNotExist) {
		return k, fmt.Errorf("%w: the key of the case is gone, and no entry says that it was erased", ledger.ErrCorrupt)
	}
	if err != nil {
		return k, err
	}
	form, digits, _ := strings.Cut(strings.TrimSuffix(string(raw), "\n"), " ")
	box, err := hex.DecodeString(digits)
	if err != nil {
		return k, fmt.Errorf("%w: the file of the key", ledger.ErrCorrupt) // the cause might repeat it
	}
	if form == "wrapped" {
		if s.wrap == nil {
			return k, fmt.Errorf("%w: the key of the case is wrapped; give the wrapping key", ledger.ErrPrecondition)
		}
		if box, err = s.wrap.open(box, "key of "+string(c.ID)); err != nil {
			return k, err
		}
	}
	if len(box) != len(k) || form != "key" && form != "wrapped" {
		return k, fmt.Errorf("%w: the file of the key", ledger.ErrCorrupt)
	}
	return caseKey(box), nil
}

// dropKey deletes the key of a case.
func (s *Store) dropKey(id ID) error {
	if err := os.Remove(s.keyName(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return chainlog.SyncDir(filepath.Join(s.dir, "keys"))
}
