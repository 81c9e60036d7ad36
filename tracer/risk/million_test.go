package risk

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/tracer"
)

// flooded is an index of the durable store with told labels and no clusters.
type flooded struct {
	*store.Snapshot
	tags map[ledger.Address][]ledger.Tag
}

func (f flooded) Tags(_ context.Context, a ledger.Address) ([]ledger.Tag, error) {
	return f.tags[a], nil
}

func (f flooded) Cluster(_ context.Context, a ledger.Address) (ledger.Cluster, error) {
	return ledger.Cluster{Name: a, Size: 1}, nil
}

func (f flooded) Members(_ context.Context, c ledger.Cluster) iter.Seq2[ledger.Address, error] {
	return func(yield func(ledger.Address, error) bool) { yield(c.Name, nil) }
}

func (f flooded) ClusterTags(context.Context, ledger.Cluster) ([]ledger.Tag, error) { return nil, nil }

// story is what really happens, a block each: stolen and sanctioned money reaches
// bad and goes on to an exchange; clean is paid by an exchange and pays a shop.
func story() [][3]string {
	return [][3]string{
		{"", "victim", "5000"},
		{"", "sanctioned", "9000"},
		{"", "binance", "90000"},
		{"victim", "bad", "5000"},
		{"sanctioned", "bad", "4000"},
		{"binance", "clean", "7000"},
		{"bad", "mule", "6000"},
		{"clean", "shop", "2500"},
		{"mule", "binance", "4500"},
		{"mule", "mule2", "1500"},
		{"clean", "friend", "300"},
		{"bad", "mule2", "2000"},
		{"mule2", "mixer", "3100"},
		{"friend", "binance", "120"},
	}
}

// actors are those around whom it rains, most of all around the first.
func actors() []string { return []string{"bad", "clean", "mule", "mule2", "friend"} }

// flood is the story with n transfers of dust, of zero and of a token that calls
// itself USDT, in the blocks of the story, after what it tells.
func flood(n int) iter.Seq2[*ledger.Block, error] {
	random := rand.New(rand.NewPCG(7, 11))
	fake := ledger.TokenAsset(addr("tron", "a contract that calls itself USDT"))
	steps := story()
	return func(yield func(*ledger.Block, error) bool) {
		var parent ledger.Hash
		for i, step := range steps {
			b := &ledger.Block{Parent: parent, Grade: ledger.GradeAttested, Source: "told"}
			b.Ref = ledger.BlockRef{Chain: "tron", Height: uint64(i), Hash: sha256.Sum256(fmt.Append(nil, "block", i)), Time: 1_600_000_000_000 + int64(i)*60_000}
			parent = b.Ref.Hash
			add := func(t ledger.Transfer) {
				tx := ledger.Tx{Chain: "tron", Pos: ledger.At(uint64(i), uint32(len(b.Txs)+1)), Time: b.Ref.Time, Grade: b.Grade}
				binary.BigEndian.PutUint32(tx.ID[:], uint32(i))
				binary.BigEndian.PutUint32(tx.ID[4:], uint32(len(b.Txs)+1))
				t.Grade = b.Grade
				tx.Transfers = []ledger.Transfer{t}
				b.Txs = append(b.Txs, tx)
			}
			amount, err := ledger.ParseCoins(step[2], 6)
			if err != nil {
				yield(nil, err)
				return
			}
			var from ledger.Address
			if step[0] != "" {
				from = addr("tron", step[0])
			}
			add(ledger.Transfer{From: from, To: addr("tron", step[1]), Asset: usdt, Amount: amount})
			for range n / len(steps) {
				add(drop(random, fake))
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// mostDust is the most that a transfer of dust carries here, in millionths of a
// dollar: what senders of dust spend. More of it adds up to money, and counts as such.
const mostDust = 9

// drop is one transfer of the rain: dust comes from somebody labelled or from a
// stranger of its own; zero and fake tokens go either way.
func drop(random *rand.Rand, fake ledger.Asset) ledger.Transfer {
	from := addr("tron", []string{"sanctioned", "mixer", "thief", fmt.Sprint("stranger", random.IntN(50_000))}[random.IntN(4)])
	t := ledger.Transfer{From: from, To: addr("tron", actors()[max(0, random.IntN(2*len(actors()))-len(actors()))]), Asset: usdt}
	kind := random.IntN(3)
	if kind == 0 {
		t.Amount = ledger.NewAmount(1 + random.Uint64N(mostDust))
		return t
	}
	if kind == 1 {
		t.Asset, t.Amount = fake, ledger.NewAmount(1_000_000*random.Uint64N(1_000_000)+1)
	}
	if random.IntN(2) == 0 {
		t.From, t.To = t.To, t.From
	}
	return t
}

// rain builds the index of a story with n transfers around it.
func rain(t *testing.T, n int) flooded {
	t.Helper()
	s, err := store.Open(t.TempDir(), memkv.New(), store.Options{MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	network, err := s.Create(t.Context(), "tron")
	if err != nil {
		t.Fatal(err)
	}
	if err := network.Append(t.Context(), flood(n), store.AppendOptions{Target: 1 << 40}); err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, close := range []func() error{snap.Close, s.Close} {
			if err := close(); err != nil {
				t.Error(err)
			}
		}
	})
	tags := map[ledger.Address][]ledger.Tag{}
	for name, category := range map[string]string{"sanctioned": "sanctioned_entity", "binance": "exchange", "mixer": "mixing", "thief": "scam"} {
		a := addr("tron", name)
		tags[a] = []ledger.Tag{{Address: a, Chain: "tron", Label: name, Category: category, Confidence: 70, Source: "told"}}
	}
	return flooded{snap, tags}
}

// TestMillion: dust, zeros and fake tokens around a clean and a bad address change no
// score and no edge of a trace. 100,000 of them; a million with SPOOR_TRIALS.
func TestMillion(t *testing.T) {
	n := 100_000
	if os.Getenv("SPOOR_TRIALS") != "" {
		n = 1_000_000
	}
	dry, wet := rain(t, 0), rain(t, n)
	all := ledger.NewAmount(uint64(n) * mostDust)
	for _, name := range actors() {
		want, got := scored(t, dry, name), scored(t, wet, name)
		near := func(a, b ledger.Amount) bool { return !all.Less(a.SubFloor(b)) && !all.Less(b.SubFloor(a)) }
		if d := cmp.Diff(want, got, cmp.Comparer(near)); d != "" {
			t.Errorf("%s (-dry +wet)\n%s", name, d)
		}
	}
	for _, policy := range []string{"dirty-first", "fifo", "lifo", "haircut", "libr", "tiho", "poison"} {
		if d := cmp.Diff(edges(t, dry, policy, all), edges(t, wet, policy, all)); d != "" {
			t.Errorf("%s (-dry +wet)\n%s", policy, d)
		}
	}
}

// verdict is what an assessment says.
type verdict struct {
	State        State
	Level        Level
	Score        uint8
	Triggers     []string // rules
	NotEvaluated int
	Exposures    []exposed
	Limits       []string
}

type exposed struct {
	Direction         Direction
	Kind              Kind
	Category          string
	Amount, Low, High ledger.Amount
}

func scored(t *testing.T, idx flooded, name string) verdict {
	t.Helper()
	a, err := Address(t.Context(), idx, defaults(t), addr("tron", name), Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := verdict{State: a.State, Level: a.Level, Score: a.Score, NotEvaluated: len(a.NotEvaluated), Limits: a.Limits}
	for _, tr := range a.Triggers {
		v.Triggers = append(v.Triggers, tr.Rule.ID)
	}
	for _, e := range a.Exposures {
		v.Exposures = append(v.Exposures, exposed{e.Direction, e.Kind, e.Category, e.Amount, e.Low, e.High})
	}
	return v
}

// edges are the transfers along which a trace of the victim's payment goes, and where
// it ends; but for ends of no more than the dust, which may lie with whoever got it.
func edges(t *testing.T, idx flooded, policy string, dust ledger.Amount) []string {
	t.Helper()
	p, err := tracer.PolicyByName(policy)
	if err != nil {
		t.Fatal(err)
	}
	pos := ledger.At(3, 1)
	tx, err := idx.TxAt(t.Context(), "tron", pos)
	if err != nil {
		t.Fatal(err)
	}
	paid := tx.Transfers[0]
	req := tracer.Request{
		Policy: p, ServicePayees: tracer.DefaultServicePayees, AccountEvents: tracer.DefaultAccountEvents, Hops: tracer.DefaultHops, Events: tracer.DefaultEvents,
		Seeds: []tracer.Seed{{Chain: "tron", Tx: tx.ID, At: ledger.Point{Pos: pos}, From: paid.From, Address: paid.To, Asset: usdt, Amount: paid.Amount, Time: tx.Time}},
	}
	trace, err := tracer.Run(t.Context(), idx, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range trace.Hops {
		h := &trace.Hops[i]
		all = append(all, fmt.Sprintf("%s %s -> %s %s", h.At, h.From, h.To, h.Amount))
	}
	for i := range trace.Terminals {
		if !dust.Less(trace.Terminals[i].Dirty) {
			continue
		}
		all = append(all, fmt.Sprintf("%s at %s", trace.Terminals[i].Reason, trace.Terminals[i].Address))
	}
	return all
}
