package evaluate

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/behavior"
)

// coinPatterns counts on every address that spent a coin how often the patterns of
// UTXO networks are found.
func coinPatterns(ctx context.Context, o Options, m *meter) (err error) {
	idx, done, err := o.Build(ctx, Load{Bitcoin: []string{filepath.Join(o.Data, "btc", "btcd-mainnet-0-14131")}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	spent, err := spenders(ctx, idx)
	if err != nil {
		return err
	}
	found := map[string]int{}
	for a := range spent {
		patterns, _, err := behavior.Patterns(ctx, idx, ledger.Holder{Address: a, Asset: ledger.NativeAsset("bitcoin")})
		if err != nil {
			return err
		}
		for _, p := range patterns {
			found[p.Pattern]++
		}
	}
	for _, name := range behavior.Names("bitcoin") {
		m.share(name, "spending addresses that show it of blocks 0 to 14131", found[name], len(spent), "how often it is found; the data does not say what it means")
	}
	return nil
}

// blind says why data cannot show a pattern of accounts at all; empty where it can.
// None of the sets has the fees by which it is known who sent a transaction.
func blind(pattern string, asset ledger.Asset) string {
	token := ledger.InfoOf(asset).Known && !asset.Native()
	switch {
	case pattern == "structuring" && !token:
		return "the data has no stablecoin"
	case pattern == "approval_drain":
		return "the data does not say who sent the transaction that moved a token"
	}
	return ""
}

// spenders are the addresses that spent a coin.
func spenders(ctx context.Context, idx Index) (map[ledger.Address]bool, error) {
	all := map[ledger.Address]bool{}
	for height, err := range idx.Heights(ctx, "bitcoin") {
		if err != nil {
			return nil, err
		}
		for tx, err := range idx.BlockTxs(ctx, "bitcoin", height) {
			if err != nil {
				return nil, err
			}
			for i := range tx.Inputs {
				if in := &tx.Inputs[i]; in.Known && !in.Address.IsZero() {
					all[in.Address] = true
				}
			}
		}
	}
	return all, nil
}
