package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"pgregory.net/rapid"
)

// answers asks a network what people ask and prints what comes; an absent thing
// is an answer, any other error ends it.
func answers(n *store.Network, blocks []*ledger.Block) (string, error) {
	ctx, c := context.Background(), n.Chain()
	snap, err := n.Snapshot(0)
	if err != nil {
		return "", err
	}
	defer snap.Close()
	var out strings.Builder
	asOf, err := snap.AsOf(ctx, c)
	if err != nil {
		return "", err
	}
	fmt.Fprintln(&out, asOf.Height, asOf.Hash)
	holders := map[ledger.Holder]bool{}
	for _, b := range blocks {
		ref, err := snap.BlockRef(ctx, c, b.Ref.Height)
		fmt.Fprintln(&out, ref.Hash, errors.Is(err, ledger.ErrNotFound))
		if err := other(err); err != nil {
			return "", err
		}
		for i := range b.Txs {
			if err := answerTx(&out, snap, &b.Txs[i], holders); err != nil {
				return "", err
			}
		}
	}
	list := slices.SortedFunc(maps.Keys(holders), ledger.Holder.Compare)
	for _, h := range list {
		if err := answerHolder(&out, snap, h); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

func other(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	return err
}

func answerTx(out *strings.Builder, snap *store.Snapshot, tx *ledger.Tx, holders map[ledger.Holder]bool) error {
	ctx := context.Background()
	found, err := snap.FindTx(ctx, tx.Chain, tx.ID)
	if err := other(err); err != nil {
		return err
	}
	fmt.Fprintln(out, len(found))
	at, err := snap.TxAt(ctx, tx.Chain, tx.Pos)
	if err := other(err); err != nil {
		return err
	}
	fmt.Fprintln(out, at.ID, at.Time, at.Status, at.Coinbase)
	for _, in := range at.Inputs {
		fmt.Fprintln(out, "in", in.Prev, in.PrevPos, in.Known, in.Address, in.Value)
	}
	for _, o := range at.Outputs {
		fmt.Fprintln(out, "out", o.Address, o.Value, o.SpentBy)
		holders[ledger.Holder{Address: o.Address, Asset: ledger.NativeAsset(tx.Chain)}] = true
	}
	for _, t := range at.Transfers {
		fmt.Fprintln(out, "transfer", t)
		holders[ledger.Holder{Address: t.From, Asset: t.Asset}] = true
		holders[ledger.Holder{Address: t.To, Asset: t.Asset}] = true
	}
	return nil
}

func answerHolder(out *strings.Builder, snap *store.Snapshot, h ledger.Holder) error {
	ctx := context.Background()
	if h.Address.IsZero() {
		return nil
	}
	var last ledger.Point
	for e, err := range snap.Events(ctx, h, ledger.Point{}) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, h.Address, e)
		last = e.At
		b, err := snap.Balance(ctx, h, e.At)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, b)
	}
	for e, err := range snap.EventsBefore(ctx, h, last) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, e)
	}
	p, ok, err := snap.PayeeAt(ctx, h, 2)
	fmt.Fprintln(out, p, ok)
	if err != nil {
		return err
	}
	sums, err := snap.AddressSummary(ctx, h.Address)
	fmt.Fprintln(out, sums)
	return err
}

// TestDamage flips, cuts, swaps or removes one row and wants the right answers
// or an error, never other answers.
func TestDamage(t *testing.T) {
	counts := map[string]int{}
	for _, chain := range []ledger.Chain{"bitcoin", "tron"} {
		dirs := 0
		rapid.Check(t, func(rt *rapid.T) {
			dirs++
			counts[damage(rt, chain, fmt.Sprintf("%s/%s%d", t.TempDir(), chain, dirs))]++
		})
	}
	t.Logf("damaged rows: %v", counts)
}

func damage(t *rapid.T, c ledger.Chain, dir string) string {
	ctx := context.Background()
	g := &generator{T: t, chain: c}
	kvs := map[string]*mapKV{}
	engine := func(dir string) (store.KV, error) {
		if kvs[dir] == nil {
			kvs[dir] = &mapKV{rows: map[string][]store.Row{}}
		}
		return kvs[dir], nil
	}
	s, n := open(t, dir, engine, c)
	tip := g.next(nil, 1)
	for range g.n("blocks", 3, 12) {
		tip = g.next(tip, 1)
	}
	bound := uint64(g.n("bound", 0, 4))
	if err := n.Append(ctx, series(tip.chain()...), store.AppendOptions{ReorgBound: &bound, BatchSize: 20}); err != nil {
		t.Fatalf("append: %v", err)
	}
	want, err := answers(n, tip.chain())
	if err != nil {
		t.Fatalf("undamaged: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	what := hurt(g, slices.Collect(maps.Values(kvs))[0])
	s, err = store.Open(dir, engine, store.Options{MinFree: 1})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer s.Close()
	n, err = s.Network(ctx, c)
	if err != nil {
		return "refused at open"
	}
	got, err := answers(n, tip.chain())
	if err == nil && got != want {
		t.Fatalf("%s: wrong answers:\ngot\n%s\nwant\n%s", what, got, want)
	}
	if verified := n.Verify(ctx, nil); verified == nil && what != "nothing" {
		t.Fatalf("%s: verify is clean", what)
	}
	if err == nil {
		return "right"
	}
	return "error"
}

// hurt changes one row, chosen evenly over the tables, and says what it did.
func hurt(g *generator, kv *mapKV) string {
	tables := map[byte][]string{}
	for _, name := range slices.Sorted(maps.Keys(kv.rows)) {
		if len(kv.rows[name]) > 0 {
			tables[name[0]] = append(tables[name[0]], name)
		}
	}
	letters := slices.Sorted(maps.Keys(tables))
	names := tables[letters[g.n("table", 0, len(letters)-1)]]
	name := names[g.n("partition", 0, len(names)-1)]
	rows := slices.Clone(kv.rows[name])
	i := g.n("row", 0, len(rows)-1)
	before := rows[i].Value
	value := bytes.Clone(before)
	what := fmt.Sprintf("row %c%x/%x", name[0], name[1:], rows[i].Sort)
	switch g.n("damage", 0, 3) {
	case 0:
		value[g.n("byte", 0, len(value)-1)] ^= 1 << g.n("bit", 0, 7)
	case 1:
		value = value[:g.n("cut", 0, len(value)-1)]
	case 2: // another row of the table, whole
		from := kv.rows[names[g.n("other partition", 0, len(names)-1)]]
		value = from[g.n("other row", 0, len(from)-1)].Value
	case 3:
		kv.rows[name] = slices.Delete(rows, i, i+1)
		return what + " removed"
	}
	if bytes.Equal(value, before) {
		return "nothing"
	}
	rows[i].Value = value
	kv.rows[name] = rows
	return what + " changed"
}
