package evidence

import (
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// The classes of a row.
const (
	ClassFact        = "F"
	ClassHeuristic   = "H"
	ClassAttribution = "A"
	ClassDisclosed   = "D"
	ClassInference   = "I"
)

// ledger writes the rows, with what can be proven of each.
func (b *builder) ledger() error {
	ends := map[int]tracer.Terminal{}
	for _, t := range b.traces[0].Terminals {
		if !t.Rests && t.Hop > 0 {
			ends[t.Hop] = t
		}
	}
	prover := newProver(b.src.Raw, b.rec.txs)
	b.d.Ledger = []Row{}
	for _, h := range b.traces[0].Hops {
		r := b.row(h)
		if t, ok := ends[h.ID]; ok {
			r.Ends = string(t.Reason)
			if tag, found := b.decided(h.To, h.Time, t.Reason); found {
				r.Class, r.Confidence = ClassAttribution, tag.Confidence
			}
		}
		p, err := prover.prove(b.ctx, h, r.Block)
		if err != nil {
			return err
		}
		r.Grade, r.Why, r.Proof = p.grade.String(), p.why, p.file
		b.d.Ledger = append(b.d.Ledger, r)
	}
	b.d.Proofs = prover.files()
	return nil
}

func (b *builder) row(h tracer.Hop) Row {
	r := Row{
		ID: rowID(h.ID), Depth: h.Depth, Network: string(h.Chain), Tx: hashText(h.Chain, h.Tx), Index: tracer.IndexText(h.Chain, h.Kind, h.Index),
		Place: placeOf(h.At), Block: b.blocks[blockKey(string(h.Chain), h.At.Pos.Height())], Time: timeOf(h.Time), From: addressText(h.From), To: addressText(h.To),
		Asset: h.Asset.String(), Amount: h.Amount.String(), Traced: h.Dirty.String(), Shares: sharesOf(h.Shares), Class: ClassFact,
		Check: checkOf(h),
	}
	if h.Parent > 0 {
		r.Parent = rowID(h.Parent)
	}
	for _, a := range h.FromOthers {
		r.FromOthers = append(r.FromOthers, addressText(a))
	}
	if h.Grade == ledger.GradeInferred {
		r.Class = ClassInference
	}
	if h.Chain.Family() == ledger.FamilyService {
		r.Class = ClassDisclosed
	}
	if h.Crossing != nil {
		r.Crossing, r.Tier = crossingOf(h.Crossing), h.Crossing.Tier
		if h.Crossing.Tier != "T0" {
			r.Class, r.Heuristic = ClassHeuristic, h.Crossing.Rule
		}
	}
	r.USD, r.USDSource = b.worth(h.Dirty, h.Asset, h.Time)
	return r
}

// decided is the label by which a trace ended at an address, if one did.
func (b *builder) decided(a ledger.Address, at int64, reason tracer.Reason) (best ledger.Tag, found bool) {
	switch reason {
	case tracer.StoppedByUser, tracer.SuspectedService, tracer.Burn, tracer.Pending, tracer.Pruned, tracer.UnsupportedAsset:
		return best, false
	case tracer.Unspent, tracer.Frozen, tracer.Service, tracer.DepositAddress, tracer.Mixer, tracer.CoinJoin, tracer.BridgeUnmatched,
		tracer.Contract, tracer.Seized, tracer.NotCovered:
	}
	for _, t := range b.rec.tags[a] {
		if t.ValidAt(at) && t.Confidence >= tracer.MinTagConfidence && (!found || t.Confidence > best.Confidence) {
			best, found = t, true
		}
	}
	return best, found
}

// checkOf is what to ask of any node or explorer to see the transfer.
func checkOf(h tracer.Hop) string {
	tx := hashText(h.Chain, h.Tx)
	switch h.Chain.Family() { //nolint:exhaustive // the rest is no chain
	case ledger.FamilyBitcoin:
		return "getrawtransaction " + tx + " true"
	case ledger.FamilyEVM:
		return "eth_getTransactionReceipt " + tx
	case ledger.FamilyTRON:
		return "wallet/gettransactioninfobyid value=" + tx
	}
	return disclosedBy(h.Chain) + ", row " + tx
}

func disclosedBy(c ledger.Chain) string {
	entity, _ := c.Service()
	return "the answer of " + entity
}
