package render

import (
	"strings"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// crossingText says in a line how money went on in another asset or network.
func crossingText(x *spoorv1.Crossing) string {
	where := ""
	if x.GetNetworkOut() != x.GetAssetIn().GetNetwork() {
		where = " on " + Clean(x.GetNetworkOut())
	}
	return "⇄ " + strings.ToLower(Clean(x.GetKind())) + ": " + money(x.GetDirtyIn(), x.GetAssetIn()) + " become " + money(x.GetDirtyOut(), x.GetAssetOut()) + where +
		" (" + Clean(x.GetTier()) + ", " + Clean(x.GetRule()) + ", " + Clean(x.GetGrade()) + ")"
}

func crossingColumns() []string {
	return []string{"crossing", "crossing_rule", "crossing_id", "network_out", "tx_out", "index_out", "contract_out", "amount_out_base", "dirty_out_base"}
}

func crossingCells(x *spoorv1.Crossing) []string {
	if x == nil {
		return make([]string, len(crossingColumns()))
	}
	return []string{
		x.GetKind(), x.GetRule(), x.GetId(), x.GetNetworkOut(), x.GetTxOut(), x.GetIndexOut(), x.GetAssetOut().GetContract(), x.GetAmountOut(), x.GetDirtyOut(),
	}
}
