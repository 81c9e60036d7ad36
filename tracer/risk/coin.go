package risk

import (
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// coin gives value to a transaction of a UTXO chain: backwards the one that made the
// coin (its output index), forwards the one that spends it.
func (r *replay) coin(c ledger.Chain, pos ledger.Position, index uint32, v value, d depth, by *trail) error {
	asset := ledger.NativeAsset(c)
	if pos == 0 {
		if r.back {
			r.end(r.open, asset, v)
		} else {
			r.end(r.unlabelled, asset, v) // unspent: it rests
		}
		return nil
	}
	n := r.nodes[nodeKey{c, pos, v.origin}]
	if n == nil {
		if d.least > r.book.options.Hops || r.book.steps >= r.book.options.Events || r.book.scanned >= maxScanned {
			r.book.limit("value beyond %d transfers, or %d events, is not followed", r.book.options.Hops, r.book.options.Events)
			r.end(r.open, asset, v)
			return nil
		}
		r.book.steps++
		tx, err := r.idx.TxAt(r.ctx, c, pos)
		if err != nil {
			return err
		}
		r.book.scanned += len(tx.Inputs) + len(tx.Outputs)
		n = &node{tx: &tx, asked: value{origin: v.origin}, depth: d, trail: by}
	}
	if leg, ok := r.bridged(n.tx, index); r.back && ok {
		here := &trail{Step{Chain: c, Tx: n.tx.ID, Index: index, Kind: ledger.TransferNative, At: ledger.Point{Pos: pos, Slot: index}, Time: n.tx.Time}, by}
		return r.bridge(leg, c, ledger.Holder{Asset: asset}, v, d, here, entity{})
	}
	known := !n.asked.units.IsZero() || !n.asked.worth.IsZero()
	n.asked, n.depth = n.asked.plus(v), n.depth.with(d)
	if known {
		return nil
	}
	r.nodes[nodeKey{c, pos, v.origin}] = n
	return r.push(c, &item{at: ledger.Point{Pos: pos}, node: n})
}

// bridged returns the notice by which an output was left to a bridge, or paid by one.
func (r *replay) bridged(tx *ledger.Tx, index uint32) (ledger.Notice, bool) {
	if len(tx.Notices) == 0 || int(index) >= len(tx.Outputs) {
		return ledger.Notice{}, false
	}
	o := &tx.Outputs[index]
	return tracer.BridgeLeg(tx, &ledger.Transfer{Slot: index, From: o.Address, To: o.Address, Asset: ledger.NativeAsset(tx.Chain), Amount: o.Value}, r.leg())
}

// coinJoinTag is what a CoinJoin counts as: a mixer that nobody needs to label.
func coinJoinTag(c ledger.Chain, v cluster.Verdict) *ledger.Tag {
	return &ledger.Tag{Chain: c, Label: "CoinJoin (" + v.String() + ")", Source: "docs/method.md, Clusters", Category: "mixing", Confidence: tracer.MinTagConfidence}
}

// coinJoin reports a CoinJoin of a kind that is known. One that is only possible is a
// veto for clusters and no claim.
func coinJoin(tx *ledger.Tx) (cluster.Verdict, bool) {
	v := cluster.VerdictOf(tx)
	switch v {
	case cluster.Whirlpool, cluster.Wasabi1, cluster.Wasabi2, cluster.JoinMarket:
		return v, true
	case cluster.None, cluster.Tx0, cluster.Possible:
	}
	return v, false
}

// transaction shares what is asked of a transaction out over its inputs
// (backwards) or its outputs and the fee (forwards), in proportion.
func (r *replay) transaction(n *node) error {
	tx := n.tx
	delete(r.nodes, nodeKey{tx.Chain, tx.Pos, n.asked.origin})
	asset := ledger.NativeAsset(tx.Chain)
	here := &trail{Step{Chain: tx.Chain, Tx: tx.ID, At: ledger.Point{Pos: tx.Pos}, Kind: ledger.TransferNative, Time: tx.Time}, n.trail}
	if tx.Coinbase && r.back {
		r.sink(ledger.Address{}, "mining", &ledger.Tag{Chain: tx.Chain, Label: "coinbase", Category: "mining"}, asset, n.asked, n.depth, here)
		return nil
	}
	if v, is := coinJoin(tx); is {
		r.book.used["coinjoin"] = true
		r.sink(ledger.Address{}, "mixing", coinJoinTag(tx.Chain, v), asset, n.asked, n.depth, here)
		return nil
	}
	weights, to := r.sides(tx)
	units := share(n.asked.units, weights)
	worth := units
	if n.asked.worth != n.asked.units {
		worth = share(n.asked.worth, weights)
	}
	for i := range units {
		if err := r.side(n, to[i], value{units[i], worth[i], n.asked.origin}, asset); err != nil {
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

func (r *replay) side(n *node, s side, v value, asset ledger.Asset) error {
	switch {
	case s.fee:
		r.end(r.unlabelled, asset, v)
		return nil
	case !s.known || v.units.IsZero():
		r.end(r.open, asset, v)
		return nil
	}
	d := n.depth
	own, err := r.book.owns(r.ctx, s.owner)
	if err != nil {
		return err
	}
	if own { // a move of its own: no transfer
		return r.onward(s, v, d, n.trail, n.tx)
	}
	by := &trail{Step{Chain: n.tx.Chain, Tx: n.tx.ID, Index: s.index, Kind: ledger.TransferNative, At: ledger.Point{Pos: n.tx.Pos, Slot: s.index}, Time: n.tx.Time}, n.trail}
	if !r.back {
		return r.pay(n.tx, s.index, v, d, by)
	}
	h := ledger.Holder{Address: s.owner, Asset: asset}
	who, err := r.whose(h, by)
	if err != nil {
		return err
	}
	if who.own || who.category != "" {
		r.absorb(h, who, v, d, by)
		return nil
	}
	return r.onward(s, v, depth{d.least + 1, d.most + 1}, by, n.tx)
}

// pay follows an output that is not of the cluster itself.
func (r *replay) pay(tx *ledger.Tx, index uint32, v value, d depth, by *trail) error {
	out := &tx.Outputs[index]
	h := ledger.Holder{Address: out.Address, Asset: ledger.NativeAsset(tx.Chain)}
	if out.Address.Burn() {
		r.end(r.unlabelled, h.Asset, v)
		return nil
	}
	who, err := r.whose(h, by)
	if err != nil {
		return err
	}
	if leg, ok := r.bridged(tx, index); ok && !who.own && (who.category == "" || crossable(who.category)) {
		return r.bridge(leg, tx.Chain, h, v, d, by, who)
	}
	if who.own || who.category != "" {
		r.absorb(h, who, v, d, by)
		return nil
	}
	return r.onward(side{owner: out.Address, next: out.SpentBy, index: index}, v, depth{d.least + 1, d.most + 1}, by, tx)
}

// onward gives value to the transaction beyond a coin. That a coin is not spent is
// known only where every block since is held.
func (r *replay) onward(s side, v value, d depth, by *trail, tx *ledger.Tx) error {
	asset := ledger.NativeAsset(tx.Chain)
	if !r.back && s.next == 0 {
		covered, err := r.idx.Covered(r.ctx, ledger.Holder{Address: s.owner, Asset: asset}, tx.Pos)
		if err != nil {
			return err
		}
		if !covered {
			r.end(r.open, asset, v)
			return nil
		}
	}
	return r.coin(tx.Chain, s.next, s.index, v, d, by)
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
	type remainder struct {
		of   int
		rest ledger.Amount
	}
	rests := make([]remainder, len(weights))
	left := total
	for i, w := range weights {
		rests[i].of = i
		parts[i], rests[i].rest = total.MulDiv(w, sum)
		left = left.Minus(parts[i])
	}
	if left.IsZero() {
		return parts
	}
	slices.SortStableFunc(rests, func(a, b remainder) int { return b.rest.Cmp(a.rest) })
	missing, _ := left.Uint64() // fewer than there are weights
	for _, r := range rests[:missing] {
		parts[r.of] = parts[r.of].Plus(ledger.NewAmount(1))
	}
	return parts
}
