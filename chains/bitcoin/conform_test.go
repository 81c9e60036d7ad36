package bitcoin_test

import (
	"testing"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/store/sourcetest"
)

// A Node is what store.Source promises, however it is read.
func TestNodeConforms(t *testing.T) {
	t.Run("btcd", func(t *testing.T) {
		n := btcds(t, 1)[0]
		coins := rewards(t, n, 2)
		moved, _ := pay(t, n, 1, coins[0], 2, 10_000)
		pay(t, n, 2, moved, 3, 10_000) // both in one block
		mine(t, n, 1)
		sourcetest.Conform(t, dial(t, bitcoin.NodeOptions{Chain: simnet, RPC: access(n)}), memkv.New(), sourcetest.Span{Most: 200})
	})
	for name, rest := range map[string]bool{"REST": true, "JSON": false} {
		t.Run(name, func(t *testing.T) {
			c := newCore(t, 300)
			c.rest, c.spent, c.prevouts = rest, true, true
			whole := dial(t, bitcoin.NodeOptions{Chain: "bitcoin", RPC: c.serve(t)})
			sourcetest.Conform(t, whole, memkv.New(), sourcetest.Span{Most: 300})
			part := dial(t, bitcoin.NodeOptions{Chain: "bitcoin", RPC: c.serve(t), From: 240, Unlinked: true})
			sourcetest.Conform(t, part, memkv.New(), sourcetest.Span{From: 240})
		})
	}
}
