package tracer

import (
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// Policy is one accounting rule in its two forms. Both are pure: the result
// sums to what went in, per slot and, unless Conserves is false, per label.
type Policy struct {
	Name  string
	About string // what it says and where the rule comes from, for people
	// Conserves is false where taint multiplies (poison).
	Conserves bool
	// queued policies keep lots in order; the others pool an account's units per label.
	queued bool

	// split distributes the inputs of a UTXO transaction, in listed order, over
	// its slots: the outputs in listed order, then the fee. Slots sum to the inputs.
	split func(in []Segment, slots []ledger.Amount) [][]Segment
	// take removes x units from an account that holds at least x.
	take func(held []Segment, x ledger.Amount) (taken, left []Segment)
	// The same backwards: uncredit takes a credit's units out of what an account
	// held after it, unpay puts back what it paid. nil: the rule has no answer.
	uncredit func(held []Segment, x ledger.Amount) (taken, left []Segment)
	unpay    func(held, paid []Segment) []Segment
}

// Policies returns the table of accounting rules, the default first. A new
// rule is a function and a row.
func Policies() []Policy {
	return []Policy{
		{Name: "dirty-first", Conserves: true, split: pooled(dirtyFirstSlots), take: pool(dirtyFirst), About: "traced units leave first (Banco Cafetero): the widest coverage of where the money can be"},
		{Name: "fifo", Conserves: true, queued: true, split: fifoSplit, take: popFront, uncredit: tail, unpay: unshift, About: "first in, first out (Clayton's case, 1816; Anderson, Shumailov, Ahmed 2018)"},
		{Name: "lifo", Conserves: true, queued: true, split: lifoSplit, take: popBack, uncredit: tail, unpay: unpop, About: "last in, first out"},
		{Name: "haircut", Conserves: true, split: pooled(haircutSlots), take: pool(haircut), uncredit: pool(haircut), unpay: pour, About: "pro rata over everything held"},
		{Name: "tiho", Conserves: true, split: pooled(tihoSlots), take: pool(dirtyFirst), About: "taint in, highest out: the largest outputs first"},
		{Name: "libr", Conserves: true, split: pooled(librSlots), take: pool(libr), About: "lowest intermediate balance: clean units leave first; on UTXO chains clean-first, its analogue"},
		{Name: "poison", Conserves: false, split: poisonSplit, take: poisonTake, uncredit: poisonTake, unpay: poisonPour, About: "everything that touches the money is tainted; amounts do not conserve"},
	}
}

// PolicyByName returns a rule, or an error that lists them.
func PolicyByName(name string) (Policy, error) {
	var names []string
	for _, p := range Policies() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Policy{}, ledger.Invalid("policy", "one of "+strings.Join(names, ", "), name)
}

// Combine follows one rule on UTXO chains and another in accounts. A rule that
// does not conserve goes with itself alone.
func Combine(utxo, account Policy) (Policy, error) {
	if utxo.Name == account.Name {
		return utxo, nil
	}
	if !utxo.Conserves || !account.Conserves {
		return Policy{}, ledger.Invalid("policy", "rules that both conserve", utxo.Name+" with "+account.Name)
	}
	both := Policy{
		Name: utxo.Name + "+" + account.Name, About: utxo.About + "; in accounts: " + account.About, Conserves: true,
		queued: account.queued, split: utxo.split, take: account.take,
	}
	if utxo.unpay != nil {
		both.uncredit, both.unpay = account.uncredit, account.unpay
	}
	return both, nil
}

// credit adds a parcel to what an account holds.
func (p Policy) credit(held, in []Segment) []Segment {
	if p.queued {
		for _, s := range in {
			held = push(held, s)
		}
		return held
	}
	for _, s := range in {
		held = addTo(held, s)
	}
	if !p.Conserves && !dirtyOf(held).IsZero() {
		return []Segment{{Tainted, totalOf(held)}}
	}
	return held
}

func fifoSplit(in []Segment, slots []ledger.Amount) [][]Segment {
	queue := slices.Clone(in)
	out := make([][]Segment, len(slots))
	for i, slot := range slots {
		out[i], queue = popFront(queue, slot)
	}
	return out
}

func lifoSplit(in []Segment, slots []ledger.Amount) [][]Segment {
	reversed := slices.Clone(in)
	slices.Reverse(reversed)
	return fifoSplit(reversed, slots)
}

// slotRule gives each slot its dirty total, as if all labels were one, and the
// order in which the rule fills the slots.
type slotRule func(dirty, total ledger.Amount, slots []ledger.Amount) (q []ledger.Amount, order []int)

// pooled makes a UTXO rule of a slotRule: the dirty totals first, then each
// slot's total is split over the labels that are left, in filling order.
func pooled(rule slotRule) func([]Segment, []ledger.Amount) [][]Segment {
	return func(in []Segment, slots []ledger.Amount) [][]Segment {
		labels := byLabel(in)
		if len(labels) > 0 && labels[0].Label == Clean {
			labels = labels[1:]
		}
		quotas, order := rule(totalOf(labels), totalOf(in), slots)
		out := make([][]Segment, len(slots))
		for _, i := range order {
			var part []Segment
			part, labels = splitLabels(labels, quotas[i])
			out[i] = append(push(nil, Segment{Clean, slots[i].Minus(quotas[i])}), part...)
		}
		return out
	}
}

// splitLabels divides q over the labels' remaining amounts r: floor(q*r_k/R),
// the missing units by largest remainder, ties to the lowest label.
func splitLabels(labels []Segment, q ledger.Amount) (part, left []Segment) {
	if q.IsZero() {
		return nil, labels
	}
	weights := make([]ledger.Amount, len(labels))
	for i, s := range labels {
		weights[i] = s.Amount
	}
	for i, share := range Apportion(q, totalOf(labels), weights) {
		part = push(part, Segment{labels[i].Label, share})
		left = push(left, Segment{labels[i].Label, labels[i].Amount.Minus(share)})
	}
	return part, left
}

// Apportion divides q over weights that sum to total (q <= total): the floors,
// then one more unit each to the largest remainders, ties to the lower index.
func Apportion(q, total ledger.Amount, weights []ledger.Amount) []ledger.Amount {
	shares := make([]ledger.Amount, len(weights))
	if q.IsZero() {
		return shares
	}
	remainders := make([]ledger.Amount, len(weights))
	order := make([]int, len(weights))
	missing := q
	for i, w := range weights {
		shares[i], remainders[i] = q.MulDiv(w, total)
		missing = missing.Minus(shares[i])
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return remainders[b].Cmp(remainders[a]) })
	one := ledger.NewAmount(1)
	for _, i := range order {
		if missing.IsZero() {
			break
		}
		shares[i], missing = shares[i].Plus(one), missing.Minus(one)
	}
	return shares
}

func listed(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

func haircutSlots(dirty, total ledger.Amount, slots []ledger.Amount) ([]ledger.Amount, []int) {
	return Apportion(dirty, total, slots), listed(len(slots))
}

func dirtyFirstSlots(dirty, _ ledger.Amount, slots []ledger.Amount) ([]ledger.Amount, []int) {
	return fill(dirty, slots, listed(len(slots)))
}

// tihoSlots fills the outputs by descending value, ties to the lower index, the fee last.
func tihoSlots(dirty, _ ledger.Amount, slots []ledger.Amount) ([]ledger.Amount, []int) {
	order := listed(len(slots))
	slices.SortStableFunc(order[:len(order)-1], func(a, b int) int { return slots[b].Cmp(slots[a]) })
	return fill(dirty, slots, order)
}

// librSlots lets clean units fill the slots in listed order, the fee last, so
// that the traced ones sit at the end.
func librSlots(dirty, total ledger.Amount, slots []ledger.Amount) ([]ledger.Amount, []int) {
	order := listed(len(slots))
	clean, _ := fill(total.Minus(dirty), slots, order)
	q := make([]ledger.Amount, len(slots))
	for i := range slots {
		q[i] = slots[i].Minus(clean[i])
	}
	return q, order
}

func fill(amount ledger.Amount, slots []ledger.Amount, order []int) ([]ledger.Amount, []int) {
	q := make([]ledger.Amount, len(slots))
	for _, i := range order {
		q[i] = ledger.Min(amount, slots[i])
		amount = amount.Minus(q[i])
	}
	return q, order
}

// accountRule says how much of an outflow x is dirty, from a balance of which dirty is.
type accountRule func(x, balance, dirty ledger.Amount) ledger.Amount

// pool makes an account rule of a figure: q leaves dirty, split over the labels.
func pool(rule accountRule) func([]Segment, ledger.Amount) ([]Segment, []Segment) {
	return func(held []Segment, x ledger.Amount) (taken, left []Segment) {
		var clean ledger.Amount
		labels := held
		if len(held) > 0 && held[0].Label == Clean {
			clean, labels = held[0].Amount, held[1:]
		}
		dirty := totalOf(labels)
		q := rule(x, clean.Plus(dirty), dirty)
		part, rest := splitLabels(labels, q)
		taken = append(push(nil, Segment{Clean, x.Minus(q)}), part...)
		left = append(push(nil, Segment{Clean, clean.Minus(x.Minus(q))}), rest...)
		return taken, left
	}
}

func haircut(x, balance, dirty ledger.Amount) ledger.Amount {
	if balance.IsZero() {
		return ledger.Amount{}
	}
	q, _ := dirty.MulDiv(x, balance)
	return q
}

func dirtyFirst(x, _, dirty ledger.Amount) ledger.Amount { return ledger.Min(dirty, x) }

func libr(x, balance, dirty ledger.Amount) ledger.Amount { return dirty.SubFloor(balance.Minus(x)) }

// tail takes the last x units of a queue, in their order.
func tail(queue []Segment, x ledger.Amount) (taken, left []Segment) {
	taken, left = popBack(queue, x)
	slices.Reverse(taken)
	return taken, left
}

// unshift puts units back at the front of a queue.
func unshift(queue, paid []Segment) []Segment {
	out := slices.Clone(paid)
	for _, s := range queue {
		out = push(out, s)
	}
	return out
}

// unpop puts units back on a stack in the order in which they were on it.
func unpop(stack, paid []Segment) []Segment {
	for _, s := range slices.Backward(paid) {
		stack = push(stack, s)
	}
	return stack
}

// pour adds units to a pool.
func pour(held, paid []Segment) []Segment {
	for _, s := range paid {
		held = addTo(held, s)
	}
	return held
}

func poisonPour(held, paid []Segment) []Segment {
	held = pour(held, paid)
	if dirtyOf(held).IsZero() {
		return held
	}
	return push(nil, Segment{Tainted, totalOf(held)})
}

func poisonSplit(in []Segment, slots []ledger.Amount) [][]Segment {
	label := Clean
	if !dirtyOf(in).IsZero() {
		label = Tainted
	}
	out := make([][]Segment, len(slots))
	for i, slot := range slots {
		out[i] = push(nil, Segment{label, slot})
	}
	return out
}

func poisonTake(held []Segment, x ledger.Amount) (taken, left []Segment) {
	label := Clean
	if !dirtyOf(held).IsZero() {
		label = Tainted
	}
	return push(nil, Segment{label, x}), push(nil, Segment{label, totalOf(held).Minus(x)})
}
