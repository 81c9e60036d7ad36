package evaluate

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// changes measures T1 against change outputs that the chain reveals by itself: one
// output, and no other, is of an address that co-spending (T0) joins with the
// inputs by the end of the data (the ground truth of Möser and Narayanan,
// "Resurrecting Address Clustering in Bitcoin", 2022). T1 sees nothing of that: its
// facts lie in and before the transaction.
func changes(ctx context.Context, o Options, m *meter) error {
	return changesOfBlocks(ctx, o, m, "blocks 0 to 14131", "btc/btcd-mainnet-0-14131")
}

// wholeBlock is a block that comes with every coin which it spends.
func wholeBlock() []string {
	return []string{"btc/bcoin/block300025.raw", "btc/bcoin/block300025-undo.raw"}
}

func changesOfSingle(ctx context.Context, o Options, m *meter) error {
	return changesOfBlocks(ctx, o, m, "block 300025", wholeBlock()...)
}

func changesOfBlocks(ctx context.Context, o Options, m *meter, of string, files ...string) (err error) {
	var load Load
	for _, name := range files {
		load.Bitcoin = append(load.Bitcoin, filepath.Join(o.Data, filepath.FromSlash(name)))
	}
	idx, done, err := o.Build(ctx, load)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	var found guesses
	past := before{ctx, idx, "bitcoin"}
	for height, err := range idx.Heights(ctx, "bitcoin") {
		if err != nil {
			return err
		}
		for tx, err := range idx.BlockTxs(ctx, "bitcoin", height) {
			if err != nil {
				return err
			}
			if err := found.see(&tx, past, func(a ledger.Address) (ledger.Address, error) {
				c, err := idx.Cluster(ctx, a)
				return c.Name, err
			}); err != nil {
				return err
			}
		}
	}
	found.report(m, of)
	return nil
}

// changesOfSet does the same on the transactions of the CoinJoin lists, which hold
// all inputs. What came before is known from the lists alone, so that a script may
// count as new which is not.
func changesOfSet(ctx context.Context, o Options, m *meter) error {
	names, err := filepath.Glob(filepath.Join(o.Data, "coinjoin", "*.txt.gz"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	var txs []*ledger.Tx
	held := map[ledger.TxID]bool{}
	for _, name := range names {
		err := readTxs(ctx, name, func(tx *ledger.Tx) {
			if !held[tx.ID] {
				held[tx.ID] = true
				txs = append(txs, tx)
			}
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	slices.SortFunc(txs, func(a, b *ledger.Tx) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), bytes.Compare(a.ID[:], b.ID[:]))
	})
	past, owners := newLists(txs), newUnion()
	for _, tx := range txs {
		if cluster.VerdictOf(tx) == cluster.None {
			owners.join(tx)
		}
	}
	var found guesses
	for _, tx := range txs {
		err := found.see(tx, past, func(a ledger.Address) (ledger.Address, error) { return owners.find(a), nil })
		if err != nil {
			return err
		}
	}
	found.report(m, "CoinJoin lists")
	return nil
}

// lists are transactions in order of time, as the past of one another.
type lists struct {
	txs   []*ledger.Tx
	first map[ledger.Address]ledger.Position
}

// newLists gives each transaction its place: position 1 and so on.
func newLists(txs []*ledger.Tx) *lists {
	l := &lists{txs, map[ledger.Address]ledger.Position{}}
	made := map[ledger.TxID]ledger.Position{}
	for i, tx := range txs {
		tx.Pos = ledger.Position(i + 1)
		made[tx.ID] = tx.Pos
		for j := range tx.Inputs {
			in := &tx.Inputs[j]
			in.PrevPos = made[in.Prev.Tx]
			l.see(in.Address, tx.Pos-1) // it was paid before
		}
		for j := range tx.Outputs {
			l.see(tx.Outputs[j].Address, tx.Pos)
		}
	}
	return l
}

func (l *lists) see(a ledger.Address, pos ledger.Position) {
	if _, ok := l.first[a]; !ok {
		l.first[a] = pos
	}
}

// TxAt implements cluster.Before.
func (l *lists) TxAt(pos ledger.Position) (*ledger.Tx, error) { return l.txs[pos-1], nil }

// Seen implements cluster.Before.
func (l *lists) Seen(a ledger.Address, pos ledger.Position) (bool, error) {
	first, ok := l.first[a]
	return ok && first < pos, nil
}

// guesses count what T1 says of transactions whose change is revealed.
type guesses struct {
	payments, all          int
	revealed, named, right int
	// returned had their change paid back to a paying address.
	returned, namedHidden, rightHidden int
}

// see adds a transaction; owner names the T0 cluster of an address at the end.
func (g *guesses) see(tx *ledger.Tx, past cluster.Before, owner func(ledger.Address) (ledger.Address, error)) error {
	if tx.Coinbase || len(tx.Inputs) == 0 || len(tx.Outputs) < 2 || cluster.VerdictOf(tx) != cluster.None {
		return nil
	}
	g.payments++
	joins, err := cluster.Joins(tx, past)
	if err != nil {
		return err
	}
	var said ledger.Address
	for _, j := range joins {
		if j.Tier == ledger.TierChange {
			said = j.B
			g.all++
		}
	}
	if err := g.hide(tx, past); err != nil {
		return err
	}
	truth, err := revealed(tx, owner)
	if err != nil || truth.IsZero() {
		return err
	}
	g.revealed++
	if !said.IsZero() {
		g.named++
	}
	if said == truth {
		g.right++
	}
	return nil
}

func (g *guesses) report(m *meter, of string) {
	note := fmt.Sprintf("of %d payments with two outputs or more; T1 names %d changes in all", g.payments, g.all)
	m.share("change", "named rightly where co-spending later shows the change, "+of, g.right, g.named, note)
	m.share("change", "named rightly where the change was paid back, and that is hidden, "+of, g.rightHidden, g.namedHidden, note)
	m.share("change", "found of the changes that were paid back, and hidden, "+of, g.rightHidden, g.returned, note)
	m.share("change", "found of the changes that co-spending later shows, "+of, g.right, g.revealed, note)
}

// hide asks T1 of a payment whose change went back to a paying address as if that
// had been a new address of the same type: T1 itself needs no guess there.
func (g *guesses) hide(tx *ledger.Tx, past cluster.Before) error {
	paying := map[ledger.Address]bool{}
	for i := range tx.Inputs {
		paying[tx.Inputs[i].Address] = true
	}
	hidden, own := *tx, -1
	for i := range tx.Outputs {
		if paying[tx.Outputs[i].Address] {
			if own >= 0 {
				return nil
			}
			own = i
		}
	}
	if own < 0 {
		return nil
	}
	hidden.Outputs = slices.Clone(tx.Outputs)
	a := &hidden.Outputs[own].Address
	digest := sha256.Sum256([]byte("hidden" + a.Payload))
	a.Payload = string(digest[:min(len(a.Payload), len(digest))])
	g.returned++
	joins, err := cluster.Joins(&hidden, past)
	for _, j := range joins {
		if j.Tier == ledger.TierChange {
			g.namedHidden++
			if j.B == *a {
				g.rightHidden++
			}
		}
	}
	return err
}

// revealed returns the only output that is of the inputs' owner; zero where there is
// none, or several, or the change went back to a paying address: that needs no rule.
func revealed(tx *ledger.Tx, owner func(ledger.Address) (ledger.Address, error)) (ledger.Address, error) {
	paying := map[ledger.Address]bool{}
	for i := range tx.Inputs {
		if !tx.Inputs[i].Known {
			return ledger.Address{}, nil
		}
		paying[tx.Inputs[i].Address] = true
	}
	payer, err := owner(tx.Inputs[0].Address)
	if err != nil {
		return ledger.Address{}, err
	}
	var own ledger.Address
	for i := range tx.Outputs {
		a := tx.Outputs[i].Address
		if a.IsZero() {
			continue
		}
		of, err := owner(a)
		if err != nil {
			return ledger.Address{}, err
		}
		if paying[a] || of == payer && !own.IsZero() {
			return ledger.Address{}, nil
		}
		if of == payer {
			own = a
		}
	}
	return own, nil
}

// before is the past of a transaction, as an index holds it.
type before struct {
	ctx   context.Context //nolint:containedctx // of one measurement
	idx   Index
	chain ledger.Chain
}

// TxAt implements cluster.Before.
func (p before) TxAt(pos ledger.Position) (*ledger.Tx, error) {
	tx, err := p.idx.TxAt(p.ctx, p.chain, pos)
	return &tx, err
}

// Seen implements cluster.Before.
func (p before) Seen(a ledger.Address, pos ledger.Position) (bool, error) {
	for e, err := range p.idx.Events(p.ctx, ledger.Holder{Address: a, Asset: ledger.NativeAsset(p.chain)}, ledger.Point{}) {
		return err == nil && e.At.Pos < pos, err
	}
	return false, nil
}
