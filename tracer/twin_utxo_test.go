package tracer_test

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// twinCoin is an unspent output of the twin.
type twinCoin struct {
	load
	at ledger.Point
}

// coins runs every transaction of a UTXO chain. Of two transactions with one
// id (BIP 30) a spend means the later one.
func (w *twin) coins(txs []ledger.Tx) {
	unspent := map[ledger.OutPoint]twinCoin{}
	var lost []twinCoin // overwritten by a transaction with the same id
	fees := map[uint64][]load{}
	for _, tx := range txs {
		in := w.inputs(tx, unspent, fees[tx.Pos.Height()])
		loads := w.fill(in, tx)
		for i, o := range tx.Outputs {
			l := w.seed(loads[i], ledger.Point{Pos: tx.Pos}, i)
			out, at := ledger.OutPoint{Tx: tx.ID, Index: uint32(i)}, ledger.Point{Pos: tx.Pos, Slot: uint32(i)}
			w.note(fmt.Sprintf("hop %d:%d", at.Pos, at.Slot), "", l)
			if o.Address.Burn() {
				w.note(fmt.Sprintf("burnt %d:%d", at.Pos, at.Slot), "burnt", l)
				l = load{lots: []lot{{0, integer(o.Value)}}}
			}
			if old, ok := unspent[out]; ok {
				lost = append(lost, old)
			}
			unspent[out] = twinCoin{l, at}
		}
		fee := loads[len(tx.Outputs)]
		if w.fees && !tx.Coinbase && hasCoinbase(txs, tx.Pos.Height()) {
			fees[tx.Pos.Height()] = append(fees[tx.Pos.Height()], fee)
		} else {
			w.note("", "fees", fee)
		}
	}
	for _, c := range unspent {
		lost = append(lost, c)
	}
	for _, c := range lost {
		w.note(fmt.Sprintf("rests %d:%d", c.at.Pos, c.at.Slot), "resting", c.load)
	}
}

func hasCoinbase(txs []ledger.Tx, height uint64) bool {
	return slices.ContainsFunc(txs, func(tx ledger.Tx) bool { return tx.Coinbase && tx.Pos.Height() == height })
}

// inputs lays the inputs of a transaction in line and removes the coins that they spend.
func (w *twin) inputs(tx ledger.Tx, unspent map[ledger.OutPoint]twinCoin, fees []load) load {
	paid := new(big.Int)
	for _, o := range tx.Outputs {
		paid.Add(paid, integer(o.Value))
	}
	if tx.Coinbase {
		return coinbaseLine(paid, fees)
	}
	line, known, unknownAt := load{set: map[int]bool{}}, new(big.Int), -1
	for _, in := range tx.Inputs {
		c, held := unspent[in.Prev]
		switch {
		case held:
			delete(unspent, in.Prev)
			line.lots = append(line.lots, c.lots...)
			known.Add(known, sum(c.lots, false))
			for k := range c.set {
				line.set[k] = true
			}
		case in.Known:
			line.lots = append(line.lots, lot{0, integer(in.Value)})
			known.Add(known, integer(in.Value))
		case unknownAt < 0:
			unknownAt = len(line.lots)
			line.lots = append(line.lots, lot{0, new(big.Int)})
		}
	}
	if unknownAt >= 0 {
		line.lots[unknownAt].n = maxOf(new(big.Int), new(big.Int).Sub(paid, known))
	}
	return line
}

// coinbaseLine is the subsidy, then the fees of the block in order of its transactions.
func coinbaseLine(paid *big.Int, fees []load) load {
	line, total := load{set: map[int]bool{}}, new(big.Int)
	for _, fee := range fees {
		line.lots = append(line.lots, fee.lots...)
		total.Add(total, sum(fee.lots, false))
		if fee.dirty() {
			for k := range fee.set {
				line.set[k] = true
			}
		}
	}
	subsidy := maxOf(new(big.Int), new(big.Int).Sub(paid, total))
	line.lots = append([]lot{{0, subsidy}}, line.lots...)
	return line
}

// fill deals a line of inputs out to the outputs and the fee, which is what they leave.
func (w *twin) fill(in load, tx ledger.Tx) []load {
	var slots []*big.Int
	rest := sum(in.lots, false)
	for _, o := range tx.Outputs {
		slots = append(slots, integer(o.Value))
		rest = new(big.Int).Sub(rest, integer(o.Value))
	}
	slots = append(slots, rest)
	loads := make([]load, len(slots))
	switch w.policy {
	case "fifo", "lifo":
		if w.policy == "lifo" {
			slices.Reverse(in.lots)
		}
		at := new(big.Int)
		for i, slot := range slots {
			loads[i] = load{lots: cut(in.lots, at, slot)}
			at = new(big.Int).Add(at, slot)
		}
	case "poison":
		label := 0
		if in.dirty() {
			label = -1
		}
		for i, slot := range slots {
			loads[i] = load{lots: []lot{{label, slot}}}
			if label != 0 && slot.Sign() > 0 {
				loads[i].set = in.set
			}
		}
	default:
		quotas, order := w.quotas(in, slots)
		pool := perLabel(in.lots)
		for _, i := range order {
			part := overLabels(pool, quotas[i])
			loads[i] = load{lots: append([]lot{{0, new(big.Int).Sub(slots[i], quotas[i])}}, part...)}
		}
	}
	return loads
}

// quotas says how many dirty units each slot gets and in which order the labels are dealt.
func (w *twin) quotas(in load, slots []*big.Int) (quotas []*big.Int, order []int) {
	for i := range slots {
		order = append(order, i)
	}
	dirty, fee := sum(in.lots, true), len(slots)-1
	switch w.policy {
	case "haircut":
		return largestRemainder(dirty, slots), order
	case "tiho":
		slices.SortStableFunc(order, func(a, b int) int {
			if a == fee || b == fee {
				return a - b
			}
			return slots[b].Cmp(slots[a])
		})
		return pour(dirty, slots, order), order
	case "libr":
		kept := pour(clean(in.lots), slots, order)
		for i, slot := range slots {
			quotas = append(quotas, new(big.Int).Sub(slot, kept[i]))
		}
		return quotas, order
	}
	return pour(dirty, slots, order), order
}

func pour(n *big.Int, slots []*big.Int, order []int) []*big.Int {
	got := make([]*big.Int, len(slots))
	for _, i := range order {
		got[i] = minOf(n, slots[i])
		n = new(big.Int).Sub(n, got[i])
	}
	return got
}
