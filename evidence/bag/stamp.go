package bag

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// timeStampQuery is TimeStampReq of RFC 3161, section 2.4.1, as far as it is sent.
type timeStampQuery struct {
	Version int
	Imprint imprint
	CertReq bool
}

type imprint struct {
	Algorithm pkix.AlgorithmIdentifier
	Hash      []byte
}

// timeStampAnswer is TimeStampResp of section 2.4.2.
type timeStampAnswer struct {
	Status struct {
		Code    int
		Text    []asn1.RawValue `asn1:"optional"`
		Failure asn1.BitString  `asn1:"optional"`
	}
	Token asn1.RawValue `asn1:"optional"`
}

// timeStamp is TSTInfo of the same section.
type timeStamp struct {
	Version    int
	Policy     asn1.ObjectIdentifier
	Imprint    imprint
	Serial     *big.Int
	Time       time.Time        `asn1:"generalized"`
	Accuracy   accuracy         `asn1:"optional"`
	Ordering   bool             `asn1:"optional"`
	Nonce      *big.Int         `asn1:"optional"`
	Authority  asn1.RawValue    `asn1:"optional,tag:0"`
	Extensions []pkix.Extension `asn1:"optional,tag:1"`
}

type accuracy struct {
	Seconds, Millis, Micros asn1.RawValue `asn1:"optional"`
}

// TimestampQuery returns NAME.zip.tsq, the question for a time-stamping authority, for the SHA-256 of the zip in hex. It asks for the
// authority's certificate, names no policy and has no nonce, so that the same package gives the same bytes.
func TimestampQuery(sha string) ([]byte, error) {
	hash, err := parseSHA256(sha)
	if err != nil {
		return nil, err
	}
	raw, err := asn1.Marshal(timeStampQuery{1, imprint{pkix.AlgorithmIdentifier{Algorithm: oidSHA256(), Parameters: asn1.NullRawValue}, hash}, true})
	if err != nil {
		return nil, fmt.Errorf("bag: timestamp query: %w", err)
	}
	return raw, nil
}

// VerifyTimestamp returns the time at which an authority says that it has seen the SHA-256 (hex). The answer is refused unless it is granted,
// in DER, over this hash, with one signature by a certificate for time-stamping and nothing else (RFC 3161, section 2.3), which the signature
// names (RFC 5816) and which led to one of the roots at that time. Revocation is not looked up: that takes a network. What stands in the
// answer outside the signature, such as its status text, is not covered by it and not returned.
func VerifyTimestamp(tsr []byte, sha string, roots *x509.CertPool) (time.Time, error) {
	hash, err := parseSHA256(sha)
	if err != nil {
		return time.Time{}, err
	}
	if roots == nil {
		return time.Time{}, ledger.Invalid("roots", "the certificates of authorities to be trusted", "none")
	}
	at, err := verifyTimestamp(tsr, hash, roots)
	if err != nil {
		return time.Time{}, fmt.Errorf("bag: timestamp: %w: %w", ledger.ErrCorrupt, err)
	}
	return at, nil
}

func parseSHA256(sha string) ([]byte, error) {
	hash, err := hex.DecodeString(sha)
	if err != nil || len(hash) != 32 {
		return nil, ledger.Invalid("sha256", "64 hex digits", sha)
	}
	return hash, nil
}

func verifyTimestamp(tsr, hash []byte, roots *x509.CertPool) (at time.Time, err error) {
	var answer timeStampAnswer
	if err := parseDER(tsr, &answer); err != nil {
		return at, fmt.Errorf("no answer of an authority: %w", err)
	}
	if answer.Status.Code > 1 || answer.Status.Code < 0 || len(answer.Token.FullBytes) == 0 {
		return at, fmt.Errorf("not granted: status %d, reason %x", answer.Status.Code, answer.Status.Failure.Bytes)
	}
	token, err := parseToken(answer.Token.FullBytes)
	if err != nil {
		return at, err
	}
	if err := token.verify(); err != nil {
		return at, err
	}
	var stamp timeStamp
	if err := parseDER(token.content, &stamp); err != nil {
		return at, fmt.Errorf("no time stamp: %w", err)
	}
	if !stamp.Imprint.Algorithm.Algorithm.Equal(oidSHA256()) || !bytes.Equal(stamp.Imprint.Hash, hash) {
		return at, fmt.Errorf("it is of %s %x, not of the SHA-256 %x", stamp.Imprint.Algorithm.Algorithm, stamp.Imprint.Hash, hash)
	}
	for _, e := range stamp.Extensions {
		if e.Critical {
			return at, fmt.Errorf("it has the critical extension %s, which is not known here", e.Id)
		}
	}
	return stamp.Time.UTC(), token.chain(stamp.Time, roots)
}

// parseDER takes one value and nothing behind it.
func parseDER(raw []byte, v any) error {
	rest, err := asn1.Unmarshal(raw, v)
	if err == nil && len(rest) > 0 {
		return fmt.Errorf("%d bytes behind it", len(rest))
	}
	return err
}
