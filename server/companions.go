package server

import (
	"context"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/rates"
	"github.com/spoortrace/spoor/tracer/behavior"
)

// companions adds whom an account uses a deposit address with, on networks of which
// no clusters are kept: it is worked out on demand, one step far, and is T2.
func (v *view) companions(ctx context.Context, answer *spoorv1.GetClusterResponse, a ledger.Address, tier ledger.Tier) error {
	answer.Limits = []string{"on " + string(a.Chain) + " nothing is kept at T0 and T1: there the address stands for itself"}
	if tier < ledger.TierBehavior {
		return nil
	}
	answer.Heuristics = rates.Quote("deposit reuse")
	with := map[ledger.Address]bool{}
	for _, symbol := range []string{"", "USDT", "USDC"} {
		asset, known := ledger.NativeAsset(a.Chain), true
		if symbol != "" {
			asset, known = ledger.AssetBySymbol(a.Chain, symbol)
		}
		if !known {
			continue
		}
		joins, limits, err := behavior.Joins(ctx, v, ledger.Holder{Address: a, Asset: asset})
		if err != nil {
			return err
		}
		answer.Limits = append(answer.Limits, limits...)
		for _, j := range joins {
			if !with[j.B] {
				with[j.B] = true
				answer.Path = append(answer.Path, v.joinMessage(j))
			}
		}
	}
	return nil
}

func (v *view) joinMessage(j ledger.Join) *spoorv1.ClusterJoin {
	c := j.A.Chain
	position := &spoorv1.Position{TxIndex: j.Pos.Index(), Tx: hashText(c, j.Tx)}
	if !v.export(c) {
		height := uint32(j.Pos.Height())
		position.Height = &height
	}
	return &spoorv1.ClusterJoin{
		From: j.A.String(), To: j.B.String(), Heuristic: j.Heuristic, Tier: j.Tier.String(), Tx: hashText(c, j.Tx), Position: position, Detail: j.Detail,
	}
}
