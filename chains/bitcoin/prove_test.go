package bitcoin_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/ledger"
)

// branchOf lists the siblings of a transaction, as btcd's hashes print.
func branchOf(b *wire.MsgBlock, at int) (way []ledger.Hash) {
	var level []chainhash.Hash
	for _, t := range b.Transactions {
		level = append(level, t.TxHash())
	}
	for ; len(level) > 1; at /= 2 {
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		sibling := level[at^1]
		slices.Reverse(sibling[:])
		way = append(way, ledger.Hash(sibling))
		var above []chainhash.Hash
		for i := 0; i < len(level); i += 2 {
			above = append(above, chainhash.DoubleHashH(append(slices.Clone(level[i][:]), level[i+1][:]...)))
		}
		level = above
	}
	return way
}

// TestProve: every transaction of a real block is proven by its branch, and by no
// other one, no other place, no other header, and not by one with too little work.
func TestProve(t *testing.T) {
	f, err := os.Open("../../testdata/demo/bitcoin/block400000.raw.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(text)
	if err != nil {
		t.Fatal(err)
	}
	var b wire.MsgBlock
	if err := b.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	n, err := bitcoin.NetworkOf("bitcoin")
	if err != nil {
		t.Fatal(err)
	}
	header := raw[:bitcoin.HeaderSize]
	for i := 0; i < len(b.Transactions); i += 1 + i/50 {
		id, _ := ledger.ParseTxID(b.Transactions[i].TxHash().String())
		way := branchOf(&b, i)
		h, err := n.Prove(id, way, uint32(i), 400_000, header)
		if err != nil || h.Hash.String() != "000000000000000004ec466ce4732fe6f1ed1cddc2ed4b328fff5224276e3f6f" {
			t.Fatalf("transaction %d: %s, %v", i, h.Hash, err)
		}
		bent := slices.Clone(way)
		bent[i%len(bent)][3] ^= 1
		other := slices.Clone(header)
		other[5] ^= 1
		stranger := id
		stranger[0] ^= 1
		for what, refused := range map[string]error{
			"another sibling":     second(n.Prove(id, bent, uint32(i), 400_000, header)),
			"another place":       second(n.Prove(id, way, uint32(i)^1, 400_000, header)),
			"a place beyond":      second(n.Prove(id, way, uint32(i)+1<<len(way), 400_000, header)),
			"another transaction": second(n.Prove(stranger, way, uint32(i), 400_000, header)),
			"another header":      second(n.Prove(id, way, uint32(i), 400_000, other)),
			"half a header":       second(n.Prove(id, way, uint32(i), 400_000, header[:79])),
			"a level less":        second(n.Prove(id, way[1:], uint32(i)/2, 400_000, header)),
			"too late":            second(n.Prove(id, way, uint32(i), 696_394, header)), // its work is a hundredth of what blocks had then
		} {
			if !errors.Is(refused, ledger.ErrInvalid) {
				t.Fatalf("transaction %d, %s: %v", i, what, refused)
			}
		}
	}
}

func second(_ bitcoin.Header, err error) error { return err }

// TestProveOne: of a block with one transaction the id is the root.
func TestProveOne(t *testing.T) {
	n, err := bitcoin.NetworkOf("bitcoin")
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := os.Open("../../testdata/demo/bitcoin/blk00000.dat.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer blocks.Close()
	text, err := gzip.NewReader(blocks)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 8+bitcoin.HeaderSize)
	if _, err := io.ReadFull(text, first); err != nil {
		t.Fatal(err)
	}
	genesis, err := ledger.ParseTxID("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Prove(genesis, nil, 0, 0, first[8:]); err != nil {
		t.Error(err)
	}
	if _, err := n.Prove(genesis, nil, 0, 400_000, first[8:]); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("a block of 2009 as one of 2016: %v", err)
	}
}

// TestBury: real headers follow each other; one that is left out, bent or of too
// little work does not.
func TestBury(t *testing.T) {
	n, err := bitcoin.NetworkOf("bitcoin")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("../../testdata/demo/bitcoin/blk00000.dat.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var headers [][]byte
	for len(headers) < 12 {
		var head [8]byte
		if _, err := io.ReadFull(text, head[:]); err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, binary.LittleEndian.Uint32(head[4:]))
		if _, err := io.ReadFull(text, raw); err != nil {
			t.Fatal(err)
		}
		headers = append(headers, raw[:bitcoin.HeaderSize])
	}
	for at := range headers {
		h, err := bitcoin.ParseHeader(headers[at])
		if err != nil {
			t.Fatal(err)
		}
		above := headers[at+1:]
		if err := n.Bury(h, uint64(at), above); err != nil {
			t.Errorf("above %d: %v", at, err)
		}
		if len(above) < 2 {
			continue
		}
		bent := slices.Clone(above)
		bent[1] = slices.Clone(bent[1])
		bent[1][70] ^= 1
		for what, refused := range map[string]error{
			"one left out":     n.Bury(h, uint64(at), above[1:]),
			"one that is bent": n.Bury(h, uint64(at), bent),
			"too late":         n.Bury(h, 400_000, above),
			"half a header":    n.Bury(h, uint64(at), [][]byte{above[0][:40]}),
		} {
			if !errors.Is(refused, ledger.ErrInvalid) {
				t.Errorf("%s above %d: %v", what, at, refused)
			}
		}
	}
}
