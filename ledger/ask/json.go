package ask

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// questionJSON is a Question as it is kept: addresses as KIND:HEX of their
// payload, which reads back whatever they are.
type questionJSON struct {
	Kind     Kind         `json:"kind"`
	Tx       string       `json:"tx,omitempty"`
	Network  ledger.Chain `json:"network,omitempty"`
	Account  string       `json:"account,omitempty"`
	Contract string       `json:"contract,omitempty"`
	TokenID  string       `json:"token_id,omitempty"`
	From     uint64       `json:"from,omitempty"`
	To       uint64       `json:"to,omitempty"`
	Part     string       `json:"part,omitempty"`
	Cursor   string       `json:"cursor,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (q Question) MarshalJSON() ([]byte, error) {
	w := questionJSON{
		Kind: q.Kind, Network: q.Holder.Address.Chain, Account: keep(q.Holder.Address), Contract: keep(q.Holder.Asset.Contract), TokenID: q.Holder.Asset.TokenID,
		From: q.Range.From, To: q.Range.To, Part: q.Part, Cursor: q.Cursor,
	}
	if q.Tx != (ledger.TxID{}) {
		w.Tx = q.Tx.String()
	}
	return json.Marshal(w)
}

// UnmarshalJSON implements json.Unmarshaler.
func (q *Question) UnmarshalJSON(b []byte) error {
	var w questionJSON
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*q = Question{Kind: w.Kind, Range: ledger.Range{From: w.From, To: w.To}, Part: w.Part, Cursor: w.Cursor}
	var err error
	if w.Tx != "" {
		if q.Tx, err = ledger.ParseTxID(w.Tx); err != nil {
			return err
		}
	}
	if w.Network == "" {
		return nil
	}
	q.Holder.Asset = ledger.Asset{Chain: w.Network, TokenID: w.TokenID}
	if q.Holder.Address, err = kept(w.Network, w.Account); err != nil {
		return err
	}
	q.Holder.Asset.Contract, err = kept(w.Network, w.Contract)
	return err
}

func keep(a ledger.Address) string {
	if a.IsZero() {
		return ""
	}
	return strconv.Itoa(int(a.Kind)) + ":" + hex.EncodeToString([]byte(a.Payload))
}

func kept(c ledger.Chain, s string) (ledger.Address, error) {
	if s == "" {
		return ledger.Address{}, nil
	}
	kind, payload, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(kind, 10, 8)
	raw, errHex := hex.DecodeString(payload)
	if err != nil || errHex != nil {
		return ledger.Address{}, fmt.Errorf("an address of a question: %w", ledger.ErrCorrupt)
	}
	return ledger.Address{Chain: c, Kind: ledger.AddressKind(n), Payload: string(raw)}, nil
}
