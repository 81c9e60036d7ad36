package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Snapshot is a fixed view over the networks of a store: each is seen up to its
// own last block, and nothing above it, however many blocks arrive meanwhile.
// It is safe for concurrent use and must be closed.
type Snapshot struct {
	views   map[ledger.Chain]*view
	damaged map[ledger.Chain]error // networks that could not be opened; see SnapshotSound
}

// view is one network as of a block.
type view struct {
	base
	reader Reader
	meta   *Contents
	held   []*young // the overlay blocks up to asOf, ascending
	layers layers   // of them, and of others
	other  []*young // the overlay blocks of other branches
	spans  []Span
	asOf   mark
	dir    string
	claims *claims
	close  func() error
}

func (s *Snapshot) pin(n *Network, asOf map[ledger.Chain]uint64) error {
	height, ok := asOf[n.chain]
	if !ok {
		height = math.MaxUint64
	}
	v, err := n.view(height)
	if err == nil && v != nil {
		s.views[n.chain] = v
	}
	return err
}

// Snapshot pins one network at its tip or, if asOf is not zero, at the last
// block at or below that height.
func (n *Network) Snapshot(asOf uint64) (*Snapshot, error) {
	s := &Snapshot{views: map[ledger.Chain]*view{}}
	heights := map[ledger.Chain]uint64{n.chain: asOf}
	if asOf == 0 {
		heights = nil
	}
	return s, s.pin(n, heights)
}

// Close releases what the snapshot pins.
func (s *Snapshot) Close() error {
	var err error
	for _, v := range s.views {
		err = errors.Join(err, v.close())
	}
	s.views = nil
	return err
}

// view pins the current state up to a height; nil when it holds no block there.
func (n *Network) view(height uint64) (*view, error) {
	x := n.pin()
	v, err := x.view(height)
	if err != nil || v == nil {
		return nil, errors.Join(err, x.release())
	}
	done := v.close
	v.close = func() error { return errors.Join(done(), x.release()) }
	return v, nil
}

// view takes the state before the engine's view, so that the view holds at
// least what the state stands on.
func (x *index) view(height uint64) (*view, error) {
	s := x.current()
	r, done := x.kv.View()
	v := &view{reader: r, meta: s.meta, spans: s.head.spans, dir: x.dir, close: func() error { done(); return nil }}
	limit := ledger.Position(math.MaxUint64)
	if height < limit.Height() {
		limit = ledger.EndOf(height)
	}
	v.base, v.other, v.layers = newBase(r, &s.head, limit), s.siblings(), s.layers
	v.memo, v.homes, v.claims = x.memoOf(&s.head), &homes{}, &claims{}
	for _, y := range s.chain {
		if y.at.ref.Height > height {
			break
		}
		v.held, v.asOf = append(v.held, y), y.at
		if !s.head.export {
			v.spans = extend(v.spans, y.prev, y.block)
		}
	}
	if v.asOf.set {
		return v, nil
	}
	if s.head.folded.set && s.head.folded.ref.Height <= height {
		v.asOf = s.head.folded
		return v, nil
	}
	row, err := v.blockBelow(r, height)
	if err != nil || row == nil {
		done()
		return nil, err
	}
	v.asOf = row.at()
	return v, nil
}

// knowing yields the overlay blocks that may know of a key, ascending.
func (v *view) knowing(k uint64) iter.Seq[*young] {
	if len(v.held) == 0 {
		return func(func(*young) bool) {}
	}
	return v.layers.find(k, v.held[0].at.ref.Height, v.asOf.ref.Height)
}

// youngAt returns the overlay block of a height, nil when there is none.
func (v *view) youngAt(height uint64) *young {
	i, ok := slices.BinarySearchFunc(v.held, height, func(y *young, h uint64) int { return cmp.Compare(y.at.ref.Height, h) })
	if !ok {
		return nil
	}
	return v.held[i]
}

// done gives the view back after mere reading: what closing a superseded
// generation may report costs nothing that is in force.
func (v *view) done() { _ = v.close() }

// of returns the view of a chain.
func (s *Snapshot) of(c ledger.Chain) (*view, error) {
	v, err := s.held(c)
	if err == nil && v == nil {
		err = fmt.Errorf("store: network %s: %w", c, ledger.ErrNotFound)
	}
	return v, err
}

// held returns the view of a chain, nil when nothing of it is held.
func (s *Snapshot) held(c ledger.Chain) (*view, error) { return s.views[c], s.damaged[c] }

// AsOf returns the last block that the snapshot sees on a chain.
func (s *Snapshot) AsOf(_ context.Context, c ledger.Chain) (ledger.BlockRef, error) {
	v, err := s.of(c)
	if err != nil {
		return ledger.BlockRef{}, err
	}
	return v.asOf.ref, nil
}

// Chains returns the networks of the snapshot in order of name.
func (s *Snapshot) Chains() []ledger.Chain {
	var chains []ledger.Chain
	for c := range s.views {
		chains = append(chains, c)
	}
	slices.Sort(chains)
	return chains
}

// FindTx returns the transactions with an id in position order.
func (s *Snapshot) FindTx(_ context.Context, c ledger.Chain, id ledger.TxID) ([]ledger.Tx, error) {
	v, err := s.of(c)
	if err != nil {
		return nil, err
	}
	found, err := v.positions(id)
	if err != nil {
		return nil, err
	}
	var txs []ledger.Tx
	for _, pos := range found {
		rec, err := v.record(pos)
		if err != nil {
			return nil, err
		}
		if rec.txid() != id {
			continue
		}
		tx, err := v.txOf(pos, rec)
		if err != nil {
			return nil, err
		}
		txs = append(txs, v.spent(tx))
	}
	for y := range v.knowing(txHint(id)) {
		for _, i := range y.having(id) {
			txs = append(txs, v.spent(y.tx(i)))
		}
	}
	if len(txs) == 0 {
		return nil, notFound("transaction "+id.String(), v.asOf.ref)
	}
	return txs, nil
}

// TxAt returns the transaction at a position.
func (s *Snapshot) TxAt(_ context.Context, c ledger.Chain, pos ledger.Position) (ledger.Tx, error) {
	v, err := s.of(c)
	if err != nil {
		return ledger.Tx{}, err
	}
	return v.txAt(pos)
}

func (v *view) txAt(pos ledger.Position) (ledger.Tx, error) {
	if pos >= v.limit {
		if y := v.youngAt(pos.Height()); y != nil {
			if i, ok := slices.BinarySearch(y.places, pos); ok {
				return v.spent(y.tx(i)), nil
			}
		}
		return ledger.Tx{}, v.noTx(pos)
	}
	rec, err := v.loadRecord(v.rows, pos)
	if err == nil {
		tx, err := v.txOf(pos, rec)
		return v.spent(tx), err
	}
	if !errors.Is(err, ErrAbsent) {
		return ledger.Tx{}, err
	}
	row, err := v.block(pos.Height())
	switch {
	case err != nil:
		return ledger.Tx{}, err
	case row != nil && row.holds(pos.Index()):
		return ledger.Tx{}, corrupt("record at %s is missing", ledger.Point{Pos: pos})
	}
	return ledger.Tx{}, v.noTx(pos)
}

func (v *view) noTx(pos ledger.Position) error {
	return notFound("transaction at "+ledger.Point{Pos: pos}.String(), v.asOf.ref)
}

// spent fills in the spends that the overlay knows.
func (v *view) spent(tx ledger.Tx) ledger.Tx {
	for i := range tx.Outputs {
		if tx.Outputs[i].SpentBy != 0 {
			continue
		}
		ref := coinRef{tx.Pos, uint32(i)}
		for y := range v.knowing(coinHint(ref)) {
			if by := y.spends[ref]; by != 0 {
				tx.Outputs[i].SpentBy = by
				break
			}
		}
	}
	return tx
}

// copyTx returns a transaction that its receiver may change.
func copyTx(tx *ledger.Tx) ledger.Tx {
	c := *tx
	c.Inputs, c.Outputs = slices.Clone(tx.Inputs), slices.Clone(tx.Outputs)
	c.Transfers, c.Notices = slices.Clone(tx.Transfers), slices.Clone(tx.Notices)
	return c
}

// BlockTxs yields the transactions of a block in order of position.
func (s *Snapshot) BlockTxs(_ context.Context, c ledger.Chain, height uint64) iter.Seq2[ledger.Tx, error] {
	return func(yield func(ledger.Tx, error) bool) {
		v, err := s.of(c)
		var b *ledger.Block
		if err == nil {
			b, _, err = v.blockAt(height)
		}
		if err == nil && b == nil {
			err = notFound("block "+itoa(height), v.asOf.ref)
		}
		if err != nil {
			yield(ledger.Tx{}, err)
			return
		}
		for i := range b.Txs {
			if !yield(v.spent(b.Txs[i]), nil) {
				return
			}
		}
	}
}
