package bitcoin_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/internal/btcdtest"
	"github.com/spoortrace/spoor/ledger"
)

// watch runs Mempool in the background and returns what it reports.
func watch(t *testing.T, n *bitcoin.Node, coins map[ledger.OutPoint]ledger.Output, watched ...ledger.Address) <-chan bitcoin.Sighting {
	t.Helper()
	set := map[ledger.Address]bool{}
	for _, a := range watched {
		set[a] = true
	}
	seen, done := make(chan bitcoin.Sighting, 100), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		coin := func(at ledger.OutPoint) (ledger.Output, bool) { out, ok := coins[at]; return out, ok }
		done <- n.Mempool(ctx, set, coin, func(s bitcoin.Sighting) { seen <- s })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Mempool ended with %v", err)
		}
	})
	return seen
}

// next waits for a sighting.
func next(t *testing.T, seen <-chan bitcoin.Sighting, want bitcoin.Sighting) {
	t.Helper()
	select {
	case got := <-seen:
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing seen, want %+v", want)
	}
}

func quiet(t *testing.T, seen <-chan bitcoin.Sighting) {
	t.Helper()
	select {
	case got := <-seen:
		t.Fatalf("got %+v, want nothing", got)
	case <-time.After(200 * time.Millisecond):
	}
}

func scriptAddress(k btcdtest.Key) ledger.Address { return ledger.ScriptAddress(simnet, k.Script()) }

// pay sends a coin of key 1 to another and returns the new coin and its id.
func pay(t *testing.T, n *btcdtest.Node, from byte, coin btcdtest.Coin, to byte, fee int64) (btcdtest.Coin, ledger.TxID) {
	t.Helper()
	raw, id, err := btcdtest.NewKey(from).Spend([]btcdtest.Coin{coin}, btcdtest.Pay{Value: coin.Value - fee, Script: btcdtest.NewKey(to).Script()})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Send(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	parsed, err := ledger.ParseTxID(id)
	if err != nil {
		t.Fatal(err)
	}
	return btcdtest.Coin{Tx: id, Value: coin.Value - fee}, parsed
}

// rewards mines and returns the coins of blocks that can be spent.
func rewards(t *testing.T, n *btcdtest.Node, count int) []btcdtest.Coin {
	t.Helper()
	coins := make([]btcdtest.Coin, count)
	for i, hash := range mine(t, n, 100+count)[:count] {
		var err error
		if coins[i], err = n.Reward(t.Context(), hash); err != nil {
			t.Fatal(err)
		}
	}
	return coins
}

// Payments are seen once, forgotten when they are mined, and dropped when another takes their place.
func TestMempool(t *testing.T) {
	a := btcds(t, 1)[0]
	coins := rewards(t, a, 2)
	source := dial(t, bitcoin.NodeOptions{Chain: simnet, RPC: access(a), Poll: 20 * time.Millisecond})
	first, _ := ledger.ParseTxID(coins[0].Tx)
	index := map[ledger.OutPoint]ledger.Output{{Tx: first}: {Address: scriptAddress(btcdtest.NewKey(1)), Value: ledger.NewAmount(uint64(coins[0].Value))}}
	victim, thief := scriptAddress(btcdtest.NewKey(1)), scriptAddress(btcdtest.NewKey(2))
	seen := watch(t, source, index, victim, thief)

	stolen, id := pay(t, a, 1, coins[0], 2, 10_000)
	out := bitcoin.Sighting{Tx: id, Address: victim, Sent: ledger.NewAmount(uint64(coins[0].Value))}
	in := bitcoin.Sighting{Tx: id, Address: thief, Received: ledger.NewAmount(uint64(stolen.Value))}
	if thief.Compare(victim) < 0 {
		out, in = in, out
	}
	next(t, seen, out)
	next(t, seen, in)
	moved, id := pay(t, a, 2, stolen, 3, 10_000) // from a coin that is in no block yet, to nobody who is watched
	next(t, seen, bitcoin.Sighting{Tx: id, Address: thief, Sent: ledger.NewAmount(uint64(stolen.Value))})
	pay(t, a, 3, moved, 4, 10_000)
	quiet(t, seen)
	mine(t, a, 1)
	quiet(t, seen) // mined is not dropped

	paid, id := pay(t, a, 1, coins[1], 2, 10_000)
	seenOnce := bitcoin.Sighting{Tx: id, Address: thief, Received: ledger.NewAmount(uint64(paid.Value))}
	next(t, seen, seenOnce)
	pay(t, a, 1, coins[1], 4, 90_000) // to somebody else, for a higher fee
	seenOnce.Dropped = true
	next(t, seen, seenOnce)
	quiet(t, seen)
}

func meet(t *testing.T, a, b *btcdtest.Node) {
	t.Helper()
	if err := a.Connect(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := a.Agree(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// Bitcoin Core numbers the states of its mempool: nothing is read twice, and what
// does not belong to the id that was asked for ends the watch.
func TestMempoolOfCore(t *testing.T) {
	for _, old := range []bool{false, true} { // before 0.21 the states had no numbers
		t.Run(fmt.Sprint("old ", old), func(t *testing.T) { testMempoolOfCore(t, old) })
	}
}

func testMempoolOfCore(t *testing.T, old bool) {
	c := newCore(t, 200)
	c.refuse["mempool_sequence"] = old
	source := dial(t, bitcoin.NodeOptions{Chain: "bitcoin", RPC: c.serve(t), Poll: 5 * time.Millisecond})
	first, second := c.blocks[170].Txs[1], c.blocks[181].Txs[1] // Satoshi to Hal Finney, and what followed
	raw := func(b int) string {
		tx := 1 + 80 + len(rawCoinbase(t, c.blocks[b]))
		return hex.EncodeToString(c.blocks[b].Raw[tx:])
	}
	satoshi := first.Outputs[1].Address
	coins := map[ledger.OutPoint]ledger.Output{}
	for at, out := range c.coins {
		if at.Tx != first.ID && at.Tx != second.ID { // what is unconfirmed is in no index
			coins[at] = out
		}
	}
	seen := watch(t, source, coins, satoshi)
	c.setPool(map[string]string{first.ID.String(): raw(170)})
	next(t, seen, bitcoin.Sighting{Tx: first.ID, Address: satoshi, Received: ledger.NewAmount(40e8), Sent: ledger.NewAmount(50e8)})
	quiet(t, seen)
	if n := c.counted("getrawtransaction"); n != 1 {
		t.Errorf("read %d times", n)
	}
	c.setPool(map[string]string{first.ID.String(): raw(170), second.ID.String(): raw(181)})
	next(t, seen, bitcoin.Sighting{Tx: second.ID, Address: satoshi, Received: second.Outputs[1].Value, Sent: ledger.NewAmount(40e8)})
	c.setPool(nil)
	for range 2 {
		if got := <-seen; !got.Dropped {
			t.Errorf("got %+v, want it dropped", got)
		}
	}

	c.setPool(map[string]string{first.ID.String(): raw(181)})
	never := func(ledger.OutPoint) (ledger.Output, bool) { return ledger.Output{}, false }
	err := source.Mempool(t.Context(), nil, never, func(s bitcoin.Sighting) { t.Errorf("saw %+v", s) })
	if faultOf(err) != ledger.FaultMismatched {
		t.Errorf("another transaction: %v", err)
	}
}

// rawCoinbase cuts the first transaction out of a block with fewer than 253.
func rawCoinbase(t *testing.T, b *ledger.Block) []byte {
	t.Helper()
	var tx wire.MsgTx
	rest := bytes.NewReader(b.Raw[81:])
	if err := tx.Deserialize(rest); err != nil {
		t.Fatal(err)
	}
	return b.Raw[81 : len(b.Raw)-rest.Len()]
}
