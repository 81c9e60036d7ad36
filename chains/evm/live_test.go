package evm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/tracer"
)

// live is an index that follows a node.
type live struct {
	t       *testing.T
	geth    *gethtest.Node
	store   *store.Store
	network *store.Network
	tips    chan ledger.BlockRef
}

func follow(t *testing.T, n *gethtest.Node, o NodeOptions) *live {
	t.Helper()
	l := &live{t: t, geth: n, tips: make(chan ledger.BlockRef, 1000)}
	l.store, l.network = index(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	node := must[*Node](t)(dial(t, n.URL, o))
	go func() {
		ended <- store.Follow(ctx, l.network, []store.Source{node}, store.FollowOptions{
			Follow: true, Poll: 5 * time.Millisecond, Report: func(s store.FollowStatus) {
				if s.Trouble == nil {
					l.tips <- s.Tip
				}
			},
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow ended with %v", err)
		}
	})
	return l
}

func index(t *testing.T) (*store.Store, *store.Network) {
	t.Helper()
	s := must[*store.Store](t)(store.Open(t.TempDir(), memkv.New(), store.Options{}))
	t.Cleanup(func() { _ = s.Close() }) // memory
	return s, must[*store.Network](t)(s.Create(t.Context(), testChain))
}

// mine seals a block and waits until the index has it.
func (l *live) mine() *types.Header {
	l.t.Helper()
	h := must[*types.Header](l.t)(l.geth.Mine())
	late := time.After(10 * time.Second)
	for {
		select {
		case tip := <-l.tips:
			if common.Hash(tip.Hash) == h.Hash() {
				return h
			}
		case <-late:
			l.t.Fatalf("block %d %s did not arrive", h.Number, h.Hash())
		}
	}
}

// trace follows a payment to where it rests at this moment: "REASON address amount".
func (l *live) trace(ref, policy string) []string {
	l.t.Helper()
	snap := must[*store.Snapshot](l.t)(l.store.Snapshot(l.t.Context(), nil))
	defer snap.Close()
	idx := viewed{snap}
	r := must[tracer.Ref](l.t)(tracer.ParseRef(ref))
	seeds := must[[]tracer.Seed](l.t)(tracer.Resolve(l.t.Context(), idx, []ledger.Chain{testChain}, r, nil))
	p := must[tracer.Policy](l.t)(tracer.PolicyByName(policy))
	tr := must[*tracer.Trace](l.t)(tracer.Run(l.t.Context(), idx, tracer.Request{Seeds: seeds, Policy: p}, nil))
	var lines []string
	for _, x := range tr.Terminals {
		lines = append(lines, fmt.Sprintf("%s %s %s", x.Reason, x.Address, x.Dirty))
	}
	slices.Sort(lines)
	return lines
}

// viewed is a snapshot without labels.
type viewed struct{ *store.Snapshot }

// Tags returns no attribution.
func (viewed) Tags(context.Context, ledger.Address) ([]ledger.Tag, error) { return nil, nil }

func (l *live) export() string {
	l.t.Helper()
	snap := must[*store.Snapshot](l.t)(l.store.Snapshot(l.t.Context(), nil))
	defer snap.Close()
	var b bytes.Buffer
	if err := snap.Export(l.t.Context(), testChain, &b); err != nil {
		l.t.Fatal(err)
	}
	return b.String()
}

func unspent(a common.Address, amount string) string {
	return fmt.Sprintf("UNSPENT %s %s", wallet(a), amount)
}

// TestLivePayment follows a victim's payment on a real node as its blocks arrive:
// a token through three hands, then a reorganisation that sends it elsewhere; ether
// through a contract that splits it. At the end the index is that of one who
// never saw the other branch.
func TestLivePayment(t *testing.T) {
	n := start(t, gethtest.Options{})
	l := follow(t, n, NodeOptions{})
	sent := must[*types.Transaction](t)
	token := must[common.Address](t)(n.Make(0, "Token", nil, "USDT", big.NewInt(1_000_000)))
	teller := must[common.Address](t)(n.Make(0, "Teller", nil))
	l.mine()
	thief, a, b := n.Account(1), n.Account(2), n.Account(3)
	paid := sent(n.Call(0, "Token", token, nil, "transfer", thief, big.NewInt(500_000)))
	ether := sent(n.Call(4, "Teller", teller, coins(4), "split", []common.Address{thief, common.HexToAddress("0xdd")}))
	fork := l.mine()
	tokenRef, etherRef := fmt.Sprintf("%s:%s:0", testChain, paid.Hash()), fmt.Sprintf("%s:%s:n", testChain, ether.Hash())
	want(t, l.trace(tokenRef, "dirty-first"), unspent(thief, "500000"))
	want(t, l.trace(etherRef, "dirty-first"), unspent(thief, "2000000000000000000"), unspent(common.HexToAddress("0xdd"), "2000000000000000000"))

	sent(n.Call(1, "Token", token, nil, "transfer", a, big.NewInt(400_000)))
	l.mine()
	want(t, l.trace(tokenRef, "dirty-first"), unspent(thief, "100000"), unspent(a, "400000"))
	sent(n.Call(2, "Token", token, nil, "transfer", b, big.NewInt(400_000)))
	l.mine()
	want(t, l.trace(tokenRef, "dirty-first"), unspent(thief, "100000"), unspent(b, "400000"))

	if err := n.Fork(fork.Hash()); err != nil {
		t.Fatal(err)
	}
	sent(n.Call(1, "Token", token, nil, "transfer", b, big.NewInt(300_000)))
	for range 2 {
		must[*types.Header](t)(n.Mine())
	}
	l.mine()
	want(t, l.trace(tokenRef, "dirty-first"), unspent(thief, "200000"), unspent(b, "300000"))

	s, network := index(t)
	if err := store.Follow(t.Context(), network, []store.Source{must[*Node](t)(dial(t, n.URL, NodeOptions{}))}, store.FollowOptions{}); err != nil {
		t.Fatal(err)
	}
	if other := (&live{t: t, store: s}).export(); other != l.export() {
		t.Error("the index differs from one that never saw the other branch")
	}
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
