package main

import (
	"errors"
	"math/big"
)

// curve is secp256k1 (SEC 2, section 2.4.1): y^2 = x^3 + 7 over the integers modulo p, with a base point of order n.
type curve struct{ p, n *big.Int }

// point is a point of the curve in Jacobian coordinates: (x/z^2, y/z^3), with z = 0 at infinity.
type point struct{ x, y, z *big.Int }

func secp256k1() (curve, point) {
	number := func(digits string) *big.Int {
		n, _ := new(big.Int).SetString(digits, 16)
		return n
	}
	c := curve{
		p: number("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"),
		n: number("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
	}
	return c, point{
		number("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
		number("483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"),
		big.NewInt(1),
	}
}

var errSignature = errors.New("a signature that no key makes")

// recoverAccount returns the 20 bytes of the account whose key signed the hash (SEC 1, section 4.1.6): the last of Keccak-256 over the key.
// odd is the parity of y of the signature's point. That point's x is taken to be r itself; r + n happens for 1 in 2^128.
func recoverAccount(hash [32]byte, r, s *big.Int, odd bool) ([20]byte, error) {
	c, base := secp256k1()
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(c.n) >= 0 || s.Cmp(c.n) >= 0 {
		return [20]byte{}, errSignature
	}
	y, ok := c.lift(r, odd)
	if !ok {
		return [20]byte{}, errSignature
	}
	inverse := new(big.Int).ModInverse(r, c.n)
	u1 := new(big.Int).Mul(new(big.Int).SetBytes(hash[:]), inverse)
	u1.Mod(u1.Neg(u1), c.n)
	u2 := new(big.Int).Mul(s, inverse)
	u2.Mod(u2, c.n)
	key := c.sum(base, u1, point{r, y, big.NewInt(1)}, u2)
	if key.z.Sign() == 0 {
		return [20]byte{}, errSignature
	}
	kx, ky := c.plain(key)
	var both [64]byte
	kx.FillBytes(both[:32])
	ky.FillBytes(both[32:])
	sum := keccak256(both[:])
	return [20]byte(sum[12:]), nil
}

// lift finds y of an x. The root is a power, since p is 3 modulo 4.
func (c curve) lift(x *big.Int, odd bool) (*big.Int, bool) {
	square := c.mul(c.mul(x, x), x)
	square.Mod(square.Add(square, big.NewInt(7)), c.p)
	exponent := new(big.Int).Rsh(new(big.Int).Add(c.p, big.NewInt(1)), 2)
	y := new(big.Int).Exp(square, exponent, c.p)
	if c.mul(y, y).Cmp(square) != 0 {
		return nil, false
	}
	if (y.Bit(0) == 1) != odd {
		y.Sub(c.p, y)
	}
	return y, true
}

func (c curve) mul(a, b *big.Int) *big.Int {
	m := new(big.Int).Mul(a, b)
	return m.Mod(m, c.p)
}

func (c curve) sub(a, b *big.Int) *big.Int {
	d := new(big.Int).Sub(a, b)
	return d.Mod(d, c.p)
}

func infinity() point { return point{big.NewInt(1), big.NewInt(1), new(big.Int)} }

// sum is k times a and l times b, in one walk over the bits of both. It need not hide them: all here is public.
func (c curve) sum(a point, k *big.Int, b point, l *big.Int) point {
	both, sum := c.add(a, b), infinity()
	for i := max(k.BitLen(), l.BitLen()) - 1; i >= 0; i-- {
		sum = c.double(sum)
		switch {
		case k.Bit(i) == 1 && l.Bit(i) == 1:
			sum = c.add(sum, both)
		case k.Bit(i) == 1:
			sum = c.add(sum, a)
		case l.Bit(i) == 1:
			sum = c.add(sum, b)
		}
	}
	return sum
}

func (c curve) double(a point) point {
	if a.z.Sign() == 0 || a.y.Sign() == 0 {
		return infinity()
	}
	yy := c.mul(a.y, a.y)
	s := c.mul(big.NewInt(4), c.mul(a.x, yy))
	m := c.mul(big.NewInt(3), c.mul(a.x, a.x))
	x := c.sub(c.mul(m, m), c.mul(big.NewInt(2), s))
	y := c.sub(c.mul(m, c.sub(s, x)), c.mul(big.NewInt(8), c.mul(yy, yy)))
	return point{x, y, c.mul(big.NewInt(2), c.mul(a.y, a.z))}
}

func (c curve) add(a, b point) point {
	if a.z.Sign() == 0 {
		return b
	}
	if b.z.Sign() == 0 {
		return a
	}
	az, bz := c.mul(a.z, a.z), c.mul(b.z, b.z)
	u1, u2 := c.mul(a.x, bz), c.mul(b.x, az)
	s1, s2 := c.mul(a.y, c.mul(bz, b.z)), c.mul(b.y, c.mul(az, a.z))
	h, r := c.sub(u2, u1), c.sub(s2, s1)
	if h.Sign() == 0 {
		if r.Sign() == 0 {
			return c.double(a)
		}
		return infinity()
	}
	hh := c.mul(h, h)
	hhh, v := c.mul(hh, h), c.mul(u1, hh)
	x := c.sub(c.sub(c.mul(r, r), hhh), c.mul(big.NewInt(2), v))
	y := c.sub(c.mul(r, c.sub(v, x)), c.mul(s1, hhh))
	return point{x, y, c.mul(h, c.mul(a.z, b.z))}
}

// plain are the coordinates of a point that is not at infinity.
func (c curve) plain(a point) (x, y *big.Int) {
	inverse := new(big.Int).ModInverse(a.z, c.p)
	square := c.mul(inverse, inverse)
	return c.mul(a.x, square), c.mul(a.y, c.mul(square, inverse))
}
