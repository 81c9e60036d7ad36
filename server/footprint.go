package server

import (
	"context"
	"iter"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/risk"
)

// maxEvidence bounds what is listed of what a score rests on. Beyond it, the list
// is everything alone: a watch is then scored again with all that is new, a
// transfer by a sweep.
const maxEvidence = 1024

// everything is the evidence of a score that rests on more than is listed.
const everything = "*"

// eventsOf is the evidence that an address has no other transfer: its next one
// changes the score. The address itself, NETWORK:ADDRESS, is the evidence of who
// it is known to be: its labels, freezes and owner; as the name of a cluster, of
// the labels and the members of that cluster.
func eventsOf(a ledger.Address) string { return "events " + a.Qualified() }

// noticesOf is the evidence that nothing further is noted of an account, or under
// the id of a bridge: that one may be the other half of a crossing.
func noticesOf(a ledger.Address) string { return "notices " + a.Qualified() }

// footprint is an index that notes what a score reads of it, as far as blocks and
// labels to come can change it. The past of a block cannot: what was read up to a
// point, or backwards from it, is not noted. It is of one score alone.
type footprint struct {
	risk.Index
	seen map[string]bool
}

func newFootprint(idx risk.Index) *footprint { return &footprint{idx, map[string]bool{}} }

func (f *footprint) note(evidence string) {
	if len(f.seen) <= maxEvidence {
		f.seen[evidence] = true
	}
}

func (f *footprint) noteAddress(a ledger.Address) {
	if !a.IsZero() {
		f.note(a.Qualified())
	}
}

// list is what was noted, in order.
func (f *footprint) list() []string {
	if len(f.seen) > maxEvidence {
		return []string{everything}
	}
	var all []string
	for e := range f.seen {
		all = append(all, e)
	}
	slices.Sort(all)
	return all
}

// options are those of a score whose own addresses are noted, too.
func (f *footprint) options(o risk.Options) risk.Options {
	if own := o.Own; own != nil {
		o.Own = func(a ledger.Address) bool {
			yes := own(a)
			if yes { // of others the tags are asked for next
				f.noteAddress(a)
			}
			return yes
		}
	}
	return o
}

// Tags implements tracer.Index.
func (f *footprint) Tags(ctx context.Context, a ledger.Address) ([]ledger.Tag, error) {
	f.noteAddress(a)
	return f.Index.Tags(ctx, a)
}

// Cluster implements risk.Index. A cluster of one is its address.
func (f *footprint) Cluster(ctx context.Context, a ledger.Address) (ledger.Cluster, error) {
	c, err := f.Index.Cluster(ctx, a)
	f.noteAddress(a)
	f.noteAddress(c.Name)
	return c, err
}

// Events implements tracer.Index. Who reads to the end would see a later event.
func (f *footprint) Events(ctx context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	return func(yield func(ledger.Event, error) bool) {
		for e, err := range f.Index.Events(ctx, h, after) {
			if !yield(e, err) {
				return
			}
		}
		f.note(eventsOf(h.Address))
	}
}

// Covered implements tracer.Index. Of a coin it is asked where nothing spends it yet.
func (f *footprint) Covered(ctx context.Context, h ledger.Holder, from ledger.Position) (bool, error) {
	if h.Address.Chain.UTXO() {
		f.note(eventsOf(h.Address))
	}
	return f.Index.Covered(ctx, h, from)
}

// Notices implements tracer.Index.
func (f *footprint) Notices(ctx context.Context, subject ledger.Address, after ledger.Point) iter.Seq2[ledger.Noted, error] {
	return func(yield func(ledger.Noted, error) bool) {
		for n, err := range f.Index.Notices(ctx, subject, after) {
			if !yield(n, err) {
				return
			}
		}
		f.note(noticesOf(subject))
	}
}

// LatestAssets implements behavior.Index.
func (f *footprint) LatestAssets(ctx context.Context, a ledger.Address, limit int) ([]ledger.Asset, bool, error) {
	f.note(eventsOf(a))
	return f.Index.LatestAssets(ctx, a, limit)
}
