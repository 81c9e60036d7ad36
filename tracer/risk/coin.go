package risk

import (
	"container/heap"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// coin gives value to a transaction of a UTXO chain: backwards the one that made the
// coin, forwards the one that spends it.
func (r *replay) coin(pos ledger.Position, part ledger.Amount, d depth, by *trail, c ledger.Chain) error {
	asset := ledger.NativeAsset(c)
	if pos == 0 {
		if r.back {
			r.end(r.open, asset, part)
		} else {
			r.end(r.unlabelled, asset, part) // unspent: it rests
		}
		return nil
	}
	if n := r.nodes[pos]; n != nil {
		n.asked, n.depth = n.asked.Plus(part), n.depth.with(d)
		return nil
	}
	if d.least > r.book.options.Hops || r.book.steps >= r.book.options.Events {
		r.book.limit("value beyond %d transfers, or %d events, is not followed", r.book.options.Hops, r.book.options.Events)
		r.end(r.open, asset, part)
		return nil
	}
	r.book.steps++
	tx, err := r.idx.TxAt(r.ctx, c, pos)
	if err != nil {
		return err
	}
	n := &node{tx: &tx, asked: part, depth: d, trail: by}
	r.nodes[pos] = n
	heap.Push(&r.queue, &item{at: ledger.Point{Pos: pos}, node: n})
	return nil
}

// coinJoinTag is what a CoinJoin counts as: a mixer that nobody needs to label.
func coinJoinTag(c ledger.Chain, v cluster.Verdict) ledger.Tag {
	return ledger.Tag{Chain: c, Label: "CoinJoin (" + v.String() + ")", Source: "docs/method.md, Clusters", Category: "mixing", Confidence: tracer.MinTagConfidence}
}

// transaction shares what is asked of a transaction out over its inputs
// (backwards) or its outputs and the fee (forwards), in proportion.
func (r *replay) transaction(n *node) error {
	tx := n.tx
	delete(r.nodes, tx.Pos)
	asset := ledger.NativeAsset(tx.Chain)
	here := &trail{Step{Tx: tx.ID, At: ledger.Point{Pos: tx.Pos}, Kind: ledger.TransferNative, Time: tx.Time}, n.trail}
	if tx.Coinbase && r.back {
		r.sink(ledger.Address{}, "mining", ledger.Tag{Chain: tx.Chain, Label: "coinbase", Category: "mining"}, asset, n.asked, n.depth, here)
		return nil
	}
	switch v := cluster.VerdictOf(tx); v {
	case cluster.Whirlpool, cluster.Wasabi1, cluster.Wasabi2, cluster.JoinMarket:
		r.book.used["coinjoin"] = true
		r.sink(ledger.Address{}, "mixing", coinJoinTag(tx.Chain, v), asset, n.asked, n.depth, here)
		return nil
	case cluster.None, cluster.Tx0, cluster.Possible:
	}
	weights, to := r.sides(tx)
	for i, part := range share(n.asked, weights) {
		if err := r.side(n, to[i], part, asset); err != nil {
			return err
		}
	}
	return nil
}

// side is one input or output of a transaction.
type side struct {
	owner ledger.Address
	next  ledger.Position // the transaction beyond it; 0: none
	index uint32
	known bool // false: an input that is not held, or the fee
	fee   bool
}

func (r *replay) sides(tx *ledger.Tx) (weights []ledger.Amount, to []side) {
	if r.back {
		var in, out ledger.Amount
		for i := range tx.Inputs {
			p := &tx.Inputs[i]
			in = in.Plus(p.Value)
			weights = append(weights, p.Value)
			to = append(to, side{p.Address, p.PrevPos, p.Prev.Index, p.Known, false})
		}
		for i := range tx.Outputs {
			out = out.Plus(tx.Outputs[i].Value)
		}
		return append(weights, out.SubFloor(in)), append(to, side{}) // what unknown inputs must have brought
	}
	var in, out ledger.Amount
	for i := range tx.Outputs {
		p := &tx.Outputs[i]
		out = out.Plus(p.Value)
		weights = append(weights, p.Value)
		to = append(to, side{p.Address, p.SpentBy, uint32(i), true, false})
	}
	for i := range tx.Inputs {
		in = in.Plus(tx.Inputs[i].Value)
	}
	return append(weights, in.SubFloor(out)), append(to, side{known: true, fee: true})
}

func (r *replay) side(n *node, s side, part ledger.Amount, asset ledger.Asset) error {
	switch {
	case part.IsZero():
		return nil
	case s.fee:
		r.end(r.unlabelled, asset, part)
		return nil
	case !s.known:
		r.end(r.open, asset, part)
		return nil
	}
	d := n.depth
	by := &trail{Step{Tx: n.tx.ID, Index: s.index, At: ledger.Point{Pos: n.tx.Pos, Slot: s.index}, Kind: ledger.TransferNative, Time: n.tx.Time}, n.trail}
	own, err := r.book.owns(r.ctx, s.owner)
	if err != nil {
		return err
	}
	if own { // a move of its own: no transfer
		return r.onward(s, part, d, n.trail, n.tx)
	}
	if s.owner.Burn() {
		r.end(r.unlabelled, asset, part)
		return nil
	}
	done, err := r.absorb(ledger.Holder{Address: s.owner, Asset: asset}, part, d, by)
	if err != nil || done {
		return err
	}
	return r.onward(s, part, depth{d.least + 1, d.most + 1}, by, n.tx)
}

// onward gives value to the transaction beyond a coin. That a coin is not spent is
// known only where every block since is held.
func (r *replay) onward(s side, part ledger.Amount, d depth, by *trail, tx *ledger.Tx) error {
	asset := ledger.NativeAsset(tx.Chain)
	if !r.back && s.next == 0 {
		covered, err := r.idx.Covered(r.ctx, ledger.Holder{Address: s.owner, Asset: asset}, tx.Pos)
		if err != nil {
			return err
		}
		if !covered {
			r.end(r.open, asset, part)
			return nil
		}
	}
	return r.coin(s.next, part, d, by, tx.Chain)
}

// share splits an amount in proportion to weights: floors, and the missing units
// by largest remainder, ties to the first.
func share(total ledger.Amount, weights []ledger.Amount) []ledger.Amount {
	var sum ledger.Amount
	for _, w := range weights {
		sum = sum.Plus(w)
	}
	parts := make([]ledger.Amount, len(weights))
	if sum.IsZero() {
		parts[len(parts)-1] = total
		return parts
	}
	rest := make([]ledger.Amount, len(weights))
	left := total
	for i, w := range weights {
		parts[i], rest[i] = total.MulDiv(w, sum)
		left = left.Minus(parts[i])
	}
	for !left.IsZero() {
		best := 0
		for i := range rest {
			if rest[best].Less(rest[i]) {
				best = i
			}
		}
		parts[best] = parts[best].Plus(ledger.NewAmount(1))
		rest[best] = ledger.Amount{}
		left = left.Minus(ledger.NewAmount(1))
	}
	return parts
}
