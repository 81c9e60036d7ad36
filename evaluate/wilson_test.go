package evaluate

import "testing"

// With no hit the upper end is z^2/(n+z^2); half of 100 is worked by hand, too.
// 1 of 1000 is the example that textbooks print as 0.02 % to 0.56 %.
func TestWilson(t *testing.T) {
	for _, test := range []struct {
		hits, n   int
		low, high string
	}{
		{0, 0, "0.00", "100.00"},
		{0, 10, "0.00", "27.75"},
		{10, 10, "72.25", "100.00"},
		{50, 100, "40.38", "59.62"},
		{1, 1000, "0.02", "0.56"},
	} {
		low, high := Wilson(test.hits, test.n)
		if low != test.low || high != test.high {
			t.Errorf("%d of %d: got %s to %s, want %s to %s", test.hits, test.n, low, high, test.low, test.high)
		}
	}
}
