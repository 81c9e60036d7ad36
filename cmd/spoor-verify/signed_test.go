package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// signedData is where minisign and OpenSSL signed the package of testdata/case-7-full.zip.
const signedData = "../../evidence/bag/testdata/"

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What minisign 0.11 signed, hashed first or not, is accepted with its key in both forms, and refused of anything else.
func TestMinisign(t *testing.T) {
	zip := file(t, "testdata/case-7-full.zip")
	pub := string(file(t, signedData+"minisign.pub"))
	check := func(zip []byte, sig, pub string) error {
		return checkSignature(bytes.NewReader(zip), int64(len(zip)), sig, pub)
	}
	for _, name := range []string{"hashed.minisig", "legacy.minisig"} {
		sig := string(file(t, signedData+name))
		for _, key := range []string{pub, strings.Split(pub, "\n")[1]} {
			if err := check(zip, sig, key); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		longer := append(bytes.Clone(zip), 0)
		for what, err := range map[string]error{
			"a byte more":             check(longer, sig, pub),
			"another comment":         check(zip, strings.Replace(sig, "trusted comment: ", "trusted comment: s", 2), pub),
			"a key of another number": check(zip, sig, swapped(strings.Split(pub, "\n")[1], 30)),
			"a line more":             check(zip, sig+"\n", pub),
			"another key":             check(zip, sig, swapped(strings.Split(pub, "\n")[1], 5)),
			"no key":                  check(zip, sig, ""),
			"no signature":            check(zip, "", pub),
			"another algorithm":       check(zip, strings.Replace(strings.Replace(strings.Replace(sig, "\nRU", "\n?", 1), "\nRW", "\nRU", 1), "\n?", "\nRW", 1), pub),
		} {
			if err == nil {
				t.Errorf("%s: %s is accepted", name, what)
			}
		}
	}
}

// swapped exchanges a character of base64 for its neighbour's case.
func swapped(text string, at int) string {
	b := []byte(text)
	for b[at]|0x20 < 'a' || b[at]|0x20 > 'z' {
		at++
	}
	b[at] ^= 0x20
	return string(b)
}

// No random edit of a signature is accepted, but in its first line, which nothing covers.
func TestEditedSignaturesAreRefused(t *testing.T) {
	const seed = 7
	zip, pub := file(t, "testdata/case-7-full.zip"), string(file(t, signedData+"minisign.pub"))
	r := rand.New(rand.NewPCG(seed, 2))
	for made := 0; made < 2_000; {
		whole := file(t, signedData+[]string{"hashed.minisig", "legacy.minisig"}[r.IntN(2)])
		b := edited(r, whole)
		_, now, _ := strings.Cut(string(b), "\n")
		_, was, _ := strings.Cut(string(whole), "\n")
		if now == was {
			continue
		}
		made++
		if checkSignature(bytes.NewReader(zip), int64(len(zip)), string(b), pub) == nil {
			t.Errorf("edit %d of seed %d is accepted:\n%s", made, seed, b)
		}
	}
}

// What OpenSSL stamped is accepted, with the time that it stamped; what is of another package, root or time is not.
func TestToken(t *testing.T) {
	sum := sha256.Sum256(file(t, "testdata/case-7-full.zip"))
	sha, roots := hex.EncodeToString(sum[:]), file(t, signedData+"ca.pem")
	for _, name := range []string{"sha256.tsr", "sha1.tsr", "sha512.tsr"} {
		tsr := file(t, signedData+name)
		at, err := checkToken(tsr, roots, sha)
		if err != nil || at.Before(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: %s, %v", name, at, err)
		}
		other := sha256.Sum256(sum[:])
		for what, refused := range map[string]func() error{
			"another package": func() error { _, err := checkToken(tsr, roots, hex.EncodeToString(other[:])); return err },
			"no root":         func() error { _, err := checkToken(tsr, nil, sha); return err },
			"a byte more":     func() error { _, err := checkToken(append(bytes.Clone(tsr), 0), roots, sha); return err },
			"a byte less":     func() error { _, err := checkToken(tsr[:len(tsr)-1], roots, sha); return err },
		} {
			if refused() == nil {
				t.Errorf("%s: %s is accepted", name, what)
			}
		}
	}
}

// A random edit of a token either is refused, or leaves the time that was stamped: the status text and what stands beside the signed parts is
// covered by nothing.
func TestEditedTokens(t *testing.T) {
	const seed = 11
	sum := sha256.Sum256(file(t, "testdata/case-7-full.zip"))
	sha, roots := hex.EncodeToString(sum[:]), file(t, signedData+"ca.pem")
	whole := file(t, signedData+"sha256.tsr")
	want, err := checkToken(whole, roots, sha)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 3))
	refused := 0
	for i := range 2_000 {
		b := edited(r, whole)
		at, err := checkToken(b, roots, sha)
		if err != nil {
			refused++
			continue
		}
		if !at.Equal(want) {
			t.Errorf("edit %d of seed %d: %s in place of %s:\n%x", i, seed, at, want, b)
		}
	}
	if refused < 1_700 {
		t.Errorf("%d of 2000 edits are refused", refused)
	}
	t.Logf("seed %d: %d of 2000 edits refused", seed, refused)
}
