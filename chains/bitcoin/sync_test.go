package bitcoin_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/ledger"
)

// become makes a chain the node's best.
func (c *core) become(blocks []*ledger.Block) {
	c.blocks, c.byHash = nil, map[string]int{}
	for _, b := range blocks {
		c.add(b)
	}
}

// Random reorgs of every depth down to the genesis block: what the source says
// is what the node serves, and a chain of no more work changes nothing.
func TestNodeFollowsReorgs(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	c := newRegtest(t)
	sources := map[bool]*bitcoin.Node{}
	for _, rest := range []bool{true, false} {
		c.rest = rest
		sources[rest] = dial(t, bitcoin.NodeOptions{Chain: regtest, RPC: c.serve(t)})
	}
	number := byte(0)
	best := c.blocks
	for step := range 60 {
		old := best
		fork := len(old) - 1 - min(rng.IntN(1+rng.IntN(40)), len(old)-1)
		c.become(old[:fork+1])
		for range len(old) - fork - 2 + rng.IntN(4) {
			number++
			c.mine(t, coinbase(number))
		}
		heavier := len(c.blocks) > len(old)
		if heavier {
			best = slices.Clone(c.blocks)
		}
		same := slices.EqualFunc(c.blocks, old, func(a, b *ledger.Block) bool { return a.Ref == b.Ref })
		for rest, n := range sources {
			c.rest = rest
			head, err := n.Head(t.Context())
			switch {
			case heavier || same:
				if want := best[len(best)-1].Ref; err != nil || head.Tip != want {
					t.Fatalf("step %d: got %+v, %v; want %+v", step, head.Tip, err, want)
				}
			case faultOf(err) != ledger.FaultLagging:
				t.Fatalf("step %d, %d blocks in place of %d: got %v, want lagging", step, len(c.blocks), len(old), err)
			}
			for h, want := range best {
				if got, err := n.Hash(t.Context(), uint64(h)); err != nil || got != want.Ref.Hash {
					t.Fatalf("step %d, height %d: got %s, %v; want %s", step, h, got, err, want.Ref.Hash)
				}
			}
		}
		c.become(best)
	}
	if len(best) < 40 {
		t.Errorf("the chain grew to %d blocks only", len(best))
	}
}

// On simnet the target follows the clock: of two branches over the end of a
// period, the quick one has four times the work a block.
func TestNodeTakesMostWork(t *testing.T) {
	c := newFake(t, simnet, &chaincfg.SimNetParams)
	c.rest = true
	extend := func(count int, after int64) {
		network, err := bitcoin.NetworkOf(simnet)
		if err != nil {
			t.Fatal(err)
		}
		for range count {
			height := uint64(len(c.blocks))
			now := uint32(c.blocks[height-1].Ref.Time/1000 + after)
			bits := network.NextBits(height, now, func(back uint64) bitcoin.Link {
				h, err := bitcoin.ParseHeader(c.blocks[height-back].Header)
				if err != nil {
					t.Fatal(err)
				}
				return bitcoin.Link{Bits: h.Bits, Time: h.Time}
			})
			c.mineAt(t, after, bits, coinbase(byte(height)))
		}
	}
	extend(2009, 1)
	trunk := slices.Clone(c.blocks)
	extend(5, 3*24*60*60) // so that the period took its two weeks
	extend(25, 60)
	slow := slices.Clone(c.blocks)
	n := dial(t, bitcoin.NodeOptions{Chain: simnet, RPC: c.serve(t)})
	expect := func(want []*ledger.Block) {
		t.Helper()
		if head, err := n.Head(t.Context()); err != nil || head.Tip != want[len(want)-1].Ref {
			t.Fatalf("got %+v, %v; want %+v", head.Tip, err, want[len(want)-1].Ref)
		}
	}
	expect(slow)
	c.become(trunk)
	extend(13, 1) // seven quick blocks of the next period: 6 + 7*4 against 30
	quick := slices.Clone(c.blocks)
	if len(quick) >= len(slow) {
		t.Fatal("the quick branch is not shorter")
	}
	expect(quick)
	for name, worse := range map[string][]*ledger.Block{"the longer one": slow, "less of it": quick[:len(quick)-1], "its beginning": trunk} {
		c.become(worse)
		if _, err := n.Head(t.Context()); faultOf(err) != ledger.FaultLagging {
			t.Errorf("%s: got %v, want lagging", name, err)
		}
	}
	c.become(quick)
	expect(quick)
}

// A block changes while many readers ask; run with -race.
func TestNodeConcurrently(t *testing.T) {
	c := newRegtest(t)
	for i := range byte(100) {
		c.mine(t, coinbase(i))
	}
	n := dial(t, bitcoin.NodeOptions{Chain: regtest, RPC: c.serve(t)})
	var wg sync.WaitGroup
	for reader := range 8 {
		wg.Go(func() {
			for h := range uint64(101) {
				h = (h + uint64(reader)*13) % 101
				if b, err := n.Block(t.Context(), h); err != nil || b.Ref != c.blocks[h].Ref {
					t.Errorf("block %d: got %+v, %v", h, b, err)
				}
				if _, err := n.Head(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := n.Block(t.Context(), 101); faultOf(err) != ledger.FaultLagging {
		t.Errorf("a block above the head: %v", err)
	}
}
