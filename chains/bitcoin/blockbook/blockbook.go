// Package blockbook speaks version 2 of the HTTP API of Trezor's Blockbook
// (https://github.com/trezor/blockbook/blob/master/docs/api.md).
//
// One request tells a transaction and who spends its outputs. The transaction
// comes with its serialised form, from which its id is computed again: outputs,
// and which coins it spends, are read from that. Block, the coins' values and
// owners, and the spends are the service's word. An input whose coin has no
// address (a key, a bare script) comes without an owner.
package blockbook

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/chains/internal/reading"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// Blockbook is the API of one network.
type Blockbook struct{ chain ledger.Chain }

// New returns the adapter of a network of the Bitcoin family.
func New(c ledger.Chain) (*Blockbook, error) {
	if c.Family() != ledger.FamilyBitcoin {
		return nil, ledger.Invalid("network", "a Bitcoin network for Blockbook", string(c))
	}
	return &Blockbook{c}, nil
}

// Chain implements ask.Service.
func (b *Blockbook) Chain() ledger.Chain { return b.chain }

// Clocked implements ask.Service: Blockbook tells heights.
func (b *Blockbook) Clocked() bool { return false }

// partBlock is the second part of a question for the head: the block of a height.
const partBlock = "block"

// Request implements ask.Service.
func (b *Blockbook) Request(q ask.Question) (ask.Request, error) {
	switch {
	case q.Kind == ask.Head && q.Part == "":
		return ask.Request{Path: "/api/v2"}, nil
	case q.Kind == ask.Head && q.Part == partBlock:
		return ask.Request{Path: "/api/v2/block/" + q.Cursor + "?pageSize=1"}, nil
	case q.Kind == ask.Block:
		return ask.Request{Path: "/api/v2/block-index/" + strconv.FormatUint(q.Range.From, 10)}, nil
	case q.Kind == ask.Tx || q.Kind == ask.Spends:
		return ask.Request{Path: "/api/v2/tx/" + q.Tx.String() + "?spending=true"}, nil
	}
	return ask.Request{}, ask.Unsupported(q, "Blockbook") // it lists accounts, but coins lead further with less
}

// Read implements ask.Service.
func (b *Blockbook) Read(q ask.Question, status int, body []byte) (ask.Answer, error) {
	if status != http.StatusOK {
		return ask.Answer{}, refused(q, status, body)
	}
	switch q.Kind {
	case ask.Head:
		return b.readHead(q, body)
	case ask.Block:
		return b.readIndex(q, body)
	case ask.Tx, ask.Spends:
		return b.readTx(q, body)
	case ask.History, ask.Count, ask.Proof:
	}
	return ask.Answer{}, ask.Unsupported(q, "Blockbook")
}

// refused reads {"error": "..."}: Blockbook says with 400 that it does not know a
// transaction.
func refused(q ask.Question, status int, body []byte) error {
	var said struct {
		Error any `json:"error"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Error == nil {
		return reading.Malformed(q, "JSON with an error", string(body[:min(len(body), 60)]))
	}
	text := fmt.Sprint(said.Error)
	if m, ok := said.Error.(map[string]any); ok {
		text = fmt.Sprint(m["message"])
	}
	if len(text) > 200 {
		text = text[:200]
	}
	if bytes.Contains(bytes.ToLower([]byte(text)), []byte("not found")) {
		return fmt.Errorf("%s: %q: %w", q, text, ledger.ErrNotFound)
	}
	return ledger.Untrue(ledger.FaultUnsupported, q.String(), fmt.Sprintf("HTTP %d: %q", status, text))
}

func (b *Blockbook) readHead(q ask.Question, body []byte) (ask.Answer, error) {
	if q.Part == partBlock {
		return b.readBlock(q, body)
	}
	var s struct {
		Blockbook struct {
			Best *uint64 `json:"bestHeight"`
		} `json:"blockbook"`
	}
	if err := reading.JSON(q, "Blockbook", body, &s); err != nil {
		return ask.Answer{}, err
	}
	if s.Blockbook.Best == nil {
		return ask.Answer{}, reading.Malformed(q, "blockbook.bestHeight", string(body[:min(len(body), 60)]))
	}
	next := q
	next.Part, next.Cursor = partBlock, strconv.FormatUint(*s.Blockbook.Best, 10)
	return ask.Answer{Next: []ask.Question{next}}, nil
}

func (b *Blockbook) readBlock(q ask.Question, body []byte) (ask.Answer, error) {
	var block struct {
		Hash   string  `json:"hash"`
		Height *uint64 `json:"height"`
		Time   *int64  `json:"time"`
	}
	if err := reading.JSON(q, "Blockbook", body, &block); err != nil {
		return ask.Answer{}, err
	}
	hash, err := ledger.ParseTxID(block.Hash)
	if err != nil || block.Height == nil || block.Time == nil || strconv.FormatUint(*block.Height, 10) != q.Cursor {
		return ask.Answer{}, reading.Malformed(q, "hash, height and time of block "+q.Cursor, block.Hash)
	}
	return ask.Answer{Head: &ledger.Head{Tip: ledger.BlockRef{Chain: b.chain, Height: *block.Height, Hash: ledger.Hash(hash), Time: *block.Time * 1000}}}, nil
}

func (b *Blockbook) readIndex(q ask.Question, body []byte) (ask.Answer, error) {
	var index struct {
		Hash string `json:"blockHash"`
	}
	if err := reading.JSON(q, "Blockbook", body, &index); err != nil {
		return ask.Answer{}, err
	}
	hash, err := ledger.ParseTxID(index.Hash)
	if err != nil {
		return ask.Answer{}, reading.Malformed(q, "a block hash", index.Hash)
	}
	return ask.Answer{Head: &ledger.Head{Tip: ledger.BlockRef{Chain: b.chain, Height: q.Range.From, Hash: ledger.Hash(hash)}}}, nil
}

type txJSON struct {
	ID     string `json:"txid"`
	Inputs []struct {
		Addresses []string `json:"addresses"`
		IsAddress bool     `json:"isAddress"`
		Value     string   `json:"value"`
	} `json:"vin"`
	Outputs []struct {
		Value       string  `json:"value"`
		Spent       bool    `json:"spent"`
		SpentTx     string  `json:"spentTxId"`
		SpentHeight *uint64 `json:"spentHeight"`
	} `json:"vout"`
	BlockHash string `json:"blockHash"`
	Height    *int64 `json:"blockHeight"`
	Time      *int64 `json:"blockTime"`
	Fees      string `json:"fees"`
	Hex       string `json:"hex"`
}

func (b *Blockbook) readTx(q ask.Question, body []byte) (ask.Answer, error) {
	var t txJSON
	if err := reading.JSON(q, "Blockbook", body, &t); err != nil {
		return ask.Answer{}, err
	}
	raw, err := t.raw(q)
	if err != nil {
		return ask.Answer{}, err
	}
	if t.Height == nil || t.Time == nil {
		return ask.Answer{}, reading.Malformed(q, "blockHeight and blockTime", t.ID)
	}
	if *t.Height <= 0 && t.BlockHash == "" {
		return ask.Answer{Unconfirmed: true}, nil
	}
	hash, err := ledger.ParseTxID(t.BlockHash)
	if err != nil || *t.Height < 0 {
		return ask.Answer{}, reading.Malformed(q, "blockHash", t.BlockHash)
	}
	p := ask.Placed{Whole: true, Block: ledger.BlockRef{Chain: b.chain, Height: uint64(*t.Height), Hash: ledger.Hash(hash), Time: *t.Time * 1000}}
	p.Tx = ledger.Tx{ID: q.Tx, Chain: b.chain, Time: p.Block.Time, Grade: ledger.GradeAttested}
	a := ask.Answer{}
	if a.Spends, err = t.outputs(q, &p, raw, b.chain); err != nil {
		return ask.Answer{}, err
	}
	if err := t.inputs(q, &p, raw, b.chain); err != nil {
		return ask.Answer{}, err
	}
	a.Txs = []ask.Placed{p}
	return a, nil
}

// raw reads the serialised transaction and checks its id.
func (t *txJSON) raw(q ask.Question) (*wire.MsgTx, error) {
	b, err := hex.DecodeString(t.Hex)
	var m wire.MsgTx
	if err == nil {
		err = m.Deserialize(bytes.NewReader(b))
	}
	if err != nil || len(m.TxIn) == 0 || len(m.TxOut) == 0 {
		return nil, reading.Malformed(q, "a serialised transaction in hex", t.Hex)
	}
	id := m.TxHash().String()
	if id != q.Tx.String() || t.ID != id {
		return nil, ledger.Untrue(ledger.FaultMismatched, q.String(), fmt.Sprintf("what came calls itself %.64s and has the id %s", t.ID, id))
	}
	if m.SerializeSizeStripped() == 64 {
		return nil, ledger.Untrue(ledger.FaultContents, q.String(), "a transaction of 64 bytes cannot be told from two hashes of a merkle tree (CVE-2017-12842)")
	}
	if len(t.Inputs) != len(m.TxIn) || len(t.Outputs) != len(m.TxOut) {
		return nil, ledger.Untrue(ledger.FaultContents, q.String(), fmt.Sprintf("%d inputs and %d outputs are listed, it has %d and %d", len(t.Inputs), len(t.Outputs), len(m.TxIn), len(m.TxOut)))
	}
	return &m, nil
}

// maxMoney is all the coins that can be, in base units.
const maxMoney = 21_000_000 * 100_000_000

// value reads an amount of base units.
func value(q ask.Question, what, text string) (uint64, error) {
	a, err := ledger.ParseAmount(text)
	n, fits := a.Uint64()
	if err != nil || !fits {
		return 0, reading.Malformed(q, what+" in base units", text)
	}
	if n > maxMoney {
		return 0, ledger.Untrue(ledger.FaultContents, q.String(), fmt.Sprintf("%s is %d, more than there is", what, n))
	}
	return n, nil
}

func (t *txJSON) outputs(q ask.Question, p *ask.Placed, raw *wire.MsgTx, c ledger.Chain) (spends []ask.Spend, err error) {
	for i, o := range raw.TxOut {
		said, err := value(q, fmt.Sprintf("output %d", i), t.Outputs[i].Value)
		if err != nil {
			return nil, err
		}
		if o.Value < 0 || uint64(o.Value) != said {
			return nil, ledger.Untrue(ledger.FaultContents, q.String(), fmt.Sprintf("output %d is said to be %d and is %d", i, said, o.Value))
		}
		p.Tx.Outputs = append(p.Tx.Outputs, ledger.Output{Address: ledger.ScriptAddress(c, o.PkScript), Value: ledger.NewAmount(said)})
		s := ask.Spend{Of: ledger.OutPoint{Tx: q.Tx, Index: uint32(i)}, Spent: t.Outputs[i].Spent}
		if s.Spent {
			by, err := ledger.ParseTxID(t.Outputs[i].SpentTx)
			if err != nil || t.Outputs[i].SpentHeight == nil {
				return nil, reading.Malformed(q, fmt.Sprintf("spentTxId and spentHeight of output %d", i), t.Outputs[i].SpentTx)
			}
			s.By, s.Height = by, *t.Outputs[i].SpentHeight
		}
		spends = append(spends, s)
	}
	return spends, nil
}

// inputs reads the coins that are spent, and checks them against the outputs and
// the fee.
func (t *txJSON) inputs(q ask.Question, p *ask.Placed, raw *wire.MsgTx, c ledger.Chain) error {
	null := wire.OutPoint{Index: wire.MaxPrevOutIndex}
	if p.Tx.Coinbase = raw.TxIn[0].PreviousOutPoint == null; p.Tx.Coinbase {
		return nil
	}
	var in, out uint64
	for i, one := range raw.TxIn {
		n, err := value(q, fmt.Sprintf("input %d", i), t.Inputs[i].Value)
		if err != nil {
			return err
		}
		in += n
		prev, err := ledger.ParseTxID(one.PreviousOutPoint.Hash.String())
		if err != nil {
			return err
		}
		input := ledger.Input{Prev: ledger.OutPoint{Tx: prev, Index: one.PreviousOutPoint.Index}, Value: ledger.NewAmount(n), Known: true}
		if said := t.Inputs[i]; said.IsAddress && len(said.Addresses) == 1 {
			if input.Address, err = ledger.ParseAddress(c, said.Addresses[0]); err != nil {
				return reading.Malformed(q, fmt.Sprintf("the address of input %d", i), said.Addresses[0])
			}
		}
		p.Tx.Inputs = append(p.Tx.Inputs, input)
	}
	for _, o := range raw.TxOut {
		out += uint64(o.Value)
	}
	fees, err := value(q, "fees", t.Fees)
	if err != nil {
		return err
	}
	if in > maxMoney || out > in || in-out != fees {
		return ledger.Untrue(ledger.FaultContents, q.String(), fmt.Sprintf("%d come in and %d go out, and the fee is not the rest", in, out))
	}
	return nil
}
