package bag

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// manifestName is the payload file that this package writes itself.
const manifestName = "MANIFEST.json"

const (
	longestName = 100
	longestPath = 200
	longestRole = 40
)

// checkName refuses what is no top folder.
func checkName(name string) error {
	if name == "" || len(name) > longestName || strings.Contains(name, "/") || !plain(name) {
		return ledger.Invalid("name of the package", fmt.Sprintf("1 to %d ASCII letters, digits and . _ -, no . or - in front and no . at the end", longestName), name)
	}
	return nil
}

// checkPaths refuses paths that some system would not store as they are: what is no plain name, and two that only their case tells apart or
// of which one is a folder of the other. The paths are relative to data/.
func checkPaths(paths []string) error {
	seen := map[string]string{strings.ToLower(manifestName): "the manifest that is written along"}
	for _, p := range paths {
		if len(p) > longestPath || slices.ContainsFunc(strings.Split(p, "/"), func(part string) bool { return !plain(part) }) {
			return ledger.Invalid("path in the package", fmt.Sprintf("at most %d ASCII letters, digits and . _ - in parts between slashes, no part empty, none with . or - in front or . at the end", longestPath), p)
		}
		folded := strings.ToLower(p)
		if other, ok := seen[folded]; ok {
			return ledger.Invalid("path in the package", "a path of its own, not that of "+other, p)
		}
		seen[folded] = p
	}
	for _, p := range paths {
		folded := strings.ToLower(p)
		for i := range len(folded) {
			if other, ok := seen[folded[:i]]; ok && folded[i] == '/' {
				return ledger.Invalid("path in the package", "a path that is not below the file "+other, p)
			}
		}
	}
	return nil
}

// plain says whether every system stores the name as it is. Names with a dot in front are hidden on some, lose one at the end on others, and
// are read as options of a program with a - in front.
func plain(name string) bool {
	if name == "" || name[0] == '.' || name[0] == '-' || name[len(name)-1] == '.' {
		return false
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func checkRole(path, role string) error {
	bad := func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' }
	if role == "" || len(role) > longestRole || strings.ContainsFunc(role, bad) {
		return ledger.Invalid("role of "+path, fmt.Sprintf("1 to %d lower-case ASCII letters, digits and -", longestRole), role)
	}
	return nil
}
