package tracer

import (
	"context"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// coinKey names an output by the position of its transaction: a transaction
// id alone is not unique (BIP 30).
type coinKey struct {
	chain ledger.Chain
	pos   ledger.Position
	index uint32
}

// coin is an output that holds traced units and was not seen spent.
type coin struct {
	parcel  parcel
	txID    ledger.TxID
	owner   ledger.Address
	via     ledger.Address
	value   ledger.Amount
	hop     int
	depth   int
	time    int64
	spentBy ledger.Position
	node    int // in the flow graph
}

// feeParcel is a traced fee on its way to the coinbase of its block.
type feeParcel struct {
	parcel
	asset ledger.Asset
	txID  ledger.TxID
	slot  uint32 // after the last output
	from  ledger.Address
	hop   int
	depth int
	time  int64
}

// spending is a UTXO transaction with its inputs as segments.
type spending struct {
	tx     ledger.Tx
	in     []Segment
	set    []Label
	total  ledger.Amount
	from   []ledger.Address // owners of traced inputs, in listed order, each once
	parent int
	depth  int // least depth of the traced inputs; 0: none

	converted []*conversion // what bridges pay out in it
	node      int           // in the flow graph

	// What a hop is explained by, beside in: the slots and what they got.
	slots  []ledger.Amount
	filled [][]Segment
}

// outputAt reads an output again. Another transaction in its place means that
// the snapshot's past is not the one that was replayed.
func outputAt(ctx context.Context, idx Index, key coinKey, id ledger.TxID) (ledger.Output, error) {
	tx, err := idx.TxAt(ctx, key.chain, key.pos)
	if err == nil && (tx.ID != id || int(key.index) >= len(tx.Outputs)) {
		err = ledger.ErrCorrupt
	}
	if err != nil {
		return ledger.Output{}, fmt.Errorf("coin %s:%d: %w", id, key.index, err)
	}
	return tx.Outputs[key.index], nil
}

func (run *run) scheduleCoin(chain ledger.Chain, c *coin) error {
	if c.spentBy == 0 {
		return nil
	}
	return run.push(item{chain: chain, at: ledger.Point{Pos: c.spentBy}, seed: -1})
}

// transaction moves the traced inputs of one UTXO transaction to its outputs.
func (run *run) transaction(chain ledger.Chain, pos ledger.Position, seeds []int, converted []*conversion) error {
	tx, err := run.idx.TxAt(run.ctx, chain, pos)
	if err != nil {
		return fmt.Errorf("transaction at %d: %w", pos, err)
	}
	s := &spending{tx: tx, converted: converted}
	if tx.Coinbase {
		err = run.gatherCoinbase(s)
	} else {
		err = run.gather(s)
	}
	if err != nil {
		return fmt.Errorf("transaction %s: %w", tx.ID, err)
	}
	slots, err := slotsOf(tx, s.total)
	if err != nil {
		return fmt.Errorf("transaction %s: %w", tx.ID, err)
	}
	filled := run.req.Policy.split(s.in, slots)
	s.slots, s.filled = slots, filled
	for i := range tx.Outputs {
		if err := run.output(s, uint32(i), s.parcelOf(filled[i]), run.seedsAt(seeds, uint32(i))); err != nil {
			return err
		}
	}
	return run.fee(s, s.parcelOf(filled[len(tx.Outputs)]))
}

// gather takes the traced coins that a transaction spends and lays its inputs
// in line. Unknown inputs together are one clean lot of what the outputs need
// beyond the known ones, at the place of the first; a lower bound.
func (run *run) gather(s *spending) error {
	known, err := knownInputs(s.tx)
	if err != nil {
		return err
	}
	paid, err := outputSum(s.tx)
	if err != nil {
		return err
	}
	assumed := paid.SubFloor(known)
	missing := false
	for _, in := range s.tx.Inputs {
		if !in.Known {
			if !missing {
				s.in = push(s.in, Segment{Clean, assumed})
				run.inputs = append(run.inputs, Inputs{Chain: s.tx.Chain, Tx: s.tx.ID, Assumed: assumed})
			}
			missing = true
			continue
		}
		run.takeInput(s, in)
	}
	if !missing && known.Less(paid) {
		return fmt.Errorf("%s in, %s out: %w", known, paid, ledger.ErrCorrupt)
	}
	s.total = known
	if missing {
		s.total = ledger.Max(known, paid)
	}
	return nil
}

func (run *run) takeInput(s *spending, in ledger.Input) {
	key := coinKey{s.tx.Chain, in.PrevPos, in.Prev.Index}
	c := run.coins[key]
	// The id is compared too: position 0, where the index does not hold the
	// spent transaction, is also the place of the chain's first one.
	if c == nil || c.txID != in.Prev.Tx {
		s.in = push(s.in, Segment{Clean, in.Value})
		return
	}
	delete(run.coins, key)
	if g := run.flow; g != nil {
		if s.node == 0 {
			s.node = g.node()
		}
		g.edge(c.node, s.node, c.value, 0)
	}
	for _, seg := range c.parcel.segs {
		s.in = push(s.in, seg)
	}
	s.set = union(s.set, c.parcel.set)
	s.addSource(c.owner, c.hop, c.depth)
}

func (s *spending) addSource(owner ledger.Address, hop, depth int) {
	if s.depth == 0 {
		s.parent = hop
	}
	if s.depth == 0 || depth < s.depth {
		s.depth = depth
	}
	for _, a := range s.from {
		if a == owner {
			return
		}
	}
	if !owner.IsZero() {
		s.from = append(s.from, owner)
	}
}

// output lays the seeds of an output over its slot and puts the traced units
// into a coin, or ends them.
func (run *run) output(s *spending, index uint32, carried parcel, seeds []int) error {
	out := s.tx.Outputs[index]
	carried, bridged, err := run.bridgedIn(s, out, carried)
	if err != nil {
		return err
	}
	p, err := run.markSeeds(carried, seeds)
	if err != nil || p.dirty().IsZero() {
		return err
	}
	node := run.flow.made(s.node, ledger.NativeAsset(s.tx.Chain), out.Value, run.seedsOf(seeds))
	a := &arrival{parcel: p, work: s.working(run.watch, index), node: node, Hop: Hop{
		Depth: 1, Chain: s.tx.Chain, Tx: s.tx.ID, Index: index,
		At: ledger.Point{Pos: s.tx.Pos, Slot: index}, Time: s.tx.Time, To: out.Address,
		Asset: ledger.NativeAsset(s.tx.Chain), Amount: out.Value, Grade: s.tx.Grade,
	}}
	if len(s.tx.Inputs) > 0 {
		a.From = s.tx.Inputs[0].Address
	}
	if !carried.dirty().IsZero() {
		a.Parent = s.parent
		if len(s.from) > 0 {
			a.From, a.FromOthers = s.from[0], s.from[1:]
		}
		if len(seeds) == 0 {
			a.Depth = s.depth + 1
		}
	}
	if bridged != nil && a.Parent == 0 {
		a.Parent, a.Depth = bridged.step.Parent, bridged.step.Depth
	}
	if crossed, err := run.cross(a, &ledger.Transfer{Slot: index, From: out.Address, To: out.Address, Asset: a.Asset, Amount: out.Value}, &s.tx); err != nil || crossed {
		return err
	}
	stays, err := run.settle(a, false)
	if err != nil || !stays {
		return err
	}
	run.flow.leak(a, run.req.FloorOf(a.Asset))
	c := &coin{
		node: node, parcel: p, txID: s.tx.ID, owner: out.Address, via: a.From, value: out.Value,
		hop: a.ID, depth: a.Depth, time: s.tx.Time, spentBy: out.SpentBy,
	}
	run.coins[coinKey{s.tx.Chain, s.tx.Pos, index}] = c
	return run.scheduleCoin(s.tx.Chain, c)
}

// bridgedIn lays what a bridge pays out over the output that it is.
func (run *run) bridgedIn(s *spending, out ledger.Output, p parcel) (parcel, *conversion, error) {
	for i, v := range s.converted {
		if v == nil || v.step.To != out.Address || v.step.Amount != out.Value {
			continue
		}
		s.converted[i] = nil
		var laid []Segment
		for _, seg := range v.parcel.segs {
			segs, marked := mark(p.segs, seg.Label, seg.Amount)
			p.segs = segs
			laid = push(laid, Segment{seg.Label, marked})
		}
		if len(v.parcel.set) > 0 {
			p.set = union(p.set, v.parcel.set)
			p.segs = push(nil, Segment{Tainted, p.total()})
		}
		return p, v, run.tally(v.step.Asset).add(laid, convertedIn)
	}
	return p, nil, nil
}

// parcelOf carries the inputs' labels along where the policy keeps a set.
func (s *spending) parcelOf(segs []Segment) parcel {
	p := parcel{segs: segs}
	if !p.dirty().IsZero() {
		p.set = s.set
	}
	return p
}

func (run *run) seedsAt(seeds []int, index uint32) []int {
	var at []int
	for _, i := range seeds {
		if run.req.Seeds[i].Index == index {
			at = append(at, i)
		}
	}
	return at
}

// slotsOf returns the outputs' values and what is left of total: the fee.
func slotsOf(tx ledger.Tx, total ledger.Amount) ([]ledger.Amount, error) {
	paid, err := outputSum(tx)
	if err != nil {
		return nil, err
	}
	slots := make([]ledger.Amount, 0, len(tx.Outputs)+1)
	for _, o := range tx.Outputs {
		slots = append(slots, o.Value)
	}
	return append(slots, total.Minus(paid)), nil
}

func outputSum(tx ledger.Tx) (sum ledger.Amount, err error) {
	for _, o := range tx.Outputs {
		if sum, err = sum.Add(o.Value); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func knownInputs(tx ledger.Tx) (sum ledger.Amount, err error) {
	for _, in := range tx.Inputs {
		if !in.Known {
			continue
		}
		if sum, err = sum.Add(in.Value); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// feeOf is what a transaction's known inputs exceed its outputs by.
func feeOf(tx ledger.Tx) (ledger.Amount, error) {
	known, err := knownInputs(tx)
	if err != nil {
		return ledger.Amount{}, err
	}
	paid, err := outputSum(tx)
	return known.SubFloor(paid), err
}
