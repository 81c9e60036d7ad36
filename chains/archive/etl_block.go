package archive

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// etlBuild makes one block of its rows.
type etlBuild struct {
	set    *EtlSet
	height uint64
	rows   *etlHeight
	header *placed[etlBlock] // nil: in no table
	whole  bool              // the files are said to hold every row
	block  *ledger.Block

	receipts map[ledger.TxID]*placed[etlReceipt]
	traces   map[int64][]placed[etlTrace]
	logs     map[ledger.TxID][]etlEvent

	tips     ledger.Amount // what the transactions paid the block's producer
	feeless  bool          // a transaction's fee is not known
	noEffect bool          // a value that a trace moves is not known
}

// build makes the block of a height.
func (s *EtlSet) build(height uint64) (*etlBuild, error) {
	b := &etlBuild{set: s, height: height, rows: s.heights[height], whole: s.whole(height)}
	b.block = &ledger.Block{
		Ref:   ledger.BlockRef{Chain: s.Chain, Height: height, Hash: s.hashAt(height), Time: b.rows.time},
		Grade: ledger.GradeAttested, Source: "ethereum-etl: " + strings.Join(b.sources(), ", "),
	}
	if len(b.rows.blocks) > 0 {
		b.header = &b.rows.blocks[0]
		b.block.Parent = b.header.v.parent
	}
	if err := b.gather(); err != nil {
		return nil, err
	}
	if err := b.counted(); err != nil {
		return nil, err
	}
	for i := range b.rows.txs {
		tx, err := b.tx(&b.rows.txs[i])
		if err != nil {
			return nil, err
		}
		b.block.Txs = append(b.block.Txs, tx)
	}
	return b, b.coinbase()
}

// sources names the files that the block is from.
func (b *etlBuild) sources() []string {
	in := map[int32]bool{}
	for _, x := range b.rows.blocks {
		in[x.at.file] = true
	}
	for _, x := range b.rows.txs {
		in[x.at.file] = true
	}
	for _, x := range b.rows.receipts {
		in[x.at.file] = true
	}
	for _, x := range b.rows.traces {
		in[x.at.file] = true
	}
	for _, x := range b.rows.logs {
		in[x.at.file] = true
	}
	for _, x := range b.rows.tokens {
		in[x.at.file] = true
	}
	var names []string
	for i := range in {
		names = append(names, b.set.files[i])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// gather sorts rows by transaction; one whose transaction no file has cannot be placed.
func (b *etlBuild) gather() error {
	b.receipts, b.traces, b.logs = map[ledger.TxID]*placed[etlReceipt]{}, map[int64][]placed[etlTrace]{}, map[ledger.TxID][]etlEvent{}
	byID, byIndex := map[ledger.TxID]bool{}, map[int64]ledger.TxID{}
	for _, x := range b.rows.txs {
		byID[x.v.id], byIndex[int64(x.v.index)] = true, x.v.id
	}
	for i := range b.rows.receipts {
		r := &b.rows.receipts[i]
		if !byID[r.v.tx] {
			return b.orphan(r.at, r.v.tx.String())
		}
		b.receipts[r.v.tx] = r
	}
	for _, t := range b.rows.traces {
		id, ok := byIndex[t.v.index]
		if t.v.index >= 0 && (!ok || t.v.tx != (ledger.TxID{}) && t.v.tx != id) {
			return b.orphan(t.at, fmt.Sprintf("%s at index %d", t.v.tx, t.v.index))
		}
		b.traces[t.v.index] = append(b.traces[t.v.index], t)
	}
	events, err := b.events()
	if err != nil {
		return err
	}
	for _, e := range events {
		if !byID[e.tx] {
			return b.orphan(e.at, e.tx.String())
		}
		b.logs[e.tx] = append(b.logs[e.tx], e)
	}
	return nil
}

func (b *etlBuild) orphan(at etlPlace, tx string) error {
	return ledger.Invalid(b.set.place(at), fmt.Sprintf("a transaction of block %d that a file of transactions has", b.height), tx)
}

// counted checks what is said to be whole: transactions from 0 without a gap,
// as many as the block says, each with its trace and receipt where there are such tables.
func (b *etlBuild) counted() error {
	if h := b.header; h != nil && h.v.txs > 0 && int64(len(b.rows.txs)) > h.v.txs-1 {
		return ledger.Invalid(b.set.place(h.at), fmt.Sprintf("transaction_count of block %d: %d rows of transactions", b.height, len(b.rows.txs)), fmt.Sprint(h.v.txs-1))
	}
	if !b.whole {
		return nil
	}
	if h := b.header; h != nil && h.v.txs > 0 && int64(len(b.rows.txs)) != h.v.txs-1 {
		return b.notWhole(fmt.Sprintf("%d of its %d transactions", len(b.rows.txs), h.v.txs-1))
	}
	for i, x := range b.rows.txs {
		traces := b.traces[int64(x.v.index)]
		switch {
		case x.v.index != uint32(i):
			return b.notWhole(fmt.Sprintf("no transaction at index %d", i))
		case b.set.tables[etlReceipts] && b.receipts[x.v.id] == nil:
			return b.notWhole("no receipt of transaction " + x.v.id.String())
		case b.set.tables[etlTraces] && (len(traces) == 0 || traces[0].v.path != ""):
			return b.notWhole("no trace of transaction " + x.v.id.String())
		}
	}
	return nil
}

func (b *etlBuild) notWhole(what string) error {
	return ledger.Invalid("--complete", fmt.Sprintf("every row of block %d in the files", b.height), what)
}

// lacks says what the rows leave open: tokens are in logs or token_transfers,
// the native coin needs traces, fees and what the producer was given.
func (b *etlBuild) lacks() etlLacks {
	t := &b.set.tables
	return etlLacks{
		receipts: !t[etlLogs] && !t[etlTokenTransfers],
		internal: !t[etlTraces] || b.feeless || b.noEffect || !b.rewarded(),
	}
}
