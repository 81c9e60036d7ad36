package archive

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/ledger"
)

const blkDir = "../../testdata/bitcoin/"

func mainMagic() []byte { return []byte{0xf9, 0xbe, 0xb4, 0xd9} }

// unzipped reads a gzipped file of testdata.
func unzipped(t testing.TB, name string) []byte {
	t.Helper()
	packed, err := os.ReadFile("../../testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// chainBlocks returns the first n blocks of mainnet.
func chainBlocks(t testing.TB, n int) [][]byte {
	t.Helper()
	file := unzipped(t, "demo/bitcoin/blk00000.dat.gz")
	var blocks [][]byte
	for len(file) > 0 && len(blocks) < n {
		size := binary.LittleEndian.Uint32(file[4:])
		blocks, file = append(blocks, file[8:8+size]), file[8+size:]
	}
	return blocks
}

func frame(raw []byte) []byte {
	b := binary.LittleEndian.AppendUint32(mainMagic(), uint32(len(raw)))
	return append(b, raw...)
}

func framed(blocks ...[]byte) []byte {
	var b []byte
	for _, raw := range blocks {
		b = append(b, frame(raw)...)
	}
	return b
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b) // a bytes.Buffer never fails
	_ = w.Close()
	return out.Bytes()
}

// masked combines bytes with a key as Bitcoin Core does with its files.
func masked(b []byte, key [8]byte) []byte {
	b = bytes.Clone(b)
	for i := range b {
		b[i] ^= key[i%8]
	}
	return b
}

func write(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustOpen(t testing.TB, o Options) *Files {
	t.Helper()
	if o.Chain == "" {
		o.Chain = "bitcoin"
	}
	f, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// readAll returns every block, and the error that ended the list.
func readAll(f *Files) ([]*ledger.Block, error) {
	var blocks []*ledger.Block
	for b, err := range f.All(context.Background()) {
		if err != nil {
			return blocks, err
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

func mustRead(t testing.TB, f *Files) []*ledger.Block {
	t.Helper()
	blocks, err := readAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return blocks
}

// sameChain checks that the blocks are those of mainnet from height 0 on.
func sameChain(t testing.TB, got []*ledger.Block, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d blocks, want %d", len(got), len(want))
	}
	for i, b := range got {
		if b.Ref.Height != uint64(i) || !bytes.Equal(b.Raw, want[i]) || b.Grade != ledger.GradeProven || (i > 0 && b.Parent != got[i-1].Ref.Hash) {
			t.Fatalf("block %d: got %+v, %s, from %s", i, b.Ref, b.Grade, b.Source)
		}
	}
}

func wantInvalid(t testing.TB, err error, texts ...string) {
	t.Helper()
	if !errors.Is(err, ledger.ErrInvalid) || slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(err.Error(), s) }) {
		t.Errorf("got %v, want an invalid input that names %q", err, texts)
	}
}

// revRecord is the undo data of a block whose inputs are all known, framed as in rev*.dat.
func revRecord(b *ledger.Block) []byte {
	undo := putSize(nil, uint64(len(b.Txs)-1))
	for _, tx := range b.Txs[1:] {
		undo = putSize(undo, uint64(len(tx.Inputs)))
		for _, in := range tx.Inputs {
			v, _ := in.Value.Uint64()
			script := in.Address.Script()
			undo = append(undo, 2, 0) // height 1, version
			undo = putBase128(undo, squeezed(v))
			undo = append(putBase128(undo, uint64(len(script))+6), script...)
		}
	}
	sum := bitcoin.Checksum(b.Parent, undo)
	return append(frame(undo), sum[:]...)
}

func squeezed(v uint64) uint64 {
	if v == 0 {
		return 0
	}
	zeros := uint64(0)
	for v%10 == 0 && zeros < 9 {
		v, zeros = v/10, zeros+1
	}
	if zeros < 9 {
		return 1 + (v/10*9+v%10-1)*10 + zeros
	}
	return 1 + (v-1)*10 + 9
}

func putSize(b []byte, n uint64) []byte {
	if n < 0xfd {
		return append(b, byte(n))
	}
	return binary.LittleEndian.AppendUint16(append(b, 0xfd), uint16(n))
}

func putBase128(b []byte, n uint64) []byte {
	digits := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		digits = append(digits, byte(n&0x7f)|0x80)
	}
	slices.Reverse(digits)
	return append(b, digits...)
}
