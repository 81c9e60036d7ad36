package proof

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
)

// proveAll proves every transaction of a block and returns how many inputs were proven, of how many.
func proveAll(t *testing.T, chain ledger.Chain, b *BitcoinBlock, find func(ledger.TxID) (*BitcoinBlock, error)) (known, all int) {
	t.Helper()
	for i, id := range b.IDs() {
		p, err := BuildBitcoin(chain, b, id, find)
		if err != nil {
			t.Fatal(err)
		}
		f, err := VerifyBitcoin(chain, p)
		if err != nil {
			t.Fatal(err)
		}
		if f.ID != id || f.Index != uint32(i) || f.Coinbase != (i == 0) || len(f.Outputs) != len(b.txs[i].outputs) {
			t.Fatalf("%s: got %+v", id, f)
		}
		unknown := 0
		for _, in := range f.Inputs {
			if all++; in.Known {
				known++
			} else {
				unknown++
			}
		}
		if (f.Grade.Grade == ledger.GradeProven) != (unknown == 0) {
			t.Errorf("%s: %d of %d inputs unknown, graded %+v", id, unknown, len(f.Inputs), f.Grade)
		}
	}
	return known, all
}

// Every transaction of six real blocks is proven, and the amounts of inputs that spend the same block.
func TestBitcoinBlocks(t *testing.T) {
	for _, test := range []struct {
		name       string
		chain      ledger.Chain
		skip, txs  int
		known, all int
		height     uint64
	}{
		{"bitcoin/block227836.dat.gz", "bitcoin", 0, 100, 4, 190, 227_836},
		{"bitcoin/btcd/277647.dat.gz", "bitcoin", 8, 213, 62, 732, 277_647},
		{"bitcoin/bcoin/block300025.raw.gz", "bitcoin", 0, 461, 188, 1427, 300_025},
		{"demo/bitcoin/block400000.raw.gz", "bitcoin", 0, 1660, 493, 4806, 400_000},
		{"bitcoin/bcoin/block482683.raw.gz", "bitcoin", 0, 12, 0, 51, 482_683},
		{"bitcoin/bcoin/block1087400.raw.gz", "bitcoin-testnet", 0, 97, 10, 205, 1_087_400},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := bitcoinFile(t, test.name, test.skip)
			known, all := proveAll(t, test.chain, b, lookup(b))
			p := must[Bitcoin](t)(BuildBitcoin(test.chain, b, b.IDs()[0], lookup()))
			f := must[BitcoinFacts](t)(VerifyBitcoin(test.chain, p))
			if len(b.txs) != test.txs || known != test.known || all != test.all || f.Height != test.height {
				t.Errorf("got %d transactions, %d of %d inputs, height %d; want %+v", len(b.txs), known, all, f.Height, test)
			}
		})
	}
}

// Blocks 0 to 14131 hold all that they spend: every amount is proven.
func TestBitcoinEarlyBlocks(t *testing.T) {
	blocks := earlyBlocks(t)
	find := lookup(blocks...)
	txs, known, all := 0, 0, 0
	for _, b := range blocks {
		k, a := proveAll(t, "bitcoin", b, find)
		txs, known, all = txs+len(b.txs), known+k, all+a
	}
	if txs != 14_247 || known != 865 || all != 865 {
		t.Errorf("got %d transactions, %d of %d inputs; want 14247 and all of 865", txs, known, all)
	}
}

// The first payment from one person to another: Satoshi's 50 coins of block 9, of which Hal Finney got 10 in block 170.
func TestBitcoinKnown(t *testing.T) {
	blocks := earlyBlocks(t)[:171]
	id := must[ledger.TxID](t)(ledger.ParseTxID("f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16"))
	p := must[Bitcoin](t)(BuildBitcoin("bitcoin", blocks[170], id, lookup(blocks...)))
	f := must[BitcoinFacts](t)(VerifyBitcoin("bitcoin", p))
	got := fmt.Sprintf("%s %d %s %s %d %s %s %s %s %s", f.Block, f.Index, f.Inputs[0].Prev.Tx, f.Inputs[0].Value, len(f.Outputs), f.Outputs[0].Value, f.Outputs[1].Value, f.Work, f.Grade.Grade, p.Previous[0].Block)
	want := "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee 1 0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9 5000000000 2 1000000000 4000000000 4295032833 proven 000000008d9dc510f23c2657fc4f67bea30078cc05a90eb89e84cc475c080805"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Proven amounts of block 300025 are those of bcoin's undo data: value and script of every spent output in the order of the inputs.
func TestBitcoinAmountsAgreeWithUndo(t *testing.T) {
	for _, test := range []struct {
		name  string
		chain ledger.Chain
		want  int
	}{{"300025", "bitcoin", 188}, {"1087400", "bitcoin-testnet", 10}} {
		b := bitcoinFile(t, "bitcoin/bcoin/block"+test.name+".raw.gz", 0)
		undo := &cursor{data: readFile(t, bitcoinData+"bitcoin/bcoin/block"+test.name+"-undo.raw.gz")}
		find, compared := lookup(b), 0
		for _, id := range b.IDs()[1:] {
			f := must[BitcoinFacts](t)(VerifyBitcoin(test.chain, must[Bitcoin](t)(BuildBitcoin(test.chain, b, id, find))))
			for i, in := range f.Inputs {
				value, script := undo.integer(8), undo.bytes(undo.size())
				if !in.Known {
					continue
				}
				compared++
				if in.Value != ledger.NewAmount(value) || in.Address != ledger.ScriptAddress(test.chain, script) {
					t.Errorf("%s, input %d: got %s of %s, undo says %d of %x", id, i, in.Value, in.Address, value, script)
				}
			}
		}
		if undo.left() != 0 || undo.err != nil || compared != test.want {
			t.Errorf("block %s: %d amounts compared, want %d; %d bytes of undo left, %v", test.name, compared, test.want, undo.left(), undo.err)
		}
	}
}

// The stripped bytes and ids are those of btcd's decoder, which shares no code with ours.
func TestBitcoinAgreesWithWire(t *testing.T) {
	for _, name := range []string{"bitcoin/bcoin/block482683.raw.gz", "bitcoin/bcoin/block1087400.raw.gz", "demo/bitcoin/block400000.raw.gz"} {
		raw := readFile(t, bitcoinData+name)
		var msg wire.MsgBlock
		if err := msg.Deserialize(bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
		b := must[*BitcoinBlock](t)(ReadBitcoinBlock(raw))
		if got, want := ledger.Hash(blockID(b.header)).String(), msg.BlockHash().String(); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
		for i, tx := range msg.Transactions {
			var stripped bytes.Buffer
			if err := tx.SerializeNoWitness(&stripped); err != nil {
				t.Fatal(err)
			}
			if got, want := b.IDs()[i].String(), tx.TxHash().String(); got != want || !bytes.Equal(b.txs[i].bytes, stripped.Bytes()) {
				t.Errorf("%s, transaction %d: got %s %x, want %s %x", name, i, got, b.txs[i].bytes, want, stripped.Bytes())
			}
		}
	}
}

// miniature makes a block of regtest out of transactions, grinding its header; roots of mutated lists are as Bitcoin computes them.
func miniature(txs ...[]byte) []byte {
	level := make([][32]byte, len(txs))
	for i, tx := range txs {
		level[i] = doubleHash(tx)
	}
	for len(level) > 1 {
		var above [][32]byte
		for i := 0; i < len(level); i += 2 {
			above = append(above, doublePair(level[i], level[min(i+1, len(level)-1)]))
		}
		level = above
	}
	header := slices.Concat(make([]byte, 36), level[0][:], []byte{0, 0, 0, 0}, []byte{0xff, 0xff, 0x7f, 0x20}, make([]byte, 4))
	for blockID(header)[0] > 0x7f {
		binary.LittleEndian.PutUint32(header[76:], binary.LittleEndian.Uint32(header[76:])+1)
	}
	return slices.Concat(append(header, byte(len(txs))), slices.Concat(txs...))
}

// spend makes a transaction of one input and one output; nothing is signed.
func spend(prev [32]byte, index uint32, scriptIn []byte, value uint64, scriptOut []byte) []byte {
	tx := append([]byte{1, 0, 0, 0, 1}, prev[:]...)
	tx = binary.LittleEndian.AppendUint32(tx, index)
	tx = append(append(append(tx, byte(len(scriptIn))), scriptIn...), 0xff, 0xff, 0xff, 0xff, 1)
	tx = binary.LittleEndian.AppendUint64(tx, value)
	return append(append(append(tx, byte(len(scriptOut))), scriptOut...), 0, 0, 0, 0)
}

func coinbaseOf(salt byte) []byte {
	return spend([32]byte{}, 0xffffffff, []byte{1, salt}, 50, []byte{0x51})
}

// In a tree of any size each transaction is proven at its place and at no other.
func TestBitcoinTree(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 70).Draw(r, "transactions")
		txs := [][]byte{coinbaseOf(0)}
		for i := 1; i < n; i++ {
			txs = append(txs, spend([32]byte{byte(i)}, uint32(i), nil, uint64(i), []byte{0x51}))
		}
		b, err := ReadBitcoinBlock(miniature(txs...))
		if err != nil {
			r.Fatal(err)
		}
		i := rapid.IntRange(0, n-1).Draw(r, "index")
		p, err := BuildBitcoin("bitcoin-regtest", b, b.IDs()[i], lookup())
		if err != nil {
			r.Fatal(err)
		}
		for other := range 3 * n {
			q := p
			if q.Index = uint32(other); other == i {
				continue
			}
			if _, err := VerifyBitcoin("bitcoin-regtest", q); err == nil {
				r.Errorf("transaction %d of %d is accepted at %d", i, n, other)
			}
		}
		if _, err := VerifyBitcoin("bitcoin", p); err == nil {
			r.Error("work of regtest is accepted on mainnet")
		}
	})
}

// A list whose tail is repeated has the root of the shorter list (CVE-2012-2459). The copies are in no proof.
func TestBitcoinRepeatedTail(t *testing.T) {
	txs := [][]byte{coinbaseOf(0)}
	for i := byte(1); i < 6; i++ {
		txs = append(txs, spend([32]byte{i}, 0, nil, 1, []byte{0x51}))
	}
	block := miniature(txs...)
	mutated := miniature(append(slices.Clone(txs), txs[4], txs[5])...)
	if !bytes.Equal(block[:headerSize], mutated[:headerSize]) {
		t.Fatal("the two lists have different roots")
	}
	if _, err := ReadBitcoinBlock(mutated); err == nil || !strings.Contains(err.Error(), "CVE-2012-2459") {
		t.Errorf("got %v, want the block to be refused", err)
	}
	b := must[*BitcoinBlock](t)(ReadBitcoinBlock(block))
	p := must[Bitcoin](t)(BuildBitcoin("bitcoin-regtest", b, b.IDs()[4], lookup()))
	p.Index = 6
	if _, err := VerifyBitcoin("bitcoin-regtest", p); err == nil || !strings.Contains(err.Error(), "CVE-2012-2459") {
		t.Errorf("got %v, want the copy to be refused", err)
	}
}

// A transaction of 64 bytes can be two hashes; neither it nor one below it is proven (CVE-2017-12842).
func TestBitcoinInnerNode(t *testing.T) {
	forged := spend([32]byte{9}, 0, nil, 1_000_000, []byte{0x51, 0x51, 0x51, 0x51, 0x51})
	leaf := doubleHash(forged)
	// Its last 32 bytes are the id of a transaction that is in no block.
	node := spend([32]byte{8}, 0, make([]byte, 4), 0, nil)
	node = append(node[:64-32], leaf[:]...)
	level := [][32]byte{doubleHash(coinbaseOf(0)), doubleHash(node)}
	root := doublePair(level[0], level[1])
	header := miniature(coinbaseOf(0))[:headerSize]
	copy(header[36:68], root[:])
	for blockID(header)[0] > 0x7f {
		binary.LittleEndian.PutUint32(header[76:], binary.LittleEndian.Uint32(header[76:])+1)
	}
	block := blockID(header)
	id := leaf
	slices.Reverse(id[:])
	p := Bitcoin{BitcoinTx: BitcoinTx{
		Block: hex.EncodeToString(block[:]), ID: hex.EncodeToString(id[:]), Header: hex.EncodeToString(header), Index: 3,
		Branch: []string{hex.EncodeToString(node[:32]), hex.EncodeToString(level[0][:])}, Bytes: hex.EncodeToString(forged),
		Coinbase: hex.EncodeToString(coinbaseOf(0)), CoinbaseBranch: []string{hex.EncodeToString(level[1][:])},
	}}
	if _, err := VerifyBitcoin("bitcoin-regtest", p); err == nil || !strings.Contains(err.Error(), "depth of the coinbase") {
		t.Errorf("got %v, want a transaction below a leaf to be refused", err)
	}
	small := spend([32]byte{8}, 0, nil, 1, []byte{0x51, 0x51, 0x51, 0x51})
	if len(small) != 64 {
		t.Fatalf("%d bytes", len(small))
	}
	if _, err := ReadBitcoinBlock(miniature(coinbaseOf(0), small)); err != nil {
		t.Fatal(err) // such a block is valid; only a proof of this transaction is not given
	}
	b := must[*BitcoinBlock](t)(ReadBitcoinBlock(miniature(coinbaseOf(0), small)))
	if _, err := BuildBitcoin("bitcoin-regtest", b, b.IDs()[1], lookup()); err == nil || !strings.Contains(err.Error(), "64 bytes") {
		t.Errorf("got %v, want a transaction of 64 bytes to be refused", err)
	}
}

// A transaction that pays more than it spends, or spends what is not there, is in no valid block.
func TestBitcoinOverspending(t *testing.T) {
	base := coinbaseOf(1)
	from := must[*BitcoinBlock](t)(ReadBitcoinBlock(miniature(base)))
	for name, tx := range map[string][]byte{
		"more than its input":         spend(doubleHash(base), 0, nil, 51, []byte{0x51}),
		"an output that is not there": spend(doubleHash(base), 1, nil, 1, []byte{0x51}),
	} {
		b := must[*BitcoinBlock](t)(ReadBitcoinBlock(miniature(coinbaseOf(2), tx)))
		if _, err := BuildBitcoin("bitcoin-regtest", b, b.IDs()[1], lookup(from)); err == nil {
			t.Errorf("%s is accepted", name)
		}
		if p, err := BuildBitcoin("bitcoin-regtest", b, b.IDs()[1], lookup()); err != nil || p.Previous != nil {
			t.Errorf("%s, which is not known: got %v, %v", name, p.Previous, err)
		}
	}
	tx := spend(doubleHash(base), 0, nil, 49, []byte{0x51})
	b := must[*BitcoinBlock](t)(ReadBitcoinBlock(miniature(coinbaseOf(2), tx)))
	if _, err := BuildBitcoin("bitcoin-regtest", b, b.IDs()[1], lookup(from)); err != nil {
		t.Errorf("a payment of 49 out of 50: %v", err)
	}
}
