package tracer_test

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// The twin answers a request the slow way, from docs/method.md alone: it
// replays the whole history of every account from its deficit, and every
// transaction of a UTXO chain, with arithmetic and rules of its own. Floors,
// services, labels and budgets are not in it.

// lot is a run of units with one label: 0 is clean, -1 tainted under poison.
type lot struct {
	label int
	n     *big.Int
}

// load is value on its way. Set names the labels under poison.
type load struct {
	lots []lot
	set  map[int]bool
}

type twin struct {
	policy string
	fees   bool // followed into the coinbase
	seeds  []tracer.Seed
	asset  ledger.Asset
	lines  []string // hops and resting places, one label a line
	sheet  map[int]map[string]*big.Int
}

func newTwin(req tracer.Request) *twin {
	return &twin{
		policy: req.Policy.Name, fees: req.FeesToCoinbase, seeds: req.Seeds, asset: req.Seeds[0].Asset,
		sheet: map[int]map[string]*big.Int{},
	}
}

// twinOf replays all transactions, in any order, and returns the answer as sorted lines.
func twinOf(req tracer.Request, blocks []*ledger.Block) []string {
	w := newTwin(req)
	var txs []ledger.Tx
	for _, b := range blocks {
		txs = append(txs, b.Txs...)
	}
	slices.SortFunc(txs, func(a, b ledger.Tx) int { return int(int64(a.Pos) - int64(b.Pos)) })
	if req.Seeds[0].Chain.UTXO() {
		w.coins(txs)
	} else {
		w.accounts(historyOf(txs, w.asset))
	}
	return w.answer()
}

func integer(a ledger.Amount) *big.Int { return new(big.Int).SetBytes(a.Bytes()) }

func sum(lots []lot, dirtyOnly bool) *big.Int {
	total := new(big.Int)
	for _, l := range lots {
		if !dirtyOnly || l.label != 0 {
			total.Add(total, l.n)
		}
	}
	return total
}

func (l load) dirty() bool { return sum(l.lots, true).Sign() > 0 }

// cut returns the units [from, from+n) of a line of lots, as ordinal theory counts them.
func cut(lots []lot, from, n *big.Int) []lot {
	var part []lot
	to, at := new(big.Int).Add(from, n), new(big.Int)
	for _, l := range lots {
		if at.Cmp(to) >= 0 {
			break
		}
		end := new(big.Int).Add(at, l.n)
		low, high := maxOf(at, from), minOf(end, to)
		if low.Cmp(high) < 0 {
			part = append(part, lot{l.label, new(big.Int).Sub(high, low)})
		}
		at = end
	}
	return part
}

func minOf(a, b *big.Int) *big.Int {
	if a.Cmp(b) <= 0 {
		return a
	}
	return b
}

func maxOf(a, b *big.Int) *big.Int {
	if a.Cmp(b) >= 0 {
		return a
	}
	return b
}

// perLabel adds lots up: labels ascending, clean left out.
func perLabel(lots []lot) []lot {
	sums := map[int]*big.Int{}
	var labels []int
	for _, l := range lots {
		if l.label == 0 || l.n.Sign() == 0 {
			continue
		}
		if sums[l.label] == nil {
			sums[l.label] = new(big.Int)
			labels = append(labels, l.label)
		}
		sums[l.label].Add(sums[l.label], l.n)
	}
	slices.Sort(labels)
	var out []lot
	for _, k := range labels {
		out = append(out, lot{k, sums[k]})
	}
	return out
}

// largestRemainder shares q out over weights: the floors first, then unit by
// unit to the largest remainder that got none yet, the first of equal ones.
func largestRemainder(q *big.Int, weights []*big.Int) []*big.Int {
	total, missing := new(big.Int), new(big.Int).Set(q)
	for _, w := range weights {
		total.Add(total, w)
	}
	shares, rest := make([]*big.Int, len(weights)), make([]*big.Int, len(weights))
	for i, w := range weights {
		shares[i], rest[i] = new(big.Int), new(big.Int)
		if total.Sign() > 0 {
			shares[i].DivMod(new(big.Int).Mul(q, w), total, rest[i])
		}
		missing.Sub(missing, shares[i])
	}
	for missing.Sign() > 0 {
		best := 0
		for i := range rest {
			if rest[i].Cmp(rest[best]) > 0 {
				best = i
			}
		}
		shares[best].Add(shares[best], big.NewInt(1))
		rest[best] = big.NewInt(-1)
		missing.Sub(missing, big.NewInt(1))
	}
	return shares
}

// overLabels takes q dirty units out of pool, a lot per label, which it changes.
func overLabels(pool []lot, q *big.Int) []lot {
	var weights []*big.Int
	for _, l := range pool {
		weights = append(weights, l.n)
	}
	var part []lot
	for i, share := range largestRemainder(q, weights) {
		part = append(part, lot{pool[i].label, share})
		pool[i].n = new(big.Int).Sub(pool[i].n, share)
	}
	return part
}

func (w *twin) book(label int, column string, n *big.Int) {
	for _, l := range []int{0, label} {
		if w.sheet[l] == nil {
			w.sheet[l] = map[string]*big.Int{}
		}
		if w.sheet[l][column] == nil {
			w.sheet[l][column] = new(big.Int)
		}
		w.sheet[l][column].Add(w.sheet[l][column], n)
		if label <= 0 {
			return
		}
	}
}

// note writes down where traced units are, and books them when they stay there.
func (w *twin) note(place, column string, l load) {
	for _, part := range perLabel(l.lots) {
		if place != "" {
			w.lines = append(w.lines, fmt.Sprintf("%s: label %d: %s", place, part.label, part.n))
		}
		if column != "" {
			w.book(part.label, column, part.n)
		}
	}
	if place != "" && len(l.set) > 0 && l.dirty() {
		w.lines = append(w.lines, fmt.Sprintf("%s: labels %v", place, sortedSet(l.set)))
	}
}

func sortedSet(set map[int]bool) []int {
	var labels []int
	for k := range set {
		labels = append(labels, k)
	}
	slices.Sort(labels)
	return labels
}

// seed lays the seeds of one payment over its load: what is labelled stays so.
func (w *twin) seed(l load, at ledger.Point, output int) load {
	for i, s := range w.seeds {
		if s.At.Pos != at.Pos || (s.Output && int(s.Index) != output) || (!s.Output && s.At.Slot != at.Slot) {
			continue
		}
		want := integer(s.Amount)
		w.book(i+1, "seeded", want)
		var out []lot
		for _, part := range l.lots {
			n := new(big.Int)
			if part.label == 0 {
				n = minOf(part.n, want)
			}
			out = append(out, lot{i + 1, n}, lot{part.label, new(big.Int).Sub(part.n, n)})
			want = new(big.Int).Sub(want, n)
		}
		w.book(i+1, "collided", want)
		if w.policy == "poison" && want.Cmp(integer(s.Amount)) < 0 {
			set := map[int]bool{i + 1: true}
			for k := range l.set {
				set[k] = true
			}
			l.set, out = set, []lot{{-1, sum(out, false)}}
		}
		l.lots = out
	}
	return l
}

func (w *twin) answer() []string {
	for label, row := range w.sheet {
		for column, n := range row {
			if n.Sign() > 0 && (w.policy != "poison" || label == 0 || column == "seeded" || column == "collided") {
				w.lines = append(w.lines, fmt.Sprintf("sheet %d: %s %s", label, column, n))
			}
		}
	}
	slices.Sort(w.lines)
	return w.lines
}
