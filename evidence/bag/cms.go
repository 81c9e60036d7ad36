package bag

import (
	"bytes"
	"crypto"
	"crypto/sha1" //nolint:gosec // RFC 2634 names a certificate by it; what is trusted rests on signature and chain
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// token is a signed message (CMS, RFC 5652, section 5) with exactly one signature, and the certificate of who made it.
type token struct {
	content []byte // what was signed
	by      signature
	signer  *x509.Certificate
	others  []*x509.Certificate // all that came along
}

// contentInfo and signedData are those of RFC 5652, sections 3 and 5.1. Go's parser takes definite lengths in their shortest form only.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content signedData `asn1:"explicit,tag:0"`
}

type signedData struct {
	Version int
	Digests []pkix.AlgorithmIdentifier `asn1:"set"`
	Content struct {
		Type asn1.ObjectIdentifier
		Text []byte `asn1:"explicit,tag:0"`
	}
	Certificates asn1.RawValue `asn1:"optional,tag:0"`
	Revoked      asn1.RawValue `asn1:"optional,tag:1"`
	Signatures   []signature   `asn1:"set"`
}

// signature is SignerInfo of section 5.3.
type signature struct {
	Version    int
	Signer     asn1.RawValue // issuer and serial number, or [0] the id of the key
	Digest     pkix.AlgorithmIdentifier
	Attributes asn1.RawValue `asn1:"optional,tag:0"`
	Algorithm  pkix.AlgorithmIdentifier
	Signature  []byte
	Unsigned   asn1.RawValue `asn1:"optional,tag:1"`
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values asn1.RawValue // a set
}

func oidSHA256() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1} }

func oidTimeStamp() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
}

func parseToken(raw []byte) (t token, err error) {
	var info contentInfo
	if err := parseDER(raw, &info); err != nil {
		return t, fmt.Errorf("no signed message: %w", err)
	}
	data := info.Content
	if !info.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}) {
		return t, fmt.Errorf("a message of type %s, which is none that is signed", info.Type)
	}
	if !data.Content.Type.Equal(oidTimeStamp()) {
		return t, fmt.Errorf("signed content of type %s, which is no time stamp", data.Content.Type)
	}
	if len(data.Signatures) != 1 {
		return t, fmt.Errorf("%d signatures, want 1", len(data.Signatures))
	}
	t = token{content: data.Content.Text, by: data.Signatures[0]}
	if t.others, err = x509.ParseCertificates(data.Certificates.Bytes); err != nil {
		return t, fmt.Errorf("certificates: %w", err)
	}
	for _, c := range t.others {
		if t.by.names(c) {
			t.signer = c
			return t, nil
		}
	}
	return t, fmt.Errorf("the signer's certificate is not among the %d that came along", len(t.others))
}

// names says whether the signature claims to be by the certificate.
func (s signature) names(c *x509.Certificate) bool {
	if s.Signer.Class == asn1.ClassContextSpecific && s.Signer.Tag == 0 {
		return len(s.Signer.Bytes) > 0 && bytes.Equal(s.Signer.Bytes, c.SubjectKeyId)
	}
	var by struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	err := parseDER(s.Signer.FullBytes, &by)
	return err == nil && bytes.Equal(by.Issuer.FullBytes, c.RawIssuer) && by.Serial.Cmp(c.SerialNumber) == 0
}

// verify checks the signature: over the attributes, which hold the hash and the type of the content and name the certificate.
func (t token) verify() error {
	algorithm, digest, err := t.by.algorithm()
	if err != nil {
		return err
	}
	if len(t.by.Attributes.FullBytes) == 0 {
		return errors.New("nothing says that it was signed as a time stamp")
	}
	signed := bytes.Clone(t.by.Attributes.FullBytes)
	signed[0] = asn1.TagSet | 0x20 // it is signed under the tag of a set, section 5.4
	if err := t.signer.CheckSignature(algorithm, signed, t.by.Signature); err != nil {
		return err
	}
	var attributes []attribute
	if _, err := asn1.UnmarshalWithParams(signed, &attributes, "set"); err != nil { // nothing is behind them: they are one value
		return fmt.Errorf("attributes: %w", err)
	}
	var content asn1.ObjectIdentifier
	if err := only(attributes, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}, &content); err != nil {
		return err
	}
	var hash []byte
	if err := only(attributes, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}, &hash); err != nil {
		return err
	}
	if !content.Equal(oidTimeStamp()) || !bytes.Equal(hash, sum(digest, t.content)) {
		return fmt.Errorf("the signature is over other content: type %s, hash %x", content, hash)
	}
	return t.namedBy(attributes)
}

// only reads the one value of the one attribute of a type.
func only(attributes []attribute, id asn1.ObjectIdentifier, v any) error {
	var found []attribute
	for _, a := range attributes {
		if a.Type.Equal(id) {
			found = append(found, a)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("%d attributes of type %s, want 1", len(found), id)
	}
	if err := parseDER(found[0].Values.Bytes, v); err != nil {
		return fmt.Errorf("attribute %s: %w", id, err)
	}
	return nil
}

// namedBy checks that the signed attributes name the certificate, so that nobody can put another with the same key in its place: by
// signingCertificateV2 (RFC 5035, section 3), or by its elder with SHA-1 (RFC 2634, section 5.4).
func (t token) namedBy(attributes []attribute) error {
	var v2 struct {
		Certificates []struct {
			Algorithm pkix.AlgorithmIdentifier `asn1:"optional"` // SHA-256 where it is left out
			Hash      []byte
			Issuer    asn1.RawValue `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}
	var v1 struct {
		Certificates []struct {
			Hash   []byte
			Issuer asn1.RawValue `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}
	var want, got []byte
	if err := only(attributes, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}, &v2); err == nil && len(v2.Certificates) > 0 {
		digest, err := digestOf(v2.Certificates[0].Algorithm.Algorithm)
		if err != nil && len(v2.Certificates[0].Algorithm.Algorithm) > 0 {
			return err
		}
		want, got = v2.Certificates[0].Hash, sum(digest, t.signer.Raw)
	} else if err := only(attributes, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}, &v1); err == nil && len(v1.Certificates) > 0 {
		old := sha1.Sum(t.signer.Raw) //nolint:gosec // see the import
		want, got = v1.Certificates[0].Hash, old[:]
	} else {
		return fmt.Errorf("the signature does not name its certificate: %w", err)
	}
	if !bytes.Equal(want, got) {
		return fmt.Errorf("the signature names the certificate %x, and that of %s is %x", want, t.signer.Subject, got)
	}
	return nil
}

// chain checks that the signer may stamp times and led to a root at that time.
func (t token) chain(at time.Time, roots *x509.CertPool) error {
	if !onlyTimeStamping(t.signer) {
		return fmt.Errorf("the certificate of %s is not for time-stamping alone", t.signer.Subject)
	}
	between := x509.NewCertPool()
	for _, c := range t.others {
		between.AddCert(c)
	}
	_, err := t.signer.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	})
	return err
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

// algorithm returns how the attributes are signed, and the digest of the content, which must be the same one. SHA-1 is refused.
func (s signature) algorithm() (x509.SignatureAlgorithm, crypto.Hash, error) {
	digest, err := digestOf(s.Digest.Algorithm)
	if err != nil {
		return 0, 0, err
	}
	id := s.Algorithm.Algorithm
	if id.Equal(asn1.ObjectIdentifier{1, 3, 101, 112}) {
		return x509.PureEd25519, digest, nil
	}
	for _, k := range []struct {
		digest     crypto.Hash
		rsa, ecdsa x509.SignatureAlgorithm
		rsaID      int
		ecdsaID    int
	}{
		{crypto.SHA256, x509.SHA256WithRSA, x509.ECDSAWithSHA256, 11, 2},
		{crypto.SHA384, x509.SHA384WithRSA, x509.ECDSAWithSHA384, 12, 3},
		{crypto.SHA512, x509.SHA512WithRSA, x509.ECDSAWithSHA512, 13, 4},
	} {
		if k.digest != digest {
			continue
		}
		if id.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}) || id.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, k.rsaID}) {
			return k.rsa, digest, nil
		}
		if id.Equal(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, k.ecdsaID}) {
			return k.ecdsa, digest, nil
		}
	}
	return 0, 0, fmt.Errorf("the signature algorithm %s with %v is not known here", id, digest)
}

// digestOf returns SHA-256 with its error, as that is what an identifier that is left out means.
func digestOf(id asn1.ObjectIdentifier) (crypto.Hash, error) {
	sha2 := []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}
	for i, digest := range sha2 {
		if id.Equal(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1 + i}) {
			return digest, nil
		}
	}
	return crypto.SHA256, fmt.Errorf("the digest %s is not known here", id)
}

func sum(digest crypto.Hash, text []byte) []byte {
	switch digest {
	case crypto.SHA384:
		h := sha512.Sum384(text)
		return h[:]
	case crypto.SHA512:
		h := sha512.Sum512(text)
		return h[:]
	default:
		h := sha256.Sum256(text)
		return h[:]
	}
}
