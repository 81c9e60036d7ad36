package replay

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// worked is testdata/vectors.json: examples of every rule, worked by hand.
type worked struct {
	UTXO []struct {
		ID     string
		Ins    [][][2]int64
		Outs   []int64
		Expect map[string]struct {
			Outs     []int64
			Fee      int64
			Segments [][][2]int64
		}
	}
	Account []struct {
		ID     string
		Events [][]any
		Expect map[string]struct {
			Out       map[string]int64
			LeftDirty int64 `json:"left_dirty"`
			Balance   int64
		}
	}
}

func readWorked(t *testing.T) (w worked) {
	t.Helper()
	if err := json.Unmarshal(file(t, "testdata/vectors.json"), &w); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWorkedOutputs(t *testing.T) {
	checked := 0
	for _, v := range readWorked(t).UTXO {
		var line lots
		for _, in := range v.Ins {
			for _, s := range in {
				line = line.with(int(s[0]), big.NewInt(s[1]))
			}
		}
		fee := line.sum()
		var slots []*big.Int
		for _, n := range v.Outs {
			slots, fee = append(slots, big.NewInt(n)), minus(fee, big.NewInt(n))
		}
		for _, rule := range ruleNames() {
			want, filled := v.Expect[rule], policy{rule, rule}.spread(line, append(slots, fee))
			for i, n := range append(slices.Clone(want.Outs), want.Fee) {
				if got := filled[i].labelled(); got.Cmp(big.NewInt(n)) != 0 {
					t.Errorf("%s, %s, slot %d: got %s, want %d", v.ID, rule, i, got, n)
				}
				checked++
			}
			for i, segments := range want.Segments {
				var list lots
				for _, s := range segments {
					list = list.with(int(s[0]), big.NewInt(s[1]))
				}
				if !equalLots(list, filled[i]) {
					t.Errorf("%s, %s, slot %d: got %v, want %v", v.ID, rule, i, filled[i], list)
				}
			}
		}
	}
	if checked < 60 {
		t.Errorf("%d slots", checked)
	}
}

func TestWorkedAccounts(t *testing.T) {
	checked := 0
	for _, v := range readWorked(t).Account {
		for _, rule := range ruleNames() {
			want, ok := v.Expect[rule]
			if !ok {
				continue
			}
			a, p := newPurse(new(big.Int)), policy{rule, rule}
			for _, e := range v.Events {
				n, ok := e[1].(float64)
				if !ok {
					t.Fatalf("%s: %v", v.ID, e)
				}
				units := big.NewInt(int64(n))
				if e[0] == "in" {
					label, _ := e[2].(float64)
					a.take(p, lots{{int(label), units}})
					continue
				}
				name, _ := e[2].(string)
				if got := a.pay(p, units).labelled(); got.Cmp(big.NewInt(want.Out[name])) != 0 {
					t.Errorf("%s, %s, out %s: got %s, want %d", v.ID, rule, name, got, want.Out[name])
				}
				checked++
			}
			if a.traced.Int64() != want.LeftDirty || a.sum.Int64() != want.Balance {
				t.Errorf("%s, %s: left %s of %s, want %d of %d", v.ID, rule, a.traced, a.sum, want.LeftDirty, want.Balance)
			}
		}
	}
	if checked < 30 {
		t.Errorf("%d outflows", checked)
	}
}

func equalLots(a, b lots) bool {
	return slices.EqualFunc(a, b, func(x, y lot) bool { return x.label == y.label && x.units.Cmp(y.units) == 0 })
}

// Whatever a rule does, each slot is full, and no label has more or fewer units than before.
func TestSpreadConserves(t *testing.T) {
	const seed = 21
	r := rand.New(rand.NewPCG(seed, 1))
	for trial := range 5000 {
		var line lots
		for range 1 + r.IntN(6) {
			line = line.with(r.IntN(4), hugeOrSmall(r))
		}
		left := line.sum()
		var slots []*big.Int
		for range r.IntN(5) {
			n := new(big.Int).Rsh(new(big.Int).Mul(left, big.NewInt(r.Int64N(1<<20))), 20)
			slots, left = append(slots, n), minus(left, n)
		}
		slots = append(slots, left)
		for _, rule := range ruleNames() {
			filled := policy{rule, rule}.spread(line, slots)
			var all lots
			for i, part := range filled {
				if part.sum().Cmp(slots[i]) != 0 {
					t.Fatalf("seed %d, trial %d, %s: slot %d has %s of %s", seed, trial, rule, i, part.sum(), slots[i])
				}
				all = append(all, part...)
			}
			if !equalLots(all.perLabel(), line.perLabel()) {
				t.Fatalf("seed %d, trial %d, %s: %v became %v", seed, trial, rule, line, filled)
			}
		}
	}
}

// An account's units stay in it or leave; what its rule keeps beside them is their sums.
func TestPurseConserves(t *testing.T) {
	const seed = 22
	r := rand.New(rand.NewPCG(seed, 1))
	for _, rule := range ruleNames() {
		for trial := range 300 {
			a, p := newPurse(new(big.Int)), policy{rule, rule}
			var in, out lots
			for range 30 {
				if r.IntN(2) == 0 {
					credit := lots{}.with(r.IntN(4), hugeOrSmall(r)).with(r.IntN(4), hugeOrSmall(r))
					in = append(in, credit...)
					a.take(p, credit)
					continue
				}
				x := new(big.Int).Rsh(new(big.Int).Mul(a.sum, big.NewInt(r.Int64N(1<<20))), 20)
				paid := a.pay(p, x)
				if paid.sum().Cmp(x) != 0 {
					t.Fatalf("seed %d, %s, trial %d: paid %s of %s", seed, rule, trial, paid.sum(), x)
				}
				out = append(out, paid...)
			}
			if a.lots.sum().Cmp(a.sum) != 0 || a.lots.labelled().Cmp(a.traced) != 0 {
				t.Fatalf("seed %d, %s, trial %d: %v is not %s, %s labelled", seed, rule, trial, a.lots, a.sum, a.traced)
			}
			if !equalLots(append(out, a.lots...).perLabel(), in.perLabel()) {
				t.Fatalf("seed %d, %s, trial %d: %v came, %v left, %v is there", seed, rule, trial, in, out, a.lots)
			}
		}
	}
}

// hugeOrSmall is a number of 1 to 200 bits.
func hugeOrSmall(r *rand.Rand) *big.Int {
	n := new(big.Int).SetUint64(1 + r.Uint64N(20))
	if r.IntN(4) == 0 {
		n.Lsh(n, uint(r.IntN(196)))
	}
	return n
}

// Parts sum to the whole, and none is more than a unit from its share.
func TestApportion(t *testing.T) {
	const seed = 23
	r := rand.New(rand.NewPCG(seed, 1))
	for trial := range 5000 {
		var weights []*big.Int
		for range 1 + r.IntN(8) {
			weights = append(weights, new(big.Int).SetUint64(r.Uint64N(1000)))
		}
		whole := sumOf(weights)
		if whole.Sign() == 0 {
			continue
		}
		q := new(big.Int).SetUint64(r.Uint64N(whole.Uint64() + 1))
		parts := apportion(q, weights)
		if sumOf(parts).Cmp(q) != 0 {
			t.Fatalf("seed %d, trial %d: %v of %s", seed, trial, parts, q)
		}
		for i, part := range parts {
			off := minus(new(big.Int).Mul(part, whole), new(big.Int).Mul(q, weights[i]))
			if off.CmpAbs(whole) >= 0 || part.Cmp(weights[i]) > 0 {
				t.Fatalf("seed %d, trial %d: part %d of %v is %s", seed, trial, i, weights, part)
			}
		}
	}
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
