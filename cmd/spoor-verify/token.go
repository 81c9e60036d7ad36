package main

import (
	"bytes"
	"crypto"
	"crypto/sha1" //nolint:gosec // old tokens name their certificate by it (RFC 2634); what is trusted rests on signature and chain
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// The structures of RFC 3161, section 2.4.2, and of RFC 5652, sections 3 to 5.3, as far as they are read.
type (
	tsAnswer struct {
		Status struct {
			Code    int
			Text    []asn1.RawValue `asn1:"optional"`
			Failure asn1.BitString  `asn1:"optional"`
		}
		Token asn1.RawValue `asn1:"optional"`
	}
	tsInfo struct {
		Version int
		Policy  asn1.ObjectIdentifier
		Imprint struct {
			Algorithm pkix.AlgorithmIdentifier
			Hash      []byte
		}
		Serial     *big.Int
		Time       time.Time        `asn1:"generalized"`
		Accuracy   tsAccuracy       `asn1:"optional"`
		Ordering   bool             `asn1:"optional"`
		Nonce      *big.Int         `asn1:"optional"`
		Authority  asn1.RawValue    `asn1:"optional,tag:0"`
		Extensions []pkix.Extension `asn1:"optional,tag:1"`
	}
	tsAccuracy struct {
		Seconds int           `asn1:"optional"`
		Millis  asn1.RawValue `asn1:"optional,tag:0"`
		Micros  asn1.RawValue `asn1:"optional,tag:1"`
	}
	cmsMessage struct {
		Type asn1.ObjectIdentifier
		Data struct {
			Version int
			Digests []pkix.AlgorithmIdentifier `asn1:"set"`
			Inner   struct {
				Type asn1.ObjectIdentifier
				Text []byte `asn1:"explicit,tag:0"`
			}
			Certificates asn1.RawValue `asn1:"optional,tag:0"`
			Revoked      asn1.RawValue `asn1:"optional,tag:1"`
			Signers      []cmsSigner   `asn1:"set"`
		} `asn1:"explicit,tag:0"`
	}
	cmsSigner struct {
		Version    int
		Name       asn1.RawValue
		Digest     pkix.AlgorithmIdentifier
		Attributes asn1.RawValue `asn1:"optional,tag:0"`
		Algorithm  pkix.AlgorithmIdentifier
		Signature  []byte
		Unsigned   asn1.RawValue `asn1:"optional,tag:1"`
	}
)

// checkToken returns the time at which an authority says that it has seen the zip's SHA-256 (hex). tsr is the authority's answer in DER, roots
// the PEM file of the certificates that are trusted. Whether a certificate was revoked is not looked up: that takes a network.
func checkToken(tsr, roots []byte, zipSHA256 string) (time.Time, error) {
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(roots) {
		return time.Time{}, errors.New("the file of trusted certificates holds none")
	}
	var answer tsAnswer
	if err := wholeDER(tsr, &answer); err != nil {
		return time.Time{}, fmt.Errorf("no answer of a time-stamping authority: %w", err)
	}
	if answer.Status.Code != 0 && answer.Status.Code != 1 {
		return time.Time{}, fmt.Errorf("the authority refused: status %d", answer.Status.Code)
	}
	var message cmsMessage
	if err := wholeDER(answer.Token.FullBytes, &message); err != nil {
		return time.Time{}, fmt.Errorf("no signed message: %w", err)
	}
	signer, others, err := message.verify()
	if err != nil {
		return time.Time{}, err
	}
	var info tsInfo
	if err := wholeDER(message.Data.Inner.Text, &info); err != nil {
		return time.Time{}, fmt.Errorf("no time stamp: %w", err)
	}
	if err := info.isOf(zipSHA256); err != nil {
		return time.Time{}, err
	}
	between := x509.NewCertPool()
	for _, c := range others {
		between.AddCert(c)
	}
	_, err = signer.Verify(x509.VerifyOptions{
		Roots: trusted, Intermediates: between, CurrentTime: info.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	})
	return info.Time.UTC(), err
}

// isOf checks which hash was stamped, and that the stamp says nothing that must be understood and is not.
func (i tsInfo) isOf(zipSHA256 string) error {
	if !isOID(i.Imprint.Algorithm.Algorithm, "2.16.840.1.101.3.4.2.1") || hex.EncodeToString(i.Imprint.Hash) != zipSHA256 {
		return fmt.Errorf("the stamp is of %x, the package has the sha256 %s", i.Imprint.Hash, zipSHA256)
	}
	for _, e := range i.Extensions {
		if e.Critical {
			return fmt.Errorf("the stamp has the critical extension %s, which is not known here", e.Id)
		}
	}
	return nil
}

// verify checks the one signature of the message and returns the certificate behind it, with all that came along.
func (m cmsMessage) verify() (signer *x509.Certificate, all []*x509.Certificate, err error) {
	d := m.Data
	if !isOID(m.Type, "1.2.840.113549.1.7.2") || !isOID(d.Inner.Type, "1.2.840.113549.1.9.16.1.4") || len(d.Signers) != 1 {
		return nil, nil, fmt.Errorf("a message of type %s with content of type %s and %d signatures is no time stamp", m.Type, d.Inner.Type, len(d.Signers))
	}
	if all, err = x509.ParseCertificates(d.Certificates.Bytes); err != nil {
		return nil, nil, fmt.Errorf("certificates: %w", err)
	}
	s := d.Signers[0]
	for _, c := range all {
		if signer == nil && s.isBy(c) {
			signer = c
		}
	}
	if signer == nil {
		return nil, nil, errors.New("the signer's certificate did not come along")
	}
	if err := stampsOnly(signer); err != nil {
		return nil, nil, err
	}
	return signer, all, s.verify(signer, d.Inner.Text)
}

// isBy says whether the signature names the certificate: by issuer and serial number, or by its key's id.
func (s cmsSigner) isBy(c *x509.Certificate) bool {
	if s.Name.Class == asn1.ClassContextSpecific {
		return s.Name.Tag == 0 && len(s.Name.Bytes) > 0 && bytes.Equal(s.Name.Bytes, c.SubjectKeyId)
	}
	var name struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	return wholeDER(s.Name.FullBytes, &name) == nil && bytes.Equal(name.Issuer.FullBytes, c.RawIssuer) && name.Serial.Cmp(c.SerialNumber) == 0
}

// verify checks the signature over its attributes, and that these are of this content and this certificate.
func (s cmsSigner) verify(by *x509.Certificate, content []byte) error {
	digest, algorithm, err := s.algorithms()
	if err != nil {
		return err
	}
	if len(s.Attributes.FullBytes) == 0 {
		return errors.New("the signature has no attributes")
	}
	signed := bytes.Clone(s.Attributes.FullBytes)
	signed[0] = 0x31 // it is signed as a set (RFC 5652, section 5.4)
	if err := by.CheckSignature(algorithm, signed, s.Signature); err != nil {
		return err
	}
	var attributes []struct {
		Type   asn1.ObjectIdentifier
		Values asn1.RawValue
	}
	if _, err := asn1.UnmarshalWithParams(signed, &attributes, "set"); err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	values := map[string][]byte{}
	for _, a := range attributes {
		if _, twice := values[a.Type.String()]; twice {
			return fmt.Errorf("the attribute %s is there twice", a.Type)
		}
		values[a.Type.String()] = a.Values.Bytes
	}
	var kind asn1.ObjectIdentifier
	var hash []byte
	if err := wholeDER(values["1.2.840.113549.1.9.3"], &kind); err != nil {
		return fmt.Errorf("type of content: %w", err)
	}
	if err := wholeDER(values["1.2.840.113549.1.9.4"], &hash); err != nil {
		return fmt.Errorf("hash of content: %w", err)
	}
	if !isOID(kind, "1.2.840.113549.1.9.16.1.4") || !bytes.Equal(hash, hashed(digest, content)) {
		return errors.New("the signature is over other content")
	}
	return namesCertificate(values, by)
}

// namesCertificate checks the attribute that names the signer's certificate by its hash, so that no other with the same key can stand in for
// it: RFC 5035, section 3, or RFC 2634, section 5.4.
func namesCertificate(values map[string][]byte, by *x509.Certificate) error {
	type named struct {
		Certificates []struct {
			Algorithm pkix.AlgorithmIdentifier `asn1:"optional"` // SHA-256 where absent
			Hash      []byte
			Issuer    asn1.RawValue `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}
	var one named
	digest := crypto.SHA256
	if v2, ok := values["1.2.840.113549.1.9.16.2.47"]; ok {
		if err := wholeDER(v2, &one); err != nil || len(one.Certificates) == 0 {
			return fmt.Errorf("the certificate's name: %w", errors.Join(err, errors.New("not readable")))
		}
		if id := one.Certificates[0].Algorithm.Algorithm; len(id) > 0 {
			var err error
			if digest, err = digestOf(id); err != nil {
				return err
			}
		}
		return sameHash(one.Certificates[0].Hash, hashed(digest, by.Raw))
	}
	if err := wholeDER(values["1.2.840.113549.1.9.16.2.12"], &one); err != nil || len(one.Certificates) == 0 {
		return errors.New("the signature does not name its certificate")
	}
	sum := sha1.Sum(by.Raw) //nolint:gosec // see the import
	return sameHash(one.Certificates[0].Hash, sum[:])
}

func sameHash(named, computed []byte) error {
	if !bytes.Equal(named, computed) {
		return fmt.Errorf("the signature names the certificate %x, its own has %x", named, computed)
	}
	return nil
}

// stampsOnly wants a certificate for time-stamping and nothing else, marked critical (RFC 3161, section 2.3).
func stampsOnly(c *x509.Certificate) error {
	if len(c.ExtKeyUsage) == 1 && c.ExtKeyUsage[0] == x509.ExtKeyUsageTimeStamping && len(c.UnknownExtKeyUsage) == 0 {
		for _, e := range c.Extensions {
			if isOID(e.Id, "2.5.29.37") && e.Critical {
				return nil
			}
		}
	}
	return fmt.Errorf("the certificate of %s is not for time-stamping alone", c.Subject)
}

// algorithms reads how content and attributes were hashed, and how the latter were signed.
func (s cmsSigner) algorithms() (crypto.Hash, x509.SignatureAlgorithm, error) {
	digest, err := digestOf(s.Digest.Algorithm)
	if err != nil {
		return 0, 0, err
	}
	rsa := map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.SHA256WithRSA, crypto.SHA384: x509.SHA384WithRSA, crypto.SHA512: x509.SHA512WithRSA}
	ecdsa := map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.ECDSAWithSHA256, crypto.SHA384: x509.ECDSAWithSHA384, crypto.SHA512: x509.ECDSAWithSHA512}
	named := map[string]crypto.Hash{
		"1.2.840.113549.1.1.11": crypto.SHA256, "1.2.840.113549.1.1.12": crypto.SHA384, "1.2.840.113549.1.1.13": crypto.SHA512,
		"1.2.840.10045.4.3.2": crypto.SHA256, "1.2.840.10045.4.3.3": crypto.SHA384, "1.2.840.10045.4.3.4": crypto.SHA512,
	}
	id := s.Algorithm.Algorithm.String()
	switch {
	case id == "1.3.101.112":
		return digest, x509.PureEd25519, nil
	case id == "1.2.840.113549.1.1.1":
		return digest, rsa[digest], nil
	case named[id] != digest:
		return 0, 0, fmt.Errorf("signatures of the algorithm %s with %s are not known here", id, digest)
	case strings.HasPrefix(id, "1.2.840.10045."):
		return digest, ecdsa[digest], nil
	}
	return digest, rsa[digest], nil
}

func digestOf(id asn1.ObjectIdentifier) (crypto.Hash, error) {
	switch id.String() {
	case "2.16.840.1.101.3.4.2.1":
		return crypto.SHA256, nil
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384, nil
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512, nil
	}
	return 0, fmt.Errorf("the hash %s is not known here", id)
}

func hashed(digest crypto.Hash, text []byte) []byte {
	h := digest.New()
	h.Write(text)
	return h.Sum(nil)
}

func isOID(id asn1.ObjectIdentifier, text string) bool { return id.String() == text }

// wholeDER reads one value and refuses what stands behind it.
func wholeDER(raw []byte, into any) error {
	rest, err := asn1.Unmarshal(raw, into)
	if err == nil && len(rest) > 0 {
		return fmt.Errorf("%d bytes behind it", len(rest))
	}
	return err
}
