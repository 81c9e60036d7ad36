package entities

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// Set is the index of clusters of every UTXO network of one data directory. It is
// safe for concurrent use.
type Set struct {
	dir    string
	engine store.Engine
	flush  int // rows in memory before they go into the store; tests lower it

	building sync.Mutex // held while networks are brought up to date

	mu       sync.Mutex // guards what follows, and the heads and tips of networks
	networks map[ledger.Chain]*network
	closed   bool

	using sync.Mutex // guards the counts of networks and tips
}

// network is one network's store and what lies in memory above it. Where it must
// be built anew, another one takes its place and it ends with its last view.
type network struct {
	chain      ledger.Chain
	generation int
	dir        string
	kv         store.KV
	head       head
	have       bool // the store holds a block
	old        bool // the store was built by other rules, and is of no use
	tip        *tip

	users   int // views, and the set itself
	retired bool
}

// Open returns the set in a directory, which is made when it is missing.
func Open(dir string, engine store.Engine) (*Set, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("entities: %w", err)
	}
	return &Set{dir: dir, engine: engine, flush: flushAt, networks: map[ledger.Chain]*network{}}, nil
}

// Close releases the stores, each with its last view.
func (s *Set) Close() error {
	s.building.Lock()
	defer s.building.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var err error
	for _, n := range s.networks {
		err = errors.Join(err, s.leave(n))
	}
	s.networks = nil
	return err
}

// leave takes the set's own hold off a network.
func (s *Set) leave(n *network) error {
	s.using.Lock()
	defer s.using.Unlock()
	n.dropTip()
	return n.release()
}

// release takes one hold off; the caller holds using.
func (n *network) release() error {
	if n.users--; n.users > 0 {
		return nil
	}
	err := n.kv.Close()
	if n.retired {
		err = errors.Join(err, os.RemoveAll(n.dir))
	}
	return err
}

// Update brings every UTXO network of a snapshot up to its last final block. It
// may be cut off anywhere and repeated; where the chain's index is no longer what
// the clusters were built from (blocks were added below), they are built anew.
// Questions go on meanwhile.
func (s *Set) Update(ctx context.Context, snap *store.Snapshot) error {
	s.building.Lock()
	defer s.building.Unlock()
	for _, c := range snap.Chains() {
		if !c.UTXO() {
			continue
		}
		if err := s.update(ctx, snap, c); err != nil {
			return fmt.Errorf("entities: %s: %w", c, err)
		}
	}
	return nil
}

// update brings one network up to date; the caller holds building.
func (s *Set) update(ctx context.Context, snap *store.Snapshot, c ledger.Chain) error {
	extent, err := snap.Extent(c)
	if err != nil {
		return err
	}
	n, err := s.renewed(ctx, snap, c, extent)
	if err != nil {
		return err
	}
	return s.advance(ctx, snap, n, extent)
}

// renewed returns the network, an empty one in its place where it was built from
// another index; the caller holds building.
func (s *Set) renewed(ctx context.Context, snap *store.Snapshot, c ledger.Chain, e store.Extent) (*network, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.held(c)
	if err != nil {
		return nil, err
	}
	fits, err := n.fits(ctx, snap, e)
	if err != nil || fits {
		return n, err
	}
	fresh, err := s.open(c, n.generation+1)
	if err != nil {
		return nil, err
	}
	s.networks[c], n.retired = fresh, true
	return fresh, s.leave(n)
}

// held returns the network as it is, opened where it was not; the caller holds mu.
func (s *Set) held(c ledger.Chain) (*network, error) {
	if s.closed {
		return nil, errors.New("the set is closed")
	}
	if n := s.networks[c]; n != nil {
		return n, nil
	}
	generation, err := s.newest(c)
	if err != nil {
		return nil, err
	}
	n, err := s.open(c, generation)
	if err == nil {
		s.networks[c] = n
	}
	return n, err
}

// newest returns the last generation of a network, and removes those before it:
// they were left when the program ended.
func (s *Set) newest(c ledger.Chain) (int, error) {
	dirs, err := filepath.Glob(filepath.Join(s.dir, string(c)+".*"))
	if err != nil {
		return 0, err
	}
	last := 0
	for _, dir := range dirs {
		if g, err := strconv.Atoi(dir[len(filepath.Join(s.dir, string(c)))+1:]); err == nil {
			last = max(last, g)
		}
	}
	for _, dir := range dirs {
		if dir != s.path(c, last) {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return last, err
}

func (s *Set) path(c ledger.Chain, generation int) string {
	return filepath.Join(s.dir, string(c)+"."+strconv.Itoa(generation))
}

func (s *Set) open(c ledger.Chain, generation int) (*network, error) {
	n := &network{chain: c, generation: generation, dir: s.path(c, generation), users: 1}
	var err error
	if n.kv, err = s.engine(n.dir); err != nil {
		return nil, err
	}
	r, done := n.kv.View()
	defer done()
	partition, sort := headRow()
	value, err := r.Get(partition, sort)
	if errors.Is(err, store.ErrAbsent) {
		return n, nil
	}
	if err == nil {
		value, err = store.Unseal(partition, sort, value)
	}
	if err != nil {
		return nil, errors.Join(err, n.kv.Close())
	}
	if n.old = len(value) > 0 && value[0] < format; n.old {
		return n, nil
	}
	if n.head, n.have = decodeHead(value); !n.have {
		return nil, errors.Join(corrupt("head", string(value)), n.kv.Close())
	}
	return n, nil
}

// end is the first height that the store does not hold.
func (n *network) end() uint64 {
	if !n.have {
		return 0
	}
	return n.head.height + 1
}

// fits reports that the store was built from what the snapshot holds up to its
// height. A snapshot that ends below says nothing against it.
func (n *network) fits(ctx context.Context, snap *store.Snapshot, e store.Extent) (bool, error) {
	if !n.have {
		return !n.old, nil
	}
	asOf, err := snap.AsOf(ctx, n.chain)
	if err != nil || asOf.Height < n.head.height {
		return err == nil, err
	}
	if e.Final == nil {
		return false, nil
	}
	digest, err := snap.DigestAt(ctx, n.chain, n.head.height)
	if errors.Is(err, ledger.ErrNotFound) {
		return false, nil
	}
	return digest == n.head.digest, err
}

// flushAt is the number of rows after which a layer goes into the store, unless the
// set says otherwise.
const flushAt = 100_000

// advance adds the final blocks that the store lacks, and publishes in steps: what
// lies beyond the published height is written again. The caller holds building, so
// that nobody else moves the head.
func (s *Set) advance(ctx context.Context, snap *store.Snapshot, n *network, e store.Extent) error {
	if e.Final == nil || n.have && n.head.height >= *e.Final {
		return nil
	}
	r, done := n.kv.View()
	defer func() { done() }()
	l := newLayer(r, n.end())
	b := newBuilder(n.chain, l, n.head.links)
	for _, span := range e.Spans {
		for h := max(span.From, n.end()); h <= min(span.To, *e.Final); h++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := b.block(ctx, snap, h); err != nil {
				return fmt.Errorf("block %d: %w", h, err)
			}
			if l.count < s.flush && h < min(span.To, *e.Final) {
				continue
			}
			if err := s.publish(ctx, snap, n, l, h, b.links); err != nil {
				return err
			}
			done()
			l.base, done = n.kv.View()
			l.end, l.rows, l.count = n.end(), map[string][]store.Row{}, 0
		}
	}
	return nil
}

func (s *Set) publish(ctx context.Context, snap *store.Snapshot, n *network, l *layer, height, links uint64) error {
	digest, err := snap.DigestAt(ctx, n.chain, height)
	if err != nil {
		return err
	}
	if err := n.kv.Write(ctx, l.ops()); err != nil {
		return err
	}
	next := head{height, digest, links}
	partition, sort := headRow()
	var old []byte
	if n.have {
		old = store.Seal(partition, sort, n.head.encode())
	}
	if err := n.kv.Publish(ctx, partition, sort, old, store.Seal(partition, sort, next.encode()), 1); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n.head, n.have = next, true
	return nil
}
