package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store/memkv"
)

// basis writes a coverage as "STATE: missing; ranges".
func basis(c *spoorv1.Coverage) string {
	s := c.GetState() + ": " + strings.Join(c.GetMissing(), ", ")
	for _, r := range c.GetRanges() {
		s += fmt.Sprintf(" [%d,%d)", r.GetFromHeight(), r.GetToHeight())
	}
	return s
}

// TestCoverageOfBlocks: a trace is COMPLETE only where every block from the
// payment to the as-of is held and no coin had to be assumed; what a network
// holds is said beside it.
func TestCoverageOfBlocks(t *testing.T) {
	w := emptyWorld(t, memkv.New())
	whole := coinBlocks()[:3]
	reward := func(n int) ledger.Tx { return spending(fmt.Sprint("late reward ", n), nil, coin{"miner", 50}) }
	pays := func(name string) ledger.Tx {
		return spending(name, []ledger.OutPoint{out("unknown "+name, 0)}, coin{"d", 9})
	}
	lone := block(nil, 10, coins0+100*minute, reward(10), pays("lone"))
	b20 := block(nil, 20, coins0+200*minute, reward(20), spending("in run", nil, coin{"d", 9}))
	b20.Txs[1].Inputs = []ledger.Input{{Prev: out("undo", 0), Known: true, Address: named("bitcoin", "x"), Value: ledger.NewAmount(9)}}
	b21 := block(b20, 21, coins0+210*minute, reward(21), spending("mixed", []ledger.OutPoint{out("in run", 0), out("unknown too", 0)}, coin{"e", 20}))
	b22 := block(b21, 22, coins0+220*minute, reward(22))
	w.append(t, append(whole, lone, b20, b21, b22)...)
	c := local(t, w)
	ranges := " [0,3) [10,11) [20,23)"
	for name, test := range map[string]struct{ tx, asOf, reason, want string }{
		"from genesis":         {"pay", "2", "UNSPENT", "COMPLETE:  [0,3)"},
		"over a gap":           {"pay", "", "NOT_COVERED", "PARTIAL: blocks between 2 and 22" + ranges},
		"in a lone block":      {"lone", "10", "NOT_COVERED", "PARTIAL: blocks after 10, the coins of some inputs of 1 transaction [0,3) [10,11)"},
		"a run above":          {"in run", "20", "NOT_COVERED", "PARTIAL: blocks after 20 [0,3) [10,11) [20,21)"},
		"a run, coins assumed": {"in run", "", "UNSPENT", "PARTIAL: the coins of some inputs of 1 transaction" + ranges},
	} {
		got := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("bitcoin", test.tx, "")}, MinValue: "0", AsOf: test.asOf})
		if len(got.GetCoverage()) != 1 || basis(got.GetCoverage()[0]) != test.want || got.GetTerminals()[0].GetReason() != test.reason {
			t.Errorf("%s: got %s, %s; want %s, %s", name, basis(got.GetCoverage()[0]), got.GetTerminals()[0].GetReason(), test.want, test.reason)
		}
	}
	info, err := c.LookupAddress(t.Context(), &spoorv1.LookupAddressRequest{Address: named("bitcoin", "d").Qualified()})
	if want := "PARTIAL: blocks 3 to 9, blocks 11 to 19, the coins of 2 inputs" + ranges; err != nil || basis(info.GetCoverage()) != want {
		t.Errorf("network: got %s, %v; want %s", basis(info.GetCoverage()), err, want)
	}
	if h := info.GetAsOf().GetHeight(); h != 22 {
		t.Errorf("network as of %d, want 22", h)
	}
}

// TestCoverageOfExports: an export is complete for what was claimed. The money
// of v1 passes through m and rests in a and b.
func TestCoverageOfExports(t *testing.T) {
	hour := ledger.Range{From: uint64(export0), To: uint64(export0 + 3_600_000)}
	claims := func(names ...string) (all []ledger.Claim) {
		for _, n := range names {
			all = append(all, ledger.Claim{Account: named("tron", n), Range: hour})
		}
		return all
	}
	for name, test := range map[string]struct {
		claims []ledger.Claim
		a      string // why the money in a rests there
		want   string
	}{
		"nothing":            {nil, "NOT_COVERED", "UNKNOWN: later transfers of 2 accounts in which money was last seen, transfers of 1 account that passed it on"},
		"everything":         {[]ledger.Claim{{Range: hour}}, "UNSPENT", "COMPLETE: "},
		"all three":          {claims("m", "a", "b"), "UNSPENT", "COMPLETE: "},
		"not where it rests": {claims("m", "b"), "NOT_COVERED", "PARTIAL: later transfers of 1 account in which money was last seen"},
		"not on the way":     {claims("a", "b"), "UNSPENT", "PARTIAL: transfers of 1 account that passed it on"},
		"too short": {
			[]ledger.Claim{{Range: ledger.Range{From: uint64(export0), To: uint64(export0 + 5000)}}},
			"NOT_COVERED",
			"PARTIAL: later transfers of 2 accounts in which money was last seen",
		},
	} {
		w := emptyWorld(t, memkv.New())
		w.export(t, accountRows(), test.claims...)
		c := local(t, w)
		got := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0"})
		if text, reason := basis(got.GetCoverage()[0]), got.GetTerminals()[0].GetReason(); text != test.want || reason != test.a {
			t.Errorf("%s: got %s, %s; want %s, %s", name, reason, text, test.a, test.want)
		}
	}
}
