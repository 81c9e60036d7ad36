package replay_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/spoortrace/spoor/cmd/spoor-verify/replay"
)

// plain is a field of a JSON object with a number, a truth or a text.
var plain = regexp.MustCompile(`"(\w+)":("[^"]*"|\d+|true|false)`)

// TestForgedRecord: whatever is changed in a record, the search for what does not hold ends, and most of what moves money is found. What is
// left are facts that nothing else in the package tells of.
func TestForgedRecord(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 51))
	found, n := 0, trials(t, 300)
	var files map[string][]byte
	for i := range n {
		if i%20 == 0 {
			files = filesOf(t, newMarket(seed+uint64(i)).build(t))
		}
		forged := maps.Clone(files)
		for range 1 + random.IntN(3) {
			forged["record.json"] = swapped(random, forged["record.json"])
		}
		if all, _ := replay.Check(forged); len(all) > 0 {
			found++
		}
	}
	if found < n/3 {
		t.Errorf("seed %d: %d of %d changes are found", seed, found, n)
	}
	t.Logf("seed %d: %d of %d changes are found without any hash", seed, found, n)
}

// swapped puts a value of the file in another's place, or a number beside a number.
func swapped(random *rand.Rand, text []byte) []byte {
	all := plain.FindAllSubmatchIndex(text, -1)
	a, b := all[random.IntN(len(all))], all[random.IntN(len(all))]
	for tries := 0; tries < 50 && string(text[a[2]:a[3]]) != string(text[b[2]:b[3]]); tries++ {
		b = all[random.IntN(len(all))]
	}
	value := text[b[4]:b[5]]
	if value[0] >= '0' && value[0] <= '9' && random.IntN(2) == 0 {
		value = fmt.Append(nil, random.IntN(20))
	}
	return slices.Concat(text[:a[4]], value, text[a[5]:])
}
