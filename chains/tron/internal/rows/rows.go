// Package rows reads what services list of tokens.
package rows

import (
	"fmt"

	"github.com/spoortrace/spoor/chains/internal/reading"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// Token reads the transfer of a TRC-20 token that a service lists for a question:
// addresses in base58, the value in base units. One of another account or token is
// an error; what names the row in errors.
func Token(q ask.Question, what, from, to, contract, value string) (t ledger.Transfer, err error) {
	chain := q.Holder.Asset.Chain
	var token ledger.Address
	for _, one := range []struct {
		text string
		into *ledger.Address
	}{{from, &t.From}, {to, &t.To}, {contract, &token}} {
		if *one.into, err = ledger.ParseAddress(chain, one.text); err != nil {
			return t, reading.Malformed(q, what+"an address", one.text)
		}
		if one.into != &token && *one.into == ledger.AccountAddress(chain, [20]byte{}) {
			*one.into = ledger.Address{} // minted or burnt
		}
	}
	if t.Amount, err = ledger.ParseAmount(value); err != nil {
		return t, reading.Malformed(q, what+"a value in base units", value)
	}
	t.Kind, t.Asset, t.Grade = ledger.TransferToken, ledger.TokenAsset(token), ledger.GradeAttested
	if t.Asset != q.Holder.Asset || (t.From != q.Holder.Address && t.To != q.Holder.Address) {
		return t, ledger.Untrue(ledger.FaultMismatched, q.String(), fmt.Sprintf("%sit is of %s from %s to %s", what, t.Asset, t.From, t.To))
	}
	return t, nil
}
