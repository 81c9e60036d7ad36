package risk

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
)

// move is a transfer of USDT in base units; from "-" it is issued.
type move struct {
	from, to string
	x        uint64
}

const dollar = 1_000_000

// moved is the world of some moves, one a block.
func moved(t testing.TB, moves []move) world {
	t.Helper()
	blocks := []*ledger.Block{payment(0, ledger.Address{}, addr("tron", "nobody"), usdt, ledger.NewAmount(1))}
	for i, m := range moves {
		from := ledger.Address{}
		if m.from != "-" {
			from = addr("tron", m.from)
		}
		blocks = append(blocks, payment(i+1, from, addr("tron", m.to), usdt, ledger.NewAmount(m.x)))
	}
	return told(t, blocks, map[string]string{"thief": "scam", "binance": "exchange", "ofac": "sanctioned_entity"})
}

func scoreOf(t testing.TB, moves []move) *Assessment {
	t.Helper()
	a, err := Address(context.Background(), moved(t, moves), defaults(t), addr("tron", "a"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// drawn is a random ledger in which nobody pays what he has not.
func drawn(t *rapid.T) []move {
	names := strings.Fields("a b c d e thief binance")
	balance := map[string]uint64{}
	var moves []move
	for range rapid.IntRange(2, 40).Draw(t, "moves") {
		m := move{rapid.SampledFrom(names).Draw(t, "from"), rapid.SampledFrom(names).Draw(t, "to"), rapid.Uint64Range(dollar, 9*dollar).Draw(t, "amount")}
		if m.from == m.to {
			continue
		}
		if rapid.IntRange(0, 3).Draw(t, "issued") == 0 || balance[m.from] < dollar {
			m.from = "-"
		} else {
			m.x = min(m.x, balance[m.from])
			balance[m.from] -= m.x
		}
		balance[m.to] += m.x
		moves = append(moves, m)
	}
	return moves
}

// received replays what an address received and returns what each entity sent.
func received(t testing.TB, moves []move) (*flows, map[string]ledger.Amount) {
	t.Helper()
	b := newBook(moved(t, moves), defaults(t), Options{Hops: 1000})
	b.cluster = ledger.Cluster{Name: addr("tron", "a"), Size: 1}
	b.members[addr("tron", "a")] = true
	f := newFlows(context.Background(), b)
	if err := f.collect(context.Background(), b, ledger.Holder{Address: addr("tron", "a"), Asset: usdt}); err != nil {
		t.Fatal(err)
	}
	if err := f.run(); err != nil {
		t.Fatal(err)
	}
	from := map[string]ledger.Amount{}
	for k, s := range f.in.found {
		for _, name := range []string{"thief", "binance"} {
			if k.entity == addr("tron", name) {
				from[name] = from[name].Plus(s.amount)
			}
		}
	}
	return f, from
}

// shares mixes every account's money forwards from the beginning, in fractions: what
// of all that "a" was paid came from whom.
func shares(moves []move) map[string]*big.Rat {
	holds, got := map[string]map[string]*big.Rat{}, map[string]*big.Rat{}
	of := func(name string) map[string]*big.Rat {
		if holds[name] == nil {
			holds[name] = map[string]*big.Rat{}
		}
		return holds[name]
	}
	add := func(to map[string]*big.Rat, label string, x *big.Rat) {
		if to[label] == nil {
			to[label] = new(big.Rat)
		}
		to[label].Add(to[label], x)
	}
	for _, m := range moves {
		x, carried := new(big.Rat).SetUint64(m.x), map[string]*big.Rat{}
		switch m.from {
		case "-", "thief", "binance":
			carried[m.from] = x
		default:
			whole := new(big.Rat)
			for _, part := range of(m.from) {
				whole.Add(whole, part)
			}
			for label, part := range of(m.from) {
				carried[label] = new(big.Rat).Quo(new(big.Rat).Mul(part, x), whole)
				of(m.from)[label] = new(big.Rat).Sub(part, carried[label])
			}
		}
		for label, part := range carried {
			add(of(m.to), label, part)
			if m.to == "a" {
				add(got, label, part)
			}
		}
	}
	return got
}

// Backwards is forwards in a mirror: what the replay finds is what mixing from the
// beginning gives, but for the units that floors leave (two for each transfer).
func TestBackwardsIsForwards(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		moves := drawn(rt)
		_, have := received(t, moves)
		want := shares(moves)
		for _, name := range []string{"thief", "binance"} {
			got, _ := new(big.Rat).SetString(have[name].String())
			if want[name] == nil {
				want[name] = new(big.Rat)
			}
			far := new(big.Rat).Sub(got, want[name])
			if far.Abs(far).Cmp(big.NewRat(int64(2*len(moves)), 1)) > 0 {
				rt.Fatalf("%s: got %s, want %s of %v", name, got.FloatString(1), want[name].FloatString(1), moves)
			}
		}
	})
}

// points orders assessments: no score is below any.
func points(a *Assessment) int {
	if a.State != Scored {
		return -1
	}
	return int(a.Score)
}

// A deposit that came from a thief never gives a lower score than the same from an exchange.
func TestDirtierIsNotLower(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		moves := drawn(rt)
		var at []int
		for i, m := range moves {
			if m.to == "a" && (m.from == "-" || m.from == "binance") {
				at = append(at, i)
			}
		}
		if len(at) == 0 {
			return
		}
		i := rapid.SampledFrom(at).Draw(rt, "deposit")
		worlds := map[string][]move{}
		for _, from := range []string{"binance", "thief"} {
			worlds[from] = append([]move{{"-", from, moves[i].x}}, slices.Clone(moves)...)
			worlds[from][i+1].from = from
		}
		clean, dirty := scoreOf(t, worlds["binance"]), scoreOf(t, worlds["thief"])
		if points(dirty) < points(clean) {
			rt.Fatalf("clean %s\ndirty %s\n%v", said(clean), said(dirty), moves)
		}
	})
}

// What others do among themselves changes nothing, and the same question has the same answer.
func TestUnrelated(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		moves := drawn(rt)
		if len(moves) == 0 {
			return
		}
		at := rapid.IntRange(0, len(moves)).Draw(rt, "at")
		more := slices.Insert(slices.Clone(moves), at, move{"-", "thief", 5 * dollar}, move{"thief", "u", 5 * dollar}, move{"u", "v", 3 * dollar})
		if x, y, again := said(scoreOf(t, moves)), said(scoreOf(t, more)), said(scoreOf(t, moves)); x != y || x != again {
			rt.Fatalf("%s\n%s\n%s\n%v at %d", x, y, again, moves, at)
		}
	})
}

// Money that goes in a circle through the screened address is neither lost nor found twice.
func TestCircle(t *testing.T) {
	f, from := received(t, []move{
		{"-", "a", dollar}, {"-", "binance", dollar}, {"binance", "b", dollar}, {"b", "a", dollar}, {"-", "b", dollar}, {"a", "b", dollar}, {"b", "a", dollar},
	})
	sum := from["binance"].Plus(f.in.unlabelled[usdt]).Plus(f.in.open[usdt])
	if sum != f.totalIn[usdt] || from["binance"].String() != "1250000" {
		t.Errorf("%s from binance, %s in all, of %s", from["binance"], sum, f.totalIn[usdt])
	}
}

// Dust from thousands of senders at a middleman hides nothing of what he passes on.
func TestManyDusters(t *testing.T) {
	const senders = 8_000
	for n, want := range map[int]string{0: "HIGH", senders: "HIGH"} {
		moves := []move{{"-", "thief", 1e12}, {"-", "binance", 1e12}}
		for i := range n {
			moves = append(moves, move{"-", fmt.Sprint("dust", i), dollar})
		}
		moves = append(moves, move{"thief", "m", 5_000 * dollar}, move{"binance", "a", 5_000 * dollar})
		for i := range n {
			moves = append(moves, move{fmt.Sprint("dust", i), "m", 1})
		}
		if a := scoreOf(t, append(moves, move{"m", "a", 5_000*dollar + uint64(n)})); a.Level.String() != want {
			t.Errorf("%d senders: %s, limits %q", n, said(a), a.Limits)
		}
	}
}

// BenchmarkAddress scores addresses with some hundred transfers, through 20 middlemen.
func BenchmarkAddress(b *testing.B) {
	for _, n := range []int{100, 300, 1_000} {
		moves := []move{{"-", "thief", 1e12}, {"-", "binance", 1e12}}
		for i := range n {
			middle := fmt.Sprint("m", i%20)
			switch i % 3 {
			case 0:
				moves = append(moves, move{"binance", middle, 10 * dollar}, move{middle, "a", 9 * dollar})
			case 1:
				moves = append(moves, move{"thief", "a", 2 * dollar})
			default:
				moves = append(moves, move{"a", "binance", dollar})
			}
		}
		w, rules := moved(b, moves), defaults(b)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Address(context.Background(), w, rules, addr("tron", "a"), Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
