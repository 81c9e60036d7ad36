package store

// The sizes above which a kind of row is not carried into the next batch: what
// the maps may hold in memory beside the batch itself, about 200 MB in all.
const (
	carryNames   = 400_000
	carryHomes   = 150_000
	carryRecords = 150_000
	carryBuckets = 10_000
)

// carry returns an empty batch on the state that this one published. It keeps
// the rows that this one has in memory, so that a run does not read back what
// it has just written; that is sound because nobody else writes.
func (b *batch) carry(h head, r rows) *batch {
	next := newBatch(h, r, b.raw)
	next.dust, next.assets = b.dust, b.assets
	if len(b.ids) <= carryNames {
		next.ids, next.owners = b.ids, b.owners
	}
	if len(b.homes) <= carryHomes {
		next.homes, next.payees = b.homes, b.payees
		clean(b.homes, (*dirtyHome).clean)
		clean(b.payees, func(p *dirtyPayees) { p.dirty = false })
	}
	if len(b.records)+len(b.parts) <= carryRecords {
		next.records, next.parts = b.records, b.parts
		clean(b.records, func(r *dirtyRecord) { r.dirty = false })
		clean(b.parts, func(p *dirtyPart) { p.dirty = false })
	}
	if len(b.buckets)+len(b.lists) <= carryBuckets {
		next.buckets, next.lists = b.buckets, b.lists
		clean(b.buckets, func(d *dirtyBucket) { d.dirty = false })
		clean(b.lists, func(l *dirtyList) { l.dirty = false })
	}
	return next
}

func clean[K comparable, V any](rows map[K]V, one func(V)) {
	for _, v := range rows {
		one(v)
	}
}

func (h *dirtyHome) clean() {
	h.dirty, h.grown = false, false
	for _, a := range h.accounts {
		if a != nil {
			a.dirty = false
		}
	}
}
