package store_test

import (
	"context"
	"iter"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// compareNotices asks for the notices of every subject and the clock at every
// height, those of gaps included.
func compareNotices(t fataler, snap *store.Snapshot, want *memindex.Index, chain []*ledger.Block) {
	t.Helper()
	ctx, name := context.Background(), chain[0].Ref.Chain
	subjects := map[ledger.Address]ledger.Point{}
	for _, b := range chain {
		for i := range b.Txs {
			for _, n := range b.Txs[i].Notices {
				for _, a := range n.Subjects(name) {
					subjects[a] = ledger.Point{Pos: b.Txs[i].Pos, Slot: n.Slot}
				}
			}
		}
	}
	for a, last := range subjects {
		for _, after := range []ledger.Point{{}, last} {
			if diff := cmp.Diff(noted(t, want.Notices(ctx, a, after)), noted(t, snap.Notices(ctx, a, after)), cmp.Comparer(sameAmount)); diff != "" {
				t.Fatalf("notices of %s after %s (-want +got)\n%s", a, after, diff)
			}
		}
		sums, err := snap.AddressSummary(ctx, a)
		if err != nil || slices.ContainsFunc(sums, func(s store.Summary) bool { return s.Asset == ledger.NoticeAsset(name) }) {
			t.Fatalf("summary of %s: got %v, %v, want no notices in it", a, sums, err)
		}
	}
	for h := chain[0].Ref.Height - 1; h < chain[len(chain)-1].Ref.Height+2; h++ {
		g, err := snap.Clock(ctx, name, h)
		if w, _ := want.Clock(ctx, name, h); err != nil || g != w {
			t.Fatalf("clock at %d: got %d, %v, want %d", h, g, err, w)
		}
	}
}

func noted(t fataler, notices iter.Seq2[ledger.Noted, error]) []ledger.Noted {
	t.Helper()
	var all []ledger.Noted
	for n, err := range notices {
		if err != nil {
			t.Fatalf("notices: %v", err)
		}
		all = append(all, n)
	}
	return all
}
