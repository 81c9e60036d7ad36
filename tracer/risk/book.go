package risk

import (
	"context"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// book is what one screening has found out so far.
type book struct {
	idx     Index
	options Options
	rules   *Rules
	network ledger.Chain
	cluster ledger.Cluster
	members map[ledger.Address]bool
	known   map[ledger.Address][]ledger.Tag
	events  int  // of the screened cluster that count
	steps   int  // of others, that the replays follow
	scanned int  // read in all, dust and zero values too
	cut     bool // the cluster's own history was not read to its end
	limits  []string
	used    map[string]bool // heuristics
}

func newBook(idx Index, rules *Rules, o Options) *book {
	if o.Events == 0 {
		o.Events = 20_000
	}
	if o.Hops == 0 {
		o.Hops = 12
	}
	if o.Paths == 0 {
		o.Paths = 3
	}
	return &book{idx: idx, options: o, rules: rules, members: map[ledger.Address]bool{}, known: map[ledger.Address][]ledger.Tag{}, used: map[string]bool{}}
}

// maxScanned bounds what is read in all. Dust does not use up Options.Events: else
// whoever sends enough of it would choose what is looked into.
const maxScanned = 1_000_000

// limit notes once what was left out.
func (b *book) limit(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(b.limits, text) {
		b.limits = append(b.limits, text)
	}
}

// entity is who an address is known to be.
type entity struct {
	tag      *ledger.Tag // of the book's; not changed
	category string      // empty: nobody says
	own      bool
}

// tags returns those of an address and of its cluster's definers.
func (b *book) tags(ctx context.Context, a ledger.Address) ([]ledger.Tag, error) {
	if tags, ok := b.known[a]; ok {
		return tags, nil
	}
	tags, err := b.idx.Tags(ctx, a)
	if err != nil {
		return nil, err
	}
	if a.Chain.UTXO() {
		c, err := b.idx.Cluster(ctx, a)
		if err != nil {
			return nil, err
		}
		spread, err := b.idx.ClusterTags(ctx, c)
		if err != nil {
			return nil, err
		}
		tags = slices.Clone(tags)
		for _, t := range spread {
			if t.Address != a {
				tags = append(tags, t)
				b.used["co-spend"] = true
			}
		}
	}
	b.known[a] = tags
	return tags, nil
}

// entity returns the attribution that counts at a time (Unix milliseconds, asked
// for only if a tag does not hold always): of
// those with a category and confidence enough, the most confident, of these the one
// with the most severe category, of these the first in the label log.
func (b *book) entity(ctx context.Context, a ledger.Address, when func() (int64, error)) (entity, error) {
	if b.options.Own != nil && b.options.Own(a) {
		return entity{own: true}, nil
	}
	tags, err := b.tags(ctx, a)
	if err != nil {
		return entity{}, err
	}
	var best, blocked entity
	for i := range tags {
		t := &tags[i]
		if !says(t) {
			continue
		}
		if t.ValidFrom != 0 || t.ValidTo != 0 {
			ms, err := when()
			if err != nil {
				return entity{}, err
			}
			if !t.ValidAt(ms) {
				continue
			}
		}
		if t.Category == "issuer_frozen" {
			if blocked.tag == nil {
				blocked = entity{tag: t, category: t.Category}
			}
			continue
		}
		if best.tag == nil || t.Confidence > best.tag.Confidence ||
			t.Confidence == best.tag.Confidence && b.rules.severity(t.Category) > b.rules.severity(best.category) {
			best = entity{tag: t, category: t.Category}
		}
	}
	if blocked.tag != nil && (best.tag == nil || b.rules.severity(blocked.category) > b.rules.severity(best.category)) {
		return blocked, nil
	}
	return best, nil
}

// neutral are categories that say nothing of who owns an address.
func neutral(category string) bool {
	switch category {
	case "", "none", "smart_contract", "token_smart_contract", "unnamed_service":
		return true
	}
	return false
}

func counts(t *ledger.Tag, ms int64) bool { return says(t) && t.ValidAt(ms) }

// says reports a tag that says of its address who owns it, with confidence enough.
func says(t *ledger.Tag) bool {
	return t.Tx == nil && !neutral(t.Category) && t.Confidence >= tracer.MinTagConfidence
}

// owns reports an address of the screened cluster.
func (b *book) owns(ctx context.Context, a ledger.Address) (bool, error) {
	if b.cluster.Size == 1 { // it bears its address as its name
		return a == b.cluster.Name, nil
	}
	if b.members[a] {
		return true, nil
	}
	if b.cluster.Size <= uint64(len(b.members)) || a.IsZero() {
		return false, nil
	}
	// A cluster larger than what was read: its name tells.
	c, err := b.idx.Cluster(ctx, a)
	return err == nil && c.Name == b.cluster.Name, err
}
