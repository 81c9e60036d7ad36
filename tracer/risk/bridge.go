package risk

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// bridge sends value over to the other leg of a bridge. What has none ends at the bridge:
// under its label, or as an exposure of the category bridge that needs no label.
func (r *replay) bridge(n ledger.Notice, chain ledger.Chain, vault ledger.Holder, v value, d depth, by *trail, who entity) error {
	c, ok, err := r.otherLeg(n, chain, by.step.At.Pos)
	if err != nil {
		return err
	}
	if ok {
		return r.convert(c, vault.Asset, v, d, by)
	}
	if who.category == "" {
		protocol, _, _ := strings.Cut(n.Ref, ":")
		tag := ledger.Tag{Address: vault.Address, Chain: chain, Label: protocol, Source: "docs/method.md, Crossings", Category: "bridge", Confidence: tracer.MinTagConfidence}
		who = entity{tag: &tag, category: tag.Category}
	}
	r.absorb(vault, who, v, d, by)
	return nil
}

// noted is a notice of some network.
type noted struct {
	ledger.Noted
	chain ledger.Chain
	clock int64
}

// otherLeg finds the other leg by the id of a bridge: there must be one payment in and
// one out under it, on two networks, in this order. false: nothing is claimed.
func (r *replay) otherLeg(n ledger.Notice, chain ledger.Chain, pos ledger.Position) (crossing, bool, error) {
	outs, err := r.legs(n.Ref, ledger.NoticeBridgeOut, "")
	if err != nil || len(outs) != 1 {
		return crossing{}, false, err
	}
	out := outs[0]
	ins, err := r.legs(n.Ref, ledger.NoticeBridgeIn, out.chain)
	if err != nil || len(ins) != 1 {
		return crossing{}, false, err
	}
	in := ins[0]
	if cmp.Or(cmp.Compare(out.clock, in.clock), cmp.Compare(out.chain, in.chain)) >= 0 {
		return crossing{}, false, nil
	}
	here, there := out, in
	if r.back {
		here, there = in, out
	}
	if here.chain != chain || here.At.Pos != pos || here.Amount.IsZero() || there.Amount.IsZero() {
		return crossing{}, false, nil
	}
	c := crossing{gave: here.Amount, got: there.Amount, time: there.Time, tx: there.Tx, bridge: true}
	c.to = ledger.Holder{Address: there.Account, Asset: there.Asset}
	c.nearer = !chain.UTXO() && here.Account.Kind == there.Account.Kind && here.Account.Payload == there.Account.Payload
	ok, err := r.paid(&c, &there)
	return c, ok, err
}

// legs lists what is noted under a ref on any network but one; of more than two, two.
func (r *replay) legs(ref string, kind ledger.NoticeKind, but ledger.Chain) ([]noted, error) {
	var found []noted
	for _, chain := range r.idx.Chains() {
		if chain == but {
			continue
		}
		for n, err := range r.idx.Notices(r.ctx, ledger.RefAddress(chain, ref), ledger.Point{}) {
			if err != nil {
				return nil, err
			}
			if n.Kind != kind {
				continue
			}
			clock, err := r.clockOf(chain, n.At.Pos)
			if err != nil {
				return nil, err
			}
			if found = append(found, noted{n, chain, clock}); len(found) > 1 {
				return found, nil
			}
		}
	}
	return found, nil
}

// paid finds the transfer or output that a notice tells of; false: there is none.
func (r *replay) paid(c *crossing, n *noted) (bool, error) {
	tx, err := r.idx.TxAt(r.ctx, n.chain, n.At.Pos)
	if err != nil {
		return false, err
	}
	for i := range tx.Outputs {
		if o := &tx.Outputs[i]; o.Address == n.Account && o.Value == n.Amount {
			c.index, c.at = uint32(i), ledger.Point{Pos: tx.Pos, Slot: uint32(i)}
			return true, nil
		}
	}
	found := false
	for i := range tx.Transfers {
		t := &tx.Transfers[i]
		if one, ok := tracer.BridgeLeg(&tx, t, n.Kind); ok && one.Slot == n.Slot && t.Status != ledger.StatusFailed && (!found || t.Slot == n.Slot) {
			c.index, c.at, found = t.Index, ledger.Point{Pos: tx.Pos, Slot: t.Slot}, true
		}
	}
	return found, nil
}

type clockKey struct {
	chain  ledger.Chain
	height uint64
}

// clockOf is when something happened, in the order across networks.
func (r *replay) clockOf(chain ledger.Chain, pos ledger.Position) (int64, error) {
	key := clockKey{chain, pos.Height()}
	if ms, ok := r.clocks[key]; ok {
		return ms, nil
	}
	ms, err := r.idx.Clock(r.ctx, chain, key.height)
	if err == nil {
		if r.clocks == nil {
			r.clocks = map[clockKey]int64{}
		}
		r.clocks[key] = ms
	}
	return ms, err
}

// push queues an item of a network. Clocks are read only where there are two.
func (r *replay) push(chain ledger.Chain, it *item) error {
	q := &r.queue
	n := slices.Index(q.networks, chain)
	if n < 0 {
		n = len(q.networks)
		q.networks = append(q.networks, chain)
		if n == 1 {
			for _, other := range q.items {
				var err error
				if other.clock, err = r.clockOf(q.networks[0], other.at.Pos); err != nil {
					return err
				}
			}
		}
	}
	it.network = uint8(n)
	if len(q.networks) > 1 {
		var err error
		if it.clock, err = r.clockOf(chain, it.at.Pos); err != nil {
			return err
		}
	}
	heap.Push(q, it)
	return nil
}
