package bitcoin

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/ledger"
)

// smallBodies are real transactions, a few of each block, behind their count.
func smallBodies(t testing.TB) [][]byte {
	t.Helper()
	bodies := [][]byte{mine(t, coinbaseTx(1, 50), spendTx([]byte{1}, nil, 1), spendTx(nil, nil))[HeaderSize:]}
	for _, r := range realBlocks(t) {
		var msg wire.MsgBlock
		if err := msg.Deserialize(bytes.NewReader(r.raw)); err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		n := byte(0)
		for _, tx := range msg.Transactions {
			if tx.SerializeSize() < 300 && body.Len() < 600 {
				n++
				if err := tx.Serialize(&body); err != nil {
					t.Fatal(err)
				}
			}
		}
		bodies = append(bodies, append([]byte{n}, body.Bytes()...))
	}
	return bodies
}

// What we decode, btcd decodes to the same; what btcd decodes and we refuse breaks a rule that btcd checks later.
func FuzzTransactions(f *testing.F) {
	for _, body := range smallBodies(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) { compareWithWire(t, body) })
}

func TestTransactionsAgreeWithWire(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	bodies := smallBodies(t)
	read := 0
	for range 20_000 {
		body, _ := mutate(rng, bodies[rng.IntN(len(bodies))])
		if compareWithWire(t, body) {
			read++
		}
	}
	if read < 2000 {
		t.Errorf("only %d mutations could be read", read)
	}
}

// compareWithWire reports whether we could read it.
func compareWithWire(t *testing.T, body []byte) bool {
	raw := append(make([]byte, HeaderSize), body...)
	txs, err := readTxs("bitcoin", raw)
	var msg wire.MsgBlock
	r := bytes.NewReader(raw)
	wireErr := msg.Deserialize(r)
	if err != nil {
		if wireErr == nil && r.Len() == 0 && plain(&msg, raw) {
			t.Fatalf("refused %x, which btcd reads: %v", body, err)
		}
		return false
	}
	if wireErr != nil {
		t.Fatalf("read %x, which btcd refuses: %v", body, wireErr)
	}
	var got []ledger.Tx
	for i := range txs {
		got = append(got, txs[i].tx)
		if w := msg.Transactions[i].WitnessHash(); txs[i].wid != w {
			t.Fatalf("transaction %d: witness hash %x, want %s", i, txs[i].wid, w)
		}
		if size := 3*msg.Transactions[i].SerializeSizeStripped() + msg.Transactions[i].SerializeSize(); txs[i].weight != size {
			t.Fatalf("transaction %d: weight %d, want %d", i, txs[i].weight, size)
		}
	}
	agreeTxs(t, got, msg.Transactions)
	return true
}

// plain reports a block without what we refuse while reading, and btcd afterwards.
func plain(msg *wire.MsgBlock, raw []byte) bool {
	for _, tx := range msg.Transactions {
		var total int64
		for _, out := range tx.TxOut {
			if out.Value < 0 || out.Value > maxMoney {
				return false
			}
			total += out.Value
		}
		if len(tx.TxIn) == 0 || len(tx.TxOut) == 0 || total > maxMoney {
			return false
		}
	}
	// A transaction that announces witnesses and has none comes back without the announcement.
	var back bytes.Buffer
	err := msg.Serialize(&back)
	return err == nil && len(msg.Transactions) > 0 && bytes.Equal(back.Bytes(), raw)
}

func FuzzUndo(f *testing.F) {
	b := decode(f, "bitcoin", readGzip(f, "bitcoin/bcoin/block300025.raw.gz"))
	undo, err := b.DecodeCoinList(readGzip(f, "bitcoin/bcoin/block300025-undo.raw.gz"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encodeUndo(f, undo[:3], false))
	f.Add(encodeUndo(f, undo[3:5], true))
	f.Fuzz(func(t *testing.T, raw []byte) {
		undo, err := DecodeUndo(raw)
		if err != nil {
			return
		}
		for _, coins := range undo {
			for _, coin := range coins {
				if coin.Value > maxMoney {
					t.Fatalf("%x: a coin of %d", raw, coin.Value)
				}
				if _, err := coin.Script(); err != nil {
					return
				}
			}
		}
		again, err := DecodeUndo(encodeUndo(t, undo, false))
		if err != nil || again.Shape() != undo.Shape() {
			t.Fatalf("%x: came back as %v, %v", raw, again, err)
		}
		for i := range undo {
			for k := range undo[i] {
				want, _ := undo[i][k].Script()
				if got, _ := again[i][k].Script(); again[i][k].Value != undo[i][k].Value || !bytes.Equal(got, want) {
					t.Fatalf("%x: coin %d of %d came back as %x", raw, k, i, got)
				}
			}
		}
	})
}
