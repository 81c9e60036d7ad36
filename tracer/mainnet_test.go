package tracer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// realBlocks reads bundled blocks of Bitcoin mainnet.
func realBlocks(t *testing.T, o archive.Options) *world {
	t.Helper()
	ctx := context.Background()
	o.Chain = "bitcoin"
	files, err := archive.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{chain: "bitcoin"}
	for b, err := range files.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		w.blocks = append(w.blocks, b)
	}
	w.listSeeds(ledger.NativeAsset("bitcoin"))
	return w
}

// seedOf resolves a REF as a user would write it.
func seedOf(t *testing.T, idx tracer.Index, ref string) []tracer.Seed {
	t.Helper()
	r, err := tracer.ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	seeds, err := tracer.Resolve(context.Background(), idx, []ledger.Chain{"bitcoin"}, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return seeds
}

// restingCoins lists what rests, by the start of its transaction's id, and the fees.
func restingCoins(tr *tracer.Trace) []string {
	var lines []string
	for _, x := range tr.Terminals {
		lines = append(lines, fmt.Sprintf("%s %s:%d %s", x.Reason, x.Tx.String()[:8], x.Index, x.Dirty.Coins(8)))
	}
	slices.Sort(lines)
	return append(lines, "fees "+tr.Sheets[0].Total.Fees.Coins(8))
}

// TestMainnetFlows follows two flows of which every transaction was read from
// the blocks by hand. Each ends the same way under every rule that conserves:
// no transaction in them divides traced money between a coin and clean company.
func TestMainnetFlows(t *testing.T) {
	w := realBlocks(t, archive.Options{Blocks: []string{"../testdata/demo/bitcoin/blk00000.dat.gz"}})
	if len(w.blocks) != 14132 {
		t.Fatalf("%d blocks, want 14132", len(w.blocks))
	}
	idx := w.index(t, memindex.Options{})
	for _, flow := range []struct {
		ref   string
		ends  []string
		last  string // the transaction at the end of the longest way
		depth int
	}{
		{ // Satoshi's coinbase of height 9, to Hal Finney and on
			"bitcoin:0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9:0",
			[]string{
				"UNSPENT 298ca204:0 1", "UNSPENT 828ef3b0:1 18", "UNSPENT a16f3ce4:0 10", "UNSPENT a3b0e9e7:0 11", "UNSPENT f4184fc5:0 10", "fees 0",
			},
			"a3b0e9e7", 7,
		},
		{ // a peel chain from the coinbase of height 2676: 13 transactions after it
			"bitcoin:03a3aaeeccaab92d0d1172cd80d82ca110ddaae76be274f658530176816159ad:0",
			[]string{
				"UNSPENT 0ba27c49:0 0.01", "UNSPENT 2a6ede10:0 0.01", "UNSPENT 2bbeef72:0 0.01", "UNSPENT 5b62efcc:0 0.01", "UNSPENT 5b62efcc:1 32.91",
				"UNSPENT 6552f912:0 0.02", "UNSPENT 8debdb17:0 15", "UNSPENT 8f5db6d1:0 0.01", "UNSPENT a87e31b0:0 0.01", "fees 2.01",
			},
			"5b62efcc", 14,
		},
	} {
		seeds := seedOf(t, idx, flow.ref)
		for _, name := range policyNames() {
			req := unlimited(t, name, seeds)
			tr := mustRun(t, idx, req)
			lawful(t, req, tr)
			if name == "poison" {
				continue
			}
			if diff := cmp.Diff(flow.ends, restingCoins(tr)); diff != "" {
				t.Errorf("%s under %s, -want +got:\n%s", flow.ref, name, diff)
			}
			deepest := slices.MaxFunc(tr.Hops, func(a, b tracer.Hop) int { return a.Depth - b.Depth })
			if deepest.Depth != flow.depth || deepest.Tx.String()[:8] != flow.last {
				t.Errorf("%s under %s: deepest hop is %d in %s, want %d in %s", flow.ref, name, deepest.Depth, deepest.Tx, flow.depth, flow.last)
			}
		}
	}
}

// TestCoinJoinCascade seeds block 300025, in which eight CoinJoins feed each
// other and of which every spent output is known: the laws and the twin hold
// for each rule, one payment or ten.
func TestCoinJoinCascade(t *testing.T) {
	w := realBlocks(t, archive.Options{
		Blocks: []string{"../testdata/bitcoin/bcoin/block300025.raw.gz"}, Undo: []string{"../testdata/bitcoin/bcoin/block300025-undo.raw.gz"},
	})
	idx := w.index(t, memindex.Options{})
	random := rand.New(rand.NewPCG(300025, 8))
	var deepest, widest int
	for i := range 60 {
		var seeds []tracer.Seed
		for range 1 + 9*(i%2) {
			seeds = append(seeds, w.seeds[random.IntN(len(w.seeds))])
		}
		for _, name := range policyNames() {
			req := unlimited(t, name, seeds)
			req.FeesToCoinbase = i%4 > 1
			tr := mustRun(t, idx, req)
			lawful(t, req, tr)
			if d := differ(twinOf(req, w.blocks), linesOf(tr)); d != "" {
				t.Fatalf("question %d under %s, -twin +replay:\n%s", i, name, d)
			}
			for _, h := range tr.Hops {
				deepest = max(deepest, h.Depth)
			}
			widest = max(widest, len(tr.Hops))
			if len(tr.Inputs) > 0 {
				t.Fatalf("%d transactions with unknown inputs, want none", len(tr.Inputs))
			}
		}
	}
	t.Logf("%d payments to choose from, up to %d deep and %d hops", len(w.seeds), deepest, widest)
	if deepest < 5 {
		t.Errorf("the deepest of all hops is %d, want a cascade", deepest)
	}
}
