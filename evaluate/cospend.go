package evaluate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// coSpends compares the index of clusters with a plain union-find over the same
// blocks, address by address.
func coSpends(ctx context.Context, o Options, m *meter) (err error) {
	idx, done, err := o.Build(ctx, Load{Bitcoin: []string{filepath.Join(o.Data, "btc", "btcd-mainnet-0-14131")}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	tip, err := idx.AsOf(ctx, "bitcoin")
	if err != nil {
		return err
	}
	plain, joined := newUnion(), map[ledger.Address]bool{}
	for height := range tip.Height + 1 {
		for tx, err := range idx.BlockTxs(ctx, "bitcoin", height) {
			if err != nil {
				return err
			}
			if tx.Coinbase || cluster.VerdictOf(&tx) != cluster.None {
				continue
			}
			plain.join(&tx)
			for i := range tx.Inputs {
				if in := &tx.Inputs[i]; in.Known && !in.Address.IsZero() {
					joined[in.Address] = true
				}
			}
		}
	}
	same, sets, largest := 0, map[ledger.Address]bool{}, 0
	for a := range joined {
		c, err := idx.Cluster(ctx, a)
		if err != nil {
			return err
		}
		size := plain.size[plain.find(a)]
		largest = max(largest, size)
		if size > 1 {
			sets[plain.find(a)] = true
		}
		if other, err := idx.Cluster(ctx, plain.find(a)); err != nil {
			return err
		} else if int(c.Size) == size && other.Name == c.Name {
			same++
		}
	}
	note := fmt.Sprintf("blocks 0 to %d: %d clusters of two addresses and more, the largest of %d", tip.Height, len(sets), largest)
	m.share("co-spend", "spending addresses whose cluster equals that of a plain union-find", same, len(joined), note)
	return nil
}
