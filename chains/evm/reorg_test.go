package evm

import (
	"context"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/store"
)

// TestRandomReorgs mines and reorganises a real node at random, blocks becoming
// final now and then, and lets an index follow after each step: its export must be
// that of a fresh index each time. SPOOR_TRIALS steps, or 30, or 8 in short tests.
func TestRandomReorgs(t *testing.T) {
	steps := 30
	if testing.Short() {
		steps = 8
	}
	if s := os.Getenv("SPOOR_TRIALS"); s != "" {
		steps = must[int](t)(strconv.Atoi(s))
	}
	n := start(t, gethtest.Options{})
	random := rand.New(rand.NewPCG(7, 8))
	node := must[*Node](t)(dial(t, n.URL, NodeOptions{}))
	s, network := index(t)
	l := &live{t: t, geth: n, store: s}
	token := must[common.Address](t)(n.Make(0, "Token", nil, "ONE", big.NewInt(1_000_000)))
	teller := must[common.Address](t)(n.Make(1, "Teller", coins(5)))
	tip := must[*types.Header](t)(n.Mine())
	n.Finalize(tip)
	final, replaced := tip.Number.Uint64(), 0
	for step := range steps {
		if depth := random.IntN(6); depth > 0 && step > 3 {
			back := max(final, tip.Number.Uint64()-min(uint64(depth), tip.Number.Uint64()))
			if back < tip.Number.Uint64() {
				replaced++
			}
			parent := must[*types.Header](t)(n.Client.HeaderByNumber(t.Context(), new(big.Int).SetUint64(back)))
			if err := n.Fork(parent.Hash()); err != nil {
				t.Fatal(err)
			}
		}
		for range 1 + random.IntN(5) {
			for range random.IntN(4) {
				someone(t, n, random, token, teller)
			}
			tip = must[*types.Header](t)(n.Mine())
		}
		if behind := uint64(random.IntN(6)); random.IntN(3) == 0 && final+behind < tip.Number.Uint64() {
			final = tip.Number.Uint64() - behind
			n.Finalize(must[*types.Header](t)(n.Client.HeaderByNumber(t.Context(), new(big.Int).SetUint64(final))))
		}
		once(t, network, node)
		fresh, other := index(t)
		once(t, other, node)
		if got, want := l.export(), (&live{t: t, store: fresh}).export(); got != want {
			t.Fatalf("step %d: the index differs from a fresh one", step)
		}
	}
	if replaced < steps/2 {
		t.Errorf("%d reorganisations in %d steps; want at least half", replaced, steps)
	}
	t.Logf("%d steps, %d reorganisations, height %d, final %d", steps, replaced, tip.Number, final)
}

// someone sends ether or tokens, directly or through a contract.
func someone(t *testing.T, n *gethtest.Node, random *rand.Rand, token, teller common.Address) {
	t.Helper()
	from, to := random.IntN(5), n.Account(random.IntN(5))
	sent := must[*types.Transaction](t)
	switch random.IntN(3) {
	case 0:
		sent(n.Send(from, &to, big.NewInt(random.Int64N(1e18)), nil))
	case 1:
		sent(n.Call(from, "Token", token, nil, "transfer", to, big.NewInt(random.Int64N(1000)))) // may fail
	default:
		sent(n.Call(from, "Teller", teller, coins(1), "split", []common.Address{to, n.Account(6)}))
	}
}

func once(t *testing.T, n *store.Network, node *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := store.Follow(ctx, n, []store.Source{node}, store.FollowOptions{Poll: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
}

var _ store.Source = (*Node)(nil)
