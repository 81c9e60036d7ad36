package tracer_test

import (
	"compress/gzip"
	"encoding/csv"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

func openGzip(t testing.TB, name string) io.Reader {
	t.Helper()
	f, err := os.Open("../testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// realExport reads the bundled transfers of USDT on TRON: a block per
// millisecond, a transaction per row. It is complete for nothing.
func realExport(t testing.TB) *world {
	t.Helper()
	rows, err := csv.NewReader(openGzip(t, "demo/tron/tron-usdt-aso-ship.csv.gz")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	w := &world{chain: "tron"}
	for _, row := range rows[1:] {
		ms, err := strconv.ParseUint(row[at["ts_ms"]], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(w.blocks); n == 0 || w.blocks[n-1].Ref.Height != ms {
			w.blocks = append(w.blocks, &ledger.Block{Ref: ledger.BlockRef{Chain: "tron", Height: ms, Time: int64(ms)}})
		}
		b := w.blocks[len(w.blocks)-1]
		b.Txs = append(b.Txs, exportRow(t, row, at, ledger.At(ms, uint32(len(b.Txs)))))
	}
	usdt, _ := ledger.AssetBySymbol("tron", "USDT")
	w.listSeeds(usdt)
	return w
}

func exportRow(t testing.TB, row []string, at map[string]int, pos ledger.Position) ledger.Tx {
	t.Helper()
	address := func(column string) ledger.Address {
		a, err := ledger.ParseAddress("tron", row[at[column]])
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	id, err := ledger.ParseTxID(row[at["tx_id"]])
	if err != nil {
		t.Fatal(err)
	}
	amount, err := ledger.ParseAmount(row[at["amount_raw"]])
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Tx{
		ID: id, Chain: "tron", Pos: pos, Time: int64(pos.Height()), Grade: ledger.GradeAttested,
		Transfers: []ledger.Transfer{{From: address("from_address"), To: address("to_address"), Asset: ledger.TokenAsset(address("token")), Amount: amount}},
	}
}

// TestRealExportEqualsTwin asks 200 random questions of real transfers, half of
// them of one payment, half of ten; with SPOOR_TRIALS 200 of each.
func TestRealExportEqualsTwin(t *testing.T) {
	w := realExport(t)
	idx := w.index(t, memindex.Options{})
	past := historyOf(slices.Collect(w.txs()), w.seeds[0].Asset)
	questions := 100
	if os.Getenv("SPOOR_TRIALS") != "" {
		questions = 200
	}
	t.Logf("%d payments to choose from", len(w.seeds))
	for _, count := range []int{1, 10} {
		t.Run(strconv.Itoa(count), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(20200810, uint64(count)))
			hops := 0
			for range questions {
				hops += w.equalsTwin(t, idx, past, w.randomSeeds(random, count))
			}
			t.Logf("%d hops in %d traces", hops, 5*questions)
			if hops < 5*questions {
				t.Errorf("the questions led to %d hops, want at least one each", hops)
			}
		})
	}
}

// randomSeeds picks payments; of every third one only a part.
func (w *world) randomSeeds(random *rand.Rand, count int) []tracer.Seed {
	var seeds []tracer.Seed
	for range count {
		s := w.seeds[random.IntN(len(w.seeds))]
		if n, _ := s.Amount.Uint64(); random.IntN(3) == 0 {
			s.Amount = ledger.NewAmount(1 + random.Uint64N(n))
		}
		seeds = append(seeds, s)
	}
	return seeds
}

func (w *world) equalsTwin(t *testing.T, idx tracer.Index, past history, seeds []tracer.Seed) (hops int) {
	t.Helper()
	for _, name := range []string{"fifo", "lifo", "haircut", "dirty-first", "libr"} {
		req := unlimited(t, name, seeds)
		tr := mustRun(t, idx, req)
		hops += len(tr.Hops)
		slow := newTwin(req)
		slow.accounts(past)
		if d := differ(slow.answer(), linesOf(tr)); d != "" {
			t.Fatalf("%s, seeds %v, -twin +replay:\n%s", name, seeds, d)
		}
	}
	return hops
}
