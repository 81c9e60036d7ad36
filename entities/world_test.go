package entities

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/sourcetest"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// owner is one of the few addresses of a random chain.
func owner(n int) ledger.Address {
	h := sha256.Sum256(fmt.Append(nil, "owner", n))
	kind := []ledger.AddressKind{ledger.KindP2PKH, ledger.KindP2WPKH}[n%2]
	return ledger.Address{Chain: "bitcoin", Kind: kind, Payload: string(h[:20])}
}

const owners = 14

// life is a random chain as it grows and is reorganised.
type life struct {
	t      *rapid.T
	blocks []*ledger.Block
	n      int // transactions made so far
}

// unspent lists the coins at the tip, in chain order.
func (l *life) unspent() []ledger.Input {
	var coins []ledger.Input
	for _, b := range l.blocks {
		for i := range b.Txs {
			tx := &b.Txs[i]
			for _, in := range tx.Inputs {
				coins = slices.DeleteFunc(coins, func(c ledger.Input) bool { return c.Prev == in.Prev })
			}
			for j, out := range tx.Outputs {
				coins = append(coins, ledger.Input{Prev: ledger.OutPoint{Tx: tx.ID, Index: uint32(j)}, PrevPos: tx.Pos, Address: out.Address, Value: out.Value, Known: true})
			}
		}
	}
	return coins
}

// value draws amounts that rules of change and of CoinJoins look at.
func (l *life) value(label string) ledger.Amount {
	return ledger.NewAmount(rapid.SampledFrom([]uint64{3_000, 100_000, 123_457, 500_000, 777_777, 1_000_000}).Draw(l.t, label))
}

func (l *life) pay(in []ledger.Input) ledger.Tx {
	l.n++
	tx := ledger.Tx{ID: sha256.Sum256(fmt.Append(nil, "tx", l.n)), Chain: "bitcoin", Grade: ledger.GradeProven, Inputs: in}
	for range rapid.IntRange(1, 4).Draw(l.t, "outputs") {
		tx.Outputs = append(tx.Outputs, ledger.Output{Address: owner(rapid.IntRange(0, owners-1).Draw(l.t, "payee")), Value: l.value("value")})
	}
	return tx
}

// grow adds a block.
func (l *life) grow() {
	height := uint64(len(l.blocks))
	coinbase := l.pay(nil)
	coinbase.Coinbase = true
	txs := []ledger.Tx{coinbase}
	coins := l.unspent()
	for range rapid.IntRange(0, 3).Draw(l.t, "payments") {
		n := min(len(coins), rapid.IntRange(1, 3).Draw(l.t, "inputs"))
		if n == 0 {
			break
		}
		at := rapid.IntRange(0, len(coins)-n).Draw(l.t, "coins")
		txs = append(txs, l.pay(slices.Clone(coins[at:at+n])))
		coins = slices.Delete(coins, at, at+n)
	}
	l.blocks = append(l.blocks, sealed(l.blocks, height, txs))
}

// sealed makes a block of transactions, the coinbase first.
func sealed(before []*ledger.Block, height uint64, txs []ledger.Tx) *ledger.Block {
	b := &ledger.Block{Header: []byte("header"), Source: "test", Grade: ledger.GradeProven}
	b.Ref = ledger.BlockRef{Chain: "bitcoin", Height: height, Time: 1_300_000_000_000 + int64(height)*600_000}
	if height > 0 {
		b.Parent = before[height-1].Ref.Hash
	}
	sum := sha256.New()
	fmt.Fprint(sum, height, b.Parent)
	for i, tx := range txs {
		tx.Pos, tx.Time = ledger.At(height, uint32(i)), b.Ref.Time
		if i == 0 {
			tx.Pos = ledger.At(height, uint32(len(txs)))
		}
		fmt.Fprint(sum, tx.ID)
		b.Txs = append(b.Txs, tx)
	}
	// In chain order: the coinbase is paid by the fees of all others.
	b.Txs = append(b.Txs[1:], b.Txs[0])
	b.Ref.Hash = ledger.Hash(sum.Sum(nil))
	return b
}

// fork drops blocks from the end.
func (l *life) fork(depth int) { l.blocks = slices.Clone(l.blocks[:max(1, len(l.blocks)-depth)]) }

const bound = 4

// world is an index of the chain that follows a life.
type world struct{ store *store.Store }

func (w *world) follow(l *life) {
	n, err := w.store.Create(context.Background(), "bitcoin")
	if err != nil {
		l.t.Fatal(err)
	}
	source := sourcetest.New("bitcoin", l.blocks...)
	reorgs := uint64(bound)
	if err := store.Follow(context.Background(), n, []store.Source{source}, store.FollowOptions{ReorgBound: &reorgs}); err != nil {
		l.t.Fatal(err)
	}
}

// plain is a union-find over a whole chain: what the index must agree with.
type plain struct {
	parent map[ledger.Address]ledger.Address
	first  map[ledger.Address]uint64
	joins  []ledger.Join
	sums   map[ledger.Address]ledger.ClusterStats
}

func (p *plain) find(a ledger.Address) ledger.Address {
	for {
		up, ok := p.parent[a]
		if !ok || up == a {
			return a
		}
		a = up
	}
}

// past is what came before, as the blocks have it.
type past []*ledger.Block

func (p past) TxAt(pos ledger.Position) (*ledger.Tx, error) {
	b := p[pos.Height()]
	for i := range b.Txs {
		if b.Txs[i].Pos == pos {
			return &b.Txs[i], nil
		}
	}
	return nil, errors.New("no such transaction")
}

func (p past) Seen(a ledger.Address, pos ledger.Position) (bool, error) {
	for _, b := range p {
		for i := range b.Txs {
			tx := &b.Txs[i]
			if tx.Pos >= pos {
				continue
			}
			for _, out := range tx.Outputs {
				if out.Address == a {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// plainOf unites what the blocks show up to a tier.
func plainOf(t *rapid.T, blocks []*ledger.Block, tier ledger.Tier) *plain {
	p := &plain{map[ledger.Address]ledger.Address{}, map[ledger.Address]uint64{}, nil, map[ledger.Address]ledger.ClusterStats{}}
	for _, b := range blocks {
		for i := range b.Txs {
			tx := &b.Txs[i]
			p.book(tx)
			joins, err := cluster.Joins(tx, past(blocks))
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range joins {
				if j.Tier > tier {
					continue
				}
				p.joins = append(p.joins, j)
				if x, y := p.find(j.A), p.find(j.B); x != y {
					p.parent[y] = x
				}
			}
		}
	}
	return p
}

func (p *plain) book(tx *ledger.Tx) {
	see := func(a ledger.Address, in, out ledger.Amount) {
		s := p.sums[a]
		if s.Events == 0 {
			s.First = tx.Time
			p.first[a] = tx.Pos.Height()
		}
		s.Events++
		s.Last = tx.Time
		s.In, s.Out = s.In.Plus(in), s.Out.Plus(out)
		p.sums[a] = s
	}
	for _, in := range tx.Inputs {
		see(in.Address, ledger.Amount{}, in.Value)
	}
	for _, out := range tx.Outputs {
		see(out.Address, out.Value, ledger.Amount{})
	}
}

// members of an address's cluster, in order of address, its name and its sums.
func (p *plain) cluster(a ledger.Address) (members []ledger.Address, name ledger.Address, sum ledger.ClusterStats) {
	name = a
	for n := range owners {
		m := owner(n)
		if p.find(m) != p.find(a) {
			continue
		}
		members = append(members, m)
		if f, of := p.first[m], p.first[name]; f < of || f == of && string(m.Key()) < string(name.Key()) {
			name = m
		}
		s := p.sums[m]
		if s.Events == 0 {
			continue
		}
		if sum.Events == 0 || s.First < sum.First {
			sum.First = s.First
		}
		sum.Last = max(sum.Last, s.Last)
		sum.Events += s.Events
		sum.In, sum.Out = sum.In.Plus(s.In), sum.Out.Plus(s.Out)
	}
	sum.Balance = sum.In.SubFloor(sum.Out)
	slices.SortFunc(members, ledger.Address.Compare)
	return members, name, sum
}

// viewOf pins the clusters of a snapshot, bringing them up to date where they must be.
func viewOf(set *Set, snap *store.Snapshot) (*View, error) {
	v, err := set.View(context.Background(), snap)
	var behind *BehindError
	if !errors.As(err, &behind) {
		return v, err
	}
	if err := set.Update(context.Background(), snap); err != nil {
		return nil, err
	}
	return set.View(context.Background(), snap)
}
