// Package etherscan speaks version 2 of the HTTP API of Etherscan, which tells of
// many EVM networks by their chain id (https://docs.etherscan.io/etherscan-v2).
//
// Whatever goes wrong comes with HTTP 200: lists say so by status "0" and a
// message, node calls by a JSON-RPC error. Everything is the service's word. The
// history of the native coin is joined of the lists of transactions, of what
// contracts sent, and of withdrawals from the beacon chain; what a block pays its
// proposer, and what a rollup pays for blobs, is in none of them.
package etherscan

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/spoortrace/spoor/chains/evm"
	"github.com/spoortrace/spoor/chains/internal/reading"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// Etherscan is the API of one network.
type Etherscan struct {
	chain   ledger.Chain
	id      string // of the chain, in decimal
	logs    *evm.LogReader
	notices evm.TxNotices
}

// New returns the adapter of an EVM network; notices read what bridges say in a
// transaction's logs, nil: nothing.
func New(c ledger.Chain, notices evm.TxNotices) (*Etherscan, error) {
	logs, err := evm.NewLogReader(c)
	if err != nil {
		return nil, err
	}
	params, _ := c.Params()
	return &Etherscan{c, strconv.FormatUint(params.ChainID, 10), logs, notices}, nil
}

// Chain implements ask.Service.
func (e *Etherscan) Chain() ledger.Chain { return e.chain }

// Clocked implements ask.Service: Etherscan tells heights.
func (e *Etherscan) Clocked() bool { return false }

// The parts of a question for a transaction after the first: the time of its
// block, what contracts sent in it, its receipt. The cursor carries what was read.
const (
	partBlock    = "block"
	partInternal = "internal"
	partReceipt  = "receipt"
)

// behind is how many blocks below the node's newest one the head is: lists are
// made a little later than blocks, and must be whole up to it (judgment).
const behind = 10

// pageRows is the most that Etherscan gives of a list to everybody, however it is
// paged (10,000 to those who pay).
const pageRows = 1000

// The lists of a native coin's history after the first, which is that of
// transactions.
const (
	partInternals   = "internals"
	partWithdrawals = "withdrawals"
)

// feesBelow reports a network whose transactions pay for another chain, too: the
// lists tell the price of gas alone.
func (e *Etherscan) feesBelow() bool { return e.id == "8453" || e.id == "10" } // Base, OP

// withdraws reports a network whose blocks pay out withdrawals from a beacon chain.
func (e *Etherscan) withdraws() bool {
	switch e.id {
	case "1", "100", "17000", "560048", "11155111": // Ethereum, Gnosis, Holesky, Hoodi, Sepolia
		return true
	}
	return false
}

// Request implements ask.Service. The key is the caller's to add.
func (e *Etherscan) Request(q ask.Question) (ask.Request, error) {
	v := url.Values{"chainid": {e.id}, "module": {"proxy"}}
	switch {
	case q.Kind == ask.Head && q.Part == "":
		v.Set("action", "eth_blockNumber")
	case q.Kind == ask.Head:
		height, err := strconv.ParseUint(q.Cursor, 10, 64)
		if err != nil {
			return ask.Request{}, reading.Malformed(q, "a cursor of a height", q.Cursor)
		}
		byNumber(v, height)
	case q.Kind == ask.Block:
		byNumber(v, q.Range.From)
	case q.Kind == ask.Tx:
		if err := requestTx(q, v); err != nil {
			return ask.Request{}, err
		}
	case q.Kind == ask.Count:
		v.Set("action", "eth_getTransactionCount")
		v.Set("address", q.Holder.Address.String())
		v.Set("tag", "latest")
	case q.Kind == ask.History && q.Holder.Asset.Native() && e.feesBelow():
		return ask.Request{}, ask.Unsupported(q, "Etherscan (its lists leave out what is paid to the chain below)")
	case q.Kind == ask.History:
		at, err := ask.WindowOf(q)
		if err != nil {
			return ask.Request{}, err
		}
		v = url.Values{
			"chainid": {e.id}, "module": {"account"}, "action": {list(q)}, "address": {q.Holder.Address.String()},
			"startblock": {strconv.FormatUint(at.From, 10)}, "endblock": {strconv.FormatUint(q.Range.To-1, 10)}, "page": {"1"}, "offset": {strconv.Itoa(pageRows)}, "sort": {"asc"},
		}
		if !q.Holder.Asset.Native() {
			v.Set("contractaddress", q.Holder.Asset.Contract.String())
		}
	default:
		return ask.Request{}, ask.Unsupported(q, "Etherscan")
	}
	return ask.Request{Path: "?" + v.Encode()}, nil
}

// list is the action that gives a part of a history.
func list(q ask.Question) string {
	switch {
	case !q.Holder.Asset.Native():
		return "tokentx"
	case q.Part == partInternals:
		return "txlistinternal"
	case q.Part == partWithdrawals:
		return "txsBeaconWithdrawal"
	}
	return "txlist"
}

func byNumber(v url.Values, height uint64) {
	v.Set("action", "eth_getBlockByNumber")
	v.Set("tag", hexutil.EncodeUint64(height))
	v.Set("boolean", "false")
}

func requestTx(q ask.Question, v url.Values) error {
	switch q.Part {
	case "":
		v.Set("action", "eth_getTransactionByHash")
		v.Set("txhash", "0x"+q.Tx.String())
	case partBlock:
		p, err := progressOf(q)
		byNumber(v, p.Height)
		return err
	case partInternal:
		v.Set("module", "account")
		v.Set("action", "txlistinternal")
		v.Set("txhash", "0x"+q.Tx.String())
	case partReceipt:
		v.Set("action", "eth_getTransactionReceipt")
		v.Set("txhash", "0x"+q.Tx.String())
	}
	return nil
}

// progress is what was read of a transaction so far.
type progress struct {
	From      common.Address  `json:"from"`
	To        *common.Address `json:"to"`
	Value     *hexutil.Big    `json:"value"`
	GasPrice  *hexutil.Big    `json:"gas_price"`
	Block     common.Hash     `json:"block"`
	Height    uint64          `json:"height"`
	Index     uint32          `json:"index"`
	Time      int64           `json:"time"`  // Unix milliseconds
	Plain     bool            `json:"plain"` // a transfer of a well-known token, which sends no value
	Internals []evm.Internal  `json:"internals,omitempty"`
}

func progressOf(q ask.Question) (p progress, err error) {
	if err := json.Unmarshal([]byte(q.Cursor), &p); err != nil {
		return p, reading.Malformed(q, "a cursor of what was read", q.Cursor)
	}
	return p, nil
}

// then is the question's next part.
func (p progress) then(q ask.Question, part string) (ask.Answer, error) {
	cursor, err := json.Marshal(p)
	if err != nil {
		return ask.Answer{}, fmt.Errorf("etherscan: %w", err)
	}
	q.Part, q.Cursor = part, string(cursor)
	return ask.Answer{Next: []ask.Question{q}}, nil
}

// Read implements ask.Service.
func (e *Etherscan) Read(q ask.Question, status int, body []byte) (ask.Answer, error) {
	if status != http.StatusOK {
		return ask.Answer{}, ledger.Untrue(ledger.FaultUnsupported, q.String(), fmt.Sprintf("HTTP %d: %.100q", status, body))
	}
	switch q.Kind {
	case ask.Head, ask.Block:
		return e.readHead(q, body)
	case ask.Tx:
		return e.readTx(q, body)
	case ask.History:
		if q.Holder.Asset.Native() {
			return e.readNative(q, body)
		}
		return e.readHistory(q, body)
	case ask.Count:
		return readCount(q, body)
	case ask.Spends, ask.Proof:
	}
	return ask.Answer{}, ask.Unsupported(q, "Etherscan")
}

func (e *Etherscan) readHead(q ask.Question, body []byte) (ask.Answer, error) {
	if q.Kind == ask.Head && q.Part == "" {
		return readNumber(q, body)
	}
	b, err := readBlock(q, body)
	if err != nil {
		return ask.Answer{}, err
	}
	if q.Kind == ask.Block && uint64(b.Number) != q.Range.From {
		return ask.Answer{}, &ledger.SourceError{Fault: ledger.FaultLagging, Subject: q.String(), Detail: fmt.Sprintf("block %d came", b.Number)}
	}
	ref := ledger.BlockRef{Chain: e.chain, Height: uint64(b.Number), Hash: ledger.Hash(b.Hash), Time: int64(b.Time) * 1000}
	return ask.Answer{Head: &ledger.Head{Tip: ref}}, nil
}

// answer is either form of an answer: of a list, or of a node's call.
type answer struct {
	Status  string          `json:"status"`
	Message string          `json:"message"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// said reads what an answer holds; what went wrong comes with a status or an error.
func said(q ask.Question, body []byte) (json.RawMessage, error) {
	var a answer
	if err := reading.JSON(q, "Etherscan", body, &a); err != nil {
		return nil, err
	}
	var text string
	_ = json.Unmarshal(a.Result, &text) // a list is no text
	if a.Error != nil {
		text = a.Error.Message
	}
	refused := a.Error != nil || a.Status == "0" && !strings.HasPrefix(a.Message, "No ") // "No transactions found" is an empty list
	if !refused {
		if len(a.Result) == 0 {
			return nil, reading.Malformed(q, "a result", string(body[:min(len(body), 60)]))
		}
		return a.Result, nil
	}
	lower := strings.ToLower(text + " " + a.Message)
	fault := ledger.FaultUnsupported
	switch {
	case strings.Contains(lower, "rate limit"), strings.Contains(lower, "too many"), strings.Contains(lower, "busy"):
		fault = ledger.FaultBusy
	case strings.Contains(lower, "timeout"), strings.Contains(lower, "timed out"):
		fault = ledger.FaultTimeout
	case strings.Contains(lower, "api key"), strings.Contains(lower, "apikey"):
		return nil, ledger.Untrue(ledger.FaultUnauthorized, q.String(), "it refuses the key, or wants one") // its words may hold the key
	}
	return nil, &ledger.SourceError{Fault: fault, Subject: q.String(), Detail: fmt.Sprintf("it says %.200q", strings.TrimSpace(a.Message+" "+text))}
}

// readNumber reads how high the chain is, and asks for the block that is the head.
func readNumber(q ask.Question, body []byte) (ask.Answer, error) {
	result, err := said(q, body)
	if err != nil {
		return ask.Answer{}, err
	}
	var n hexutil.Uint64
	if err := json.Unmarshal(result, &n); err != nil {
		return ask.Answer{}, reading.Malformed(q, "a height in hex", string(result))
	}
	q.Part, q.Cursor = partBlock, strconv.FormatUint(uint64(n)-min(uint64(n), behind), 10)
	return ask.Answer{Next: []ask.Question{q}}, nil
}

// readCount reads how many transactions an account has sent: of a contract, how many
// contracts it has made.
func readCount(q ask.Question, body []byte) (ask.Answer, error) {
	result, err := said(q, body)
	if err != nil {
		return ask.Answer{}, err
	}
	var n hexutil.Uint64
	if err := json.Unmarshal(result, &n); err != nil {
		return ask.Answer{}, reading.Malformed(q, "a number in hex", string(result))
	}
	return ask.Answer{Count: uint64(n)}, nil
}

type blockJSON struct {
	Number hexutil.Uint64 `json:"number"`
	Hash   common.Hash    `json:"hash"`
	Time   hexutil.Uint64 `json:"timestamp"`
}

func readBlock(q ask.Question, body []byte) (b blockJSON, err error) {
	result, err := said(q, body)
	if err != nil {
		return b, err
	}
	if string(result) == "null" {
		return b, &ledger.SourceError{Fault: ledger.FaultLagging, Subject: q.String(), Detail: "it has no such block"}
	}
	if err := json.Unmarshal(result, &b); err != nil || b.Hash == (common.Hash{}) || b.Time == 0 || b.Time > 1<<40 {
		return b, reading.Malformed(q, "a block with number, hash and timestamp", string(result))
	}
	return b, nil
}

func (e *Etherscan) readTx(q ask.Question, body []byte) (ask.Answer, error) {
	switch q.Part {
	case partBlock:
		return e.readTime(q, body)
	case partInternal:
		return e.readInternals(q, body)
	case partReceipt:
		return e.readReceipt(q, body)
	}
	result, err := said(q, body)
	if err != nil {
		return ask.Answer{}, err
	}
	if string(result) == "null" {
		return ask.Answer{}, fmt.Errorf("%s: Etherscan has no such transaction: %w", q, ledger.ErrNotFound)
	}
	var t struct {
		Hash   common.Hash     `json:"hash"`
		From   *common.Address `json:"from"`
		To     *common.Address `json:"to"`
		Value  *hexutil.Big    `json:"value"`
		Price  *hexutil.Big    `json:"gasPrice"`
		Input  hexutil.Bytes   `json:"input"`
		Block  *common.Hash    `json:"blockHash"`
		Number *hexutil.Uint64 `json:"blockNumber"`
		Index  *hexutil.Uint64 `json:"transactionIndex"`
	}
	if err := json.Unmarshal(result, &t); err != nil || t.From == nil || t.Value == nil {
		return ask.Answer{}, reading.Malformed(q, "a transaction with from and value", string(result))
	}
	if t.Hash != common.Hash(q.Tx) {
		return ask.Answer{}, ledger.Untrue(ledger.FaultMismatched, q.String(), "what came is "+t.Hash.Hex())
	}
	if t.Number == nil || t.Block == nil || t.Index == nil {
		return ask.Answer{Unconfirmed: true}, nil
	}
	if *t.Index >= 1<<ledger.IndexBits {
		return ask.Answer{}, reading.Malformed(q, "an index in the block", t.Index.String())
	}
	p := progress{From: *t.From, To: t.To, Value: t.Value, GasPrice: t.Price, Block: *t.Block, Height: uint64(*t.Number), Index: uint32(*t.Index)}
	p.Plain = t.To != nil && t.Value.ToInt().Sign() == 0 && e.plain(*t.To, t.Input)
	return p.then(q, partBlock)
}

// plain reports a call of transfer or transferFrom of a token that everybody
// knows: it sends no value on.
func (e *Etherscan) plain(to common.Address, input []byte) bool {
	if len(input) < 4 || !ledger.InfoOf(ledger.TokenAsset(ledger.AccountAddress(e.chain, to))).Known {
		return false
	}
	selector := hexutil.Encode(input[:4])
	return selector == "0xa9059cbb" || selector == "0x23b872dd"
}

func (e *Etherscan) readTime(q ask.Question, body []byte) (ask.Answer, error) {
	p, err := progressOf(q)
	if err != nil {
		return ask.Answer{}, err
	}
	b, err := readBlock(q, body)
	if err != nil {
		return ask.Answer{}, err
	}
	if b.Hash != p.Block || uint64(b.Number) != p.Height {
		return ask.Answer{}, &ledger.SourceError{Fault: ledger.FaultLagging, Subject: q.String(), Detail: fmt.Sprintf("its block is %s, and at %d there is %s", p.Block, p.Height, b.Hash)}
	}
	p.Time = int64(b.Time) * 1000
	if p.Plain {
		return p.then(q, partReceipt)
	}
	return p.then(q, partInternal)
}

type internalJSON struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Value    string `json:"value"`
	Contract string `json:"contractAddress"`
	Type     string `json:"type"`
	IsError  string `json:"isError"`
}

func (e *Etherscan) readInternals(q ask.Question, body []byte) (ask.Answer, error) {
	p, err := progressOf(q)
	if err != nil {
		return ask.Answer{}, err
	}
	result, err := said(q, body)
	if err != nil {
		return ask.Answer{}, err
	}
	var rows []internalJSON
	if err := json.Unmarshal(result, &rows); err != nil {
		return ask.Answer{}, reading.Malformed(q, "a list of internal transactions", string(result))
	}
	if len(rows) >= pageRows {
		return ask.Answer{}, ledger.Untrue(ledger.FaultTooLarge, q.String(), "its internal transactions fill a page")
	}
	for i, r := range rows {
		if r.IsError != "0" && r.IsError != "" {
			continue
		}
		creates := r.To == "" && r.Contract != ""
		if creates {
			r.To = r.Contract
		}
		value, ok := new(big.Int).SetString(r.Value, 10)
		if !common.IsHexAddress(r.From) || !common.IsHexAddress(r.To) || !ok || value.Sign() < 0 {
			return ask.Answer{}, reading.Malformed(q, fmt.Sprintf("from, to and value of internal transaction %d", i), r.From+" "+r.To+" "+r.Value)
		}
		p.Internals = append(p.Internals, evm.Internal{From: common.HexToAddress(r.From), To: common.HexToAddress(r.To), Value: value, Creates: creates})
	}
	return p.then(q, partReceipt)
}
