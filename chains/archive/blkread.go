package archive

import (
	"context"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// coinState says where the coins that a block spends were found.
type coinState uint8

const (
	coinsUnread coinState = iota // the block was not read yet
	coinsOwn                     // it spends none but its own
	coinsUndo                    // in undo data
	coinsAbsent                  // nowhere: the index has to know them
)

// read reads, proves and completes one block. Nothing comes back half given.
func (f *Files) read(ctx context.Context, i int32) (*ledger.Block, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := f.decode(i)
	if err != nil {
		return nil, err
	}
	e, at := &f.entries[i], f.place(i)
	state := coinsOwn
	if b.Unknown() > 0 {
		if state, err = f.undo.apply(b, f.sources[e.file]); err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
	}
	block, err := b.At(e.height, e.grade, at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.coins[i] = state
	return block, nil
}
