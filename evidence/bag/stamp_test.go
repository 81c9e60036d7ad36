package bag

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/spoortrace/spoor/ledger"
)

// goldenSHA is that of the package in TestGolden.
const goldenSHA = "5b0c23e70ec878d81cb2c6ac2f43fc8466560c28ed597cbf6b37f18424fa34eb"

func testRoots(t testing.TB) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(testdata(t, "ca.pem")) {
		t.Fatal("testdata/ca.pem: no certificate")
	}
	return roots
}

// What openssl answered to our query.
func TestOpenSSLsTimestamps(t *testing.T) {
	want := time.Date(2026, 11, 23, 12, 20, 19, 0, time.UTC)
	for _, name := range []string{"sha256.tsr", "sha1.tsr", "sha512.tsr"} {
		tsr := testdata(t, name)
		if got, err := VerifyTimestamp(tsr, goldenSHA, testRoots(t)); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, want)
		}
		if _, err := VerifyTimestamp(tsr, strings.Repeat("0", 64), testRoots(t)); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("%s, another hash: %v", name, err)
		}
		if _, err := VerifyTimestamp(tsr, goldenSHA, x509.NewCertPool()); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("%s, no root: %v", name, err)
		}
	}
	if _, err := VerifyTimestamp(testdata(t, "sha256.tsr"), goldenSHA, nil); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("nil roots: %v", err)
	}
	if _, err := VerifyTimestamp(testdata(t, "sha256.tsr"), "beef", testRoots(t)); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("no hash: %v", err)
	}
}

// A changed answer may still say the same, as in the name of a field that nobody reads. It never says another time.
func TestEditedTimestamps(t *testing.T) {
	roots := testRoots(t)
	for _, name := range []string{"sha256.tsr", "sha1.tsr"} {
		tsr := testdata(t, name)
		want, err := VerifyTimestamp(tsr, goldenSHA, roots)
		if err != nil {
			t.Fatal(err)
		}
		accepted := 0
		for at := range tsr {
			for _, mask := range []byte{1, 0x80, 0xff} {
				changed := slices.Clone(tsr)
				changed[at] ^= mask
				got, err := VerifyTimestamp(changed, goldenSHA, roots)
				if err == nil && !got.Equal(want) {
					t.Fatalf("%s, byte %d ^ %#x: %v, was %v", name, at, mask, got, want)
				}
				if err == nil {
					accepted++
				}
			}
		}
		t.Logf("%s: %d of %d edits say the same", name, accepted, 3*len(tsr))
		if accepted > len(tsr)/10 {
			t.Errorf("%s: %d of %d edits were accepted", name, accepted, 3*len(tsr))
		}
	}
}

// authority is a certificate of its own with its key, and what of it a test wants to be otherwise.
type authority struct {
	name     string
	usage    []x509.ExtKeyUsage
	soft     bool // the purpose is not marked critical
	from, to time.Time
	ca       bool
}

func (a authority) make(t *testing.T, parent *x509.Certificate, parentKey crypto.Signer) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: a.name}, NotBefore: a.from, NotAfter: a.to, IsCA: a.ca, BasicConstraintsValid: true,
	}
	if !a.ca {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: !a.soft, Value: purposes(t, a.usage)}}
	}
	if parent == nil {
		parent, parentKey = c, k
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, k.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return made, k
}

func purposes(t *testing.T, usage []x509.ExtKeyUsage) []byte {
	t.Helper()
	var ids []asn1.ObjectIdentifier
	for _, u := range usage {
		last := map[x509.ExtKeyUsage]int{x509.ExtKeyUsageTimeStamping: 8, x509.ExtKeyUsageCodeSigning: 3}[u]
		ids = append(ids, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, last})
	}
	raw, err := asn1.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestAuthorities(t *testing.T) {
	at := time.Now().UTC().Truncate(time.Second) // the library that signs here puts its own clock beside the time we give
	day := 24 * time.Hour
	stamping := []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}
	root, rootKey := authority{name: "root", ca: true, from: at.Add(-1000 * day), to: at.Add(1000 * day)}.make(t, nil, nil)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	hash, _ := hex.DecodeString(goldenSHA)
	for _, c := range []struct {
		name string
		a    authority
		time time.Time
		want string // a part of the error; none: accepted
	}{
		{"good", authority{usage: stamping, from: at.Add(-day), to: at.Add(day)}, at, ""},
		{"stamped before the certificate", authority{usage: stamping, from: at.Add(-day), to: at.Add(day)}, at.Add(-2 * day), "not yet valid"},
		{"stamped after the certificate", authority{usage: stamping, from: at.Add(-day), to: at.Add(day)}, at.Add(2 * day), "expired"},
		{"another purpose", authority{usage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, from: at.Add(-day), to: at.Add(day)}, at, "not for time-stamping"},
		{"a second purpose", authority{usage: append(stamping, x509.ExtKeyUsageCodeSigning), from: at.Add(-day), to: at.Add(day)}, at, "not for time-stamping alone"},
		{"not critical", authority{usage: stamping, soft: true, from: at.Add(-day), to: at.Add(day)}, at, "not for time-stamping alone"},
	} {
		c.a.name = "authority"
		cert, k := c.a.make(t, root, rootKey)
		stamp := timestamp.Timestamp{
			HashAlgorithm: crypto.SHA256, HashedMessage: hash, Time: c.time, Policy: asn1.ObjectIdentifier{1, 2, 3}, AddTSACertificate: true,
		}
		tsr, err := stamp.CreateResponseWithOpts(cert, k, crypto.SHA256)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got, err := VerifyTimestamp(tsr, goldenSHA, roots)
		if c.want == "" && (err != nil || !got.Equal(at)) {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, at)
		}
		if c.want != "" && (!errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestNoTimestamp(t *testing.T) {
	refused, err := timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.BadAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	query, err := TimestampQuery(goldenSHA)
	if err != nil {
		t.Fatal(err)
	}
	for name, tsr := range map[string][]byte{
		"nothing": nil, "text": []byte("x"), "a refusal": refused, "the query": query, "more behind": append(testdata(t, "sha256.tsr"), 0),
	} {
		if _, err := VerifyTimestamp(tsr, goldenSHA, testRoots(t)); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTimestampQuery(t *testing.T) {
	got, err := TimestampQuery(goldenSHA)
	if err != nil {
		t.Fatal(err)
	}
	q, err := timestamp.ParseRequest(got)
	if err != nil || !q.Certificates || q.Nonce != nil || q.TSAPolicyOID != nil || hex.EncodeToString(q.HashedMessage) != goldenSHA {
		t.Errorf("got %+v, %v", q, err)
	}
	if again, _ := TimestampQuery(goldenSHA); !bytes.Equal(again, got) {
		t.Errorf("asked again: %x, was %x", again, got)
	}
	for _, bad := range []string{"", "beef", goldenSHA + "00", strings.Repeat("x", 64)} {
		if _, err := TimestampQuery(bad); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Where openssl is installed, it is the authority, and checks a token of a Go library in turn.
func TestWithOpenSSL(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Logf("no openssl in PATH; TestOpenSSLsTimestamps has what it made: %v", err)
		return
	}
	dir := t.TempDir()
	now := time.Now().UTC().Truncate(time.Second)
	span := authority{usage: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}, from: now.Add(-time.Hour), to: now.Add(time.Hour)}
	root, rootKey := authority{name: "root", ca: true, from: span.from, to: span.to}.make(t, nil, nil)
	cert, k := span.make(t, root, rootKey)
	query, err := TimestampQuery(goldenSHA)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	const config = "[t]\nserial=serial\nsigner_cert=tsa.pem\nsigner_key=tsa.key\nsigner_digest=sha256\ndefault_policy=1.2.3\ndigests=sha256\ness_cert_id_alg=sha256\n"
	for name, text := range map[string][]byte{
		"c.cnf": []byte(config), "q.tsq": query, "ca.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}),
		"tsa.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		"tsa.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, program, "ts", "-reply", "-config", "c.cnf", "-section", "t", "-queryfile", "q.tsq", "-out", "r.tsr")
	run(t, dir, program, "ts", "-verify", "-in", "r.tsr", "-queryfile", "q.tsq", "-CAfile", "ca.pem")
	tsr, err := os.ReadFile(filepath.Join(dir, "r.tsr"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	got, err := VerifyTimestamp(tsr, goldenSHA, roots)
	if err != nil || got.Before(now.Add(-time.Minute)) || got.After(span.to) {
		t.Errorf("got %v, %v, want about %v", got, err, now)
	}
}

func FuzzVerifyTimestamp(f *testing.F) {
	for _, name := range []string{"sha256.tsr", "sha1.tsr", "sha512.tsr"} {
		f.Add(testdata(f, name))
	}
	roots := testRoots(f)
	want := time.Date(2026, 11, 23, 12, 20, 19, 0, time.UTC)
	f.Fuzz(func(t *testing.T, tsr []byte) {
		if got, err := VerifyTimestamp(tsr, goldenSHA, roots); err == nil && !got.Equal(want) {
			t.Fatalf("a time that nobody signed: %v", got)
		}
	})
}
