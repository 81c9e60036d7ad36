package evaluate

import (
	"fmt"
	"math"
)

// z is the 97.5 % quantile of the normal distribution.
const z = 1.959963984540054

// Wilson returns the 95 % score interval of a share, in percent with two decimals
// (Wilson, J. Am. Stat. Assoc. 22, 1927). Without a single trial it is 0 to 100.
func Wilson(hits, n int) (low, high string) {
	if n <= 0 {
		return "0.00", "100.00"
	}
	p, count := float64(hits)/float64(n), float64(n)
	middle := (p + z*z/(2*count)) / (1 + z*z/count)
	half := z / (1 + z*z/count) * math.Sqrt(p*(1-p)/count+z*z/(4*count*count))
	return percent(middle - half), percent(middle + half)
}

func percent(share float64) string {
	return fmt.Sprintf("%.2f", 100*math.Min(1, math.Max(0, share)))
}
