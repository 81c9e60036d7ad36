package trongrid

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spoortrace/spoor/chains/internal/reading"
	"github.com/spoortrace/spoor/chains/tron"
	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// nativeJSON is a row of an account's transactions: one that somebody signed, or,
// where it has an internal_tx_id, what a contract sent in one.
type nativeJSON struct {
	Time *uint64 `json:"block_timestamp"`

	ID  string `json:"txID"`
	Raw string `json:"raw_data_hex"`
	Ret []struct {
		Outcome string `json:"contractRet"`
		Fee     int64  `json:"fee"`
	} `json:"ret"`
	Number   int64             `json:"blockNumber"`
	Withdraw int64             `json:"withdraw_amount"`
	Unfreeze int64             `json:"unfreeze_amount"`
	Inside   []json.RawMessage `json:"internal_transactions"`

	Internal string `json:"internal_tx_id"`
	Tx       string `json:"tx_id"`
	From     string `json:"from_address"` // hex
	To       string `json:"to_address"`
	Data     struct {
		Note     string           `json:"note"`
		Rejected bool             `json:"rejected"`
		Value    map[string]int64 `json:"call_value"` // by TRC-10 token; "_": TRX
	} `json:"data"`
}

// readNative reads a page of an account's transactions, of which it takes what moved
// TRX of his.
func (g *TronGrid) readNative(q ask.Question, body []byte) (ask.Answer, error) {
	at, err := ask.WindowOf(q)
	if err != nil {
		return ask.Answer{}, err
	}
	var page pageJSON[nativeJSON]
	if err := page.read(q, body); err != nil {
		return ask.Answer{}, err
	}
	var rows []ask.Placed
	var times []uint64
	for i, d := range *page.Data {
		p, err := g.native(q, i, d)
		if err != nil {
			return ask.Answer{}, err
		}
		rows, times = append(rows, p), append(times, p.Block.Height)
	}
	take, next, err := at.Page(q, times, page.Meta.Fingerprint != "")
	if err != nil {
		return ask.Answer{}, err
	}
	a := ask.Answer{Txs: ask.Joined(rows[:take])}
	if next != nil {
		a.Next = []ask.Question{*next}
	}
	return a, nil
}

// native reads a row.
func (g *TronGrid) native(q ask.Question, i int, d nativeJSON) (p ask.Placed, err error) {
	what := fmt.Sprintf("row %d: ", i)
	if d.Time == nil || *d.Time >= 1<<44 {
		return p, reading.Malformed(q, what+"block_timestamp", "")
	}
	if len(d.Inside) > 0 {
		return p, ask.Unsupported(q, "TronGrid (a transaction that lists what contracts sent in it)")
	}
	p.Block = ledger.BlockRef{Chain: g.chain, Height: *d.Time, Time: int64(*d.Time)}
	p.Tx = ledger.Tx{Chain: g.chain, Time: p.Block.Time, Grade: ledger.GradeAttested}
	var moves []ledger.Transfer
	var lacks string
	if d.Internal != "" {
		if p.Tx.ID, err = ledger.ParseTxID(d.Tx); err != nil {
			return p, reading.Malformed(q, what+"a tx_id", d.Tx)
		}
		moves, lacks, err = g.inner(q, what, d)
	} else {
		p.Tx.ID, moves, lacks, err = g.signed(q, what, d)
	}
	if err != nil {
		return p, err
	}
	if lacks != "" {
		return p, ledger.Untrue(ledger.FaultUnsupported, q.String(), what+"it moved in ways that are not followed: "+lacks)
	}
	for _, t := range moves {
		if t.Asset == q.Holder.Asset && !t.Amount.IsZero() && (t.From == q.Holder.Address || t.To == q.Holder.Address) {
			t.Grade = ledger.GradeAttested
			p.Tx.Transfers = append(p.Tx.Transfers, t)
		}
	}
	return p, nil
}

// signed reads a transaction as far as its row tells: all but logs and what
// contracts sent.
func (g *TronGrid) signed(q ask.Question, what string, d nativeJSON) (id ledger.TxID, moves []ledger.Transfer, lacks string, err error) {
	raw, err := hex.DecodeString(d.Raw)
	if err != nil || len(raw) == 0 {
		return id, nil, "", reading.Malformed(q, what+"raw_data_hex", d.Raw)
	}
	if len(d.Ret) != 1 {
		return id, nil, "", reading.Malformed(q, what+"one ret", fmt.Sprint(len(d.Ret)))
	}
	s := tron.Single{Raw: raw, Outcome: outcome(d.Ret[0].Outcome), Info: &protocol.TransactionInfo{
		Fee: d.Ret[0].Fee, BlockNumber: max(1, d.Number), BlockTimeStamp: int64(*d.Time), WithdrawAmount: d.Withdraw, UnfreezeAmount: d.Unfreeze,
	}}
	if id = s.ID(); d.ID != id.String() {
		return id, nil, "", ledger.Untrue(ledger.FaultMismatched, q.String(), fmt.Sprintf("%swhat came calls itself %.64s and hashes to %s", what, d.ID, id))
	}
	tx, lacks, err := s.Transaction(g.chain)
	if err != nil {
		return id, nil, "", &ledger.SourceError{Fault: ledger.FaultContents, Subject: q.String(), Err: err}
	}
	return id, tx.Transfers, lacks, nil
}

// inner reads what a contract sent.
func (g *TronGrid) inner(q ask.Question, what string, d nativeJSON) ([]ledger.Transfer, string, error) {
	fields := hexes{q: q}
	sent := &protocol.InternalTransaction{
		CallerAddress: fields.read(what+"from_address", d.From), TransferToAddress: fields.read(what+"to_address", d.To), Note: []byte(d.Data.Note), Rejected: d.Data.Rejected,
	}
	if text, err := hex.DecodeString(d.Data.Note); err == nil {
		sent.Note = text
	}
	for token, n := range d.Data.Value {
		if token == "_" {
			token = ""
		}
		sent.CallValueInfo = append(sent.CallValueInfo, &protocol.InternalTransaction_CallValueInfo{CallValue: n, TokenId: token})
	}
	if fields.err != nil {
		return nil, "", fields.err
	}
	moves, lacks, err := tron.Internals(g.chain, []*protocol.InternalTransaction{sent})
	if err != nil {
		return nil, "", &ledger.SourceError{Fault: ledger.FaultContents, Subject: q.String(), Err: err}
	}
	return moves, lacks, nil
}

// pageJSON is a page of rows of one kind.
type pageJSON[Row any] struct {
	Data    *[]Row `json:"data"`
	Success bool   `json:"success"`
	Error   string `json:"error"`
	Meta    struct {
		Fingerprint string `json:"fingerprint"`
	} `json:"meta"`
}

func (p *pageJSON[Row]) read(q ask.Question, body []byte) error {
	if err := reading.JSON(q, "TronGrid", body, p); err != nil {
		return err
	}
	switch {
	case !p.Success && strings.Contains(strings.ToLower(p.Error), "limit"):
		return &ledger.SourceError{Fault: ledger.FaultBusy, Subject: q.String(), Detail: fmt.Sprintf("it says %.200q", p.Error)}
	case !p.Success || p.Data == nil:
		return reading.Malformed(q, "success and data", p.Error)
	case len(*p.Data) > pageRows:
		return ledger.Untrue(ledger.FaultContents, q.String(), fmt.Sprintf("%d rows came, at most %d were asked for", len(*p.Data), pageRows))
	}
	return nil
}
