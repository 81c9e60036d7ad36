package proof

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Branches are the siblings in the tree that btcd builds, which shares no code with ours.
func TestBitcoinAgreesWithBtcd(t *testing.T) {
	for _, name := range []string{"bitcoin/bcoin/block300025.raw.gz", "bitcoin/bcoin/block1087400.raw.gz", "demo/bitcoin/block400000.raw.gz", "bitcoin/block227836.dat.gz"} {
		raw := readFile(t, bitcoinData+name)
		var msg wire.MsgBlock
		if err := msg.Deserialize(bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
		store := blockchain.BuildMerkleTreeStore(btcutil.NewBlock(&msg).Transactions(), false)
		b := must[*BitcoinBlock](t)(ReadBitcoinBlock(raw))
		for i := range b.txs {
			want := siblings(store, i)
			if got := b.branch(uint32(i)); !slices.Equal(got, want) {
				t.Errorf("%s, transaction %d:\ngot  %v\nwant %v", name, i, got, want)
			}
		}
	}
}

// siblings climbs from a leaf in btcd's store: all levels one after another, each of a power of two; the right sibling of an odd end is nil.
func siblings(store []*chainhash.Hash, at int) []string {
	var all []string
	for first, width := 0, (len(store)+1)/2; width > 1; first, width, at = first+width, width/2, at/2 {
		sibling := store[first+(at^1)]
		if sibling == nil {
			sibling = store[first+at]
		}
		all = append(all, hex.EncodeToString(sibling[:]))
	}
	return all
}
