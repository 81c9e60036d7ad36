package cases

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// ID names a case and its folder: lower-case letters, digits and '-', ending in
// '-' and eight hex digits.
type ID string

// newID maps a case number of a tenant to an id. The hash keeps numbers apart
// that differ only in what a file name cannot hold; the same number of the same
// tenant is the same case. Without a number the id is drawn.
func newID(tenant, number string) ID {
	if number == "" {
		number = rand.Text()
		sum := sha256.Sum256([]byte(number))
		return ID("case-" + hex.EncodeToString(sum[:4]) + "-" + hex.EncodeToString(sum[4:8]))
	}
	sum := sha256.Sum256([]byte(tenant + "\x00" + number))
	var b strings.Builder
	for _, r := range strings.ToLower(number) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			r = '-'
		}
		if b.Len() < 40 {
			b.WriteRune(r)
		}
	}
	slug := strings.Trim(b.String(), "-")
	if slug == "" {
		slug = "case"
	}
	return ID(slug + "-" + hex.EncodeToString(sum[:4]))
}

// ParseID refuses what newID cannot have made, path parts before all.
func ParseID(s string) (ID, error) {
	at := strings.LastIndexByte(s, '-')
	if at < 1 || len(s) > 49 || len(s)-at != 9 || strings.Trim(s[at+1:], "0123456789abcdef") != "" || strings.Trim(s[:at], "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || s[0] == '-' {
		return "", ledger.Invalid("case", "an id such as zx81-3f2a77b0", s)
	}
	return ID(s), nil
}
