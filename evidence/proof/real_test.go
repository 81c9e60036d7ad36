package proof

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if z, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func readJSON(t testing.TB, name string, v any) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, name), v); err != nil {
		t.Fatal(err)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

const bitcoinData = "../../testdata/"

// bitcoinFile reads one serialised block.
func bitcoinFile(t testing.TB, name string, skip int) *BitcoinBlock {
	t.Helper()
	return must[*BitcoinBlock](t)(ReadBitcoinBlock(readFile(t, bitcoinData+name)[skip:]))
}

// earlyBlocks are mainnet blocks 0 to 14131.
func earlyBlocks(t testing.TB) []*BitcoinBlock {
	t.Helper()
	file := readFile(t, bitcoinData+"demo/bitcoin/blk00000.dat.gz")
	var blocks []*BitcoinBlock
	for len(file) > 0 {
		n := binary.LittleEndian.Uint32(file[4:])
		blocks = append(blocks, must[*BitcoinBlock](t)(ReadBitcoinBlock(file[8:8+n])))
		file = file[8+n:]
	}
	return blocks
}

// lookup finds the block of a transaction among these.
func lookup(blocks ...*BitcoinBlock) func(ledger.TxID) (*BitcoinBlock, error) {
	held := map[ledger.TxID]*BitcoinBlock{}
	for _, b := range blocks {
		for _, id := range b.IDs() {
			held[id] = b
		}
	}
	return func(id ledger.TxID) (*BitcoinBlock, error) { return held[id], nil }
}

// edits is how many random edits each kind of proof has to survive.
const edits = 10_000
