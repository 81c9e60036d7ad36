package store_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/tracer/memindex"
	"pgregory.net/rapid"
)

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func series(blocks ...*ledger.Block) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		for _, b := range blocks {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func open(t fataler, dir string, engine store.Engine, c ledger.Chain) (*store.Store, *store.Network) {
	t.Helper()
	s, err := store.Open(dir, engine, store.Options{MinFree: 1})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	n, err := s.Create(context.Background(), c)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return s, n
}

// compare asks a network and the reference everything, as of a block of a chain.
func compare(t fataler, n *store.Network, chain []*ledger.Block, o memindex.Options) {
	t.Helper()
	asOf := chain[len(chain)-1].Ref
	snap, err := n.Snapshot(asOf.Height)
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	defer snap.Close()
	compareSnap(t, snap, chain, o)
}

func compareSnap(t fataler, snap *store.Snapshot, chain []*ledger.Block, o memindex.Options) {
	t.Helper()
	ctx := context.Background()
	asOf, name := chain[len(chain)-1].Ref, chain[0].Ref.Chain
	want, err := memindex.New(chain, o)
	if err != nil {
		t.Fatalf("reference: %v", err)
	}
	got, err := snap.AsOf(ctx, name)
	if err != nil || got != asOf {
		t.Fatalf("as of: got %v, %v, want %v", got, err, asOf)
	}
	events := map[ledger.Holder][]ledger.Event{}
	for _, b := range chain {
		for tx, err := range want.BlockTxs(ctx, name, b.Ref.Height) {
			if err != nil {
				t.Fatalf("reference: %v", err)
			}
			compareTx(t, snap, want, &tx)
			collect(events, &tx)
		}
	}
	for h, list := range events {
		compareHolder(t, snap, h, list)
		if !name.UTXO() {
			comparePayees(t, snap, want, h)
		}
	}
	compareNotices(t, snap, want, chain)
	for _, b := range chain {
		at := ledger.At(b.Ref.Height, 0)
		for h := range events {
			g, err := snap.Covered(ctx, h, at)
			w, _ := want.Covered(ctx, h, at)
			if err != nil || g != w && o.Claims == nil && linked(chain) {
				t.Fatalf("covered %s from %d: got %v, %v, want %v", h.Address, b.Ref.Height, g, err, w)
			}
		}
	}
}

func linked(chain []*ledger.Block) bool {
	for i := 1; i < len(chain); i++ {
		if chain[i].Ref.Height == chain[i-1].Ref.Height+1 && chain[i].Parent != chain[i-1].Ref.Hash {
			return false
		}
	}
	return true
}

func compareTx(t fataler, snap *store.Snapshot, want *memindex.Index, tx *ledger.Tx) {
	t.Helper()
	ctx := context.Background()
	got, err := snap.TxAt(ctx, tx.Chain, tx.Pos)
	if diff := cmp.Diff(*tx, got, cmpopts.EquateEmpty(), cmp.Comparer(sameAmount)); err != nil || diff != "" {
		t.Fatalf("tx at %v: %v (-want +got)\n%s", ledger.Point{Pos: tx.Pos}, err, diff)
	}
	all, err := snap.FindTx(ctx, tx.Chain, tx.ID)
	wantAll, _ := want.FindTx(ctx, tx.Chain, tx.ID)
	if diff := cmp.Diff(wantAll, all, cmpopts.EquateEmpty(), cmp.Comparer(sameAmount)); err != nil || diff != "" {
		t.Fatalf("find tx %s: %v (-want +got)\n%s", tx.ID, err, diff)
	}
	ids, err := snap.FindPrefix(ctx, tx.Chain, tx.ID.String()[:9], 10)
	if err != nil || !slices.Contains(ids, tx.ID) {
		t.Fatalf("prefix of %s: got %v, %v", tx.ID, ids, err)
	}
}

func sameAmount(a, b ledger.Amount) bool { return a == b }

// collect is the naive list of events: by holder, in order of points.
func collect(events map[ledger.Holder][]ledger.Event, tx *ledger.Tx) {
	add := func(a ledger.Address, asset ledger.Asset, e ledger.Event) {
		zero := e.Amount.IsZero() && e.Kind == ledger.TransferToken
		if zero {
			asset = ledger.ZeroAsset(tx.Chain)
		}
		if h := (ledger.Holder{Address: a, Asset: asset}); !a.IsZero() && (zero || !e.Amount.IsZero()) {
			events[h] = append(events[h], e)
		}
	}
	native := ledger.NativeAsset(tx.Chain)
	for i, in := range tx.Inputs {
		add(in.Address, native, ledger.Event{At: ledger.Point{Pos: tx.Pos, Slot: uint32(i)}, Kind: ledger.TransferNative, From: in.Address, Amount: in.Value})
	}
	for i, out := range tx.Outputs {
		add(out.Address, native, ledger.Event{At: ledger.Point{Pos: tx.Pos, Slot: uint32(len(tx.Inputs) + i)}, Kind: ledger.TransferNative, To: out.Address, Amount: out.Value})
	}
	for _, tr := range tx.Transfers {
		if tr.Status == ledger.StatusFailed {
			continue
		}
		e := ledger.Event{At: ledger.Point{Pos: tx.Pos, Slot: tr.Slot}, Kind: tr.Kind, From: tr.From, To: tr.To, Amount: tr.Amount, Plain: tx.Plain()}
		add(tr.From, tr.Asset, e)
		if tr.To != tr.From {
			add(tr.To, tr.Asset, e)
		}
	}
}

func gather(t fataler, events iter.Seq2[ledger.Event, error]) []ledger.Event {
	t.Helper()
	var all []ledger.Event
	for e, err := range events {
		if err != nil {
			t.Fatalf("events: %v", err)
		}
		all = append(all, e)
	}
	return all
}

func compareHolder(t fataler, snap *store.Snapshot, h ledger.Holder, want []ledger.Event) {
	t.Helper()
	ctx := context.Background()
	points := []ledger.Point{{}, {Pos: math.MaxUint64}, {Pos: want[0].At.Pos}}
	for i := range want {
		if len(want) < 12 || i%(len(want)/12) == 0 {
			points = append(points, want[i].At, ledger.Point{Pos: want[i].At.Pos, Slot: want[i].At.Slot + 1})
		}
	}
	var deficit ledger.Amount
	sums := func(before ledger.Point) (in, out ledger.Amount) {
		for _, e := range want {
			if e.At.Before(before) && e.From != e.To {
				if e.From == h.Address {
					out = out.Plus(e.Amount)
				} else {
					in = in.Plus(e.Amount)
				}
			}
			deficit = ledger.Max(deficit, out.SubFloor(in))
		}
		return in, out
	}
	sums(ledger.Point{Pos: math.MaxUint64})
	for _, p := range points {
		var after, before []ledger.Event
		for _, e := range want {
			if p.Before(e.At) {
				after = append(after, e)
			}
			if e.At.Before(p) {
				before = append([]ledger.Event{e}, before...)
			}
		}
		if got := gather(t, snap.Events(ctx, h, p)); !slices.Equal(got, after) {
			t.Fatalf("events of %s after %s:\ngot  %v\nwant %v", h.Address, p, got, after)
		}
		if got := gather(t, snap.EventsBefore(ctx, h, p)); !slices.Equal(got, before) {
			t.Fatalf("events of %s before %s:\ngot  %v\nwant %v", h.Address, p, got, before)
		}
		in, out := sums(p)
		b, err := snap.Balance(ctx, h, p)
		if w := (ledger.Balance{Amount: in.Plus(deficit).Minus(out), Deficit: deficit}); err != nil || b != w {
			t.Fatalf("balance of %s before %s: got %v, %v, want %v", h.Address, p, b, err, w)
		}
	}
}

func comparePayees(t fataler, snap *store.Snapshot, want *memindex.Index, h ledger.Holder) {
	t.Helper()
	for n := range 9 {
		p, ok, err := snap.PayeeAt(context.Background(), h, n)
		wp, wok, _ := want.PayeeAt(context.Background(), h, n)
		if n == 0 {
			wp, wok = ledger.Point{}, false
		}
		if err != nil || p != wp || ok != wok {
			t.Fatalf("payee %d of %s: got %v %v, %v, want %v %v", n, h.Address, p, ok, err, wp, wok)
		}
	}
}

func exported(t fataler, n *store.Network) string {
	t.Helper()
	snap, err := n.Snapshot(0)
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	defer snap.Close()
	var b bytes.Buffer
	if err := snap.Export(context.Background(), n.Chain(), &b); err != nil {
		t.Fatalf("export: %v", err)
	}
	return b.String()
}

// fresh builds another index of the same blocks in one batch.
func fresh(t fataler, dir string, blocks []*ledger.Block) string {
	t.Helper()
	s, n := open(t, dir, memkv.New(), blocks[0].Ref.Chain)
	defer s.Close()
	bound := uint64(0)
	if err := n.Append(context.Background(), series(blocks...), store.AppendOptions{ReorgBound: &bound, KeepRaw: true}); err != nil {
		t.Fatalf("fresh append: %v", err)
	}
	return exported(t, n)
}

func TestAgainstReference(t *testing.T) {
	t.Parallel()
	for _, chain := range []ledger.Chain{"bitcoin", "tron"} {
		t.Run(string(chain), func(t *testing.T) {
			dirs := 0
			rapid.Check(t, func(rt *rapid.T) {
				dirs++
				script(rt, chain, fmt.Sprintf("%s/%d", t.TempDir(), dirs))
			})
		})
	}
}

// script plays extensions, reorgs, returns to older branches, gaps and repeats,
// with any bound and batch size, and compares after each.
func script(t *rapid.T, c ledger.Chain, dir string) {
	g := &generator{T: t, chain: c}
	engine := mapEngine()
	s, n := open(t, dir, engine, c)
	defer func() { _ = s.Close() }()
	bound := uint64(g.n("bound", 0, 6))
	o := store.AppendOptions{ReorgBound: &bound, BatchSize: g.n("batch", 1, 40), KeepRaw: true}
	tip := g.next(nil, 1)
	all := []*modelBlock{tip}
	handed := []*ledger.Block{tip.Block}
	for range g.n("steps", 1, 6) {
		for range g.n("blocks", 1, 5) {
			handed, tip, all = g.step(handed, tip, all, int(bound))
		}
		if o.Target = 0; ascending(handed) && g.n("target", 0, 1) == 0 { // a source that knows its head hands out no stale branch
			o.Target = handed[len(handed)-1].Ref.Height
		}
		if err := n.Append(context.Background(), series(handed...), o); err != nil {
			t.Fatalf("append: %v\nhanded %s, bound %d, target %d", err, heights(handed), bound, o.Target)
		}
		handed = nil
		compare(t, n, tip.chain(), memindex.Options{})
		if err := n.Verify(context.Background(), nil); err != nil {
			t.Fatalf("verify: %v", err)
		}
		if g.n("reopen", 0, 3) == 0 {
			if err := s.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			s, n = open(t, dir, engine, c)
		}
	}
	chain := tip.chain()
	compare(t, n, chain[:g.n("as of", 1, len(chain))], memindex.Options{})
	if got, want := exported(t, n), fresh(t, dir+"-fresh", chain); got != want {
		t.Fatalf("export differs from a fresh index:\n%s", cmp.Diff(want, got))
	}
}

func (g *generator) step(handed []*ledger.Block, tip *modelBlock, all []*modelBlock, bound int) ([]*ledger.Block, *modelBlock, []*modelBlock) {
	switch g.n("step", 0, 9) {
	case 0: // a gap
		tip = g.next(tip, uint64(g.n("gap", 2, 4)))
	case 1: // a block that is held already
		return append(handed, tip.Block), tip, all
	case 2, 3: // a reorg, or back to an older branch
		back := tip
		for range g.n("depth", 0, bound) {
			linked := back.prev != nil && back.Parent == back.prev.Ref.Hash // else a block after prev replaces nothing
			if linked && back.prev.Ref.Height+uint64(bound) > highest(all) {
				back = back.prev
			}
		}
		if back != tip {
			tip = g.next(back, 1)
		}
	default:
		tip = g.next(tip, 1)
	}
	return append(handed, tip.Block), tip, append(all, tip)
}

func highest(all []*modelBlock) (h uint64) {
	for _, b := range all {
		h = max(h, b.Ref.Height)
	}
	return h
}

// heights prints a series as height:hash<parent.
func heights(blocks []*ledger.Block) string {
	var b bytes.Buffer
	for _, blk := range blocks {
		fmt.Fprintf(&b, " %d:%x<%x", blk.Ref.Height, blk.Ref.Hash[:2], blk.Parent[:2])
	}
	return b.String()
}

func ascending(blocks []*ledger.Block) bool {
	for i := 1; i < len(blocks); i++ {
		if blocks[i].Ref.Height <= blocks[i-1].Ref.Height {
			return false
		}
	}
	return true
}
