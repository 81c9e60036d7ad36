package trontest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// The recorded block is whole: every transaction's id, the root and the block's
// own id are those of its bytes.
func TestRecorded(t *testing.T) {
	block, err := Recorded(Height)
	if err != nil {
		t.Fatal(err)
	}
	if id := at(block, 3); !bytes.Equal(id, idOf(block)) {
		t.Errorf("id: got %x, want %x", idOf(block), id)
	}
	txs := all(block, 1)
	kinds := map[uint64]int{}
	var whole [][]byte
	for i, x := range txs {
		tx := at(x, 1)
		if id := sha256.Sum256(at(tx, 1)); !bytes.Equal(id[:], at(x, 2)) {
			t.Errorf("transaction %d: got id %x, want %x", i, id, at(x, 2))
		}
		whole = append(whole, tx)
		kinds[number(at(tx, 1, 11), 1)]++
	}
	if got, want := rootOf(whole), at(block, 2, 1, 2); !bytes.Equal(got, want) {
		t.Errorf("root: got %x, want %x", got, want)
	}
	const transfer, delegate = 1, 57
	if len(txs) != 619 || kinds[transfer] != 230 || kinds[triggerSmart] != 158 || kinds[delegate] != 125 {
		t.Errorf("got %d transactions: %v; want 619, of which 230 transfers, 158 calls, 125 delegations", len(txs), kinds)
	}
}

func TestGenesis(t *testing.T) {
	block, err := Recorded(0)
	if err != nil {
		t.Fatal(err)
	}
	const want = "00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc"
	if got := hex.EncodeToString(idOf(block)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The made infos have one log for each of the 152 transfer() and the 2
// transferFrom() of USDT that succeeded.
func TestInfos(t *testing.T) {
	block, err := Recorded(Height)
	if err != nil {
		t.Fatal(err)
	}
	infos := all(infosOf(block), 1)
	logs := 0
	for _, info := range infos {
		logs += len(all(info, 8))
	}
	if len(infos) != 619 || logs != 154 {
		t.Errorf("got %d infos, %d logs; want 619, 154", len(infos), logs)
	}
}
