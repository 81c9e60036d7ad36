package bag

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"aead.dev/minisign"

	"github.com/spoortrace/spoor/ledger"
)

// Key is the examiner's own, in the format of the program minisign: either makes and reads the other's.
type Key struct{ private minisign.PrivateKey }

// Public is the half of a Key that others check with.
type Public struct{ key minisign.PublicKey }

// longestLegacy bounds what Verify holds of a package that was signed without hashing it first (minisign -l), for which all of it is needed.
const longestLegacy = 1 << 30

// NewKey makes a key and returns its two files, as minisign -G does. With a password the private one is encrypted, which takes some seconds
// and 1 GiB of memory, as does reading it; without one, whoever has the file can sign.
func NewKey(password string) (private, public []byte, err error) {
	pub, key, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("bag: new key: %w", err)
	}
	if public, err = pub.MarshalText(); err != nil {
		return nil, nil, fmt.Errorf("bag: new key: %w", err)
	}
	if password == "" {
		private, err = key.MarshalText()
	} else {
		private, err = minisign.EncryptKey(password, key)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("bag: new key: %w", err)
	}
	return append(private, '\n'), append(public, '\n'), nil
}

// ReadKey reads a private key file. The password is needed where the key is encrypted; no error repeats the key.
func ReadKey(file []byte, password string) (Key, error) {
	file = bytes.TrimSpace(file)
	if minisign.IsEncrypted(file) {
		key, err := minisign.DecryptKey(password, file)
		if err != nil {
			return Key{}, fmt.Errorf("bag: private key: %w: the password is wrong, or the file is damaged", ledger.ErrInvalid)
		}
		return Key{key}, nil
	}
	var key minisign.PrivateKey
	if err := key.UnmarshalText(file); err != nil {
		return Key{}, fmt.Errorf("bag: private key: %w: not in the format of minisign", ledger.ErrInvalid)
	}
	return Key{key}, nil
}

// ReadPublic reads a public key file, or the one line of it that matters.
func ReadPublic(file []byte) (Public, error) {
	var key minisign.PublicKey
	if err := key.UnmarshalText(bytes.TrimSpace(file)); err != nil {
		return Public{}, fmt.Errorf("bag: public key: %w: %w", ledger.ErrInvalid, err)
	}
	return Public{key}, nil
}

// Public returns the half of the key to give away.
func (k Key) Public() (Public, error) {
	key, ok := k.private.Public().(minisign.PublicKey)
	if !ok {
		return Public{}, fmt.Errorf("bag: %w: the key has no public half", ledger.ErrInvalid)
	}
	return Public{key}, nil
}

// ID is the key's id as minisign prints it: 16 upper-case hex digits. It is a name, and proves nothing.
func (p Public) ID() string { return fmt.Sprintf("%016X", p.key.ID()) }

// String is the line that minisign -P takes.
func (p Public) String() string { return p.key.String() }

// Sign returns the text of NAME.zip.minisig for a package that was found whole. The same key and package give the same text: it says no time.
func Sign(k Key, b *Bag) ([]byte, error) {
	public, err := k.Public()
	if err != nil {
		return nil, err
	}
	r := minisign.NewReader(b.Raw())
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, fmt.Errorf("bag: sign %s.zip: %w", b.info.Name, err)
	}
	comment := fmt.Sprintf("package %s.zip sha256 %s root %s", b.info.Name, b.sum.SHA256, b.sum.Root)
	signature := r.SignWithComments(k.private, comment, "signature by the key "+public.ID())
	// The check refuses a key whose halves do not fit, and a zip that changed since it was opened.
	if _, err := Verify(public, b.Raw(), signature); err != nil {
		return nil, fmt.Errorf("bag: sign %s.zip: %w", b.info.Name, err)
	}
	return signature, nil
}

// Verify checks what Sign or any minisign made of the zip and returns its trusted comment, which the signature covers, too. It takes both
// forms: hashed first, and as old minisign and minisign -l sign. A comment that names a sha256 as Sign's does must name that of the zip. The
// untrusted comment is covered by nothing, and not returned.
func Verify(p Public, zip io.Reader, signature []byte) (comment string, err error) {
	s, err := parseSignature(signature)
	if err != nil {
		return "", err
	}
	if s.KeyID != p.key.ID() {
		return "", fmt.Errorf("bag: signature: %w: it is by the key %016X, not by %s", ledger.ErrInvalid, s.KeyID, p.ID())
	}
	sha := sha256.New()
	zip = io.TeeReader(zip, sha)
	good, err := verifyForm(p, zip, s, signature)
	if err != nil {
		return "", err
	}
	if !good {
		return "", fmt.Errorf("bag: signature: %w: it does not fit the package and its comment under the key %s", ledger.ErrCorrupt, p.ID())
	}
	if word := strings.Fields(s.TrustedComment); len(word) == 6 && word[0] == "package" && word[2] == "sha256" && word[3] != hex.EncodeToString(sha.Sum(nil)) {
		return "", fmt.Errorf("bag: signature: %w: its comment names the sha256 %q, and the package has %x", ledger.ErrCorrupt, word[3], sha.Sum(nil))
	}
	return s.TrustedComment, nil
}

func verifyForm(p Public, zip io.Reader, s minisign.Signature, signature []byte) (bool, error) {
	if s.Algorithm == minisign.HashEdDSA {
		r := minisign.NewReader(zip)
		if _, err := io.Copy(io.Discard, r); err != nil {
			return false, fmt.Errorf("bag: signature: %w", err)
		}
		return r.Verify(p.key, signature), nil
	}
	message, err := io.ReadAll(io.LimitReader(zip, longestLegacy+1))
	if err != nil {
		return false, fmt.Errorf("bag: signature: %w", err)
	}
	if len(message) > longestLegacy {
		return false, fmt.Errorf("bag: signature: %w: made without hashing first, over more than %d bytes", ledger.ErrExhausted, longestLegacy)
	}
	return minisign.Verify(p.key, message, signature), nil
}

// parseSignature takes the one text that a signature has, with the line ends of any system.
func parseSignature(text []byte) (s minisign.Signature, err error) {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	if err := s.UnmarshalText(text); err != nil {
		return s, fmt.Errorf("bag: signature: %w: %w", ledger.ErrInvalid, err)
	}
	again, err := s.MarshalText()
	if err != nil || !bytes.Equal(again, text) {
		return s, fmt.Errorf("bag: signature: %w: not in the form in which minisign writes it", ledger.ErrInvalid)
	}
	return s, nil
}
