package tracer

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

// vectors is testdata/vectors.json: worked examples of every accounting rule.
type vectors struct {
	UTXO []struct {
		ID     string
		Ins    [][][2]uint64
		Outs   []uint64
		Expect map[string]struct {
			Outs     []uint64
			Fee      uint64
			Segments [][][2]uint64
		}
	}
	Account []struct {
		ID     string
		Events [][]any
		Expect map[string]struct {
			Out       map[string]uint64
			LeftDirty uint64 `json:"left_dirty"`
			Balance   uint64
		}
	}
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectorsUTXO(t *testing.T) {
	checked := 0
	for _, v := range readVectors(t).UTXO {
		var in []Segment
		var total uint64
		for _, input := range v.Ins {
			for _, s := range input {
				in = push(in, Segment{Label(s[0]), ledger.NewAmount(s[1])})
				total += s[1]
			}
		}
		var slots []ledger.Amount
		for _, o := range v.Outs {
			slots = append(slots, ledger.NewAmount(o))
			total -= o
		}
		slots = append(slots, ledger.NewAmount(total))
		for name, want := range v.Expect {
			p, err := PolicyByName(name)
			if err != nil {
				t.Fatal(err)
			}
			filled := p.split(in, slots)
			var got []uint64
			for _, segs := range filled {
				d, _ := dirtyOf(segs).Uint64()
				got = append(got, d)
			}
			if diff := cmp.Diff(append(slices.Clone(want.Outs), want.Fee), got); diff != "" {
				t.Errorf("%s under %s, -want +got:\n%s", v.ID, name, diff)
			}
			for i, segs := range want.Segments {
				if got, want := fmt.Sprint(pairs(filled[i])), fmt.Sprint(segs); got != want {
					t.Errorf("%s under %s: slot %d holds %s, want %s", v.ID, name, i, got, want)
				}
			}
			checked++
		}
	}
	if checked != 28 {
		t.Errorf("checked %d UTXO vectors, want 4 under 7 policies", checked)
	}
}

func pairs(segs []Segment) [][2]uint64 {
	var out [][2]uint64
	for _, s := range segs {
		n, _ := s.Amount.Uint64()
		out = append(out, [2]uint64{uint64(s.Label), n})
	}
	return out
}

func TestVectorsAccount(t *testing.T) {
	checked := 0
	for _, v := range readVectors(t).Account {
		for name, want := range v.Expect {
			p, err := PolicyByName(name)
			if err != nil {
				t.Fatal(err)
			}
			var held []Segment
			out := map[string]uint64{}
			for _, e := range v.Events {
				amount := ledger.NewAmount(uint64(e[1].(float64)))
				if e[0] == "in" {
					held = p.credit(held, push(nil, Segment{Label(e[2].(float64)), amount}))
					continue
				}
				var taken []Segment
				taken, held = p.take(held, amount)
				out[e[2].(string)], _ = dirtyOf(taken).Uint64()
			}
			left, _ := dirtyOf(held).Uint64()
			balance, _ := totalOf(held).Uint64()
			if diff := cmp.Diff(want.Out, out); diff != "" || left != want.LeftDirty || balance != want.Balance {
				t.Errorf("%s under %s: left %d of %d, want %d of %d; outflows -want +got:\n%s", v.ID, name, left, balance, want.LeftDirty, want.Balance, diff)
			}
			checked++
		}
	}
	if checked != 18 {
		t.Errorf("checked %d account vectors, want 3 under 6 policies", checked)
	}
}
