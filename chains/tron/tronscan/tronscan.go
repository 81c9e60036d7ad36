// Package tronscan speaks the HTTP API of Tronscan (https://docs.tronscan.org) for
// the transfers of TRC-20 tokens and for how many an account has. Single
// transactions and TRX are TronGrid's: what Tronscan says of them is not what was
// signed. Everything is told by block time, and is the service's word.
package tronscan

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/spoortrace/spoor/chains/internal/reading"
	"github.com/spoortrace/spoor/chains/tron/internal/rows"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// Tronscan is the API of one network.
type Tronscan struct{ chain ledger.Chain }

// New returns the adapter of a network of the TRON family.
func New(c ledger.Chain) (*Tronscan, error) {
	if c.Family() != ledger.FamilyTRON {
		return nil, ledger.Invalid("network", "a TRON network for Tronscan", string(c))
	}
	return &Tronscan{c}, nil
}

// Chain implements ask.Service.
func (s *Tronscan) Chain() ledger.Chain { return s.chain }

// Clocked implements ask.Service: lists are cut by time.
func (s *Tronscan) Clocked() bool { return true }

const (
	pageRows = 50 // the most that Tronscan gives
	// solid is how many blocks below the newest one the head is: 19 of 27 witnesses
	// have built on that one, and it stays.
	solid = 20
)

// Request implements ask.Service.
func (s *Tronscan) Request(q ask.Question) (ask.Request, error) {
	switch {
	case q.Kind == ask.Head:
		v := url.Values{"sort": {"-number"}, "start": {strconv.Itoa(solid)}, "limit": {"1"}}
		return ask.Request{Path: "/api/block?" + v.Encode()}, nil
	case q.Kind == ask.Count && !q.Holder.Asset.Contract.IsZero():
		return ask.Request{Path: "/api/token_trc20/transfers?" + transfers(q, 1).Encode()}, nil
	case q.Kind == ask.History && !q.Holder.Asset.Contract.IsZero():
		at, err := ask.WindowOf(q)
		v := transfers(q, pageRows)
		v.Set("sort", "timestamp")
		v.Set("start_timestamp", strconv.FormatUint(at.From, 10))
		v.Set("end_timestamp", strconv.FormatUint(q.Range.To-1, 10))
		return ask.Request{Path: "/api/token_trc20/transfers?" + v.Encode()}, err
	}
	return ask.Request{}, ask.Unsupported(q, "Tronscan")
}

func transfers(q ask.Question, limit int) url.Values {
	return url.Values{
		"contract_address": {q.Holder.Asset.Contract.String()}, "relatedAddress": {q.Holder.Address.String()}, "confirm": {"true"}, "filterTokenValue": {"0"},
		"start": {"0"}, "limit": {strconv.Itoa(limit)},
	}
}

// Read implements ask.Service.
func (s *Tronscan) Read(q ask.Question, status int, body []byte) (ask.Answer, error) {
	if status != http.StatusOK {
		return ask.Answer{}, ledger.Untrue(ledger.FaultUnsupported, q.String(), fmt.Sprintf("HTTP %d: %.100q", status, body))
	}
	switch q.Kind {
	case ask.Head:
		return s.readHead(q, body)
	case ask.History:
		return s.readHistory(q, body)
	case ask.Count:
		page, err := readPage(q, body)
		if err != nil {
			return ask.Answer{}, err
		}
		return ask.Answer{Count: page.count()}, nil
	case ask.Block, ask.Tx, ask.Spends, ask.Proof:
	}
	return ask.Answer{}, ask.Unsupported(q, "Tronscan")
}

func (s *Tronscan) readHead(q ask.Question, body []byte) (ask.Answer, error) {
	var list struct {
		Data []struct {
			Hash string `json:"hash"`
			Time *int64 `json:"timestamp"`
		} `json:"data"`
	}
	if err := reading.JSON(q, "Tronscan", body, &list); err != nil {
		return ask.Answer{}, err
	}
	if len(list.Data) != 1 || list.Data[0].Time == nil || *list.Data[0].Time <= 0 {
		return ask.Answer{}, reading.Malformed(q, "one block with hash and timestamp", string(body[:min(len(body), 60)]))
	}
	hash, err := ledger.ParseTxID(list.Data[0].Hash)
	if err != nil {
		return ask.Answer{}, reading.Malformed(q, "a block's hash", list.Data[0].Hash)
	}
	at := *list.Data[0].Time
	return ask.Answer{Head: &ledger.Head{Tip: ledger.BlockRef{Chain: s.chain, Height: uint64(at), Hash: ledger.Hash(hash), Time: at}}}, nil
}

// pageJSON is a page of transfers.
type pageJSON struct {
	Total   *uint64    `json:"total"` // of the list, 10,000 at most
	InRange *uint64    `json:"rangeTotal"`
	Rows    *[]rowJSON `json:"token_transfers"`
}

type rowJSON struct {
	ID        string  `json:"transaction_id"`
	Time      *uint64 `json:"block_ts"`
	From      string  `json:"from_address"`
	To        string  `json:"to_address"`
	Contract  string  `json:"contract_address"`
	Value     string  `json:"quant"`
	Confirmed bool    `json:"confirmed"`
	Outcome   string  `json:"contractRet"`
	Final     string  `json:"finalResult"`
	Token     struct {
		Symbol   string `json:"tokenAbbr"`
		Decimals *int   `json:"tokenDecimal"`
	} `json:"tokenInfo"`
}

func readPage(q ask.Question, body []byte) (p pageJSON, err error) {
	if err := reading.JSON(q, "Tronscan", body, &p); err != nil {
		return p, err
	}
	switch {
	case p.Rows == nil || p.Total == nil:
		return p, reading.Malformed(q, "token_transfers and total", string(body[:min(len(body), 60)]))
	case len(*p.Rows) > pageRows:
		return p, ledger.Untrue(ledger.FaultContents, q.String(), fmt.Sprintf("%d rows came, at most %d were asked for", len(*p.Rows), pageRows))
	}
	return p, nil
}

func (p *pageJSON) count() uint64 {
	if p.InRange != nil {
		return max(*p.InRange, *p.Total)
	}
	return *p.Total
}

func (s *Tronscan) readHistory(q ask.Question, body []byte) (ask.Answer, error) {
	at, err := ask.WindowOf(q)
	if err != nil {
		return ask.Answer{}, err
	}
	page, err := readPage(q, body)
	if err != nil {
		return ask.Answer{}, err
	}
	a := ask.Answer{}
	var all []ask.Placed
	var times []uint64
	for i, d := range *page.Rows {
		p, info, err := s.row(q, i, d)
		if err != nil {
			return ask.Answer{}, err
		}
		all, times = append(all, p), append(times, p.Block.Height)
		if len(a.Assets) == 0 {
			a.Assets = []ledger.AssetInfo{info}
		}
	}
	take, next, err := at.Page(q, times, page.count() > uint64(len(times)))
	if err != nil {
		return ask.Answer{}, err
	}
	a.Txs = ask.Joined(slices.DeleteFunc(all[:take], func(p ask.Placed) bool { return len(p.Tx.Transfers) == 0 }))
	if next != nil {
		a.Next = []ask.Question{*next}
	}
	return a, nil
}

// row reads one row of a list; what failed moved nothing.
func (s *Tronscan) row(q ask.Question, i int, d rowJSON) (p ask.Placed, info ledger.AssetInfo, err error) {
	what := fmt.Sprintf("row %d: ", i)
	if d.Time == nil || d.Token.Decimals == nil || *d.Token.Decimals < 0 || *d.Token.Decimals > 77 {
		return p, info, reading.Malformed(q, what+"block_ts and tokenDecimal", "")
	}
	if !d.Confirmed {
		return p, info, ledger.Untrue(ledger.FaultContents, q.String(), what+"it is not confirmed")
	}
	id, err := ledger.ParseTxID(d.ID)
	if err != nil {
		return p, info, reading.Malformed(q, what+"a transaction_id", d.ID)
	}
	t, err := rows.Token(q, what, d.From, d.To, d.Contract, d.Value)
	if err != nil {
		return p, info, err
	}
	p.Block = ledger.BlockRef{Chain: s.chain, Height: *d.Time, Time: int64(*d.Time)}
	p.Tx = ledger.Tx{ID: id, Chain: s.chain, Time: p.Block.Time, Grade: ledger.GradeAttested}
	if d.Outcome == "SUCCESS" && (d.Final == "" || d.Final == "SUCCESS") {
		p.Tx.Transfers = []ledger.Transfer{t}
	}
	return p, ledger.AssetInfo{Asset: t.Asset, Symbol: d.Token.Symbol, Decimals: *d.Token.Decimals}, nil
}
