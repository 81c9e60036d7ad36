package etherscan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/chains/evm/etherscan"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

func coins(t testing.TB, part string) ask.Question {
	t.Helper()
	h := ledger.Holder{Address: address(t, alice), Asset: ledger.NativeAsset("ethereum")}
	return ask.Question{Kind: ask.History, Holder: h, Range: ledger.Range{From: 5, To: 100}, Part: part}
}

func sent(n, height int, from, to, failed string) string {
	return fmt.Sprintf(`{"blockNumber":"%d","timeStamp":"%d","hash":%q,"blockHash":%q,"transactionIndex":"%d","from":%q,"to":%q,"contractAddress":"","value":"%d","gasUsed":"21000","gasPrice":"3","isError":%q}`,
		height, 1_600_000_000+height, hash(n), hash(1000+height), n, from, to, 500+n, failed)
}

func inside(n, height int, from, to, failed string) string {
	return fmt.Sprintf(`{"blockNumber":"%d","timeStamp":"%d","hash":%q,"from":%q,"to":%q,"contractAddress":"","value":"%d","gasUsed":"0","isError":%q,"type":"call"}`,
		height, 1_600_000_000+height, hash(n), from, to, 900+n, failed)
}

func paidOut(height int, to, gwei string) string {
	return fmt.Sprintf(`{"withdrawalIndex":"1","validatorIndex":"2","address":%q,"amount":%q,"blockNumber":"%d","timestamp":"%d"}`, to, gwei, height, 1_600_000_000+height)
}

// TestNative: transactions, what contracts sent and withdrawals are the history of
// the native coin, one list after the other.
func TestNative(t *testing.T) {
	q, action := coins(t, ""), []string{}
	var moves []string
	for _, body := range []string{
		page(sent(1, 6, alice, bob, "0"), sent(2, 7, alice, bob, "1"), sent(3, 8, bob, alice, "0")),
		page(inside(1, 6, bob, alice, "0"), inside(4, 9, bob, alice, "1"), inside(5, 9, bob, alice, "0"), inside(5, 9, bob, alice, "0")),
		page(paidOut(10, alice, "17")),
	} {
		r, err := service(t).Request(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Split(r.Path, "&") {
			if strings.HasPrefix(word, "?action=") || strings.HasPrefix(word, "action=") {
				action = append(action, word[strings.Index(word, "=")+1:])
			}
		}
		if strings.Contains(r.Path, "contractaddress") {
			t.Errorf("asks for a token: %s", r.Path)
		}
		a, err := service(t).Read(q, 200, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range a.Txs {
			for _, m := range p.Tx.Transfers {
				moves = append(moves, fmt.Sprintf("%d.%s %d %s", p.Block.Height, p.Tx.ID.String()[62:], m.Kind, m.Amount))
			}
		}
		if len(a.Next) == 0 {
			q = ask.Question{}
			continue
		}
		q = a.Next[0]
	}
	want := "6.01 1 501, 6.01 3 63000, 7.02 3 63000, 8.03 1 503, 6.01 2 901, 9.05 2 905, 9.05 2 905, 10.0a 2 17000000000"
	if got := strings.Join(moves, ", "); got != want || q.Kind != "" || strings.Join(action, " ") != "txlist txlistinternal txsBeaconWithdrawal" {
		t.Errorf("by %v: %s, want %s; left %v", action, got, want, q)
	}
	for name, c := range map[string]struct {
		part, body string
		fault      ledger.Fault
	}{
		"of others":              {"", page(sent(1, 6, carol, bob, "0")), ledger.FaultMismatched},
		"internals of others":    {"internals", page(inside(1, 6, carol, bob, "0")), ledger.FaultMismatched},
		"a withdrawal of others": {"withdrawals", page(paidOut(10, bob, "17")), ledger.FaultMalformed},
		"no end":                 {"", page(sent(1, 6, alice, bob, "")), ledger.FaultMalformed},
		"no gas":                 {"", page(strings.Replace(sent(1, 6, alice, bob, "0"), "21000", "much", 1)), ledger.FaultMalformed},
		"a negative withdrawal":  {"withdrawals", page(paidOut(10, alice, "-1")), ledger.FaultMalformed},
		"no time":                {"withdrawals", page(strings.Replace(paidOut(10, alice, "1"), "timestamp", "time", 1)), ledger.FaultMalformed},
		"genesis":                {"", page(strings.Replace(sent(1, 6, alice, bob, "0"), hash(1), "GENESIS_1", 1)), ledger.FaultMalformed},
		"out of order":           {"internals", page(inside(1, 9, bob, alice, "0"), inside(2, 8, bob, alice, "0")), ledger.FaultContents},
	} {
		a, err := service(t).Read(coins(t, c.part), 200, []byte(c.body))
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s; got %+v", name, err, c.fault, a)
		}
	}
	base, err := etherscan.New("base", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := base.Request(ask.Question{Kind: ask.History, Holder: ledger.Holder{Asset: ledger.NativeAsset("base")}}); !errors.Is(err, ledger.ErrUntrue) {
		t.Errorf("a chain above another: %v", err)
	}
	count := ask.Question{Kind: ask.Count, Holder: q.Holder}
	if a, err := service(t).Read(count, 200, []byte(`{"jsonrpc":"2.0","id":1,"result":"0x5208"}`)); err != nil || a.Count != 21000 {
		t.Errorf("%+v, %v", a, err)
	}
}
