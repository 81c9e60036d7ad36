package disclosed

import (
	"context"
	"iter"
	"slices"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// Answer is a service's answer about one account, with its rows.
type Answer struct {
	cases.Return
	Rows []cases.ReturnRow
}

// Base is the index that answers are laid over.
type Base interface {
	tracer.Index
	evidence.Blocks
}

// Index is an index with services' answers beside its networks. It implements
// tracer.Index and evidence.Blocks.
type Index struct {
	Base
	own      *memindex.Index
	services map[ledger.Chain]*service
	at       map[place][]ledger.Notice         // on the base's transactions
	about    map[ledger.Address][]ledger.Noted // the same by subject, in order
	problems []Problem
}

type place struct {
	chain ledger.Chain
	pos   ledger.Position
}

// Problem is a row that could not be joined to its transaction, or that
// contradicts another.
type Problem struct {
	Entity, Account string
	Line            int // of the file
	Message         string
}

// New lays answers over an index.
func New(ctx context.Context, base Base, answers []Answer) (*Index, error) {
	x := &Index{Base: base, services: map[ledger.Chain]*service{}, at: map[place][]ledger.Notice{}, about: map[ledger.Address][]ledger.Noted{}}
	byService := map[ledger.Chain][]Answer{}
	for _, a := range answers {
		c, err := ledger.ServiceChain(a.Entity)
		if err != nil {
			return nil, err
		}
		byService[c] = append(byService[c], a)
	}
	var blocks []*ledger.Block
	claims := map[ledger.Chain][]ledger.Claim{}
	for _, c := range sortedKeys(byService) {
		s, err := x.read(ctx, c, byService[c])
		if err != nil {
			return nil, err
		}
		x.services[c] = s
		blocks, claims[c] = append(blocks, s.blocks()...), s.claims()
	}
	for _, noted := range x.about {
		slices.SortStableFunc(noted, func(a, b ledger.Noted) int { return a.At.Compare(b.At) })
	}
	var err error
	x.own, err = memindex.New(blocks, memindex.Options{Claims: claims})
	return x, err
}

// Problems are what could not be joined, in the order of the answers.
func (x *Index) Problems() []Problem { return x.problems }

// Info says what an asset at a service is; false for one of a chain.
func (x *Index) Info(a ledger.Asset) (ledger.AssetInfo, bool) {
	if a.Contract.Kind != ledger.KindNamed {
		return ledger.AssetInfo{}, false
	}
	symbol := a.Contract.Payload
	return ledger.AssetInfo{Asset: a, Symbol: symbol, Decimals: cases.ReturnDecimals(symbol), Dust: ledger.NewAmount(1)}, true
}

// of is the index that knows a network.
func (x *Index) of(c ledger.Chain) tracer.Index {
	if x.services[c] != nil {
		return x.own
	}
	return x.Base
}

// AsOf implements tracer.Index.
func (x *Index) AsOf(ctx context.Context, c ledger.Chain) (ledger.BlockRef, error) {
	return x.of(c).AsOf(ctx, c)
}

// FindTx implements tracer.Index.
func (x *Index) FindTx(ctx context.Context, c ledger.Chain, id ledger.TxID) ([]ledger.Tx, error) {
	txs, err := x.of(c).FindTx(ctx, c, id)
	for i := range txs {
		txs[i] = x.joined(txs[i])
	}
	return txs, err
}

// TxAt implements tracer.Index.
func (x *Index) TxAt(ctx context.Context, c ledger.Chain, pos ledger.Position) (ledger.Tx, error) {
	tx, err := x.of(c).TxAt(ctx, c, pos)
	return x.joined(tx), err
}

// BlockTxs implements tracer.Index.
func (x *Index) BlockTxs(ctx context.Context, c ledger.Chain, height uint64) iter.Seq2[ledger.Tx, error] {
	return func(yield func(ledger.Tx, error) bool) {
		for tx, err := range x.of(c).BlockTxs(ctx, c, height) {
			if !yield(x.joined(tx), err) {
				return
			}
		}
	}
}

// joined is a transaction with what services say of it. That goes first: it is
// about the very transfer.
func (x *Index) joined(tx ledger.Tx) ledger.Tx {
	if more := x.at[place{tx.Chain, tx.Pos}]; len(more) > 0 {
		tx.Notices = slices.Concat(more, tx.Notices)
	}
	return tx
}

// Events implements tracer.Index.
func (x *Index) Events(ctx context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	return func(yield func(ledger.Event, error) bool) {
		for e, err := range x.of(h.Address.Chain).Events(ctx, h, after) {
			e.Plain = e.Plain && len(x.at[place{h.Address.Chain, e.At.Pos}]) == 0
			if !yield(e, err) {
				return
			}
		}
	}
}

// Balance implements tracer.Index.
func (x *Index) Balance(ctx context.Context, h ledger.Holder, before ledger.Point) (ledger.Balance, error) {
	return x.of(h.Address.Chain).Balance(ctx, h, before)
}

// PayeeAt implements tracer.Index.
func (x *Index) PayeeAt(ctx context.Context, h ledger.Holder, n int) (ledger.Point, bool, error) {
	return x.of(h.Address.Chain).PayeeAt(ctx, h, n)
}

// Covered implements tracer.Index.
func (x *Index) Covered(ctx context.Context, h ledger.Holder, from ledger.Position) (bool, error) {
	return x.of(h.Address.Chain).Covered(ctx, h, from)
}

// Clock implements tracer.Index.
func (x *Index) Clock(ctx context.Context, c ledger.Chain, height uint64) (int64, error) {
	return x.of(c).Clock(ctx, c, height)
}

// Chains implements tracer.Index.
func (x *Index) Chains() []ledger.Chain {
	all := slices.Concat(x.Base.Chains(), sortedKeys(x.services))
	slices.Sort(all)
	return all
}

// Notices implements tracer.Index.
func (x *Index) Notices(ctx context.Context, subject ledger.Address, after ledger.Point) iter.Seq2[ledger.Noted, error] {
	return func(yield func(ledger.Noted, error) bool) {
		more := x.about[subject]
		for len(more) > 0 && !after.Before(more[0].At) {
			more = more[1:]
		}
		for n, err := range x.of(subject.Chain).Notices(ctx, subject, after) {
			for err == nil && len(more) > 0 && !n.At.Before(more[0].At) {
				if !yield(more[0], nil) {
					return
				}
				more = more[1:]
			}
			if !yield(n, err) {
				return
			}
		}
		for _, n := range more {
			if !yield(n, nil) {
				return
			}
		}
	}
}

// Tags implements tracer.Index: an account belongs to the service that named it.
func (x *Index) Tags(ctx context.Context, a ledger.Address) ([]ledger.Tag, error) {
	tags, err := x.Base.Tags(ctx, a)
	if s := x.services[a.Chain]; s != nil {
		tags = append(slices.Clone(tags), s.tags(a)...)
	}
	return tags, err
}

// BlockRef implements evidence.Blocks: a service has none.
func (x *Index) BlockRef(ctx context.Context, c ledger.Chain, height uint64) (ledger.BlockRef, error) {
	if x.services[c] != nil {
		return ledger.BlockRef{}, ledger.ErrNotFound
	}
	return x.Base.BlockRef(ctx, c, height)
}

// Networks say what each service's answers are, for the cover of a package.
func (x *Index) Networks() []evidence.Network {
	var all []evidence.Network
	for _, c := range sortedKeys(x.services) {
		n := x.services[c].network()
		for _, p := range x.problems {
			if p.Entity == x.services[c].entity {
				n.Missing = append(n.Missing, p.Message)
			}
		}
		all = append(all, n)
	}
	return all
}

// Digests pin what each service answered.
func (x *Index) Digests() []evidence.Digest {
	var all []evidence.Digest
	for _, c := range sortedKeys(x.services) {
		s := x.services[c]
		all = append(all, evidence.Digest{Network: string(c), Height: s.end(), Digest: s.digest.String()})
	}
	return all
}
