package store

import (
	"cmp"
	"encoding/binary"
	"iter"
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// overlayPart is the size of one row of an overlay block.
const overlayPart = 512 << 10

// young is a block of the tip overlay: immutable, with its inputs resolved and
// an index of its own. A reader holds the blocks of its tip; a reorg only
// chooses others. Transactions are kept as they are stored, a few hundred bytes
// each, and decoded when they are asked for.
type young struct {
	block   *ledger.Block // without its raw form; with its transactions only until it is closed
	body    []byte        // the transactions
	starts  []uint32      // where each begins
	places  []ledger.Position
	prev    mark // the held block before it
	at      mark
	raw     rawRef
	unknown int
	listed  uint64                 // events
	byTx    map[ledger.TxID]uint32 // the last with a hash
	twins   map[uint32]uint32      // the one before it with the same hash
	spends  map[coinRef]ledger.Position
	parties []party // sorted, once it is closed
}

// party says that a transaction may have events of an address.
type party struct {
	hint uint64 // addressHint
	tx   uint32
}

func (p party) compare(o party) int {
	return cmp.Or(cmp.Compare(p.hint, o.hint), cmp.Compare(p.tx, o.tx))
}

// having returns the transactions with a hash, ascending.
func (y *young) having(id ledger.TxID) []int {
	i, ok := y.byTx[id]
	var all []int
	for ; ok; i, ok = y.twins[i] {
		all = append(all, int(i))
	}
	slices.Reverse(all)
	return all
}

type coinRef struct {
	pos   ledger.Position
	index uint32
}

func newYoung(b *ledger.Block, prev mark) *young {
	return &young{
		block: b, prev: prev, byTx: make(map[ledger.TxID]uint32, len(b.Txs)), twins: map[uint32]uint32{}, spends: map[coinRef]ledger.Position{},
	}
}

// tx returns transaction i for its receiver to change.
func (y *young) tx(i int) ledger.Tx {
	return decodeTx(&decoder{b: y.body[y.starts[i]:]}, y.block.Ref.Chain)
}

// whole returns the block with its transactions.
func (y *young) whole() *ledger.Block {
	b := *y.block
	b.Txs = make([]ledger.Tx, len(y.starts))
	for i := range b.Txs {
		b.Txs[i] = y.tx(i)
	}
	return &b
}

// index makes the lookups of transaction i, whose inputs are resolved.
func (y *young) index(i int, tx *ledger.Tx) {
	y.places = append(y.places, tx.Pos)
	if twin, ok := y.byTx[tx.ID]; ok {
		y.twins[uint32(i)] = twin
	}
	y.byTx[tx.ID] = uint32(i)
	for h := range eventsOf(tx) {
		y.listed++
		if p := (party{addressHint(h.Address), uint32(i)}); len(y.parties) == 0 || y.parties[len(y.parties)-1] != p {
			y.parties = append(y.parties, p)
		}
	}
	if tx.Coinbase {
		return
	}
	for j := range tx.Inputs {
		in := &tx.Inputs[j]
		if in.PrevPos != 0 {
			y.spends[coinRef{in.PrevPos, in.Prev.Index}] = tx.Pos
		}
		if !in.Known {
			y.unknown++
		}
	}
}

// events yields the events of an address, in total order.
func (y *young) events(a ledger.Address) iter.Seq2[ledger.Holder, ledger.Event] {
	return func(yield func(ledger.Holder, ledger.Event) bool) {
		k := addressHint(a)
		at, _ := slices.BinarySearchFunc(y.parties, party{k, 0}, party.compare)
		for ; at < len(y.parties) && y.parties[at].hint == k; at++ {
			tx := y.tx(int(y.parties[at].tx))
			for h, e := range eventsOf(&tx) {
				if h.Address == a && !yield(h, e) {
					return
				}
			}
		}
	}
}

// close computes the digests after the last transaction and packs them all.
func (y *young) close() {
	digest, _ := digestOf(y.block)
	y.at = y.prev.then(y.block.Ref, digest)
	var e encoder
	for i := range y.block.Txs {
		y.starts = append(y.starts, uint32(len(e.b)))
		encodeTx(&e, &y.block.Txs[i])
	}
	y.body = slices.Clone(e.b)
	slices.SortFunc(y.parties, party.compare)
	y.parties = slices.Clone(slices.Compact(y.parties))
	// A header may be cut out of the raw block, which is not to stay for it.
	y.block.Header = slices.Clone(y.block.Header)
	y.block.Txs, y.block.Raw = nil, nil
}

// ops returns the rows of the block. Each part says how many there are, so that
// a block cut short by a crash is seen to be.
func (y *young) ops() []Op {
	var e encoder
	encodeHeader(&e, y.block)
	e.mark(y.prev)
	y.raw.encode(&e)
	e.uint(uint64(len(y.starts)))
	e.raw(y.body)
	parts := slices.Collect(slices.Chunk(e.b, overlayPart))
	var ops []Op
	for i, part := range parts {
		value := append(binary.AppendUvarint(nil, uint64(len(parts))), part...)
		ops = append(ops, sealed(overlayKey(y.block.Ref.Height, y.block.Ref.Hash, uint32(i)), value))
	}
	return ops
}

// decodeYoung reads the joined parts back and builds the lookups again.
func decodeYoung(c ledger.Chain, value []byte) (*young, error) {
	in := decoder{b: value}
	block := decodeHeader(&in, c)
	prev, raw := in.mark(c), decodeRawRef(&in)
	block.Txs = make([]ledger.Tx, in.count())
	for i := range block.Txs {
		block.Txs[i] = decodeTx(&in, c)
	}
	if err := in.end("overlay block"); err != nil {
		return nil, err
	}
	y := newYoung(&block, prev)
	y.raw = raw
	for i := range block.Txs {
		y.index(i, &block.Txs[i])
	}
	y.close()
	return y, nil
}

func encodeTx(e *encoder, tx *ledger.Tx) {
	e.raw(tx.ID[:])
	e.uint(uint64(tx.Pos))
	e.int(tx.Time)
	e.bool(tx.Coinbase)
	e.byte(byte(tx.Status))
	e.byte(byte(tx.Grade))
	e.uint(uint64(len(tx.Inputs)))
	for i := range tx.Inputs {
		in := &tx.Inputs[i]
		e.raw(in.Prev.Tx[:])
		e.uint(uint64(in.Prev.Index))
		e.uint(uint64(in.PrevPos))
		e.bool(in.Known)
		e.address(in.Address)
		e.amount(in.Value)
	}
	e.uint(uint64(len(tx.Outputs)))
	for i := range tx.Outputs {
		e.address(tx.Outputs[i].Address)
		e.amount(tx.Outputs[i].Value)
	}
	e.uint(uint64(len(tx.Transfers)))
	for i := range tx.Transfers {
		t := &tx.Transfers[i]
		e.uint(uint64(t.Index))
		e.uint(uint64(t.Slot))
		e.byte(byte(t.Kind))
		e.byte(byte(t.Status))
		e.byte(byte(t.Grade))
		e.address(t.From)
		e.address(t.To)
		e.address(t.Asset.Contract)
		e.string(t.Asset.TokenID)
		e.amount(t.Amount)
	}
	e.uint(uint64(len(tx.Notices)))
	for i := range tx.Notices {
		n := &tx.Notices[i]
		e.uint(uint64(n.Slot))
		e.byte(byte(n.Kind))
		e.byte(byte(n.Grade))
		e.address(n.Account)
		e.address(n.Peer)
		e.address(n.Contract)
		e.address(n.Asset.Contract)
		e.string(n.Asset.TokenID)
		e.amount(n.Amount)
		e.string(string(n.Network))
		e.string(n.Ref)
	}
}

func decodeTx(in *decoder, c ledger.Chain) ledger.Tx {
	tx := ledger.Tx{
		ID: in.hash(), Chain: c, Pos: ledger.Position(in.uint()), Time: in.int(), Coinbase: in.bool(),
		Status: ledger.Status(in.byte()), Grade: ledger.Grade(in.byte()),
	}
	tx.Inputs = makeOf[ledger.Input](in)
	for i := range tx.Inputs {
		tx.Inputs[i] = ledger.Input{
			Prev: ledger.OutPoint{Tx: in.hash(), Index: uint32(in.uint())}, PrevPos: ledger.Position(in.uint()),
			Known: in.bool(), Address: in.address(c), Value: in.amount(),
		}
	}
	tx.Outputs = makeOf[ledger.Output](in)
	for i := range tx.Outputs {
		tx.Outputs[i] = ledger.Output{Address: in.address(c), Value: in.amount()}
	}
	tx.Transfers = makeOf[ledger.Transfer](in)
	for i := range tx.Transfers {
		tx.Transfers[i] = ledger.Transfer{
			Index: uint32(in.uint()), Slot: uint32(in.uint()), Kind: ledger.TransferKind(in.byte()), Status: ledger.Status(in.byte()),
			Grade: ledger.Grade(in.byte()), From: in.address(c), To: in.address(c),
			Asset: ledger.Asset{Chain: c, Contract: in.address(c), TokenID: in.string()}, Amount: in.amount(),
		}
	}
	tx.Notices = makeOf[ledger.Notice](in)
	for i := range tx.Notices {
		tx.Notices[i] = ledger.Notice{
			Slot: uint32(in.uint()), Kind: ledger.NoticeKind(in.byte()), Grade: ledger.Grade(in.byte()),
			Account: in.address(c), Peer: in.address(c), Contract: in.address(c), Asset: ledger.Asset{Chain: c, Contract: in.address(c), TokenID: in.string()},
			Amount: in.amount(), Network: ledger.Chain(in.string()), Ref: in.string(),
		}
	}
	return tx
}

// makeOf reads a count and returns a slice of that length, nil for none.
func makeOf[T any](in *decoder) []T {
	if n := in.count(); n > 0 {
		return make([]T, n)
	}
	return nil
}

// loadOverlay returns the overlay blocks that lead down to the base, by hash,
// and deletes of all other rows: of blocks that a crash cut short, that the base
// has passed, or that were written whole and never published. The last ones must
// go before anything else is written: their raw forms lie where the next go.
func loadOverlay(r Reader, h *head) (map[ledger.Hash]*young, []Op, error) {
	held := map[ledger.Hash]*young{}
	var rows [][]byte
	var value []byte
	var parts uint64
	for row, err := range r.Scan([]byte{tableOverlay}, nil, nil, false) {
		if err != nil {
			return nil, nil, err
		}
		part, err := unseal(key{[]byte{tableOverlay}, row.Sort}, row.Value)
		if err != nil {
			return nil, nil, err
		}
		n, w := binary.Uvarint(part)
		if w <= 0 || len(row.Sort) != 44 {
			return nil, nil, corrupt("overlay row %x", row.Sort)
		}
		rows = append(rows, slices.Clone(row.Sort))
		if i := binary.BigEndian.Uint32(row.Sort[40:]); i == 0 {
			value, parts = nil, 1
		} else if parts++; uint64(i) != parts-1 {
			continue
		}
		if value = append(value, part[w:]...); parts != n {
			continue
		}
		y, err := decodeYoung(h.chain, value)
		if err != nil {
			return nil, nil, err
		}
		if ledger.Hash(row.Sort[8:40]) != y.at.ref.Hash {
			return nil, nil, corrupt("overlay row %x holds block %s", row.Sort, y.at.ref.Hash)
		}
		if value = nil; !y.raw.beyond(h) {
			held[y.at.ref.Hash] = y
		}
	}
	held = reachable(held, h.folded)
	return held, leftovers(rows, held), nil
}

// beyond reports a raw form that no published head covers.
func (r rawRef) beyond(h *head) bool {
	return r.kept && (r.segment > h.rawSegment || r.segment == h.rawSegment && r.offset+r.size > h.rawEnd)
}

func leftovers(rows [][]byte, held map[ledger.Hash]*young) []Op {
	var ops []Op
	for _, sort := range rows {
		if held[ledger.Hash(sort[8:40])] == nil {
			ops = append(ops, Op{Partition: []byte{tableOverlay}, Sort: sort, Delete: true})
		}
	}
	return ops
}

// chainTo returns the overlay blocks from above the base to a tip, ascending.
func chainTo(held map[ledger.Hash]*young, tip, folded mark) ([]*young, error) {
	var chain []*young
	for at := tip; at != folded; {
		y := held[at.ref.Hash]
		if y == nil || y.at != at {
			return nil, corrupt("overlay block %s at height %d is missing", at.ref.Hash, at.ref.Height)
		}
		chain = append(chain, y)
		at = y.prev
	}
	slices.Reverse(chain)
	return chain, nil
}

// reachable returns the blocks that lead down to the base.
func reachable(held map[ledger.Hash]*young, folded mark) map[ledger.Hash]*young {
	byHeight := slices.SortedFunc(maps.Values(held), func(a, b *young) int { return cmp.Compare(a.at.ref.Height, b.at.ref.Height) })
	kept := map[ledger.Hash]*young{}
	for _, y := range byHeight {
		if below := kept[y.prev.ref.Hash]; y.prev == folded || below != nil && below.at == y.prev {
			kept[y.at.ref.Hash] = y
		}
	}
	return kept
}

// dropOps deletes the rows of an overlay block.
func (y *young) dropOps() []Op {
	ops := y.ops()
	for i := range ops {
		ops[i].Value, ops[i].Delete = nil, true
	}
	return ops
}
