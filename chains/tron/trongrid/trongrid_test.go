package trongrid_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/chains/tron/trongrid"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

const (
	usdt  = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
	alice = "TD7j5eNShnrSsGb3of8vpe1XXfUNrheeFh"
	bob   = "TV6MuMXfmLbBqPZvBHdwFsDnQeVfnmiuSi"
	carol = "TQimtt6MmASiLDEsKsfDDaDq5CFRE2BY1F"
)

func service(t testing.TB) *trongrid.TronGrid {
	t.Helper()
	g, err := trongrid.New("tron")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func address(t testing.TB, s string) ledger.Address {
	t.Helper()
	a, err := ledger.ParseAddress("tron", s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func history(t testing.TB, from, to uint64) ask.Question {
	t.Helper()
	h := ledger.Holder{Address: address(t, alice), Asset: ledger.TokenAsset(address(t, usdt))}
	return ask.Question{Kind: ask.History, Holder: h, Range: ledger.Range{From: from, To: to}}
}

// row is a transfer n at a millisecond, as TronGrid tells it.
func row(n int, at uint64) string {
	return fmt.Sprintf(`{"transaction_id":"%064x","token_info":{"symbol":"USDT","address":%q,"decimals":6,"name":"Tether USD"},"block_timestamp":%d,"from":%q,"to":%q,"type":"Transfer","value":"%d"}`,
		n, usdt, at, alice, bob, 1000+n)
}

func page(more bool, rows ...string) string {
	meta := `{"at":1,"page_size":200}`
	if more {
		meta = `{"at":1,"fingerprint":"x","page_size":200}`
	}
	return `{"data":[` + strings.Join(rows, ",") + `],"success":true,"meta":` + meta + `}`
}

// list is a service with these rows that gives so many at most, and says so or not.
func list(times []uint64, most int, says bool) func(q ask.Question, from, to uint64) string {
	return func(_ ask.Question, from, to uint64) string {
		var rows []string
		for n, at := range times {
			if at < from || at > to {
				continue
			}
			if len(rows) == most {
				return page(says, rows...)
			}
			rows = append(rows, row(n, at))
		}
		return page(false, rows...)
	}
}

// read asks to the end, and returns the transactions in the order in which they came.
func read(t testing.TB, q ask.Question, serve func(q ask.Question, from, to uint64) string) (ids []string, requests int, err error) {
	t.Helper()
	g := service(t)
	for todo := []ask.Question{q}; len(todo) > 0; requests++ {
		if requests > 1000 {
			t.Fatal("it never ends")
		}
		r, err := g.Request(todo[0])
		if err != nil {
			return ids, requests, err
		}
		var from, to uint64
		_, times, _ := strings.Cut(r.Path, "max_timestamp=")
		if _, err := fmt.Sscanf(times, "%d&min_timestamp=%d", &to, &from); err != nil {
			t.Fatalf("%s: %v", r.Path, err)
		}
		a, err := g.Read(todo[0], 200, []byte(serve(todo[0], from, to)))
		if err != nil {
			return ids, requests, err
		}
		for _, p := range a.Txs {
			for range p.Tx.Transfers {
				ids = append(ids, p.Tx.ID.String()[60:])
			}
		}
		todo = append(todo[1:], a.Next...)
	}
	return ids, requests, nil
}

// TestPages: every row comes once, whatever the size of the pages, whether the
// service says that there are more or not, and however many share a millisecond.
func TestPages(t *testing.T) {
	for name, times := range map[string][]uint64{
		"none": {}, "one": {5}, "few": {1, 2, 3}, "many": steps(95, 1), "crowded": steps(95, 7), "one millisecond": steps(40, 1000), "to the end": append(steps(30, 3), 99, 99, 99),
	} {
		for _, most := range []int{200, 50, 41, 12} {
			for _, says := range []bool{true, false} {
				ids, _, err := read(t, history(t, 0, 100), list(times, most, says))
				if crowd := longest(times); err != nil && crowd > ask.Trusted && (crowd >= most || crowd == len(times)) {
					continue // nothing tells whether that was all of the millisecond, and it says so
				}
				var want []string
				for n := range times {
					want = append(want, fmt.Sprintf("%04x", n))
				}
				if err != nil || !slices.Equal(ids, want) {
					t.Errorf("%s in pages of %d, says so %t: %v, %v; want %v", name, most, says, ids, err, want)
				}
			}
		}
	}
}

// steps are n times, each of them so often.
func steps(n, often int) (times []uint64) {
	for i := range n {
		times = append(times, uint64(3+i/often))
	}
	return times
}

func longest(times []uint64) (n int) {
	count := map[uint64]int{}
	for _, at := range times {
		count[at]++
		n = max(n, count[at])
	}
	return n
}

// TestWickedPages: a list that is not in order, that changes or that is another's
// is refused by name.
func TestWickedPages(t *testing.T) {
	times := steps(60, 3)
	honest := list(times, 20, true)
	for _, c := range []struct {
		name  string
		serve func(turn int, q ask.Question, from, to uint64) string
		fault ledger.Fault
	}{
		{"out of order", func(_ int, _ ask.Question, _, _ uint64) string { return page(false, row(1, 9), row(2, 8)) }, ledger.FaultContents},
		{"before the range", func(_ int, _ ask.Question, _, _ uint64) string { return page(false, row(1, 1)) }, ledger.FaultContents},
		{"behind the range", func(_ int, _ ask.Question, _, _ uint64) string { return page(false, row(1, 100)) }, ledger.FaultContents},
		{"an empty page that says there are more", func(turn int, q ask.Question, from, to uint64) string {
			if turn == 1 {
				return page(true)
			}
			return honest(q, from, to)
		}, ledger.FaultContents},
		{"an empty page in the middle", func(turn int, q ask.Question, from, to uint64) string {
			if turn == 1 {
				return page(false)
			}
			return honest(q, from, to)
		}, ledger.FaultContents},
		{"rows that are gone from the next page", func(turn int, q ask.Question, from, to uint64) string {
			if turn == 1 {
				from++
			}
			return honest(q, max(from, 3), to)
		}, ledger.FaultContents},
		{"the first page again", func(_ int, q ask.Question, _, to uint64) string { return honest(q, 0, to) }, ledger.FaultContents},
		{"another account", func(_ int, _ ask.Question, _, _ uint64) string {
			return page(false, strings.Replace(row(1, 9), alice, carol, 1))
		}, ledger.FaultMismatched},
		{"another token", func(_ int, _ ask.Question, _, _ uint64) string {
			return page(false, strings.Replace(row(1, 9), usdt, carol, 1))
		}, ledger.FaultMismatched},
		{"a negative amount", func(_ int, _ ask.Question, _, _ uint64) string {
			return page(false, strings.Replace(row(1, 9), `"1001"`, `"-1001"`, 1))
		}, ledger.FaultMalformed},
		{"an amount that is no text", func(_ int, _ ask.Question, _, _ uint64) string {
			return page(false, strings.Replace(row(1, 9), `"1001"`, `1e3`, 1))
		}, ledger.FaultMalformed},
		{"no time", func(_ int, _ ask.Question, _, _ uint64) string {
			return page(false, strings.Replace(row(1, 9), "block_timestamp", "time", 1))
		}, ledger.FaultMalformed},
		{"no data", func(_ int, _ ask.Question, _, _ uint64) string { return `{"success":true}` }, ledger.FaultMalformed},
		{"no success", func(_ int, _ ask.Question, _, _ uint64) string { return `{"success":false,"error":"boom"}` }, ledger.FaultMalformed},
		{"a limit", func(_ int, _ ask.Question, _, _ uint64) string {
			return `{"success":false,"error":"Exceeds the frequency limit"}`
		}, ledger.FaultBusy},
		{"more than were asked for", func(_ int, _ ask.Question, _, _ uint64) string {
			return page(false, strings.Split(strings.Repeat(row(1, 9)+"|", 201), "|")[:201]...)
		}, ledger.FaultContents},
		{"a millisecond that fills pages", func(_ int, q ask.Question, from, to uint64) string { return list(steps(60, 60), 20, true)(q, from, to) }, ledger.FaultContents},
	} {
		turn := -1
		_, _, err := read(t, history(t, 2, 100), func(q ask.Question, from, to uint64) string {
			turn++
			return c.serve(turn, q, from, to)
		})
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s", c.name, err, c.fault)
		}
	}
}

// TestTransfers: mints and burns have no owner on one side; approvals are no
// transfers; equal rows of one transaction are several transfers.
func TestTransfers(t *testing.T) {
	nobody := ledger.AccountAddress("tron", [20]byte{}).String()
	text := page(false,
		strings.Replace(strings.Replace(row(1, 5), alice, nobody, 1), bob, alice, 1),
		strings.Replace(row(2, 6), bob, nobody, 1), row(3, 7), row(3, 7), strings.Replace(row(4, 8), "Transfer", "Approval", 1),
	)
	a, err := service(t).Read(history(t, 0, 100), 200, []byte(text))
	if err != nil || len(a.Txs) != 3 || len(a.Next) != 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	if mint := a.Txs[0].Tx.Transfers[0]; !mint.From.IsZero() || mint.To != address(t, alice) {
		t.Errorf("mint: %+v", mint)
	}
	if burn := a.Txs[1].Tx.Transfers[0]; !burn.To.IsZero() || burn.From != address(t, alice) {
		t.Errorf("burn: %+v", burn)
	}
	if twice := a.Txs[2].Tx.Transfers; len(twice) != 2 || twice[0].Slot == twice[1].Slot || twice[1].Amount != ledger.NewAmount(1003) {
		t.Errorf("twice: %+v", twice)
	}
	if len(a.Assets) != 1 || a.Assets[0].Symbol != "USDT" || a.Assets[0].Decimals != 6 {
		t.Errorf("assets: %+v", a.Assets)
	}
}

// TestTxLies: what was signed must hash to the id that was asked for, and the info
// must be of it.
func TestTxLies(t *testing.T) {
	q := ask.Question{Kind: ask.Tx}
	q.Tx[0] = 1
	for _, c := range []struct {
		name, part, body string
		fault            ledger.Fault
	}{
		{"another transaction", "", `{"txID":"` + q.Tx.String() + `","raw_data_hex":"0a02","ret":[{"contractRet":"SUCCESS"}]}`, ledger.FaultMismatched},
		{"no hex", "", `{"txID":"` + q.Tx.String() + `","raw_data_hex":"zz"}`, ledger.FaultMalformed},
		{"an error", "", `{"Error":"class org.tron.core.exception : boom"}`, ledger.FaultUnsupported},
		{"another info", "info", `{"id":"` + strings.Repeat("0", 64) + `","blockNumber":5,"blockTimeStamp":5}`, ledger.FaultMismatched},
		{"an info without a block", "info", `{"id":"` + q.Tx.String() + `","fee":1}`, ledger.FaultMalformed},
		{"html", "", `<html>`, ledger.FaultMalformed},
	} {
		one := q
		one.Part = c.part
		if c.part != "" {
			one.Cursor = "1 0a02"
		}
		a, err := service(t).Read(one, 200, []byte(c.body))
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s; got %+v", c.name, err, c.fault, a)
		}
	}
	if _, err := service(t).Read(q, 200, []byte(`{}`)); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("an unknown transaction: %v", err)
	}
	q.Part, q.Cursor = "info", "1 0a02"
	if a, err := service(t).Read(q, 200, []byte(`{}`)); err != nil || !a.Unconfirmed {
		t.Errorf("an unconfirmed one: %+v, %v", a, err)
	}
}

// FuzzRead: whatever comes, a question is answered or refused by name.
func FuzzRead(f *testing.F) {
	for _, text := range []string{page(true, row(1, 5), row(2, 6)), page(false), page(false, pays(f, 6, ann, ben, 5, "SUCCESS"), inside(6, ben, ann, "call", 1, false)), `{}`, `{"txID":"00","raw_data_hex":"0a02"}`, `{"id":"00","blockNumber":5,"blockTimeStamp":5,"log":[{"address":"00","topics":["00"],"data":""}]}`} {
		for kind := range 5 {
			f.Add(kind, 200, []byte(text))
		}
	}
	g := service(f)
	f.Fuzz(func(t *testing.T, kind, status int, body []byte) {
		q := history(t, 0, 100)
		switch uint(kind) % 5 {
		case 0:
			q = ask.Question{Kind: ask.Head}
		case 1:
			q = ask.Question{Kind: ask.Tx}
		case 2:
			q = ask.Question{Kind: ask.Tx, Part: "info", Cursor: "1 0a02"}
		case 3:
			q = coins(t)
		}
		_, err := g.Read(q, status, body)
		if _, named := ledger.FaultOf(err); err != nil && !named && !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%v has no name", err)
		}
	})
}
