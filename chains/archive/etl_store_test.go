package archive_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/tracer"
)

// unlabelled is a snapshot as the tracer asks it, without labels.
type unlabelled struct{ *store.Snapshot }

func (unlabelled) Tags(context.Context, ledger.Address) ([]ledger.Tag, error) { return nil, nil }

// indexed takes a set into a store in memory, and verifies it.
func indexed(t *testing.T, s *archive.EtlSet) *store.Snapshot {
	t.Helper()
	ctx := context.Background()
	st, err := store.Open(t.TempDir(), memkv.New(), store.Options{MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	n, err := st.Create(ctx, s.Chain)
	if err == nil {
		err = n.Append(ctx, s.Blocks(), store.AppendOptions{ReorgBound: new(uint64)})
	}
	if err == nil {
		err = n.Verify(ctx, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	snap, err := st.Snapshot(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := snap.Close(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return snap
}

// A customer's deposit address at an exchange: 92.6466 ETH arrive there and
// leave, but for the fee, to the wallet that 79 such addresses in the slice
// sweep into. The trace finds the wallet, says that it is inferred, and ends
// where nothing more is known.
func TestEtlDepositAddress(t *testing.T) {
	path, complete := mainnet()
	idx := unlabelled{indexed(t, readEtl(t, []string{complete}, path))}
	trace := traced(t, idx, "23d06a64173bda7015d746d608b3db925abce1851e54f85bf637245bacc4e3c8", tracer.Request{Hops: 2}, "dirty-first")
	const deposit, wallet = "0x14557AA247A69f3E2af32D50BD79DD06D3166BB8", "0x209c4784AB1E8183Cf58cA33cb740efbF3FC18EF"
	if len(trace.Hops) < 2 || !strings.EqualFold(trace.Hops[1].From.String(), deposit) || !strings.EqualFold(trace.Hops[1].To.String(), wallet) || trace.Hops[1].Dirty.String() != "92645436460000000000" {
		t.Fatalf("hops %+v", trace.Hops)
	}
	if trace.Hops[1].Grade != ledger.GradeInferred {
		t.Errorf("grade %s, want inferred: no receipt says that it succeeded", trace.Hops[1].Grade)
	}
	rest := ledger.Amount{}
	for _, x := range trace.Terminals {
		if strings.EqualFold(x.Address.String(), deposit) {
			rest = rest.Plus(x.Dirty)
			if x.Reason != tracer.NotCovered {
				t.Errorf("what rests at the deposit address ends %s, want NOT_COVERED: internal transfers are missing", x.Reason)
			}
		}
	}
	if rest.String() != "1200000000000000" {
		t.Errorf("%s rest at the deposit address, want 0.0012 ETH", rest)
	}
}

// The same blocks imported again with more tables take the place of those with
// fewer, whichever comes first.
func TestEtlFullerTablesWin(t *testing.T) {
	header, txs, logs := etlFile("17173049-blocks.csv.gz"), etlFile("17173049-transactions.csv.gz"), etlFile("17173049-logs.csv.gz")
	bare := readEtl(t, []string{"17173049..17173051"}, header, txs)
	full := readEtl(t, []string{"17173049..17173051"}, header, txs, logs)
	for _, order := range [][2]*archive.EtlSet{{bare, full}, {full, bare}} {
		n := 0
		for b, err := range store.MergeBlocks(order[0].Blocks(), order[1].Blocks()) {
			if err != nil {
				t.Fatal(err)
			}
			if b.Partial != ledger.PartialInternal {
				t.Errorf("block %d: partial %q", b.Ref.Height, b.Partial)
			}
			n++
		}
		if n != 2 {
			t.Errorf("%d blocks, want 2", n)
		}
	}
}

// traced runs a trace of a transaction's own value.
func traced(t *testing.T, idx tracer.Index, id string, r tracer.Request, policy string) *tracer.Trace {
	t.Helper()
	ref, err := tracer.ParseRef("ethereum:0x" + id + ":n")
	if err != nil {
		t.Fatal(err)
	}
	if r.Seeds, err = tracer.Resolve(context.Background(), idx, []ledger.Chain{"ethereum"}, ref, nil); err != nil {
		t.Fatal(err)
	}
	if r.Policy, err = tracer.PolicyByName(policy); err != nil {
		t.Fatal(err)
	}
	trace, err := tracer.Run(context.Background(), idx, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// With SPOOR_DATA, a thousand blocks: a payment of 0.001 ETH whose longest way
// on has 55 transfers, counted from the CSV file alone. Poison follows every
// way, so it gets to the end of that one, too.
func TestEtlLongPath(t *testing.T) {
	if os.Getenv("SPOOR_DATA") == "" {
		return
	}
	path, complete := mainnet()
	idx := unlabelled{indexed(t, readEtl(t, []string{complete}, path))}
	floor := map[ledger.Asset]ledger.Amount{ledger.NativeAsset("ethereum"): {}}
	trace := traced(t, idx, "3bafb3781cefbf79562ae12fc20fcde8ebe0c479343a0148c12f6f893d0f8c26", tracer.Request{Floors: floor}, "poison")
	deepest, reached := 0, false
	for _, h := range trace.Hops {
		deepest = max(deepest, h.Depth)
		reached = reached || strings.EqualFold(h.To.String(), "0x01a57927b062644d886582088517288fd1dbb1d6")
	}
	t.Logf("%d hops, the deepest at depth %d", len(trace.Hops), deepest)
	if !reached {
		t.Error("the end of the longest way is not reached")
	}
}

// Tokens are whole where logs or token_transfers are and the range is said to
// be; the native coin is not without traces. Without the claim neither is.
func TestEtlCoverage(t *testing.T) {
	files := etlFiles("17173049-blocks.csv.gz", "17173049-transactions.csv.gz", "17173049-logs.csv.gz")
	usdt, _ := ledger.AssetBySymbol("ethereum", "USDT")
	native := ledger.NativeAsset("ethereum")
	any, err := ledger.ParseAddress("ethereum", addr("1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		complete []string
		token    bool
	}{{[]string{"17173049..17173051"}, true}, {nil, false}} {
		snap := indexed(t, readEtl(t, c.complete, files...))
		for asset, want := range map[ledger.Asset]bool{usdt: c.token, native: false} {
			got, err := snap.Covered(context.Background(), ledger.Holder{Address: any, Asset: asset}, ledger.At(17173049, 0))
			if err != nil || got != want {
				t.Errorf("complete %v: %s covered: %v, %v; want %v", c.complete, asset, got, err, want)
			}
		}
	}
}
