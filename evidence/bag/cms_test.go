package bag

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/pkcs7"

	"github.com/spoortrace/spoor/ledger"
)

// forgery is a token with openssl's content and an authority of its own, which a trusted root vouches for.
type forgery struct {
	cert, other *x509.Certificate
	key         crypto.Signer
	data        *pkcs7.SignedData
}

func (f forgery) sign(t *testing.T, attributes ...pkcs7.Attribute) {
	t.Helper()
	if err := f.data.AddSigner(f.cert, f.key, pkcs7.SignerInfoConfig{ExtraSignedAttributes: attributes}); err != nil {
		t.Fatal(err)
	}
}

// named is the attribute that names a certificate (RFC 5035).
func named(t *testing.T, c *x509.Certificate) pkcs7.Attribute {
	t.Helper()
	type id struct{ Hash []byte }
	hash := sha256.Sum256(c.Raw)
	raw, err := asn1.Marshal(struct{ Certificates []id }{[]id{{hash[:]}}})
	if err != nil {
		t.Fatal(err)
	}
	return pkcs7.Attribute{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}, Value: asn1.RawValue{FullBytes: raw}}
}

func TestForgedTokens(t *testing.T) {
	var answer timeStampAnswer
	if err := parseDER(testdata(t, "sha256.tsr"), &answer); err != nil {
		t.Fatal(err)
	}
	theirs, err := parseToken(answer.Token.FullBytes)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 12, 20, 19, 0, time.UTC)
	span := authority{name: "root", ca: true, from: at.AddDate(-20, 0, 0), to: at.AddDate(20, 0, 0)}
	root, rootKey := span.make(t, nil, nil)
	span = authority{name: "authority", usage: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}, from: span.from, to: span.to}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	for _, c := range []struct {
		name string
		do   func(forgery)
		want string // a part of the error; none: accepted
	}{
		{"good", func(f forgery) { f.sign(t, named(t, f.cert)) }, ""},
		{"no certificate named", func(f forgery) { f.sign(t) }, "does not name its certificate"},
		{"another certificate named", func(f forgery) { f.sign(t, named(t, f.other)) }, "names the certificate"},
		{"a certificate named twice", func(f forgery) { f.sign(t, named(t, f.other), named(t, f.cert)) }, "does not name its certificate"},
		{"two signatures", func(f forgery) { f.sign(t, named(t, f.cert)); f.sign(t, named(t, f.cert)) }, "2 signatures, want 1"},
		{"no signature", func(forgery) {}, "0 signatures, want 1"},
		{"signed as something else", func(f forgery) {
			f.data.SetContentType(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1})
			f.sign(t, named(t, f.cert))
		}, "which is no time stamp"},
		{"said to be a time stamp after it was signed", func(f forgery) {
			f.data.SetContentType(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1})
			f.sign(t, named(t, f.cert))
			f.data.SetContentType(oidTimeStamp())
		}, "over other content"},
		{"nothing but the content signed", func(f forgery) {
			if err := f.data.SignWithoutAttr(f.cert, f.key, pkcs7.SignerInfoConfig{}); err != nil {
				t.Fatal(err)
			}
		}, "nothing says that it was signed as a time stamp"},
		{"SHA-1", func(f forgery) { f.data.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA1); f.sign(t, named(t, f.cert)) }, "is not known here"},
		{"SHA-384", func(f forgery) {
			f.data.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA384)
			f.sign(t, named(t, f.cert))
		}, ""},
	} {
		cert, k := span.make(t, root, rootKey)
		other, _ := span.make(t, root, rootKey)
		data, err := pkcs7.NewSignedData(theirs.content)
		if err != nil {
			t.Fatal(err)
		}
		data.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
		data.SetContentType(oidTimeStamp())
		c.do(forgery{cert, other, k, data})
		raw, err := data.Finish()
		if err != nil {
			t.Fatal(err)
		}
		got, err := VerifyTimestamp(granted(t, raw), goldenSHA, roots)
		if c.want == "" && (err != nil || !got.Equal(at)) {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, at)
		}
		if c.want != "" && (!errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// granted is an authority's answer with the token.
func granted(t *testing.T, token []byte) []byte {
	t.Helper()
	raw, err := asn1.Marshal(struct {
		Status struct{ Code int }
		Token  asn1.RawValue
	}{Token: asn1.RawValue{FullBytes: token}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
