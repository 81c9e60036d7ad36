package fetch

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// questionJSON is a Question as it is kept: addresses as KIND:HEX of their
// payload, which reads back whatever they are.
type questionJSON struct {
	Kind     ask.Kind     `json:"kind"`
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

func questionOut(q ask.Question) questionJSON {
	w := questionJSON{
		Kind: q.Kind, Network: q.Holder.Address.Chain, Account: keep(q.Holder.Address), Contract: keep(q.Holder.Asset.Contract), TokenID: q.Holder.Asset.TokenID,
		From: q.Range.From, To: q.Range.To, Part: q.Part, Cursor: q.Cursor,
	}
	if q.Tx != (ledger.TxID{}) {
		w.Tx = q.Tx.String()
	}
	return w
}

func (w questionJSON) question() (q ask.Question, err error) {
	q = ask.Question{Kind: w.Kind, Range: ledger.Range{From: w.From, To: w.To}, Part: w.Part, Cursor: w.Cursor}
	if w.Tx != "" {
		if q.Tx, err = ledger.ParseTxID(w.Tx); err != nil {
			return q, err
		}
	}
	if w.Network == "" {
		return q, nil
	}
	q.Holder.Asset = ledger.Asset{Chain: w.Network, TokenID: w.TokenID}
	if q.Holder.Address, err = kept(w.Network, w.Account); err != nil {
		return q, err
	}
	q.Holder.Asset.Contract, err = kept(w.Network, w.Contract)
	return q, err
}

// recordJSON is a Record as it stands in the log.
type recordJSON struct {
	Seq      uint64       `json:"seq"`
	Source   string       `json:"source"`
	Pin      uint64       `json:"pin"`
	Question questionJSON `json:"question"`
	Path     string       `json:"path"`
	Post     string       `json:"post,omitempty"`
	Time     int64        `json:"time"`
	Status   int          `json:"status"`
	SHA256   string       `json:"sha256"`
}

func (r *Record) encode() ([]byte, error) {
	return json.Marshal(recordJSON{r.Seq, r.Source, r.Pin, questionOut(r.Question), r.Request.Path, r.Request.Body, r.Time, r.Status, r.SHA256.String()})
}

func decodeRecord(b []byte) (r Record, err error) {
	var w recordJSON
	if err := json.Unmarshal(b, &w); err != nil {
		return r, err
	}
	sum, err := ledger.ParseTxID(w.SHA256)
	if err != nil {
		return r, err
	}
	r = Record{Seq: w.Seq, Source: w.Source, Pin: w.Pin, Request: ask.Request{Path: w.Path, Body: w.Post}, Time: w.Time, Status: w.Status, SHA256: ledger.Hash(sum)}
	r.Question, err = w.Question.question()
	return r, err
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
