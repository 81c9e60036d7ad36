package kvtest

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/store"
)

// rowKey names a row of the model.
type rowKey struct{ partition, sort string }

// testModel runs random writes and scans against a Go map.
func testModel(t *testing.T, engine store.Engine) {
	kv := open(t, engine)
	model := map[rowKey]string{}
	part := rapid.SampledFrom([]string{"", "a", "aa", "\x00", "\xff", "\xff\xff"})
	sort := rapid.StringOfN(rapid.RuneFrom([]rune{0, 1, 'a', 0x7f}), 0, 3, -1)
	rapid.Check(t, func(rt *rapid.T) {
		ops := make([]store.Op, rapid.IntRange(0, 20).Draw(rt, "ops"))
		for i := range ops {
			k := rowKey{part.Draw(rt, "partition"), sort.Draw(rt, "sort")}
			ops[i] = put(k.partition, k.sort, rapid.StringN(0, 8, -1).Draw(rt, "value"))
			if ops[i].Delete = rapid.Bool().Draw(rt, "delete"); ops[i].Delete {
				delete(model, k)
			} else {
				model[k] = string(ops[i].Value)
			}
		}
		if err := kv.Write(t.Context(), ops); err != nil {
			rt.Fatal(err)
		}
		r, done := kv.View()
		defer done()
		from, to := sort.Draw(rt, "from"), sort.Draw(rt, "to")
		reverse := rapid.Bool().Draw(rt, "reverse")
		p := part.Draw(rt, "partition")
		got, err := scan(r, p, []byte(from), []byte(to), reverse)
		if want := modelScan(model, p, from, to, reverse); err != nil || !slices.Equal(got, want) {
			rt.Fatalf("scan %q [%q, %q) reverse %v: got %q, %v; want %q", p, from, to, reverse, got, err, want)
		}
		for k, want := range model {
			if v, err := r.Get([]byte(k.partition), []byte(k.sort)); err != nil || !bytes.Equal(v, []byte(want)) {
				rt.Fatalf("get %q/%q: %q, %v; want %q", k.partition, k.sort, v, err, want)
			}
		}
	})
}

func modelScan(model map[rowKey]string, partition, from, to string, reverse bool) []string {
	keys := slices.SortedFunc(maps.Keys(model), func(a, b rowKey) int { return cmp.Compare(a.sort, b.sort) })
	var rows []string
	for _, k := range keys {
		if k.partition == partition && k.sort >= from && k.sort < to {
			rows = append(rows, k.sort+"="+model[k])
		}
	}
	if reverse {
		slices.Reverse(rows)
	}
	return rows
}
