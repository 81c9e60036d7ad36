package tronscan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/chains/tron/tronscan"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

const (
	usdt  = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
	alice = "TD7j5eNShnrSsGb3of8vpe1XXfUNrheeFh"
	bob   = "TV6MuMXfmLbBqPZvBHdwFsDnQeVfnmiuSi"
	carol = "TQimtt6MmASiLDEsKsfDDaDq5CFRE2BY1F"
)

func service(t testing.TB) *tronscan.Tronscan {
	t.Helper()
	s, err := tronscan.New("tron")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func history(t testing.TB) ask.Question {
	t.Helper()
	a, err := ledger.ParseAddress("tron", alice)
	token, errToken := ledger.ParseAddress("tron", usdt)
	if err := errors.Join(err, errToken); err != nil {
		t.Fatal(err)
	}
	return ask.Question{Kind: ask.History, Holder: ledger.Holder{Address: a, Asset: ledger.TokenAsset(token)}, Range: ledger.Range{From: 5, To: 100}}
}

func row(n, at int, from, to, outcome string) string {
	return fmt.Sprintf(`{"transaction_id":"%064x","block_ts":%d,"from_address":%q,"to_address":%q,"contract_address":%q,"quant":"%d","confirmed":true,"contractRet":%q,"finalResult":%q,"tokenInfo":{"tokenAbbr":"USDT","tokenDecimal":6}}`,
		n, at, from, to, usdt, 500+n, outcome, outcome)
}

func page(total int, rows ...string) string {
	return fmt.Sprintf(`{"total":%d,"rangeTotal":%d,"token_transfers":[%s]}`, min(total, 10_000), total, strings.Join(rows, ","))
}

// TestHistory: what a list says, how it goes on, and what it must not be.
func TestHistory(t *testing.T) {
	s, q := service(t), history(t)
	r, err := s.Request(q)
	if err != nil || !strings.HasPrefix(r.Path, "/api/token_trc20/transfers?") || !strings.Contains(r.Path, "sort=timestamp") || !strings.Contains(r.Path, "start_timestamp=5") || !strings.Contains(r.Path, "end_timestamp=99") {
		t.Errorf("%+v, %v", r, err)
	}
	a, err := s.Read(q, 200, []byte(page(4, row(1, 6, alice, bob, "SUCCESS"), row(1, 6, carol, alice, "SUCCESS"), row(2, 7, alice, bob, "REVERT"), row(3, 8, bob, alice, "SUCCESS"))))
	if err != nil || len(a.Txs) != 2 || len(a.Txs[0].Tx.Transfers) != 2 || len(a.Next) != 0 || a.Txs[1].Block.Height != 8 || len(a.Assets) != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err = s.Read(q, 200, []byte(page(30, row(1, 6, alice, bob, "SUCCESS"), row(2, 7, alice, bob, "SUCCESS")))); err != nil || len(a.Next) != 1 {
		t.Errorf("a page of more: %+v, %v", a, err)
	}
	if a, err = s.Read(q, 200, []byte(page(0))); err != nil || len(a.Txs)+len(a.Next) != 0 {
		t.Errorf("none: %+v, %v", a, err)
	}
	honest := row(1, 6, alice, bob, "SUCCESS")
	for name, c := range map[string]struct {
		body  string
		fault ledger.Fault
	}{
		"the newest first":   {page(2, row(1, 9, alice, bob, "SUCCESS"), row(2, 8, alice, bob, "SUCCESS")), ledger.FaultContents},
		"behind the range":   {page(1, row(1, 100, alice, bob, "SUCCESS")), ledger.FaultContents},
		"of another account": {page(1, row(1, 6, carol, bob, "SUCCESS")), ledger.FaultMismatched},
		"of another token":   {page(1, strings.Replace(honest, usdt, carol, 1)), ledger.FaultMismatched},
		"not confirmed":      {page(1, strings.Replace(honest, `"confirmed":true`, `"confirmed":false`, 1)), ledger.FaultContents},
		"a value in words":   {page(1, strings.Replace(honest, `"501"`, `"5e2"`, 1)), ledger.FaultMalformed},
		"no time":            {page(1, strings.Replace(honest, `"block_ts"`, `"time"`, 1)), ledger.FaultMalformed},
		"no list":            {`{"total":1}`, ledger.FaultMalformed},
		"a message":          {`{"message":"limited"}`, ledger.FaultMalformed},
		"html":               {`<html>`, ledger.FaultMalformed},
	} {
		a, err := s.Read(q, 200, []byte(c.body))
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s; got %+v", name, err, c.fault, a)
		}
	}
	count := ask.Question{Kind: ask.Count, Holder: q.Holder}
	if a, err := s.Read(count, 200, []byte(page(123_456))); err != nil || a.Count != 123_456 {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := s.Read(ask.Question{Kind: ask.Head}, 200, []byte(`{"data":[{"hash":"`+strings.Repeat("ab", 32)+`","timestamp":9000}]}`)); err != nil || a.Head.Tip.Height != 9000 {
		t.Errorf("%+v, %v", a, err)
	}
	native := q
	native.Holder.Asset = ledger.NativeAsset("tron")
	for _, q := range []ask.Question{{Kind: ask.Tx}, native} {
		if _, err := s.Request(q); !errors.Is(err, ledger.ErrUntrue) {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// FuzzRead: whatever comes, a question is answered or refused by name.
func FuzzRead(f *testing.F) {
	for _, text := range []string{page(1, row(1, 6, alice, bob, "SUCCESS")), page(0), `{}`, `{"data":[{"hash":"00","timestamp":1}]}`} {
		for kind := range 3 {
			f.Add(kind, 200, []byte(text))
		}
	}
	s := service(f)
	f.Fuzz(func(t *testing.T, kind, status int, body []byte) {
		q := history(t)
		q.Kind = []ask.Kind{ask.History, ask.Head, ask.Count}[uint(kind)%3]
		_, err := s.Read(q, status, body)
		if _, named := ledger.FaultOf(err); err != nil && !named {
			t.Errorf("%v has no name", err)
		}
	})
}
