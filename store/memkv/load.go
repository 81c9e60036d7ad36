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
func (k *kv) Load(ctx context.Context, write func(to store.Streams) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.isOpen {
		return errClosed
	}
	if k.root != nil {
		return fmt.Errorf("memkv: load: the store has rows: %w", ledger.ErrPrecondition)
	}
	if err := write(&loading{k, ctx, map[uint32]store.Op{}}); err != nil {
		return fmt.Errorf("memkv: load: %w", err)
	}
	k.published = k.root
	k.generation++
	return nil
}

type loading struct {
	kv   *kv
	ctx  context.Context
	last map[uint32]store.Op // by stream
}

// Put implements store.Streams.
func (l *loading) Put(stream uint32, op store.Op) error {
	if before, ok := l.last[stream]; ok && compare(before, op) >= 0 {
		return fmt.Errorf("row %x/%x after %x/%x in stream %d: %w", op.Partition, op.Sort, before.Partition, before.Sort, stream, ledger.ErrPrecondition)
	}
	l.last[stream] = store.Op{Partition: bytes.Clone(op.Partition), Sort: bytes.Clone(op.Sort)}
	l.kv.put(op.Partition, op.Sort, op.Value)
	return l.ctx.Err()
}

// End implements store.Streams.
func (l *loading) End(uint32) error { return nil }

// compare is the order of rows in a load.
func compare(x, y store.Op) int {
	return cmp.Or(cmp.Compare(len(x.Partition), len(y.Partition)), bytes.Compare(x.Partition, y.Partition), bytes.Compare(x.Sort, y.Sort))
}
