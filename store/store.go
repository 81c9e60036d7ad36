package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/spoortrace/spoor/ledger"
)

// Store is a data directory: one index for each network under networks/, the
// kept files of exports beside them, and a lock. One process owns it at a time.
//
//	LOCK                          pid of the owner
//	networks/<chain>/CURRENT      the generation in force
//	networks/<chain>/gen-N/       engine, anchor, journal, raw-*.seg
//	networks/<chain>/files/       imported files by SHA-256
type Store struct {
	dir    string
	engine Engine
	o      Options
	lock   *os.File

	mu       sync.Mutex
	networks map[ledger.Chain]*Network
	chains   []ledger.Chain // what the directory holds; nil: to be looked up. Nobody else adds to it while it is locked.
}

// Options are what a data directory is opened with. The zero value is good.
type Options struct {
	// MinFree is the space that ingest leaves free on the disk, in bytes; it
	// stops with ledger.ErrExhausted before. 0: 64 MiB.
	MinFree uint64
}

const defaultMinFree = 64 << 20

// Open takes the lock of a data directory, making the directory when it is
// missing. Networks are opened when they are asked for. ledger.ErrBusy names the
// process that has it.
func Open(dir string, engine Engine, o Options) (*Store, error) {
	if o.MinFree == 0 {
		o.MinFree = defaultMinFree
	}
	if err := os.MkdirAll(filepath.Join(dir, "networks"), 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "LOCK"))
	if err != nil {
		return nil, err
	}
	return &Store{dir: dir, engine: engine, o: o, lock: lock, networks: map[ledger.Chain]*Network{}}, nil
}

// Close closes every network and gives up the lock. Snapshots must be closed before.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, n := range s.networks {
		err = errors.Join(err, n.close())
	}
	s.networks = nil
	return errors.Join(err, s.lock.Close())
}

// Chains returns the networks that the directory holds, in order of name.
func (s *Store) Chains() ([]ledger.Chain, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.chains == nil {
		var err error
		if s.chains, err = s.list(); err != nil {
			return nil, err
		}
	}
	return slices.Clone(s.chains), nil
}

func (s *Store) list() ([]ledger.Chain, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, "networks"))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var chains []ledger.Chain
	for _, e := range entries {
		if !e.IsDir() || unborn(s.folder(ledger.Chain(e.Name()))) {
			continue
		}
		c, err := ledger.ParseChain(e.Name())
		if err != nil {
			return nil, fmt.Errorf("store: folder networks/%s: %w", e.Name(), err)
		}
		chains = append(chains, c)
	}
	slices.Sort(chains)
	return chains, nil
}

func (s *Store) folder(c ledger.Chain) string { return filepath.Join(s.dir, "networks", string(c)) }

// Network opens the index of a chain, ledger.ErrNotFound when there is none.
// RolledBackError and ledger.ErrCorrupt call for Repair, ledger.ErrNewer and
// ledger.ErrForeign for another program or directory.
func (s *Store) Network(ctx context.Context, c ledger.Chain) (*Network, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.network(ctx, c)
}

func (s *Store) network(ctx context.Context, c ledger.Chain) (*Network, error) {
	if n := s.networks[c]; n != nil {
		return n, nil
	}
	if _, err := ledger.ParseChain(string(c)); err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.folder(c)); err != nil || unborn(s.folder(c)) {
		return nil, fmt.Errorf("store: network %s: %w", c, ledger.ErrNotFound)
	}
	n, err := openNetwork(ctx, s.folder(c), s.engine, c, s.o.MinFree)
	if err != nil {
		return nil, fmt.Errorf("store: network %s: %w", c, err)
	}
	s.networks[c] = n
	return n, nil
}

// Create returns the index of a chain, an empty one when the directory has none.
func (s *Store) Create(ctx context.Context, c ledger.Chain) (*Network, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.network(ctx, c)
	if !errors.Is(err, ledger.ErrNotFound) {
		return n, err
	}
	s.chains = nil
	if err := os.RemoveAll(filepath.Join(s.folder(c), "gen-1")); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	n, err = createNetwork(ctx, s.folder(c), s.engine, c, s.o.MinFree)
	if err != nil {
		return nil, fmt.Errorf("store: network %s: %w", c, err)
	}
	s.networks[c] = n
	return n, nil
}
