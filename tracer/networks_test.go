package tracer_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// ends lists terminals without their labels, and the sums of the sheets.
func ends(tr *tracer.Trace) []string {
	var lines []string
	for _, x := range tr.Terminals {
		lines = append(lines, fmt.Sprintf("%s %s %s %s:%d %s holds %s", x.Asset, x.Reason, x.Address, x.Tx, x.Index, x.Dirty, x.BalanceNow))
	}
	for _, s := range tr.Sheets {
		lines = append(lines, fmt.Sprintf("%s %+v", s.Asset, s.Total))
	}
	slices.Sort(lines)
	return lines
}

// networksApart: one request over two networks says of each what a request of
// its own says, whichever payment comes first.
func networksApart(t *rapid.T) {
	coins, accounts := drawCoins(t), drawAccounts(t)
	here, there := coins.drawSeeds(t, 3), accounts.drawSeeds(t, 3)
	idx, err := memindex.New(append(slices.Clone(accounts.blocks), coins.blocks...), memindex.Options{Tags: append(coins.drawTags(t), accounts.drawTags(t)...)})
	if err != nil {
		t.Fatalf("index: %v", err)
	}
	req := accounts.drawRequest(t, there)
	req.Floors[here[0].Asset] = ledger.NewAmount(rapid.Uint64Range(0, 5).Draw(t, "floor of coins"))
	apart := ends(mustRun(t, idx, req))
	req.Seeds = here
	apart = append(apart, ends(mustRun(t, idx, req))...)
	slices.Sort(apart)
	req.Seeds = append(slices.Clone(there), here...)
	if rapid.Bool().Draw(t, "coins first") {
		req.Seeds = append(slices.Clone(here), there...)
	}
	tr := mustRun(t, idx, req)
	lawful(t, req, tr)
	if d := differ(apart, ends(tr)); d != "" {
		t.Fatalf("%s, -apart +together:\n%s", req.Policy.Name, d)
	}
	if len(tr.AsOf) != 2 || tr.AsOf[0].Chain != "bitcoin" || tr.AsOf[1].Chain != "tron" {
		t.Fatalf("as of %+v, want bitcoin and tron", tr.AsOf)
	}
}

func TestNetworksApart(t *testing.T) { rapid.Check(t, networksApart) }

func FuzzNetworksApart(f *testing.F) { fuzz(f, networksApart) }
