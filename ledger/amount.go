package ledger

import (
	"strings"

	"github.com/holiman/uint256"
)

// Amount is an unsigned integer of 256 bits in base units of one asset. The
// zero value is 0. It is comparable and small enough to pass by value.
type Amount struct{ v uint256.Int }

// NewAmount returns n base units.
func NewAmount(n uint64) Amount { return Amount{*uint256.NewInt(n)} }

// AmountFromBytes reads a big-endian integer of at most 32 bytes.
func AmountFromBytes(b []byte) (Amount, error) {
	if len(b) > 32 {
		return Amount{}, ErrOverflow
	}
	var a Amount
	a.v.SetBytes(b)
	return a, nil
}

// ParseAmount reads base units: decimal digits only, at most 2^256-1.
func ParseAmount(s string) (Amount, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return Amount{}, Invalid("amount", "a whole number of base units", s)
	}
	s = strings.TrimLeft(s, "0")
	if s == "" {
		return Amount{}, nil
	}
	var a Amount
	if err := a.v.SetFromDecimal(s); err != nil {
		return Amount{}, Invalid("amount", "at most 2^256-1 base units", s)
	}
	return a, nil
}

// ParseCoins reads an amount as people write it: whole coins of an asset with
// the given decimals ("25050.5"), or base units with a trailing u
// ("25050500000u"). Signs, exponents, separators and more decimals than the
// asset has are refused.
func ParseCoins(s string, decimals int) (Amount, error) {
	if units, ok := strings.CutSuffix(s, "u"); ok {
		return ParseAmount(units)
	}
	whole, frac, dot := strings.Cut(s, ".")
	if whole == "" || (dot && frac == "") || strings.Trim(whole+frac, "0123456789") != "" {
		return Amount{}, Invalid("amount", "whole coins such as 25050.5, or base units such as 25050500000u", s)
	}
	if len(frac) > decimals {
		return Amount{}, Invalid("amount", "at most "+itoa(decimals)+" decimals", s)
	}
	return ParseAmount(whole + frac + strings.Repeat("0", decimals-len(frac)))
}

// String prints base units in decimal.
func (a Amount) String() string { return a.v.Dec() }

// Coins prints whole coins: grouped thousands, trailing zeros cut ("25,050.5").
func (a Amount) Coins(decimals int) string {
	whole, frac := a.split(decimals)
	var b strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	if frac = strings.TrimRight(frac, "0"); frac != "" {
		b.WriteString("." + frac)
	}
	return b.String()
}

// Decimal prints whole coins without grouping, for CSV ("25050.5").
func (a Amount) Decimal(decimals int) string {
	whole, frac := a.split(decimals)
	if frac = strings.TrimRight(frac, "0"); frac != "" {
		return whole + "." + frac
	}
	return whole
}

func (a Amount) split(decimals int) (whole, frac string) {
	s := a.v.Dec()
	if pad := decimals + 1 - len(s); pad > 0 {
		s = strings.Repeat("0", pad) + s
	}
	return s[:len(s)-decimals], s[len(s)-decimals:]
}

// Bytes returns the minimal big-endian form; 0 is empty.
func (a Amount) Bytes() []byte { return a.v.Bytes() }

// IsZero reports a == 0.
func (a Amount) IsZero() bool { return a.v.IsZero() }

// Cmp is -1, 0 or 1 as a is less than, equal to or greater than b.
func (a Amount) Cmp(b Amount) int { return a.v.Cmp(&b.v) }

// Less reports a < b.
func (a Amount) Less(b Amount) bool { return a.v.Lt(&b.v) }

// Uint64 returns the value, and false when it does not fit.
func (a Amount) Uint64() (uint64, bool) { return a.v.Uint64(), a.v.IsUint64() }

// Add returns a+b, or ErrOverflow.
func (a Amount) Add(b Amount) (Amount, error) {
	var r Amount
	if _, over := r.v.AddOverflow(&a.v, &b.v); over {
		return Amount{}, ErrOverflow
	}
	return r, nil
}

// Plus returns a+b where the caller has bounded the sum before; it panics otherwise.
func (a Amount) Plus(b Amount) Amount {
	r, err := a.Add(b)
	if err != nil {
		panic(err)
	}
	return r
}

// Minus returns a-b where the caller knows that b <= a; it panics otherwise.
func (a Amount) Minus(b Amount) Amount {
	var r Amount
	if _, under := r.v.SubOverflow(&a.v, &b.v); under {
		panic("ledger: " + a.String() + " - " + b.String() + " is negative")
	}
	return r
}

// SubFloor returns a-b, or 0 when b > a.
func (a Amount) SubFloor(b Amount) Amount {
	if a.Less(b) {
		return Amount{}
	}
	return a.Minus(b)
}

// MulDiv returns floor(a*b/c) and the remainder, computed in 512 bits; the
// quotient must fit 256 bits (it does when b <= c) and c must not be 0.
func (a Amount) MulDiv(b, c Amount) (quotient, remainder Amount) {
	if c.IsZero() {
		panic("ledger: division by zero")
	}
	if _, over := quotient.v.MulDivOverflow(&a.v, &b.v, &c.v); over {
		panic(ErrOverflow)
	}
	remainder.v.MulMod(&a.v, &b.v, &c.v)
	return quotient, remainder
}

// Min returns the smaller of a and b.
func Min(a, b Amount) Amount {
	if b.Less(a) {
		return b
	}
	return a
}

// Max returns the larger of a and b.
func Max(a, b Amount) Amount {
	if a.Less(b) {
		return b
	}
	return a
}

// Sum adds up; ErrOverflow when the total leaves 256 bits.
func Sum(amounts ...Amount) (Amount, error) {
	var total Amount
	var err error
	for _, a := range amounts {
		if total, err = total.Add(a); err != nil {
			return Amount{}, err
		}
	}
	return total, nil
}
