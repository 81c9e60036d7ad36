package behavior

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// coinWorld lists coins as events, as a durable index does.
type coinWorld struct {
	world
	blocks []*ledger.Block
}

func (w coinWorld) EventsBefore(ctx context.Context, h ledger.Holder, before ledger.Point) iter.Seq2[ledger.Event, error] {
	var all []ledger.Event
	for _, b := range w.blocks {
		tx, err := w.TxAt(ctx, h.Asset.Chain, b.Txs[0].Pos)
		if err != nil {
			return func(yield func(ledger.Event, error) bool) { yield(ledger.Event{}, err) }
		}
		for i := range tx.Inputs {
			if e := (ledger.Event{At: ledger.Point{Pos: tx.Pos, Slot: uint32(i)}, From: h.Address}); tx.Inputs[i].Address == h.Address && e.At.Before(before) {
				all = append(all, e)
			}
		}
	}
	slices.Reverse(all)
	return func(yield func(ledger.Event, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func coinOwner(n int) ledger.Address {
	h := sha256.Sum256(fmt.Append(nil, "coin owner", n))
	return ledger.Address{Chain: "bitcoin", Kind: ledger.KindP2WPKH, Payload: string(h[:20])}
}

// peeling is a coin of owner 0 of which each transaction pays a part to somebody
// else, hours after the one before; owner i has what is left after the i-th.
func peeling(t *testing.T, total uint64, parts []uint64, hours int64) coinWorld {
	t.Helper()
	var w coinWorld
	var last ledger.OutPoint
	for i := range len(parts) + 1 {
		tx := ledger.Tx{ID: sha256.Sum256(fmt.Append(nil, "peel", i)), Chain: "bitcoin", Pos: ledger.At(uint64(i), 0), Time: int64(i) * hours * 3_600_000}
		if i == 0 {
			tx.Coinbase = true
			tx.Outputs = []ledger.Output{{Address: coinOwner(0), Value: ledger.NewAmount(total)}}
		} else {
			total -= parts[i-1]
			tx.Inputs = []ledger.Input{{Prev: last}}
			tx.Outputs = []ledger.Output{{Address: coinOwner(1000 + i), Value: ledger.NewAmount(parts[i-1])}, {Address: coinOwner(i), Value: ledger.NewAmount(total)}}
		}
		last = ledger.OutPoint{Tx: tx.ID, Index: uint32(len(tx.Outputs) - 1)}
		w.blocks = append(w.blocks, &ledger.Block{Ref: ledger.BlockRef{Chain: "bitcoin", Height: uint64(i), Time: tx.Time}, Txs: []ledger.Tx{tx}})
	}
	idx, err := memindex.New(w.blocks, memindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.world = world{idx}
	return w
}

func TestPeelChain(t *testing.T) {
	for _, test := range []struct {
		name  string
		parts []uint64
		hours int64
		of    int
		links int // 0: none found
	}{
		{"the first", []uint64{10, 10, 10, 10, 10}, 24, 0, 5},
		{"one in the middle", []uint64{10, 10, 10, 10, 10, 10}, 1, 3, 6},
		{"four", []uint64{10, 10, 10, 10}, 1, 0, 0},
		{"a day and an hour between", []uint64{10, 10, 10, 10, 10}, 25, 0, 0},
		{"a third at the most", []uint64{300, 10, 10, 10, 10}, 1, 4, 5},
		{"more than a third", []uint64{310, 10, 10, 10, 10}, 1, 4, 0},
		{"who is only paid", []uint64{10, 10, 10, 10, 10}, 1, 1003, 0},
		{"the last, who spends nothing", []uint64{10, 10, 10, 10, 10}, 1, 5, 0},
	} {
		w := peeling(t, 900, test.parts, test.hours)
		found, limits, err := Patterns(t.Context(), w, ledger.Holder{Address: coinOwner(test.of), Asset: ledger.NativeAsset("bitcoin")})
		if err != nil || len(limits) != 0 {
			t.Fatal(limits, err)
		}
		if (len(found) == 1) != (test.links > 0) {
			t.Errorf("%s: %+v", test.name, found)
			continue
		}
		if test.links == 0 {
			continue
		}
		if f := found[0]; f.Pattern != "peel_chain" || len(f.Events) != test.links || f.Events[0].To != coinOwner(1001) || f.Events[test.links-1].Time <= f.Events[0].Time {
			t.Errorf("%s: %+v", test.name, f)
		}
	}
}
