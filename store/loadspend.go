package store

import (
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// What the shuffle by transaction hash carries, in the order of the chain.
const (
	rowMade  = iota // a transaction: hash, position, number of its first output in the segment, outputs (owner id, value, owner)
	rowSpent        // an input: outpoint, position, its number in the segment, and the coin that the source told, if any (value, owner)
)

// What comes back, by segment.
const (
	rowResolved = iota // number of the input, position of the coin, owner id, value, owner
	rowSpender         // number of the output, position of the spender
)

// spend finds what inputs spend and who spends outputs, and writes table t. What
// comes back is by segment.
func (l *load) spend(names *loadNames) (*shuffle, error) {
	byHash, bySegment := l.shuffle(), l.shuffle()
	defer func() { _ = byHash.close() }()
	idList := &idRows{load: l, next: 1}
	for i, s := range l.segments {
		ids, err := names.ids(i, s.names)
		if err != nil {
			return bySegment, err
		}
		if err := l.writeNames(idList, names, i); err != nil {
			return bySegment, err
		}
		buckets := byHash.fresh(loadBuckets, int(s.blockBytes))
		err = l.coinsOf(s, ids, buckets)
		if err == nil {
			err = byHash.add(buckets)
		}
		if err != nil {
			return bySegment, err
		}
	}
	if err := idList.flush(); err != nil {
		return bySegment, err
	}
	t := l.tree(l.dicts.tx)
	for first := range loadBuckets {
		l.report("coins", first, loadBuckets)
		j := &joining{load: l, byTx: map[ledger.TxID]int{}, out: bySegment.fresh(len(l.segments), 0)}
		if err := j.run(byHash, first); err != nil {
			return bySegment, err
		}
		if err := bySegment.add(j.out); err != nil {
			return bySegment, err
		}
		t.add(byte(first), j.entries)
	}
	return bySegment, t.close()
}

// writeNames writes the fresh addresses of a segment in the order of their ids.
func (l *load) writeNames(to *idRows, names *loadNames, segment int) error {
	var number uint64
	for entry, err := range l.segments[segment].entries() {
		if err == nil && names.fresh[segment].has(number) {
			err = to.add(entry)
		}
		if err != nil {
			return err
		}
		number++
	}
	return nil
}

// coinsOf puts the outputs and inputs of a segment into buckets by hash.
func (l *load) coinsOf(s *segment, ids []uint64, buckets []encoder) error {
	var ins, outs uint64
	for b, err := range s.read(l.chain) {
		if err != nil {
			return err
		}
		for i := range b.Txs {
			tx := &b.Txs[i]
			for k := range tx.Inputs {
				if !tx.Coinbase {
					in := &tx.Inputs[k]
					encodeSpent(&buckets[in.Prev.Tx[0]], in, tx.Pos, ins+uint64(k))
				}
			}
			ins += uint64(len(tx.Inputs))
			e := &buckets[tx.ID[0]]
			e.byte(rowMade)
			e.raw(tx.ID[:])
			e.uint(uint64(tx.Pos))
			e.uint(outs)
			e.uint(uint64(len(tx.Outputs)))
			for k, out := range tx.Outputs {
				e.uint(idOf(ids, b.names[i][len(tx.Inputs)+k]))
				e.amount(out.Value)
				e.address(out.Address)
			}
			outs += uint64(len(tx.Outputs))
		}
	}
	return nil
}

// idOf returns the id of a number as segmentBlock has it.
func idOf(ids []uint64, name uint64) uint64 {
	if name == 0 {
		return 0
	}
	return ids[name-1]
}

func encodeSpent(e *encoder, in *ledger.Input, by ledger.Position, number uint64) {
	e.byte(rowSpent)
	e.raw(in.Prev.Tx[:])
	e.uint(uint64(in.Prev.Index))
	e.uint(uint64(by))
	e.uint(number)
	e.bool(in.Known)
	if in.Known {
		e.amount(in.Value)
		e.address(in.Address)
	}
}

// joining is one bucket of outputs and inputs.
type joining struct {
	*load
	byTx    map[ledger.TxID]int // the last transaction with a hash, in made
	made    []madeTx
	coins   []madeCoin
	out     []encoder // by segment
	entries []dictEntry
}

type madeTx struct {
	pos     ledger.Position
	segment int
	number  uint64 // of its first output in the segment
	first   int    // in coins
	outputs uint64
}

// madeCoin is an output: its row and who spends it.
type madeCoin struct {
	row     []byte
	spender ledger.Position
}

func (j *joining) run(byHash *shuffle, bucket int) error {
	segment := 0
	for rows, err := range byHash.read(bucket) {
		if err != nil {
			return err
		}
		for in := (decoder{b: rows}); len(in.b) > 0; {
			if in.byte() == rowMade {
				j.make(&in, segment)
			} else if err := j.spent(&in, segment); err != nil {
				return err
			}
			if in.bad {
				return corrupt("coins of a load")
			}
		}
		segment++
	}
	return nil
}

func (j *joining) make(in *decoder, segment int) {
	id := ledger.TxID(in.hash())
	m := madeTx{pos: ledger.Position(in.uint()), segment: segment, number: in.uint(), first: len(j.coins), outputs: in.uint()}
	for range m.outputs {
		row := in.b
		in.uint()
		in.bytes()
		skipAddress(in)
		if in.bad {
			return
		}
		j.coins = append(j.coins, madeCoin{row: row[:len(row)-len(in.b)]})
	}
	j.byTx[id] = len(j.made)
	j.made = append(j.made, m)
	j.entries = append(j.entries, dictEntry{txKey(id[:]), uint64(m.pos)})
}

func skipAddress(in *decoder) {
	if ledger.AddressKind(in.byte()) != ledger.KindNone {
		in.bytes()
	}
}

// spent resolves an input, as resolve does.
func (j *joining) spent(in *decoder, segment int) error {
	prev := ledger.OutPoint{Tx: in.hash(), Index: uint32(in.uint())}
	by, number, known := ledger.Position(in.uint()), in.uint(), in.bool()
	var told []byte
	if known {
		told = in.b
		in.bytes()
		skipAddress(in)
		told = told[:len(told)-len(in.b)]
	}
	at, held := j.byTx[prev.Tx]
	if !held || in.bad {
		return nil
	}
	m := &j.made[at]
	if uint64(prev.Index) >= m.outputs {
		return fmt.Errorf("height %d: %w", by.Height(), errUnfit)
	}
	c := &j.coins[m.first+int(prev.Index)]
	owner := decoder{b: c.row}
	owner.uint()
	if c.spender != 0 || known && string(told) != string(owner.b) {
		return fmt.Errorf("height %d: %w", by.Height(), errUnfit)
	}
	c.spender = by
	j.head.spends++
	j.head.sums.spends.add(spendHash(m.pos, prev.Index, by))
	e := &j.out[segment]
	e.byte(rowResolved)
	e.uint(number)
	e.uint(uint64(m.pos))
	e.raw(c.row)
	e = &j.out[m.segment]
	e.byte(rowSpender)
	e.uint(m.number + uint64(prev.Index))
	e.uint(uint64(by))
	return nil
}
