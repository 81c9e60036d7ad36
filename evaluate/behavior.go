package evaluate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/behavior"
)

// depositsEVM counts deposit addresses in 1,000 whole blocks of Ethereum.
func depositsEVM(ctx context.Context, o Options, m *meter) error {
	return behaviors(ctx, o, m, "of Ethereum blocks 3300000 to 3300999", ledger.NativeAsset("ethereum"), Load{
		EVM:      []string{filepath.Join(o.Data, "derived/ship/eth-mainnet-3300000-3300999.csv")},
		Complete: []string{"3300000..3301000"},
		Labels:   []string{filepath.Join(o.Data, "labels/graphsense-tagpacks/packs/etherscan-wordcloud-exchange.yaml")},
	})
}

// depositsTRON counts them in the export around wallets of seizure orders, whose
// tags are Tronscan's.
func depositsTRON(ctx context.Context, o Options, m *meter) error {
	usdt, _ := ledger.AssetBySymbol("tron", "USDT")
	return behaviors(ctx, o, m, "of the seizure export", usdt, Load{TRON: []string{filepath.Join(o.Data, "derived/ship/tron-usdt-aso-ship.csv")}})
}

// behaviors measures on every address that moved an asset how often it is found to
// be a deposit address, and how often each pattern is found. The data does not say
// which are right: these are rates of what is found, not of errors.
func behaviors(ctx context.Context, o Options, m *meter, of string, asset ledger.Asset, l Load) (err error) {
	idx, done, err := o.Build(ctx, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	addresses, err := movers(ctx, idx, asset)
	if err != nil {
		return err
	}
	var d deposits
	found := map[string]int{}
	for a := range addresses {
		h := ledger.Holder{Address: a, Asset: asset}
		if err := d.count(ctx, idx, h); err != nil {
			return err
		}
		patterns, _, err := behavior.Patterns(ctx, idx, h)
		if err != nil {
			return err
		}
		for _, p := range patterns {
			found[p.Pattern]++
		}
	}
	d.report(m, of, asset)
	for _, name := range behavior.Names(asset.Chain) {
		if why := blind(name, asset); why != "" {
			m.without(name, "addresses that show it "+of, why)
			continue
		}
		m.share(name, "addresses that show it "+of, found[name], len(addresses), "how often it is found; the data does not say what it means")
	}
	return nil
}

// deposits counts addresses that pay an exchange.
type deposits struct {
	paying, reused, signed, emptied int
	pairs                           int
	users                           map[ledger.Address]bool
}

func (d *deposits) count(ctx context.Context, idx Index, h ledger.Holder) error {
	pays, err := paysExchange(ctx, idx, h)
	if err != nil || !pays {
		return err
	}
	d.paying++
	exact, of, err := behavior.ExactSweeps(ctx, idx, h)
	if err != nil {
		return err
	}
	if exact > 0 && 2*exact >= of {
		d.emptied++
	}
	found, err := behavior.DepositOf(ctx, idx, h)
	if err != nil || found == nil {
		return err
	}
	if found.Heuristic == behavior.DepositSignature {
		d.signed++
		return nil
	}
	d.reused++
	d.pairs += len(found.Pairs)
	if d.users == nil {
		d.users = map[ledger.Address]bool{}
	}
	for _, u := range found.Users() {
		d.users[u] = true
	}
	return nil
}

func (d *deposits) report(m *meter, of string, asset ledger.Asset) {
	m.share(behavior.DepositReuse, "unlabelled addresses that pay an exchange and are found to be its deposit addresses "+of, d.reused, d.paying,
		fmt.Sprintf("%d payments by %d users were carried on; the data does not say which are right", d.pairs, len(d.users)))
	if asset.Chain.Family() != ledger.FamilyTRON {
		return
	}
	m.share(behavior.DepositSignature, "unlabelled addresses that pay one exchange, in half of their payments or more all that they hold, "+of, d.emptied, d.paying,
		fmt.Sprintf("the half of the signature that transfers of USDT show; %d are given TRX or energy by the exchange, of which the export holds nothing", d.signed))
}

// movers are the addresses with a transfer of the asset.
func movers(ctx context.Context, idx Index, asset ledger.Asset) (map[ledger.Address]bool, error) {
	all := map[ledger.Address]bool{}
	for height, err := range idx.Heights(ctx, asset.Chain) {
		if err != nil {
			return nil, err
		}
		for tx, err := range idx.BlockTxs(ctx, asset.Chain, height) {
			if err != nil {
				return nil, err
			}
			for i := range tx.Transfers {
				t := &tx.Transfers[i]
				if t.Asset != asset || t.Amount.IsZero() || t.Kind == ledger.TransferFee {
					continue
				}
				for _, a := range []ledger.Address{t.From, t.To} {
					if !a.IsZero() {
						all[a] = true
					}
				}
			}
		}
	}
	return all, nil
}

// paysExchange reports an unlabelled address that paid a labelled exchange.
func paysExchange(ctx context.Context, idx Index, h ledger.Holder) (bool, error) {
	tags, err := idx.Tags(ctx, h.Address)
	if err != nil || len(tags) > 0 {
		return false, err
	}
	for e, err := range idx.Events(ctx, h, ledger.Point{}) {
		if err != nil {
			return false, err
		}
		if e.From != h.Address || e.To.IsZero() {
			continue
		}
		tags, err := idx.Tags(ctx, e.To)
		if err != nil {
			return false, err
		}
		for _, t := range tags {
			if t.Category == "exchange" {
				return true, nil
			}
		}
	}
	return false, nil
}
