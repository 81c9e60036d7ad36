package tracer_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// byOutput writes an answer by transaction id and output, places folded by fold,
// so that chains which differ in what does not matter can be compared.
func byOutput(tr *tracer.Trace, fold func(ledger.OutPoint) ledger.OutPoint) []string {
	sums := map[string]ledger.Amount{}
	for _, x := range tr.Terminals {
		out := fold(ledger.OutPoint{Tx: x.Tx, Index: x.Index})
		for _, s := range append([]tracer.Segment{{Amount: x.Dirty}}, x.Shares...) {
			key := fmt.Sprintf("%s %s:%d label %d", x.Reason, out.Tx, out.Index, s.Label)
			sums[key] = sums[key].Plus(s.Amount)
		}
	}
	var lines []string
	for key, n := range sums {
		lines = append(lines, key+": "+n.String())
	}
	slices.Sort(lines)
	for _, s := range tr.Sheets {
		lines = append(lines, fmt.Sprintf("%+v %+v", s.Total, s.Rows))
	}
	return lines
}

func same(out ledger.OutPoint) ledger.OutPoint { return out }

func (w *world) traceBy(t *rapid.T, req tracer.Request, fold func(ledger.OutPoint) ledger.OutPoint) []string {
	idx, err := memindex.New(w.blocks, memindex.Options{})
	if err != nil {
		t.Fatalf("index: %v", err)
	}
	return byOutput(mustRun(t, idx, req), fold)
}

// changed copies a chain, with edit over each transaction.
func (w *world) changed(edit func(*ledger.Tx)) *world {
	c := &world{chain: w.chain}
	for _, b := range w.blocks {
		block := *b
		block.Txs = slices.Clone(b.Txs)
		for i := range block.Txs {
			tx := &block.Txs[i]
			tx.Inputs, tx.Outputs = slices.Clone(tx.Inputs), slices.Clone(tx.Outputs)
			edit(tx)
		}
		c.blocks = append(c.blocks, &block)
	}
	return c
}

func eachPolicy(t *rapid.T, seeds []tracer.Seed, ask func(tracer.Request)) {
	for _, name := range policyNames() {
		p, _ := tracer.PolicyByName(name)
		ask(tracer.Request{Seeds: seeds, Policy: p, Floors: noFloor(seeds), FeesToCoinbase: rapid.Bool().Draw(t, "fees")})
	}
}

// relabelled: who owns a coin does not matter where nobody is labelled.
func relabelled(t *rapid.T) {
	w := drawCoins(t)
	seeds := w.drawSeeds(t, 4)
	other := w.changed(func(tx *ledger.Tx) {
		for i, o := range tx.Outputs {
			if !o.Address.Burn() {
				tx.Outputs[i].Address = ledger.ScriptAddress("bitcoin", append([]byte{0x51, 0x20}, o.Address.Key()...))
			}
		}
	})
	eachPolicy(t, seeds, func(req tracer.Request) {
		if d := differ(w.traceBy(t, req, same), other.traceBy(t, req, same)); d != "" {
			t.Fatalf("%s, -original +relabelled:\n%s", req.Policy.Name, d)
		}
	})
}

// padded: transactions that touch nothing of it change nothing, though every
// position moves.
func padded(t *rapid.T) {
	w := drawCoins(t)
	seeds := w.drawSeeds(t, 4)
	other := w.changed(func(*ledger.Tx) {})
	shift := map[uint64]uint32{}
	for _, b := range other.blocks {
		n := rapid.IntRange(0, 3).Draw(t, "strangers")
		shift[b.Ref.Height] = uint32(n)
		for i := range b.Txs {
			b.Txs[i].Pos += ledger.Position(n)
		}
		for i := range n {
			id := fmt.Sprint("stranger ", b.Ref.Height, i)
			b.Txs = append(b.Txs, ledger.Tx{
				ID: txID(id), Chain: "bitcoin", Pos: ledger.At(b.Ref.Height, uint32(i)), Time: b.Ref.Time,
				Inputs:  []ledger.Input{{Prev: ledger.OutPoint{Tx: txID("outside " + id)}, Known: true, Value: ledger.NewAmount(9)}},
				Outputs: []ledger.Output{{Address: named("bitcoin", "person 1"), Value: ledger.NewAmount(9)}},
			})
		}
	}
	eachPolicy(t, seeds, func(req tracer.Request) {
		moved := req
		moved.Seeds = slices.Clone(seeds)
		for i, s := range moved.Seeds {
			moved.Seeds[i].At.Pos += ledger.Position(shift[s.At.Pos.Height()])
		}
		if d := differ(w.traceBy(t, req, same), other.traceBy(t, moved, same)); d != "" {
			t.Fatalf("%s, -original +padded:\n%s", req.Policy.Name, d)
		}
	})
}

// split: a coin and two halves of it, spent side by side, are the same money;
// read backwards it is the law of merging. Rules that round per slot (haircut)
// or sort by value (tiho) are out of it, and the others with several labels,
// where the labels' shares are rounded per slot, too.
func split(t *rapid.T) {
	w := drawCoins(t)
	seeds := w.drawSeeds(t, 3)
	halved := rapid.SampledFrom(w.seeds).Draw(t, "coin")
	v, _ := halved.Amount.Uint64()
	count := 0
	for tx := range w.txs() {
		if tx.ID == halved.Tx {
			count++
		}
	}
	if v < 2 || count > 1 || slices.ContainsFunc(seeds, func(s tracer.Seed) bool { return s.Tx == halved.Tx && s.Index == halved.Index }) {
		t.Skip("not a coin to halve")
	}
	first := rapid.Uint64Range(1, v-1).Draw(t, "first part")
	other := w.changed(func(tx *ledger.Tx) { halve(tx, halved, first, v) })
	for _, name := range []string{"fifo", "lifo", "dirty-first", "libr", "poison"} {
		if len(seeds) > 1 && (name == "dirty-first" || name == "libr") {
			continue
		}
		p, _ := tracer.PolicyByName(name)
		req := tracer.Request{Seeds: seeds, Policy: p, Floors: noFloor(seeds)}
		later := req
		later.Seeds = slices.Clone(seeds)
		for i, s := range seeds {
			if s.Tx == halved.Tx && s.Index > halved.Index {
				later.Seeds[i].Index++
			}
		}
		fold := func(out ledger.OutPoint) ledger.OutPoint {
			if out.Tx == halved.Tx && out.Index > halved.Index {
				out.Index--
			}
			return out
		}
		if d := differ(w.traceBy(t, req, same), other.traceBy(t, later, fold)); d != "" {
			t.Fatalf("%s, -whole +halved:\n%s", name, d)
		}
	}
}

func halve(tx *ledger.Tx, coin tracer.Seed, first, whole uint64) {
	var inputs []ledger.Input
	for _, in := range tx.Inputs {
		if in.Prev.Tx != coin.Tx || in.Prev.Index < coin.Index {
			inputs = append(inputs, in)
			continue
		}
		if in.Prev.Index == coin.Index {
			inputs = append(inputs, in)
		}
		in.Prev.Index++
		inputs = append(inputs, in)
	}
	tx.Inputs = inputs
	if tx.ID != coin.Tx {
		return
	}
	i := int(coin.Index)
	half := tx.Outputs[i]
	half.Value = ledger.NewAmount(whole - first)
	tx.Outputs[i].Value = ledger.NewAmount(first)
	tx.Outputs = slices.Insert(tx.Outputs, i+1, half)
}

func TestRelabelled(t *testing.T) { rapid.Check(t, relabelled) }
func TestPadded(t *testing.T)     { rapid.Check(t, padded) }
func TestSplit(t *testing.T)      { rapid.Check(t, split) }

func FuzzRelabelled(f *testing.F) { fuzz(f, relabelled) }
func FuzzPadded(f *testing.F)     { fuzz(f, padded) }
func FuzzSplit(f *testing.F)      { fuzz(f, split) }
