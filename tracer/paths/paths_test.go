package paths_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
	"github.com/spoortrace/spoor/tracer/paths"
)

func named(c ledger.Chain, name string) ledger.Address {
	h := sha256.Sum256([]byte("address " + name))
	if c.UTXO() {
		return ledger.Address{Chain: c, Kind: ledger.KindP2PKH, Payload: string(h[:20])}
	}
	return ledger.AccountAddress(c, [20]byte(h[:20]))
}

func txID(name string) ledger.TxID { return sha256.Sum256([]byte("transaction " + name)) }

// world is a ledger with the events of owners of coins, as the store has them:
// an input is an outflow to nobody, slots counting inputs first.
type world struct {
	*memindex.Index
	chain ledger.Chain
	asset ledger.Asset
	txs   []ledger.Tx // as the index reads them
	stop  map[ledger.Address]bool
}

func newWorld(t rapid.TB, c ledger.Chain, asset ledger.Asset, blocks []*ledger.Block, services ...ledger.Address) *world {
	w := &world{chain: c, asset: asset, stop: map[ledger.Address]bool{}}
	o := memindex.Options{}
	for _, a := range services {
		w.stop[a] = true
		o.Tags = append(o.Tags, ledger.Tag{Address: a, Label: "a service", Category: "exchange", Confidence: 50})
	}
	var err error
	if w.Index, err = memindex.New(blocks, o); err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		for tx, err := range w.BlockTxs(context.Background(), c, b.Ref.Height) {
			if err != nil {
				t.Fatal(err)
			}
			w.txs = append(w.txs, tx)
		}
	}
	return w
}

func (w *world) Events(ctx context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	if !w.chain.UTXO() {
		return w.Index.Events(ctx, h, after)
	}
	return func(yield func(ledger.Event, error) bool) {
		for _, tx := range w.txs {
			for i, in := range tx.Inputs {
				at := ledger.Point{Pos: tx.Pos, Slot: uint32(i)}
				if in.Known && in.Address == h.Address && after.Before(at) && !yield(ledger.Event{At: at, From: h.Address, Amount: in.Value}, nil) {
					return
				}
			}
		}
	}
}

// way is a path by brute force, in a form that compares.
type way struct {
	width  ledger.Amount
	points []ledger.Point
}

func (w way) String() string { return fmt.Sprint(w.width, w.points) }

func compare(a, b way) int {
	return cmp.Or(b.width.Cmp(a.width), cmp.Compare(len(a.points), len(b.points)), a.points[len(a.points)-1].Compare(b.points[len(b.points)-1]))
}

// everyAccountPath tries every transfer after every transfer.
func (w *world) everyAccountPath(req paths.Request) (all []way) {
	type move struct {
		at       ledger.Point
		from, to ledger.Address
		amount   ledger.Amount
	}
	var moves []move
	for _, tx := range w.txs {
		for _, t := range tx.Transfers {
			at := ledger.Point{Pos: tx.Pos, Slot: t.Slot}
			if t.Asset == req.Asset && t.Status != ledger.StatusFailed && t.Kind != ledger.TransferFee && !t.Amount.IsZero() && at.Pos >= req.Since && (req.Before == 0 || at.Pos < req.Before) {
				moves = append(moves, move{at, t.From, t.To, t.Amount})
			}
		}
	}
	var walk func(at ledger.Point, where ledger.Address, width ledger.Amount, points []ledger.Point, seen []ledger.Address)
	walk = func(at ledger.Point, where ledger.Address, width ledger.Amount, points []ledger.Point, seen []ledger.Address) {
		if where == req.To {
			all = append(all, way{width, slices.Clone(points)})
			return
		}
		if len(points) == req.Hops || (w.stop[where] && len(points) > 0) {
			return
		}
		for _, m := range moves {
			if m.from == where && at.Before(m.at) && !slices.Contains(seen, m.to) {
				walk(m.at, m.to, ledger.Min(width, m.amount), append(points, m.at), append(slices.Clone(seen), m.to))
			}
		}
	}
	for _, m := range moves {
		if m.from == req.From && m.to != req.From {
			walk(m.at, m.to, m.amount, []ledger.Point{m.at}, []ledger.Address{req.From, m.to})
		}
	}
	return all
}

// everyCoinPath tries every output of every transaction that spends the coin before.
func (w *world) everyCoinPath(req paths.Request) (all []way) {
	var walk func(tx ledger.Tx, widest ledger.Amount, points []ledger.Point)
	walk = func(tx ledger.Tx, widest ledger.Amount, points []ledger.Point) {
		for i, o := range tx.Outputs {
			width := ledger.Min(widest, o.Value)
			here := append(slices.Clone(points), ledger.Point{Pos: tx.Pos, Slot: uint32(i)})
			switch {
			case width.IsZero() || o.Address == req.From:
			case o.Address == req.To:
				all = append(all, way{width, here})
			case len(here) < req.Hops && !w.stop[o.Address]:
				for _, next := range w.txs {
					if slices.ContainsFunc(next.Inputs, func(in ledger.Input) bool {
						return in.Prev == ledger.OutPoint{Tx: tx.ID, Index: uint32(i)}
					}) && (req.Before == 0 || next.Pos < req.Before) {
						walk(next, width, here)
					}
				}
			}
		}
	}
	for _, tx := range w.txs {
		var put ledger.Amount
		for _, in := range tx.Inputs {
			if in.Known && in.Address == req.From {
				put = put.Plus(in.Value)
			}
		}
		if !put.IsZero() && tx.Pos >= req.Since && (req.Before == 0 || tx.Pos < req.Before) {
			walk(tx, put, nil)
		}
	}
	return all
}

func drawAccounts(t *rapid.T) *world {
	people := rapid.IntRange(3, 6).Draw(t, "people")
	person := func(label string) ledger.Address {
		return named("tron", fmt.Sprint("person ", rapid.IntRange(1, people).Draw(t, label)))
	}
	main, other := ledger.TokenAsset(named("tron", "token")), ledger.TokenAsset(named("tron", "other"))
	var blocks []*ledger.Block
	for height := range uint64(rapid.IntRange(3, 12).Draw(t, "blocks")) {
		b := &ledger.Block{Ref: ledger.BlockRef{Chain: "tron", Height: height + 1, Time: int64(height) * 3000}}
		for i := range rapid.IntRange(1, 2).Draw(t, "txs") {
			tx := ledger.Tx{ID: txID(fmt.Sprint(height, i)), Chain: "tron", Pos: ledger.At(height+1, uint32(i)), Time: b.Ref.Time}
			for j := range rapid.IntRange(1, 2).Draw(t, "transfers") {
				tr := ledger.Transfer{Index: uint32(j), Slot: uint32(j), From: person("from"), To: person("to"), Asset: main, Amount: ledger.NewAmount(rapid.Uint64Range(0, 9).Draw(t, "units"))}
				switch rapid.IntRange(0, 15).Draw(t, "odd") {
				case 0:
					tr.Asset = other
				case 1:
					tr.Status = ledger.StatusFailed
				case 2:
					tr.To, tr.Kind = ledger.Address{}, ledger.TransferFee
				}
				tx.Transfers = append(tx.Transfers, tr)
			}
			b.Txs = append(b.Txs, tx)
		}
		blocks = append(blocks, b)
	}
	return newWorld(t, "tron", main, blocks, drawServices(t, person)...)
}

func drawServices(t *rapid.T, person func(string) ledger.Address) (services []ledger.Address) {
	for range rapid.IntRange(0, 1).Draw(t, "services") {
		services = append(services, person("service"))
	}
	return services
}

func drawCoins(t *rapid.T) *world {
	people := rapid.IntRange(2, 4).Draw(t, "people")
	person := func(label string) ledger.Address {
		return named("bitcoin", fmt.Sprint("person ", rapid.IntRange(1, people).Draw(t, label)))
	}
	var blocks []*ledger.Block
	var unspent []ledger.OutPoint
	for height := range uint64(rapid.IntRange(3, 18).Draw(t, "blocks")) {
		tx := ledger.Tx{ID: txID(fmt.Sprint("coins ", height)), Chain: "bitcoin", Pos: ledger.At(height+1, 0), Time: int64(height) * 600_000}
		for range rapid.IntRange(0, min(3, len(unspent))).Draw(t, "inputs") {
			j := rapid.IntRange(0, len(unspent)-1).Draw(t, "spends")
			tx.Inputs = append(tx.Inputs, ledger.Input{Prev: unspent[j]})
			unspent = slices.Delete(unspent, j, j+1)
		}
		tx.Coinbase = len(tx.Inputs) == 0
		for i := range rapid.IntRange(1, 3).Draw(t, "outputs") {
			tx.Outputs = append(tx.Outputs, ledger.Output{Address: person("to"), Value: ledger.NewAmount(rapid.Uint64Range(0, 9).Draw(t, "value"))})
			unspent = append(unspent, ledger.OutPoint{Tx: tx.ID, Index: uint32(i)})
		}
		blocks = append(blocks, &ledger.Block{Ref: ledger.BlockRef{Chain: "bitcoin", Height: height + 1, Time: tx.Time}, Txs: []ledger.Tx{tx}})
	}
	return newWorld(t, "bitcoin", ledger.NativeAsset("bitcoin"), blocks, drawServices(t, person)...)
}

func (w *world) draw(t *rapid.T) paths.Request {
	req := paths.Request{
		From: named(w.chain, "person 1"), To: named(w.chain, "person 2"), Asset: w.asset,
		Hops: rapid.IntRange(1, 5).Draw(t, "hops"), Limit: rapid.IntRange(1, 6).Draw(t, "limit"),
	}
	if rapid.IntRange(0, 3).Draw(t, "window") == 0 {
		req.Since = ledger.EndOf(rapid.Uint64Range(0, 4).Draw(t, "since"))
		req.Before = ledger.EndOf(rapid.Uint64Range(4, 12).Draw(t, "before"))
	}
	return req
}

// equals holds the search against every path there is: the same widths, lengths
// and arrivals in the same order, each of them a real path, none of them twice.
func equals(t *rapid.T, w *world, req paths.Request, all []way) {
	slices.SortStableFunc(all, compare)
	got, err := paths.Find(t.Context(), w, req)
	if err != nil {
		t.Fatal(err)
	}
	if want := min(len(all), req.Limit); len(got.Paths) != want || got.More != (len(all) > req.Limit) {
		t.Fatalf("got %d paths, more %v; want %d of %d: %v", len(got.Paths), got.More, want, len(all), all)
	}
	real, seen := map[string]bool{}, map[string]bool{}
	for _, one := range all {
		real[one.String()] = true
	}
	for i, p := range got.Paths {
		one := way{width: p.Width}
		for j, s := range p.Steps {
			one.points = append(one.points, s.At)
			if j > 0 && s.From != p.Steps[j-1].To {
				t.Fatalf("step %d of %v begins with %s", j, one, s.From)
			}
		}
		if compare(one, all[i]) != 0 || !real[one.String()] || seen[one.String()] {
			t.Fatalf("path %d: got %v, want one like %v of %v", i, one, all[i], all)
		}
		seen[one.String()] = true
	}
	if len(all) == 0 && got.Whole() {
		req.Hops = 20
		if again, err := paths.Find(t.Context(), w, req); err != nil || len(again.Paths) > 0 {
			t.Fatalf("none was said to exist, and 20 steps find %v (%v)", again, err)
		}
	}
}

// TestEveryPath compares 5,000 random ledgers with brute force, half of them of coins.
func TestEveryPath(t *testing.T) {
	for name, draw := range map[string]func(*rapid.T) *world{"accounts": drawAccounts, "coins": drawCoins} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ledgers, found, longest := 0, 0, 0
			for round := 0; ledgers < 2500; round++ {
				rapid.Check(t, func(t *rapid.T) {
					w := draw(t)
					req := w.draw(t)
					all := w.everyAccountPath(req)
					if w.chain.UTXO() {
						all = w.everyCoinPath(req)
					}
					equals(t, w, req, all)
					ledgers++
					for _, one := range all {
						found, longest = found+1, max(longest, len(one.points))
					}
				})
				if t.Failed() {
					return
				}
			}
			t.Logf("%d ledgers, %d paths, up to %d steps", ledgers, found, longest)
			if found < ledgers/4 || longest < 3 {
				t.Errorf("%d paths of up to %d steps in %d ledgers: they show little", found, longest, ledgers)
			}
		})
	}
}

// chain makes one transfer a block, written "from>to amount".
func chain(t *testing.T, services string, moves ...string) *world {
	t.Helper()
	asset := ledger.TokenAsset(named("tron", "token"))
	var blocks []*ledger.Block
	for i, m := range moves {
		people, text, _ := strings.Cut(m, " ")
		from, to, _ := strings.Cut(people, ">")
		amount, err := ledger.ParseAmount(text)
		if err != nil {
			t.Fatal(err)
		}
		ref := ledger.BlockRef{Chain: "tron", Height: uint64(i + 1), Time: int64(i+1) * 3000}
		blocks = append(blocks, &ledger.Block{Ref: ref, Txs: []ledger.Tx{{
			ID: txID(fmt.Sprint(i)), Chain: "tron", Pos: ledger.At(ref.Height, 0), Time: ref.Time,
			Transfers: []ledger.Transfer{{From: named("tron", from), To: named("tron", to), Asset: asset, Amount: amount}},
		}}})
	}
	var tagged []ledger.Address
	for _, s := range strings.Fields(services) {
		tagged = append(tagged, named("tron", s))
	}
	return newWorld(t, "tron", asset, blocks, tagged...)
}

// TestNoPathSaysWhy: none in the index is told apart from none within the limits, and from services on the way.
func TestNoPathSaysWhy(t *testing.T) {
	for name, test := range map[string]struct {
		services string
		moves    []string
		limit    func(*paths.Request)
		want     string
	}{
		"none":          {"", []string{"a>x 5", "y>b 5"}, nil, "0 paths, whole"},
		"the wrong way": {"", []string{"x>b 5", "a>x 5"}, nil, "0 paths, whole"},
		"a service":     {"x", []string{"a>x 5", "x>b 5"}, nil, "0 paths, 1 services"},
		"to a service":  {"b", []string{"a>x 5", "x>b 5"}, nil, "1 paths, whole"},
		"of a service":  {"a", []string{"a>x 5", "x>b 5"}, nil, "1 paths, whole"},
		"too far":       {"", []string{"a>x 5", "x>y 5", "y>b 5"}, func(r *paths.Request) { r.Hops = 2 }, "0 paths, 1 deep"},
		"busy":          {"", []string{"a>x 5", "x>p 1", "x>q 1", "x>b 5"}, func(r *paths.Request) { r.AccountEvents = 2 }, "0 paths, 1 busy"},
		"spent":         {"", []string{"a>x 5", "x>b 5"}, func(r *paths.Request) { r.Events = 1 }, "0 paths, spent"},
		"many payees":   {"", []string{"a>x 5", "x>p 1", "x>q 1", "x>b 5"}, func(r *paths.Request) { r.ServicePayees = 1 }, "0 paths, 1 services"},
		"before many":   {"", []string{"a>x 5", "x>b 5", "x>q 1", "x>p 1"}, func(r *paths.Request) { r.ServicePayees = 1 }, "1 paths, 1 services"},
	} {
		w := chain(t, test.services, test.moves...)
		req := paths.Request{From: named("tron", "a"), To: named("tron", "b"), Asset: w.asset, Hops: 6, Limit: 10}
		if test.limit != nil {
			test.limit(&req)
		}
		a, err := paths.Find(t.Context(), w, req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := fmt.Sprintf("%d paths", len(a.Paths))
		for what, n := range map[string]int{"services": a.Services, "busy": a.Busy, "deep": a.Deep} {
			if n > 0 {
				got += fmt.Sprintf(", %d %s", n, what)
			}
		}
		if a.Spent {
			got += ", spent"
		}
		if a.Whole() {
			got += ", whole"
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

var _ tracer.Index = (*world)(nil)
