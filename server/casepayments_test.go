package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

const sheetHeader = "victim,status,network,tx,to_address,index,amount,asset,time\n"

// sheetRow is a line of a sheet with the header above.
func sheetRow(victim, network, tx, rest string) string {
	return strings.Join([]string{victim, "confirmed", network, tx, rest}, ",") + strings.Repeat(",", 4-strings.Count(rest, ",")) + "\n"
}

// problemText is a problem as a test writes it: line, field, refused or not, number of candidates.
func problemText(p *spoorv1.PaymentProblem) string {
	word := "noted"
	if p.GetRefused() {
		word = "refused"
	}
	return fmt.Sprintf("%d %s %s, %d candidates", p.GetLine(), p.GetField(), word, len(p.GetCandidates()))
}

// TestRefusedPayments: each row that cannot be traced is refused by its line and
// its field, with a sentence that says why, and nothing is added.
func TestRefusedPayments(t *testing.T) {
	o := newOffice(t)
	blocks := coinBlocks()
	five := block(blocks[4], 5, coins0+51*minute, spending("other r5", nil, coin{"miner", 50}))
	o.world.append(t, five, block(five, 6, coins0+60*minute, spending("other r6", nil, coin{"miner", 50})))
	tx := func(name string) string { return txID(name).String() }
	to := func(name string) string { return named("tron", name).String() }
	at := time.UnixMilli(export0).UTC().Format(time.RFC3339)
	for name, test := range map[string]struct{ rows, problem, text string }{
		"unknown":            {sheetRow("A", "tron", tx("nowhere"), ""), "2 tx refused, 0 candidates", "not in the index"},
		"reverted":           {sheetRow("A", "tron", tx("failed"), ""), "2 tx refused, 0 candidates", "was reverted"},
		"several":            {sheetRow("A", "tron", tx("two"), ""), "2 index refused, 2 candidates", "moves several"},
		"several to one":     {sheetRow("A", "tron", tx("twice"), to("d")), "2 index refused, 2 candidates", "moves several"},
		"zero":               {sheetRow("A", "tron", tx("zero"), ""), "2 tx refused, 0 candidates", "carries no value"},
		"another network":    {sheetRow("A", "bitcoin", tx("v1"), ""), "2 tx refused, 0 candidates", "not in the index"},
		"no network":         {sheetRow("A", "dogecoin", tx("v1"), ""), "2 network refused, 0 candidates", "a network"},
		"address of another": {sheetRow("A", "bitcoin", tx("pay"), to("m")), "2 to_address refused, 0 candidates", "an address of bitcoin"},
		"in an orphan":       {sheetRow("A", "bitcoin", tx("on"), ""), "2 tx refused, 0 candidates", "indexed to height 6"},
		"another payee":      {sheetRow("A", "tron", tx("v1"), to("scam")), "2 tx refused, 0 candidates", "no such payment"},
		"fake token":         {sheetRow("A", "tron", tx("fake"), to("scam")+",,0.009,USDT"), "2 asset refused, 0 candidates", "USDT"},
		"more than was paid": {sheetRow("A", "tron", tx("v1"), to("m")+",,0.000061,USDT"), "2 amount refused, 0 candidates", "at most what was paid, 0.00006 USDT"},
		"part of a hash":     {sheetRow("A", "tron", tx("v1")[:12]+"...", ""), "2 tx refused, 1 candidates", "1 payments fit"},
		"both ends":          {sheetRow("A", "tron", tx("v1")[:8]+"..."+tx("v1")[60:], ""), "2 tx refused, 1 candidates", "1 payments fit"},
		"ends of none":       {sheetRow("A", "tron", tx("v1")[:8]+"...zz", ""), "2 tx refused, 0 candidates", "64 hex digits"},
		"cut off":            {sheetRow("A", "tron", tx("v1")[:40], ""), "2 tx refused, 0 candidates", "40 came"},
		"no hash":            {sheetRow("A", "tron", "", to("m")+",,0.00006,USDT,"+at), "2 tx refused, 1 candidates", "1 payments fit"},
		"no hash, no fit":    {sheetRow("A", "tron", "", to("m")+",,0.00007,USDT,"+at), "2 tx refused, 0 candidates", "no payment that fits"},
		"nothing to go by":   {sheetRow("A", "tron", "", to("m")), "2 tx refused, 0 candidates", "to_address, amount and time"},
		"no output":          {sheetRow("A", "bitcoin", tx("mix"), ",9"), "2 tx refused, 0 candidates", "9"},
	} {
		t.Run(name, func(t *testing.T) {
			c := o.begun(t, name)
			got, err := o.AddPayments(o.as(t, "ann"), &spoorv1.AddPaymentsRequest{Name: c, File: []byte(sheetHeader + test.rows)})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.GetProblems()) != 1 || problemText(got.GetProblems()[0]) != test.problem || !strings.Contains(got.GetProblems()[0].GetMessage(), test.text) {
				t.Errorf("got %v\nwant %s: %s", got.GetProblems(), test.problem, test.text)
			}
			if got.GetAdded() != 0 || len(got.GetCase().GetPayments()) != 0 || len(got.GetCase().GetVictims()) != 0 {
				t.Errorf("added %d: %v", got.GetAdded(), got.GetCase())
			}
		})
	}
}

// TestPaymentsTwice: one transfer is one payment, whoever says so, in one sheet
// or in two, and however it is written.
func TestPaymentsTwice(t *testing.T) {
	o := newOffice(t)
	ctx, c := o.as(t, "ann"), o.begun(t, "1")
	add := func(m *spoorv1.AddPaymentsRequest) (problems []string, added int32) {
		m.Name = c
		got, err := o.AddPayments(ctx, m)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range got.GetProblems() {
			problems = append(problems, problemText(p)+": "+p.GetMessage())
		}
		return problems, got.GetAdded()
	}
	want := func(what string, m *spoorv1.AddPaymentsRequest, added int32, lines ...string) {
		t.Helper()
		problems, got := add(m)
		if got != added || len(problems) != len(lines) {
			t.Errorf("%s: %d added, %v\nwant %d, %v", what, got, problems, added, lines)
			return
		}
		for i, line := range lines {
			start, text, _ := strings.Cut(line, ": ")
			if !strings.HasPrefix(problems[i], start+", ") || !strings.Contains(problems[i], text) {
				t.Errorf("%s: %s\nwant %s", what, problems[i], line)
			}
		}
	}
	sheet := func(rows ...string) *spoorv1.AddPaymentsRequest {
		return &spoorv1.AddPaymentsRequest{File: []byte(sheetHeader + strings.Join(rows, ""))}
	}
	v1, p1, hash := sheetRow("A", "tron", txID("v1").String(), ""), sheetRow("B", "tron", txID("p1").String(), ""), "tron:"+txID("v1").String()
	want("two victims", sheet(v1, strings.Replace(v1, "A", "B", 1), p1), 0, "2 tx refused: claim", "3 tx refused: claim")
	want("one victim twice", sheet(v1, v1), 0, "3 tx refused: ")
	want("two ways to write it", &spoorv1.AddPaymentsRequest{Rows: []*spoorv1.PaymentRow{{Ref: hash, Victim: "A"}, {Ref: hash + ":0", Victim: "A"}}}, 0, "2 ref refused: the same transfer is line 1 already")
	want("a sheet and a row", &spoorv1.AddPaymentsRequest{File: []byte(sheetHeader + v1), Rows: []*spoorv1.PaymentRow{{Ref: hash, Victim: "B"}}}, 0, "1 ref refused: the same transfer is line 2 already")
	want("once", sheet(v1), 1)
	want("again, by another", sheet(strings.Replace(v1, "A", "B", 1)), 0, "2 tx refused: the same transfer is P-1 of V-1 already")
	skip := sheet(v1, p1)
	skip.DryRun, skip.SkipRefused = true, true
	want("a dry run", skip, 1, "2 tx refused: P-1 of V-1 already")
	skip.DryRun = false
	want("the others", skip, 1, "2 tx refused: P-1 of V-1 already")
	got, err := o.GetCase(ctx, &spoorv1.GetCaseRequest{Name: c})
	if err != nil || len(got.GetPayments()) != 2 || len(got.GetVictims()) != 2 {
		t.Errorf("%v, %v", got.GetPayments(), err)
	}
	if _, err := o.WithdrawPayment(ctx, &spoorv1.WithdrawPaymentRequest{Name: c, Payment: "P-1", Reason: "it was B's"}); err != nil {
		t.Fatal(err)
	}
	want("after it was withdrawn", sheet(strings.Replace(v1, "A", "B", 1)), 1)
}

// TestPaymentRequestID: a wish under a name is granted once, also after the
// server was started again; another wish under the name is refused.
func TestPaymentRequestID(t *testing.T) {
	o := newOffice(t)
	c := o.begun(t, "1")
	m := &spoorv1.AddPaymentsRequest{Name: c, RequestId: "upload 1", Rows: []*spoorv1.PaymentRow{{Ref: ref("tron", "v1", ""), Victim: "A"}}}
	for i := range 4 {
		if i == 2 {
			o.end(t)
			o.begin(t)
		}
		got, err := o.AddPayments(o.as(t, "ann"), m)
		if err != nil || len(got.GetCase().GetPayments()) != 1 || len(got.GetProblems()) != 0 {
			t.Fatalf("time %d: %v, %v", i, got, err)
		}
	}
	added := 0
	for _, e := range o.entries(t, c) {
		if e.Kind == "payment_added" {
			added++
		}
	}
	if added != 1 {
		t.Errorf("%d entries add payments, want 1", added)
	}
	m.Rows[0].Victim = "B"
	_, err := o.AddPayments(o.as(t, "ann"), m)
	refusal{codes.FailedPrecondition, "FAILED_PRECONDITION", "", "was another one"}.check(t, "another wish", err)
}
