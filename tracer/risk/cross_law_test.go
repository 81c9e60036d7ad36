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

// deal is a payment, or where bought is set an exchange with a pool: from gives the pool
// x of one asset, and the pool gives to what it bought. Amounts are millions of units.
type deal struct {
	from, to      string
	asset, bought string
	x, y          uint64
	pool          string
}

func (d deal) line() string {
	if d.bought == "" {
		return fmt.Sprintf("%s %s %s %d", d.from, d.to, d.asset, d.x)
	}
	return fmt.Sprintf("%s %s %s %d, %s %s %s %d, %s - X 1 fee", d.from, d.pool, d.asset, d.x, d.pool, d.to, d.bought, d.y, d.from)
}

// market draws deals in which nobody gives what he has not; the pools have plenty.
func market(t *rapid.T) []deal {
	names := strings.Fields("a b c d thief binance")
	holds := map[string]uint64{"thief USDT": 900_000, "binance COIN": 900_000}
	deals := []deal{{from: "-", to: "thief", asset: "USDT", x: 900_000, pool: "pool"}, {from: "-", to: "binance", asset: "COIN", x: 900_000, pool: "pool"}}
	for range rapid.IntRange(2, 30).Draw(t, "deals") {
		var rich []string
		for key, x := range holds {
			if x >= 4 {
				rich = append(rich, key)
			}
		}
		slices.Sort(rich)
		d := deal{to: rapid.SampledFrom(names).Draw(t, "to"), pool: "pool"}
		key := rapid.SampledFrom(rich).Draw(t, "from")
		d.from, d.asset, _ = strings.Cut(key, " ")
		other := map[string]string{"USDT": "COIN", "COIN": "USDT"}[d.asset]
		switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
		case kind == 0:
			d.from, d.x = "-", rapid.Uint64Range(4, 900_000).Draw(t, "issued")
		case kind < 3 && d.from != "a" && d.from != "thief" && d.from != "binance":
			d.bought, d.x = other, rapid.Uint64Range(4, holds[key]).Draw(t, "sold")
			d.y = rapid.Uint64Range(d.x/2, 2*d.x).Draw(t, "bought")
		default:
			d.x = rapid.Uint64Range(1, holds[key]).Draw(t, "paid")
		}
		if d.from == d.to && d.bought == "" {
			continue
		}
		deals = append(deals, d)
		if d.from != "-" {
			holds[key] -= d.x
		}
		if d.bought == "" {
			holds[d.to+" "+d.asset] += d.x
		} else {
			holds[d.to+" "+d.bought] += d.y
		}
	}
	return deals
}

func traded(t testing.TB, deals []deal) world {
	t.Helper()
	s := tale{chain: "tron", lines: []string{"- pool USDT 1000000000000, - pool2 COIN 1000000000000, - x X 1000000"}}
	for _, d := range deals {
		s.lines = append(s.lines, d.line())
	}
	return tell(t, labels(), s)
}

// mixed follows every account's money forwards from the beginning, in fractions: what
// of each asset that "a" was paid by others came from whom. An exchange carries over
// the mix of what was given.
func mixed(deals []deal) map[string]map[string]*big.Rat {
	holds, got := map[string]map[string]*big.Rat{}, map[string]map[string]*big.Rat{}
	add := func(to map[string]map[string]*big.Rat, key, label string, x *big.Rat) {
		if to[key] == nil {
			to[key] = map[string]*big.Rat{}
		}
		if to[key][label] == nil {
			to[key][label] = new(big.Rat)
		}
		to[key][label].Add(to[key][label], x)
	}
	for _, d := range deals {
		key, x := d.from+d.asset, new(big.Rat).SetUint64(d.x*dollar)
		carried := map[string]*big.Rat{}
		if d.from == "-" || d.from == "thief" || d.from == "binance" {
			carried[d.from] = x
		} else {
			whole := new(big.Rat)
			for _, part := range holds[key] {
				whole.Add(whole, part)
			}
			for label, part := range holds[key] {
				carried[label] = new(big.Rat).Quo(new(big.Rat).Mul(part, x), whole)
				holds[key][label] = new(big.Rat).Sub(part, carried[label])
			}
		}
		asset, rate := d.asset, big.NewRat(1, 1)
		if d.bought != "" {
			asset, rate = d.bought, new(big.Rat).SetFrac(new(big.Int).SetUint64(d.y), new(big.Int).SetUint64(d.x))
		}
		for label, part := range carried {
			part = new(big.Rat).Mul(part, rate)
			add(holds, d.to+asset, label, part)
			if d.to == "a" {
				add(got, asset, label, part)
			}
		}
	}
	return got
}

// put puts all that "a" was paid, and paid, into the replays and runs them.
func put(t testing.TB, w world, hops int) *flows {
	t.Helper()
	b := newBook(w, defaults(t), Options{Hops: hops})
	b.cluster = ledger.Cluster{Name: addr("tron", "a"), Size: 1}
	b.members[addr("tron", "a")] = true
	f := newFlows(context.Background(), b)
	for _, asset := range assetsOf("tron") {
		if err := f.collect(context.Background(), b, ledger.Holder{Address: addr("tron", "a"), Asset: asset}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.run(); err != nil {
		t.Fatal(err)
	}
	return f
}

// Backwards through exchanges is forwards in a mirror: what is found is what mixing from
// the beginning gives, but for what floors leave (a dollar of thousands: a unit for each
// step, doubled by each exchange behind it). No pool lends one the money of another.
func TestBackwardsIsForwardsAcross(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		deals := market(rt)
		f, want := put(t, traded(t, deals), 1000), mixed(deals)
		for _, name := range []string{"USDT", "COIN"} {
			for _, label := range []string{"thief", "binance"} {
				got, sum := new(big.Rat), ledger.Amount{}
				for k, s := range f.in.found {
					if f.in.origins[k.origin] == (tale{chain: "tron"}).asset(name) && k.entity == addr("tron", label) {
						sum = sum.Plus(s.amount)
					}
				}
				got.SetString(sum.String())
				is := want[name][label]
				if is == nil {
					is = new(big.Rat)
				}
				if far := new(big.Rat).Sub(got, is); far.Abs(far).Cmp(big.NewRat(dollar, 1)) > 0 {
					rt.Fatalf("%s of %s: got %s, want %s of %v", name, label, got.FloatString(1), is.FloatString(1), deals)
				}
			}
		}
	})
}

// What is put in is absorbed, unlabelled, open or set aside, to the unit, however it
// crosses; and so are the units of every asset on the way.
func TestConservationAcross(t *testing.T) {
	crossed := 0
	rapid.Check(t, func(rt *rapid.T) {
		s := tale{chain: "tron", lines: []string{"- pool USDT 90000, - pool2 COIN 90000, - a USDT 50, - b COIN 50, - c USDT 50"}}
		far := tale{chain: "ethereum", lines: []string{"- pool USDT 90000, - vault USDT 90000"}}
		for range rapid.IntRange(1, 25).Draw(rt, "lines") {
			s.lines = append(s.lines, anything(rt))
			far.lines = append(far.lines, anything(rt))
		}
		f := put(t, tell(t, labels(), s, far), rapid.IntRange(1, 12).Draw(rt, "hops"))
		for _, part := range []struct {
			r     *replay
			total map[ledger.Asset]ledger.Amount
		}{{f.in, f.totalIn}, {f.out, f.totalOut}} {
			for asset, total := range part.total {
				sum := part.r.unlabelled[asset].Plus(part.r.open[asset]).Plus(part.r.aside[asset])
				for k, s := range part.r.found {
					if part.r.origins[k.origin] == asset {
						sum = sum.Plus(s.amount)
					}
				}
				if sum != total {
					rt.Fatalf("backwards %v: %s of %s came out of %s", part.r.back, sum, asset, total)
				}
			}
			for _, s := range part.r.sheets {
				if s.put.Plus(s.in) != s.absorbed.Plus(s.ended).Plus(s.out) {
					rt.Fatalf("backwards %v: sheet %+v", part.r.back, *s)
				}
				if !s.in.IsZero() {
					crossed++
				}
			}
		}
	})
	if crossed == 0 {
		t.Error("nothing crossed")
	}
}

// anything is a transaction of any shape: what the net table decides and what not,
// legs of bridges, more paid than there is.
func anything(t *rapid.T) string {
	who := func() string { return rapid.SampledFrom(strings.Fields("a b c thief binance")).Draw(t, "who") }
	asset := func() string { return rapid.SampledFrom(strings.Fields("USDT COIN X")).Draw(t, "asset") }
	a, b, x, y, p, q := who(), who(), asset(), asset(), rapid.IntRange(1, 40).Draw(t, "p"), rapid.IntRange(1, 40).Draw(t, "q")
	ref := fmt.Sprint("poly:", rapid.IntRange(1, 8).Draw(t, "ref"))
	switch rapid.IntRange(0, 11).Draw(t, "kind") {
	case 0:
		return fmt.Sprintf("%s pool %s %d, pool %s %s %d", a, x, p, a, y, q)
	case 1:
		return fmt.Sprintf("pool %s %s %d, %s pool %s %d", a, y, q, a, x, p)
	case 2:
		return fmt.Sprintf("%s router %s %d, router b %s 1, router pool %s %d, pool pool2 Y 5, pool2 %s %s %d", a, x, p+1, x, x, p, a, y, q)
	case 3:
		return fmt.Sprintf("%s pool %s %d, %s pool %s %d, pool %s %s %d, %s - X 1 fee", a, x, p, a, x, q, b, y, q, a)
	case 4:
		return fmt.Sprintf("%s WRAPPED COIN %d, - %s WRAPPED %d, wrap %s WRAPPED %d", a, p, a, p, a, p)
	case 5:
		return fmt.Sprintf("%s pool %s %d, pool %s %s %d, pool %s %s %d", a, x, p, a, y, q, b, y, p)
	case 6:
		return fmt.Sprintf("%s vault USDT %d, out %s USDT %d %s", a, p, a, p, ref)
	case 7:
		return fmt.Sprintf("vault %s USDT %d, in %s USDT %d %s", b, q, b, q, ref)
	}
	return fmt.Sprintf("%s %s %s %d", a, b, x, p)
}

func scoreAcross(t testing.TB, deals []deal) *Assessment {
	t.Helper()
	a, err := Address(context.Background(), traded(t, deals), defaults(t), addr("tron", "a"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Others who sell what they stole to the same pool change nothing for anybody.
func TestUnrelatedAcross(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		deals := market(rt)
		at := rapid.IntRange(0, len(deals)).Draw(rt, "at")
		more := slices.Insert(
			slices.Clone(deals), at, deal{from: "-", to: "thief", asset: "USDT", x: 70}, deal{from: "thief", to: "u", asset: "USDT", x: 70},
			deal{from: "u", to: "v", asset: "USDT", x: 70, bought: "COIN", y: 50, pool: "pool"}, deal{from: "v", to: "thief", asset: "COIN", x: 9},
		)
		if x, y, again := said(scoreAcross(t, deals)), said(scoreAcross(t, more)), said(scoreAcross(t, deals)); x != y || x != again {
			rt.Fatalf("%s\n%s\n%s\n%v at %d", x, y, again, deals, at)
		}
	})
}

// Money of a thief never gives a lower score than the same money of an exchange,
// whatever it went through.
func TestDirtierIsNotLowerAcross(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		deals := market(rt)
		var at []int
		for i, d := range deals {
			if d.bought == "" && d.from == "-" && d.to != "thief" && d.to != "binance" {
				at = append(at, i)
			}
		}
		if len(at) == 0 {
			return
		}
		i := rapid.SampledFrom(at).Draw(rt, "payment")
		worlds := map[string]*Assessment{}
		for _, from := range []string{"binance", "thief"} {
			other := append([]deal{{from: "-", to: from, asset: deals[i].asset, x: deals[i].x}}, slices.Clone(deals)...)
			other[i+1].from = from
			worlds[from] = scoreAcross(t, other)
		}
		if points(worlds["thief"]) < points(worlds["binance"]) {
			rt.Fatalf("clean %s\ndirty %s\n%v", said(worlds["binance"]), said(worlds["thief"]), deals)
		}
	})
}

// Whichever address of a cluster is paid, by way of a pool or not, and whatever its
// addresses move among themselves: it says the same.
func TestSplitAcross(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var whole, split []deal
		for _, d := range market(rt) {
			if d.from == "a" {
				continue
			}
			whole, split = append(whole, d), append(split, d)
			if d.to == "a" && rapid.Bool().Draw(rt, "split") {
				split[len(split)-1].to = "a2"
				if asset := d.asset; d.bought == "" && rapid.Bool().Draw(rt, "moved") {
					split = append(split, deal{from: "a2", to: "a", asset: asset, x: d.x})
				}
			}
		}
		one, two := traded(t, whole), traded(t, split)
		two.clusters = [][]ledger.Address{{addr("tron", "a"), addr("tron", "a2")}}
		var got []string
		for _, w := range []world{one, two} {
			a, err := Address(context.Background(), w, defaults(t), addr("tron", "a"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, said(a))
		}
		if got[0] != got[1] {
			rt.Fatalf("whole %s\nsplit %s\n%v", got[0], got[1], split)
		}
	})
}
