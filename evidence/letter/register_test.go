package letter_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/casetest"
	"github.com/spoortrace/spoor/evidence/letter"
	"github.com/spoortrace/spoor/ledger"
)

func day(n int) time.Time { return time.Date(2026, 3, n, 12, 0, 0, 0, time.UTC) }

func TestRegister(t *testing.T) {
	const usdt, btc = "tron:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "bitcoin:native"
	held := func(amount, asset string, until time.Time) cases.Answer {
		return cases.Answer{Text: "held", Held: amount, Asset: asset, HoldExpires: until, Time: day(2)}
	}
	tests := []struct {
		name    string
		answers []cases.Answer
		want    letter.State
		holds   []letter.State
	}{
		{"no answer", nil, letter.Sent, nil},
		{"an answer that holds nothing", []cases.Answer{{Text: "we look into it"}}, letter.Answered, nil},
		{"held without an end", []cases.Answer{held("5", usdt, time.Time{})}, letter.Held, []letter.State{letter.Held}},
		{"held for long", []cases.Answer{held("5", usdt, day(20))}, letter.Held, []letter.State{letter.Held}},
		{"ends just beyond the notice", []cases.Answer{held("5", usdt, day(13).Add(1))}, letter.Held, []letter.State{letter.Held}},
		{"ends within the notice", []cases.Answer{held("5", usdt, day(13))}, letter.Expiring, []letter.State{letter.Expiring}},
		{"ends in an instant", []cases.Answer{held("5", usdt, day(10).Add(1))}, letter.Expiring, []letter.State{letter.Expiring}},
		{"ends at this instant", []cases.Answer{held("5", usdt, day(10))}, letter.Expired, []letter.State{letter.Expired}},
		{"the later answer extends it", []cases.Answer{held("5", usdt, day(9)), held("5", usdt, day(30))}, letter.Held, []letter.State{letter.Held}},
		{"a word without an amount changes no hold", []cases.Answer{held("5", usdt, day(9)), {Text: "more follows"}}, letter.Expired, []letter.State{letter.Expired}},
		{"lifted", []cases.Answer{held("5", usdt, day(30)), held("0", usdt, time.Time{})}, letter.Answered, []letter.State{letter.Answered}},
		{"the worst of two assets", []cases.Answer{held("5", usdt, day(30)), held("7", btc, day(9))}, letter.Expired, []letter.State{letter.Held, letter.Expired}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := cases.Case{Requests: []cases.Request{{ID: "R-1", To: "Example", Reference: "ours", Sent: day(1), Answers: test.answers}}}
			got, err := letter.Register(c, day(10), letter.Notice)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0].State != test.want || got[0].Request != "R-1" || got[0].To != "Example" {
				t.Fatalf("got %+v, want one entry of R-1 to Example, %s", got, test.want)
			}
			var states []letter.State
			for _, h := range got[0].Holds {
				states = append(states, h.State)
			}
			if !slices.Equal(states, test.holds) {
				t.Errorf("got holds %v, want %v", states, test.holds)
			}
		})
	}
}

func TestRegisterKeepsWhatWasSaid(t *testing.T) {
	c := cases.Case{Requests: []cases.Request{
		{ID: "R-1", To: "A", Reference: "ours", Accounts: []string{"A:1"}, Sent: day(1)},
		{ID: "R-2", To: "B", Reference: "ours", Sent: day(2), Answers: []cases.Answer{
			{Reference: "theirs/1", Text: "x", Held: "340282366920938463463374607431768211456", Asset: "ethereum:native", HoldExpires: day(30), Time: day(3)},
			{Text: "y", Time: day(4)},
		}},
	}}
	got, err := letter.Register(c, day(10), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Reference != "ours" || !slices.Equal(got[0].Accounts, []string{"A:1"}) || !got[0].Answered.IsZero() {
		t.Errorf("R-1: %+v", got)
	}
	e := got[1]
	if e.Reference != "theirs/1" || !e.Answered.Equal(day(4)) || len(e.Holds) != 1 || e.Holds[0].Amount.String() != "340282366920938463463374607431768211456" || !e.Holds[0].Until.Equal(day(30)) {
		t.Errorf("R-2: %+v", e)
	}
	c.Requests[1].Answers[0].Held = "1.5"
	if _, err := letter.Register(c, day(10), time.Hour); !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), "R-2") {
		t.Errorf("an amount that is none: got %v, want ErrInvalid that names R-2", err)
	}
}

// TestReconcile: on random cases, what was seized is with holdings or in the
// list of the others, to the unit, and each row balances.
func TestReconcile(t *testing.T) {
	for seed := range uint64(20) {
		d := casetest.Build(t, seed)
		random := rand.New(rand.NewPCG(seed, 1))
		seizures, want := seizuresOf(d.Holdings, random)
		rows, unmatched, err := letter.Reconcile(d.Holdings, seizures)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != len(d.Holdings) {
			t.Fatalf("seed %d: %d rows of %d holdings", seed, len(rows), len(d.Holdings))
		}
		var got ledger.Amount
		for i, r := range rows {
			if r.Holding != d.Holdings[i].ID || r.Traced.String() != d.Holdings[i].Traced {
				t.Errorf("seed %d: row %d is %+v, of %s with %s", seed, i, r, d.Holdings[i].ID, d.Holdings[i].Traced)
			}
			if r.Seized.Plus(r.Left).Minus(r.Beyond) != r.Traced {
				t.Errorf("seed %d: %s does not balance: %+v", seed, r.Holding, r)
			}
			got = got.Plus(r.Seized)
		}
		for _, s := range unmatched {
			if s.Address != "tron:elsewhere" && s.Asset != "tron:native" {
				t.Errorf("seed %d: %+v was not matched", seed, s)
			}
			n, _ := ledger.ParseAmount(s.Amount)
			got = got.Plus(n)
		}
		if got != want {
			t.Errorf("seed %d: %s of %s is accounted for", seed, got, want)
		}
	}
}

// seizuresOf takes parts of holdings, more than there is, twice from one, at no
// holding's address, and in another asset.
func seizuresOf(holdings []evidence.Holding, random *rand.Rand) (all []cases.Seizure, sum ledger.Amount) {
	take := func(address, asset string, n uint64) {
		all = append(all, cases.Seizure{Address: address, Asset: asset, Amount: strconv.FormatUint(n, 10), Sequence: uint64(len(all))})
		sum = sum.Plus(ledger.NewAmount(n))
	}
	for _, h := range holdings {
		for range random.IntN(3) {
			take(h.Network+":"+h.Address, h.Asset, random.Uint64N(10_000_000))
		}
		if random.IntN(4) == 0 {
			take(h.Network+":"+h.Address, "tron:native", 1+random.Uint64N(9))
		}
	}
	take("tron:elsewhere", "bitcoin:native", 7)
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all, sum
}

func TestReconcileAccounts(t *testing.T) {
	holdings := []evidence.Holding{
		{ID: "H-1", Network: "tron", Address: "T1", Asset: "tron:x", Traced: "10"},
		{ID: "H-2", Network: "tron", Account: "Example:77", Asset: "tron:x", Traced: "5"},
	}
	rows, unmatched, err := letter.Reconcile(holdings, []cases.Seizure{{Address: "Example:77", Asset: "tron:x", Amount: "6"}, {Address: "tron:T1", Asset: "tron:y", Amount: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	if rows[0].Left.String() != "10" || rows[1].Seized.String() != "6" || rows[1].Beyond.String() != "1" || !rows[1].Left.IsZero() {
		t.Errorf("got %+v", rows)
	}
	if len(unmatched) != 1 || unmatched[0].Asset != "tron:y" {
		t.Errorf("unmatched: %+v", unmatched)
	}
	most := "115792089237316195423570985008687907853269984665640564039457584007913129639935"
	twice := []cases.Seizure{{Address: "tron:T1", Asset: "tron:x", Amount: most}, {Address: "tron:T1", Asset: "tron:x", Amount: most, Sequence: 9}}
	if _, _, err := letter.Reconcile(holdings, twice); err == nil || !strings.Contains(err.Error(), "seizure 9 at tron:T1") {
		t.Errorf("more than there can be: got %v, want an error that names seizure 9", err)
	}
}
