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

const (
	usdt  = "0xdac17f958d2ee523a2206206994597c13d831ec7"
	alice = "0x1111111111111111111111111111111111111111"
	bob   = "0x2222222222222222222222222222222222222222"
	carol = "0x3333333333333333333333333333333333333333"
	block = "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	moved = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
)

func hash(n int) string { return fmt.Sprintf("0x%064x", n) }

func service(t testing.TB) *etherscan.Etherscan {
	t.Helper()
	e, err := etherscan.New("ethereum", nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func address(t testing.TB, s string) ledger.Address {
	t.Helper()
	a, err := ledger.ParseAddress("ethereum", s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// answers are what the service says to each part of a question for transaction 7:
// a call of some contract with half an ether, which sends a quarter on, moves a
// token and emits what is no transfer.
func answers() map[string]string {
	return map[string]string{
		"":         fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"result":{"hash":%q,"from":%q,"to":%q,"value":"0x6f05b59d3b20000","gasPrice":"0x10","input":"0x12345678","blockHash":%q,"blockNumber":"0x64","transactionIndex":"0x3"}}`, hash(7), alice, carol, block),
		"block":    fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"result":{"number":"0x64","hash":%q,"timestamp":"0x5f5e1000"}}`, block),
		"internal": fmt.Sprintf(`{"status":"1","message":"OK","result":[{"from":%q,"to":%q,"value":"250000000000000000","contractAddress":"","type":"call","isError":"0"},{"from":%q,"to":%q,"value":"9","type":"call","isError":"1"}]}`, carol, bob, carol, bob),
		"receipt": fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"result":{"transactionHash":%q,"blockHash":%q,"status":"0x1","gasUsed":"0x5208","effectiveGasPrice":"0x2","contractAddress":null,"logs":[
			{"address":%q,"topics":[%q,"0x%024x%s","0x%024x%s"],"data":"0x%064x","logIndex":"0x9","removed":false},{"address":%q,"topics":[],"data":"0x","logIndex":"0xa","removed":false}]}}`,
			hash(7), block, usdt, moved, 0, carol[2:], 0, alice[2:], 1500, usdt),
	}
}

// ask7 asks for transaction 7 to the end.
func ask7(t testing.TB, said map[string]string) (ask.Answer, error) {
	t.Helper()
	q := ask.Question{Kind: ask.Tx}
	q.Tx[31] = 7
	e := service(t)
	for range 10 {
		if _, err := e.Request(q); err != nil {
			return ask.Answer{}, err
		}
		a, err := e.Read(q, 200, []byte(said[q.Part]))
		if err != nil || len(a.Next) == 0 {
			return a, err
		}
		q = a.Next[0]
	}
	t.Fatal("it never ends")
	return ask.Answer{}, nil
}

func TestTx(t *testing.T) {
	a, err := ask7(t, answers())
	if err != nil {
		t.Fatal(err)
	}
	p := a.Txs[0]
	if !p.Whole || !p.Indexed || p.Block.Height != 100 || p.Tx.Pos != ledger.At(100, 3) || p.Tx.Time != 0x5f5e1000*1000 || p.Tx.Status != ledger.StatusOK {
		t.Errorf("got %+v", p)
	}
	native, token := ledger.NativeAsset("ethereum"), ledger.TokenAsset(address(t, usdt))
	for i, want := range []ledger.Transfer{
		{Kind: ledger.TransferNative, From: address(t, alice), To: address(t, carol), Asset: native, Amount: ledger.NewAmount(500_000_000_000_000_000)},
		{Slot: 1, Kind: ledger.TransferInternal, From: address(t, carol), To: address(t, bob), Asset: native, Amount: ledger.NewAmount(250_000_000_000_000_000)},
		{Index: 9, Slot: 2, Kind: ledger.TransferToken, From: address(t, carol), To: address(t, alice), Asset: token, Amount: ledger.NewAmount(1500)},
		{Slot: 3, Kind: ledger.TransferFee, From: address(t, alice), Asset: native, Amount: ledger.NewAmount(42_000)},
	} {
		want.Grade = ledger.GradeAttested
		if i >= len(p.Tx.Transfers) || p.Tx.Transfers[i] != want {
			t.Fatalf("transfers %+v, want number %d to be %+v", p.Tx.Transfers, i, want)
		}
	}
}

// TestPlain: a transfer of a token that everybody knows is not asked for internal
// transactions; one that failed moved nothing but its fee.
func TestPlain(t *testing.T) {
	said := answers()
	said[""] = strings.NewReplacer(carol, usdt, "0x6f05b59d3b20000", "0x0", "0x12345678", "0xa9059cbb").Replace(said[""])
	said["internal"] = "must not be asked"
	if a, err := ask7(t, said); err != nil || len(a.Txs[0].Tx.Transfers) != 2 {
		t.Errorf("%+v, %v", a, err)
	}
	said["receipt"] = strings.Replace(said["receipt"], `"status":"0x1"`, `"status":"0x0"`, 1)
	a, err := ask7(t, said)
	if err != nil || a.Txs[0].Tx.Status != ledger.StatusFailed || len(a.Txs[0].Tx.Transfers) != 1 || a.Txs[0].Tx.Transfers[0].Kind != ledger.TransferFee {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestTxLies(t *testing.T) {
	for _, c := range []struct {
		name, part, old, with string
		fault                 ledger.Fault
	}{
		{"another transaction", "", hash(7), hash(8), ledger.FaultMismatched},
		{"no payer", "", `"from":"` + alice + `",`, ``, ledger.FaultMalformed},
		{"a value that is no number", "", `"0x6f05b59d3b20000"`, `"half"`, ledger.FaultMalformed},
		{"another block at its height", "block", block, hash(1), ledger.FaultLagging},
		{"no time", "block", `"timestamp":"0x5f5e1000"`, `"timestamp":"0x0"`, ledger.FaultMalformed},
		{"a negative internal value", "internal", `"250000000000000000"`, `"-1"`, ledger.FaultMalformed},
		{"an internal payee that is none", "internal", bob, "0x12", ledger.FaultMalformed},
		{"another receipt", "receipt", hash(7), hash(8), ledger.FaultMismatched},
		{"a receipt of another block", "receipt", block, hash(1), ledger.FaultMismatched},
		{"a removed log", "receipt", `"removed":false`, `"removed":true`, ledger.FaultMalformed},
		{"no gas", "receipt", `"gasUsed":"0x5208",`, ``, ledger.FaultMalformed},
		{"no outcome", "receipt", `"status":"0x1",`, ``, ledger.FaultUnsupported},
	} {
		said := answers()
		was := said[c.part]
		if said[c.part] = strings.Replace(was, c.old, c.with, 1); said[c.part] == was {
			t.Fatalf("%s: nothing was changed", c.name)
		}
		a, err := ask7(t, said)
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s; got %+v", c.name, err, c.fault, a)
		}
	}
	for name, c := range map[string]struct {
		body  string
		fault ledger.Fault
	}{
		"rate":     {`{"status":"0","message":"NOTOK","result":"Max calls per sec rate limit reached (3/sec)"}`, ledger.FaultBusy},
		"key":      {`{"status":"0","message":"NOTOK","result":"Invalid API Key (#err2)|SECRETKEY"}`, ledger.FaultUnauthorized},
		"timeout":  {`{"status":"0","message":"NOTOK","result":"Query Timeout: please select a smaller result dataset"}`, ledger.FaultTimeout},
		"window":   {`{"status":"0","message":"NOTOK","result":"Result window is too large, PageNo x Offset size must be less than or equal to 10000"}`, ledger.FaultUnsupported},
		"rpc":      {`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument"}}`, ledger.FaultUnsupported},
		"html":     {`<html>`, ledger.FaultMalformed},
		"nothing":  {``, ledger.FaultTruncated},
		"no words": {`{}`, ledger.FaultMalformed},
	} {
		_, err := ask7(t, map[string]string{"": c.body})
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s", name, err, c.fault)
		}
		if err != nil && strings.Contains(err.Error(), "SECRETKEY") {
			t.Errorf("%s: the key is in %v", name, err)
		}
	}
	if _, err := ask7(t, map[string]string{"": `{"jsonrpc":"2.0","id":1,"result":null}`}); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	if a, err := ask7(t, map[string]string{"": strings.Replace(answers()[""], `"blockNumber":"0x64"`, `"blockNumber":null`, 1)}); err != nil || !a.Unconfirmed {
		t.Errorf("unconfirmed: %+v, %v", a, err)
	}
}

func history(t testing.TB) ask.Question {
	t.Helper()
	h := ledger.Holder{Address: address(t, alice), Asset: ledger.TokenAsset(address(t, usdt))}
	return ask.Question{Kind: ask.History, Holder: h, Range: ledger.Range{From: 5, To: 100}}
}

func row(n, height int) string {
	return fmt.Sprintf(`{"blockNumber":"%d","timeStamp":"%d","hash":%q,"blockHash":%q,"from":%q,"to":%q,"contractAddress":%q,"value":"%d","tokenSymbol":"USDT","tokenDecimal":"6","transactionIndex":"%d"}`,
		height, 1_600_000_000+height, hash(n), hash(1000+height), alice, bob, usdt, 500+n, n)
}

func page(rows ...string) string {
	return `{"status":"1","message":"OK","result":[` + strings.Join(rows, ",") + `]}`
}

// TestHistory: what an account's list says, and what it must not.
func TestHistory(t *testing.T) {
	a, err := service(t).Read(history(t), 200, []byte(page(row(1, 6), row(2, 7), row(2, 7))))
	if err != nil || len(a.Txs) != 2 || len(a.Txs[1].Tx.Transfers) != 2 || len(a.Next) != 0 || a.Txs[0].Whole {
		t.Fatalf("%+v, %v", a, err)
	}
	if p := a.Txs[0]; p.Block.Height != 6 || p.Block.Time != 1_600_000_006_000 || p.Tx.Transfers[0].Amount != ledger.NewAmount(501) || p.Tx.Transfers[0].To != address(t, bob) {
		t.Errorf("%+v", p)
	}
	if a, err := service(t).Read(history(t), 200, []byte(`{"status":"0","message":"No transactions found","result":[]}`)); err != nil || len(a.Txs)+len(a.Next) != 0 {
		t.Errorf("none: %+v, %v", a, err)
	}
	many := make([]string, 0, 12)
	for n := range 12 {
		many = append(many, row(n+1, 10+n))
	}
	if a, err := service(t).Read(history(t), 200, []byte(page(many...))); err != nil || len(a.Txs) != 11 || len(a.Next) != 1 {
		t.Errorf("a page of 12 is not believed to be all: %d, %d, %v", len(a.Txs), len(a.Next), err)
	}
	for _, c := range []struct {
		name, body string
		fault      ledger.Fault
	}{
		{"out of order", page(row(1, 9), row(2, 8)), ledger.FaultContents},
		{"before the range", page(row(1, 4)), ledger.FaultContents},
		{"behind the range", page(row(1, 100)), ledger.FaultContents},
		{"of another account", page(strings.Replace(row(1, 9), alice, carol, 1)), ledger.FaultMismatched},
		{"of another token", page(strings.Replace(row(1, 9), usdt, carol, 1)), ledger.FaultMismatched},
		{"a value in words", page(strings.Replace(row(1, 9), `"501"`, `"5e2"`, 1)), ledger.FaultMalformed},
		{"no block", page(strings.Replace(row(1, 9), `"blockNumber":"9"`, `"blockNumber":""`, 1)), ledger.FaultMalformed},
		{"one transaction in two blocks", page(row(1, 9), row(1, 10)), ledger.FaultContents},
		{"no list", `{"status":"1","message":"OK","result":"x"}`, ledger.FaultMalformed},
	} {
		a, err := service(t).Read(history(t), 200, []byte(c.body))
		if fault, _ := ledger.FaultOf(err); fault != c.fault {
			t.Errorf("%s: %v, want %s; got %+v", c.name, err, c.fault, a)
		}
	}
}

// TestHead: the head is a little below the node's newest block.
func TestHead(t *testing.T) {
	q := ask.Question{Kind: ask.Head}
	a, err := service(t).Read(q, 200, []byte(`{"jsonrpc":"2.0","id":1,"result":"0x6e"}`))
	if err != nil || len(a.Next) != 1 || a.Head != nil {
		t.Fatalf("%+v, %v", a, err)
	}
	if r, err := service(t).Request(a.Next[0]); err != nil || !strings.Contains(r.Path, "tag=0x64") {
		t.Errorf("%+v, %v", r, err)
	}
	if a, err = service(t).Read(a.Next[0], 200, []byte(answers()["block"])); err != nil || a.Head.Tip.Height != 100 {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := service(t).Read(q, 200, []byte(`{"jsonrpc":"2.0","id":1,"result":"latest"}`)); !errors.Is(err, ledger.ErrUntrue) {
		t.Errorf("no number: %v", err)
	}
}

// FuzzRead: whatever comes, a question is answered or refused by name.
func FuzzRead(f *testing.F) {
	texts := []string{page(row(1, 6), row(2, 7)), `{"status":"0","message":"NOTOK","result":"x"}`, `{}`}
	for _, text := range answers() {
		texts = append(texts, text)
	}
	for _, text := range texts {
		for kind := range 7 {
			f.Add(kind, []byte(text))
		}
	}
	e := service(f)
	cursor := fmt.Sprintf(`{"from":%q,"to":%q,"value":"0x1","gas_price":"0x1","block":%q,"height":100,"index":3,"time":5}`, alice, bob, block)
	f.Fuzz(func(t *testing.T, kind int, body []byte) {
		q := ask.Question{Kind: ask.Tx, Cursor: cursor}
		q.Tx[31] = 7
		switch uint(kind) % 7 {
		case 0:
			q = ask.Question{Kind: ask.Head}
		case 1:
			q = history(t)
		case 2:
			q.Part = "block"
		case 3:
			q.Part = "internal"
		case 4:
			q.Part = "receipt"
		case 5:
			q = coins(t, []string{"", "internals", "withdrawals"}[len(body)%3])
		}
		_, err := e.Read(q, 200, body)
		if _, named := ledger.FaultOf(err); err != nil && !named && !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%v has no name", err)
		}
	})
}
