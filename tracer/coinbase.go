package tracer

import (
	"github.com/spoortrace/spoor/ledger"
)

// gatherCoinbase lays the subsidy and, when fees are followed, the fees of the
// block in transaction order before a coinbase.
func (run *run) gatherCoinbase(s *spending) error {
	paid, err := outputSum(s.tx)
	if err != nil {
		return err
	}
	if !run.req.FeesToCoinbase {
		s.in, s.total = push(nil, Segment{Clean, paid}), paid
		return nil
	}
	var line []Segment
	var fees ledger.Amount
	for tx, err := range run.idx.BlockTxs(run.ctx, s.tx.Chain, s.tx.Pos.Height()) {
		if err != nil {
			return err
		}
		if tx.Coinbase {
			continue
		}
		fee, err := feeOf(tx)
		if err != nil {
			return err
		}
		if fees, err = fees.Add(fee); err != nil {
			return err
		}
		line = run.takeFee(s, line, tx, fee)
	}
	subsidy := paid.SubFloor(fees)
	s.in = push(nil, Segment{Clean, subsidy})
	for _, seg := range line {
		s.in = push(s.in, seg)
	}
	s.total, err = subsidy.Add(fees)
	return err
}

func (run *run) takeFee(s *spending, line []Segment, tx ledger.Tx, fee ledger.Amount) []Segment {
	key := place{tx.Chain, tx.Pos}
	p, traced := run.fees[key]
	if !traced {
		return push(line, Segment{Clean, fee})
	}
	delete(run.fees, key)
	for _, seg := range p.segs {
		line = push(line, seg)
	}
	s.set = union(s.set, p.set)
	s.addSource(ledger.Address{}, p.hop, p.depth)
	return line
}

// fee ends what the miner took, or sends it on to the coinbase of the block.
func (run *run) fee(s *spending, p parcel) error {
	if p.dirty().IsZero() {
		return nil
	}
	asset := ledger.NativeAsset(s.tx.Chain)
	run.flow.end(s.node, spot{asset: asset}, p.total())
	if !run.req.FeesToCoinbase || s.tx.Coinbase {
		return run.tally(asset).add(p.segs, feesField)
	}
	for tx, err := range run.idx.BlockTxs(run.ctx, s.tx.Chain, s.tx.Pos.Height()) {
		if err != nil {
			return err
		}
		if tx.Coinbase {
			run.fees[place{s.tx.Chain, s.tx.Pos}] = s.feeParcel(p, asset)
			return run.push(item{chain: tx.Chain, at: ledger.Point{Pos: tx.Pos}, seed: -1})
		}
	}
	return run.tally(asset).add(p.segs, feesField)
}

func (s *spending) feeParcel(p parcel, asset ledger.Asset) feeParcel {
	fee := feeParcel{
		parcel: p, asset: asset, txID: s.tx.ID, slot: uint32(len(s.tx.Outputs)),
		hop: s.parent, depth: s.depth, time: s.tx.Time,
	}
	if len(s.from) > 0 {
		fee.from = s.from[0]
	}
	return fee
}
