package bitcoin

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"io"
	"os"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/ledger"
)

func readGzip(t testing.TB, name string) []byte {
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

// framedBlocks cuts a block file without gaps into blocks.
func framedBlocks(t testing.TB, name string) [][]byte {
	t.Helper()
	file := readGzip(t, name)
	var blocks [][]byte
	for len(file) > 0 {
		n := binary.LittleEndian.Uint32(file[4:])
		blocks, file = append(blocks, file[8:8+n]), file[8+n:]
	}
	return blocks
}

type realBlock struct {
	name   string
	chain  ledger.Chain
	height uint64
	raw    []byte
}

// realBlocks are single blocks of several ages: 300025 with CoinJoins, 400000
// before SegWit, 482683 and 1087400 with witnesses.
func realBlocks(t testing.TB) []realBlock {
	t.Helper()
	return []realBlock{
		{"227836", "bitcoin", 227836, readGzip(t, "bitcoin/block227836.dat.gz")},
		{"277647", "bitcoin", 277647, readGzip(t, "bitcoin/btcd/277647.dat.gz")[8:]},
		{"300025", "bitcoin", 300025, readGzip(t, "bitcoin/bcoin/block300025.raw.gz")},
		{"400000", "bitcoin", 400000, readGzip(t, "demo/bitcoin/block400000.raw.gz")},
		{"482683", "bitcoin", 482683, readGzip(t, "bitcoin/bcoin/block482683.raw.gz")},
		{"testnet 1087400", "bitcoin-testnet", 1087400, readGzip(t, "bitcoin/bcoin/block1087400.raw.gz")},
	}
}

func decode(t testing.TB, chain ledger.Chain, raw []byte) *Block {
	t.Helper()
	b, err := Decode(chain, raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeAgreesWithWire(t *testing.T) {
	for i, raw := range framedBlocks(t, "demo/bitcoin/blk00000.dat.gz") {
		agree(t, decode(t, "bitcoin", raw), raw)
		if t.Failed() {
			t.Fatalf("block %d", i)
		}
	}
	for _, r := range realBlocks(t) {
		t.Run(r.name, func(t *testing.T) { agree(t, decode(t, r.chain, r.raw), r.raw) })
	}
}

// agree compares a block with what btcd's decoder, which shares no code with ours, makes of the same bytes.
func agree(t *testing.T, b *Block, raw []byte) {
	t.Helper()
	var msg wire.MsgBlock
	if err := msg.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	h := b.Header
	if h.Hash.String() != msg.BlockHash().String() || h.Parent.String() != msg.Header.PrevBlock.String() ||
		h.Merkle.String() != msg.Header.MerkleRoot.String() || int64(h.Time) != msg.Header.Timestamp.Unix() || h.Bits != msg.Header.Bits || h.Version != msg.Header.Version {
		t.Errorf("header: got %+v, want %+v", h, msg.Header)
	}
	agreeTxs(t, b.txs, msg.Transactions)
}

func agreeTxs(t *testing.T, got []ledger.Tx, want []*wire.MsgTx) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d transactions, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := &got[i]
		if g.ID.String() != w.TxHash().String() {
			t.Errorf("transaction %d: got %s, want %s", i, g.ID, w.TxHash())
		}
		if g.Coinbase {
			w.TxIn = nil
		}
		if len(g.Inputs) != len(w.TxIn) || len(g.Outputs) != len(w.TxOut) {
			t.Fatalf("transaction %d: got %d inputs and %d outputs, want %d and %d", i, len(g.Inputs), len(g.Outputs), len(w.TxIn), len(w.TxOut))
		}
		for k, in := range w.TxIn {
			if p := g.Inputs[k].Prev; p.Tx.String() != in.PreviousOutPoint.Hash.String() || p.Index != in.PreviousOutPoint.Index {
				t.Errorf("transaction %d input %d: got %v, want %v", i, k, p, in.PreviousOutPoint)
			}
		}
		for k, out := range w.TxOut {
			if o := g.Outputs[k]; o.Value != ledger.NewAmount(uint64(out.Value)) || !bytes.Equal(o.Address.Script(), out.PkScript) {
				t.Errorf("transaction %d output %d: got %s to %x, want %d to %x", i, k, o.Value, o.Address.Script(), out.Value, out.PkScript)
			}
		}
	}
}

func TestAt(t *testing.T) {
	r := realBlocks(t)[2]
	b, err := decode(t, r.chain, r.raw).At(r.height, ledger.GradeAttested, "here")
	if err != nil {
		t.Fatal(err)
	}
	n := len(b.Txs)
	if n != 461 || b.Ref.Time != 1399713634000 || b.Ref.Height != r.height || b.Grade != ledger.GradeAttested || b.Source != "here" {
		t.Errorf("got %d transactions, %+v, %s, %q", n, b.Ref, b.Grade, b.Source)
	}
	if !b.Txs[0].Coinbase || b.Txs[0].Pos != ledger.At(r.height, uint32(n)) || len(b.Txs[0].Inputs) != 0 {
		t.Errorf("coinbase: got %+v", b.Txs[0])
	}
	for i, tx := range b.Txs[1:] {
		if tx.Coinbase || tx.Pos != ledger.At(r.height, uint32(i+1)) || tx.Time != b.Ref.Time || tx.Grade != b.Grade || tx.Chain != r.chain {
			t.Fatalf("transaction %d: got %+v", i+1, tx)
		}
	}
	if !bytes.Equal(b.Raw, r.raw) || !bytes.Equal(b.Header, r.raw[:80]) {
		t.Error("raw block or header differ")
	}
}

func TestHeights(t *testing.T) {
	believed := map[string]bool{"277647": true, "300025": true, "400000": true, "482683": true, "testnet 1087400": true}
	for _, r := range realBlocks(t) {
		b := decode(t, r.chain, r.raw)
		if height, ok := b.StatedHeight(); ok != believed[r.name] || (ok && height != r.height) {
			t.Errorf("%s: got %d, %v", r.name, height, ok)
		}
		if _, err := b.At(r.height+1, ledger.GradeAttested, ""); (err != nil) != believed[r.name] {
			t.Errorf("%s at another height: got %v", r.name, err)
		}
		if _, err := b.At(0, ledger.GradeAttested, ""); err == nil {
			t.Errorf("%s at height 0: want an error", r.name)
		}
	}
	b := decode(t, "bitcoin", realBlocks(t)[3].raw)
	for name, spoil := range map[string]func(*Block){
		"version 1":       func(b *Block) { b.Header.Version = 1 },
		"too old":         func(b *Block) { b.Header.Time = 1_300_000_000 },
		"too easy":        func(b *Block) { b.Header.Bits = 0x1d00ffff },
		"too low":         func(b *Block) { b.script = []byte{3, 0x5a, 0x7a, 0x03} }, // 227,930
		"not shortest":    func(b *Block) { b.script = []byte{4, 0x80, 0x1a, 0x06, 0} },
		"negative":        func(b *Block) { b.script = []byte{3, 0x80, 0x1a, 0x86} },
		"cut off":         func(b *Block) { b.script = []byte{3, 0x80, 0x1a} },
		"nothing at all":  func(b *Block) { b.script = nil },
		"not a number":    func(b *Block) { b.script = []byte{0x4c, 3, 0x80, 0x1a, 0x06} },
		"a small integer": func(b *Block) { b.script = []byte{0x51, 0x51} },
	} {
		bad := *b
		spoil(&bad)
		if height, ok := bad.StatedHeight(); ok {
			t.Errorf("%s: believed %d", name, height)
		}
	}
}

func TestGenesis(t *testing.T) {
	for _, chain := range []ledger.Chain{"bitcoin", "bitcoin-testnet", "bitcoin-signet", "bitcoin-regtest", "bitcoin-simnet"} {
		n, err := NetworkOf(chain)
		if err != nil || n.Chain != chain || n.Genesis == (ledger.Hash{}) {
			t.Errorf("%s: got %+v, %v", chain, n, err)
		}
		if got, ok := NetworkByMagic(n.Magic); !ok || got != chain {
			t.Errorf("%s: its magic is of %q", chain, got)
		}
	}
	if _, err := NetworkOf("tron"); err == nil {
		t.Error("tron: want an error")
	}
	// Header of block 0 of the test networks as printed by their explorers; only nonce, time and bits differ from mainnet's.
	raw, _ := hex.DecodeString("0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff001d1aa4ae18")
	h, _ := ParseHeader(raw)
	n, _ := NetworkOf("bitcoin-testnet")
	if h.Hash != n.Genesis || n.Check(h) != nil {
		t.Errorf("testnet: got %s, want %s", h.Hash, n.Genesis)
	}
}
