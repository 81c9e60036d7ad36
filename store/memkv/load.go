package memkv

import (
	"bytes"
	"cmp"
	"context"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// Load implements store.Loader.
func (k *kv) Load(ctx context.Context, write func(put func(stream uint32, op store.Op) error) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.isOpen {
		return errClosed
	}
	if k.root != nil {
		return fmt.Errorf("memkv: load: the store has rows: %w", ledger.ErrPrecondition)
	}
	last := map[uint32]store.Op{}
	err := write(func(stream uint32, op store.Op) error {
		if before, ok := last[stream]; ok && compare(before, op) >= 0 {
			return fmt.Errorf("row %x/%x after %x/%x in stream %d: %w", op.Partition, op.Sort, before.Partition, before.Sort, stream, ledger.ErrPrecondition)
		}
		last[stream] = store.Op{Partition: bytes.Clone(op.Partition), Sort: bytes.Clone(op.Sort)}
		k.put(op.Partition, op.Sort, op.Value)
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("memkv: load: %w", err)
	}
	k.published = k.root
	k.generation++
	return nil
}

// compare is the order of rows in a load.
func compare(x, y store.Op) int {
	return cmp.Or(cmp.Compare(len(x.Partition), len(y.Partition)), bytes.Compare(x.Partition, y.Partition), bytes.Compare(x.Sort, y.Sort))
}
