package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// A load builds the base of an empty generation at once: where Append reads and
// writes rows in random order, batch by batch, a load sorts. Rows move from one
// step to the next in buckets that each fit into memory.
//
//	read    blocks -> segments
//	name    addresses, by the first byte of their keys -> ids; table h
//	spend   outputs and inputs, by the first byte of the hash they are of -> what inputs spend, who spends outputs; table t
//	record  segments again, complete now -> digests, events; tables i, x, r, b, d
//	list    events, by address -> tables a, e, y
//
// Every row is the one that Append would have left. A block that Append would
// refuse ends a load with an error, of which only Append knows the words.
type load struct {
	layout
	ctx      context.Context
	chain    ledger.Chain
	dir      string // of the segments
	o        AppendOptions
	raw      rawWriter
	head     head
	tip      mark // of the last block read, without digest
	segments []*segment
	assets   map[ledger.Asset]uint64 // ids
	ordered  []ledger.Asset          // by id, from 1
	budget   int64                   // bytes that shuffles may hold in memory
	to       Streams
	dicts    dicts
	minFree  uint64
	progress Progress
}

// errUnfit means that a load cannot take a block, and that Append may.
var errUnfit = errors.New("store: not for a load")

// loadBuckets is the number of parts of what a load sorts: the first byte of a
// hash. An index of the whole of Bitcoin has some 500 MB in one.
const loadBuckets = 256

// defaultMemory is AppendOptions.Memory.
const defaultMemory = 256 << 20

// segmentShare is the part of the memory that a segment under way may take.
const segmentShare = 8

func newLoad(ctx context.Context, dir string, h head, o AppendOptions) *load {
	if o.Memory <= 0 {
		o.Memory = defaultMemory
	}
	return &load{
		layout: h.layout(), ctx: ctx, chain: h.chain, dir: dir, o: o, raw: rawWriter{dir: dir}, head: h, tip: h.folded,
		assets: map[ledger.Asset]uint64{}, budget: o.Memory / 2, dicts: dictsOf(h.chain),
	}
}

// read takes blocks for as long as no reorg can reach them and returns the
// first one that is left.
func (l *load) read(settled func(height uint64) uint64, next pulled) (*ledger.Block, error) {
	l.resume(settled)
	w := newSegmentWriter(l.o.Memory / segmentShare)
	known := len(l.segments)
	for {
		given, err, ok := next()
		if err == nil {
			err = l.ctx.Err()
		}
		if err != nil || !ok || given.Ref.Height >= settled(given.Ref.Height) {
			if err == nil {
				err = l.cut(w)
			}
			return given, err
		}
		if known > 0 && given.Ref.Height <= l.tip.ref.Height {
			if err := l.recognise(given); err != nil {
				return nil, err
			}
			continue
		}
		if err := l.take(w, given); err != nil {
			return nil, err
		}
		if w.size() >= l.o.Memory/segmentShare {
			if err := l.cut(w); err != nil {
				return nil, err
			}
			w.reset()
		}
	}
}

// take adds a block to the segment under way.
func (l *load) take(w *segmentWriter, given *ledger.Block) error {
	b, err := normalise(l.chain, given)
	if err != nil {
		return fmt.Errorf("block %d: %w: %w", given.Ref.Height, errUnfit, err)
	}
	t := l.tip
	linked := b.Parent == t.ref.Hash && b.Ref.Height == t.ref.Height+1
	if t.set && !linked && b.Ref.Height <= t.ref.Height+1 && (!l.export || b.Ref.Height <= t.ref.Height) {
		return fmt.Errorf("block %d after %d: %w", b.Ref.Height, t.ref.Height, errUnfit)
	}
	raw, err := l.raw.put(b.Raw, l.o.KeepRaw)
	if err != nil {
		return err
	}
	w.add(b, raw)
	for i := range b.Txs {
		l.meet(w, &b.Txs[i])
	}
	l.tip = mark{set: true, ref: b.Ref}
	l.progress.Tip, l.progress.Blocks, l.progress.Txs = b.Ref, l.progress.Blocks+1, l.progress.Txs+uint64(len(b.Txs))
	l.report("", 0, 0)
	return nil
}

// meet gives the assets of a transaction ids in the order in which Append would.
func (l *load) meet(w *segmentWriter, tx *ledger.Tx) {
	if tx.Chain.UTXO() && len(l.ordered) > 0 && len(tx.Notices) == 0 {
		return
	}
	for a := range moved(tx) {
		l.asset(w, a)
	}
	for h := range eventsOf(tx) {
		l.asset(w, h.Asset)
	}
}

func (l *load) asset(w *segmentWriter, a ledger.Asset) {
	if l.assets[a] == 0 {
		l.ordered = append(l.ordered, a)
		l.assets[a] = uint64(len(l.ordered))
		w.assets = append(w.assets, a)
	}
}

// cut makes the segment under way durable.
func (l *load) cut(w *segmentWriter) error {
	if w.blocks == 0 {
		return nil
	}
	if err := room(l.dir, l.minFree, uint64(w.size())); err != nil {
		return err
	}
	if err := l.raw.sync(); err != nil {
		return err
	}
	w.rawSegment, w.rawEnd = l.raw.segment, l.raw.end
	s, err := w.write(filepath.Join(l.dir, fmt.Sprintf("segment-%06d", len(l.segments))))
	if err == nil {
		l.segments = append(l.segments, s)
	}
	return err
}

func (l *load) report(step string, done, total int) {
	if l.o.Progress == nil {
		return
	}
	p := l.progress
	p.Step, p.Done, p.Total = step, uint64(done), uint64(total)
	l.o.Progress(p)
}

// resume goes on behind the segments that an earlier load of the same network
// left. What is not whole, and what follows it, is read again.
func (l *load) resume(settled func(height uint64) uint64) {
	for {
		name := filepath.Join(l.dir, fmt.Sprintf("segment-%06d", len(l.segments)))
		s, err := openSegment(name)
		if err != nil || s.tip.Chain != l.chain || s.tip.Height >= settled(s.tip.Height) {
			return // it is written over; nothing rests on it
		}
		l.segments = append(l.segments, s)
		l.tip = mark{set: true, ref: s.tip}
		l.raw.segment, l.raw.end = s.rawSegment, s.rawEnd
		l.progress.Tip, l.progress.Blocks, l.progress.Txs = s.tip, l.progress.Blocks+s.blocks, l.progress.Txs+s.txs
		for _, a := range s.assets {
			l.ordered = append(l.ordered, a)
			l.assets[a] = uint64(len(l.ordered))
		}
	}
}

// errOther means that the segments found are of other blocks.
var errOther = errors.New("store: load: the segments are of other blocks")

// recognise compares a block with the segment that ends with it.
func (l *load) recognise(b *ledger.Block) error {
	for _, s := range l.segments {
		if s.tip.Height == b.Ref.Height && s.tip.Hash != b.Ref.Hash {
			return errOther
		}
	}
	return nil
}

// write puts every row of the base and completes the head.
func (l *load) write(to Streams) error {
	l.to = to
	names, err := l.name()
	if err == nil {
		err = l.end(tableAddress)
	}
	if err == nil {
		err = l.after(names)
	}
	return errors.Join(err, names.close())
}

// after takes the steps that need the names.
func (l *load) after(names *loadNames) error {
	coins, err := l.spend(names)
	if err == nil {
		err = l.end(tableTxID, tableAddrOf, tableScript)
	}
	var events *shuffle
	if err == nil {
		events, err = l.record(names, coins)
	}
	if err = errors.Join(err, coins.close()); err != nil {
		return err
	}
	if err := l.end(tableRecord, tableBlock, tableBlocks); err != nil {
		return err
	}
	if err := errors.Join(l.list(events), events.close()); err != nil {
		return err
	}
	return l.putAssets()
}

func (l *load) shuffle() *shuffle { return &shuffle{dir: l.dir, budget: &l.budget} }

// stream is where the rows of a table go, and of one depth of a dictionary.
func stream(table byte, depth int) uint32 { return uint32(table)<<16 | uint32(depth) }

func (l *load) row(table byte, op Op) error { return l.to.Put(stream(table, 0), op) }

func (l *load) rows(table byte, ops []Op) error {
	for _, op := range ops {
		if err := l.row(table, op); err != nil {
			return err
		}
	}
	return nil
}

// end closes the streams of tables.
func (l *load) end(tables ...byte) error {
	for _, table := range tables {
		depths := 0
		if d := (dict{keyLen: l.dicts.keyLen(table)}); d.keyLen > 0 {
			depths = 4 * d.keyLen
		}
		for depth := range depths + 1 {
			if err := l.to.End(stream(table, depth)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *load) tree(d dict) *treeWriter {
	return &treeWriter{dict: d, put: func(depth int, op Op) error { return l.to.Put(stream(d.table, depth), op) }}
}

// putAssets writes tables n and s.
func (l *load) putAssets() error {
	l.head.nextAsset = uint64(len(l.ordered)) + 1
	entries := [][]byte{nil}
	parts := make([][]dictEntry, loadBuckets)
	for i, a := range l.ordered {
		entries = append(entries, encodeAsset(a))
		hash := assetHash(a)
		parts[hash[0]] = append(parts[hash[0]], dictEntry{hash, uint64(i) + 1})
	}
	for from := 0; from < len(entries) && len(l.ordered) > 0; from += perRow {
		op := sealed(listKey(tableAssetOf, uint64(from)), encodeList(entries[from:min(from+perRow, len(entries))]))
		if err := l.row(tableAssetOf, op); err != nil {
			return err
		}
	}
	t := l.tree(l.dicts.asset)
	for first, part := range parts {
		t.add(byte(first), part)
	}
	return t.close()
}

// handRaw gives the raw blocks to a generation. They stay with the segments,
// too, until the generation is in force.
func (l *load) handRaw(dir string) error {
	if err := l.raw.close(); err != nil {
		return err
	}
	entries, err := os.ReadDir(l.dir)
	for _, e := range entries {
		if err == nil && strings.HasPrefix(e.Name(), "raw-") {
			err = os.Link(filepath.Join(l.dir, e.Name()), filepath.Join(dir, e.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("store: load: %w", err)
	}
	return syncDir(dir)
}
