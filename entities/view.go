package entities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// tip is the clusters of the blocks above a store's last one, on one branch.
type tip struct {
	mu     sync.RWMutex // guards the layer
	l      *layer
	b      *builder
	blocks []built
	done   func()
	users  int // views, and the network while it is its tip
}

// built is a block of a tip: its height, and the digest of all blocks up to it.
type built struct {
	height uint64
	digest ledger.Hash
}

// maxTip is the number of blocks after which a tip is begun anew on top of what
// the store holds by then.
const maxTip = 400

// dropTip takes the network's hold off its tip; the caller holds using.
func (n *network) dropTip() {
	if n.tip != nil {
		n.tip.release()
		n.tip = nil
	}
}

func (t *tip) release() {
	if t.users--; t.users == 0 {
		t.done()
	}
}

// View is the clusters as of one snapshot. It is safe for concurrent use and must
// be closed, before the snapshot.
type View struct {
	set   *Set
	snap  *store.Snapshot
	parts map[ledger.Chain]*part
}

// part is one network of a view.
type part struct {
	n    *network
	t    *tip
	asOf ledger.BlockRef
}

// BehindError says that clusters are built up to a height only, too far below what
// was asked for to catch up within a question. Update brings them on.
type BehindError struct {
	Chain ledger.Chain
	// Built and Of count blocks: those whose clusters are kept, and those that are held.
	Built, Of uint64
}

// Error says how far they are.
func (e *BehindError) Error() string {
	return fmt.Sprintf("the clusters of %s are being built: %d of %d blocks", e.Chain, e.Built, e.Of)
}

// View pins the clusters as of a snapshot. A *BehindError asks for an Update before.
func (s *Set) View(ctx context.Context, snap *store.Snapshot) (*View, error) {
	v := &View{set: s, snap: snap, parts: map[ledger.Chain]*part{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range snap.Chains() {
		if !c.UTXO() {
			continue
		}
		n, err := s.near(ctx, snap, c)
		if err == nil {
			err = s.pin(ctx, v, n)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("entities: %s: %w", c, err), v.Close())
		}
	}
	return v, nil
}

// near returns a network whose store is of the snapshot's index and holds all of its
// final blocks but a few; the caller holds mu.
func (s *Set) near(ctx context.Context, snap *store.Snapshot, c ledger.Chain) (*network, error) {
	n, err := s.held(c)
	if err != nil {
		return nil, err
	}
	extent, err := snap.Extent(c)
	if err != nil {
		return nil, err
	}
	asOf, err := snap.AsOf(ctx, c)
	if err != nil {
		return nil, err
	}
	behind := &BehindError{Chain: c, Of: blocksOf(extent.Spans, 0, asOf.Height)}
	fits, err := n.fits(ctx, snap, extent)
	if err != nil {
		return nil, err
	}
	if !fits {
		return nil, behind
	}
	left := blocksOf(extent.Spans, n.end(), asOf.Height)
	if behind.Built = behind.Of - left; left > maxTip {
		return nil, behind
	}
	return n, nil
}

// blocksOf counts the blocks of spans from a height to another.
func blocksOf(spans []store.Span, from, to uint64) (n uint64) {
	for _, s := range spans {
		if first, last := max(s.From, from), min(s.To, to); first <= last {
			n += last - first + 1
		}
	}
	return n
}

// pin adds a network to a view; the caller holds mu.
func (s *Set) pin(ctx context.Context, v *View, n *network) error {
	asOf, err := v.snap.AsOf(ctx, n.chain)
	if err != nil {
		return err
	}
	fits, err := n.tip.fits(ctx, v.snap, asOf)
	if err != nil {
		return err
	}
	if !fits {
		r, done := n.kv.View()
		l := newLayer(r, n.end())
		s.using.Lock()
		n.dropTip()
		n.tip = &tip{l: l, b: newBuilder(n.chain, l, n.head.links), done: done, users: 1}
		s.using.Unlock()
	}
	if err := n.tip.extend(ctx, v.snap, asOf); err != nil {
		s.using.Lock()
		n.dropTip() // it may hold half a block
		s.using.Unlock()
		return err
	}
	s.using.Lock()
	n.users++
	n.tip.users++
	s.using.Unlock()
	v.parts[n.chain] = &part{n, n.tip, asOf}
	return nil
}

// fits reports that the tip was built from what the snapshot holds, as far as that
// goes: a digest covers all blocks up to its own, also those that were added below.
func (t *tip) fits(ctx context.Context, snap *store.Snapshot, asOf ledger.BlockRef) (bool, error) {
	if t == nil || len(t.blocks) >= maxTip {
		return false, nil
	}
	i, _ := slices.BinarySearchFunc(t.blocks, asOf.Height+1, func(b built, height uint64) int { return cmp.Compare(b.height, height) })
	if i == 0 {
		return true, nil
	}
	digest, err := snap.DigestAt(ctx, asOf.Chain, t.blocks[i-1].height)
	if errors.Is(err, ledger.ErrNotFound) {
		return false, nil
	}
	return digest == t.blocks[i-1].digest, err
}

// extend adds the snapshot's blocks above those of the tip.
func (t *tip) extend(ctx context.Context, snap *store.Snapshot, asOf ledger.BlockRef) error {
	from := t.l.end
	if len(t.blocks) > 0 {
		from = t.blocks[len(t.blocks)-1].height + 1
	}
	if from > asOf.Height {
		return nil
	}
	extent, err := snap.Extent(asOf.Chain)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, span := range extent.Spans {
		for h := max(span.From, from); h <= min(span.To, asOf.Height); h++ {
			digest, err := snap.DigestAt(ctx, asOf.Chain, h)
			if err != nil {
				return err
			}
			if err := t.b.block(ctx, snap, h); err != nil {
				return fmt.Errorf("block %d: %w", h, err)
			}
			t.blocks = append(t.blocks, built{h, digest})
		}
	}
	return nil
}

// Close releases what the view pins.
func (v *View) Close() error {
	v.set.using.Lock()
	defer v.set.using.Unlock()
	var err error
	for _, p := range v.parts {
		p.t.release()
		err = errors.Join(err, p.n.release())
	}
	v.parts = nil
	return err
}

// Height returns the height as of which a network's clusters are known; false for
// a network that has none.
func (v *View) Height(c ledger.Chain) (uint64, bool) {
	p := v.parts[c]
	if p == nil {
		return 0, false
	}
	return p.asOf.Height, true
}

// node returns a member as of the view, nil when it is none yet.
func (p *part) node(t ledger.Tier, k string) (*node, error) {
	n, err := p.t.b.forests[t].node(k)
	if err != nil || n == nil || n.entered > p.asOf.Height {
		return nil, err
	}
	if n.parent != "" && n.height > p.asOf.Height {
		n.parent = ""
	}
	return n, nil
}

// root returns the root of a member's tree as of the view; empty for no member.
func (p *part) root(t ledger.Tier, k string) (string, error) {
	for {
		n, err := p.node(t, k)
		if err != nil || n == nil {
			return "", err
		}
		if n.parent == "" {
			return k, nil
		}
		k = n.parent
	}
}

func (p *part) sums(t ledger.Tier, root string) (*sums, error) {
	value, err := p.t.l.last(statsPartition(t, root), statsSort(p.asOf.Height+1))
	if err != nil {
		return nil, err
	}
	s, ok := decodeSums(value)
	if !ok {
		return nil, corrupt("sums", root)
	}
	return &s, nil
}

// of locks the part that an address is of; nil where its network has no clusters.
// T2 is not kept: it falls back to T1.
func (v *View) of(a ledger.Address, tier ledger.Tier) (p *part, t ledger.Tier, unlock func()) {
	p = v.parts[a.Chain]
	if p == nil || a.IsZero() || a.Kind == ledger.KindAccount {
		return nil, tier, func() {}
	}
	p.t.mu.RLock()
	return p, min(tier, ledger.TierChange), p.t.mu.RUnlock
}

// Cluster returns the cluster of an address up to a tier as of the snapshot; a
// cluster of itself where nothing joins it. Tier is the one that was used.
func (v *View) Cluster(_ context.Context, a ledger.Address, tier ledger.Tier) (ledger.Cluster, error) {
	p, t, unlock := v.of(a, tier)
	defer unlock()
	alone := ledger.Cluster{Name: a, Tier: t, Size: 1}
	if p == nil {
		return alone, nil
	}
	alone.AsOf = p.asOf
	root, err := p.root(t, string(a.Key()))
	if err != nil || root == "" {
		return alone, err
	}
	s, err := p.sums(t, root)
	if err != nil {
		return alone, err
	}
	name, err := p.node(t, s.name)
	if err == nil && name == nil {
		err = corrupt("name", s.name)
	}
	if err != nil {
		return alone, err
	}
	return ledger.Cluster{Name: name.address, Tier: t, Size: s.size, AsOf: p.asOf}, nil
}

// Stats returns the sums of a cluster, without reading its members. A cluster of
// one that nothing joined is summed up from its own events.
func (v *View) Stats(ctx context.Context, c ledger.Cluster) (ledger.ClusterStats, error) {
	s, err := v.sums(ctx, c)
	if err != nil || s.events == 0 {
		return ledger.ClusterStats{}, err
	}
	stats := ledger.ClusterStats{In: s.in, Out: s.out, Balance: s.in.SubFloor(s.out), Events: s.events}
	for _, part := range []struct {
		pos ledger.Position
		to  *int64
	}{{s.first, &stats.First}, {s.last, &stats.Last}} {
		tx, err := v.snap.TxAt(ctx, c.Name.Chain, part.pos)
		if err != nil {
			return stats, err
		}
		*part.to = tx.Time
	}
	return stats, nil
}

func (v *View) sums(ctx context.Context, c ledger.Cluster) (*sums, error) {
	p, t, unlock := v.of(c.Name, c.Tier)
	defer unlock()
	if p != nil {
		root, err := p.root(t, string(c.Name.Key()))
		if err != nil {
			return nil, err
		}
		if root != "" {
			return p.sums(t, root)
		}
	}
	s := &sums{size: 1}
	for e, err := range v.snap.Events(ctx, ledger.Holder{Address: c.Name, Asset: ledger.NativeAsset(c.Name.Chain)}, ledger.Point{}) {
		if err != nil {
			return nil, err
		}
		s.add(e.To == c.Name, e.Amount, e.At.Pos)
	}
	return s, nil
}

// Members yields the addresses of a cluster: each before those that joined it, in
// the order in which they did. After is where to go on; zero begins.
func (v *View) Members(_ context.Context, c ledger.Cluster, after ledger.Address) iter.Seq2[ledger.Address, error] {
	return func(yield func(ledger.Address, error) bool) {
		w := walk{view: v, c: c}
		err := w.start(after)
		for err == nil && w.at != "" {
			if !yield(w.address, nil) {
				return
			}
			err = w.next()
		}
		if err != nil {
			yield(ledger.Address{}, err)
		}
	}
}
