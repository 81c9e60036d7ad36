package store

import (
	"github.com/spoortrace/spoor/ledger"
)

// formatVersion is raised by every change of the key table or of a codec.
const formatVersion = 4

// mark is a block of the chain with what is known of the chain up to it.
type mark struct {
	set    bool
	ref    ledger.BlockRef
	digest ledger.Hash // of the tip at it
	clock  int64       // the greatest of 0 and the times of blocks up to it
}

// then returns the mark of a block that follows.
func (m mark) then(ref ledger.BlockRef, block ledger.Hash) mark {
	return mark{true, ref, chainDigest(m.digest, block), max(m.clock, ref.Time)}
}

// Span is a run of blocks that follow each other by parent hash, heights From
// and To included. Partial names what its source could not give.
type Span struct {
	From, To uint64
	Partial  string
}

// head is the pointer that publishes everything else. The counters, totals and
// spans are those of the base; the overlay's are added from its blocks.
type head struct {
	format  uint64
	chain   ledger.Chain
	genesis string
	export  bool
	seq     uint64 // publications so far
	epoch   uint64 // of the writer
	tip     mark   // the last block, in the overlay or equal to folded
	folded  mark   // the last block of the base

	nextAddr, nextAsset                  uint64
	blocks, txs, spends, events, unknown uint64
	sums                                 totals
	spans                                []Span
	rawSegment, rawEnd                   uint64      // where the next raw block goes
	meta                                 ledger.Hash // SHA-256 of the row of claims and files; zero without one
}

func (h *head) layout() layout { return layout{h.export} }

// limit is the first position above the base.
func (h *head) limit() ledger.Position {
	if !h.folded.set {
		return 0
	}
	return ledger.EndOf(h.folded.ref.Height)
}

func (e *encoder) mark(m mark) {
	e.bool(m.set)
	e.uint(m.ref.Height)
	e.raw(m.ref.Hash[:])
	e.int(m.ref.Time)
	e.raw(m.digest[:])
	e.int(m.clock)
}

func (d *decoder) mark(c ledger.Chain) mark {
	return mark{d.bool(), ledger.BlockRef{Chain: c, Height: d.uint(), Hash: d.hash(), Time: d.int()}, d.hash(), d.int()}
}

func (h *head) encode() []byte {
	var e encoder
	e.uint(h.format)
	e.string(string(h.chain))
	e.string(h.genesis)
	e.bool(h.export)
	e.uint(h.seq)
	e.uint(h.epoch)
	e.mark(h.tip)
	e.mark(h.folded)
	for _, v := range []uint64{h.nextAddr, h.nextAsset, h.blocks, h.txs, h.spends, h.events, h.unknown, h.rawSegment, h.rawEnd} {
		e.uint(v)
	}
	for _, t := range []total{h.sums.txs, h.sums.spends, h.sums.events} {
		b := t.bytes()
		e.raw(b[:])
	}
	e.uint(uint64(len(h.spans)))
	for _, s := range h.spans {
		e.uint(s.From)
		e.uint(s.To - s.From)
		e.string(s.Partial)
	}
	e.raw(h.meta[:])
	return seal(headKey(), e.b)
}

// decodeHead reads a stored head. The format comes first, so that a newer one
// is told from a damaged one.
func decodeHead(stored []byte) (*head, error) {
	value, err := unseal(headKey(), stored)
	if err != nil {
		return nil, err
	}
	in := decoder{b: value}
	h := &head{format: in.uint()}
	if h.format != formatVersion {
		return h, nil
	}
	h.chain, h.genesis, h.export = ledger.Chain(in.string()), in.string(), in.bool()
	h.seq, h.epoch = in.uint(), in.uint()
	h.tip, h.folded = in.mark(h.chain), in.mark(h.chain)
	for _, v := range []*uint64{&h.nextAddr, &h.nextAsset, &h.blocks, &h.txs, &h.spends, &h.events, &h.unknown, &h.rawSegment, &h.rawEnd} {
		*v = in.uint()
	}
	for _, t := range []*total{&h.sums.txs, &h.sums.spends, &h.sums.events} {
		*t = totalFrom(in.hash())
	}
	h.spans = make([]Span, in.count())
	for i := range h.spans {
		from := in.uint()
		h.spans[i] = Span{from, from + in.uint(), in.string()}
	}
	h.meta = in.hash()
	return h, in.end("head")
}

// advance takes in the base's next block, whose inputs are resolved, and
// returns its row.
func (h *head) advance(b *ledger.Block, raw rawRef) blockRow {
	digest, hashes := digestOf(b)
	for _, sum := range hashes {
		h.sums.txs.add(sum)
	}
	at := h.folded.then(b.Ref, digest)
	row := blockRow{block: *b, runs: runsOf(b.Txs), raw: raw, digest: digest, tip: at.digest, clock: at.clock}
	if h.folded.set {
		row.previous = h.folded.ref.Height + 1
	}
	if !h.export {
		h.spans = extend(h.spans, h.folded, b)
	}
	h.folded = at
	h.blocks++
	h.txs += uint64(len(b.Txs))
	return row
}

// extend returns the spans with one more block above a previous one. The slice
// that came is not changed.
func extend(spans []Span, prev mark, b *ledger.Block) []Span {
	n := len(spans)
	linked := n > 0 && prev.set && spans[n-1].To+1 == b.Ref.Height && prev.ref.Height == spans[n-1].To && prev.ref.Hash == b.Parent
	if linked && spans[n-1].Partial == b.Partial {
		last := spans[n-1]
		return append(spans[:n-1:n-1], Span{last.From, b.Ref.Height, last.Partial})
	}
	return append(spans[:n:n], Span{b.Ref.Height, b.Ref.Height, b.Partial})
}
