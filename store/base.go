package store

import (
	"errors"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// base reads the folded part of an index as of a position: what stands at or
// above limit, spend links included, is not seen.
type base struct {
	layout
	rows  rows
	dicts dicts
	head  *head
	limit ledger.Position
	memo  *memo  // nil: every name is read from its row
	homes *homes // nil: as above
}

func newBase(r Reader, h *head, limit ledger.Position) base {
	return base{layout: h.layout(), rows: viewRows{r}, dicts: dictsOf(h.chain), head: h, limit: min(limit, h.limit())}
}

// positions returns where transactions lie whose hash may be id, ascending.
func (b base) positions(id ledger.TxID) ([]ledger.Position, error) {
	found, err := b.dicts.tx.lookup(b.rows, txKey(id[:]), b.head.txs)
	if err != nil {
		return nil, err
	}
	var below []ledger.Position
	for _, pos := range found {
		if ledger.Position(pos) < b.limit {
			below = append(below, ledger.Position(pos))
		}
	}
	return below, nil
}

// record returns a record that the index says exists.
func (b base) record(pos ledger.Position) (*record, error) {
	rec, err := b.loadRecord(b.rows, pos)
	if errors.Is(err, ErrAbsent) {
		return nil, corrupt("record at %d is missing", pos)
	}
	return rec, err
}

// spentBy hides a spend link above the limit.
func (b base) spentBy(o output) ledger.Position {
	if o.spender < b.limit {
		return o.spender
	}
	return 0
}

// tx returns the whole transaction at a position that is known to be held.
func (b base) tx(pos ledger.Position) (ledger.Tx, error) {
	rec, err := b.record(pos)
	if err != nil {
		return ledger.Tx{}, err
	}
	return b.txOf(pos, rec)
}

func (b base) txOf(pos ledger.Position, rec *record) (ledger.Tx, error) {
	body, err := decodeBody(rec.body, pos)
	if err != nil {
		return ledger.Tx{}, err
	}
	outs, err := b.allOutputs(b.rows, pos, rec, body.nOutputs)
	if err != nil {
		return ledger.Tx{}, err
	}
	names := naming{base: b}
	tx := body.tx
	tx.Chain = b.head.chain
	for _, in := range body.inputs {
		in.Address = names.address(in.owner)
		tx.Inputs = append(tx.Inputs, in.Input)
	}
	for _, o := range outs {
		tx.Outputs = append(tx.Outputs, ledger.Output{Address: names.address(o.owner), Value: o.value, SpentBy: b.spentBy(o)})
	}
	for _, t := range body.transfers {
		t.From, t.To, t.Asset = names.address(t.from), names.address(t.to), names.asset(t.asset)
		tx.Transfers = append(tx.Transfers, t.Transfer)
	}
	for _, n := range body.notices {
		n.Account, n.Peer, n.Contract = names.address(n.account), names.address(n.peer), names.address(n.contract)
		n.Asset = names.asset(n.asset)
		tx.Notices = append(tx.Notices, n.Notice)
	}
	return tx, names.err
}

// naming turns ids into what they stand for and keeps the first error. It
// remembers the last rows of names: those who come one after the other often
// stand in one.
type naming struct {
	base
	err  error
	seen map[uint64]ledger.Address
	near [16]nameRow
}

type nameRow struct {
	row     uint64
	entries [][]byte
}

// nearby returns the address of an id from a row of names that is at hand.
func (n *naming) nearby(id uint64) (ledger.Address, error) {
	r := &n.near[id/perRow%uint64(len(n.near))]
	if r.entries == nil || r.row != id/perRow {
		value, err := n.rows.row(listKey(tableAddrOf, id))
		if err == nil {
			r.entries, err = decodeList(value)
		}
		if err != nil {
			return addressOf(n.rows, n.head.chain, id) // in its words
		}
		r.row = id / perRow
	}
	if at := id % perRow; at < uint64(len(r.entries)) && len(r.entries[at]) > 0 {
		return addressFrom(n.head.chain, r.entries[at]), nil
	}
	return addressOf(n.rows, n.head.chain, id)
}

func (n *naming) address(id uint64) ledger.Address {
	if id == 0 || n.err != nil {
		return ledger.Address{}
	}
	if n.memo != nil {
		a := n.memo.name(id)
		if a.IsZero() {
			if a, n.err = n.nearby(id); n.err == nil && id < n.head.nextAddr {
				n.memo.keep(id, a)
			}
		}
		return a
	}
	if a, ok := n.seen[id]; ok {
		return a
	}
	var a ledger.Address
	a, n.err = addressOf(n.rows, n.head.chain, id)
	if n.seen == nil || len(n.seen) > 1<<16 {
		n.seen = map[uint64]ledger.Address{}
	}
	n.seen[id] = a
	return a
}

// name returns the address of an id, remembered where a head has published it.
func (b base) name(id uint64) (ledger.Address, error) {
	if b.memo == nil {
		return addressOf(b.rows, b.head.chain, id)
	}
	if a := b.memo.name(id); !a.IsZero() {
		return a, nil
	}
	a, err := addressOf(b.rows, b.head.chain, id)
	if err == nil && id < b.head.nextAddr {
		b.memo.keep(id, a)
	}
	return a, err
}

func (n *naming) asset(id uint64) ledger.Asset {
	if n.err != nil {
		return ledger.Asset{}
	}
	if n.memo != nil {
		if a, ok := n.memo.assetName(id); ok {
			return a
		}
	}
	var a ledger.Asset
	a, n.err = assetOf(n.rows, n.head.chain, id)
	if n.memo != nil && n.err == nil && id < n.head.nextAsset {
		n.memo.keepAsset(a, id, n.head.nextAsset)
	}
	return a
}

// coin returns an output as it stood just before a position.
func (b base) coin(op ledger.OutPoint, before ledger.Position) (coin, error) {
	found, err := b.positions(op.Tx)
	if err != nil {
		return coin{}, err
	}
	for i := len(found) - 1; i >= 0; i-- {
		if found[i] >= before {
			continue
		}
		rec, err := b.record(found[i])
		if err != nil {
			return coin{}, err
		}
		if rec.txid() == op.Tx {
			return b.coinOf(found[i], rec, op.Index)
		}
	}
	return coin{}, nil
}

func (b base) coinOf(pos ledger.Position, rec *record, index uint32) (coin, error) {
	c := coin{held: true, pos: pos, index: index}
	if uint64(index) >= rec.nOutputs() {
		return c, nil
	}
	part, at := partOf(index)
	outs := rec.outputs
	if part > 0 {
		var err error
		if outs, err = b.loadOutputs(b.rows, pos, part); err != nil {
			return c, err
		}
	}
	if int(at) >= len(outs) {
		return c, corrupt("output %d of record %d is missing", index, pos)
	}
	owner, err := b.name(outs[at].owner)
	c.exists, c.owner, c.value, c.spender = true, owner, outs[at].value, b.spentBy(outs[at])
	return c, err
}

// addressID returns the id of an address in the base, 0 when it has none.
func (b base) addressID(a ledger.Address) (uint64, error) {
	if a.IsZero() {
		return 0, nil
	}
	hash := a.Key()
	if len(hash) != b.dicts.address.keyLen {
		return 0, ledger.Invalid("address", "an address of "+string(b.head.chain), a.String())
	}
	if b.memo != nil {
		if id := b.memo.id(a); id != 0 && id < b.head.nextAddr {
			return id, nil
		}
	}
	id, err := known(b.dicts.address, b.rows, hash, b.head.nextAddr)
	if b.memo != nil && id != 0 {
		b.memo.keep(id, a)
	}
	return id, err
}

func (b base) assetID(a ledger.Asset) (uint64, error) {
	if b.memo != nil {
		if id, ok := b.memo.asset(a, b.head.nextAsset); ok {
			return id, nil
		}
	}
	id, err := known(b.dicts.asset, b.rows, assetHash(a), b.head.nextAsset)
	if b.memo != nil && err == nil {
		b.memo.keepAsset(a, id, b.head.nextAsset)
	}
	return id, err
}

// account returns the row of a holder, nil when the base has none.
func (b base) account(h ledger.Holder) (addr uint64, a *account, err error) {
	asset, err := b.assetID(h.Asset)
	if err != nil || asset == 0 {
		return 0, nil, err
	}
	if addr, err = b.addressID(h.Address); err != nil || addr == 0 {
		return 0, nil, err
	}
	home, err := b.home(addr)
	if err != nil {
		return 0, nil, err
	}
	a, err = loadAccount(b.rows, addr, asset, home)
	return addr, a, err
}

// block returns the row of a height, nil when the base holds no such block.
func (b base) block(height uint64) (*blockRow, error) {
	if ledger.At(height, 0) >= b.limit {
		return nil, nil
	}
	row, err := b.loadBlock(b.rows, b.head.chain, height)
	if !errors.Is(err, ErrAbsent) {
		return row, err
	}
	for _, s := range b.head.spans {
		if s.From <= height && height <= s.To {
			return nil, corrupt("block row of height %d is missing", height)
		}
	}
	return nil, nil
}

// blockBelow returns the last held block of the base at or below a height, nil
// for none. The block above it names it, or names that there is none.
func (b base) blockBelow(r Reader, height uint64) (*blockRow, error) {
	below, err := b.nearest(r, height, true)
	if err != nil {
		return nil, err
	}
	var above *blockRow
	if height < b.head.folded.ref.Height {
		if above, err = b.nearest(r, height+1, false); err != nil {
			return nil, err
		}
	}
	var at, previous uint64
	if below != nil {
		at = below.block.Ref.Height + 1
	}
	if previous = b.head.limit().Height(); above != nil {
		previous = above.previous
	}
	if at != previous {
		return nil, corrupt("the block at or below height %d is missing", height)
	}
	return below, nil
}

// nearest returns the first block of the base from a height on, up or down.
func (b base) nearest(r Reader, height uint64, down bool) (*blockRow, error) {
	bucket := b.bucket(height)
	from, to := be64(bucket), []byte(nil)
	if down {
		from, to = nil, be64(bucket+1)
	}
	for count, err := range r.Scan([]byte{tableBlocks}, from, to, down) {
		if err != nil {
			return nil, err
		}
		in := beOf(count.Sort)
		if _, err := unseal(blocksKey(in), count.Value); err != nil {
			return nil, err
		}
		first, last := be64(height), []byte(nil)
		if down {
			first, last = nil, be64(height+1)
		}
		for row, err := range r.Scan(partition(tableBlock, in), first, last, down) {
			if err != nil {
				return nil, err
			}
			value, err := unseal(b.blockKey(beOf(row.Sort)), row.Value)
			if err != nil {
				return nil, err
			}
			return decodeBlockRow(b.head.chain, beOf(row.Sort), value)
		}
	}
	return nil, nil
}

func notFound(what string, asOf ledger.BlockRef) error {
	return fmt.Errorf("store: %s: %w of %s; it reaches height %d", what, ledger.ErrNotFound, asOf.Chain, asOf.Height)
}
