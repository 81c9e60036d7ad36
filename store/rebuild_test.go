package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer/memindex"
	"pgregory.net/rapid"
)

// TestBackfill takes blocks in any portions by Append and Rebuild and wants the
// index of all of them in one run.
func TestBackfill(t *testing.T) {
	dirs := 0
	rapid.Check(t, func(rt *rapid.T) {
		dirs++
		dir := fmt.Sprintf("%s/%d", t.TempDir(), dirs)
		g := &generator{T: rt, chain: "bitcoin"}
		tip := g.next(nil, 1)
		for range g.n("blocks", 1, 10) {
			tip = g.next(tip, uint64(g.n("gap", 1, 5)/5+1))
		}
		chain := tip.chain()
		s, n := open(rt, dir, mapEngine(), "bitcoin")
		defer s.Close()
		o := store.AppendOptions{KeepRaw: true, BatchSize: 10}
		for _, b := range rapid.Permutation(chain).Draw(rt, "order") {
			err := n.Append(context.Background(), series(b), o)
			if errors.Is(err, store.ErrBackfill) || errors.Is(err, store.ErrUnlinked) {
				err = n.Rebuild(context.Background(), store.MergeBlocks(n.Blocks(context.Background()), series(b)), n.Contents(), o)
			}
			if err != nil {
				rt.Fatalf("block %d: %v", b.Ref.Height, err)
			}
		}
		compare(rt, n, chain, memindex.Options{})
		if err := n.Verify(context.Background(), nil); err != nil {
			rt.Fatalf("verify: %v", err)
		}
		if got, want := exported(rt, n), fresh(rt, dir+"-fresh", chain); got != want {
			rt.Fatalf("export differs from one run:\ngot\n%s\nwant\n%s", got, want)
		}
	})
}

func plain(c ledger.Chain, height uint64, parent ledger.Hash, salt byte) *ledger.Block {
	b := &ledger.Block{Parent: parent, Raw: []byte{salt, byte(height)}, Source: "here"}
	b.Ref = ledger.BlockRef{Chain: c, Height: height, Hash: ledger.Hash{byte(height), salt, 1}, Time: int64(height)}
	return b
}

// run returns linked blocks without transactions.
func run(c ledger.Chain, from, to uint64) []*ledger.Block {
	var blocks []*ledger.Block
	var parent ledger.Hash
	for h := from; h <= to; h++ {
		b := plain(c, h, parent, 0)
		blocks, parent = append(blocks, b), b.Ref.Hash
	}
	return blocks
}

func TestRefusedBlocks(t *testing.T) {
	s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
	defer s.Close()
	ctx := context.Background()
	blocks := run("bitcoin", 10, 150)
	if err := n.Append(ctx, series(blocks...), store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	before := exported(t, n)
	stray := plain("bitcoin", 149, ledger.Hash{9}, 7)
	for name, c := range map[string]struct {
		block *ledger.Block
		want  error
		text  string
	}{
		"deep reorg":     {plain("bitcoin", 40, blocks[29].Ref.Hash, 5), store.ErrDeepReorg, blocks[30].Ref.Hash.String()},
		"back-fill":      {plain("bitcoin", 5, ledger.Hash{}, 0), store.ErrBackfill, "height 5"},
		"orphan":         {stray, store.ErrUnlinked, "height 149"},
		"broken link":    {plain("bitcoin", 151, ledger.Hash{9}, 0), store.ErrUnlinked, "height 151"},
		"no such height": {plain("bitcoin", 1<<44, ledger.Hash{9}, 0), ledger.ErrInvalid, "want a height below"},
		"another chain":  {plain("tron", 151, ledger.Hash{9}, 0), ledger.ErrInvalid, `got "tron"`},
	} {
		err := n.Append(ctx, series(c.block), store.AppendOptions{})
		if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.text) {
			t.Errorf("%s: got %v, want %v with %q", name, err, c.want, c.text)
		}
	}
	if after := exported(t, n); after != before {
		t.Errorf("refused blocks changed the index:\n%s", after)
	}
	err := n.Rebuild(ctx, store.MergeBlocks(n.Blocks(ctx), series(plain("bitcoin", 40, blocks[29].Ref.Hash, 5))), n.Contents(), store.AppendOptions{})
	if !errors.Is(err, store.ErrDeepReorg) || !strings.Contains(err.Error(), blocks[30].Ref.Hash.String()) {
		t.Errorf("merge of another block: got %v, want both hashes", err)
	}
}

// TestBadTransactions hands in blocks that contradict themselves or the index.
func TestBadTransactions(t *testing.T) {
	pay := func(owner byte) []ledger.Output {
		return []ledger.Output{{Address: ledger.Address{Chain: "bitcoin", Kind: ledger.KindP2PKH, Payload: strings.Repeat(string(owner), 20)}, Value: ledger.NewAmount(50)}}
	}
	first := plain("bitcoin", 10, ledger.Hash{}, 0)
	first.Txs = []ledger.Tx{{ID: ledger.TxID{1}, Chain: "bitcoin", Pos: ledger.At(10, 1), Coinbase: true, Outputs: pay('a')}}
	spend := func(change func(*ledger.Tx)) []ledger.Tx {
		tx := ledger.Tx{
			ID: ledger.TxID{2}, Chain: "bitcoin", Pos: ledger.At(11, 1),
			Inputs: []ledger.Input{{Prev: ledger.OutPoint{Tx: ledger.TxID{1}}}}, Outputs: pay('b'),
		}
		change(&tx)
		return []ledger.Tx{tx}
	}
	for name, c := range map[string]struct {
		txs  []ledger.Tx
		want string
	}{
		"missing output": {spend(func(tx *ledger.Tx) { tx.Inputs[0].Prev.Index = 1 }), "want an output that exists"},
		"double spend":   {spend(func(tx *ledger.Tx) { tx.Inputs = append(tx.Inputs, tx.Inputs[0]) }), "want an unspent coin"},
		"lying undo": {spend(func(tx *ledger.Tx) {
			tx.Inputs[0].Known, tx.Inputs[0].Address, tx.Inputs[0].Value = true, pay('a')[0].Address, ledger.NewAmount(51)
		}), "want the coin that the index holds"},
		"other height":  {spend(func(tx *ledger.Tx) { tx.Pos = ledger.At(12, 1) }), "want a position in its block"},
		"same position": {append(spend(func(*ledger.Tx) {}), spend(func(tx *ledger.Tx) { tx.ID[0] = 3 })...), "want a position of its own"},
		"other chain": {spend(func(tx *ledger.Tx) {
			tx.Outputs[0].Address = ledger.AccountAddress("tron", [20]byte{1})
		}), "want addresses of bitcoin"},
	} {
		for _, bound := range []uint64{0, 5} { // into the base, into the overlay
			s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
			second := plain("bitcoin", 11, first.Ref.Hash, 0)
			second.Txs = c.txs
			o := store.AppendOptions{ReorgBound: &bound}
			if err := n.Append(context.Background(), series(first), o); err != nil {
				t.Fatal(err)
			}
			before := exported(t, n)
			err := n.Append(context.Background(), series(second), o)
			if !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, bound %d: got %v, want %q", name, bound, err, c.want)
			}
			if exported(t, n) != before {
				t.Errorf("%s, bound %d: the index changed", name, bound)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// transfers makes an export: one row a block, i milliseconds apart.
func transfers(rows []ledger.Transfer) []*ledger.Block {
	var blocks []*ledger.Block
	for i, tr := range rows {
		b := plain("tron", uint64(1000+i), ledger.Hash{}, 0)
		b.Raw, b.Ref.Hash = nil, ledger.Hash{0xee}
		b.Txs = []ledger.Tx{{ID: ledger.TxID{byte(i), byte(i >> 8), 1}, Chain: "tron", Pos: ledger.At(uint64(1000+i), 0), Time: int64(1000 + i), Transfers: []ledger.Transfer{tr}}}
		blocks = append(blocks, b)
	}
	return blocks
}

func account(i int) ledger.Address {
	return ledger.AccountAddress("tron", [20]byte{byte(i), byte(i >> 8), byte(i >> 16), 0xac})
}

func TestExportNetwork(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	engine := mapEngine()
	s, n := open(t, dir, engine, "tron")
	file, err := n.KeepFile("wallet.csv", strings.NewReader("a,b\n"))
	if err != nil {
		t.Fatal(err)
	}
	asset := ledger.TokenAsset(account(999))
	var rows []ledger.Transfer
	for i := range 20 {
		rows = append(rows, ledger.Transfer{From: account(i % 3), To: account(7), Asset: asset, Amount: ledger.NewAmount(uint64(i + 1))})
	}
	contents := store.Contents{
		Export: true, Files: []store.File{file},
		Claims: []ledger.Claim{{Account: account(1), Range: ledger.Range{From: 0, To: 1010}}, {Account: account(1), Range: ledger.Range{From: 1005, To: 1020}}, {Account: account(2), Range: ledger.Range{From: 0, To: 1019}}},
		Assets: []ledger.AssetInfo{{Asset: asset, Symbol: "FAKE", Decimals: 6}},
	}
	old := pinnedEmpty(t, n)
	if err := n.Rebuild(ctx, series(transfers(rows)...), contents, store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.Append(ctx, series(transfers(rows)[0]), store.AppendOptions{}); !errors.Is(err, ledger.ErrPrecondition) {
		t.Errorf("append to an export: got %v, want %v", err, ledger.ErrPrecondition)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, n = open(t, dir, engine, "tron")
	defer s.Close()
	compare(t, n, transfers(rows), memindex.Options{Claims: map[ledger.Chain][]ledger.Claim{"tron": contents.Claims}})
	if err := n.Verify(ctx, nil); err != nil {
		t.Fatal(err)
	}
	snap := pinned(t, n)
	defer snap.Close()
	for i, want := range []bool{false, true, false, false} {
		if got, err := snap.Covered(ctx, ledger.Holder{Address: account(i), Asset: ledger.NativeAsset(account(i).Chain)}, ledger.At(1000, 0)); err != nil || got != want {
			t.Errorf("account %d covered: got %v, %v, want %v", i, got, err, want)
		}
	}
	if info, err := snap.AssetInfo(ctx, asset); err != nil || info.Symbol != "FAKE" || info.Decimals != 6 || info.Known {
		t.Errorf("asset info: got %+v, %v", info, err)
	}
	r, err := n.OpenFile(n.Contents().Files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "a,b\n" {
		t.Errorf("kept file: got %q, %v", text, err)
	}
	name := filepath.Join(dir, "networks/tron/files", file.SHA256.String())
	if err := os.WriteFile(name, []byte("a,c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.Verify(ctx, nil); !errors.Is(err, ledger.ErrCorrupt) {
		t.Errorf("verify with a changed file: got %v, want %v", err, ledger.ErrCorrupt)
	}
	if gens, _ := filepath.Glob(filepath.Join(dir, "networks/tron/gen-*")); len(gens) != 1 {
		t.Errorf("generations left: %v, want one", gens)
	}
}

func pinnedEmpty(t *testing.T, n *store.Network) *store.Snapshot {
	t.Helper()
	snap := pinned(t, n)
	if _, err := snap.AsOf(context.Background(), n.Chain()); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("as of an empty network: got %v, want %v", err, ledger.ErrNotFound)
	}
	return snap
}

// TestReadersSurviveRebuild reads a generation that was superseded.
func TestReadersSurviveRebuild(t *testing.T) {
	ctx := context.Background()
	s, n := open(t, t.TempDir(), mapEngine(), "bitcoin")
	defer s.Close()
	blocks := run("bitcoin", 10, 30)
	if err := n.Append(ctx, series(blocks...), store.AppendOptions{KeepRaw: true}); err != nil {
		t.Fatal(err)
	}
	snap := pinned(t, n)
	if err := n.Rebuild(ctx, store.MergeBlocks(series(plain("bitcoin", 3, ledger.Hash{}, 0)), n.Blocks(ctx)), n.Contents(), store.AppendOptions{KeepRaw: true}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := snap.Export(ctx, "bitcoin", &out); err != nil || strings.Contains(out.String(), "\nB 3 ") {
		t.Errorf("export of the old generation: %v\n%s", err, out.String())
	}
	if raw, err := snap.Raw(ctx, "bitcoin", 20); err != nil || !bytes.Equal(raw, blocks[10].Raw) {
		t.Errorf("raw block of the old generation: got %x, %v", raw, err)
	}
	if err := snap.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if got := exported(t, n); !strings.Contains(got, "\nB 3 ") {
		t.Errorf("the block that was filled in is missing:\n%s", got)
	}
}
