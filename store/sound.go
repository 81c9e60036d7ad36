package store

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Snapshot pins every network at its tip, or at the last block at or below the
// height that asOf gives for it. A network without such a block is left out; one
// that cannot be opened is an error.
func (s *Store) Snapshot(ctx context.Context, asOf map[ledger.Chain]uint64) (*Snapshot, error) {
	snap, err := s.SnapshotSound(ctx, asOf)
	if err != nil {
		return nil, err
	}
	for _, c := range slices.Sorted(maps.Keys(snap.damaged)) {
		err = errors.Join(err, snap.damaged[c])
	}
	if err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	return snap, nil
}

// SnapshotSound pins what can be opened: a damaged network does not take the
// others away. Questions about it get the error that Damaged lists, never an
// answer as if nothing were held of it.
func (s *Store) SnapshotSound(ctx context.Context, asOf map[ledger.Chain]uint64) (*Snapshot, error) {
	chains, err := s.Chains()
	if err != nil {
		return nil, err
	}
	snap := &Snapshot{views: map[ledger.Chain]*view{}, damaged: map[ledger.Chain]error{}}
	for _, c := range chains {
		n, err := s.Network(ctx, c)
		if err == nil {
			err = snap.pin(n, asOf)
		}
		if ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), snap.Close())
		}
		if err != nil {
			snap.damaged[c] = err
		}
	}
	return snap, nil
}

// Damaged returns the networks that could not be opened, and why.
func (s *Snapshot) Damaged() map[ledger.Chain]error { return maps.Clone(s.damaged) }
