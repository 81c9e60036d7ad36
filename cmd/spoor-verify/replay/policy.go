package replay

import (
	"math/big"
	"slices"
)

// policy is one accounting rule for outputs and one for accounts.
type policy struct {
	utxo, account string
}

// known says that both rules can be recomputed. Poison cannot: it conserves nothing.
func (p policy) known() bool {
	return slices.Contains(ruleNames(), p.utxo) && slices.Contains(ruleNames(), p.account)
}

func ruleNames() []string {
	return []string{"fifo", "lifo", "haircut", "dirty-first", "tiho", "libr"}
}

func (p policy) name() string {
	if p.utxo == p.account {
		return p.utxo
	}
	return p.utxo + "+" + p.account
}

func inOrder(rule string) bool { return rule == "fifo" || rule == "lifo" }

// hold adds what came in to what an account has. Without an order there is one lot of each label, clean ones first.
func (p policy) hold(held, in lots) lots {
	if inOrder(p.account) {
		return held.join(in)
	}
	for _, one := range in {
		if one.units.Sign() == 0 {
			continue
		}
		i, found := slices.BinarySearchFunc(held, one.label, func(l lot, label int) int { return l.label - label })
		if !found {
			held = slices.Insert(held, i, one)
			continue
		}
		held[i].units = plus(held[i].units, one.units)
	}
	return held
}

// pay takes x units of an account that has sum units, traced of them labelled.
func (p policy) pay(held lots, x, sum, traced *big.Int) (paid, left lots) {
	switch p.account {
	case "fifo":
		return held.front(x)
	case "lifo":
		return held.back(x)
	}
	labels := held
	if len(held) > 0 && held[0].label == 0 {
		labels = held[1:]
	}
	q := outflow(p.account, x, sum, traced)
	clean := minus(x, q)
	paid, left = lots{}.with(0, clean), lots{}.with(0, minus(minus(sum, traced), clean))
	part, rest := labels.divide(q)
	return append(paid, part...), append(left, rest...)
}

// outflow is how many labelled units leave with x of sum, of which traced are.
func outflow(rule string, x, sum, traced *big.Int) *big.Int {
	switch rule {
	case "haircut":
		if sum.Sign() == 0 {
			return new(big.Int)
		}
		q := new(big.Int).Mul(traced, x)
		return q.Quo(q, sum)
	case "libr":
		return above(traced, minus(sum, x))
	}
	return least(traced, x) // dirty-first, tiho
}

// divide takes q units off lots of one label each, in proportion.
func (l lots) divide(q *big.Int) (part, left lots) {
	if q.Sign() == 0 {
		return nil, l
	}
	weights := make([]*big.Int, len(l))
	for i, one := range l {
		weights[i] = one.units
	}
	for i, n := range apportion(q, weights) {
		part, left = part.with(l[i].label, n), left.with(l[i].label, minus(l[i].units, n))
	}
	return part, left
}

// spread moves the inputs of a transaction, in line, to its slots: the outputs, then the fee.
func (p policy) spread(line lots, slots []*big.Int) []lots {
	filled := make([]lots, len(slots))
	if inOrder(p.utxo) {
		line = slices.Clone(line)
		if p.utxo == "lifo" {
			slices.Reverse(line)
		}
		for i, size := range slots {
			filled[i], line = line.front(size)
		}
		return filled
	}
	labels := line.perLabel()
	quotas, order := quotasOf(p.utxo, labels.sum(), slots)
	for _, i := range order {
		var part lots
		part, labels = labels.divide(quotas[i])
		filled[i] = append(lots{}.with(0, minus(slots[i], quotas[i])), part...)
	}
	return filled
}

// quotasOf gives each slot its labelled units, and says in which order slots get them.
func quotasOf(rule string, traced *big.Int, slots []*big.Int) (quotas []*big.Int, order []int) {
	for i := range slots {
		order = append(order, i)
	}
	switch rule {
	case "haircut":
		return apportion(traced, slots), order
	case "tiho":
		slices.SortStableFunc(order[:len(order)-1], func(a, b int) int { return slots[b].Cmp(slots[a]) })
	case "libr":
		clean := fill(minus(sumOf(slots), traced), slots, order)
		for i, size := range slots {
			clean[i] = minus(size, clean[i])
		}
		return clean, order
	}
	return fill(traced, slots, order), order
}

func fill(units *big.Int, slots []*big.Int, order []int) []*big.Int {
	parts := make([]*big.Int, len(slots))
	for _, i := range order {
		parts[i] = least(units, slots[i])
		units = minus(units, parts[i])
	}
	return parts
}
