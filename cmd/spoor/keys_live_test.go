package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// made makes a key and returns its id and token.
func made(t *testing.T, args ...string) (id, token string) {
	t.Helper()
	out, errOut, status := call(t, append([]string{"key", "new", "-o", "csv"}, args...)...)
	row := regexp.MustCompile(`(?m)^([0-9a-f]{16}),.*,(spoor_\S+)$`).FindStringSubmatch(out)
	if status != 0 || row == nil {
		t.Fatalf("key new: exit status %d\n%s%s", status, out, errOut)
	}
	return row[1], row[2]
}

// TestServeKeys: a server of a data directory with keys lets only them in; a
// key that is revoked at the socket file ends at once; and what was done with
// keys stands in the audit log.
func TestServeKeys(t *testing.T) {
	dir := demoIndex(t)
	t.Setenv("SPOOR_KEY", "")
	_, admin := made(t, "--data", dir, "--tenant", "acme", "--role", "admin", "--name", "root")
	id, reader := made(t, "--data", dir, "--tenant", "acme", "--role", "reader", "--name", "report")
	address := serving(t, "--data", dir)
	ask := func(want int, text string, args ...string) {
		t.Helper()
		if out, errOut, status := call(t, append(args, "--server", address)...); status != want || !strings.Contains(out+errOut, text) {
			t.Errorf("%v: exit status %d, want %d and %q\n%s%s", args, status, want, text, out, errOut)
		}
	}
	ask(1, "no API key", "index", "status")
	ask(1, "--key-file", "index", "status")
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(reader+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask(0, "bitcoin", "index", "status", "--key-file", file)
	ask(1, "needs the role ROLE_ADMIN; the key "+id, "key", "list", "--key-file", file)
	t.Setenv("SPOOR_KEY", admin)
	ask(0, "2 keys of 1 tenant", "key", "list")
	if _, errOut, status := call(t, "key", "revoke", id, "--data", dir); status != 0 {
		t.Errorf("revoke at the socket file: exit status %d\n%s", status, errOut)
	}
	ask(1, "the key was revoked", "index", "status", "--key-file", file)
	out, errOut, status := call(t, "key", "audit", "--data", dir, "-o", "csv")
	if status != 0 {
		t.Errorf("audit: exit status %d\n%s", status, errOut)
	}
	for _, line := range []string{"acme," + id + ",report,reader,/spoor.v1.AdminService/ListKeys,,PERMISSION_DENIED", ",root,admin,/spoor.v1.AdminService/ListKeys,"} {
		if !strings.Contains(out, line) {
			t.Errorf("the audit log does not say %q:\n%s", line, out)
		}
	}
	if strings.Contains(out, reader) || strings.Contains(out, admin) {
		t.Error("the audit log holds a secret")
	}
}
