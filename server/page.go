package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/spoortrace/spoor/ledger"
)

// The sizes of a page.
const (
	defaultPage = 100
	maxPage     = 1000
)

func pageSize(asked int32) int {
	if asked == 0 {
		return defaultPage
	}
	return min(int(asked), maxPage)
}

// pager makes page tokens: opaque, and bound to one query by a signature, so
// that a token that was altered or is of another query or tenant is refused with
// one text.
// The key lives as long as the process; older tokens are refused, too.
type pager struct{ key []byte }

// of is the pager of the tenant that calls: the tokens of others are none.
func (p pager) of(ctx context.Context) pager {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(Principal(ctx).Tenant))
	return pager{mac.Sum(nil)}
}

// token signs a cursor of numbers for a query.
func (p pager) token(query string, cursor ...uint64) string {
	var body []byte
	for _, n := range cursor {
		body = binary.AppendUvarint(body, n)
	}
	return base64.RawURLEncoding.EncodeToString(append(body, p.sign(query, body)...))
}

const signature = 16

func (p pager) sign(query string, body []byte) []byte {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(query))
	mac.Write([]byte{0})
	mac.Write(body)
	return mac.Sum(nil)[:signature]
}

func badToken(token string) error {
	return ledger.Invalid("page_token", "the next_page_token of this query's page before", token)
}

// cursor reads a token's numbers, n of them.
func (p pager) cursor(query, token string, n int) ([]uint64, error) {
	body, err := p.body(query, token)
	if err != nil {
		return nil, err
	}
	var cursor []uint64
	for range n {
		v, size := binary.Uvarint(body)
		if size <= 0 {
			return nil, badToken(token)
		}
		cursor, body = append(cursor, v), body[size:]
	}
	return cursor, nil
}

func (p pager) body(query, token string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < signature {
		return nil, badToken(token)
	}
	body := raw[:len(raw)-signature]
	if !hmac.Equal(p.sign(query, body), raw[len(raw)-signature:]) {
		return nil, badToken(token)
	}
	return body, nil
}

// after is a token that names an address of a chain, and a height.
func (p pager) after(query string, a ledger.Address, height uint64) string {
	body := append(binary.AppendUvarint(nil, height), byte(a.Kind))
	body = append(body, a.Payload...)
	return base64.RawURLEncoding.EncodeToString(append(body, p.sign(query, body)...))
}

func (p pager) readAfter(query, token string, c ledger.Chain) (ledger.Address, uint64, error) {
	body, err := p.body(query, token)
	if err != nil {
		return ledger.Address{}, 0, err
	}
	height, size := binary.Uvarint(body)
	if size <= 0 || len(body) <= size {
		return ledger.Address{}, 0, badToken(token)
	}
	return ledger.Address{Chain: c, Kind: ledger.AddressKind(body[size]), Payload: string(body[size+1:])}, height, nil
}
