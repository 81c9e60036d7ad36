package bag

import (
	"bytes"
	"crypto"
	"crypto/sha1" //nolint:gosec // RFC 2634 names a certificate by it; what is trusted rests on the chain
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"

	"github.com/spoortrace/spoor/ledger"
)

// TimestampQuery returns NAME.zip.tsq, the question for a time-stamping authority (RFC 3161, section 2.4.1), for the SHA-256 of the zip in
// hex. It asks for the authority's certificate, names no policy and has no nonce, so that the same package gives the same bytes.
func TimestampQuery(sha string) ([]byte, error) {
	hash, err := parseSHA256(sha)
	if err != nil {
		return nil, err
	}
	q := timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: hash, Certificates: true}
	raw, err := q.Marshal()
	if err != nil {
		return nil, fmt.Errorf("bag: timestamp query: %w", err)
	}
	return raw, nil
}

// VerifyTimestamp returns the time at which an authority says it has seen the SHA-256 (hex). The answer is refused unless it is granted, over
// this hash, with one signature by a certificate for time-stamping and nothing else (RFC 3161, section 2.3), which the signature names (RFC
// 5816) and which led to one of the roots at that time. Revocation is not looked up: that takes a network.
func VerifyTimestamp(tsr []byte, sha string, roots *x509.CertPool) (time.Time, error) {
	hash, err := parseSHA256(sha)
	if err != nil {
		return time.Time{}, err
	}
	if roots == nil {
		return time.Time{}, ledger.Invalid("roots", "the certificates of authorities to be trusted", "none")
	}
	t, err := timestamp.ParseResponse(tsr)
	if err != nil {
		return time.Time{}, fmt.Errorf("bag: timestamp: %w: %w", ledger.ErrCorrupt, err)
	}
	if t.HashAlgorithm != crypto.SHA256 || !bytes.Equal(t.HashedMessage, hash) {
		return time.Time{}, fmt.Errorf("bag: timestamp: %w: it is of %v %x, not of the package's SHA-256 %s", ledger.ErrCorrupt, t.HashAlgorithm, t.HashedMessage, sha)
	}
	if err := checkSigner(t, roots); err != nil {
		return time.Time{}, fmt.Errorf("bag: timestamp: %w: %w", ledger.ErrCorrupt, err)
	}
	return t.Time.UTC(), nil
}

func parseSHA256(sha string) ([]byte, error) {
	hash, err := hex.DecodeString(sha)
	if err != nil || len(hash) != sha256.Size {
		return nil, ledger.Invalid("sha256", "64 hex digits", sha)
	}
	return hash, nil
}

// checkSigner checks who signed the token. The signature itself was checked where a certificate came along, as one must.
func checkSigner(t *timestamp.Timestamp, roots *x509.CertPool) error {
	token, err := pkcs7.Parse(t.RawToken)
	if err != nil {
		return err
	}
	signer := token.GetOnlySigner()
	if signer == nil {
		return fmt.Errorf("%d signatures, %d certificates: want one signature with its certificate", len(token.Signers), len(token.Certificates))
	}
	if err := checkSigned(token, signer); err != nil {
		return err
	}
	if !onlyTimeStamping(signer) {
		return fmt.Errorf("the certificate of %s is not for time-stamping alone", signer.Subject)
	}
	between := x509.NewCertPool()
	for _, c := range token.Certificates {
		between.AddCert(c)
	}
	return token.VerifyWithOpts(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: t.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	})
}

// checkSigned looks at the attributes under the signature: that it was given for a time stamp, and by this certificate.
func checkSigned(token *pkcs7.PKCS7, signer *x509.Certificate) error {
	var content asn1.ObjectIdentifier
	if err := token.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &content); err != nil {
		return err
	}
	if !content.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}) { // id-ct-TSTInfo
		return fmt.Errorf("signed as %s, which is no time stamp", content)
	}
	var v2 signingCertificateV2
	if err := token.UnmarshalSignedAttribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}, &v2); err == nil {
		return v2.names(signer)
	}
	var v1 signingCertificate
	if err := token.UnmarshalSignedAttribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}, &v1); err != nil {
		return fmt.Errorf("the signature does not name its certificate: %w", err)
	}
	sum := sha1.Sum(signer.Raw) //nolint:gosec // see the import
	if len(v1.Certs) == 0 || !bytes.Equal(v1.Certs[0].Hash, sum[:]) {
		return fmt.Errorf("the signature names another certificate than that of %s", signer.Subject)
	}
	return nil
}

// signingCertificate is the attribute of RFC 2634, section 5.4. What follows the hash is not needed.
type signingCertificate struct {
	Certs    []certID
	Policies asn1.RawValue `asn1:"optional"`
}

type certID struct {
	Hash   []byte
	Issuer asn1.RawValue `asn1:"optional"`
}

// signingCertificateV2 is the attribute of RFC 5035, section 3.
type signingCertificateV2 struct {
	Certs    []certIDV2
	Policies asn1.RawValue `asn1:"optional"`
}

type certIDV2 struct {
	Algorithm pkix.AlgorithmIdentifier `asn1:"optional"` // SHA-256 where it is left out
	Hash      []byte
	Issuer    asn1.RawValue `asn1:"optional"`
}

func (s signingCertificateV2) names(c *x509.Certificate) error {
	if len(s.Certs) == 0 {
		return fmt.Errorf("the signature names no certificate")
	}
	algorithm := crypto.SHA256
	switch oid := s.Certs[0].Algorithm.Algorithm; {
	case oid.Equal(pkcs7.OIDDigestAlgorithmSHA384):
		algorithm = crypto.SHA384
	case oid.Equal(pkcs7.OIDDigestAlgorithmSHA512):
		algorithm = crypto.SHA512
	case len(oid) > 0 && !oid.Equal(pkcs7.OIDDigestAlgorithmSHA256):
		return fmt.Errorf("the signature names its certificate by the hash %s, which is not known here", oid)
	}
	h := algorithm.New()
	h.Write(c.Raw)
	if !bytes.Equal(h.Sum(nil), s.Certs[0].Hash) {
		return fmt.Errorf("the signature names another certificate than that of %s", c.Subject)
	}
	return nil
}

// onlyTimeStamping is what RFC 3161, section 2.3, wants of an authority's certificate: one purpose, marked critical.
func onlyTimeStamping(c *x509.Certificate) bool {
	if len(c.ExtKeyUsage) != 1 || len(c.UnknownExtKeyUsage) > 0 || c.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping {
		return false
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 37}) {
			return e.Critical
		}
	}
	return false
}
