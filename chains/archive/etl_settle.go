package archive

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// placed is a row with its place.
type placed[T any] struct {
	at etlPlace
	v  T
}

// etlHeight is what the tables say of one height.
type etlHeight struct {
	blocks   []placed[etlBlock] // one at most, once settled
	txs      []placed[etlTx]    // by index, once settled
	receipts []placed[etlReceipt]
	traces   []placed[etlTrace] // by transaction, then in order of calls, once settled
	logs     []placed[etlLog]   // by index, once settled
	tokens   []placed[etlToken]
	hashes   []placed[ledger.Hash] // block_hash columns of other tables
	hash     ledger.Hash           // zero: no table has it
	time     int64                 // Unix milliseconds
}

// blank reports a height of which no table says anything.
func (h *etlHeight) blank() bool {
	return h.hash == (ledger.Hash{}) && len(h.txs)+len(h.traces)+len(h.logs)+len(h.tokens)+len(h.receipts) == 0
}

// settle makes rows that several files hold one, orders them, and finds what
// contradicts itself across heights.
func (s *EtlSet) settle(ctx context.Context) error {
	for height := range s.heights {
		s.order = append(s.order, height)
	}
	for _, r := range s.complete {
		for height := r.From; height < r.To; height++ {
			if s.heights[height] == nil {
				s.heights[height] = &etlHeight{}
				s.order = append(s.order, height)
			}
		}
	}
	slices.Sort(s.order)
	seen := map[ledger.TxID]placed[uint64]{}
	for _, height := range s.order {
		h := s.heights[height]
		if err := s.settleHeight(h, height); err != nil {
			return err
		}
		for _, x := range h.txs {
			if other, ok := seen[x.v.id]; ok {
				return s.contradiction(other.at, x.at, fmt.Sprintf("transaction %s in block %d and in block %d", x.v.id, other.v, height))
			}
			seen[x.v.id] = placed[uint64]{x.at, height}
		}
		if h.hash == (ledger.Hash{}) {
			s.report.NoHash++
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := s.linked(); err != nil {
		return err
	}
	// A chain can only be followed on from a block whose hash is known.
	for n := len(s.order); n > 0 && s.heights[s.order[n-1]].blank(); n-- {
		s.order = s.order[:n-1]
		s.report.NoHash--
	}
	return s.clock()
}

func (s *EtlSet) settleHeight(h *etlHeight, height uint64) error {
	var err error
	if h.blocks, err = once(s, h.blocks, func(*etlBlock) uint64 { return height }, (*etlBlock).fill); err != nil {
		return err
	}
	if h.txs, err = once(s, h.txs, func(x *etlTx) uint32 { return x.index }, (*etlTx).fill); err != nil {
		return err
	}
	if h.receipts, err = once(s, h.receipts, func(x *etlReceipt) ledger.TxID { return x.tx }, (*etlReceipt).fill); err != nil {
		return err
	}
	if h.traces, err = once(s, h.traces, traceKeys(), (*etlTrace).fill); err != nil {
		return err
	}
	if h.logs, err = once(s, h.logs, func(x *etlLog) uint32 { return x.index }, (*etlLog).fill); err != nil {
		return err
	}
	if h.tokens, err = once(s, h.tokens, func(x *etlToken) uint32 { return x.index }, (*etlToken).fill); err != nil {
		return err
	}
	slices.SortFunc(h.txs, func(a, b placed[etlTx]) int { return cmp.Compare(a.v.index, b.v.index) })
	slices.SortFunc(h.logs, func(a, b placed[etlLog]) int { return cmp.Compare(a.v.index, b.v.index) })
	slices.SortFunc(h.tokens, func(a, b placed[etlToken]) int { return cmp.Compare(a.v.index, b.v.index) })
	slices.SortFunc(h.traces, func(a, b placed[etlTrace]) int { return compareTraces(&a.v, &b.v) })
	return s.agreeOnHash(h)
}

// once keeps each row once. Rows of one key are the same row, given by several
// files; they must agree but for what one of them leaves open. That the file
// order does not matter follows from fill taking a value only where there is none.
func once[T comparable, K comparable](s *EtlSet, rows []placed[T], key func(*T) K, fill func(x, y *T)) ([]placed[T], error) {
	slices.SortFunc(rows, func(a, b placed[T]) int {
		return cmp.Or(cmp.Compare(s.files[a.at.file], s.files[b.at.file]), cmp.Compare(a.at.file, b.at.file), cmp.Compare(a.at.line, b.at.line))
	})
	at := make(map[keyed[K]]int, len(rows))
	nth := map[inFile[K]]int{} // how often a file has had a key that may come several times
	kept := rows[:0]
	for _, r := range rows {
		k := keyed[K]{key: key(&r.v)}
		if m, ok := any(&r.v).(*etlTrace); ok && m.index < 0 {
			f := inFile[K]{k.key, r.at.file}
			k.n, nth[f] = nth[f], nth[f]+1
		}
		i, ok := at[k]
		if !ok {
			at[k] = len(kept)
			kept = append(kept, r)
			continue
		}
		s.report.Duplicates++
		other := kept[i].v
		kept[i].v, r.v = filled(other, r.v, fill)
		if kept[i].v != r.v {
			return nil, s.contradiction(kept[i].at, r.at, fmt.Sprintf("another %s", rowName(&r.v)))
		}
	}
	return kept, nil
}

type keyed[K comparable] struct {
	key K
	n   int
}

type inFile[K comparable] struct {
	key  K
	file int32
}

// filled gives two rows what the other one has and they leave open.
func filled[T any](x, y T, fill func(x, y *T)) (T, T) {
	a, b := x, y
	fill(&a, &y)
	fill(&b, &x)
	return a, b
}

func rowName(row any) string {
	switch x := row.(type) {
	case *etlBlock:
		return "block at the same height"
	case *etlTx:
		return fmt.Sprintf("transaction at index %d", x.index)
	case *etlReceipt:
		return "receipt of " + x.tx.String()
	case *etlTrace:
		return "trace at the same address of the transaction"
	case *etlLog:
		return fmt.Sprintf("log %d", x.index)
	case *etlToken:
		return fmt.Sprintf("transfer with log %d", x.index)
	}
	return "row"
}

// traceKey names a trace in its block. Rewards have no address of their own:
// two equal ones in one file are two, and those of another file the same two.
type traceKey struct {
	index    int64
	path     string
	kind     etlTraceKind
	from, to [20]byte
	value    ledger.Amount
}

func traceKeys() func(*etlTrace) traceKey {
	return func(x *etlTrace) traceKey {
		if x.index >= 0 {
			return traceKey{index: x.index, path: x.path}
		}
		return traceKey{index: -1, kind: x.kind, from: x.from, to: x.to, value: x.value}
	}
}

// compareTraces orders by transaction, then in order of calls: a call comes before those it makes.
func compareTraces(a, b *etlTrace) int {
	return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(a.path, b.path),
		cmp.Compare(a.kind, b.kind), slices.Compare(a.to[:], b.to[:]), slices.Compare(a.from[:], b.from[:]), a.value.Cmp(b.value))
}

// agreeOnHash finds the block's hash: every row that gives one gives the same.
func (s *EtlSet) agreeOnHash(h *etlHeight) error {
	var all []placed[ledger.Hash]
	for _, b := range h.blocks {
		all = append(all, placed[ledger.Hash]{b.at, b.v.hash})
	}
	for _, x := range h.txs {
		all = append(all, placed[ledger.Hash]{x.at, x.v.block})
	}
	all = append(all, h.hashes...)
	for _, x := range all {
		if x.v != all[0].v {
			return ledger.Invalid(s.place(x.at), fmt.Sprintf("block 0x%s at one height, as %s says", all[0].v, s.place(all[0].at)), "0x"+x.v.String())
		}
	}
	if len(all) > 0 {
		h.hash = all[0].v
	}
	h.hashes = nil
	return nil
}

// linked checks that a block's parent is the block held below it.
func (s *EtlSet) linked() error {
	for i, height := range s.order[min(1, len(s.order)):] {
		h, below := s.heights[height], s.heights[s.order[i]]
		if s.order[i]+1 != height || len(h.blocks) == 0 {
			continue
		}
		if parent := h.blocks[0]; below.hash == (ledger.Hash{}) {
			below.hash = parent.v.parent // an empty block is known by the one above it
			s.report.NoHash--
		} else if parent.v.parent != below.hash {
			return ledger.Invalid(s.place(parent.at), "parent_hash 0x"+below.hash.String()+", the block below it", "0x"+parent.v.parent.String())
		}
	}
	return nil
}

// clock gives every block its time. An empty block that no table has came no
// earlier than the one below it, and is given that time; the first ones the
// time of the one above them.
func (s *EtlSet) clock() error {
	last := int64(0)
	for _, height := range s.order {
		h := s.heights[height]
		if err := s.timeOf(h); err != nil {
			return err
		}
		if h.time == 0 && height > 0 {
			h.time = last
		}
		last = h.time
	}
	for i := len(s.order) - 2; i >= 0; i-- {
		if h := s.heights[s.order[i]]; h.time == 0 && s.order[i] > 0 {
			h.time = s.heights[s.order[i+1]].time
		}
	}
	if len(s.order) > 0 && last == 0 && s.order[len(s.order)-1] > 0 {
		return ledger.Invalid("csv", "the time of a block: a column block_timestamp in transactions, or blocks.csv", "neither")
	}
	return nil
}

// timeOf finds the block's time; every row that gives one gives the same.
func (s *EtlSet) timeOf(h *etlHeight) error {
	var first etlPlace
	say := func(at etlPlace, ms int64) error {
		if ms != 0 && h.time != 0 && ms != h.time {
			return s.contradiction(first, at, fmt.Sprintf("time %d and %d", h.time/1000, ms/1000))
		}
		if h.time == 0 && ms != 0 {
			h.time, first = ms, at
		}
		return nil
	}
	for _, b := range h.blocks {
		if err := say(b.at, b.v.time); err != nil {
			return err
		}
	}
	for _, x := range h.txs {
		if err := say(x.at, x.v.time); err != nil {
			return err
		}
		if h.time == 0 {
			return ledger.Invalid(s.place(x.at), "the time of its block: a column block_timestamp, or blocks.csv", "neither")
		}
	}
	return nil
}

func (s *EtlSet) hashAt(height uint64) ledger.Hash {
	if h := s.heights[height]; h.hash != (ledger.Hash{}) {
		return h.hash
	}
	return NoHash(height)
}
