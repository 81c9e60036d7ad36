package labels

import (
	"context"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Entry is a tag with what became of it.
type Entry struct {
	ledger.Tag
	Sequence  uint64 // of the batch that brought it
	Retracted uint64 // sequence of its retraction; 0: it holds
}

// History returns every attribution of an address that the log ever took and
// that a tenant may see, in log order, retracted ones too.
func (l *Log) History(_ context.Context, a ledger.Address, tenant string) ([]Entry, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var all []Entry
	err := l.index.of(l.file, addressSubject(a), func(t ledger.Tag, _ []byte) bool {
		if t.Tenant != "" && t.Tenant != tenant {
			return true
		}
		batch, _ := slices.BinarySearch(l.index.lastID, t.ID)
		l.index.until(&t, uint64(len(l.imports)))
		all = append(all, Entry{Tag: t, Sequence: uint64(batch) + 1, Retracted: l.index.retracted[t.ID]})
		return true
	})
	slices.Reverse(all)
	return all, err
}

// Tag returns one tag by its id, retracted or not; ledger.ErrNotFound without one.
func (l *Log) Tag(_ context.Context, id uint64) (ledger.Tag, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if id == 0 || id > l.index.count() {
		return ledger.Tag{}, fmt.Errorf("labels: tag %d: %w", id, ledger.ErrNotFound)
	}
	t, err := l.index.tag(l.file, id)
	l.index.until(&t, uint64(len(l.imports)))
	return t, err
}
