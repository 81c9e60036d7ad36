package risk

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// world is an index of told transfers, with clusters as told.
type world struct {
	*memindex.Index
	clusters [][]ledger.Address
}

// Events lists coins, too, as a durable index does.
func (w world) Events(ctx context.Context, h ledger.Holder, after ledger.Point) iter.Seq2[ledger.Event, error] {
	if !h.Address.Chain.UTXO() {
		return w.Index.Events(ctx, h, after)
	}
	return func(yield func(ledger.Event, error) bool) {
		for height := uint64(0); height < 100; height++ {
			for tx, err := range w.BlockTxs(ctx, h.Asset.Chain, height) {
				if err != nil {
					yield(ledger.Event{}, err)
					return
				}
				for _, e := range eventsOf(&tx, h.Address) {
					if after.Before(e.At) && !yield(e, nil) {
						return
					}
				}
			}
		}
	}
}

func eventsOf(tx *ledger.Tx, a ledger.Address) []ledger.Event {
	var all []ledger.Event
	for i := range tx.Inputs {
		if tx.Inputs[i].Address == a {
			all = append(all, ledger.Event{At: ledger.Point{Pos: tx.Pos, Slot: uint32(i)}, Kind: ledger.TransferNative, From: a, Amount: tx.Inputs[i].Value})
		}
	}
	for i := range tx.Outputs {
		if tx.Outputs[i].Address == a {
			at := ledger.Point{Pos: tx.Pos, Slot: uint32(len(tx.Inputs) + i)}
			all = append(all, ledger.Event{At: at, Kind: ledger.TransferNative, To: a, Amount: tx.Outputs[i].Value})
		}
	}
	return all
}

// EventsBefore implements Index.
func (w world) EventsBefore(ctx context.Context, h ledger.Holder, before ledger.Point) iter.Seq2[ledger.Event, error] {
	var all []ledger.Event
	for e, err := range w.Events(ctx, h, ledger.Point{}) {
		if err == nil && e.At.Before(before) {
			all = append(all, e)
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

// Cluster implements Index.
func (w world) Cluster(_ context.Context, a ledger.Address) (ledger.Cluster, error) {
	for _, c := range w.clusters {
		if slices.Contains(c, a) {
			return ledger.Cluster{Name: c[0], Size: uint64(len(c))}, nil
		}
	}
	return ledger.Cluster{Name: a, Size: 1}, nil
}

// Members implements Index.
func (w world) Members(_ context.Context, c ledger.Cluster) iter.Seq2[ledger.Address, error] {
	return func(yield func(ledger.Address, error) bool) {
		for _, members := range w.clusters {
			if members[0] != c.Name {
				continue
			}
			for _, m := range members {
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

// ClusterTags implements Index.
func (w world) ClusterTags(ctx context.Context, c ledger.Cluster) ([]ledger.Tag, error) {
	var all []ledger.Tag
	for m, err := range w.Members(ctx, c) {
		tags, _ := w.Tags(ctx, m)
		for _, t := range tags {
			if err == nil && t.Definer {
				all = append(all, t)
			}
		}
	}
	return all, nil
}

func addr(c ledger.Chain, name string) ledger.Address {
	h := sha256.Sum256([]byte(name))
	if c.UTXO() {
		return ledger.Address{Chain: c, Kind: ledger.KindP2WPKH, Payload: string(h[:20])}
	}
	return ledger.AccountAddress(c, [20]byte(h[:20]))
}

var usdt, _ = ledger.AssetBySymbol("tron", "USDT")

// transfers reads "from to amount" in whole dollars, one a block from genesis on; "-"
// is nobody. Names whose labels are told ("scam@x") are tagged.
func transfers(t testing.TB, text string, tags map[string]string, clusters ...string) world {
	t.Helper()
	var blocks []*ledger.Block
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Fields(line)
		var from ledger.Address
		if f[0] != "-" {
			from = addr("tron", f[0])
		}
		amount, err := ledger.ParseCoins(f[2], 6)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, payment(i, from, addr("tron", f[1]), usdt, amount))
	}
	return told(t, blocks, tags, clusters...)
}

func payment(i int, from, to ledger.Address, asset ledger.Asset, amount ledger.Amount) *ledger.Block {
	ref := ledger.BlockRef{Chain: "tron", Height: uint64(i), Time: int64(i+1) * 60_000}
	tx := ledger.Tx{ID: sha256.Sum256(fmt.Append(nil, "tx", i)), Chain: "tron", Pos: ledger.At(uint64(i), 0), Time: ref.Time, Transfers: []ledger.Transfer{
		{From: from, To: to, Asset: asset, Amount: amount},
	}}
	return &ledger.Block{Ref: ref, Txs: []ledger.Tx{tx}}
}

func told(t testing.TB, blocks []*ledger.Block, tags map[string]string, clusters ...string) world {
	t.Helper()
	var all []ledger.Tag
	for name, category := range tags {
		all = append(all, ledger.Tag{Address: addr(blocks[0].Ref.Chain, name), Chain: blocks[0].Ref.Chain, Label: name, Category: category, Confidence: 70, Definer: true, Source: "told"})
	}
	idx, err := memindex.New(blocks, memindex.Options{Tags: all})
	if err != nil {
		t.Fatal(err)
	}
	w := world{Index: idx}
	for _, c := range clusters {
		var members []ledger.Address
		for _, name := range strings.Fields(c) {
			members = append(members, addr(blocks[0].Ref.Chain, name))
		}
		w.clusters = append(w.clusters, members)
	}
	return w
}

func defaults(t testing.TB) *Rules {
	t.Helper()
	rules, err := DefaultRules()
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// said prints an assessment so that it can be read and compared.
func said(a *Assessment) string {
	var out []string
	for _, e := range a.Exposures {
		info := ledger.InfoOf(e.Asset)
		kind := [...]string{"owner", "direct", "indirect"}[e.Kind]
		if e.Kind == Ownership {
			out = append(out, kind+" "+e.Category)
			continue
		}
		out = append(out, fmt.Sprintf("%s %s %s %s %s%% %d-%d", e.Direction, kind, e.Category, e.Amount.Coins(info.Decimals), Percent(e.PPM), e.MinHops, e.MaxHops))
	}
	score := a.State.String()
	if a.State == Scored {
		score = fmt.Sprintf("%s %d", a.Level, a.Score)
	}
	return score + ": " + strings.Join(out, "; ")
}

func TestAddress(t *testing.T) {
	tags := map[string]string{"thief": "scam.romance", "binance": "exchange", "ofac": "sanctioned_entity", "mixer": "mixing"}
	for _, test := range []struct{ name, text, want string }{
		{"nothing of it", "- x 5", "NO_HISTORY: "},
		{"direct", "- thief 100\n- binance 900\nthief a 100\nbinance a 900", "HIGH 82: RECEIVED direct scam.romance 100 10.0000% 1-1; RECEIVED direct exchange 900 90.0000% 1-1"},
		{"through one", "- thief 100\n- binance 300\nthief m 100\nbinance m 300\nm a 200", "HIGH 74: RECEIVED indirect scam.romance 50 25.0000% 2-2; RECEIVED indirect exchange 150 75.0000% 2-2"},
		{"what came later does not count", "- binance 300\n- thief 100\nbinance m 300\nm a 200\nthief m 100", "LOW 0: RECEIVED indirect exchange 200 100.0000% 2-2"},
		{"what was spent before counts in part", "- binance 100\n- thief 100\nthief m 100\nm b 50\nbinance m 50\nm a 100", "HIGH 74: RECEIVED indirect scam.romance 50 50.0000% 2-2; RECEIVED indirect exchange 50 50.0000% 2-2"},
		{"sent on", "- a 100\na m 40\na binance 60\nm thief 30", "HIGH 74: SENT direct exchange 60 60.0000% 1-1; SENT indirect scam.romance 30 30.0000% 2-2"},
		{"an entity absorbs", "- thief 100\nthief binance 100\nbinance a 100", "LOW 0: RECEIVED direct exchange 100 100.0000% 1-1"},
		{"a cycle", "- thief 100\nthief m 100\nm n 100\nn m 100\nm a 100", "HIGH 74: RECEIVED indirect scam.romance 100 100.0000% 4-4"},
		{"nobody known", "- m 100\nm a 100", "TOO_LITTLE_LABELLED: "},
		{"half known", "- m 100\n- binance 100\nm a 50\nbinance a 50", "LOW 0: RECEIVED direct exchange 50 50.0000% 1-1"},
		{"one cent of the sanctioned", "- ofac 1000\n- binance 10000\nofac a 1\nbinance a 10000", "SEVERE 97: RECEIVED direct sanctioned_entity 1 0.0099% 1-1; RECEIVED direct exchange 10,000 99.9900% 1-1"},
		{"less than dust of it", "- ofac 1000\n- binance 10000\nofac a 0.99\nbinance a 10000", "LOW 0: RECEIVED direct exchange 10,000 100.0000% 1-1"},
		{"two ways, two lengths", "- thief 100\nthief m 50\nthief n 50\nn m 50\nm a 100", "HIGH 74: RECEIVED indirect scam.romance 100 100.0000% 2-3"},
	} {
		w := transfers(t, test.text, tags)
		a, err := Address(t.Context(), w, defaults(t), addr("tron", "a"), Options{})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if got := said(a); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

// Whom the label names is known even where nothing moved.
func TestOwnership(t *testing.T) {
	w := transfers(t, "- x 5", map[string]string{"a": "sanctioned_entity"})
	a, err := Address(t.Context(), w, defaults(t), addr("tron", "a"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := said(a); got != "SEVERE 100: owner sanctioned_entity" {
		t.Error(got)
	}
}

// listed is a world of ten minutes in which an issuer blocks somebody for a time.
func listed(t *testing.T, at string, from, to int64) world {
	t.Helper()
	blocks := []*ledger.Block{
		payment(0, ledger.Address{}, addr("tron", "binance"), usdt, ledger.NewAmount(9_000_000)),
		payment(1, addr("tron", "binance"), addr("tron", "a"), usdt, ledger.NewAmount(5_000_000)),
		payment(2, addr("tron", "binance"), addr("tron", "c"), usdt, ledger.NewAmount(3_000_000)),
	}
	blocks[2].Ref.Time, blocks[2].Txs[0].Time = 600_000, 600_000
	idx, err := memindex.New(blocks, memindex.Options{Tags: []ledger.Tag{
		{Address: addr("tron", "binance"), Chain: "tron", Category: "exchange", Confidence: 70},
		{Address: addr("tron", at), Chain: "tron", Category: "issuer_frozen", Confidence: 90, ValidFrom: from, ValidTo: to},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return world{Index: idx}
}

// Who somebody is counts as of the snapshot: a listing or a freeze comes after the last
// transfer of whom it stops, or without any.
func TestOwnershipAsOf(t *testing.T) {
	for _, test := range []struct {
		name, at string
		from, to int64
		want     string
	}{
		{"blocked after its last transfer", "a", 300_000, 0, "HIGH 82"},
		{"blocked without any", "z", 300_000, 0, "HIGH 82"},
		{"not yet", "a", 600_001, 0, "LOW 0"},
		{"released since", "a", 60_000, 300_000, "LOW 0"},
	} {
		a, err := Address(t.Context(), listed(t, test.at, test.from, test.to), defaults(t), addr("tron", test.at), Options{})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if got, _, _ := strings.Cut(said(a), ":"); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, said(a), test.want)
		}
	}
}

// What an issuer blocked, which nobody doubts, stays whose it is.
func TestBlocked(t *testing.T) {
	blocks := []*ledger.Block{
		payment(0, ledger.Address{}, addr("tron", "x"), usdt, ledger.NewAmount(9_000_000)),
		payment(1, addr("tron", "x"), addr("tron", "a"), usdt, ledger.NewAmount(5_000_000)),
	}
	for category, want := range map[string]string{
		"sanctioned_entity": "SEVERE 97: RECEIVED direct sanctioned_entity 5 100.0000% 1-1",
		"exchange":          "HIGH 76: RECEIVED direct issuer_frozen 5 100.0000% 1-1",
		"none":              "HIGH 76: RECEIVED direct issuer_frozen 5 100.0000% 1-1",
	} {
		frozen := ledger.Tag{Address: addr("tron", "x"), Chain: "tron", Category: "issuer_frozen", Confidence: 100}
		other := ledger.Tag{Address: addr("tron", "x"), Chain: "tron", Category: category, Confidence: 60}
		for _, tags := range [][]ledger.Tag{{frozen, other}, {other, frozen}} {
			idx, err := memindex.New(blocks, memindex.Options{Tags: tags})
			if err != nil {
				t.Fatal(err)
			}
			a, err := Address(t.Context(), world{Index: idx}, defaults(t), addr("tron", "a"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := said(a); got != want {
				t.Errorf("%s: got %s, want %s", category, got, want)
			}
		}
	}
}

// Where not all is held, who it is scores, and what it did does not.
func TestPartly(t *testing.T) {
	for name, want := range map[string]string{"a": "LOW 10", "b": "NOT_COVERED"} {
		blocks := []*ledger.Block{
			payment(5, ledger.Address{}, addr("tron", "ofac"), usdt, ledger.NewAmount(9_000_000)),
			payment(6, addr("tron", "ofac"), addr("tron", "a"), usdt, ledger.NewAmount(5_000_000)),
			payment(7, addr("tron", "ofac"), addr("tron", "b"), usdt, ledger.NewAmount(4_000_000)),
		}
		for i := range blocks {
			blocks[i].Partial = ledger.PartialRows
		}
		w := told(t, blocks, map[string]string{"ofac": "sanctioned_entity", "a": "exchange"})
		a, err := Address(t.Context(), w, defaults(t), addr("tron", name), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(said(a), ":"); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// Splitting an address inside one cluster changes nothing, and a member's deposit is
// the cluster's.
func TestClusterSplit(t *testing.T) {
	tags := map[string]string{"thief": "scam", "binance": "exchange"}
	whole := transfers(t, "- thief 100\n- binance 100\nthief a 100\nbinance a 100\na binance 70", tags)
	split := transfers(t, "- thief 100\n- binance 100\nthief a 100\nbinance b 100\na b 50\nb binance 70", tags, "a b")
	var got []string
	for _, w := range []world{whole, split} {
		a, err := Address(t.Context(), w, defaults(t), addr("tron", "a"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, said(a))
	}
	if got[0] != got[1] || !strings.HasPrefix(got[0], "HIGH 82") {
		t.Errorf("whole %s\nsplit %s", got[0], got[1])
	}
}

// Of a cluster that is too large to be read, nothing says that it is clean; what its
// read members do counts, whoever else of it spends there, too.
func TestLargeCluster(t *testing.T) {
	members := "a"
	for i := 1; i < 1_600; i++ {
		members += fmt.Sprint(" m", i)
	}
	tags := map[string]string{"thief": "ransomware", "shop": "exchange"}
	for _, test := range []struct{ text, want string }{
		{"s: -> shop:100000\np: s.0 -> a:100000", "TOO_LITTLE_LABELLED: RECEIVED direct exchange 0.001 100.0000% 1-1"},
		{"s: -> shop:100000\np: s.0 -> a:50000 m1500:50000\nq: p.1,p.0 -> thief:100000", "SEVERE 93: RECEIVED direct exchange 0.0005 100.0000% 1-1; SENT direct ransomware 0.001 100.0000% 1-1"},
	} {
		a, err := Address(t.Context(), coins(t, test.text, tags, members), defaults(t), addr("bitcoin", "a"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := said(a); got != test.want || len(a.Limits) == 0 {
			t.Errorf("got %s, limits %q\nwant %s", got, a.Limits, test.want)
		}
	}
}

// Hostile dust, zero values and tokens of the same name move no score, of a clean
// address nor of a bad one.
func TestPoisoning(t *testing.T) {
	n := 20_000
	fake := ledger.TokenAsset(addr("tron", "fake USDT"))
	for _, name := range []string{"clean", "bad"} {
		source := map[string]string{"clean": "binance", "bad": "thief"}[name]
		var want string
		for _, poisoned := range []bool{false, true} {
			blocks := []*ledger.Block{
				payment(0, ledger.Address{}, addr("tron", source), usdt, ledger.NewAmount(9_000_000_000)),
				payment(1, addr("tron", source), addr("tron", "a"), usdt, ledger.NewAmount(5_000_000_000)),
			}
			for i := 0; poisoned && i < n; i++ {
				from, asset, amount := "ofac", usdt, ledger.NewAmount(uint64(i%2)*999_999)
				if i%3 == 0 {
					asset, amount = fake, ledger.NewAmount(1_000_000_000_000)
				}
				blocks = append(blocks, payment(i+2, addr("tron", from), addr("tron", "a"), asset, amount))
			}
			w := told(t, blocks, map[string]string{"thief": "scam", "binance": "exchange", "ofac": "sanctioned_entity"})
			a, err := Address(t.Context(), w, defaults(t), addr("tron", "a"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := said(a); !poisoned {
				want = got
			} else if got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	}
}

// Dust moves no score; where it adds up to more, that is said.
func TestDustIsSaid(t *testing.T) {
	for n, want := range map[int]int{1: 0, 2: 1} {
		w := transfers(t, "- ofac 100\n- binance 10\nbinance a 10"+strings.Repeat("\nofac a 0.99", n), map[string]string{"ofac": "sanctioned_entity", "binance": "exchange"})
		a, err := Address(t.Context(), w, defaults(t), addr("tron", "a"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if a.Score != 0 || len(a.Limits) != want {
			t.Errorf("%d: %s, limits %q, want %d", n, said(a), a.Limits, want)
		}
	}
}

// What is put into a replay is absorbed, unlabelled or open, to the unit, on any
// ledger, in both directions; and the same question has the same answer.
func TestConservation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := strings.Fields("a b c d e thief binance")
		balance := map[string]uint64{}
		var blocks []*ledger.Block
		for i := range rapid.IntRange(2, 40).Draw(t, "transfers") {
			from, to := rapid.SampledFrom(names).Draw(t, "from"), rapid.SampledFrom(names).Draw(t, "to")
			x := rapid.Uint64Range(0, 3_000_000).Draw(t, "amount")
			payer := addr("tron", from)
			if rapid.IntRange(0, 2).Draw(t, "mint") == 0 || balance[from] == 0 {
				payer = ledger.Address{}
			} else {
				x = min(x, balance[from])
				balance[from] -= x
			}
			balance[to] += x
			blocks = append(blocks, payment(i, payer, addr("tron", to), usdt, ledger.NewAmount(x)))
		}
		w := told(testing.TB(&testing.T{}), blocks, map[string]string{"thief": "scam", "binance": "exchange"})
		rules, err := DefaultRules()
		if err != nil {
			t.Fatal(err)
		}
		b := newBook(w, rules, Options{Hops: rapid.IntRange(1, 12).Draw(t, "hops")})
		b.cluster = ledger.Cluster{Name: addr("tron", "a"), Size: 1}
		b.members[addr("tron", "a")] = true
		f := newFlows(context.Background(), b)
		if err := f.collect(context.Background(), b, ledger.Holder{Address: addr("tron", "a"), Asset: usdt}); err != nil {
			t.Fatal(err)
		}
		if err := f.run(); err != nil {
			t.Fatal(err)
		}
		for _, part := range []struct {
			r     *replay
			total map[ledger.Asset]ledger.Amount
		}{{f.in, f.totalIn}, {f.out, f.totalOut}} {
			sum := part.r.unlabelled[usdt].Plus(part.r.open[usdt])
			for _, s := range part.r.found {
				sum = sum.Plus(s.amount)
			}
			if sum != part.total[usdt] {
				t.Fatalf("backwards %v: %s came out of %s", part.r.back, sum, part.total[usdt])
			}
		}
	})
}
