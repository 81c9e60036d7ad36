package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// The bundled directory: mainnet 0 to 14131 and block 400000.
func TestDemoBlocks(t *testing.T) {
	f := mustOpen(t, Options{Blocks: []string{"../../testdata/demo/bitcoin"}})
	if got := f.Head().Hash.String(); f.Head().Height != 400_000 || got != "000000000000000004ec466ce4732fe6f1ed1cddc2ed4b328fff5224276e3f6f" {
		t.Errorf("head: got %d %s", f.Head().Height, got)
	}
	blocks := mustRead(t, f)
	sameChain(t, blocks[:f.Len()-1], chainBlocks(t, 20_000))
	last := blocks[len(blocks)-1]
	if last.Ref != f.Head() || last.Grade != ledger.GradeAttested || !strings.HasSuffix(last.Source, "block400000.raw.gz at 0") {
		t.Errorf("last: got %+v, %s, from %s", last.Ref, last.Grade, last.Source)
	}
	txs := 0
	for _, b := range blocks {
		txs += len(b.Txs)
	}
	if len(blocks) != 14_133 || txs != 14_247+1660 {
		t.Errorf("got %d blocks, %d transactions", len(blocks), txs)
	}
	r := f.Report()
	if r.Found != 14_133 || r.Attested != 1 || r.Work.Uint64() != 14_132*0x100010001 || len(r.Stale)+len(r.Truncated)+len(r.Skipped)+r.Duplicates != 0 {
		t.Errorf("report: got %+v", r)
	}
	one, err := f.Block(context.Background(), 170)
	if err != nil || one.Ref != blocks[170].Ref {
		t.Errorf("block 170: got %+v, %v", one, err)
	}
	if _, err := f.Block(context.Background(), 14_132); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("block 14132: got %v, want not found", err)
	}
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(stopped, Options{Chain: "bitcoin", Blocks: []string{"../../testdata/demo/bitcoin"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

// However blocks are spread over files, and whatever lies between them, the chain is the same.
func TestAnyOrderOfBlocks(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another; the tests without the race detector run it")
	}
	want := chainBlocks(t, 300)
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 5))
		dir := t.TempDir()
		key := [8]byte{1, 2, 3, byte(seed), 5, 6, 7, 8}
		masks := seed%3 == 0
		if masks {
			write(t, dir, "xor.dat", key[:])
		}
		shuffled := slices.Clone(want)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		twice := rng.IntN(20)
		shuffled = append(shuffled, shuffled[:twice]...)
		garbage := 0
		for n := 0; len(shuffled) > 0; n++ {
			var file []byte
			for range min(len(shuffled), 1+rng.IntN(90)) {
				file = append(file, make([]byte, rng.IntN(2)*rng.IntN(100_000))...)
				if rng.IntN(10) == 0 {
					file, garbage = append(file, junk(rng)...), garbage+1
				}
				file, shuffled = append(file, frame(shuffled[0])...), shuffled[1:]
			}
			file = append(file, make([]byte, rng.IntN(3)*rng.IntN(100_000))...)
			if masks {
				file = masked(file, key)
			}
			if name := fmt.Sprintf("blk%05d.dat", n); rng.IntN(3) == 0 {
				write(t, dir, name+".gz", zipped(file))
			} else {
				write(t, dir, name, file)
			}
		}
		f := mustOpen(t, Options{Blocks: []string{dir}})
		sameChain(t, mustRead(t, f), want)
		if r := f.Report(); r.Duplicates != twice || r.Found != 300+twice || len(r.Stale) != 0 || (garbage > 0) != (len(r.Skipped) > 0) {
			t.Errorf("seed %d: %d pieces of garbage, %d blocks twice: got %+v", seed, garbage, twice, r)
		}
	}
}

// junk is what is no block: noise, a magic in it, a length beyond all bounds, a header without work.
func junk(rng *rand.Rand) []byte {
	b := make([]byte, 1+rng.IntN(300))
	for i := range b {
		b[i] = byte(rng.Uint32()) | 1
	}
	switch rng.IntN(4) {
	case 0:
		b = append(b, mainMagic()...)
	case 1:
		b = append(append(b, mainMagic()...), 0xff, 0xff, 0xff, 0xff, 1)
	case 2: // its length leads nowhere
		b = append(binary.LittleEndian.AppendUint32(append(b, mainMagic()...), 150), bytes.Repeat([]byte{7}, 200)...)
	}
	return b
}

// A magic is found wherever the read window ends.
func TestMagicAcrossWindows(t *testing.T) {
	blocks := chainBlocks(t, 3)
	first := framed(blocks[0])
	for gap := windowSize - 8; gap < windowSize+4; gap++ {
		noise := bytes.Repeat([]byte{0xf9}, gap) // the first byte of the magic
		path := write(t, t.TempDir(), "blk00000.dat", append(append(bytes.Clone(first), noise...), framed(blocks[1:]...)...))
		f := mustOpen(t, Options{Blocks: []string{path}})
		sameChain(t, mustRead(t, f), blocks)
		if r := f.Report(); len(r.Skipped) != 1 || r.Skipped[0] != (Place{path, int64(len(first)), int64(gap)}) {
			t.Errorf("gap of %d: got %+v", gap, r.Skipped)
		}
		clear(noise) // zeros are padding
		f = mustOpen(t, Options{Blocks: []string{write(t, t.TempDir(), "blk00000.dat", append(append(bytes.Clone(first), noise...), framed(blocks[1:]...)...))}})
		if r := f.Report(); len(r.Skipped) != 0 || r.Found != 3 {
			t.Errorf("padding of %d: got %+v", gap, r)
		}
	}
}

func permutations(list []string) [][]string {
	if len(list) < 2 {
		return [][]string{slices.Clone(list)}
	}
	var all [][]string
	for i := range list {
		rest := append(slices.Clone(list[:i]), list[i+1:]...)
		for _, p := range permutations(rest) {
			all = append(all, append([]string{list[i]}, p...))
		}
	}
	return all
}

// A synthetic fork of btcd: 3A, 4A and 5A overtake 3 and 4.
func TestStaleBranches(t *testing.T) {
	files := []string{blkDir + "btcd/blk_0_to_4.dat.gz", blkDir + "btcd/blk_3A.dat.gz", blkDir + "btcd/blk_4A.dat.gz", blkDir + "btcd/blk_5A.dat.gz"}
	var first []ledger.BlockRef
	for _, order := range permutations(files) {
		f := mustOpen(t, Options{Blocks: order})
		var refs []ledger.BlockRef
		for _, b := range mustRead(t, f) {
			refs = append(refs, b.Ref)
		}
		if first == nil {
			first = refs
		}
		if !slices.Equal(refs, first) || f.Head().Hash.String() != "00000000195f85184e77c18914bd0febd11278d950f5e4731a38f71ed79f044e" {
			t.Errorf("%v: got %v", order, refs)
		}
		r := f.Report()
		if len(r.Stale) != 2 || r.Stale[0].Hash.String() != "00000000bc3589303953766cc9364130cb97bc3749bae170f476d45f1e23f850" || r.Stale[1].Height != 4 {
			t.Errorf("%v: stale %v", order, r.Stale)
		}
	}
	shorter := mustOpen(t, Options{Blocks: files[:3]}) // 0 to 4 against 3A and 4A: equal work
	again := mustOpen(t, Options{Blocks: []string{files[2], files[1], files[0]}})
	if shorter.Head() != again.Head() || len(shorter.Report().Stale) != 2 {
		t.Errorf("equal work: got %v and %v", shorter.Head(), again.Head())
	}
	less := mustOpen(t, Options{Blocks: files[:2]})
	if r := less.Report(); less.Head().Height != 4 || len(r.Stale) != 1 || r.Stale[0].Height != 3 {
		t.Errorf("less work: got %v, stale %v", less.Head(), r.Stale)
	}
}

func TestTruncatedTail(t *testing.T) {
	blocks := chainBlocks(t, 20)
	whole := framed(blocks...)
	last := len(frame(blocks[19]))
	for cut := 1; cut < last; cut += 7 {
		path := write(t, t.TempDir(), "blk00000.dat", whole[:len(whole)-cut])
		f := mustOpen(t, Options{Blocks: []string{path}})
		sameChain(t, mustRead(t, f), blocks[:19])
		r := f.Report()
		want := Place{path, int64(len(whole) - last), int64(last - cut)}
		if list := slices.Concat(r.Truncated, r.Skipped); len(list) != 1 || list[0] != want || (len(r.Truncated) == 0 && last-cut >= 4) {
			t.Errorf("%d bytes cut off: got %+v, want %+v", cut, r, want)
		}
	}
	raw := unzipped(t, "demo/bitcoin/block400000.raw.gz")
	path := write(t, t.TempDir(), "x.raw", raw[:500_000])
	_, err := Open(context.Background(), Options{Chain: "bitcoin", Blocks: []string{path}})
	wantInvalid(t, err, path+" at 0", "transaction")
}

// A damaged body is an error that says where; the blocks before it are whole, and nothing of it is given.
func TestDamage(t *testing.T) {
	blocks := chainBlocks(t, 200)
	whole := framed(blocks...)
	offset := len(framed(blocks[:170]...))
	for name, at := range map[string]int{"header": offset + 8 + 40, "coinbase": offset + 8 + 100, "last byte": offset + 8 + len(blocks[170]) - 1} {
		bad := bytes.Clone(whole)
		bad[at] ^= 4
		path := write(t, t.TempDir(), "blk00000.dat", bad)
		f, err := Open(context.Background(), Options{Chain: "bitcoin", Blocks: []string{path}})
		if name == "header" {
			wantInvalid(t, err, fmt.Sprintf("%s at %d", path, offset+8), "meets its target")
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(f)
		wantInvalid(t, err, fmt.Sprintf("%s at %d", path, offset+8))
		sameChain(t, got, blocks[:170])
	}
}

// Whatever is done to a file: an error, or true blocks of the chain and no others.
func TestMutatedFiles(t *testing.T) {
	blocks := chainBlocks(t, 40)
	known := map[string]bool{}
	for _, raw := range blocks {
		known[string(raw)] = true
	}
	whole := framed(blocks...)
	rng := rand.New(rand.NewPCG(8, 9))
	refused, dir := 0, t.TempDir()
	for range 1500 {
		bad := bytes.Clone(whole)
		for range 1 + rng.IntN(3) {
			i := rng.IntN(len(bad))
			switch rng.IntN(4) {
			case 0:
				bad[i] ^= 1 << rng.IntN(8)
			case 1:
				bad = bad[:i+1]
			case 2:
				bad = append(bad[:i:i], bad[min(len(bad), i+rng.IntN(300)):]...)
			case 3:
				bad = append(bad[:i:i], append(junk(rng), bad[i:]...)...)
			}
			bad = append(bad, 0)
		}
		got, err := readMutated(write(t, dir, "blk00000.dat", bad))
		if err != nil {
			refused++
			wantInvalid(t, err)
		}
		for i, b := range got {
			if !known[string(b.Raw)] || b.Ref.Height != uint64(i) || b.Grade != ledger.GradeProven {
				t.Fatalf("a block that never was: %+v", b.Ref)
			}
		}
	}
	if refused < 500 {
		t.Errorf("only %d of 1500 were refused", refused)
	}
}

func readMutated(path string) ([]*ledger.Block, error) {
	f, err := Open(context.Background(), Options{Chain: "bitcoin", Blocks: []string{path}})
	if err != nil {
		return nil, err
	}
	return readAll(f)
}

func TestSingleFiles(t *testing.T) {
	raw := unzipped(t, "bitcoin/bcoin/block300025.raw.gz")
	dir := t.TempDir()
	text := hex.EncodeToString(raw)
	var want *ledger.Block
	for name, content := range map[string][]byte{
		"a.raw": raw, "b.dat": raw, "c.hex": []byte(text), "d.txt": []byte(text[:1001] + "\r\n" + text[1001:] + "\n"), "e": zipped(raw),
		"f.hex.gz": zipped([]byte(text)), "g.dat": frame(raw), "blk00007.dat": frame(raw),
	} {
		path := write(t, dir, name, content)
		got := mustRead(t, mustOpen(t, Options{Blocks: []string{path}}))
		if len(got) != 1 || !strings.HasPrefix(got[0].Source, path+" at ") {
			t.Fatalf("%s: got %v", name, got)
		}
		got[0].Source = ""
		if want == nil {
			want = got[0]
		}
		if !reflect.DeepEqual(got[0], want) || want.Ref.Height != 300_025 {
			t.Errorf("%s: got %+v, want %+v", name, got[0].Ref, want.Ref)
		}
	}
	// All of them in a directory are one block, seven times repeated; d.txt and e have no name for a block.
	if r := mustOpen(t, Options{Blocks: []string{dir}}).Report(); r.Found != 6 || r.Duplicates != 5 {
		t.Errorf("directory: got %+v", r)
	}
	if r := mustOpen(t, Options{Blocks: []string{dir, filepath.Join(dir, "e"), filepath.Join(dir, "e")}}).Report(); r.Found != 7 {
		t.Errorf("directory and file: got %+v", r)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	genesis := chainBlocks(t, 1)[0]
	noise := bytes.Repeat([]byte("not a block, "), 40)
	testnet := unzipped(t, "bitcoin/bcoin/block1087400.raw.gz")
	wrongNet := append([]byte{0x0b, 0x11, 0x09, 0x07}, frame(testnet)[4:]...)
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	maskDir := filepath.Join(dir, "mask")
	if err := os.Mkdir(maskDir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, maskDir, "xor.dat", []byte{1, 2})
	for name, c := range map[string]struct {
		o    Options
		want []string
	}{
		"no network":         {Options{Chain: "tron", Blocks: []string{dir}}, []string{"network", "bitcoin-testnet", "tron"}},
		"no path":            {Options{}, []string{"--blocks"}},
		"a path that is not": {Options{Blocks: []string{filepath.Join(dir, "nowhere")}}, []string{"--blocks", "nowhere"}},
		"no undo path":       {Options{Blocks: []string{write(t, dir, "g.raw", genesis)}, Undo: []string{filepath.Join(dir, "gone")}}, []string{"--undo", "gone"}},
		"empty directory":    {Options{Blocks: []string{empty}}, []string{"blocks of bitcoin", "hold none"}},
		"only padding":       {Options{Blocks: []string{write(t, dir, "blk00009.dat", make([]byte, 9000))}}, []string{"hold none"}},
		"an empty file":      {Options{Blocks: []string{write(t, dir, "z.raw", nil)}}, []string{"hold none"}},
		"noise":              {Options{Blocks: []string{write(t, dir, "n.raw", noise)}}, []string{"n.raw", "a block of bitcoin"}},
		"noise in a dat":     {Options{Blocks: []string{write(t, dir, "blk00008.dat", noise)}}, []string{"blk00008.dat", "xor.dat"}},
		"other network":      {Options{Blocks: []string{write(t, dir, "blk00003.dat", wrongNet)}}, []string{"blocks of bitcoin", "blocks of bitcoin-testnet"}},
		"other mask":         {Options{Blocks: []string{write(t, maskDir, "blk00000.dat", framed(genesis))}}, []string{"xor.dat", "8 bytes"}},
		"broken gzip":        {Options{Blocks: []string{write(t, dir, "b.raw.gz", zipped(genesis)[:40])}}, []string{"b.raw.gz", "gzip"}},
		"odd hex":            {Options{Blocks: []string{write(t, dir, "o.hex", []byte(hex.EncodeToString(genesis)[1:]))}}, []string{"o.hex", "hex"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.o.Chain == "" {
				c.o.Chain = "bitcoin"
			}
			_, err := Open(context.Background(), c.o)
			wantInvalid(t, err, c.want...)
		})
	}
}

// A file that changes under a reader is noticed.
func TestChangedFile(t *testing.T) {
	blocks := chainBlocks(t, 3)
	dir := t.TempDir()
	f := mustOpen(t, Options{Blocks: []string{write(t, dir, "blk00000.dat", framed(blocks...))}})
	write(t, dir, "blk00000.dat", framed(blocks[0], blocks[2], blocks[1]))
	_, err := f.Block(context.Background(), 1)
	wantInvalid(t, err, "which was there before")
	write(t, dir, "blk00000.dat", framed(blocks[0]))
	if _, err := f.Block(context.Background(), 1); err == nil {
		t.Error("a file that shrank: want an error")
	}
}
