package archive

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// resolved fills in the coins of a complete chain.
func resolved(blocks []*ledger.Block) []*ledger.Block {
	made := map[ledger.OutPoint]ledger.Output{}
	for _, b := range blocks {
		for i := range b.Txs {
			for k := range b.Txs[i].Inputs {
				in := &b.Txs[i].Inputs[k]
				if out, ok := made[in.Prev]; ok {
					in.Address, in.Value, in.Known = out.Address, out.Value, true
				}
			}
			for k, out := range b.Txs[i].Outputs {
				made[ledger.OutPoint{Tx: b.Txs[i].ID, Index: uint32(k)}] = out
			}
		}
	}
	return blocks
}

func unknown(b *ledger.Block) int {
	n := 0
	for _, tx := range b.Txs {
		for _, in := range tx.Inputs {
			if !in.Known {
				n++
			}
		}
	}
	return n
}

// Undo data for the whole bundled chain, in any order, masked or not, gives each input the coin that its chain made.
func TestUndoFiles(t *testing.T) {
	raws := chainBlocks(t, 20_000)
	blk := framed(raws...)
	want := resolved(mustRead(t, mustOpen(t, Options{Blocks: []string{write(t, t.TempDir(), "blk00000.dat", blk)}})))
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 6))
		var rev []byte
		for _, i := range rng.Perm(len(want)) {
			rev = append(rev, revRecord(want[i])...)
			if rng.IntN(100) == 0 {
				rev = append(rev, junk(rng)...)
			}
		}
		dir, undoDir := t.TempDir(), t.TempDir()
		if seed%2 == 0 {
			key := [8]byte{9, 8, 7, 6, 5, 4, 3, byte(seed)}
			write(t, undoDir, "xor.dat", key[:])
			rev = masked(rev, key)
		}
		write(t, dir, "blk00000.dat", blk)
		write(t, undoDir, "rev00000.dat", rev)
		f := mustOpen(t, Options{Blocks: []string{dir}, Undo: []string{undoDir}})
		spends := 0
		for i, b := range mustRead(t, f) {
			for k := range b.Txs {
				for n, in := range b.Txs[k].Inputs {
					if in != want[i].Txs[k].Inputs[n] {
						t.Fatalf("block %d: got %+v, want %+v", i, in, want[i].Txs[k].Inputs[n])
					}
					spends++
				}
			}
		}
		if r := f.Report(); r.WithUndo != 88 || r.WithoutUndo != 0 || spends != 865 {
			t.Errorf("%d spends, %+v", spends, r)
		}
	}
}

// A record is taken for a block only by its checksum, and only from the file of the same number.
func TestUndoThatDoesNotFit(t *testing.T) {
	raws := chainBlocks(t, 260)
	want := resolved(mustRead(t, mustOpen(t, Options{Blocks: []string{write(t, t.TempDir(), "blk00000.dat", framed(raws...))}})))
	record := revRecord(want[170])
	other := *want[170]
	other.Parent[3] ^= 1
	for name, c := range map[string]struct {
		file string
		rev  []byte
		ok   bool
	}{
		"it fits":              {"rev00000.dat", record, true},
		"after others":         {"rev00000.dat", append(bytes.Clone(revRecord(want[181])), record...), true},
		"twice":                {"rev00000.dat", append(bytes.Clone(record), record...), true},
		"zipped":               {"rev00000.dat.gz", zipped(record), true},
		"another file's":       {"rev00001.dat", record, false},
		"another block's":      {"rev00000.dat", revRecord(want[181]), false},
		"another parent's":     {"rev00000.dat", revRecord(&other), false},
		"cut off":              {"rev00000.dat", record[:len(record)-1], false},
		"empty":                {"rev00000.dat", nil, false},
		"damaged at the front": {"rev00000.dat", flipped(record, 12), false},
		"damaged at the end":   {"rev00000.dat", flipped(record, len(record)-1), false},
		"damaged inside":       {"rev00000.dat", flipped(record, 30), false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "blk00000.dat", framed(raws...))
			write(t, dir, c.file, c.rev) // beside the blocks: found without --undo
			f := mustOpen(t, Options{Blocks: []string{dir}})
			b, err := f.Block(context.Background(), 170)
			if err != nil {
				t.Fatal(err)
			}
			wantUnknown := 1
			if c.ok {
				wantUnknown = 0
			}
			if got := unknown(b); got != wantUnknown {
				t.Errorf("got %d unknown inputs, want %d", got, wantUnknown)
			}
			if r := f.Report(); (r.WithUndo == 1) != c.ok || (r.WithoutUndo == 1) == c.ok {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestConcurrentReads(t *testing.T) {
	raws := chainBlocks(t, 300)
	want := resolved(mustRead(t, mustOpen(t, Options{Blocks: []string{write(t, t.TempDir(), "blk00000.dat", framed(raws...))}})))
	dir := t.TempDir()
	write(t, dir, "blk00000.dat", framed(raws...))
	var rev []byte
	for _, b := range want {
		rev = append(rev, revRecord(b)...)
	}
	write(t, dir, "rev00000.dat", rev)
	f := mustOpen(t, Options{Blocks: []string{dir}})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := range raws {
				if b, err := f.Block(context.Background(), uint64(i)); err != nil || unknown(b) != 0 {
					t.Errorf("block %d: got %v, %v", i, b, err)
				}
			}
		})
	}
	readers.Wait()
	if r := f.Report(); r.WithoutUndo != 0 || r.WithUndo == 0 {
		t.Errorf("got %+v", r)
	}
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x10
	return b
}

// A node's own files: 0 to 299 and 300 to 599, with undo records of the first 40.
func TestNodeDirectory(t *testing.T) {
	f := mustOpen(t, Options{Blocks: []string{blkDir + "nbitcoin"}})
	sameChain(t, mustRead(t, f), chainBlocks(t, 600))
	if r := f.Report(); r.Found != 600 || r.WithUndo != 0 || r.WithoutUndo != 13 {
		t.Errorf("got %+v", r)
	}
}

func TestCoinLists(t *testing.T) {
	dir := blkDir + "bcoin/"
	for name, o := range map[string]Options{
		"by name":             {Blocks: []string{dir + "block300025.raw.gz"}, Undo: []string{dir + "block300025-undo.raw.gz"}},
		"directory of both":   {Blocks: []string{dir + "block300025.raw.gz"}, Undo: []string{dir}},
		"beside other blocks": {Blocks: []string{dir + "block300025.raw.gz", dir + "block482683.raw.gz", dir + "block300025-undo.raw.gz"}},
		"of the only block":   {Blocks: []string{dir + "block300025.raw.gz"}, Undo: []string{write(t, t.TempDir(), "coins.bin", unzipped(t, "bitcoin/bcoin/block300025-undo.raw.gz"))}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(context.Background(), withChain(o))
			if err != nil {
				t.Fatal(err)
			}
			b, err := f.Block(context.Background(), 300_025)
			if err != nil || unknown(b) != 0 {
				t.Errorf("got %v, %v", b, err)
			}
		})
	}
	other := mustOpen(t, Options{Blocks: []string{dir + "block482683.raw.gz"}, Undo: []string{dir}}) // its lists are of other blocks
	if b, err := other.Block(context.Background(), 482_683); err != nil || unknown(b) == 0 {
		t.Errorf("lists of other blocks: got %v, %v", b, err)
	}
	testnet := mustOpen(t, Options{Chain: "bitcoin-testnet", Blocks: []string{dir + "block1087400.raw.gz"}, Undo: []string{dir + "block1087400-undo.raw.gz"}})
	if b, err := testnet.Block(context.Background(), 1_087_400); err != nil || unknown(b) != 0 || b.Ref.Chain != "bitcoin-testnet" {
		t.Errorf("testnet: got %v, %v", b, err)
	}
	list := unzipped(t, "bitcoin/bcoin/block300025-undo.raw.gz")
	for name, bad := range map[string][]byte{"cut": list[:len(list)-1], "longer": append(bytes.Clone(list), 1), "of another block": unzipped(t, "bitcoin/bcoin/block1087400-undo.raw.gz"), "own coin differs": spoiled(t, list)} {
		f := mustOpen(t, Options{Blocks: []string{dir + "block300025.raw.gz"}, Undo: []string{write(t, t.TempDir(), "list", bad)}})
		got, err := readAll(f)
		if len(got) != 0 {
			t.Errorf("%s: got a block", name)
		}
		wantInvalid(t, err, "block300025.raw.gz at 0")
	}
	_, err := Open(context.Background(), withChain(Options{
		Blocks: []string{dir + "block300025.raw.gz", dir + "block482683.raw.gz"}, Undo: []string{write(t, t.TempDir(), "coins.bin", list)},
	}))
	wantInvalid(t, err, "--undo", "X-undo.raw")
}

// spoiled empties the first coin, so that its transaction pays out more than it takes in.
func spoiled(t *testing.T, list []byte) []byte {
	t.Helper()
	list = bytes.Clone(list)
	clear(list[:8])
	return list
}

func withChain(o Options) Options {
	o.Chain = "bitcoin"
	return o
}

func FuzzBlockFile(f *testing.F) {
	blocks := chainBlocks(f, 3)
	f.Add(framed(blocks...), []byte{})
	f.Add(append(framed(blocks[2], blocks[0]), framed(blocks[1])[:90]...), []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(blocks[0], revRecord(&ledger.Block{Txs: make([]ledger.Tx, 1)}))
	f.Fuzz(func(t *testing.T, blk, rev []byte) {
		dir := t.TempDir()
		write(t, dir, "blk00000.dat", blk)
		write(t, dir, "rev00000.dat", rev)
		write(t, dir, "x.raw", blk)
		files, err := Open(context.Background(), Options{Chain: "bitcoin", Blocks: []string{dir}})
		if err != nil {
			return
		}
		for b, err := range files.All(context.Background()) {
			if err == nil && !bytes.Contains(framed(blocks...), b.Raw) {
				t.Fatalf("a block that never was: %x", b.Raw)
			}
		}
	})
}

// Set SPOOR_BLOCKS to a directory of a node to read it all: a check by hand, and a measure.
func BenchmarkOpen(b *testing.B) {
	path := os.Getenv("SPOOR_BLOCKS")
	if path == "" {
		path = "../../testdata/demo/bitcoin"
	}
	for b.Loop() {
		f := mustOpen(b, Options{Blocks: []string{path}})
		txs := 0
		for block, err := range f.All(context.Background()) {
			if err != nil {
				b.Fatal(err)
			}
			txs += len(block.Txs)
		}
		b.ReportMetric(float64(txs), "txs/op")
	}
}
