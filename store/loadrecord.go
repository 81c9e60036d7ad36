package store

import (
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// resolvedInput is what an input spends: where the coin's row lies.
type resolvedInput struct {
	made ledger.Position
	row  []byte // owner id, value, owner
}

// record completes the transactions, writes tables r, b and d, and returns the
// events by address.
func (l *load) record(names *loadNames, coins *shuffle) (*shuffle, error) {
	events := l.shuffle()
	counts := map[uint64]uint64{}
	for i, s := range l.segments {
		l.report("records", i, len(l.segments))
		ids, err := names.ids(i, s.names)
		if err != nil {
			return events, err
		}
		r := &recording{load: l, ids: ids, perBucket: names.total/loadBuckets + 1, out: events.fresh(loadBuckets, 14*int(s.ins+s.outs)), last: make([]ledger.Position, loadBuckets)}
		if err := r.join(s, coins, i); err != nil {
			return events, err
		}
		for b, err := range s.read(l.chain) {
			if err == nil {
				err = l.ctx.Err()
			}
			if err == nil {
				err = r.block(b)
			}
			if err != nil {
				return events, err
			}
			counts[l.bucket(b.Ref.Height)]++
		}
		l.head.rawSegment, l.head.rawEnd = s.rawSegment, s.rawEnd
		if err := events.add(r.out); err != nil {
			return events, err
		}
	}
	for _, bucket := range slices.Sorted(maps.Keys(counts)) {
		var e encoder
		e.uint(counts[bucket])
		if err := l.row(tableBlocks, sealed(blocksKey(bucket), e.b)); err != nil {
			return events, err
		}
	}
	return events, nil
}

// recording is one segment on its way into records.
type recording struct {
	*load
	ids       []uint64
	inputs    []resolvedInput
	spenders  []ledger.Position
	ins, outs int // numbers of the transaction under way
	perBucket uint64
	body, rec encoder   // of the transaction under way
	out       []encoder // events by address
	last      []ledger.Position
}

// join gathers what spend found out about a segment.
func (r *recording) join(s *segment, coins *shuffle, segment int) error {
	r.inputs, r.spenders = make([]resolvedInput, s.ins), make([]ledger.Position, s.outs)
	for rows, err := range coins.read(segment) {
		if err != nil {
			return err
		}
		for in := (decoder{b: rows}); len(in.b) > 0; {
			if in.byte() == rowSpender {
				number := in.uint()
				r.spenders[number] = ledger.Position(in.uint())
				continue
			}
			v := &r.inputs[in.uint()]
			v.made = ledger.Position(in.uint())
			row := in.b
			in.uint()
			in.bytes()
			skipAddress(&in)
			v.row = row[:len(row)-len(in.b)]
		}
	}
	return nil
}

func (r *recording) block(b *segmentBlock) error {
	for i := range b.Txs {
		if err := r.tx(&b.Txs[i], b.names[i]); err != nil {
			return err
		}
	}
	row := r.head.advance(b.Block, b.raw)
	return r.row(tableBlock, sealed(r.blockKey(b.Ref.Height), row.encode()))
}

// tx resolves a transaction and writes its record and events.
func (r *recording) tx(tx *ledger.Tx, names []uint64) error {
	ids := interned{addresses: make([]uint64, len(names))}
	for i, name := range names {
		ids.addresses[i] = idOf(r.ids, name)
	}
	for a := range moved(tx) {
		ids.assets = append(ids.assets, r.assets[a])
	}
	if err := r.resolve(tx, &ids); err != nil {
		return err
	}
	body, outs := ids.body(tx), ids.outputs(tx)
	r.body.b, r.rec.b = r.body.b[:0], r.rec.b[:0]
	body.encodeTo(&r.body)
	for i := range outs {
		outs[i].spender = r.spenders[r.outs+i]
	}
	r.ins, r.outs = r.ins+len(tx.Inputs), r.outs+len(tx.Outputs)
	first := min(len(outs), firstOutputs)
	rec := record{r.body.b, outs[:first]}
	rec.encodeTo(&r.rec, tx.Pos)
	if err := r.row(tableRecord, sealed(r.recordKey(tx.Pos, 0), r.rec.b)); err != nil {
		return err
	}
	part := uint32(1)
	for rest := range slices.Chunk(outs[first:], partOutputs) {
		var e encoder
		encodeOutputs(&e, rest, tx.Pos)
		if err := r.row(tableRecord, sealed(r.recordKey(tx.Pos, part), e.b)); err != nil {
			return err
		}
		part++
	}
	return r.events(tx, &ids)
}

// resolve fills in what the inputs spend.
func (r *recording) resolve(tx *ledger.Tx, ids *interned) error {
	if tx.Coinbase {
		return nil
	}
	for i := range tx.Inputs {
		in, found := &tx.Inputs[i], r.inputs[r.ins+i]
		in.PrevPos = found.made
		if found.row == nil {
			if !in.Known {
				r.head.unknown++
			}
			continue
		}
		d := decoder{b: found.row}
		ids.addresses[i] = d.uint()
		in.Known, in.Value, in.Address = true, d.amount(), d.address(r.chain)
		if err := d.end("coin"); err != nil {
			return err
		}
	}
	return nil
}

// events hands the events of a transaction to the buckets of their holders.
func (r *recording) events(tx *ledger.Tx, ids *interned) error {
	p := parties{tx: tx, ids: ids.addresses}
	for h, e := range eventsOf(tx) {
		addr, peer := p.of(h, &e)
		r.head.events++
		r.head.sums.events.add(eventHash(h, &e))
		bucket := (addr - 1) / r.perBucket
		out := &r.out[bucket]
		out.uint((addr - 1) % r.perBucket)
		out.uint(r.assets[h.Asset])
		out.uint(uint64(e.At.Pos - r.last[bucket]))
		out.uint(uint64(e.At.Slot))
		flags := byte(sideOf(h.Address, &e)) | byte(e.Kind)<<2
		if e.Plain {
			flags |= plainFlag
		}
		out.byte(flags)
		out.uint(peer)
		out.amount(e.Amount)
		r.last[bucket] = e.At.Pos
	}
	return nil
}

// parties tells the ids of the two sides of the events of a transaction, in the
// order of eventsOf.
type parties struct {
	tx       *ledger.Tx
	ids      []uint64
	transfer int // the next one to look at
	noted    int // events of notices so far
}

func (p *parties) of(h ledger.Holder, e *ledger.Event) (addr, peer uint64) {
	tx := p.tx
	coins := len(tx.Inputs) + len(tx.Outputs)
	switch {
	case len(tx.Notices) > 0 && h.Asset == ledger.NoticeAsset(tx.Chain):
		addr = p.ids[coins+2*len(tx.Transfers)+3*len(tx.Notices)+p.noted]
		p.noted++
		return addr, addr
	case coins > 0:
		return p.ids[e.At.Slot], 0
	}
	for tx.Transfers[p.transfer].Slot != e.At.Slot {
		p.transfer++
	}
	from, to := p.ids[2*p.transfer], p.ids[2*p.transfer+1]
	if h.Address == e.From {
		return from, to
	}
	return to, from
}
