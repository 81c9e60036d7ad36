package bitcoin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/ledger"
)

// headerAfter mines a header on a parent.
func headerAfter(t testing.TB, n Network, parent ledger.Hash, time, bits uint32) Header {
	t.Helper()
	msg := wire.BlockHeader{Version: 4, PrevBlock: chainhash.Hash(printed(parent)), Bits: bits}
	var b bytes.Buffer
	if err := msg.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	binary.LittleEndian.PutUint32(raw[68:], time)
	for nonce := uint32(0); ; nonce++ {
		binary.LittleEndian.PutUint32(raw[76:], nonce)
		if h, err := ParseHeader(raw); err != nil || n.Check(h) == nil {
			return h
		}
	}
}

// headersFrom begins a chain at a height and mines count blocks on it, ten minutes apart.
func headersFrom(t testing.TB, n Network, height uint64, count int) *headerChain {
	t.Helper()
	c := newHeaderChain(n, height, headerAfter(t, n, ledger.Hash{}, 1_000_000, n.Limit))
	for range count {
		_, tip := c.tip()
		if f, err := c.extend(headerAfter(t, n, tip.hash, tip.Time+600, n.Limit)); err != nil {
			t.Fatal(f, err)
		}
	}
	return c
}

func networkOf(t testing.TB, chain ledger.Chain) Network {
	t.Helper()
	n, err := NetworkOf(chain)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestHeaderChainRefuses(t *testing.T) {
	n := networkOf(t, regtest)
	c := headersFrom(t, n, 0, 20)
	height, tip := c.tip()
	median := c.at(height - 5).Time
	easy := headerAfter(t, n, tip.hash, tip.Time+1, 0x207fffff)
	worthless := easy
	worthless.Hash[0] = 0xff
	for name, test := range map[string]struct {
		h    Header
		want ledger.Fault
	}{
		"another parent":     {headerAfter(t, n, c.at(height-1).hash, tip.Time+1, n.Limit), ledger.FaultWrongParent},
		"no work":            {worthless, ledger.FaultHeader},
		"another target":     {headerAfter(t, n, tip.hash, tip.Time+1, 0x207ffffe), ledger.FaultHeader},
		"the median time":    {headerAfter(t, n, tip.hash, median, n.Limit), ledger.FaultHeader},
		"a time long before": {headerAfter(t, n, tip.hash, 1, n.Limit), ledger.FaultHeader},
	} {
		if f, err := c.extend(test.h); f != test.want || !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: got %q, %v; want %q", name, f, err, test.want)
		}
	}
	if got, _ := c.tip(); got != height {
		t.Errorf("a refused header was kept: tip %d", got)
	}
	if f, err := c.extend(headerAfter(t, n, tip.hash, median+1, n.Limit)); err != nil {
		t.Errorf("a time after the median: %q, %v", f, err)
	}
}

// A chain that begins in the middle judges targets as soon as it can, not before.
func TestHeaderChainTrusts(t *testing.T) {
	n := networkOf(t, "bitcoin-simnet")
	for first, want := range map[uint64]uint64{0: 0, period: period, period + 1: 2 * period, 2*period - 1: 2 * period, 5 * period: 5 * period} {
		root := headerAfter(t, n, ledger.Hash{}, 1_000_000, n.Limit)
		c := newHeaderChain(n, first, root)
		if c.trusted != want {
			t.Errorf("a chain from %d: trusts targets up to %d, want %d", first, c.trusted, want)
		}
		hard := headerAfter(t, n, root.Hash, root.Time+600, 0x207ffffe)
		if _, err := c.extend(hard); (err == nil) != (first%period != 0 && first+1 <= want) {
			t.Errorf("a chain from %d, another target at %d: %v", first, first+1, err)
		}
	}
}

func TestCheckpoints(t *testing.T) {
	for _, chain := range []ledger.Chain{"bitcoin", "bitcoin-testnet"} {
		n := networkOf(t, chain)
		for _, c := range checkpoints(chain) {
			hash, ok := n.checkpoint(c.height)
			if !ok || hash.String() != c.hash {
				t.Errorf("%s at %d: got %s, %v", chain, c.height, hash, ok)
			}
		}
		if _, ok := n.checkpoint(12_345); ok {
			t.Errorf("%s: a checkpoint at 12345", chain)
		}
	}
	// A header of true work on a regtest that has one.
	n := networkOf(t, regtest)
	n.Chain = "bitcoin-testnet"
	c := headersFrom(t, n, 0, 545)
	_, tip := c.tip()
	if f, err := c.extend(headerAfter(t, n, tip.hash, tip.Time+1, n.Limit)); f != ledger.FaultHeader || err == nil {
		t.Errorf("another block at a checkpoint: %q, %v", f, err)
	}
}

// Random cuts, clones and growth against a plain slice, across chunk borders.
func TestHeaderChainIsASlice(t *testing.T) {
	n := networkOf(t, regtest)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, first := range []uint64{0, 7} {
		c := headersFrom(t, n, first, 0)
		want := []ledger.Hash{c.at(first).hash}
		for step := range 60 {
			kept := c
			if step%3 == 2 {
				at := first + 1 + rng.Uint64N(uint64(len(want)))
				c = c.clone(at)
				before := kept.next
				want = want[:at-first]
				defer func() {
					if kept.next != before {
						t.Errorf("a clone changed its chain: %d, want %d", kept.next, before)
					}
				}()
			}
			for range rng.IntN(200) {
				_, tip := c.tip()
				h := headerAfter(t, n, tip.hash, tip.Time+1+rng.Uint32N(2), n.Limit)
				if f, err := c.extend(h); err != nil {
					t.Fatal(f, err)
				}
				want = append(want[:len(want):len(want)], h.Hash)
			}
			if c.next != first+uint64(len(want)) {
				t.Fatalf("step %d: got %d entries, want %d", step, c.next-first, len(want))
			}
			for i, hash := range want {
				if got := c.at(first + uint64(i)).hash; got != hash {
					t.Fatalf("step %d, entry %d: got %s, want %s", step, i, got, hash)
				}
			}
		}
	}
}

// FuzzSpent: spent outputs are read to the byte or refused.
func FuzzSpent(f *testing.F) {
	block := mine(f, coinbaseTx(1, 50), spendTx(nil, []wire.OutPoint{somewhere(1), somewhere(2)}, 1), spendTx(nil, []wire.OutPoint{somewhere(3)}, 2))
	f.Add(spentBytes([][]wire.TxOut{nil, {*wire.NewTxOut(5, anyone()), *wire.NewTxOut(6, nil)}, {*wire.NewTxOut(7, bytes.Repeat([]byte{1}, 300))}}))
	f.Add([]byte{3, 0, 0, 0})
	b, err := Decode(regtest, block)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		undo, err := b.DecodeSpent(raw)
		if err != nil {
			if !errors.Is(err, ledger.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		lists := [][]wire.TxOut{nil}
		for _, coins := range undo {
			var list []wire.TxOut
			for _, c := range coins {
				list = append(list, wire.TxOut{Value: int64(c.Value), PkScript: c.script})
			}
			lists = append(lists, list)
		}
		if again := spentBytes(lists); !bytes.Equal(again, raw) {
			t.Errorf("got %x from %x", again, raw)
		}
	})
}

// spentBytes writes spenttxouts as Bitcoin Core does, by btcd's writer of outputs.
func spentBytes(lists [][]wire.TxOut) []byte {
	var b bytes.Buffer
	count := func(n int) { _ = wire.WriteVarInt(&b, 0, uint64(n)) }
	count(len(lists))
	for _, list := range lists {
		count(len(list))
		for i := range list {
			_ = wire.WriteTxOut(&b, 0, 0, &list[i])
		}
	}
	return b.Bytes()
}

func TestDecodeSpent(t *testing.T) {
	spend := spendTx(nil, []wire.OutPoint{somewhere(1), somewhere(2)}, 9)
	b, err := Decode(regtest, mine(t, coinbaseTx(1, 50), spend, spendTx(nil, []wire.OutPoint{{Hash: spend.TxHash()}}, 8)))
	if err != nil {
		t.Fatal(err)
	}
	key := append(append([]byte{0x76, 0xa9, 20}, make([]byte, 20)...), 0x88, 0xac)
	good := [][]wire.TxOut{nil, {*wire.NewTxOut(4, key), *wire.NewTxOut(6, anyone())}, {*wire.NewTxOut(9, anyone())}}
	undo, err := b.DecodeSpent(spentBytes(good))
	if err == nil {
		err = b.Apply(undo)
	}
	in := b.txs[1].Inputs
	if err != nil || in[0].Address.Kind != ledger.KindP2PKH || in[0].Value != ledger.NewAmount(4) || in[1].Value != ledger.NewAmount(6) || b.Unknown() != 0 {
		t.Errorf("got %+v, %v", in, err)
	}
	for name, raw := range map[string][]byte{
		"no coinbase":      spentBytes(good[1:]),
		"a coinbase coin":  spentBytes([][]wire.TxOut{good[2], good[1], good[2]}),
		"one coin short":   spentBytes([][]wire.TxOut{nil, good[1][:1], good[2]}),
		"another order":    spentBytes([][]wire.TxOut{nil, good[2], good[1]}),
		"a byte more":      append(spentBytes(good), 0),
		"a byte less":      spentBytes(good)[:len(spentBytes(good))-1],
		"21 million":       spentBytes([][]wire.TxOut{nil, {*wire.NewTxOut(maxMoney+1, nil), good[1][1]}, good[2]}),
		"negative":         spentBytes([][]wire.TxOut{nil, {*wire.NewTxOut(-1, nil), good[1][1]}, good[2]}),
		"nothing":          nil,
		"a count of 2^32":  {0xff, 0, 0, 0, 0, 1, 0, 0, 0},
		"not the shortest": append([]byte{0xfd, 3, 0}, spentBytes(good)[1:]...),
	} {
		if _, err := b.DecodeSpent(raw); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
	lied := [][]wire.TxOut{nil, good[1], {*wire.NewTxOut(10, anyone())}}
	if undo, err = b.DecodeSpent(spentBytes(lied)); err == nil {
		err = b.Apply(undo)
	}
	if !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("another value for a coin of the block itself: got %v", err)
	}
}
