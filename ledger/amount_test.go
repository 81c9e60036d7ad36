package ledger_test

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
)

// drawAmount draws an amount of any size, with its twin of math/big.
func drawAmount(t *rapid.T, name string) (ledger.Amount, *big.Int) {
	raw := rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, name)
	if rapid.IntRange(0, 5).Draw(t, name+" full") == 0 {
		raw = []byte(strings.Repeat("\xff", 32))
	}
	a, err := ledger.AmountFromBytes(raw)
	if err != nil {
		t.Fatalf("%x: %v", raw, err)
	}
	return a, new(big.Int).SetBytes(raw)
}

func sameAmount(t *rapid.T, what string, got ledger.Amount, want *big.Int) {
	t.Helper()
	if got.String() != want.String() || new(big.Int).SetBytes(got.Bytes()).Cmp(want) != 0 {
		t.Fatalf("%s = %s, math/big says %s", what, got, want)
	}
}

// arithmetic compares every operation with math/big.
func arithmetic(t *rapid.T) {
	a, x := drawAmount(t, "a")
	b, y := drawAmount(t, "b")
	limit := new(big.Int).Lsh(big.NewInt(1), 256)
	sameAmount(t, "a", a, x)
	if len(a.Bytes()) > 0 && a.Bytes()[0] == 0 {
		t.Fatalf("bytes of %s are not minimal: %x", a, a.Bytes())
	}
	if a.Cmp(b) != x.Cmp(y) || a.Less(b) != (x.Cmp(y) < 0) || a.IsZero() != (x.Sign() == 0) || (a == b) != (x.Cmp(y) == 0) {
		t.Fatalf("%s and %s compare %d, want %d", a, b, a.Cmp(b), x.Cmp(y))
	}
	if n, ok := a.Uint64(); ok != x.IsUint64() || (ok && n != x.Uint64()) {
		t.Fatalf("%s as uint64: %d, %v", a, n, ok)
	}
	total := new(big.Int).Add(x, y)
	got, err := a.Add(b)
	if over := total.Cmp(limit) >= 0; over != errors.Is(err, ledger.ErrOverflow) || (!over && got.String() != total.String()) {
		t.Fatalf("%s + %s = %s, %v", a, b, got, err)
	}
	if x.Cmp(y) >= 0 {
		sameAmount(t, "a - b", a.Minus(b), new(big.Int).Sub(x, y))
		sameAmount(t, "max(0, a - b)", a.SubFloor(b), new(big.Int).Sub(x, y))
		sameAmount(t, "min", ledger.Min(a, b), y)
		sameAmount(t, "max", ledger.Max(a, b), x)
	} else {
		sameAmount(t, "max(0, a - b)", a.SubFloor(b), new(big.Int))
		sameAmount(t, "min", ledger.Min(a, b), x)
		sameAmount(t, "max", ledger.Max(a, b), y)
		mustPanic(t, "a - b", func() { a.Minus(b) })
	}
	mulDiv(t, a, b, x, y, limit)
}

func mulDiv(t *rapid.T, a, b ledger.Amount, x, y, limit *big.Int) {
	c, z := drawAmount(t, "c")
	if z.Sign() == 0 {
		mustPanic(t, "a*b/0", func() { a.MulDiv(b, c) })
		return
	}
	q, r := new(big.Int).DivMod(new(big.Int).Mul(x, y), z, new(big.Int))
	if q.Cmp(limit) >= 0 {
		mustPanic(t, "a*b/c above 256 bits", func() { a.MulDiv(b, c) })
		return
	}
	quotient, remainder := a.MulDiv(b, c)
	sameAmount(t, "a*b/c", quotient, q)
	sameAmount(t, "a*b mod c", remainder, r)
}

func mustPanic(t *rapid.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Fatalf("%s did not panic", what)
		}
	}()
	f()
}

func TestArithmetic(t *testing.T) { rapid.Check(t, arithmetic) }

func FuzzArithmetic(f *testing.F) { fuzz(f, arithmetic) }

// printed: what is printed reads back, in base units and in whole coins.
func printed(t *rapid.T) {
	a, _ := drawAmount(t, "a")
	decimals := rapid.IntRange(0, 30).Draw(t, "decimals")
	for _, text := range []string{a.String() + "u", a.Decimal(decimals), strings.ReplaceAll(a.Coins(decimals), ",", "")} {
		got, err := ledger.ParseCoins(text, decimals)
		if err != nil || got != a {
			t.Fatalf("%s with %d decimals prints %q, which reads %s, %v", a, decimals, text, got, err)
		}
	}
}

func TestPrintedAmount(t *testing.T) { rapid.Check(t, printed) }

func FuzzPrintedAmount(f *testing.F) { fuzz(f, printed) }

func TestParseCoins(t *testing.T) {
	most := "115792089237316195423570985008687907853269984665640564039457584007913129639935"
	for _, c := range []struct{ text, want, wrong string }{
		{text: "25050.5", want: "25050500000"},
		{text: "25050500000u", want: "25050500000"},
		{text: "0.000001", want: "1"},
		{text: "007", want: "7000000"},
		{text: "0", want: "0"},
		{text: most + "u", want: most},
		{text: "-1", wrong: "whole coins"},
		{text: "+1", wrong: "whole coins"},
		{text: "1e3", wrong: "whole coins"},
		{text: "1,000", wrong: "whole coins"},
		{text: "1.", wrong: "whole coins"},
		{text: ".5", wrong: "whole coins"},
		{text: "", wrong: "whole coins"},
		{text: " 1", wrong: "whole coins"},
		{text: "1.2.3", wrong: "whole coins"},
		{text: "0x10", wrong: "whole coins"},
		{text: "\u0661", wrong: "whole coins"},
		{text: "1.5u", wrong: "base units"},
		{text: "u", wrong: "base units"},
		{text: "1.0000001", wrong: "at most 6 decimals"},
		{text: most, wrong: "2^256-1"},
		{text: "115792089237316195423570985008687907853269984665640564039457584007913129639936u", wrong: "2^256-1"},
		{text: strings.Repeat("9", 100_000), wrong: "2^256-1"},
	} {
		got, err := ledger.ParseCoins(c.text, 6)
		switch {
		case c.wrong == "" && (err != nil || got.String() != c.want):
			t.Errorf("%q reads %s, %v; want %s", c.text, got, err, c.want)
		case c.wrong != "" && (!errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), c.wrong) || !strings.HasPrefix(err.Error(), "amount: ")):
			t.Errorf("%.40q: %v; want a refusal that says %q", c.text, err, c.wrong)
		case c.wrong != "" && len(err.Error()) > 300:
			t.Errorf("%.40q: a message of %d bytes", c.text, len(err.Error()))
		}
	}
}

func TestCoins(t *testing.T) {
	for _, c := range []struct {
		units    uint64
		decimals int
		want     string
	}{
		{25050500000, 6, "25,050.5"},
		{1, 8, "0.00000001"},
		{0, 6, "0"},
		{100, 0, "100"},
		{1000, 0, "1,000"},
		{123456789000000, 6, "123,456,789"},
		{999999, 6, "0.999999"},
	} {
		if got := ledger.NewAmount(c.units).Coins(c.decimals); got != c.want {
			t.Errorf("%d with %d decimals prints %q, want %q", c.units, c.decimals, got, c.want)
		}
	}
}

// fuzz runs a law on the fuzzer's bytes. The first inputs are long enough for a
// whole run.
func fuzz(f *testing.F, law func(*rapid.T)) {
	f.Helper()
	for i := range uint64(4) {
		random := rand.NewChaCha8([32]byte{byte(i)})
		bits := make([]byte, 2<<10)
		if _, err := random.Read(bits); err != nil {
			f.Fatal(err)
		}
		f.Add(bits)
	}
	f.Fuzz(rapid.MakeFuzz(law))
}
