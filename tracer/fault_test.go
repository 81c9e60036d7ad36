package tracer_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

var errDisk = errors.New("disk on fire")

// failing is an index of which the left-th answer is an error.
type failing struct {
	tracer.Index
	left int
}

func (f *failing) fail() error {
	f.left--
	if f.left == 0 {
		return errDisk
	}
	return nil
}

func (f *failing) AsOf(ctx context.Context, c ledger.Chain) (ledger.BlockRef, error) {
	if err := f.fail(); err != nil {
		return ledger.BlockRef{}, err
	}
	return f.Index.AsOf(ctx, c)
}

func (f *failing) FindTx(ctx context.Context, c ledger.Chain, id ledger.TxID) ([]ledger.Tx, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Index.FindTx(ctx, c, id)
}

func (f *failing) TxAt(ctx context.Context, c ledger.Chain, pos ledger.Position) (ledger.Tx, error) {
	if err := f.fail(); err != nil {
		return ledger.Tx{}, err
	}
	return f.Index.TxAt(ctx, c, pos)
}

func (f *failing) BlockTxs(ctx context.Context, c ledger.Chain, height uint64) iter.Seq2[ledger.Tx, error] {
	return failingSeq(f, f.Index.BlockTxs(ctx, c, height))
}

func (f *failing) Events(ctx context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	return failingSeq(f, f.Index.Events(ctx, h, after))
}

// failingSeq may fail before each item and at the end.
func failingSeq[T any](f *failing, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for x, err := range seq {
			if failed := f.fail(); failed != nil {
				yield(x, failed)
				return
			}
			if !yield(x, err) {
				return
			}
		}
		if err := f.fail(); err != nil {
			var none T
			yield(none, err)
		}
	}
}

func (f *failing) Balance(ctx context.Context, h ledger.Holder, before ledger.Point) (ledger.Balance, error) {
	if err := f.fail(); err != nil {
		return ledger.Balance{}, err
	}
	return f.Index.Balance(ctx, h, before)
}

func (f *failing) PayeeAt(ctx context.Context, h ledger.Holder, n int) (ledger.Point, bool, error) {
	if err := f.fail(); err != nil {
		return ledger.Point{}, false, err
	}
	return f.Index.PayeeAt(ctx, h, n)
}

func (f *failing) Covered(ctx context.Context, h ledger.Holder, from ledger.Position) (bool, error) {
	if err := f.fail(); err != nil {
		return false, err
	}
	return f.Index.Covered(ctx, h, from)
}

func (f *failing) Tags(ctx context.Context, a ledger.Address) ([]ledger.Tag, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.Index.Tags(ctx, a)
}

// TestIndexErrors lets every single question to the index fail in its turn:
// each failure is the answer, none is swallowed and none becomes a trace.
func TestIndexErrors(t *testing.T) {
	for name, story := range map[string]struct {
		ledger   []string
		question string
		calls    int
	}{
		"accounts": {[]string{
			"chain tron", "asset usdt", "tag a scam", "tag e exchange", "tag x smart_contract",
			"v1 @1 victim -> a 9000000", "t1 @2 a -> b 1000000", "t2 @3 a -> c 2000000", "t3 @4 a -> e 500000; b -> x 700000", "t4 @5 c -> a 5; a -> d 5", "v2 @6 victim -> b 7",
		}, "v1 v2 payees=1 hops=3", 60},
		"coins": {[]string{
			"chain bitcoin", "tag e exchange", "c0 @0 coinbase -> a 50", "t1 @1 c0:0 -> b 20, e 20", "c1 @1 coinbase -> m 60",
			"t2 @2 t1:0 + ?u -> c 30, return 5", "t3 @3 t1:1 -> d 19",
		}, "c0 fees=coinbase", 20},
		"budget": {[]string{"chain bitcoin", "c0 @0 coinbase -> a 50", "t1 @1 c0:0 -> b 20", "c1 @1 coinbase -> m 60", "t2 @2 t1:0 -> c 20"}, "c0 t2 fees=coinbase budget=2", 8},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			s.line = name
			for _, line := range story.ledger {
				s.do(strings.Fields(line))
			}
			idx := s.build()
			req, _ := s.request(idx, strings.Fields(story.question))
			whole := dump(mustRun(t, idx, req))
			for n := 1; ; n++ {
				f := &failing{Index: idx, left: n}
				tr, err := tracer.Run(t.Context(), f, req, nil)
				if err == nil && f.left > 0 {
					if n <= story.calls || dump(tr) != whole {
						t.Errorf("the index was asked %d times, want more than %d; the trace:\n%s", n-1, story.calls, dump(tr))
					}
					break
				}
				if !errors.Is(err, errDisk) {
					t.Fatalf("question %d to the index failed; the trace: %v", n, err)
				}
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	c := newCrowd(t, 1000, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tracer.Run(ctx, c, byDefault(t, "fifo", c.seed(1)), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled trace: %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	if _, err := tracer.NewReplay(tracer.Request{Policy: policyOf(t, "fifo")}); !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), "at least one payment") {
		t.Errorf("no payment: %v", err)
	}
	if _, err := tracer.NewReplay(tracer.Request{Seeds: make([]tracer.Seed, 1)}); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("no policy: %v", err)
	}
	_, err := tracer.PolicyByName("FIFO")
	if !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), "dirty-first, fifo, lifo, haircut, tiho, libr, poison") {
		t.Errorf("unknown policy: %v", err)
	}
}

// TestResolveEVM picks by log index, native value and internal transfer.
func TestResolveEVM(t *testing.T) {
	native, a, b := ledger.NativeAsset("ethereum"), named("ethereum", "a"), named("ethereum", "b")
	usdt, _ := ledger.AssetBySymbol("ethereum", "USDT")
	transfer := func(index, slot uint32, kind ledger.TransferKind, asset ledger.Asset, n uint64) ledger.Transfer {
		return ledger.Transfer{Index: index, Slot: slot, Kind: kind, From: a, To: b, Asset: asset, Amount: ledger.NewAmount(n)}
	}
	w := &world{blocks: []*ledger.Block{{Ref: ledger.BlockRef{Chain: "ethereum", Height: 1}, Txs: []ledger.Tx{{
		ID: txID("t"), Chain: "ethereum", Pos: ledger.At(1, 0), Transfers: []ledger.Transfer{
			transfer(0, 0, ledger.TransferNative, native, 10), transfer(1, 1, ledger.TransferInternal, native, 11),
			transfer(1, 2, ledger.TransferToken, usdt, 12), transfer(11, 3, ledger.TransferToken, usdt, 13), transfer(0, 4, ledger.TransferFee, native, 1),
		},
	}}}}}
	idx := w.index(t, memindex.Options{})
	for pick, want := range map[string]string{":n": "10", ":i1": "11", ":1": "12", ":11": "13"} {
		ref, err := tracer.ParseRef("ethereum:0x" + txID("t").String() + pick)
		if err != nil {
			t.Fatal(err)
		}
		seeds, err := tracer.Resolve(t.Context(), idx, nil, ref, nil)
		if err != nil || len(seeds) != 1 || seeds[0].Amount.String() != want || !strings.HasSuffix(seeds[0].Ref, pick) {
			t.Errorf("%s: %+v, %v; want the payment of %s", pick, seeds, err, want)
		}
	}
	for _, pick := range []string{"", ":0", ":i11", ":2"} {
		ref, err := tracer.ParseRef("ethereum:0x" + txID("t").String() + pick)
		if err != nil {
			t.Fatal(err)
		}
		if seeds, err := tracer.Resolve(t.Context(), idx, nil, ref, nil); err == nil {
			t.Errorf("%q reads %+v, want a refusal", pick, seeds)
		}
	}
}
