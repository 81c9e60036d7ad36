package bitcoin_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/chains/bitcoin"
	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/internal/btcdtest"
	"github.com/spoortrace/spoor/ledger"
)

const simnet = ledger.Chain("bitcoin-simnet")

// btcds starts real nodes that mine for the first key.
func btcds(t *testing.T, count int) []*btcdtest.Node {
	t.Helper()
	program, err := btcdtest.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	nodes := make([]*btcdtest.Node, count)
	for i := range nodes {
		n, err := btcdtest.Start(t.Context(), btcdtest.Options{Program: program, Dir: t.TempDir(), Mining: btcdtest.NewKey(1).Address()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		nodes[i] = n
	}
	return nodes
}

func access(n *btcdtest.Node) rpc.Options {
	scheme, host, _ := strings.Cut(n.URL, "://")
	u := url.URL{Scheme: scheme, Host: host, User: url.UserPassword(btcdtest.User, btcdtest.Pass)}
	o := rpc.Options{URL: u.String()}
	if scheme == "https" {
		o.CA = n.Cert
	}
	return o
}

func dial(t *testing.T, o bitcoin.NodeOptions) *bitcoin.Node {
	t.Helper()
	n, err := bitcoin.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// mine mines and checks that it went well.
func mine(t *testing.T, n *btcdtest.Node, count int) []string {
	t.Helper()
	hashes, err := n.Mine(t.Context(), count)
	if err != nil {
		t.Fatal(err)
	}
	return hashes
}

// checkChain compares everything that a source says with what the node says.
func checkChain(t *testing.T, source *bitcoin.Node, n *btcdtest.Node) []*ledger.Block {
	t.Helper()
	head, err := source.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	height, hash, err := n.Tip(t.Context())
	if err != nil || head.Tip.Height != height || head.Tip.Hash.String() != hash || head.Final != nil {
		t.Fatalf("got head %+v; want %d %s, %v", head, height, hash, err)
	}
	var blocks []*ledger.Block
	for h := uint64(0); h <= height; h++ {
		b, err := source.Block(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		named, err := source.Hash(t.Context(), h)
		if err != nil || b.Ref.Hash != named || b.Ref.Height != h || b.Grade != ledger.GradeProven || len(b.Raw) == 0 {
			t.Fatalf("block %d: got %+v, grade %s; want hash %s, %v", h, b.Ref, b.Grade, named, err)
		}
		if h > 0 && b.Parent != blocks[h-1].Ref.Hash {
			t.Fatalf("block %d: parent %s, want %s", h, b.Parent, blocks[h-1].Ref.Hash)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// Over TLS: the node's own certificate is its authority, and only that one; the
// password is checked, and told to nobody.
func TestNodeOverTLS(t *testing.T) {
	program, err := btcdtest.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n, err := btcdtest.Start(t.Context(), btcdtest.Options{Program: program, Dir: t.TempDir(), Mining: btcdtest.NewKey(1).Address(), TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	mine(t, n, 10)
	good := access(n)
	checkChain(t, dial(t, bitcoin.NodeOptions{Chain: simnet, RPC: good}), n)
	stranger, wrong := good, good
	stranger.CA, stranger.Retries = "", -1
	wrong.URL = strings.Replace(good.URL, btcdtest.Pass, "a-wrong-password", 1)
	for want, o := range map[ledger.Fault]rpc.Options{ledger.FaultUnreachable: stranger, ledger.FaultUnauthorized: wrong} {
		_, err := bitcoin.Dial(t.Context(), bitcoin.NodeOptions{Chain: simnet, RPC: o})
		if faultOf(err) != want || strings.Contains(err.Error(), btcdtest.Pass) || strings.Contains(err.Error(), "a-wrong-password") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// More than one difficulty period, so that simnet's target moves, and a spend.
func TestNodeReadsBtcd(t *testing.T) {
	n := btcds(t, 1)[0]
	hashes := mine(t, n, 2100)
	source := dial(t, bitcoin.NodeOptions{Chain: simnet, RPC: access(n)})
	if s := fmt.Sprint(source); strings.Contains(s, btcdtest.Pass) || !strings.Contains(s, n.URL) {
		t.Errorf("the source is called %s", s)
	}
	head, err := source.Head(t.Context())
	if err != nil || head.Tip.Height != 2100 {
		t.Fatalf("got %+v, %v", head, err)
	}
	coin, err := n.Reward(t.Context(), hashes[0])
	if err != nil {
		t.Fatal(err)
	}
	raw, id, err := btcdtest.NewKey(1).Spend([]btcdtest.Coin{coin}, btcdtest.Pay{Value: coin.Value - 777, Script: btcdtest.NewKey(2).Script()})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Send(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	mine(t, n, 1)
	blocks := checkChain(t, source, n)
	last := blocks[2101]
	if len(last.Txs) != 2 || last.Txs[1].ID.String() != id || last.Txs[1].Outputs[0].Address.String() != btcdtest.NewKey(2).Address() {
		t.Errorf("got %+v, want the payment %s", last.Txs, id)
	}
	if _, err := source.Block(t.Context(), 2102); faultOf(err) != ledger.FaultLagging {
		t.Errorf("a block that is not there: %v", err)
	}
	checkAnchored(t, n, blocks)
}

// checkAnchored reads the end of the chain from a block that is taken for true.
func checkAnchored(t *testing.T, n *btcdtest.Node, blocks []*ledger.Block) {
	t.Helper()
	for name, o := range map[string]bitcoin.NodeOptions{
		"anchored": {Anchor: &bitcoin.Anchor{Height: 2050, Hash: blocks[2050].Ref.Hash}, From: 1},
		"unlinked": {Unlinked: true, From: 2040},
	} {
		o.Chain, o.RPC = simnet, access(n)
		source := dial(t, o)
		b, err := source.Block(t.Context(), 2101)
		if err != nil || b.Ref != blocks[2101].Ref || (b.Grade == ledger.GradeProven) != (name == "anchored") {
			t.Errorf("%s: got %+v, %v", name, b, err)
		}
		if _, err := source.Block(t.Context(), 2015); faultOf(err) != ledger.FaultUnsupported {
			t.Errorf("%s, a block before: %v", name, err)
		}
	}
	wrong := bitcoin.NodeOptions{Chain: simnet, RPC: access(n), Anchor: &bitcoin.Anchor{Height: 2050, Hash: blocks[2049].Ref.Hash}}
	if _, err := bitcoin.Dial(t.Context(), wrong); faultOf(err) != ledger.FaultFinality {
		t.Errorf("another anchor: %v", err)
	}
	if _, err := bitcoin.Dial(t.Context(), bitcoin.NodeOptions{Chain: "bitcoin", RPC: access(n)}); faultOf(err) != ledger.FaultWrongChain || !strings.Contains(err.Error(), "that of bitcoin-simnet") {
		t.Errorf("another chain: %v", err)
	}
}

func faultOf(err error) ledger.Fault {
	f, _ := ledger.FaultOf(err)
	return f
}

// Two nodes apart, and then together: the longer chain replaces the shorter one.
func TestNodeReorg(t *testing.T) {
	nodes := btcds(t, 2)
	a, b := nodes[0], nodes[1]
	source := dial(t, bitcoin.NodeOptions{Chain: simnet, RPC: access(a)})
	mine(t, a, 5)
	meet(t, a, b)
	checkChain(t, source, a)
	for round := range 3 {
		apart(t.Context(), t, a, b)
		mine(t, a, 2)
		old := checkChain(t, source, a)
		mine(t, b, 3+10*round)
		meet(t, a, b)
		blocks := checkChain(t, source, a)
		fork := len(old) - 2
		if blocks[fork-1].Ref != old[fork-1].Ref || blocks[fork].Ref == old[fork].Ref {
			t.Errorf("round %d: the fork is not at %d", round, fork)
		}
	}
}

func apart(ctx context.Context, t *testing.T, a, b *btcdtest.Node) {
	t.Helper()
	if err := a.Disconnect(ctx, b); err != nil {
		t.Fatal(err)
	}
}
