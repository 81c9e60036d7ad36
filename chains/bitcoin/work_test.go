package bitcoin

import (
	"testing"

	"github.com/holiman/uint256"
)

func TestCompactTargets(t *testing.T) {
	// Bitcoin Core, arith_uint256_tests.cpp: bits, the target, the bits that it is written with.
	for _, c := range []struct {
		bits   uint32
		target string
		back   uint32
	}{
		{0x00000000, "0x0", 0},
		{0x00123456, "0x0", 0},
		{0x01003456, "0x0", 0},
		{0x02000056, "0x0", 0},
		{0x01123456, "0x12", 0x01120000},
		{0x02123456, "0x1234", 0x02123400},
		{0x03123456, "0x123456", 0x03123456},
		{0x04123456, "0x12345600", 0x04123456},
		{0x05009234, "0x92340000", 0x05009234},
		{0x20123456, "0x1234560000000000000000000000000000000000000000000000000000000000", 0x20123456},
		{0x1d00ffff, "0xffff0000000000000000000000000000000000000000000000000000", 0x1d00ffff},
	} {
		got, ok := expand(c.bits)
		if got.Hex() != c.target || !ok || compact(&got) != c.back {
			t.Errorf("%08x: got %s, %v, back %08x; want %s, back %08x", c.bits, got.Hex(), ok, compact(&got), c.target, c.back)
		}
	}
	for _, bits := range []uint32{0x01fedcba, 0x04923456, 0xff123456, 0x23000001, 0x22000100, 0x21010000} {
		if got, ok := expand(bits); ok {
			t.Errorf("%08x: got %s, want a refusal", bits, got.Hex())
		}
	}
}

func TestWork(t *testing.T) {
	for bits, want := range map[uint32]uint64{0x1d00ffff: 0x100010001, 0x207fffff: 2, 0: 0, 0xff123456: 0} {
		if got := Work(bits); got.Cmp(uint256.NewInt(want)) != 0 {
			t.Errorf("%08x: got %s, want %d", bits, got.Dec(), want)
		}
	}
}

// Bitcoin Core, pow_tests.cpp, and the rule of testnet3.
func TestNextBits(t *testing.T) {
	main, _ := NetworkOf("bitcoin")
	for _, c := range []struct {
		height      uint64
		first, last Link
		want        uint32
	}{
		{32256, Link{0x1d00ffff, 1261130161}, Link{0x1d00ffff, 1262152739}, 0x1d00d86a},
		{2016, Link{0x1d00ffff, 1231006505}, Link{0x1d00ffff, 1233061996}, 0x1d00ffff},
		{68544, Link{0x1c05a3f4, 1279008237}, Link{0x1c05a3f4, 1279297671}, 0x1c0168fd},
		{46368, Link{0x1c387f6f, 1263163443}, Link{0x1c387f6f, 1269211443}, 0x1d00e1fd},
		{32257, Link{}, Link{0x1d00d86a, 5}, 0x1d00d86a},
	} {
		got := main.NextBits(c.height, 0, func(back uint64) Link {
			switch back {
			case 1:
				return c.last
			case 2016:
				return c.first
			}
			t.Errorf("height %d: asked for the block %d before it", c.height, back)
			return Link{}
		})
		if got != c.want {
			t.Errorf("height %d: got %08x, want %08x", c.height, got, c.want)
		}
	}

	testnet, _ := NetworkOf("bitcoin-testnet")
	chain := map[uint64]Link{2016: {0x1c00ffff, 0}, 2017: {0x1d00ffff, 2000}, 2018: {0x1d00ffff, 4000}, 2019: {0x1c00ffff, 4100}}
	for _, c := range []struct {
		height uint64
		time   uint32
		want   uint32
	}{
		{2017, 1200, 0x1c00ffff},
		{2017, 1201, 0x1d00ffff},
		{2018, 2100, 0x1c00ffff},
		{2019, 4100, 0x1c00ffff},
		{2020, 4200, 0x1c00ffff},
		{2020, 9000, 0x1d00ffff},
	} {
		if got := testnet.NextBits(c.height, c.time, func(back uint64) Link { return chain[c.height-back] }); got != c.want {
			t.Errorf("testnet height %d at %d: got %08x, want %08x", c.height, c.time, got, c.want)
		}
	}
	// A whole period so far of the easiest target: it is what the period began with.
	easy := map[uint64]Link{2015: {0x1c00ffff, 0}, 2016: {0x1d00ffff, 0}, 2017: {0x1d00ffff, 100}}
	if got := testnet.NextBits(2018, 200, func(back uint64) Link { return easy[2018-back] }); got != 0x1d00ffff {
		t.Errorf("testnet, easy period: got %08x", got)
	}
	regtest, _ := NetworkOf("bitcoin-regtest")
	if got := regtest.NextBits(2016, 1, func(uint64) Link { return Link{0x207fffff, 9} }); got != 0x207fffff {
		t.Errorf("regtest: got %08x", got)
	}
}

func TestSubsidy(t *testing.T) {
	n, _ := NetworkOf("bitcoin")
	for height, want := range map[uint64]uint64{0: 5_000_000_000, 209_999: 5_000_000_000, 210_000: 2_500_000_000, 840_000: 312_500_000, 6_929_999: 1, 6_930_000: 0, 1 << 40: 0} {
		if got := n.Subsidy(height); got != want {
			t.Errorf("%d: got %d, want %d", height, got, want)
		}
	}
}
