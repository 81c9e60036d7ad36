package behavior

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// people of random stories: a to f are nobody's, s is an exchange, t and u are scams'.
const people = "abcdefstu"

// invent writes a story of people, in which a transaction has at least one of who.
func invent(t *rapid.T, who string) string {
	one := func(of string) string { return string(of[rapid.IntRange(0, len(of)-1).Draw(t, "who")]) }
	lines := []string{"label s exchange", "label t scam.romance", "label u scam"}
	height, minute := 1, 0
	for range rapid.IntRange(1, 40).Draw(t, "lines") {
		height += rapid.IntRange(0, 1).Draw(t, "height")
		minute += rapid.SampledFrom([]int{0, 10, 700}).Draw(t, "minutes")
		x, y := one(people), one(who)
		if rapid.Bool().Draw(t, "turned") {
			x, y = y, x
		}
		coins := rapid.SampledFrom([]int{1, 5, 50}).Draw(t, "coins")
		acts := []string{fmt.Sprintf("pay %s %s %d %s", x, y, coins, rapid.SampledFrom([]string{"TRX", "USDT"}).Draw(t, "asset"))}
		switch rapid.IntRange(0, 12).Draw(t, "act") {
		case 0:
			acts = []string{fmt.Sprintf("keys %s owner 1: %s 1; active 2: %s 1, %s 1", x, y, one(who), one(who))}
		case 1:
			acts = []string{fmt.Sprintf("lend %s %s", x, y)}
		case 2:
			acts = slices.Repeat([]string{fmt.Sprintf("lend %s %s", x, y)}, 3)
		case 3:
			acts = []string{fmt.Sprintf("make %s %s", x, y)}
		case 4:
			acts = []string{fmt.Sprintf("activate %s %s", x, y)}
		case 5, 6, 7: // a deposit, or money that passes through
			acts = append(acts, fmt.Sprintf("pay %s %s %d USDT", x, y, coins), fmt.Sprintf("pay %s %s %d USDT", y, one(who), coins))
		}
		switch rapid.IntRange(0, 4).Draw(t, "motif") {
		case 0: // a deposit of an exchange
			acts = []string{fmt.Sprintf("pay %s %s %d USDT", x, y, coins), fmt.Sprintf("pay %s s %d USDT", y, coins)}
		case 1: // an account is funded, and swept
			acts = []string{fmt.Sprintf("pay %s %s 5 TRX", x, y), fmt.Sprintf("pay %s %s 5 TRX", y, one(who))}
		}
		for _, act := range acts {
			lines = append(lines, fmt.Sprintf("%d %d %s", height, minute, act))
		}
	}
	return strings.Join(lines, "\n")
}

func clusters(t *rapid.T, idx Index, tier ledger.Tier) map[string]*Cluster {
	all := map[string]*Cluster{}
	for _, name := range strings.Split(people, "") {
		c, err := ClusterOf(context.Background(), idx, Question{Of: tron(name), Tier: tier})
		if err != nil {
			t.Fatal(err)
		}
		all[name] = c
	}
	return all
}

func build(t *rapid.T, s story, o memindex.Options) *memindex.Index {
	o.Tags = s.tags
	idx, err := memindex.New(s.blocks, o)
	if err != nil {
		t.Fatal(err)
	}
	return idx
}

func TestClusterLaws(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := read(t, invent(rt, people))
		exact, all := clusters(rt, build(rt, s, memindex.Options{}), ledger.TierExact), clusters(rt, build(rt, s, memindex.Options{}), ledger.TierBehavior)
		for name, c := range all {
			// Whoever is in one's cluster has the same cluster.
			for _, other := range strings.Split(people, "") {
				in := slices.Contains(c.Members, tron(other))
				if same := slices.Equal(c.Members, all[other].Members); in != same {
					rt.Fatalf("%s is in the cluster of %s: %t; the same cluster: %t\n%+v\n%+v", other, name, in, same, c, all[other])
				}
				path := c.Why(tron(other))
				if in && other != name && (len(path) == 0 || path[0].A != tron(name) || path[len(path)-1].B != tron(other)) || (!in || other == name) && len(path) != 0 {
					rt.Fatalf("why %s is with %s (%t): %+v", other, name, in, path)
				}
			}
			if name != "s" && slices.Contains(c.Members, tron("s")) {
				rt.Fatalf("the exchange is in the cluster of %s", name)
			}
			// Tiers are apart: T0 has joins of its own alone, and T2 has all of them.
			for _, m := range exact[name].Members {
				if !slices.Contains(c.Members, m) {
					rt.Fatalf("T2 of %s lacks a member of T0", name)
				}
			}
			if slices.ContainsFunc(exact[name].Joins, func(j ledger.Join) bool { return j.Tier != ledger.TierExact }) {
				rt.Fatalf("T0 of %s: %+v", name, exact[name].Joins)
			}
		}
	})
}

// An exchange in the middle joins none of those who deal with it alone.
func TestServiceJoinsNobody(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := read(t, invent(rt, "s"))
		for name, c := range clusters(rt, build(rt, s, memindex.Options{}), ledger.TierBehavior) {
			if len(c.Members) != 1 {
				rt.Fatalf("%s: %d members, %+v", name, len(c.Members), c.Joins)
			}
		}
	})
}

// What strangers do among themselves changes nothing.
func TestStrangersChangeNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := read(t, invent(rt, people))
		want := clusters(rt, build(rt, s, memindex.Options{}), ledger.TierBehavior)
		tip := uint64(len(s.blocks))
		for i, line := range []string{"pay y z 5 USDT", "keys y owner 1: z 1", "lend z y", "make z y", "activate z y"} {
			words := strings.Fields(line)
			tx := ledger.Tx{ID: ledger.TxID{31: byte(i + 1)}, Chain: "tron", Time: s.blocks[tip-1].Ref.Time}
			act(t, &tx, words[0], words[1:])
			s.add(uint64(rapid.IntRange(1, int(tip)).Draw(rt, "height")), tx)
		}
		if diff := cmp.Diff(want, clusters(rt, build(rt, s, memindex.Options{}), ledger.TierBehavior)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// The order in which blocks and their transactions arrive changes nothing: their
// positions count.
func TestArrivalChangesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := read(t, invent(rt, people))
		want := clusters(rt, build(rt, s, memindex.Options{}), ledger.TierBehavior)
		r := rand.New(rand.NewSource(rapid.Int64().Draw(rt, "seed")))
		for _, b := range s.blocks {
			r.Shuffle(len(b.Txs), func(i, j int) { b.Txs[i], b.Txs[j] = b.Txs[j], b.Txs[i] })
		}
		r.Shuffle(len(s.blocks), func(i, j int) { s.blocks[i], s.blocks[j] = s.blocks[j], s.blocks[i] })
		r.Shuffle(len(s.tags), func(i, j int) { s.tags[i], s.tags[j] = s.tags[j], s.tags[i] })
		if diff := cmp.Diff(want, clusters(rt, build(rt, s, memindex.Options{}), ledger.TierBehavior)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// tagged is a snapshot of the durable index with the labels of a story.
type tagged struct {
	*store.Snapshot
	tags []ledger.Tag
}

func (l tagged) Tags(_ context.Context, a ledger.Address) ([]ledger.Tag, error) {
	var of []ledger.Tag
	for _, t := range l.tags {
		if t.Address == a {
			of = append(of, t)
		}
	}
	return of, nil
}

// The durable index, asked as of a height, answers like one that was cut there.
func TestClusterAsOf(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s := read(t, invent(rt, people))
		st, err := store.Open(fmt.Sprintf("%s/%d", dir, n), memkv.New(), store.Options{MinFree: 1})
		if err != nil {
			rt.Fatal(err)
		}
		defer st.Close()
		network, err := st.Create(context.Background(), "tron")
		if err != nil {
			rt.Fatal(err)
		}
		bound := uint64(rapid.IntRange(0, 9).Draw(rt, "bound"))
		err = network.Append(context.Background(), func(yield func(*ledger.Block, error) bool) {
			for _, b := range s.blocks {
				if !yield(b, nil) {
					return
				}
			}
		}, store.AppendOptions{ReorgBound: &bound})
		if err != nil {
			rt.Fatal(err)
		}
		cut := uint64(rapid.IntRange(0, len(s.blocks)-1).Draw(rt, "as of"))
		snap, err := st.Snapshot(context.Background(), map[ledger.Chain]uint64{"tron": cut})
		if err != nil {
			rt.Fatal(err)
		}
		defer snap.Close()
		want := clusters(rt, build(rt, s, memindex.Options{AsOf: map[ledger.Chain]uint64{"tron": cut}}), ledger.TierBehavior)
		if diff := cmp.Diff(want, clusters(rt, tagged{snap, s.tags}, ledger.TierBehavior)); diff != "" {
			rt.Fatalf("as of %d (-cut +as of)\n%s", cut, diff)
		}
	})
}

// A bound ends a cluster with a word, and what is found before it is right.
func TestClusterBounds(t *testing.T) {
	text := "1 0 keys a owner 1: b 1\n1 0 keys b owner 1: c 1; active 1: b 1\n1 0 keys c owner 1: d 1; active 1: c 1\n1 0 keys d owner 1: e 1; active 1: d 1"
	idx := read(t, text).index(t, memindex.Options{})
	for _, test := range []struct {
		q       Question
		members string
		limited bool
	}{
		{Question{}, "abcde", false},
		{Question{MaxMembers: 5}, "abcde", false},
		{Question{MaxMembers: 3}, "abc", true},
		{Question{MaxReads: 1}, "a", true},
		{Question{MaxReads: 1000}, "abcde", false},
	} {
		test.q.Of = tron("a")
		got, c := owner(t, idx, test.q, text)
		if strings.Join(got, "") != test.members || (len(c.Limits) > 0) != test.limited || c.First != tron("a") && c.First != tron("b") {
			t.Errorf("%+v: got %v, limits %v, first %s", test.q, got, c.Limits, c.First)
		}
	}
}

// Where reads end at T2, whoever T0 joins is there.
func TestBoundSparesExact(t *testing.T) {
	text := "1 0 keys a owner 1: b 1\n1 0 keys b owner 1: c 1; active 1: b 1" + crowdOf(200, "2 0 pay a p%n 5 USDT")
	idx := read(t, text).index(t, memindex.Options{})
	got, c := owner(t, idx, Question{Of: tron("a"), Tier: ledger.TierBehavior, MaxReads: 100}, text)
	if strings.Join(got, "") != "abc" || len(c.Limits) == 0 {
		t.Errorf("got %v, limits %v", got, c.Limits)
	}
}

// A caller's own collectors are followed like labelled ones.
func TestNamedCollectors(t *testing.T) {
	text := "1 0 pay u a 5 USDT\n2 0 pay u b 5 USDT\n3 0 pay v b 5 USDT\n4 0 pay v a 5 USDT"
	idx := read(t, text).index(t, memindex.Options{})
	got, c := owner(t, idx, Question{Of: tron("a"), Tier: ledger.TierBehavior, Collectors: []ledger.Address{tron("a"), tron("b")}}, text)
	if strings.Join(got, "") != "ab" || len(c.Joins) != 1 || c.Joins[0].Pos.Height() != 3 || !strings.Contains(c.Joins[0].Detail, tron("v").String()) {
		t.Errorf("got %v, %+v", got, c.Joins)
	}
}

// Where the first blocks are not held, nobody knows who funded an account first; who
// paid for its making is noted.
func TestFunderOfPartialIndex(t *testing.T) {
	sweeps := "2 0 pay %s a 5 TRX\n3 0 pay %s b 5 TRX\n4 0 pay a w 5 TRX\n5 0 pay b w 5 TRX"
	for text, want := range map[string]string{
		strings.ReplaceAll(sweeps, "%s", "f"):                                          "a",
		"2 0 activate f a\n2 0 activate f b\n" + strings.ReplaceAll(sweeps, "%s", "f"): "ab",
	} {
		s := read(t, text)
		s.blocks = s.blocks[1:]
		got, c := owner(t, s.index(t, memindex.Options{}), Question{Of: tron("a"), Tier: ledger.TierBehavior}, text)
		if strings.Join(got, "") != want || (len(c.Limits) == 0) != (want == "ab") {
			t.Errorf("%s: got %v, limits %v", text, got, c.Limits)
		}
	}
}
