package render

import (
	"io"
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// Cluster prints a cluster, some of its addresses and, if it was asked for, why an
// address is in it.
func Cluster(w io.Writer, form string, m *spoorv1.GetClusterResponse, members []string, s Style) error {
	c := m.GetCluster()
	switch form {
	case "json":
		return JSON(w, m)
	case "csv":
		out := &records{header: []string{"network", "address", "cluster", "tier", "as_of_height"}}
		for _, a := range members {
			out.add(c.GetNetwork(), a, c.GetName(), c.GetTier(), strconv.FormatUint(c.GetAsOfHeight(), 10))
		}
		return out.write(w)
	}
	p := &paper{w: w}
	p.line("Cluster %s of %s (%s), %s as of %s", Clean(c.GetName()), c.GetNetwork(), c.GetTier(), plural(int64(c.GetSize()), "address", "addresses"), clusterAsOf(m, s))
	if c.GetBalance() != "" {
		clusterSums(p, c, s)
	}
	for _, l := range c.GetLabels() {
		p.line("  label     %s (%s, confidence %d, by %s), of %s", Clean(l.GetLabel()), Clean(l.GetCategory()), l.GetConfidence(), Clean(l.GetSource()), Clean(l.GetAddress()))
	}
	for _, j := range m.GetPath() {
		p.line("  %s - %s: %s (%s) in %s%s %s", Clean(j.GetFrom()), Clean(j.GetTo()), j.GetHeuristic(), j.GetTier(), Clean(j.GetTx()), inBlock(j.GetPosition()), Clean(j.GetDetail()))
	}
	for _, a := range members {
		p.line("  %s", Clean(a))
	}
	if n := int64(c.GetSize()) - int64(len(members)); n > 0 && len(members) > 0 {
		p.line("  and %s more (--members)", grouped(uint64(n)))
	}
	for _, text := range append(m.GetHeuristics(), m.GetLimits()...) {
		p.line("%s", Clean(text))
	}
	return p.err
}

// clusterAsOf is a block, or the time of an export, which has none.
func clusterAsOf(m *spoorv1.GetClusterResponse, s Style) string {
	if at := m.GetAsOf(); at != nil && at.Height == nil {
		return s.when(at.GetTime())
	}
	return "block " + grouped(m.GetCluster().GetAsOfHeight())
}

func inBlock(p *spoorv1.Position) string {
	if p == nil || p.Height == nil {
		return ""
	}
	return ", block " + grouped(uint64(p.GetHeight()))
}

func clusterSums(p *paper, c *spoorv1.Cluster, s Style) {
	info := ledger.InfoOf(ledger.NativeAsset(ledger.Chain(c.GetNetwork())))
	for _, part := range []struct{ name, amount string }{{"balance", c.GetBalance()}, {"received", c.GetReceived()}, {"sent", c.GetSent()}} {
		if amount, err := ledger.ParseAmount(part.amount); err == nil {
			p.line("  %-9s %s %s", part.name, amount.Coins(info.Decimals), info.Symbol)
		}
	}
	for _, part := range []struct {
		name string
		at   *timestamppb.Timestamp
	}{{"first", c.GetFirstSeen()}, {"last", c.GetLastSeen()}} {
		if part.at != nil {
			p.line("  %-9s %s", part.name, s.when(part.at))
		}
	}
}

// grouped prints a number with its thousands apart.
func grouped(n uint64) string { return ledger.NewAmount(n).Coins(0) }
