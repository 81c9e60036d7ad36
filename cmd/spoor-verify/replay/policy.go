package replay

import (
	"math/big"
	"slices"
)

// seg is a run of units with one label; 0 is clean.
type seg struct {
	label int
	n     *big.Int
}

func zero() *big.Int { return new(big.Int) }

func least(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return new(big.Int).Set(a)
	}
	return new(big.Int).Set(b)
}

// join appends a segment to a queue; equal neighbours are one.
func join(queue []seg, s seg) []seg {
	if s.n.Sign() == 0 {
		return queue
	}
	if k := len(queue) - 1; k >= 0 && queue[k].label == s.label {
		queue[k] = seg{s.label, new(big.Int).Add(queue[k].n, s.n)}
		return queue
	}
	return append(queue, seg{s.label, new(big.Int).Set(s.n)})
}

func sum(segs []seg, labelled bool) *big.Int {
	total := zero()
	for _, s := range segs {
		if s.label != 0 || !labelled {
			total.Add(total, s.n)
		}
	}
	return total
}

func dirt(segs []seg) *big.Int { return sum(segs, true) }

// shares sums labelled units per label, ascending.
func shares(segs []seg) []seg {
	per := map[int]*big.Int{}
	for _, s := range segs {
		if s.label == 0 {
			continue
		}
		if per[s.label] == nil {
			per[s.label] = zero()
		}
		per[s.label].Add(per[s.label], s.n)
	}
	var all []seg
	for l, n := range per {
		if n.Sign() > 0 {
			all = append(all, seg{l, n})
		}
	}
	slices.SortFunc(all, func(a, b seg) int { return a.label - b.label })
	return all
}

// front takes x units from the front of a queue.
func front(queue []seg, x *big.Int) (taken, left []seg) {
	need := new(big.Int).Set(x)
	for _, s := range queue {
		part := least(s.n, need)
		taken = join(taken, seg{s.label, part})
		need.Sub(need, part)
		left = join(left, seg{s.label, new(big.Int).Sub(s.n, part)})
	}
	return taken, left
}

func reversed(queue []seg) []seg {
	r := slices.Clone(queue)
	slices.Reverse(r)
	return r
}

// apportion divides q over weights: floors first, the missing units to the largest remainders, ties to the lower index.
func apportion(q *big.Int, weights []*big.Int) []*big.Int {
	total := zero()
	for _, w := range weights {
		total.Add(total, w)
	}
	parts, rests, order := make([]*big.Int, len(weights)), make([]*big.Int, len(weights)), make([]int, len(weights))
	missing := new(big.Int).Set(q)
	for i, w := range weights {
		parts[i], rests[i], order[i] = zero(), zero(), i
		if q.Sign() == 0 {
			continue
		}
		parts[i].QuoRem(new(big.Int).Mul(q, w), total, rests[i])
		missing.Sub(missing, parts[i])
	}
	slices.SortStableFunc(order, func(a, b int) int { return rests[b].Cmp(rests[a]) })
	for _, i := range order {
		if missing.Sign() <= 0 {
			break
		}
		parts[i].Add(parts[i], big.NewInt(1))
		missing.Sub(missing, big.NewInt(1))
	}
	return parts
}

// byWeight takes q units off labels in proportion to what each has.
func byWeight(labels []seg, q *big.Int) (part, left []seg) {
	weights := make([]*big.Int, len(labels))
	for i, s := range labels {
		weights[i] = s.n
	}
	for i, n := range apportion(q, weights) {
		part = join(part, seg{labels[i].label, n})
		left = append(left, seg{labels[i].label, new(big.Int).Sub(labels[i].n, n)})
	}
	return part, left
}

func queued(rule string) bool { return rule == "fifo" || rule == "lifo" }

// credit adds to what an account holds.
func credit(rule string, held, in []seg) []seg {
	if queued(rule) {
		for _, s := range in {
			held = join(held, s)
		}
		return held
	}
	clean := new(big.Int).Sub(new(big.Int).Add(sum(held, false), sum(in, false)), new(big.Int).Add(dirt(held), dirt(in)))
	return append(join(nil, seg{0, clean}), shares(slices.Concat(held, in))...)
}

// take removes x units from what an account holds.
func take(rule string, held []seg, x *big.Int) (taken, left []seg) {
	switch rule {
	case "fifo":
		return front(held, x)
	case "lifo":
		taken, left = front(reversed(held), x)
		return taken, reversed(left)
	}
	balance, dirty := sum(held, false), dirt(held)
	q := zero()
	switch rule {
	case "haircut":
		if balance.Sign() > 0 {
			q.Quo(new(big.Int).Mul(dirty, x), balance)
		}
	case "dirty-first", "tiho":
		q = least(dirty, x)
	case "libr":
		if q.Sub(dirty, new(big.Int).Sub(balance, x)); q.Sign() < 0 {
			q = zero()
		}
	}
	part, rest := byWeight(shares(held), q)
	clean := new(big.Int).Sub(x, q)
	left = join(nil, seg{0, new(big.Int).Sub(new(big.Int).Sub(balance, dirty), clean)})
	for _, s := range rest {
		left = join(left, s)
	}
	return append(join(nil, seg{0, clean}), part...), left
}

// split distributes the inputs of a UTXO transaction over its slots, the fee last.
func split(rule string, in []seg, slots []*big.Int) [][]seg {
	out := make([][]seg, len(slots))
	switch rule {
	case "lifo":
		in = reversed(in)
		fallthrough
	case "fifo":
		for i, n := range slots {
			out[i], in = front(in, n)
		}
		return out
	}
	quotas, order := quotasOf(rule, dirt(in), sum(in, false), slots)
	labels := shares(in)
	for _, i := range order {
		var part []seg
		part, labels = byWeight(labels, quotas[i])
		out[i] = append(join(nil, seg{0, new(big.Int).Sub(slots[i], quotas[i])}), part...)
	}
	return out
}

// quotasOf gives each slot its labelled units, and the order in which slots are filled.
func quotasOf(rule string, dirty, total *big.Int, slots []*big.Int) (quotas []*big.Int, order []int) {
	for i := range slots {
		order = append(order, i)
	}
	switch rule {
	case "haircut":
		return apportion(dirty, slots), order
	case "tiho":
		outputs := order[:len(order)-1]
		slices.SortStableFunc(outputs, func(a, b int) int { return slots[b].Cmp(slots[a]) })
		return fill(dirty, slots, order), order
	case "libr":
		clean := fill(new(big.Int).Sub(total, dirty), slots, order)
		for i := range slots {
			quotas = append(quotas, new(big.Int).Sub(slots[i], clean[i]))
		}
		return quotas, order
	}
	return fill(dirty, slots, order), order
}

func fill(n *big.Int, slots []*big.Int, order []int) []*big.Int {
	left, q := new(big.Int).Set(n), make([]*big.Int, len(slots))
	for _, i := range order {
		q[i] = least(left, slots[i])
		left.Sub(left, q[i])
	}
	return q
}

// mark gives the first n clean units a label, and says how many it found.
func mark(segs []seg, label int, n *big.Int) (out []seg, marked *big.Int) {
	marked = zero()
	for _, s := range segs {
		part := zero()
		if s.label == 0 {
			part = least(s.n, new(big.Int).Sub(n, marked))
		}
		marked.Add(marked, part)
		out = join(out, seg{label, part})
		out = join(out, seg{s.label, new(big.Int).Sub(s.n, part)})
	}
	return out, marked
}
