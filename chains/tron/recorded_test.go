package tron

import (
	"testing"
	"time"

	"github.com/spoortrace/spoor/internal/trontest"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/store/sourcetest"
)

func start(t *testing.T, more int) *trontest.Node {
	t.Helper()
	n, err := trontest.Start(more)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func dialRecorded(t *testing.T, o NodeOptions) *Node {
	t.Helper()
	o.Chain = "tron"
	n, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// A node whose answers were recorded, byte for byte, keeps the promises of a source
// at either of its ways to say what is final.
func TestRecordedConforms(t *testing.T) {
	s := start(t, 3)
	for name, o := range map[string]NodeOptions{"two ports": {Target: s.Target, Solid: s.Solid}, "one port": {Target: s.Target}} {
		t.Run(name, func(t *testing.T) {
			n := dialRecorded(t, o)
			if h, err := n.Head(t.Context()); err != nil || h.Final == nil || *h.Final != trontest.Height {
				t.Errorf("got %+v, %v; want a final block at %d", h, err, trontest.Height)
			}
			sourcetest.Conform(t, n, memkv.New(), sourcetest.Span{From: trontest.Height})
		})
	}
}

// What is indexed of the real block is what its bytes say, cut by a reader of its
// own: 230 transfers of TRX, 154 of USDT, of which 152 by transfer().
func TestRecordedIndexed(t *testing.T) {
	s := start(t, 1)
	index, err := store.Open(t.TempDir(), memkv.New(), store.Options{MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close() //nolint:errcheck // of a test
	network, err := index.Create(t.Context(), "tron")
	if err != nil {
		t.Fatal(err)
	}
	n := dialRecorded(t, NodeOptions{Target: s.Target, Solid: s.Solid})
	from := uint64(trontest.Height)
	read := func() {
		t.Helper()
		if err := store.Follow(t.Context(), network, []store.Source{n}, store.FollowOptions{From: &from, Poll: 5 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
	}
	read()
	snap, err := network.Snapshot(0)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close() //nolint:errcheck // of a test
	usdt, _ := ledger.AssetBySymbol("tron", "USDT")
	txs, tokens, native := 0, 0, 0
	for tx, err := range snap.BlockTxs(t.Context(), "tron", trontest.Height) {
		if err != nil {
			t.Fatal(err)
		}
		txs++
		for i, tr := range tx.Transfers {
			if tr.Index != uint32(i) {
				t.Errorf("%s: transfer %d has index %d", tx.ID, i, tr.Index)
			}
			switch {
			case tr.Asset == usdt:
				tokens++
			case tr.Kind == ledger.TransferNative && tr.Asset.Native():
				native++
			}
		}
	}
	if txs != 619 || tokens != 154 || native != 230 {
		t.Errorf("got %d transactions, %d transfers of USDT, %d of TRX; want 619, 154, 230", txs, tokens, native)
	}
	// A reorganisation above the solidified block is followed, and finality with it.
	s.Mine(3)
	read()
	s.Reorg(3, 1)
	s.Solidify(trontest.Height + 2)
	read()
	head, err := n.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st, err := network.Status(); err != nil || st.Tip != head.Tip || st.Tip.Height != trontest.Height+5 {
		t.Errorf("got tip %+v, %v; want %+v", st.Tip, err, head.Tip)
	}
	// One below it is not.
	s.Reorg(4, 2)
	err = store.Follow(t.Context(), network, []store.Source{n}, store.FollowOptions{From: &from, Poll: 5 * time.Millisecond})
	if fault(err) != ledger.FaultFinality {
		t.Errorf("a final block replaced: got %v, want %s", err, ledger.FaultFinality)
	}
}
