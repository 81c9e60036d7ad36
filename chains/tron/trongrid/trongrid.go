// Package trongrid speaks the HTTP API of TronGrid
// (https://developers.tron.network/reference): version 1 for the history of
// accounts, and the node's own wallet calls for single transactions.
//
// The history tells no heights, so that everything is told by block time. What
// was signed comes with the hash that is its id, and is read from those bytes;
// what it led to (logs, internal transactions, fee) is the service's word.
package trongrid

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/chains/internal/reading"
	"github.com/spoortrace/spoor/chains/tron"
	"github.com/spoortrace/spoor/chains/tron/internal/rows"
	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// TronGrid is the API of one network.
type TronGrid struct{ chain ledger.Chain }

// New returns the adapter of a network of the TRON family.
func New(c ledger.Chain) (*TronGrid, error) {
	if c.Family() != ledger.FamilyTRON {
		return nil, ledger.Invalid("network", "a TRON network for TronGrid", string(c))
	}
	return &TronGrid{c}, nil
}

// Chain implements ask.Service.
func (g *TronGrid) Chain() ledger.Chain { return g.chain }

// Clocked implements ask.Service: lists of transfers have times and no heights.
func (g *TronGrid) Clocked() bool { return true }

const (
	partInfo = "info" // of a transaction: what it led to; the cursor is what was signed
	pageRows = 200    // the most that TronGrid gives
)

// Request implements ask.Service.
func (g *TronGrid) Request(q ask.Question) (ask.Request, error) {
	body := `{"value":"` + q.Tx.String() + `"}`
	switch {
	case q.Kind == ask.Head:
		return ask.Request{Path: "/walletsolidity/getnowblock"}, nil // lists of confirmed transfers reach as far as that
	case q.Kind == ask.Tx && q.Part == "":
		return ask.Request{Path: "/wallet/gettransactionbyid", Body: body}, nil
	case q.Kind == ask.Tx && q.Part == partInfo:
		return ask.Request{Path: "/wallet/gettransactioninfobyid", Body: body}, nil
	case q.Kind == ask.History && q.Holder.Asset.TokenID == "":
		at, err := ask.WindowOf(q)
		v := url.Values{
			"only_confirmed": {"true"}, "limit": {strconv.Itoa(pageRows)}, "order_by": {"block_timestamp,asc"},
			"min_timestamp": {strconv.FormatUint(at.From, 10)}, "max_timestamp": {strconv.FormatUint(q.Range.To-1, 10)},
		}
		list := "/transactions/trc20?"
		if q.Holder.Asset.Native() {
			list = "/transactions?"
			v.Set("search_internal", "true")
		} else {
			v.Set("contract_address", q.Holder.Asset.Contract.String())
		}
		return ask.Request{Path: "/v1/accounts/" + q.Holder.Address.String() + list + v.Encode()}, err
	}
	return ask.Request{}, ask.Unsupported(q, "TronGrid")
}

// Read implements ask.Service.
func (g *TronGrid) Read(q ask.Question, status int, body []byte) (ask.Answer, error) {
	if status != http.StatusOK {
		return ask.Answer{}, refused(q, status, body)
	}
	switch q.Kind {
	case ask.Head:
		return g.readHead(q, body)
	case ask.Tx:
		return g.readTx(q, body)
	case ask.History:
		if q.Holder.Asset.Native() {
			return g.readNative(q, body)
		}
		return g.readHistory(q, body)
	case ask.Block, ask.Spends, ask.Count, ask.Proof:
	}
	return ask.Answer{}, ask.Unsupported(q, "TronGrid")
}

func refused(q ask.Question, status int, body []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	text := string(body[:min(len(body), 100)])
	if err := json.Unmarshal(body, &said); err == nil && said.Error != "" {
		text = said.Error[:min(len(said.Error), 200)]
	}
	return ledger.Untrue(ledger.FaultUnsupported, q.String(), fmt.Sprintf("HTTP %d: %q", status, text))
}

func (g *TronGrid) readHead(q ask.Question, body []byte) (ask.Answer, error) {
	var b struct {
		Header struct {
			Raw struct {
				Time *int64 `json:"timestamp"`
			} `json:"raw_data"`
		} `json:"block_header"`
		ID string `json:"blockID"`
	}
	if err := reading.JSON(q, "TronGrid", body, &b); err != nil {
		return ask.Answer{}, err
	}
	hash, err := ledger.ParseTxID(b.ID)
	if err != nil || b.Header.Raw.Time == nil || *b.Header.Raw.Time <= 0 {
		return ask.Answer{}, reading.Malformed(q, "a block with blockID and timestamp", string(body[:min(len(body), 60)]))
	}
	at := *b.Header.Raw.Time
	return ask.Answer{Head: &ledger.Head{Tip: ledger.BlockRef{Chain: g.chain, Height: uint64(at), Hash: ledger.Hash(hash), Time: at}}}, nil
}

// readTx reads what was signed, then with what it led to.
func (g *TronGrid) readTx(q ask.Question, body []byte) (ask.Answer, error) {
	if q.Part == partInfo {
		return g.readInfo(q, body)
	}
	var t struct {
		ID  string `json:"txID"`
		Raw string `json:"raw_data_hex"`
		Ret []struct {
			Outcome string `json:"contractRet"`
		} `json:"ret"`
		Error string `json:"Error"`
	}
	if err := reading.JSON(q, "TronGrid", body, &t); err != nil {
		return ask.Answer{}, err
	}
	if t.Error != "" {
		return ask.Answer{}, ledger.Untrue(ledger.FaultUnsupported, q.String(), fmt.Sprintf("it says %.200q", t.Error))
	}
	if t.ID == "" && t.Raw == "" {
		return ask.Answer{}, fmt.Errorf("%s: TronGrid has no such transaction: %w", q, ledger.ErrNotFound)
	}
	raw, err := hex.DecodeString(t.Raw)
	if err != nil {
		return ask.Answer{}, reading.Malformed(q, "raw_data_hex", t.Raw)
	}
	if id := (tron.Single{Raw: raw}).ID(); id != q.Tx || t.ID != q.Tx.String() {
		return ask.Answer{}, ledger.Untrue(ledger.FaultMismatched, q.String(), fmt.Sprintf("what came calls itself %.64s and hashes to %s", t.ID, id))
	}
	next := q
	next.Part, next.Cursor = partInfo, "0 "+t.Raw
	if len(t.Ret) > 0 {
		next.Cursor = strconv.Itoa(int(outcome(t.Ret[0].Outcome))) + " " + t.Raw
	}
	return ask.Answer{Next: []ask.Question{next}}, nil
}

// outcome numbers a name of contract_ret as far as it matters.
func outcome(name string) int32 {
	switch name {
	case "", "DEFAULT":
		return 0
	case "SUCCESS":
		return 1
	}
	return 2
}

type infoJSON struct {
	ID      string `json:"id"`
	Fee     int64  `json:"fee"`
	Number  *int64 `json:"blockNumber"`
	Time    *int64 `json:"blockTimeStamp"`
	Receipt struct {
		Result    string `json:"result"`
		EnergyFee int64  `json:"energy_fee"`
		NetFee    int64  `json:"net_fee"`
	} `json:"receipt"`
	Logs []struct {
		Address string   `json:"address"`
		Topics  []string `json:"topics"`
		Data    string   `json:"data"`
	} `json:"log"`
	Result   string         `json:"result"`
	Contract string         `json:"contract_address"`
	Withdraw int64          `json:"withdraw_amount"`
	Unfreeze int64          `json:"unfreeze_amount"`
	Internal []internalJSON `json:"internal_transactions"`
}

type internalJSON struct {
	Caller string `json:"caller_address"`
	To     string `json:"transferTo_address"`
	Values []struct {
		Value   int64  `json:"callValue"`
		TokenID string `json:"tokenId"`
	} `json:"callValueInfo"`
	Note     string `json:"note"`
	Rejected bool   `json:"rejected"`
}

func (g *TronGrid) readInfo(q ask.Question, body []byte) (ask.Answer, error) {
	said, text, _ := strings.Cut(q.Cursor, " ")
	raw, err := hex.DecodeString(text)
	code, errCode := strconv.ParseInt(said, 10, 32)
	if err = errors.Join(err, errCode); err != nil {
		return ask.Answer{}, reading.Malformed(q, "a cursor of outcome and raw data", q.Cursor)
	}
	var m infoJSON
	if err := reading.JSON(q, "TronGrid", body, &m); err != nil {
		return ask.Answer{}, err
	}
	if m.ID == "" && m.Number == nil {
		return ask.Answer{Unconfirmed: true}, nil
	}
	if m.ID != q.Tx.String() {
		return ask.Answer{}, ledger.Untrue(ledger.FaultMismatched, q.String(), fmt.Sprintf("the info is of %.64q", m.ID))
	}
	info, err := m.message(q)
	if err != nil {
		return ask.Answer{}, err
	}
	tx, lacks, err := tron.Single{Raw: raw, Outcome: int32(code), Info: info}.Transaction(g.chain)
	if err != nil {
		return ask.Answer{}, &ledger.SourceError{Fault: ledger.FaultContents, Subject: q.String(), Err: err}
	}
	if lacks != "" {
		return ask.Answer{}, ledger.Untrue(ledger.FaultUnsupported, q.String(), "it moved in ways that are not followed: "+lacks)
	}
	ref := ledger.BlockRef{Chain: g.chain, Height: uint64(tx.Time), Time: tx.Time}
	return ask.Answer{Txs: []ask.Placed{{Tx: tx, Block: ref, Whole: true}}}, nil
}

// message makes the node's own message of the JSON.
func (m *infoJSON) message(q ask.Question) (*protocol.TransactionInfo, error) {
	if m.Number == nil || m.Time == nil || *m.Number < 0 || *m.Time <= 0 {
		return nil, reading.Malformed(q, "blockNumber and blockTimeStamp", "")
	}
	info := &protocol.TransactionInfo{
		Fee: m.Fee, BlockNumber: *m.Number, BlockTimeStamp: *m.Time, WithdrawAmount: m.Withdraw, UnfreezeAmount: m.Unfreeze,
		Receipt: &protocol.ResourceReceipt{EnergyFee: m.Receipt.EnergyFee, NetFee: m.Receipt.NetFee, Result: outcome(m.Receipt.Result)},
	}
	if m.Result == "FAILED" {
		info.Result = 1
	}
	fields := hexes{q: q}
	info.Id, info.ContractAddress = fields.read("id", m.ID), fields.read("contract_address", m.Contract)
	for _, l := range m.Logs {
		one := &protocol.TransactionInfo_Log{Address: fields.read("log address", l.Address), Data: fields.read("log data", l.Data)}
		for _, t := range l.Topics {
			one.Topics = append(one.Topics, fields.read("topic", t))
		}
		info.Log = append(info.Log, one)
	}
	for _, t := range m.Internal {
		one := &protocol.InternalTransaction{
			CallerAddress: fields.read("caller_address", t.Caller), TransferToAddress: fields.read("transferTo_address", t.To), Note: fields.read("note", t.Note), Rejected: t.Rejected,
		}
		for _, v := range t.Values {
			one.CallValueInfo = append(one.CallValueInfo, &protocol.InternalTransaction_CallValueInfo{CallValue: v.Value, TokenId: v.TokenID})
		}
		info.InternalTransactions = append(info.InternalTransactions, one)
	}
	return info, fields.err
}

// hexes reads fields in hex and keeps the first error.
type hexes struct {
	q   ask.Question
	err error
}

func (h *hexes) read(field, text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil && h.err == nil {
		h.err = reading.Malformed(h.q, field+" in hex", text)
	}
	return b
}

type rowJSON struct {
	ID    string `json:"transaction_id"`
	Token struct {
		Address  string `json:"address"`
		Symbol   string `json:"symbol"`
		Decimals *int   `json:"decimals"`
	} `json:"token_info"`
	Time  *uint64 `json:"block_timestamp"`
	From  string  `json:"from"`
	To    string  `json:"to"`
	Type  string  `json:"type"`
	Value string  `json:"value"`
}

// readHistory reads a page.
func (g *TronGrid) readHistory(q ask.Question, body []byte) (ask.Answer, error) {
	at, err := ask.WindowOf(q)
	if err != nil {
		return ask.Answer{}, err
	}
	var page pageJSON[rowJSON]
	if err := page.read(q, body); err != nil {
		return ask.Answer{}, err
	}
	var all []ask.Placed
	var times []uint64
	a := ask.Answer{}
	for i, d := range *page.Data {
		p, info, err := g.row(q, i, d)
		if err != nil {
			return ask.Answer{}, err
		}
		all, times = append(all, p), append(times, p.Block.Height)
		if len(a.Assets) == 0 {
			a.Assets = []ledger.AssetInfo{info}
		}
	}
	take, next, err := at.Page(q, times, page.Meta.Fingerprint != "")
	if err != nil {
		return ask.Answer{}, err
	}
	a.Txs = ask.Joined(slices.DeleteFunc(all[:take], func(p ask.Placed) bool { return len(p.Tx.Transfers) == 0 }))
	if next != nil {
		a.Next = []ask.Question{*next}
	}
	return a, nil
}

// row reads one row of a list; an approval moves nothing.
func (g *TronGrid) row(q ask.Question, i int, d rowJSON) (p ask.Placed, info ledger.AssetInfo, err error) {
	what := fmt.Sprintf("row %d: ", i)
	if d.Time == nil || d.Token.Decimals == nil || *d.Token.Decimals < 0 || *d.Token.Decimals > 77 {
		return p, info, reading.Malformed(q, what+"block_timestamp and decimals", "")
	}
	id, err := ledger.ParseTxID(d.ID)
	if err != nil {
		return p, info, reading.Malformed(q, what+"a transaction_id", d.ID)
	}
	t, err := rows.Token(q, what, d.From, d.To, d.Token.Address, d.Value)
	if err != nil {
		return p, info, err
	}
	p.Block = ledger.BlockRef{Chain: g.chain, Height: *d.Time, Time: int64(*d.Time)}
	p.Tx = ledger.Tx{ID: id, Chain: g.chain, Time: p.Block.Time, Grade: ledger.GradeAttested}
	if d.Type == "Transfer" {
		p.Tx.Transfers = []ledger.Transfer{t}
	}
	return p, ledger.AssetInfo{Asset: t.Asset, Symbol: d.Token.Symbol, Decimals: *d.Token.Decimals}, nil
}
