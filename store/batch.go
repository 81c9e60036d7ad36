package store

import (
	"errors"
	"strconv"

	"github.com/spoortrace/spoor/ledger"
)

// batch gathers what a run of blocks changes in the base: it reads the rows it
// needs once, changes them in memory and hands them out as sealed ops. The base
// under it is exactly what its head publishes (see journal), and there is one
// writer; so it needs no filter. Nothing is visible before the head that
// finish returns is published.
type batch struct {
	layout
	head    head
	rows    rows
	dicts   dicts
	raw     *rawWriter
	units   int // transactions, coins and transfers taken in
	ids     map[ledger.Address]uint64
	owners  map[uint64]ledger.Address
	assets  map[ledger.Asset]uint64
	dust    map[uint64]ledger.Amount
	byTx    map[ledger.TxID][]ledger.Position
	buckets map[string]*dirtyBucket
	lists   map[listRef]*dirtyList
	records map[ledger.Position]*dirtyRecord
	parts   map[partRef]*dirtyPart
	homes   map[uint64]*dirtyHome
	payees  map[holderRef]*dirtyPayees
	blocks  map[uint64]uint64 // further blocks by bucket
	groups  []Op
	fixed   []Op // rows that are written once: blocks and long scripts
}

type (
	listRef struct {
		table byte
		row   uint64
	}
	partRef struct {
		pos  ledger.Position
		part uint32
	}
	holderRef   struct{ addr, asset uint64 }
	dirtyBucket struct {
		*bucket
		key   key
		dirty bool
	}
	dirtyList struct {
		entries [][]byte
		dirty   bool
	}
	dirtyRecord struct {
		*record
		dirty bool
	}
	dirtyPart struct {
		outputs []output
		dirty   bool
	}
	dirtyPayees struct {
		*payees
		dirty bool
	}
)

func newBatch(h head, r rows, raw *rawWriter) *batch {
	return &batch{
		layout: h.layout(), head: h, rows: r, dicts: dictsOf(h.chain), raw: raw,
		ids: map[ledger.Address]uint64{}, owners: map[uint64]ledger.Address{}, assets: map[ledger.Asset]uint64{}, dust: map[uint64]ledger.Amount{},
		byTx: map[ledger.TxID][]ledger.Position{}, buckets: map[string]*dirtyBucket{}, lists: map[listRef]*dirtyList{},
		records: map[ledger.Position]*dirtyRecord{}, parts: map[partRef]*dirtyPart{}, homes: map[uint64]*dirtyHome{},
		payees: map[holderRef]*dirtyPayees{}, blocks: map[uint64]uint64{},
	}
}

// add takes in a normalised block that follows the base's last one. Its inputs
// are resolved as they come; raw is where its raw form lies already, or nil.
func (b *batch) add(blk *ledger.Block, raw *rawRef, keepRaw bool) error {
	ref := raw
	if ref == nil {
		put, err := b.raw.put(blk.Raw, keepRaw)
		if err != nil {
			return err
		}
		ref = &put
	}
	for i := range blk.Txs {
		if err := b.addTx(&blk.Txs[i]); err != nil {
			return err
		}
	}
	row := b.head.advance(blk, *ref)
	b.fix(b.blockKey(blk.Ref.Height), row.encode())
	b.blocks[b.bucket(blk.Ref.Height)]++
	b.head.rawSegment, b.head.rawEnd = b.raw.segment, b.raw.end
	return nil
}

// unitsOf is what a transaction counts for in the size of a batch.
func unitsOf(tx *ledger.Tx) int {
	return 1 + len(tx.Inputs) + len(tx.Outputs) + len(tx.Transfers) + len(tx.Notices)
}

func (b *batch) addTx(tx *ledger.Tx) error {
	b.units += unitsOf(tx)
	unknown, err := resolve(tx, b)
	if err != nil {
		return err
	}
	b.head.unknown += uint64(unknown)
	if err := b.addRecord(tx); err != nil {
		return err
	}
	for h, e := range eventsOf(tx) {
		if err := b.addEvent(h, &e); err != nil {
			return err
		}
	}
	b.byTx[tx.ID] = append(b.byTx[tx.ID], tx.Pos)
	return b.insert(b.dicts.tx, txKey(tx.ID[:]), uint64(tx.Pos), b.head.txs+uint64(len(b.byTx))-1)
}

// addRecord interns what a transaction names and keeps its rows.
func (b *batch) addRecord(tx *ledger.Tx) error {
	ids, err := b.intern(tx)
	if err != nil {
		return err
	}
	rec, outs := ids.body(tx), ids.outputs(tx)
	first := min(len(outs), firstOutputs)
	b.records[tx.Pos] = &dirtyRecord{&record{rec.encode(), outs[:first:first]}, true}
	for part, rest := uint32(1), outs[first:]; len(rest) > 0; part++ {
		n := min(len(rest), partOutputs)
		b.parts[partRef{tx.Pos, part}] = &dirtyPart{rest[:n:n], true}
		rest = rest[n:]
	}
	return nil
}

// intern returns the ids of what a transaction names, fresh ones where needed.
func (b *batch) intern(tx *ledger.Tx) (ids interned, err error) {
	for a := range named(tx) {
		id, err := b.addressID(a)
		if err != nil {
			return ids, err
		}
		ids.addresses = append(ids.addresses, id)
	}
	for a := range moved(tx) {
		id, err := b.assetID(a)
		if err != nil {
			return ids, err
		}
		ids.assets = append(ids.assets, id)
	}
	return ids, nil
}

// coin implements coins over the base and the blocks taken in.
func (b *batch) coin(op ledger.OutPoint, before ledger.Position) (coin, error) {
	made := b.byTx[op.Tx]
	if len(made) == 0 {
		found, err := b.dicts.tx.find(b.loadBucket, txKey(op.Tx[:]), b.head.txs)
		if err != nil {
			return coin{}, err
		}
		for _, pos := range found {
			made = append(made, ledger.Position(pos))
		}
	}
	for i := len(made) - 1; i >= 0; i-- {
		if made[i] >= before {
			continue
		}
		rec, err := b.record(made[i])
		if err != nil {
			return coin{}, err
		}
		if rec.txid() == op.Tx {
			return b.coinOf(made[i], op.Index)
		}
	}
	return coin{}, nil
}

func (b *batch) coinOf(pos ledger.Position, index uint32) (coin, error) {
	c := coin{pos: pos, index: index, held: true}
	out, err := b.output(pos, index)
	if err != nil || out == nil {
		return c, err
	}
	c.exists, c.value, c.spender = true, out.value, out.spender
	owner, ok := b.owners[out.owner]
	if !ok {
		if owner, err = addressOf(b.rows, b.head.chain, out.owner); err != nil {
			return c, err
		}
		b.owners[out.owner], b.ids[owner] = owner, out.owner
	}
	c.owner = owner
	return c, nil
}

// spend implements coins.
func (b *batch) spend(c coin, by ledger.Position) error {
	out, err := b.output(c.pos, c.index)
	if err != nil {
		return err
	}
	out.spender = by
	part, _ := partOf(c.index)
	if part == 0 {
		b.records[c.pos].dirty = true
	} else {
		b.parts[partRef{c.pos, part}].dirty = true
	}
	b.head.spends++
	b.head.sums.spends.add(spendHash(c.pos, c.index, by))
	return nil
}

// output returns a coin to read or change; nil when the transaction has fewer.
func (b *batch) output(pos ledger.Position, index uint32) (*output, error) {
	rec, err := b.record(pos)
	if err != nil {
		return nil, err
	}
	part, at := partOf(index)
	outs := rec.outputs
	if part > 0 {
		if uint64(index) >= rec.nOutputs() {
			return nil, nil
		}
		ref := partRef{pos, part}
		p := b.parts[ref]
		if p == nil {
			loaded, err := b.loadOutputs(b.rows, pos, part)
			if err != nil {
				return nil, err
			}
			p = &dirtyPart{outputs: loaded}
			b.parts[ref] = p
		}
		outs = p.outputs
	}
	if int(at) >= len(outs) {
		return nil, nil
	}
	return &outs[at], nil
}

func (b *batch) record(pos ledger.Position) (*dirtyRecord, error) {
	if rec := b.records[pos]; rec != nil {
		return rec, nil
	}
	loaded, err := b.loadRecord(b.rows, pos)
	if errors.Is(err, ErrAbsent) {
		return nil, corrupt("record at %d is missing", pos)
	}
	if err != nil {
		return nil, err
	}
	rec := &dirtyRecord{record: loaded}
	b.records[pos] = rec
	return rec, nil
}

func (b *batch) fix(k key, value []byte) {
	b.fixed = append(b.fixed, Op{Partition: k.partition, Sort: k.sort, Value: seal(k, value)})
}

func itoa(v uint64) string { return strconv.FormatUint(v, 10) }
