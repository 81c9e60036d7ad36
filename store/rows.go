package store

import (
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// rows reads sealed rows. Both a view of the engine and a batch that is being
// built answer it, so that ingest and queries share the code that walks tables.
type rows interface {
	// row returns the checked value of a row, ErrAbsent when there is none.
	row(k key) ([]byte, error)
}

// viewRows reads from an engine's view.
type viewRows struct{ Reader }

func (v viewRows) row(k key) ([]byte, error) {
	stored, err := v.Get(k.partition, k.sort)
	if err != nil {
		return nil, err
	}
	return unseal(k, stored)
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("store: "+format+": %w", append(args, ledger.ErrCorrupt)...)
}
