// Package esplora speaks the HTTP API of Esplora, which blockstream.info and
// mempool.space serve and anyone can run
// (https://github.com/Blockstream/esplora/blob/master/API.md).
//
// A transaction comes with all that its id is the hash of, so that the id is
// computed again: its outputs, and which coins it spends, cannot be told falsely.
// Block, the coins' values and owners, and who spends an output are the service's
// word; a merkle branch can prove the block.
package esplora

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/chains/internal/reading"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// Esplora is the API of one network.
type Esplora struct {
	chain   ledger.Chain
	network bitcoin.Network
}

// New returns the adapter of a network of the Bitcoin family.
func New(c ledger.Chain) (*Esplora, error) {
	n, err := bitcoin.NetworkOf(c)
	if err != nil {
		return nil, err
	}
	return &Esplora{c, n}, nil
}

// Chain implements ask.Service.
func (e *Esplora) Chain() ledger.Chain { return e.chain }

// Clocked implements ask.Service: Esplora tells heights.
func (e *Esplora) Clocked() bool { return false }

// partHeaders is the part of a proof after the branch: the headers of the block and
// of those that bury it.
const partHeaders = "headers"

// buried is how many blocks must be above a proven one: so deep six blocks' work
// stands behind it.
const buried = 5

// Request implements ask.Service.
func (e *Esplora) Request(q ask.Question) (ask.Request, error) {
	switch {
	case q.Kind == ask.Head:
		return ask.Request{Path: "/blocks"}, nil
	case q.Kind == ask.Block:
		return ask.Request{Path: "/blocks/" + strconv.FormatUint(q.Range.From, 10)}, nil
	case q.Kind == ask.Tx:
		return ask.Request{Path: "/tx/" + q.Tx.String()}, nil
	case q.Kind == ask.Spends:
		return ask.Request{Path: "/tx/" + q.Tx.String() + "/outspends"}, nil
	case q.Kind == ask.Proof && q.Part == "":
		return ask.Request{Path: "/tx/" + q.Tx.String() + "/merkle-proof"}, nil
	case q.Kind == ask.Proof && q.Part == partHeaders:
		text, _, _ := strings.Cut(q.Cursor, " ")
		height, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return ask.Request{}, reading.Malformed(q, "a cursor of a height", q.Cursor)
		}
		return ask.Request{Path: "/blocks/" + strconv.FormatUint(height+buried, 10)}, nil
	case (q.Kind == ask.Count || q.Kind == ask.History) && (q.Holder.Address.IsZero() || q.Holder.Address.Kind == ledger.KindScript):
	case q.Kind == ask.Count:
		return ask.Request{Path: "/address/" + q.Holder.Address.String()}, nil
	case q.Kind == ask.History:
		path := "/address/" + q.Holder.Address.String() + "/txs/chain"
		if _, id, further := strings.Cut(q.Cursor, " "); further {
			path += "/" + id
		}
		return ask.Request{Path: path}, nil
	}
	return ask.Request{}, ask.Unsupported(q, "Esplora")
}

// Read implements ask.Service.
func (e *Esplora) Read(q ask.Question, status int, body []byte) (ask.Answer, error) {
	if status != http.StatusOK {
		return ask.Answer{}, refused(q, status, body)
	}
	switch q.Kind {
	case ask.Head, ask.Block:
		return e.readBlock(q, body)
	case ask.Tx:
		return e.readTx(q, body)
	case ask.Spends:
		return readSpends(q, body)
	case ask.Proof:
		return e.readProof(q, body)
	case ask.Count:
		return readCount(q, body)
	case ask.History:
		return e.readHistory(q, body)
	}
	return ask.Answer{}, ask.Unsupported(q, "Esplora")
}

// refused reads what comes with 400 or 404: a line of text.
func refused(q ask.Question, status int, body []byte) error {
	text := strings.TrimSpace(string(body[:min(len(body), 100)]))
	switch {
	case strings.HasPrefix(text, "<"):
		return reading.Malformed(q, "a line of text", text)
	case status == http.StatusNotFound:
		return fmt.Errorf("%s: %q: %w", q, text, ledger.ErrNotFound)
	}
	return ledger.Untrue(ledger.FaultUnsupported, q.String(), fmt.Sprintf("it says %q", text))
}

type blockJSON struct {
	ID        string  `json:"id"`
	Height    *uint64 `json:"height"`
	Timestamp *int64  `json:"timestamp"`
}

func (e *Esplora) readBlock(q ask.Question, body []byte) (ask.Answer, error) {
	var blocks []blockJSON
	if err := reading.JSON(q, "Esplora", body, &blocks); err != nil {
		return ask.Answer{}, err
	}
	if len(blocks) == 0 || blocks[0].Height == nil || blocks[0].Timestamp == nil {
		return ask.Answer{}, reading.Malformed(q, "blocks with id, height and timestamp", string(body[:min(len(body), 60)]))
	}
	b := blocks[0]
	if q.Kind == ask.Block && *b.Height != q.Range.From {
		return ask.Answer{}, &ledger.SourceError{Fault: ledger.FaultLagging, Subject: q.String(), Detail: fmt.Sprintf("the block at %d came", *b.Height)}
	}
	hash, err := ledger.ParseTxID(b.ID)
	if err != nil {
		return ask.Answer{}, reading.Malformed(q, "a block hash", b.ID)
	}
	ref := ledger.BlockRef{Chain: e.chain, Height: *b.Height, Hash: ledger.Hash(hash), Time: *b.Timestamp * 1000}
	return ask.Answer{Head: &ledger.Head{Tip: ref}}, nil
}

type outputJSON struct {
	Script *string `json:"scriptpubkey"`
	Value  *uint64 `json:"value"`
}

type txJSON struct {
	ID       string  `json:"txid"`
	Version  *uint32 `json:"version"`
	LockTime *uint32 `json:"locktime"`
	Inputs   []struct {
		Tx       string      `json:"txid"`
		Index    *uint32     `json:"vout"`
		Prev     *outputJSON `json:"prevout"`
		Script   string      `json:"scriptsig"`
		Coinbase bool        `json:"is_coinbase"`
		Sequence *uint32     `json:"sequence"`
	} `json:"vin"`
	Outputs []outputJSON `json:"vout"`
	Fee     *uint64      `json:"fee"`
	Status  statusJSON   `json:"status"`
}

type statusJSON struct {
	Confirmed bool    `json:"confirmed"`
	Height    *uint64 `json:"block_height"`
	Hash      string  `json:"block_hash"`
	Time      *int64  `json:"block_time"`
}

// ref reads the block that a transaction is in.
func (s statusJSON) ref(q ask.Question, c ledger.Chain) (ledger.BlockRef, error) {
	hash, err := ledger.ParseTxID(s.Hash)
	if err != nil || s.Height == nil || s.Time == nil {
		return ledger.BlockRef{}, reading.Malformed(q, "a status with block_height, block_hash and block_time", s.Hash)
	}
	return ledger.BlockRef{Chain: c, Height: *s.Height, Hash: ledger.Hash(hash), Time: *s.Time * 1000}, nil
}

func (e *Esplora) readTx(q ask.Question, body []byte) (ask.Answer, error) {
	var t txJSON
	if err := reading.JSON(q, "Esplora", body, &t); err != nil {
		return ask.Answer{}, err
	}
	p, err := e.placed(q, &t)
	if err != nil {
		return ask.Answer{}, err
	}
	if p.Tx.ID != q.Tx {
		return ask.Answer{}, ledger.Untrue(ledger.FaultMismatched, q.String(), "what came is "+t.ID)
	}
	if !t.Status.Confirmed {
		return ask.Answer{Unconfirmed: true}, nil
	}
	return ask.Answer{Txs: []ask.Placed{p}}, nil
}

// placed reads a transaction; its block only where it is confirmed.
func (e *Esplora) placed(q ask.Question, t *txJSON) (ask.Placed, error) {
	id, err := t.id(q)
	if err != nil {
		return ask.Placed{}, err
	}
	if t.ID != id.String() {
		return ask.Placed{}, ledger.Untrue(ledger.FaultMismatched, q.String(), fmt.Sprintf("what came calls itself %.64s and has the id %s", t.ID, id))
	}
	p := ask.Placed{Whole: true, Tx: ledger.Tx{ID: id, Chain: e.chain, Grade: ledger.GradeAttested}}
	if !t.Status.Confirmed {
		return p, nil
	}
	if p.Block, err = t.Status.ref(q, e.chain); err != nil {
		return ask.Placed{}, err
	}
	p.Tx.Time = p.Block.Time
	return p, t.fill(q, &p, e.chain)
}

// readCount reads how many transactions an address has.
func readCount(q ask.Question, body []byte) (ask.Answer, error) {
	var a struct {
		Stats struct {
			Txs *uint64 `json:"tx_count"`
		} `json:"chain_stats"`
	}
	if err := reading.JSON(q, "Esplora", body, &a); err != nil {
		return ask.Answer{}, err
	}
	if a.Stats.Txs == nil {
		return ask.Answer{}, reading.Malformed(q, "chain_stats.tx_count", string(body[:min(len(body), 60)]))
	}
	return ask.Answer{Count: *a.Stats.Txs}, nil
}

// readHistory reads a page of an address's transactions, the newest first. The
// cursor is height and id of the last one before it; the list has been read when a
// page is empty, or below the range.
func (e *Esplora) readHistory(q ask.Question, body []byte) (ask.Answer, error) {
	var rows []txJSON
	if err := reading.JSON(q, "Esplora", body, &rows); err != nil {
		return ask.Answer{}, err
	}
	last := uint64(math.MaxUint64)
	if text, _, further := strings.Cut(q.Cursor, " "); further {
		var err error
		if last, err = strconv.ParseUint(text, 10, 64); err != nil {
			return ask.Answer{}, reading.Malformed(q, "a cursor of height and id", q.Cursor)
		}
	}
	a := ask.Answer{}
	for i := range rows {
		p, err := e.placed(q, &rows[i])
		if err != nil {
			return ask.Answer{}, err
		}
		switch {
		case !rows[i].Status.Confirmed:
			return ask.Answer{}, reading.Malformed(q, fmt.Sprintf("row %d: a confirmed transaction", i), rows[i].ID)
		case p.Block.Height > last:
			return ask.Answer{}, ledger.Untrue(ledger.FaultContents, q.String(), fmt.Sprintf("row %d is of block %d, after one of %d: want the newest first", i, p.Block.Height, last))
		case !touches(&p.Tx, q.Holder.Address):
			return ask.Answer{}, ledger.Untrue(ledger.FaultMismatched, q.String(), fmt.Sprintf("row %d, %s, is not of the address", i, rows[i].ID))
		}
		last = p.Block.Height
		a.Txs = append(a.Txs, p)
	}
	if len(rows) == 0 || last < q.Range.From {
		return a, nil
	}
	next := q
	next.Cursor = strconv.FormatUint(last, 10) + " " + rows[len(rows)-1].ID
	a.Next = []ask.Question{next}
	return a, nil
}

func touches(t *ledger.Tx, a ledger.Address) bool {
	return slices.ContainsFunc(t.Inputs, func(in ledger.Input) bool { return in.Address == a }) ||
		slices.ContainsFunc(t.Outputs, func(o ledger.Output) bool { return o.Address == a })
}

// id computes the transaction's id from its parts (witnesses are not in it).
func (t *txJSON) id(q ask.Question) (ledger.TxID, error) {
	if t.Version == nil || t.LockTime == nil || len(t.Inputs) == 0 || len(t.Outputs) == 0 {
		return ledger.TxID{}, reading.Malformed(q, "version, locktime, vin and vout", t.ID)
	}
	m := wire.MsgTx{Version: int32(*t.Version), LockTime: *t.LockTime}
	for i, in := range t.Inputs {
		prev, err := chainhash.NewHashFromStr(in.Tx)
		script, errHex := hex.DecodeString(in.Script)
		if err != nil || errHex != nil || len(in.Tx) != 64 || in.Index == nil || in.Sequence == nil {
			return ledger.TxID{}, reading.Malformed(q, fmt.Sprintf("txid, vout, scriptsig and sequence of input %d", i), in.Tx)
		}
		m.TxIn = append(m.TxIn, &wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: *prev, Index: *in.Index}, SignatureScript: script, Sequence: *in.Sequence})
	}
	for i, out := range t.Outputs {
		script, value, err := out.read(q, fmt.Sprintf("output %d", i))
		if err != nil {
			return ledger.TxID{}, err
		}
		m.TxOut = append(m.TxOut, &wire.TxOut{Value: int64(value), PkScript: script})
	}
	if m.SerializeSizeStripped() == 2*chainhash.HashSize {
		return ledger.TxID{}, ledger.Untrue(ledger.FaultContents, q.String(), "a transaction of 64 bytes cannot be told from two hashes of a merkle tree (CVE-2017-12842)")
	}
	return ledger.ParseTxID(m.TxHash().String())
}

// maxMoney is all the coins that can be, in base units.
const maxMoney = 21_000_000 * 100_000_000

func (o *outputJSON) read(q ask.Question, what string) (script []byte, value uint64, err error) {
	if o == nil || o.Script == nil || o.Value == nil {
		return nil, 0, reading.Malformed(q, "scriptpubkey and value of "+what, "")
	}
	if *o.Value > maxMoney {
		return nil, 0, ledger.Untrue(ledger.FaultContents, q.String(), fmt.Sprintf("%s has %d, more than there is", what, *o.Value))
	}
	if script, err = hex.DecodeString(*o.Script); err != nil {
		return nil, 0, reading.Malformed(q, "a script of "+what+" in hex", *o.Script)
	}
	return script, *o.Value, nil
}

// fill reads inputs and outputs, and checks that no more goes out than comes in.
func (t *txJSON) fill(q ask.Question, p *ask.Placed, c ledger.Chain) error {
	var in, out uint64
	for i, o := range t.Outputs {
		script, value, err := o.read(q, fmt.Sprintf("output %d", i))
		if err != nil {
			return err
		}
		out += value
		p.Tx.Outputs = append(p.Tx.Outputs, ledger.Output{Address: ledger.ScriptAddress(c, script), Value: ledger.NewAmount(value)})
	}
	if p.Tx.Coinbase = t.Inputs[0].Coinbase; p.Tx.Coinbase {
		return nil
	}
	for i, one := range t.Inputs {
		script, value, err := one.Prev.read(q, fmt.Sprintf("prevout %d", i))
		if err != nil {
			return err
		}
		in += value
		prev, err := ledger.ParseTxID(one.Tx)
		if err != nil {
			return err
		}
		p.Tx.Inputs = append(p.Tx.Inputs, ledger.Input{
			Prev: ledger.OutPoint{Tx: prev, Index: *one.Index}, Address: ledger.ScriptAddress(c, script), Value: ledger.NewAmount(value), Known: true,
		})
	}
	if in > maxMoney || out > in || t.Fee == nil || *t.Fee != in-out {
		return ledger.Untrue(ledger.FaultContents, q.String(), fmt.Sprintf("%d come in and %d go out, and the fee is not the rest", in, out))
	}
	return nil
}

func readSpends(q ask.Question, body []byte) (ask.Answer, error) {
	var outs []struct {
		Spent  *bool      `json:"spent"`
		Tx     string     `json:"txid"`
		Status statusJSON `json:"status"`
	}
	if err := reading.JSON(q, "Esplora", body, &outs); err != nil {
		return ask.Answer{}, err
	}
	var a ask.Answer
	for i, o := range outs {
		if o.Spent == nil {
			return ask.Answer{}, reading.Malformed(q, fmt.Sprintf("spent of output %d", i), "")
		}
		s := ask.Spend{Of: ledger.OutPoint{Tx: q.Tx, Index: uint32(i)}}
		if *o.Spent && o.Status.Confirmed { // what is not in a block may never be
			by, err := ledger.ParseTxID(o.Tx)
			if err != nil || o.Status.Height == nil {
				return ask.Answer{}, reading.Malformed(q, fmt.Sprintf("txid and block_height of what spends output %d", i), o.Tx)
			}
			s.Spent, s.By, s.Height = true, by, *o.Status.Height
		}
		a.Spends = append(a.Spends, s)
	}
	if len(outs) == 0 {
		return a, reading.Malformed(q, "one entry for each output", "none")
	}
	return a, nil
}

// readProof reads the branch; the cursor of the question for the headers carries it:
// height, index, siblings.
func (e *Esplora) readProof(q ask.Question, body []byte) (ask.Answer, error) {
	if q.Part == partHeaders {
		return e.prove(q, body)
	}
	var m struct {
		Height *uint64  `json:"block_height"`
		Merkle []string `json:"merkle"`
		Pos    *uint32  `json:"pos"`
	}
	if err := reading.JSON(q, "Esplora", body, &m); err != nil {
		return ask.Answer{}, err
	}
	if m.Height == nil || m.Pos == nil || len(m.Merkle) > 32 {
		return ask.Answer{}, reading.Malformed(q, "block_height, merkle and pos", string(body[:min(len(body), 60)]))
	}
	next := q
	next.Part, next.Cursor = partHeaders, fmt.Sprintf("%d %d %s", *m.Height, *m.Pos, strings.Join(m.Merkle, ","))
	for _, s := range m.Merkle {
		if _, err := ledger.ParseTxID(s); err != nil {
			return ask.Answer{}, reading.Malformed(q, "hashes in merkle", s)
		}
	}
	return ask.Answer{Next: []ask.Question{next}}, nil
}

// headerJSON is a block in a list of blocks, with all that its header has.
type headerJSON struct {
	ID      string  `json:"id"`
	Height  *uint64 `json:"height"`
	Version *int64  `json:"version"`
	Prev    string  `json:"previousblockhash"`
	Merkle  string  `json:"merkle_root"`
	Time    *uint32 `json:"timestamp"`
	Bits    *uint32 `json:"bits"`
	Nonce   *uint32 `json:"nonce"`
}

// raw serialises the header.
func (h *headerJSON) raw(q ask.Question) ([]byte, error) {
	prev, err := chainhash.NewHashFromStr(h.Prev)
	merkle, errMerkle := chainhash.NewHashFromStr(h.Merkle)
	if err := errors.Join(err, errMerkle); err != nil || h.Version == nil || h.Time == nil || h.Bits == nil || h.Nonce == nil {
		return nil, reading.Malformed(q, "version, previousblockhash, merkle_root, timestamp, bits and nonce of block "+h.ID, "")
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(*h.Version))
	b = append(append(b, prev[:]...), merkle[:]...)
	b = binary.LittleEndian.AppendUint32(b, *h.Time)
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, *h.Bits), *h.Nonce), nil
}

// prove checks the branch that the cursor carries against the header of its block,
// and that the headers that follow bury it.
func (e *Esplora) prove(q ask.Question, body []byte) (ask.Answer, error) {
	fields := strings.Split(q.Cursor, " ")
	if len(fields) != 3 {
		return ask.Answer{}, reading.Malformed(q, "a cursor of height, index and siblings", q.Cursor)
	}
	height, err := strconv.ParseUint(fields[0], 10, 63)
	index, errIndex := strconv.ParseUint(fields[1], 10, 32)
	if err := errors.Join(err, errIndex); err != nil {
		return ask.Answer{}, reading.Malformed(q, "a cursor of height, index and siblings", q.Cursor)
	}
	var siblings []ledger.Hash
	for _, s := range strings.FieldsFunc(fields[2], func(r rune) bool { return r == ',' }) {
		h, err := ledger.ParseTxID(s)
		if err != nil {
			return ask.Answer{}, reading.Malformed(q, "hashes in merkle", s)
		}
		siblings = append(siblings, ledger.Hash(h))
	}
	headers, err := readHeaders(q, body, height)
	if err != nil {
		return ask.Answer{}, err
	}
	h, err := e.network.Prove(q.Tx, siblings, uint32(index), height, headers[0])
	if err == nil {
		err = e.network.Bury(h, height, headers[1:])
	}
	if err != nil {
		return ask.Answer{}, &ledger.SourceError{Fault: ledger.FaultRoot, Subject: q.String(), Err: err}
	}
	ref := ledger.BlockRef{Chain: e.chain, Height: height, Hash: h.Hash, Time: int64(h.Time) * 1000}
	return ask.Answer{Proven: &ask.Proven{Tx: q.Tx, Block: ref, Index: uint32(index)}}, nil
}

// readHeaders reads the headers from a height on, as many as bury a block and one.
func readHeaders(q ask.Question, body []byte, height uint64) ([][]byte, error) {
	var blocks []headerJSON
	if err := reading.JSON(q, "Esplora", body, &blocks); err != nil {
		return nil, err
	}
	headers := make([][]byte, buried+1)
	for i := range blocks {
		b := &blocks[i]
		if b.Height == nil || *b.Height < height || *b.Height > height+buried {
			continue
		}
		raw, err := b.raw(q)
		if err != nil {
			return nil, err
		}
		headers[*b.Height-height] = raw
	}
	for i, raw := range headers {
		if raw == nil {
			return nil, &ledger.SourceError{Fault: ledger.FaultMissing, Subject: q.String(), Detail: fmt.Sprintf("no block at %d came", height+uint64(i))}
		}
	}
	return headers, nil
}
