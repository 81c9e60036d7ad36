package labels

import (
	"context"
	"fmt"
	"iter"

	"github.com/spoortrace/spoor/ledger"
)

// sees reports whether a tag holds in the view: not retracted by then, and not
// another's private one. The log's lock is held.
func (v *View) sees(t ledger.Tag) bool {
	at, gone := v.log.index.retracted[t.ID]
	return (!gone || at > v.sequence) && (t.Tenant == "" || t.Tenant == v.tenant)
}

// Definers yields the tags of a network that speak for the whole cluster of
// their address, in log order. Tags that do not are passed over without a read,
// so that the cost is that of the definers. It ends early with an error:
// ledger.ErrCorrupt, or the context's.
func (v *View) Definers(ctx context.Context, c ledger.Chain) iter.Seq2[ledger.Tag, error] {
	return v.each(ctx, c, func(e entry) bool { return e.definer })
}

// All yields every tag of a network, in log order.
func (v *View) All(ctx context.Context, c ledger.Chain) iter.Seq2[ledger.Tag, error] {
	return v.each(ctx, c, func(entry) bool { return true })
}

// each reads the entries that are wanted. It holds the log's lock while it looks
// at one tag and not while the caller does: entries of a batch never change.
func (v *View) each(ctx context.Context, c ledger.Chain, want func(entry) bool) iter.Seq2[ledger.Tag, error] {
	return func(yield func(ledger.Tag, error) bool) {
		entries, chain := v.entries(), uint16(v.log.index.hash(string(c)))
		for i, e := range entries {
			if i%4096 == 0 && ctx.Err() != nil {
				yield(ledger.Tag{}, ctx.Err())
				return
			}
			if e.chain != chain || !want(e) {
				continue
			}
			t, ok, err := v.at(uint64(i)+1, e)
			if err != nil {
				yield(t, err)
				return
			}
			if ok && t.Chain == c && !yield(t, nil) {
				return
			}
		}
	}
}

// entries returns those up to the view's sequence.
func (v *View) entries() []entry {
	v.log.mu.RLock()
	defer v.log.mu.RUnlock()
	x := &v.log.index
	if v.sequence == 0 {
		return nil
	}
	return x.entries[:x.lastID[v.sequence-1]]
}

// at reads one tag; false for one that does not hold in the view.
func (v *View) at(id uint64, e entry) (ledger.Tag, bool, error) {
	v.log.mu.RLock()
	defer v.log.mu.RUnlock()
	body, err := readAt(v.log.file, e.offset)
	if err != nil {
		return ledger.Tag{}, false, err
	}
	t, _, ok := decodeTag(body)
	if !ok || t.ID != id {
		return t, false, fmt.Errorf("labels: tag %d at byte %d: %w", id, e.offset, ledger.ErrCorrupt)
	}
	v.log.index.until(&t, v.sequence)
	return t, v.sees(t), nil
}
