package chainlog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/spoortrace/spoor/ledger"
)

// leaves keeps the hashes of a tree as tlog numbers them.
type leaves struct{ hashes []tlog.Hash }

// ReadHashes implements tlog.HashReader.
func (t leaves) ReadHashes(at []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(at))
	for i, n := range at {
		if n < 0 || n >= int64(len(t.hashes)) {
			return nil, fmt.Errorf("hash %d of %d: %w", n, len(t.hashes), ledger.ErrNotFound)
		}
		found[i] = t.hashes[n]
	}
	return found, nil
}

// hashes reads the whole log: 64 bytes an entry.
func (l *Log) hashes() (t leaves, err error) {
	err = l.Read(func(e Entry) error {
		more, err := tlog.StoredHashes(int64(e.Number)-1, e.Body, t)
		t.hashes = append(t.hashes, more...)
		return err
	})
	return t, err
}

// ProveEntry returns the inclusion proof of entry number (from 1) in the tree of
// the first size entries (RFC 6962, 2.1.1). tlog.CheckRecord checks it, with number-1.
func (l *Log) ProveEntry(number, size uint64) (tlog.RecordProof, error) {
	if number == 0 || number > size || size > l.Size() {
		return nil, ledger.Invalid("entry", fmt.Sprintf("1 to %d of at most %d", size, l.Size()), fmt.Sprint(number))
	}
	t, err := l.hashes()
	if err != nil {
		return nil, err
	}
	return tlog.ProveRecord(int64(size), int64(number)-1, t)
}

// ProveTree returns the consistency proof that the tree of the first size
// entries begins with that of the first earlier ones (2.1.2). tlog.CheckTree checks it.
func (l *Log) ProveTree(size, earlier uint64) (tlog.TreeProof, error) {
	if earlier == 0 || earlier > size || size > l.Size() {
		return nil, ledger.Invalid("tree", fmt.Sprintf("1 to %d of at most %d", size, l.Size()), fmt.Sprint(earlier))
	}
	t, err := l.hashes()
	if err != nil {
		return nil, err
	}
	return tlog.ProveTree(int64(size), int64(earlier), t)
}
