package tracer_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// world is a small ledger and what can be asked of it.
type world struct {
	chain  ledger.Chain
	blocks []*ledger.Block
	seeds  []tracer.Seed // every payment that can be a seed, for its whole amount
}

func (w *world) index(t testing.TB, o memindex.Options) *memindex.Index {
	t.Helper()
	idx, err := memindex.New(w.blocks, o)
	if err != nil {
		t.Fatal(err)
	}
	return idx
}

func (w *world) txs() iter.Seq[ledger.Tx] {
	return func(yield func(ledger.Tx) bool) {
		for _, b := range w.blocks {
			for _, tx := range b.Txs {
				if !yield(tx) {
					return
				}
			}
		}
	}
}

func named(c ledger.Chain, name string) ledger.Address {
	h := sha256.Sum256([]byte("address " + name))
	if c.UTXO() {
		return ledger.Address{Chain: c, Kind: ledger.KindP2PKH, Payload: string(h[:20])}
	}
	return ledger.AccountAddress(c, [20]byte(h[:20]))
}

func txID(name string) ledger.TxID { return sha256.Sum256([]byte("transaction " + name)) }

func policyOf(t testing.TB, name string) tracer.Policy {
	t.Helper()
	p, err := tracer.PolicyByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func noFloor(seeds []tracer.Seed) map[ledger.Asset]ledger.Amount {
	return map[ledger.Asset]ledger.Amount{seeds[0].Asset: {}}
}

// unlimited is a request with no floor, no services and no budget.
func unlimited(t testing.TB, policy string, seeds []tracer.Seed) tracer.Request {
	t.Helper()
	return tracer.Request{
		Seeds: seeds, Policy: policyOf(t, policy),
		Floors: noFloor(seeds),
	}
}

// linesOf writes a trace as the twin writes its own.
func linesOf(tr *tracer.Trace) []string {
	var lines []string
	note := func(place string, dirty ledger.Amount, shares []tracer.Segment) {
		var set []tracer.Label
		for _, s := range shares {
			if s.Amount.IsZero() {
				set = append(set, s.Label)
				continue
			}
			lines = append(lines, fmt.Sprintf("%s: label %d: %s", place, s.Label, s.Amount))
		}
		if len(set) > 0 {
			lines = append(lines, fmt.Sprintf("%s: label -1: %s", place, dirty), fmt.Sprintf("%s: labels %v", place, set))
		}
	}
	for _, h := range tr.Hops {
		note(fmt.Sprintf("hop %d:%d", h.At.Pos, h.At.Slot), h.Dirty, h.Shares)
	}
	for _, term := range tr.Terminals {
		place := fmt.Sprintf("%d:%d", term.At.Pos, term.At.Slot)
		switch {
		case term.Reason == tracer.Burn:
			place = "burnt " + place
		case term.Asset.Chain.UTXO():
			place = "rests " + place
		default:
			place = "rests " + term.Address.String()
		}
		note(place, term.Dirty, term.Shares)
	}
	for _, s := range tr.Sheets {
		for _, r := range append([]tracer.Row{s.Total}, s.Rows...) {
			for _, c := range columns(r) {
				if !c.n.IsZero() {
					lines = append(lines, fmt.Sprintf("sheet %d: %s %s", r.Label, c.name, c.n))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

type column struct {
	name string
	n    ledger.Amount
}

func columns(r tracer.Row) []column {
	return []column{
		{"seeded", r.Seeded},
		{"collided", r.Collided},
		{"converted_in", r.ConvertedIn},
		{"resting", r.Resting},
		{"stopped", r.Stopped},
		{"burnt", r.Burnt},
		{"fees", r.Fees},
		{"converted_out", r.ConvertedOut},
		{"pruned", r.Pruned},
		{"pending", r.Pending},
	}
}

func mustRun(t rapid.TB, idx tracer.Index, req tracer.Request) *tracer.Trace {
	t.Helper()
	tr, err := tracer.Run(context.Background(), idx, req, nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return tr
}

// differ returns the lines that only one side has.
func differ(want, got []string) string {
	if slices.Equal(want, got) {
		return ""
	}
	var out string
	for _, l := range want {
		if !slices.Contains(got, l) {
			out += "- " + l + "\n"
		}
	}
	for _, l := range got {
		if !slices.Contains(want, l) {
			out += "+ " + l + "\n"
		}
	}
	if out == "" && len(want) != len(got) {
		out = fmt.Sprintf("%d lines, want %d\n", len(got), len(want))
	}
	return out
}

// fuzz runs a law on the fuzzer's bytes. The first inputs are long enough for a
// whole ledger.
func fuzz(f *testing.F, law func(*rapid.T)) {
	f.Helper()
	for i := range uint64(4) {
		random := rand.NewChaCha8([32]byte{byte(i)})
		bits := make([]byte, 8<<10)
		if _, err := random.Read(bits); err != nil {
			f.Fatal(err)
		}
		f.Add(bits)
	}
	f.Fuzz(rapid.MakeFuzz(law))
}
