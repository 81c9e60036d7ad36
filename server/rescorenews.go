package server

import (
	"context"
	"errors"
	"maps"

	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// blocksBehind is from how many new blocks or labels on everything is scored
// again, rather than what they touch.
const blocksBehind = 10_000

// blocksAtOnce is how many blocks one look reads at most.
const blocksAtOnce = 256

// labelsSeen names the mark of the label log among those of networks.
const labelsSeen = "labels"

// news is what changed since the last look.
type news struct {
	noticed  map[string]bool           // the evidence of what was noted
	moved    map[string]uint64         // addresses, NETWORK:ADDRESS, with the last block that touches them
	frozen   map[string]ledger.Noted   // freezes and their ends, by the address that they are about
	known    map[string]bool           // addresses and clusters of which something else is known than before
	replaced map[ledger.Chain]uint64   // first height that was replaced
	all      bool                      // everything is to be scored again
	more     bool                      // there are further blocks
	marks    map[string]screening.Mark // how far this goes, by network, and of the label log
}

// news collects what a look is about. A network that was never looked at begins at its tip.
func (r *rescorer) news(ctx context.Context, v *view) (*news, error) {
	n := &news{
		noticed: map[string]bool{}, moved: map[string]uint64{}, frozen: map[string]ledger.Noted{}, known: map[string]bool{},
		replaced: map[ledger.Chain]uint64{}, marks: map[string]screening.Mark{},
	}
	for _, c := range v.Chains() {
		if err := r.newBlocks(ctx, v, c, n); err != nil {
			return nil, err
		}
	}
	return n, r.newLabels(ctx, v, n)
}

func (r *rescorer) newBlocks(ctx context.Context, v *view, c ledger.Chain, n *news) error {
	head, err := v.AsOf(ctx, c)
	if err != nil {
		return err
	}
	digest, err := v.DigestAt(ctx, c, head.Height)
	if err != nil || r.tips[c] == digest {
		return err
	}
	mark, seen, err := r.store.Seen(string(c))
	if err != nil {
		return err
	}
	extent, err := v.Extent(c)
	if err != nil {
		return err
	}
	below, err := v.DigestAt(ctx, c, mark.Height)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	ref, err := v.BlockRef(ctx, c, mark.Height)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	same := err == nil && ref.Hash == mark.Hash
	switch {
	case !seen:
	case extent.Fetched:
		n.all = true // anything may have come, anywhere
		if extent.Final != nil {
			n.replaced[c] = *extent.Final + 1
		}
	case v.export(c) || head.Height > mark.Height+blocksBehind, same && below != mark.Digest:
		n.all = true // the last: what lies below was completed
	case same && mark.Height == head.Height:
	default:
		if head, err = n.blocks(ctx, v, mark, same, head); err != nil {
			return err
		}
	}
	if digest, err = v.DigestAt(ctx, c, head.Height); err != nil {
		return err
	}
	n.marks[string(c)] = screening.Mark{Height: head.Height, Hash: head.Hash, Digest: digest}
	return nil
}

// blocks reads the blocks after a mark, and returns the last that it read; where
// the mark's own block was replaced, those of the reorg bound below it, too.
func (n *news) blocks(ctx context.Context, v *view, mark screening.Mark, same bool, head ledger.BlockRef) (ledger.BlockRef, error) {
	c, from := head.Chain, mark.Height+1
	if !same {
		from = 0
		if to := v.final(c); to != nil {
			from = *to + 1
		}
		from = min(from, mark.Height)
		n.replaced[c] = from
	}
	if to := from + blocksAtOnce - 1; to < head.Height {
		ref, err := v.BlockRef(ctx, c, to)
		if err == nil {
			head, n.more = ref, true
		} else if !errors.Is(err, ledger.ErrNotFound) { // a gap: all of it at once
			return head, err
		}
	}
	paying := map[ledger.Address]bool{}
	for h := from; h <= head.Height; h++ {
		for tx, err := range v.BlockTxs(ctx, c, h) {
			if err != nil {
				return head, err
			}
			n.transaction(&tx, h)
			if err := joining(ctx, v, &tx, paying); err != nil {
				return head, err
			}
		}
	}
	return head, n.clusters(ctx, v, c, from, paying)
}

func (n *news) transaction(tx *ledger.Tx, height uint64) {
	for _, a := range addressesOf(tx) {
		if !a.IsZero() {
			n.moved[a.Qualified()] = height
		}
	}
	for _, x := range tx.Notices {
		for _, a := range x.Subjects(tx.Chain) {
			n.noticed[noticesOf(a)] = true
		}
		if x.Kind == ledger.NoticeFrozen || x.Kind == ledger.NoticeUnfrozen {
			n.frozen[x.Account.Qualified()] = ledger.Noted{Notice: x, Tx: tx.ID, At: ledger.Point{Pos: tx.Pos, Slot: x.Slot}, Time: tx.Time}
			n.known[x.Account.Qualified()] = true
		}
	}
}

// joining adds those whose clusters a transaction may join: who pays for it
// together and, where it is a Whirlpool, who paid for the Tx0 before it.
func joining(ctx context.Context, v *view, tx *ledger.Tx, paying map[ledger.Address]bool) error {
	if !tx.Chain.UTXO() || tx.Coinbase || len(tx.Inputs) < 2 {
		return nil
	}
	for i := range tx.Inputs {
		paying[tx.Inputs[i].Address] = true
	}
	if cluster.VerdictOf(tx) != cluster.Whirlpool {
		return nil
	}
	for i := range tx.Inputs {
		if tx.Inputs[i].PrevPos == 0 {
			continue
		}
		before, err := v.TxAt(ctx, tx.Chain, tx.Inputs[i].PrevPos)
		if err != nil {
			return err
		}
		for j := range before.Inputs {
			paying[before.Inputs[j].Address] = true
		}
	}
	return nil
}

// clusters notes the clusters that payers were in before a height: by these names
// scores know them that a join changes.
func (n *news) clusters(ctx context.Context, v *view, c ledger.Chain, from uint64, paying map[ledger.Address]bool) error {
	if v.data.entities == nil || len(paying) == 0 || from == 0 {
		return nil
	}
	before, err := v.at(ctx, c, from-1)
	if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, ledger.ErrPrecondition) { // a gap: nothing was known there
		return nil
	}
	if err != nil {
		return err
	}
	defer before.close()
	for a := range paying {
		if a.IsZero() {
			continue
		}
		was, err := before.Cluster(ctx, a)
		if err != nil {
			return err
		}
		is, err := v.Cluster(ctx, a)
		if err != nil {
			return err
		}
		if was.Name != is.Name || was.Size != is.Size {
			n.known[was.Name.Qualified()], n.known[is.Name.Qualified()], n.known[a.Qualified()] = true, true, true
		}
	}
	return nil
}

// at is the view with one network cut at a height.
func (v *view) at(ctx context.Context, c ledger.Chain, height uint64) (*view, error) {
	snap, err := v.data.store.Snapshot(ctx, map[ledger.Chain]uint64{c: height})
	if err != nil {
		return nil, err
	}
	return &view{Snapshot: snap, tags: v.tags, data: v.data}, nil
}

// newLabels collects whom the entries of the label log since the last look are
// about. Large imports, and those that end labels, score everything again instead.
// A log that was never looked at begins at its end.
func (r *rescorer) newLabels(ctx context.Context, v *view, n *news) error {
	sequence := r.data.labels.Sequence()
	if r.sequence == nil {
		mark, seen, err := r.store.Seen(labelsSeen)
		if err != nil {
			return err
		}
		if !seen {
			mark.Height = sequence
			n.marks[labelsSeen] = mark
		}
		r.sequence = &mark.Height
	}
	if *r.sequence == sequence {
		return nil
	}
	n.marks[labelsSeen] = screening.Mark{Height: sequence}
	for _, i := range r.data.labels.Imports() {
		if i.Sequence <= *r.sequence || i.Sequence > sequence {
			continue
		}
		first, count := i.FirstID, uint64(i.Tags)
		if i.Kind == labels.KindRetract {
			first, count = i.Retracts, 1
		}
		if count > blocksBehind || i.Ended > 0 {
			n.all = true
			continue
		}
		for id := first; id < first+count; id++ {
			t, err := r.data.labels.Tag(ctx, id)
			if err != nil {
				return err
			}
			if err := n.label(ctx, v, t.Address); err != nil {
				return err
			}
		}
	}
	return nil
}

// label notes an address and its cluster, to which its label may spread.
func (n *news) label(ctx context.Context, v *view, a ledger.Address) error {
	if a.IsZero() {
		return nil
	}
	n.known[a.Qualified()] = true
	c, err := v.Cluster(ctx, a)
	n.known[c.Name.Qualified()] = true
	return err
}

// evidence is all that the news change, as scores list it.
func (n *news) evidence() map[string]bool {
	all := maps.Clone(n.noticed)
	for e := range n.known {
		all[e] = true
	}
	for a := range n.moved {
		all["events "+a] = true
	}
	return all
}

// nothing reports that there is no news.
func (n *news) nothing() bool {
	return !n.all && len(n.moved) == 0 && len(n.known) == 0 && len(n.replaced) == 0
}
