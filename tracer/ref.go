package tracer

import (
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// Ref names one payment, or the payments of one transaction to one address, as
// users write it: NETWORK:TX[:INDEX|:ADDRESS|:n|:iN], a bare hash with the same
// endings, or an explorer's URL.
type Ref struct {
	Text    string
	Chain   ledger.Chain // empty: to be searched in every network
	Tx      ledger.TxID
	Pick    Pick
	Index   uint32
	Address string // as written; parsed when the chain is known
}

// Pick says what of a transaction a Ref means.
type Pick uint8

// The ways to pick a payment.
const (
	PickOnly     Pick = iota // the only payment there is
	PickIndex                // by output index, log index or row
	PickNative               // the transaction's own value
	PickInternal             // the Index-th internal transfer
	PickAddress              // everything that it pays to an address
)

const refWanted = "NETWORK:TX[:INDEX|:ADDRESS|:iN], a transaction hash, or an explorer's URL"

// ParseRef reads a REF. It checks form only, not whether anything is there.
func ParseRef(s string) (Ref, error) {
	text := strings.TrimSpace(s)
	if strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://") {
		return parseURL(text)
	}
	ref := Ref{Text: text}
	rest := text
	if name, after, ok := strings.Cut(text, ":"); ok && !isHash(name) {
		c, err := ledger.ParseChain(name)
		if err != nil {
			return ref, err
		}
		ref.Chain, rest = c, after
	}
	hash, pick, picked := strings.Cut(rest, ":")
	var err error
	if ref.Tx, err = ledger.ParseTxID(hash); err != nil {
		if len(hash) >= 60 && len(hash) <= 68 {
			return ref, err
		}
		return ref, ledger.Invalid("ref", refWanted, s)
	}
	if picked {
		err = ref.parsePick(pick)
	}
	return ref, err
}

func isHash(s string) bool {
	_, err := ledger.ParseTxID(s)
	return err == nil
}

func (r *Ref) parsePick(s string) error {
	if s == "n" {
		r.Pick = PickNative
		return nil
	}
	digits, internal := strings.CutPrefix(s, "i")
	if n, err := strconv.ParseUint(digits, 10, 32); err == nil {
		r.Pick, r.Index = PickIndex, uint32(n)
		if internal {
			r.Pick = PickInternal
		}
		return nil
	}
	if s == "" || s == "i" || strings.Trim(s, "0123456789-+") == "" {
		return ledger.Invalid("ref", "an index, an address, n or iN after the hash", r.Text)
	}
	r.Pick, r.Address = PickAddress, s
	if r.Chain != "" {
		_, err := ledger.ParseAddress(r.Chain, s)
		return err
	}
	return nil
}

// exact reports a Ref that names one payment by its place.
func (r Ref) exact() bool { return r.Pick != PickOnly && r.Pick != PickAddress }
