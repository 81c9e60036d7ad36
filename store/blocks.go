package store

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// maxHeight is where positions end.
const maxHeight = 1<<(64-ledger.IndexBits) - 1

// blockRow is the row of a block in the base.
type blockRow struct {
	block    ledger.Block // without transactions and raw form
	runs     []run        // the indexes of its transactions
	txs      int
	raw      rawRef
	digest   ledger.Hash // of the block
	tip      ledger.Hash // of the tip at it
	clock    int64       // the running maximum of block times at it
	previous uint64      // height of the held block before it, plus one; 0 for the first
}

// run is a range of transaction indexes that are all there.
type run struct{ first, n uint32 }

func runsOf(txs []ledger.Tx) []run {
	var runs []run
	for i := range txs {
		index := txs[i].Pos.Index()
		if n := len(runs); n > 0 && runs[n-1].first+runs[n-1].n == index {
			runs[n-1].n++
		} else {
			runs = append(runs, run{index, 1})
		}
	}
	return runs
}

// at returns the mark of the block.
func (b *blockRow) at() mark { return mark{true, b.block.Ref, b.tip, b.clock} }

func (b *blockRow) holds(index uint32) bool {
	return slices.ContainsFunc(b.runs, func(r run) bool { return r.first <= index && index-r.first < r.n })
}

func (b *blockRow) encode() []byte {
	var e encoder
	encodeHeader(&e, &b.block)
	e.uint(uint64(len(b.runs)))
	for _, r := range b.runs {
		e.uint(uint64(r.first))
		e.uint(uint64(r.n))
	}
	b.raw.encode(&e)
	e.raw(b.digest[:])
	e.raw(b.tip[:])
	e.int(b.clock)
	e.uint(b.previous)
	return e.b
}

func decodeBlockRow(c ledger.Chain, height uint64, value []byte) (*blockRow, error) {
	in := decoder{b: value}
	b := &blockRow{block: decodeHeader(&in, c)}
	if b.block.Ref.Height != height {
		in.fail()
	}
	b.runs = make([]run, in.count())
	for i := range b.runs {
		b.runs[i] = run{uint32(in.uint()), uint32(in.uint())}
		b.txs += int(b.runs[i].n)
	}
	b.raw, b.digest, b.tip, b.clock, b.previous = decodeRawRef(&in), in.hash(), in.hash(), in.int(), in.uint()
	return b, in.end("block row")
}

// loadBlock returns the row of a height; ErrAbsent is passed on.
func (l layout) loadBlock(r rows, c ledger.Chain, height uint64) (*blockRow, error) {
	value, err := r.row(l.blockKey(height))
	if err != nil {
		return nil, err
	}
	return decodeBlockRow(c, height, value)
}

func encodeHeader(e *encoder, b *ledger.Block) {
	e.uint(b.Ref.Height)
	e.raw(b.Ref.Hash[:])
	e.int(b.Ref.Time)
	e.raw(b.Parent[:])
	e.bytes(b.Header)
	e.string(b.Source)
	e.byte(byte(b.Grade))
	e.string(b.Partial)
}

func decodeHeader(in *decoder, c ledger.Chain) ledger.Block {
	return ledger.Block{
		Ref:    ledger.BlockRef{Chain: c, Height: in.uint(), Hash: in.hash(), Time: in.int()},
		Parent: in.hash(), Header: nonEmpty(in.bytes()), Source: in.string(), Grade: ledger.Grade(in.byte()), Partial: in.string(),
	}
}

func nonEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return slices.Clone(b)
}

// normalise checks the shape of a block and returns a copy whose transactions
// are in order of position and its own to change.
func normalise(c ledger.Chain, given *ledger.Block) (*ledger.Block, error) {
	b := *given
	b.Txs = slices.Clone(given.Txs)
	slices.SortStableFunc(b.Txs, func(x, y ledger.Tx) int { return cmp.Compare(x.Pos, y.Pos) })
	var err error
	for i := range b.Txs {
		tx := &b.Txs[i]
		*tx = copyTx(tx)
		for j := range tx.Outputs {
			tx.Outputs[j].SpentBy = 0
		}
		err = errors.Join(err, checkTx(c, &b, i))
	}
	if b.Ref.Height >= maxHeight {
		err = errors.Join(err, ledger.Invalid("block", "a height below "+itoa(maxHeight), itoa(b.Ref.Height)))
	}
	if b.Ref.Chain != c {
		err = errors.Join(err, ledger.Invalid("block", "a block of "+string(c), string(b.Ref.Chain)))
	}
	return &b, err
}

// checkTx refuses what the index could not keep apart later.
func checkTx(c ledger.Chain, b *ledger.Block, i int) error {
	tx := &b.Txs[i]
	switch {
	case tx.Chain != c:
		return ledger.Invalid("transaction "+tx.ID.String(), "chain "+string(c), string(tx.Chain))
	case tx.Pos.Height() != b.Ref.Height || tx.Pos == 0:
		return ledger.Invalid("transaction "+tx.ID.String(), "a position in its block", itoa(uint64(tx.Pos)))
	case i > 0 && b.Txs[i-1].Pos == tx.Pos:
		return ledger.Invalid("transaction "+tx.ID.String(), "a position of its own", itoa(uint64(tx.Pos)))
	}
	slices.SortStableFunc(tx.Transfers, func(x, y ledger.Transfer) int { return cmp.Compare(x.Slot, y.Slot) })
	for j := range tx.Transfers {
		if j > 0 && tx.Transfers[j-1].Slot == tx.Transfers[j].Slot {
			return ledger.Invalid("transaction "+tx.ID.String(), "a slot for each transfer", itoa(uint64(tx.Transfers[j].Slot)))
		}
	}
	slices.SortStableFunc(tx.Notices, func(x, y ledger.Notice) int { return cmp.Compare(x.Slot, y.Slot) })
	for j := range tx.Notices {
		switch n := &tx.Notices[j]; {
		case j > 0 && tx.Notices[j-1].Slot == n.Slot:
			return ledger.Invalid("transaction "+tx.ID.String(), "a slot for each notice", itoa(uint64(n.Slot)))
		case n.Account.IsZero() || n.Crosses() && n.Ref == "":
			return ledger.Invalid("transaction "+tx.ID.String(), "a notice with its account, of a bridge with its ref", itoa(uint64(n.Slot)))
		}
	}
	if len(tx.Transfers) > 0 && len(tx.Inputs)+len(tx.Outputs) > 0 {
		return ledger.Invalid("transaction "+tx.ID.String(), "coins or transfers", "both")
	}
	for _, a := range addressesOf(tx) {
		if a.Chain != c || (a.Kind == ledger.KindAccount) == c.UTXO() || (a.Kind == ledger.KindAccount && len(a.Payload) != 20) {
			return ledger.Invalid("transaction "+tx.ID.String(), "addresses of "+string(c), string(a.Chain)+" kind "+itoa(uint64(a.Kind)))
		}
	}
	return nil
}

func addressesOf(tx *ledger.Tx) []ledger.Address {
	var all []ledger.Address
	add := func(a ledger.Address) {
		if !a.IsZero() {
			all = append(all, a)
		}
	}
	for i := range tx.Inputs {
		add(tx.Inputs[i].Address)
	}
	for i := range tx.Outputs {
		add(tx.Outputs[i].Address)
	}
	for i := range tx.Transfers {
		add(tx.Transfers[i].From)
		add(tx.Transfers[i].To)
		add(tx.Transfers[i].Asset.Contract)
	}
	for i := range tx.Notices {
		n := &tx.Notices[i]
		add(n.Account)
		add(n.Peer)
		add(n.Contract)
		add(n.Asset.Contract)
	}
	return all
}

// digestOf returns the block digest and the hash of each transaction's rows.
func digestOf(b *ledger.Block) (ledger.Hash, [][32]byte) {
	l := lines{make([]byte, 0, 512)}
	sum := sha256.New()
	l.block(b, len(b.Txs))
	sum.Write(l.b)
	hashes := make([][32]byte, len(b.Txs))
	for i := range b.Txs {
		l.b = l.b[:0]
		l.tx(&b.Txs[i])
		sum.Write(l.b)
		hashes[i] = sha256.Sum256(l.b)
	}
	return ledger.Hash(sum.Sum(nil)), hashes
}
