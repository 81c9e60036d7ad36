package tracer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// lawful checks what every answer must keep, whatever was asked: sheets re-add
// per label, every terminal counts in one row of them, a share never exceeds
// its slot, its label or the payment, and every hop follows from an earlier one.
func lawful(t rapid.TB, req tracer.Request, tr *tracer.Trace) {
	for _, s := range tr.Sheets {
		if s.Conserves != (req.Policy.Name != "poison") {
			t.Fatalf("%s says conserves %v", req.Policy.Name, s.Conserves)
		}
		for _, r := range append([]tracer.Row{s.Total}, s.Rows...) {
			if !s.Conserves {
				continue
			}
			left, right := add(t, r.Seeded, r.ConvertedIn), add(t, r.Resting, r.Stopped, r.Burnt, r.Fees, r.ConvertedOut, r.Pruned, r.Pending, r.Collided)
			if left != right {
				t.Fatalf("%s: sheet %d: %s in, %s out", req.Policy.Name, r.Label, left, right)
			}
		}
		terminalsCount(t, s, tr)
	}
	seeded := seededOf(t, tr)
	last := map[ledger.Chain]ledger.Point{}
	for i, h := range tr.Hops {
		if h.ID != i+1 || h.Parent < 0 || h.Parent >= h.ID || h.Depth < 1 || (h.Parent == 0) && h.Depth != 1 {
			t.Fatalf("hop %d: %+v", i+1, h)
		}
		if before, ok := last[h.Chain]; ok && h.At.Before(before) {
			t.Fatalf("hop %d at %s of %s does not come after %s", h.ID, h.At, h.Chain, before)
		}
		last[h.Chain] = h.At
		if h.Dirty.IsZero() || h.Amount.Less(h.Dirty) {
			t.Fatalf("hop %d carries %s of %s", h.ID, h.Dirty, h.Amount)
		}
		sharesAdd(t, req, seeded, h.Dirty, h.Shares)
	}
	for _, x := range tr.Terminals {
		sharesAdd(t, req, seeded, x.Dirty, x.Shares)
		if x.Low.Cmp(x.Dirty) > 0 || x.Dirty.Cmp(x.High) > 0 {
			t.Fatalf("terminal %+v: not %s <= %s <= %s", x, x.Low, x.Dirty, x.High)
		}
		if x.Hop < 0 || x.Hop > len(tr.Hops) || (x.Hop > 0 && !x.Address.IsZero() && tr.Hops[x.Hop-1].To != x.Address) {
			t.Fatalf("terminal %+v names hop %d", x, x.Hop)
		}
	}
}

func add(t rapid.TB, amounts ...ledger.Amount) ledger.Amount {
	total, err := ledger.Sum(amounts...)
	if err != nil {
		t.Fatalf("sum of %v: %v", amounts, err)
	}
	return total
}

// seededOf is what each label can have at most.
func seededOf(t rapid.TB, tr *tracer.Trace) map[tracer.Label]ledger.Amount {
	most := map[tracer.Label]ledger.Amount{}
	for _, s := range tr.Sheets {
		for _, r := range s.Rows {
			most[r.Label] = add(t, most[r.Label], r.Seeded.Minus(r.Collided), r.ConvertedIn)
		}
	}
	return most
}

func sharesAdd(t rapid.TB, req tracer.Request, seeded map[tracer.Label]ledger.Amount, dirty ledger.Amount, shares []tracer.Segment) {
	var sum ledger.Amount
	for i, s := range shares {
		if s.Label < 1 || int(s.Label) > len(req.Seeds) || (i > 0 && s.Label <= shares[i-1].Label) {
			t.Fatalf("shares %v", shares)
		}
		if seeded[s.Label].Less(s.Amount) {
			t.Fatalf("label %d has %s, was seeded %s", s.Label, s.Amount, seeded[s.Label])
		}
		sum = add(t, sum, s.Amount)
	}
	if len(shares) == 0 || (req.Policy.Name != "poison" && sum != dirty) {
		t.Fatalf("%s: %s in shares %v", req.Policy.Name, dirty, shares)
	}
}

// terminalsCount compares the terminals of each bucket with the sheet's row.
func terminalsCount(t rapid.TB, s tracer.Sheet, tr *tracer.Trace) {
	sums := map[tracer.Bucket]ledger.Amount{}
	for _, x := range tr.Terminals {
		if x.Asset == s.Asset {
			sums[x.Reason.Bucket()] = add(t, sums[x.Reason.Bucket()], x.Dirty)
		}
	}
	r := s.Total
	got := []ledger.Amount{sums[tracer.InResting], sums[tracer.InStopped], sums[tracer.InBurnt], sums[tracer.InPruned], sums[tracer.InPending]}
	want := []ledger.Amount{r.Resting, r.Stopped, r.Burnt, r.Pruned, r.Pending}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("terminals resting, stopped, burnt, pruned, pending %v, sheet %v", got, want)
	}
}

// laws asks one random question under every policy.
func laws(t *rapid.T, w *world) {
	idx, err := memindex.New(w.blocks, memindex.Options{Tags: w.drawTags(t)})
	if err != nil {
		t.Fatalf("index: %v", err)
	}
	req := w.drawRequest(t, w.drawSeeds(t, 10))
	compared, err := tracer.RunAll(context.Background(), idx, req, tracer.ComparedPolicies())
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, name := range policyNames() {
		req.Policy, _ = tracer.PolicyByName(name)
		var streamed []tracer.Hop
		tr, err := tracer.Run(context.Background(), idx, req, func(h tracer.Hop) { streamed = append(streamed, h) })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lawful(t, req, tr)
		if fmt.Sprintf("%+v", streamed) != fmt.Sprintf("%+v", tr.Hops) {
			t.Fatalf("%s: hops as they were found differ from the result:\n%+v\n%+v", name, streamed, tr.Hops)
		}
		tr.SetBounds(compared)
		lawful(t, req, tr)
	}
}

// hugeAmounts: a token whose amounts overflow gives a lawful answer or an
// error that says so, and never panics.
func hugeAmounts(t *rapid.T) {
	w := drawAccounts(t)
	drawHuge(t, w)
	idx, err := memindex.New(w.blocks, memindex.Options{})
	if err != nil {
		t.Fatalf("index: %v", err)
	}
	req := w.drawRequest(t, w.drawSeeds(t, 4))
	traces, err := tracer.RunAll(context.Background(), idx, req, policyNames())
	if err != nil {
		if !errors.Is(err, ledger.ErrOverflow) {
			t.Fatalf("%v, want an overflow", err)
		}
		return
	}
	for _, tr := range traces {
		req.Policy, _ = tracer.PolicyByName(tr.Policy)
		tr.SetBounds(traces)
		lawful(t, req, tr)
	}
}

func TestHugeAmounts(t *testing.T) { rapid.Check(t, hugeAmounts) }

func FuzzHugeAmounts(f *testing.F) { fuzz(f, hugeAmounts) }

func accountLaws(t *rapid.T) { laws(t, drawAccounts(t)) }
func coinLaws(t *rapid.T)    { laws(t, drawCoins(t)) }

func TestAccountLaws(t *testing.T) { rapid.Check(t, accountLaws) }
func TestCoinLaws(t *testing.T)    { rapid.Check(t, coinLaws) }

func FuzzAccountLaws(f *testing.F) { fuzz(f, accountLaws) }
func FuzzCoinLaws(f *testing.F)    { fuzz(f, coinLaws) }
