package bag

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func key(t testing.TB, file, password string) (Key, Public) {
	t.Helper()
	k, err := ReadKey(testdata(t, file), password)
	if err != nil {
		t.Fatal(err)
	}
	p, err := k.Public()
	if err != nil {
		t.Fatal(err)
	}
	return k, p
}

// What the program minisign made: its keys, encrypted and not, and both forms of its signatures.
func TestMinisignsOwnFiles(t *testing.T) {
	raw, _ := write(t, exampleFiles(), exampleInfo())
	p, err := ReadPublic(testdata(t, "minisign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"hashed.minisig": "timestamp:1795436402\tfile:case-7-full.zip\thashed", "legacy.minisig": "case 7, by hand",
	} {
		signature := testdata(t, name)
		if got, err := Verify(p, bytes.NewReader(raw), signature); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
		windows := bytes.ReplaceAll(signature, []byte("\n"), []byte("\r\n"))
		if _, err := Verify(p, bytes.NewReader(raw), windows); err != nil {
			t.Errorf("%s with other line ends: %v", name, err)
		}
	}
	for file, password := range map[string]string{"plain.key": "", "minisign.key": "correct horse"} {
		if _, got := key(t, file, password); got.String() != p.String() || got.ID() != "E4436CCF9A0F8DC1" {
			t.Errorf("%s: got %s %s, want %s", file, got.ID(), got, p)
		}
	}
	if line, err := ReadPublic([]byte(p.String())); err != nil || line.ID() != p.ID() {
		t.Errorf("the line alone: %v, %v", line, err)
	}
}

func TestSign(t *testing.T) {
	raw, sum := write(t, exampleFiles(), exampleInfo())
	k, p := key(t, "plain.key", "")
	signature, err := Sign(k, open(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	want := "package case-7-full.zip sha256 " + sum.SHA256 + " root " + sum.Root
	if got, err := Verify(p, bytes.NewReader(raw), signature); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if again, err := Sign(k, open(t, raw)); err != nil || !bytes.Equal(again, signature) {
		t.Errorf("signed again: %s, %v, was %s", again, err, signature)
	}
}

// Every single bit of the zip and of the signature counts, but for the untrusted comment.
func TestSignatureOfAnythingElse(t *testing.T) {
	raw, _ := write(t, exampleFiles()[:1], Info{Name: "a"})
	k, p := key(t, "plain.key", "")
	signature, err := Sign(k, open(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	covered := bytes.IndexByte(signature, '\n')
	for bit := 8 * covered; bit < 8*len(signature); bit++ {
		changed := slices.Clone(signature)
		changed[bit/8] ^= 1 << (bit % 8)
		if comment, err := Verify(p, bytes.NewReader(raw), changed); !errors.Is(err, ledger.ErrCorrupt) && !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("bit %d of byte %d of the signature: %q, %v", bit%8, bit/8, comment, err)
		}
	}
	for at := range raw {
		raw[at] ^= 1
		if _, err := Verify(p, bytes.NewReader(raw), signature); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("byte %d of the zip: %v", at, err)
		}
		raw[at] ^= 1
	}
	for _, text := range [][]byte{nil, []byte("x"), signature[:len(signature)-1], append(slices.Clone(signature), '\n')} {
		if _, err := Verify(p, bytes.NewReader(raw), text); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSignatureOfAnotherKey(t *testing.T) {
	raw, _ := write(t, exampleFiles(), exampleInfo())
	_, public, err := NewKey("")
	if err != nil {
		t.Fatal(err)
	}
	other, err := ReadPublic(public)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(other, bytes.NewReader(raw), testdata(t, "hashed.minisig")); !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), other.ID()) {
		t.Errorf("got %v", err)
	}
}

// A comment that names another package than the one it is under is refused, though the examiner signed it.
func TestCommentOfAnotherPackage(t *testing.T) {
	raw, _ := write(t, exampleFiles(), exampleInfo())
	k, p := key(t, "plain.key", "")
	b := open(t, raw)
	b.sum.SHA256 = strings.Repeat("0", 64)
	if _, err := Sign(k, b); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("Sign: %v", err)
	}
	b = open(t, raw)
	signature, err := Sign(k, b)
	if err != nil {
		t.Fatal(err)
	}
	raw[0]++
	if _, err := Sign(k, b); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("a zip that changed: %v", err)
	}
	if _, err := Verify(p, bytes.NewReader(raw), signature); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("Verify: %v", err)
	}
}

func TestRefusedKeys(t *testing.T) {
	for _, raw := range []string{"", "x", "untrusted comment: x\nAAAA", string(testdata(t, "minisign.pub"))} {
		if _, err := ReadKey([]byte(raw), "p"); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("ReadKey(%q): %v", raw, err)
		}
	}
	for _, raw := range []string{"", "x", "untrusted comment: x\nAAAA", string(testdata(t, "plain.key"))} {
		if _, err := ReadPublic([]byte(raw)); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("ReadPublic(%q): %v", raw, err)
		}
	}
}

// Where the program minisign is installed, each checks what the other made today.
func TestWithMinisign(t *testing.T) {
	program, err := exec.LookPath("minisign")
	if err != nil {
		t.Logf("no minisign in PATH; TestMinisignsOwnFiles has what it made: %v", err)
		return
	}
	dir := t.TempDir()
	raw, _ := write(t, exampleFiles(), exampleInfo())
	private, public, err := NewKey("")
	if err != nil {
		t.Fatal(err)
	}
	k, err := ReadKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	signature, err := Sign(k, open(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"p.zip": raw, "p.zip.minisig": signature, "p.pub": public, "p.key": private} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, program, "-V", "-H", "-p", "p.pub", "-m", "p.zip")
	run(t, dir, program, "-S", "-W", "-s", "p.key", "-m", "p.zip", "-x", "theirs", "-t", "by hand")
	theirs, err := os.ReadFile(filepath.Join(dir, "theirs"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := ReadPublic(public)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Verify(p, bytes.NewReader(raw), theirs); err != nil || got != "by hand" {
		t.Errorf("got %q, %v", got, err)
	}
}

func run(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
}
