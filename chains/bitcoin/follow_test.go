package bitcoin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/internal/btcdtest"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/tracer"
)

// A Node is a source.
var _ store.Source = (*bitcoin.Node)(nil)

// held is a store with one network, as a tracer sees it.
type held struct {
	store   *store.Store
	network *store.Network
}

func newHeld(t *testing.T, chain ledger.Chain) *held {
	t.Helper()
	s, err := store.Open(t.TempDir(), memkv.New(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	n, err := s.Create(t.Context(), chain)
	if err != nil {
		t.Fatal(err)
	}
	return &held{s, n}
}

// follow runs Follow until stop is called, which returns how often a block of
// the overlay was replaced.
func (h *held) follow(t *testing.T, source store.Source) (stop func() uint64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var last store.FollowStatus
	go func() {
		done <- store.Follow(ctx, h.network, []store.Source{source}, store.FollowOptions{
			Follow: true, Poll: 10 * time.Millisecond, KeepRaw: true, Report: func(s store.FollowStatus) { last = s },
		})
	}()
	return func() uint64 {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Follow ended with %v", err)
		}
		return last.Replaced
	}
}

// reaches waits until the index has the node's tip.
func (h *held) reaches(t *testing.T, n *btcdtest.Node) {
	t.Helper()
	_, want, err := n.Tip(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		s, err := h.network.Status()
		if err != nil {
			t.Fatal(err)
		}
		if got = s.Tip.Hash.String(); got == want {
			return
		}
	}
	t.Fatalf("the index is at %s, the node at %s", got, want)
}

func (h *held) export(t *testing.T) []byte {
	t.Helper()
	if err := h.network.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
	s, err := h.store.Snapshot(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Export(t.Context(), h.network.Chain(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// untagged is a snapshot without labels.
type untagged struct{ *store.Snapshot }

func (untagged) Tags(context.Context, ledger.Address) ([]ledger.Tag, error) { return nil, nil }

// trace follows a payment and says where all of it rests.
func (h *held) trace(t *testing.T, payment string) string {
	t.Helper()
	s, err := h.store.Snapshot(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := tracer.ParseRef(payment)
	if err != nil {
		t.Fatal(err)
	}
	chains := []ledger.Chain{h.network.Chain()}
	seeds, err := tracer.Resolve(t.Context(), untagged{s}, chains, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := tracer.PolicyByName("fifo")
	if err != nil {
		t.Fatal(err)
	}
	trace, err := tracer.Run(t.Context(), untagged{s}, tracer.Request{Seeds: seeds, Policy: policy}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, end := range trace.Terminals {
		if !end.Dirty.IsZero() && !end.Address.IsZero() {
			text += fmt.Sprintf("%s %s %s\n", end.Address, end.Dirty, end.Reason)
		}
	}
	return text
}

// wants checks that all of a payment rests with one key.
func (h *held) wants(t *testing.T, payment string, at byte, value int64) {
	t.Helper()
	if got, want := h.trace(t, payment), fmt.Sprintf("%s %d UNSPENT\n", btcdtest.NewKey(at).Address(), value); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// wantsNone checks that the index does not hold a payment.
func (h *held) wantsNone(t *testing.T, payment string) {
	t.Helper()
	s, err := h.store.Snapshot(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := tracer.ParseRef(payment)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tracer.Find(t.Context(), untagged{s}, []ledger.Chain{h.network.Chain()}, ref); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("%s: got %v, want not found", payment, err)
	}
}

// A payment is traced as its blocks arrive, through a reorg that takes it back,
// and through a restart of the node and of the reader; the index is the one that
// a fresh reader makes.
func TestFollowBtcd(t *testing.T) {
	nodes := btcds(t, 2)
	a, b := nodes[0], nodes[1]
	coins := rewards(t, a, 2)
	meet(t, a, b)
	h := newHeld(t, simnet)
	stop := h.follow(t, dial(t, bitcoin.NodeOptions{Chain: simnet, RPC: access(a)}))
	h.reaches(t, a)

	stolen, _ := pay(t, a, 1, coins[0], 2, 10_000)
	mine(t, a, 1)
	h.reaches(t, a)
	h.wants(t, stolen.Tx+":0", 2, stolen.Value)
	moved, _ := pay(t, a, 2, stolen, 3, 10_000)
	mine(t, a, 1)
	h.reaches(t, a)
	h.wants(t, stolen.Tx+":0", 3, moved.Value)
	if err := a.Agree(t.Context(), b); err != nil {
		t.Fatal(err)
	}

	apart(t.Context(), t, a, b)
	again, _ := pay(t, a, 3, moved, 4, 10_000)
	mine(t, a, 1)
	h.reaches(t, a)
	h.wants(t, stolen.Tx+":0", 4, again.Value)
	mine(t, b, 2)
	meet(t, a, b)
	h.reaches(t, a)
	h.wants(t, stolen.Tx+":0", 3, moved.Value)
	if replaced := stop(); replaced != 1 {
		t.Errorf("%d blocks replaced, want 1", replaced)
	}

	if err := a.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Send(t.Context(), mustSpend(t, 3, moved, 4)); err != nil {
		t.Fatal(err)
	}
	mine(t, a, 2)
	status, err := h.network.Status()
	if err != nil {
		t.Fatal(err)
	}
	anchor := &bitcoin.Anchor{Height: 50, Hash: hashAt(t, a, 50)}
	stop = h.follow(t, dial(t, bitcoin.NodeOptions{Chain: simnet, RPC: access(a), Anchor: anchor}))
	h.reaches(t, a)
	stop()
	h.wants(t, stolen.Tx+":0", 4, moved.Value-10_000)
	if now, err := h.network.Status(); err != nil || now.Tip.Height != status.Tip.Height+2 {
		t.Errorf("tip %d, %v; want two above %d", now.Tip.Height, err, status.Tip.Height)
	}

	fresh := newHeld(t, simnet)
	source := dial(t, bitcoin.NodeOptions{Chain: simnet, RPC: access(a)})
	if err := store.Follow(t.Context(), fresh.network, []store.Source{source}, store.FollowOptions{KeepRaw: true}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(h.export(t), fresh.export(t)) {
		t.Error("the index is not the one that a fresh reader makes")
	}
}

func mustSpend(t *testing.T, from byte, coin btcdtest.Coin, to byte) []byte {
	t.Helper()
	raw, _, err := btcdtest.NewKey(from).Spend([]btcdtest.Coin{coin}, btcdtest.Pay{Value: coin.Value - 10_000, Script: btcdtest.NewKey(to).Script()})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func hashAt(t *testing.T, n *btcdtest.Node, height uint64) ledger.Hash {
	t.Helper()
	var text string
	if err := n.Call(t.Context(), "getblockhash", &text, height); err != nil {
		t.Fatal(err)
	}
	id, err := ledger.ParseTxID(text)
	if err != nil {
		t.Fatal(err)
	}
	return ledger.Hash(id)
}

// Two nodes part, spend the same coin differently, mine, and meet again, round
// after round; SPOOR_TRIALS says how many. Follow runs through all of it, begun
// anew now and then. Each time the loser's payment is gone, and in the end the
// index is the one that a fresh reader makes.
func TestFollowReorgs(t *testing.T) {
	rounds := 4
	if text := os.Getenv("SPOOR_TRIALS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		rounds = min(rounds, 500) // two minutes
	}
	rng := rand.New(rand.NewPCG(3, 9))
	nodes := btcds(t, 2)
	a, b := nodes[0], nodes[1]
	coins := rewards(t, a, rounds)
	meet(t, a, b)
	h := newHeld(t, simnet)
	begin := func() func() uint64 { return h.follow(t, dial(t, bitcoin.NodeOptions{Chain: simnet, RPC: access(a)})) }
	stop := begin()
	for round := range rounds {
		if rng.IntN(3) == 0 {
			stop()
			stop = begin()
		}
		apart(t.Context(), t, a, b)
		lost, _ := pay(t, a, 1, coins[round], 2, 10_000)
		won, _ := pay(t, b, 1, coins[round], 3, 20_000)
		blocks := 1 + rng.IntN(4)
		mine(t, a, blocks)
		if rng.IntN(2) == 0 {
			h.reaches(t, a)
			h.wants(t, lost.Tx+":0", 2, lost.Value)
		}
		mine(t, b, blocks+1+rng.IntN(3))
		meet(t, a, b)
		h.reaches(t, a)
		h.wants(t, won.Tx+":0", 3, won.Value)
		h.wantsNone(t, lost.Tx+":0")
	}
	stop()
	fresh := newHeld(t, simnet)
	source := dial(t, bitcoin.NodeOptions{Chain: simnet, RPC: access(b)})
	if err := store.Follow(t.Context(), fresh.network, []store.Source{source}, store.FollowOptions{KeepRaw: true}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(h.export(t), fresh.export(t)) {
		t.Error("the index is not the one that a fresh reader makes")
	}
}
