package archive

import (
	"bytes"
	"context"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/ledger"
)

func TestHeightsOfLooseBlocks(t *testing.T) {
	blocks := chainBlocks(t, 400)
	dir := t.TempDir()
	old := write(t, dir, "old.dat", framed(blocks[100:110]...))
	older := write(t, dir, "older.dat", framed(blocks[50:60]...))
	first := write(t, dir, "first.dat", framed(blocks[:20]...))
	gapped := write(t, dir, "gapped.dat", framed(blocks[105:107]...))
	at := func(h uint64) *uint64 { return &h }
	loose := blkDir + "block227836.dat.gz"
	stated := blkDir + "bcoin/block300025.raw.gz"
	f := mustOpen(t, Options{Blocks: []string{old}, Height: at(100)})
	ref := mustRead(t, f)
	parent := ref[0].Parent
	index := func(grade ledger.Grade, hashes map[ledger.Hash]uint64) func(ledger.Hash) (uint64, ledger.Grade, bool) {
		return func(h ledger.Hash) (uint64, ledger.Grade, bool) {
			height, ok := hashes[h]
			return height, grade, ok
		}
	}
	for name, c := range map[string]struct {
		o     Options
		first uint64
		n     int
		grade ledger.Grade
	}{
		"--height":             {Options{Blocks: []string{old}, Height: at(100)}, 100, 10, ledger.GradeAttested},
		"stated":               {Options{Blocks: []string{stated}}, 300_025, 1, ledger.GradeAttested},
		"stated, and --height": {Options{Blocks: []string{stated}, Height: at(300_025)}, 300_025, 1, ledger.GradeAttested},
		"not believed":         {Options{Blocks: []string{loose}, Height: at(227_836)}, 227_836, 1, ledger.GradeAttested},
		"parent in the index":  {Options{Blocks: []string{old}, HeightOf: index(ledger.GradeAttested, map[ledger.Hash]uint64{parent: 99})}, 100, 10, ledger.GradeAttested},
		"proven by the index":  {Options{Blocks: []string{old}, HeightOf: index(ledger.GradeProven, map[ledger.Hash]uint64{parent: 99})}, 100, 10, ledger.GradeProven},
		"itself in the index":  {Options{Blocks: []string{old}, HeightOf: index(ledger.GradeProven, map[ledger.Hash]uint64{ref[0].Ref.Hash: 100})}, 100, 10, ledger.GradeProven},
		"one of two":           {Options{Blocks: []string{old, stated}, Height: at(100)}, 100, 11, ledger.GradeAttested},
		"after the chain":      {Options{Blocks: []string{old, first}, Height: at(100)}, 0, 30, ledger.GradeProven},
	} {
		t.Run(name, func(t *testing.T) {
			f := mustOpen(t, c.o)
			got := mustRead(t, f)
			if len(got) != c.n || got[0].Ref.Height != c.first || got[0].Grade != c.grade {
				t.Errorf("got %d blocks from %+v, %s", len(got), got[0].Ref, got[0].Grade)
			}
		})
	}
	for name, c := range map[string]struct {
		o    Options
		want []string
	}{
		"nothing tells":           {Options{Blocks: []string{loose}}, []string{"block227836", "--height"}},
		"one number for two":      {Options{Blocks: []string{old, older}, Height: at(100)}, []string{"old.dat at 8", "linked"}},
		"it says otherwise":       {Options{Blocks: []string{stated}, Height: at(300_026)}, []string{"--height", "300026"}},
		"all are known":           {Options{Blocks: []string{first}, Height: at(5)}, []string{"--height"}},
		"two at one height":       {Options{Blocks: []string{stated, old}, Height: at(300_020)}, []string{"fits block", "300025"}},
		"a link that is not":      {Options{Blocks: []string{first, old}, Height: at(20)}, []string{"old.dat at 8", "fits block 19"}},
		"a gap that cannot be":    {Options{Blocks: []string{stated, older}, Height: at(300_015)}, []string{"fits block"}},
		"the index contradicts":   {Options{Blocks: []string{gapped, first}, HeightOf: index(ledger.GradeProven, map[ledger.Hash]uint64{ref[4].Ref.Hash: 19})}, []string{"fits block 19"}},
		"beyond what can be said": {Options{Blocks: []string{loose}, Height: at(1 << 60)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Chain = "bitcoin"
			f, err := Open(context.Background(), c.o)
			if err == nil {
				_, err = readAll(f)
			}
			wantInvalid(t, err, c.want...)
		})
	}
	// What competes with the chain from the genesis block is stale, not an error.
	f = mustOpen(t, Options{Blocks: []string{first, old}, Height: at(7)})
	if r := f.Report(); f.Len() != 20 || len(r.Stale) != 10 || r.Attested != 0 {
		t.Errorf("competing: got %d blocks, %+v", f.Len(), r)
	}
}

// regtestBlock is a block of version 2 with true work, whose coinbase states a height up to 16.
func regtestBlock(t *testing.T, parent chainhash.Hash, height byte, bits uint32) []byte {
	t.Helper()
	coinbase := wire.NewMsgTx(1)
	coinbase.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 0xffffffff}, []byte{0x50 + height, 0x51}, nil))
	coinbase.AddTxOut(wire.NewTxOut(50, []byte{0x51}))
	block := wire.MsgBlock{Header: wire.BlockHeader{Version: 2, PrevBlock: parent, MerkleRoot: coinbase.TxHash(), Bits: bits}, Transactions: []*wire.MsgTx{coinbase}}
	network, _ := bitcoin.NetworkOf("bitcoin-regtest")
	for ; ; block.Header.Nonce++ {
		var raw bytes.Buffer
		if err := block.Serialize(&raw); err != nil {
			t.Fatal(err)
		}
		if h, err := bitcoin.ParseHeader(raw.Bytes()); err != nil || network.Check(h) == nil {
			return raw.Bytes()
		}
	}
}

func regtestFile(t *testing.T, blocks ...[]byte) Options {
	t.Helper()
	file := framed(blocks...)
	file = bytes.ReplaceAll(file, mainMagic(), []byte{0xfa, 0xbf, 0xb5, 0xda})
	return Options{Chain: "bitcoin-regtest", Blocks: []string{write(t, t.TempDir(), "blk00000.dat", file)}}
}

// On a chain from the genesis block the difficulty must be the network's: a
// harder block is no better than an easier one.
func TestWrongDifficulty(t *testing.T) {
	var raw bytes.Buffer
	genesis := chaincfg.RegressionNetParams.GenesisBlock
	if err := genesis.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	f := mustOpen(t, regtestFile(t, raw.Bytes(), regtestBlock(t, genesis.BlockHash(), 1, 0x207fffff)))
	if f.Head().Height != 1 || len(mustRead(t, f)) != 2 {
		t.Errorf("got %+v", f.Head())
	}
	_, err := Open(context.Background(), regtestFile(t, raw.Bytes(), regtestBlock(t, genesis.BlockHash(), 1, 0x1f7fffff)))
	wantInvalid(t, err, "207fffff", "1f7fffff")
}

func TestStatedHeightsDisagree(t *testing.T) {
	absent := chainhash.Hash{1}
	f := mustOpen(t, regtestFile(t, regtestBlock(t, absent, 5, 0x207fffff), regtestBlock(t, absent, 5, 0x207ffffe)))
	if f.Head().Height != 5 || len(f.Report().Stale) != 1 {
		t.Errorf("got %+v", f.Head())
	}
	_, err := Open(context.Background(), regtestFile(t, regtestBlock(t, absent, 5, 0x207fffff), regtestBlock(t, absent, 6, 0x207fffff)))
	wantInvalid(t, err, "another block on the same parent")
}
