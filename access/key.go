package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Role is what a key may do, as it is kept and printed.
type Role string

// The roles. A reader reads; an investigator and a screener read, too, and
// neither is the other; an admin may do everything.
const (
	Reader       Role = "reader"
	Investigator Role = "investigator"
	Screener     Role = "screener"
	Admin        Role = "admin"
)

// Key is one API key, or one client certificate, of a tenant. Its secret is not in it.
type Key struct {
	ID      string // 16 hex digits, no secret
	Tenant  string
	Name    string // words of whoever made it, such as "deposit desk"
	Role    Role
	Created time.Time
	Expires time.Time // zero: never
	Revoked time.Time // zero: it is not
	// Certificate is set when it is a client certificate in place of a secret.
	Certificate bool

	proof [sha256.Size]byte // SHA-256 of the secret, or of the certificate (DER)
}

// The errors of a key that is shown. An unknown id and a wrong secret are one
// and the same, and that a key has expired or was revoked is said only to who
// has its secret.
var (
	ErrUnknownKey = errors.New("no such key")
	ErrExpiredKey = errors.New("the key has expired")
	ErrRevokedKey = errors.New("the key was revoked")
)

// A token is "spoor_" ID "_" SECRET: a prefix that scanners for leaked secrets
// can look for, the id, and 32 random bytes in hex. They have 256 bits, so that
// a plain hash of them cannot be searched, and a slow one would only cost time.
const (
	tokenPrefix = "spoor_"
	idText      = 16
	secretText  = 64
)

func formatToken(id string, secret [32]byte) string {
	return tokenPrefix + id + "_" + hex.EncodeToString(secret[:])
}

// parseToken takes a token apart; false for everything that formatToken cannot have made.
func parseToken(token string) (id string, secret [32]byte, ok bool) {
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok || len(rest) != idText+1+secretText || rest[idText] != '_' {
		return "", secret, false
	}
	id, text := rest[:idText], rest[idText+1:]
	if !isHex(id) || !isHex(text) {
		return "", secret, false
	}
	_, err := hex.Decode(secret[:], []byte(text))
	return id, secret, err == nil
}

// isHex wants lower case, so that one key has one token.
func isHex(text string) bool {
	return strings.Trim(text, "0123456789abcdef") == ""
}

// check compares what was shown in constant time, then says whether the key is in force.
func (k *Key) check(shown [sha256.Size]byte, now time.Time) error {
	switch {
	case subtle.ConstantTimeCompare(k.proof[:], shown[:]) != 1:
		return ErrUnknownKey
	case !k.Revoked.IsZero():
		return ErrRevokedKey
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return ErrExpiredKey
	}
	return nil
}

// Valid says what is wrong with a key that is to be made.
func (k *Key) valid(now time.Time) error {
	switch k.Role {
	case Reader, Investigator, Screener, Admin:
	default:
		return ledger.Invalid("role", "reader, investigator, screener or admin", string(k.Role))
	}
	if err := validName(k.Tenant); err != nil {
		return err
	}
	if !printable(k.Name) || k.Name == "" || len(k.Name) > 100 {
		return ledger.Invalid("name", "1 to 100 bytes of printable text", k.Name)
	}
	if !k.Expires.IsZero() && !k.Expires.After(now) {
		return ledger.Invalid("expires", "a time to come", k.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}
