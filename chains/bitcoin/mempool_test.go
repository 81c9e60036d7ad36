package bitcoin_test

import (
	"context"
	"errors"
	"testing"
	"time"

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
