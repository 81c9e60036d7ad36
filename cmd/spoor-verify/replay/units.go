package replay

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
)

// amount is a number of base units as files write it: decimal, without leading zeros, below 2^256. None is 0.
type amount string

// UnmarshalJSON refuses every other form.
func (a *amount) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 256 || n.String() != s {
		return fmt.Errorf("%.100q is no amount", s)
	}
	*a = amount(s)
	return nil
}

func (a amount) units() *big.Int {
	n := new(big.Int)
	if a != "" {
		n.SetString(string(a), 10)
	}
	return n
}

// Numbers are never changed in place: these make new ones.
func plus(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }

func minus(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }

// above is a - b, or 0 where b is more.
func above(a, b *big.Int) *big.Int {
	if a.Cmp(b) <= 0 {
		return new(big.Int)
	}
	return minus(a, b)
}

func least(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

func most(a, b *big.Int) *big.Int {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

func sumOf(all []*big.Int) *big.Int {
	sum := new(big.Int)
	for _, n := range all {
		sum.Add(sum, n)
	}
	return sum
}

// lot is a run of units with one label. Label 0 is clean.
type lot struct {
	label int
	units *big.Int
}

// lots stand in the order in which a rule takes them.
type lots []lot

// with appends units, joined to the last ones where the label is the same.
func (l lots) with(label int, units *big.Int) lots {
	if units.Sign() == 0 {
		return l
	}
	if n := len(l); n > 0 && l[n-1].label == label {
		l[n-1].units = plus(l[n-1].units, units)
		return l
	}
	return append(l, lot{label, units})
}

func (l lots) join(more lots) lots {
	for _, one := range more {
		l = l.with(one.label, one.units)
	}
	return l
}

func (l lots) sum() *big.Int {
	sum := new(big.Int)
	for _, one := range l {
		sum.Add(sum, one.units)
	}
	return sum
}

func (l lots) labelled() *big.Int {
	sum := new(big.Int)
	for _, one := range l {
		if one.label != 0 {
			sum.Add(sum, one.units)
		}
	}
	return sum
}

// perLabel sums lots by label, ascending; clean ones are left out.
func (l lots) perLabel() lots {
	var sorted lots
	for _, one := range l {
		if one.label != 0 && one.units.Sign() > 0 {
			sorted = append(sorted, one)
		}
	}
	slices.SortStableFunc(sorted, func(a, b lot) int { return a.label - b.label })
	var sums lots
	return sums.join(sorted)
}

// front takes x units from the beginning of lots that are nobody else's.
func (l lots) front(x *big.Int) (taken, left lots) {
	for len(l) > 0 && x.Sign() > 0 {
		n := least(l[0].units, x)
		taken, x = taken.with(l[0].label, n), minus(x, n)
		if l[0].units = minus(l[0].units, n); l[0].units.Sign() == 0 {
			l = l[1:]
		}
	}
	return taken, l
}

// back takes x units from the end, the last first.
func (l lots) back(x *big.Int) (taken, left lots) {
	for len(l) > 0 && x.Sign() > 0 {
		last := &l[len(l)-1]
		n := least(last.units, x)
		taken, x = taken.with(last.label, n), minus(x, n)
		if last.units = minus(last.units, n); last.units.Sign() == 0 {
			l = l[:len(l)-1]
		}
	}
	return taken, l
}

// lay gives a label to the first x clean units, and says how many there were.
func (l lots) lay(label int, x *big.Int) (laid lots, found *big.Int) {
	found = new(big.Int)
	for _, one := range l {
		if one.label != 0 {
			laid = laid.with(one.label, one.units)
			continue
		}
		n := least(one.units, minus(x, found))
		found = plus(found, n)
		laid = laid.with(label, n).with(0, minus(one.units, n))
	}
	return laid, found
}

// shares writes labelled units as files do.
func (l lots) shares() []share {
	all := []share{}
	for _, one := range l.perLabel() {
		all = append(all, share{one.label, amount(one.units.String())})
	}
	return all
}

// text is LABEL=AMOUNT of labelled units of one lot each, joined by commas.
func (l lots) text() string {
	var b []byte
	for i, one := range l {
		if i > 0 {
			b = append(b, ',')
		}
		b = one.units.Append(append(strconv.AppendInt(b, int64(one.label), 10), '='), 10)
	}
	return string(b)
}

// apportion divides q by weights: to each the floor of its part, then one more unit to the largest remainders, ties to the lower index.
func apportion(q *big.Int, weights []*big.Int) []*big.Int {
	parts := make([]*big.Int, len(weights))
	rests := make([]*big.Int, len(weights))
	order := make([]int, len(weights))
	whole, left := sumOf(weights), q
	for i, w := range weights {
		parts[i], rests[i], order[i] = new(big.Int), new(big.Int), i
		if whole.Sign() > 0 {
			parts[i].QuoRem(new(big.Int).Mul(q, w), whole, rests[i])
		}
		left = minus(left, parts[i])
	}
	slices.SortStableFunc(order, func(a, b int) int { return rests[b].Cmp(rests[a]) })
	for _, i := range order {
		if left.Sign() == 0 {
			break
		}
		parts[i], left = plus(parts[i], big.NewInt(1)), minus(left, big.NewInt(1))
	}
	return parts
}
